/* SPDX-License-Identifier: Apache-2.0 */
/* The functions' prototypes come from gnutls.h itself, so the compiler checks each of them; that none is
 * missing is checked against libmicrohttpd.a by tools/check-seam. */
#include "postern/tls/seam.h"

#include "served.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Stands for what must exist for libmicrohttpd and does not here: the priorities; and the credentials of a
 * daemon whose sessions are adopted. A serving daemon's credentials are its service. */
static char placeholder;

/* A response of the service's own is smaller. */
#define OWN_MAX_BYTES 8192
/* Pieces of 4 KiB that are read past when a connection is closed. */
#define READ_PAST_MAX 256

struct gnutls_session_int {
    const struct pst_seam_events *events; /* of one that was adopted */
    void *arg;
    const struct pst_seam_service *service; /* of one of a serving daemon's */
    struct tls_served *served;              /* NULL: plain bytes */
    int fd;
    struct pst_buf own; /* what goes out instead of libmicrohttpd's */
    bool replaced;
    bool owes; /* the client has sent something since the last write, and is there */
    void *mhd_connection;
    bool said_goodbye;
};

static _Thread_local const struct pst_seam_events *adopted_events;
static _Thread_local void *adopted_arg;
static _Thread_local const struct pst_seam_service *to_serve;

void pst_seam_adopt(const struct pst_seam_events *events, void *arg)
{
    adopted_events = events;
    adopted_arg = arg;
}

bool pst_seam_disown(void)
{
    bool still_there = adopted_events != NULL;
    adopted_events = NULL;
    adopted_arg = NULL;
    return still_there;
}

void pst_seam_serve(const struct pst_seam_service *service)
{
    to_serve = service;
}

int pst_seam_client_identity(void *session, int64_t now_us, const struct pst_client_identity **ret)
{
    struct gnutls_session_int *seam = session;
    *ret = NULL;
    return seam->served != NULL ? tls_served_identity(seam->served, now_us, ret) : 0;
}

/* Sessions */

int gnutls_init(gnutls_session_t *session, unsigned int flags)
{
    (void)flags;
    struct gnutls_session_int *seam = calloc(1, sizeof(*seam));
    *session = NULL;
    if (seam == NULL)
        return GNUTLS_E_MEMORY_ERROR;
    seam->events = adopted_events;
    seam->arg = adopted_arg;
    pst_seam_disown();
    seam->fd = -1;
    pst_buf_init(&seam->own, OWN_MAX_BYTES);
    *session = seam;
    return GNUTLS_E_SUCCESS;
}

void gnutls_deinit(gnutls_session_t session)
{
    if (session == NULL)
        return;
    if (session->events != NULL)
        session->events->closed(session->arg, session->said_goodbye);
    tls_served_free(session->served);
    pst_buf_done(&session->own);
    free(session);
}

static int gnutls_error_of(ssize_t error)
{
    switch ((int)-error) {
    case PST_EAGAIN:
        return GNUTLS_E_AGAIN;
    case PST_ERESET:
        return GNUTLS_E_PREMATURE_TERMINATION;
    case PST_ENOMEM:
        return GNUTLS_E_MEMORY_ERROR;
    default:
        return GNUTLS_E_UNEXPECTED_PACKET;
    }
}

/* Of one that was adopted it was done before libmicrohttpd saw the connection. */
int gnutls_handshake(gnutls_session_t session)
{
    int err = session->served != NULL                               ? tls_served_handshake(session->served)
              : session->events != NULL || session->service != NULL ? 0
                                                                    : -PST_EINVAL;
    return err == 0 ? GNUTLS_E_SUCCESS : gnutls_error_of(err);
}

static ssize_t plain_result(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -PST_EAGAIN : -PST_ERESET;
}

static ssize_t service_read(gnutls_session_t session, void *data, size_t len)
{
    ssize_t n = session->served != NULL ? tls_served_read(session->served, data, len)
                                        : plain_result(recv(session->fd, data, len, MSG_DONTWAIT));
    if (n != -PST_EAGAIN)
        session->owes = n > 0;
    return n;
}

static ssize_t write_out(gnutls_session_t session, const void *data, size_t len)
{
    return session->served != NULL ? tls_served_write(session->served, data, len)
                                   : plain_result(send(session->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* Asks whether something else goes out; 0 when that is out. */
static int write_own(gnutls_session_t session, struct pst_str data)
{
    if (!session->replaced && session->service->replace != NULL)
        session->service->replace(session->mhd_connection, data, &session->own);
    session->replaced |= pst_buf_len(&session->own) > 0;
    while (pst_buf_len(&session->own) > 0) {
        ssize_t n = write_out(session, pst_buf_front(&session->own), pst_buf_len(&session->own));
        if (n < 0)
            return (int)n;
        pst_buf_consume(&session->own, (size_t)n);
    }
    return 0;
}

static ssize_t service_write(gnutls_session_t session, const void *data, size_t len)
{
    int err = write_own(session, (struct pst_str){data, len});
    if (err < 0)
        return err;
    ssize_t n = session->replaced ? (ssize_t)len : write_out(session, data, len);
    if (n >= 0)
        session->owes = false;
    return n;
}

/* A socket that is closed with bytes unread sends a reset, which can overtake our response. */
static void read_past(int fd)
{
    char data[4096];
    for (int i = 0; i < READ_PAST_MAX && recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0; i++)
        continue;
}

int gnutls_bye(gnutls_session_t session, gnutls_close_request_t how)
{
    (void)how;
    session->said_goodbye = true;
    /* What is no HTTP at all libmicrohttpd drops without a response. */
    if (session->service != NULL && session->owes)
        (void)write_own(session, (struct pst_str){NULL, 0}); /* as far as the socket takes it */
    if (session->served != NULL)
        tls_served_goodbye(session->served);
    else if (session->fd >= 0)
        (void)shutdown(session->fd, SHUT_WR);
    if (session->replaced)
        read_past(session->fd);
    return GNUTLS_E_SUCCESS;
}

ssize_t gnutls_record_recv(gnutls_session_t session, void *data, size_t data_size)
{
    ssize_t n = session->service != NULL ? service_read(session, data, data_size)
                                         : session->events->read(session->arg, data, data_size);
    return n >= 0 ? n : gnutls_error_of(n);
}

ssize_t gnutls_record_send(gnutls_session_t session, const void *data, size_t data_size)
{
    ssize_t n = session->service != NULL ? service_write(session, data, data_size)
                                         : session->events->write(session->arg, data, data_size);
    if (n >= 0)
        return n;
    return n == -PST_EAGAIN ? GNUTLS_E_AGAIN : GNUTLS_E_PUSH_ERROR;
}

/* Asked after a read that filled the buffer, to learn whether to read again at once. A further read
 * costs little when there is nothing, and a forgotten one would hang the connection: say yes. */
size_t gnutls_record_check_pending(gnutls_session_t session)
{
    if (session->service != NULL)
        return session->served != NULL ? tls_served_pending(session->served) : 0;
    return 1;
}

int gnutls_record_get_direction(gnutls_session_t session)
{
    return session->served != NULL && tls_served_wants_write(session->served) ? 1 : 0;
}

void gnutls_session_set_ptr(gnutls_session_t session, void *ptr)
{
    session->mhd_connection = ptr;
}

void *gnutls_session_get_ptr(gnutls_session_t session)
{
    return session->mhd_connection;
}

gnutls_protocol_t gnutls_protocol_get_version(gnutls_session_t session)
{
    (void)session;
    return GNUTLS_VERSION_UNKNOWN; /* the session itself is asked (session.h) */
}

gnutls_cipher_algorithm_t gnutls_cipher_get(gnutls_session_t session)
{
    (void)session;
    return GNUTLS_CIPHER_UNKNOWN;
}

/* What libmicrohttpd sets on a session and on the daemon has been decided by tls/context.c already. */

int gnutls_alpn_set_protocols(gnutls_session_t session, const gnutls_datum_t *protocols,
                              unsigned protocols_size, unsigned int flags)
{
    (void)session, (void)protocols, (void)protocols_size, (void)flags;
    return GNUTLS_E_SUCCESS;
}

void gnutls_transport_set_int2(gnutls_session_t session, int recv_fd, int send_fd)
{
    (void)send_fd;
    session->fd = recv_fd;
    if (session->served != NULL)
        tls_served_set_fd(session->served, recv_fd);
}

int gnutls_priority_set(gnutls_session_t session, gnutls_priority_t priority)
{
    (void)session, (void)priority;
    return GNUTLS_E_SUCCESS;
}

int gnutls_credentials_set(gnutls_session_t session, gnutls_credentials_type_t type, void *cred)
{
    (void)type;
    if (session->events != NULL || cred == &placeholder)
        return GNUTLS_E_SUCCESS;
    session->service = (const struct pst_seam_service *)(const void *)cred;
    if (session->service->tls == NULL)
        return GNUTLS_E_SUCCESS;
    return tls_served_new(session->service->tls, &session->served) == 0 ? GNUTLS_E_SUCCESS
                                                                        : GNUTLS_E_MEMORY_ERROR;
}

void gnutls_certificate_server_set_request(gnutls_session_t session, gnutls_certificate_request_t req)
{
    (void)session, (void)req;
}

/* A priority cache must exist for libmicrohttpd; the placeholder stands for it. */

int gnutls_priority_init(gnutls_priority_t *priority, const char *priorities, const char **err_pos)
{
    (void)priorities, (void)err_pos;
    *priority = (gnutls_priority_t)(void *)&placeholder;
    return GNUTLS_E_SUCCESS;
}

int gnutls_priority_init2(gnutls_priority_t *priority, const char *priorities, const char **err_pos,
                          unsigned flags)
{
    (void)flags;
    return gnutls_priority_init(priority, priorities, err_pos);
}

void gnutls_priority_deinit(gnutls_priority_t priority)
{
    (void)priority;
}

int gnutls_certificate_allocate_credentials(gnutls_certificate_credentials_t *res)
{
    union {
        const struct pst_seam_service *in;
        gnutls_certificate_credentials_t out;
    } service = {to_serve}; /* only passed through */
    *res = to_serve != NULL ? service.out : (gnutls_certificate_credentials_t)(void *)&placeholder;
    to_serve = NULL;
    return GNUTLS_E_SUCCESS;
}

void gnutls_certificate_free_credentials(gnutls_certificate_credentials_t sc)
{
    (void)sc;
}

int gnutls_certificate_set_x509_key_mem(gnutls_certificate_credentials_t res, const gnutls_datum_t *cert,
                                        const gnutls_datum_t *key, gnutls_x509_crt_fmt_t type)
{
    (void)res, (void)cert, (void)key, (void)type;
    return GNUTLS_E_SUCCESS;
}

int gnutls_certificate_set_x509_key_mem2(gnutls_certificate_credentials_t res, const gnutls_datum_t *cert,
                                         const gnutls_datum_t *key, gnutls_x509_crt_fmt_t type,
                                         const char *pass, unsigned int flags)
{
    (void)pass, (void)flags;
    return gnutls_certificate_set_x509_key_mem(res, cert, key, type);
}

/* Features of libmicrohttpd's that Postern does not use answer with an error. */

int gnutls_certificate_set_x509_trust_mem(gnutls_certificate_credentials_t res, const gnutls_datum_t *ca,
                                          gnutls_x509_crt_fmt_t type)
{
    (void)res, (void)ca, (void)type;
    return GNUTLS_E_UNIMPLEMENTED_FEATURE;
}

void gnutls_certificate_set_dh_params(gnutls_certificate_credentials_t res, gnutls_dh_params_t dh_params)
{
    (void)res, (void)dh_params;
}

void gnutls_certificate_set_retrieve_function2(gnutls_certificate_credentials_t cred,
                                               gnutls_certificate_retrieve_function2 *func)
{
    (void)cred, (void)func;
}

void gnutls_certificate_set_retrieve_function3(gnutls_certificate_credentials_t cred,
                                               gnutls_certificate_retrieve_function3 *func)
{
    (void)cred, (void)func;
}

int gnutls_dh_params_init(gnutls_dh_params_t *dh_params)
{
    *dh_params = NULL;
    return GNUTLS_E_UNIMPLEMENTED_FEATURE;
}

void gnutls_dh_params_deinit(gnutls_dh_params_t dh_params)
{
    (void)dh_params;
}

int gnutls_dh_params_import_pkcs3(gnutls_dh_params_t params, const gnutls_datum_t *pkcs3_params,
                                  gnutls_x509_crt_fmt_t format)
{
    (void)params, (void)pkcs3_params, (void)format;
    return GNUTLS_E_UNIMPLEMENTED_FEATURE;
}

int gnutls_psk_allocate_server_credentials(gnutls_psk_server_credentials_t *sc)
{
    *sc = NULL;
    return GNUTLS_E_UNIMPLEMENTED_FEATURE;
}

void gnutls_psk_free_server_credentials(gnutls_psk_server_credentials_t sc)
{
    (void)sc;
}

void gnutls_psk_set_server_credentials_function(gnutls_psk_server_credentials_t cred,
                                                gnutls_psk_server_credentials_function *func)
{
    (void)cred, (void)func;
}

/* The library as a whole */

/* A pointer in GnuTLS too; only the PSK code of libmicrohttpd would call it. */
gnutls_alloc_function gnutls_malloc = malloc;

int gnutls_global_init(void)
{
    return GNUTLS_E_SUCCESS;
}

void gnutls_global_deinit(void)
{
}

const char *gnutls_strerror(int error)
{
    return error == GNUTLS_E_SUCCESS ? "success" : "TLS session failed";
}

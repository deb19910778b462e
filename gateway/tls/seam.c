/* SPDX-License-Identifier: Apache-2.0 */
/* The functions' prototypes come from gnutls.h itself, so the compiler checks each of them; that none is
 * missing is checked against libmicrohttpd.a by tools/check-seam. */
#include "postern/tls/seam.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <stdlib.h>

struct gnutls_session_int {
    const struct pst_seam_events *events;
    void *arg;
    void *mhd_connection;
    bool said_goodbye;
};

static _Thread_local const struct pst_seam_events *adopted_events;
static _Thread_local void *adopted_arg;

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

/* Sessions */

int gnutls_init(gnutls_session_t *session, unsigned int flags)
{
    (void)flags;
    *session = NULL;
    if (adopted_events == NULL)
        return GNUTLS_E_INVALID_REQUEST;
    struct gnutls_session_int *seam = calloc(1, sizeof(*seam));
    if (seam == NULL)
        return GNUTLS_E_MEMORY_ERROR;
    seam->events = adopted_events;
    seam->arg = adopted_arg;
    pst_seam_disown();
    *session = seam;
    return GNUTLS_E_SUCCESS;
}

void gnutls_deinit(gnutls_session_t session)
{
    if (session == NULL)
        return;
    session->events->closed(session->arg, session->said_goodbye);
    free(session);
}

/* The handshake was done before libmicrohttpd saw the connection. */
int gnutls_handshake(gnutls_session_t session)
{
    (void)session;
    return GNUTLS_E_SUCCESS;
}

int gnutls_bye(gnutls_session_t session, gnutls_close_request_t how)
{
    (void)how;
    session->said_goodbye = true;
    return GNUTLS_E_SUCCESS;
}

ssize_t gnutls_record_recv(gnutls_session_t session, void *data, size_t data_size)
{
    ssize_t n = session->events->read(session->arg, data, data_size);
    if (n >= 0)
        return n;
    switch ((int)-n) {
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

ssize_t gnutls_record_send(gnutls_session_t session, const void *data, size_t data_size)
{
    ssize_t n = session->events->write(session->arg, data, data_size);
    if (n >= 0)
        return n;
    return n == -PST_EAGAIN ? GNUTLS_E_AGAIN : GNUTLS_E_PUSH_ERROR;
}

/* Asked after a read that filled the buffer, to learn whether to read again at once. A further read
 * costs little when there is nothing, and a forgotten one would hang the connection: say yes. */
size_t gnutls_record_check_pending(gnutls_session_t session)
{
    (void)session;
    return 1;
}

int gnutls_record_get_direction(gnutls_session_t session)
{
    (void)session;
    return 0;
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
    (void)session, (void)recv_fd, (void)send_fd;
}

int gnutls_priority_set(gnutls_session_t session, gnutls_priority_t priority)
{
    (void)session, (void)priority;
    return GNUTLS_E_SUCCESS;
}

int gnutls_credentials_set(gnutls_session_t session, gnutls_credentials_type_t type, void *cred)
{
    (void)session, (void)type, (void)cred;
    return GNUTLS_E_SUCCESS;
}

void gnutls_certificate_server_set_request(gnutls_session_t session, gnutls_certificate_request_t req)
{
    (void)session, (void)req;
}

/* A priority cache and credentials must exist for libmicrohttpd; a byte of our own stands for each. */

static char placeholder;

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
    *res = (gnutls_certificate_credentials_t)(void *)&placeholder;
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

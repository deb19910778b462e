/* SPDX-License-Identifier: Apache-2.0 */
/* The listening ports: free, or this very gateway's, which is told by the certificate it serves. */
#include "private.h"

#include "postern/base/fd.h"
#include "postern/fetch/dial.h"
#include "postern/tls/inspect.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define KNOCK_MS 3000

enum holder { HELD_BY_US, HELD_BY_TLS, HELD_BY_OTHER };

/* Where a listener on any address can be reached from here. */
static struct pst_addr reachable(const struct pst_addr *addr)
{
    struct pst_addr at = *addr;
    struct sockaddr_in *in = (struct sockaddr_in *)&at.sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&at.sa;
    if (at.sa.ss_family == AF_INET && in->sin_addr.s_addr == htonl(INADDR_ANY))
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (at.sa.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
        in6->sin6_addr = in6addr_loopback;
    return at;
}

/* Whether one of the certificates of these settings has that digest. Only the one served by default is
 * compared: no name is asked for. */
static bool is_our_certificate(const struct pst_settings *s, const uint8_t sha256[static 32])
{
    char path[PATH_MAX];
    struct pst_tls_inspection *seen = calloc(1, sizeof(*seen));
    struct pst_tls_why why;
    if (s->tls_certificate != NULL && s->tls_certificate[0] != '\0')
        snprintf(path, sizeof(path), "%s", s->tls_certificate);
    else
        snprintf(path, sizeof(path), "%s/tls/self-signed.crt", s->data_dir);
    bool same = seen != NULL && pst_tls_inspect_file(path, NULL, seen, &why) == 0 &&
                memcmp(seen->chain[0].sha256, sha256, 32) == 0;
    free(seen);
    return same;
}

static enum holder who_holds(struct visit *visit, const struct pst_addr *addr)
{
    struct pst_addr at = reachable(addr);
    struct pst_tls_roots *roots = NULL;
    struct pst_tls_client *client = NULL;
    struct pst_tls_peer *peer = calloc(1, sizeof(*peer));
    struct pst_tls_why why;
    uint64_t until = visit_until(visit, KNOCK_MS);
    enum holder holder = HELD_BY_OTHER;
    int fd = peer != NULL ? pst_dial_address(&at, until) : -PST_ENOMEM;
    if (fd >= 0 && pst_tls_roots_load(visit->options->ca_file, &roots, &why) == 0) {
        const struct pst_tls_client_options options = {
            .roots = roots, .deadline_us = until, .look_only = true};
        int err = pst_tls_client_open(fd, &options, &client, peer, &why);
        /* One that wants a certificate of the client may break off, but has shown its own before. */
        if (peer->n_chain > 0)
            holder = is_our_certificate(visit->settings, peer->chain[0].sha256) ? HELD_BY_US : HELD_BY_TLS;
        else if (err == 0)
            holder = HELD_BY_TLS;
    } else if (fd >= 0) {
        pst_fd_close(fd);
    }
    pst_tls_client_close(client);
    pst_tls_roots_free(roots);
    free(peer);
    return holder;
}

static void tell_in_use(struct visit *visit, const struct pst_addr *addr, const char *text)
{
    bool directory =
        visit->settings->tls_certificate_dir != NULL && visit->settings->tls_certificate_dir[0] != '\0';
    switch (who_holds(visit, addr)) {
    case HELD_BY_US:
        visit_note(visit, CHECK_LISTEN, PST_DOCTOR_OK, NULL,
                   "%s: a gateway with these settings is serving there", text);
        return;
    case HELD_BY_TLS:
        visit_note(
            visit, CHECK_LISTEN, directory ? PST_DOCTOR_OK : PST_DOCTOR_WARNING,
            directory
                ? NULL
                : "If it is this gateway, it has not been restarted since the certificate was replaced; if "
                  "not, choose another port in `listen`.",
            "%s: something is serving TLS there%s", text,
            directory ? "" : ", with a certificate other than that of these settings");
        return;
    default:
        visit_note(visit, CHECK_LISTEN, PST_DOCTOR_FAILED,
                   "Stop that process (ss -ltnp shows it), or choose another port in `listen`.",
                   "%s is in use by something that does not speak TLS", text);
    }
}

static void check_address(struct visit *visit, const struct pst_addr *addr)
{
    char text[PST_ADDR_TEXT_SIZE];
    int error = pst_addr_bind_error(addr);
    pst_addr_format((const struct sockaddr *)&addr->sa, text, sizeof(text));
    bool no_ipv6 = addr->sa.ss_family == AF_INET6 && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
    if (error == 0)
        visit_note(visit, CHECK_LISTEN, PST_DOCTOR_OK, NULL, "%s is free", text);
    else if (no_ipv6 && visit->settings->listen_is_default)
        visit_note(visit, CHECK_LISTEN, PST_DOCTOR_SKIPPED, NULL, "%s: this machine has no IPv6", text);
    else if (error == EADDRINUSE)
        tell_in_use(visit, addr, text);
    else
        visit_note(visit, CHECK_LISTEN, PST_DOCTOR_FAILED,
                   error == EACCES ? "Choose a port above 1023, or give the capability NET_BIND_SERVICE."
                                   : "Choose an address of this machine, or 0.0.0.0.",
                   "%s: %s", text, strerror(error));
}

void check_listen(struct visit *visit)
{
    if (pst_setting_is_bad(visit->settings, "listen"))
        visit_note(visit, CHECK_LISTEN, PST_DOCTOR_SKIPPED, NULL, "its setting is invalid");
    for (size_t i = 0; !pst_setting_is_bad(visit->settings, "listen") && i < visit->settings->n_listen; i++)
        check_address(visit, &visit->settings->listen[i]);
}

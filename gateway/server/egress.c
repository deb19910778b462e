/* SPDX-License-Identifier: Apache-2.0 */
/* The way out, from the settings. */
#include "internal.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* "user:password" in a file, with or without an end of line. */
static int read_credentials(const char *setting, const char *path, struct pst_proxy *ret)
{
    char text[256];
    if (path[0] == '\0')
        return 0;
    PST_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
    if (n < 0) {
        pst_error("egress", "%s: %s: %s", setting, path, strerror(errno));
        return -PST_EIO;
    }
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    int err = pst_proxy_set_credentials(ret, (struct pst_str){text, (size_t)n});
    explicit_bzero(text, sizeof(text));
    if (err < 0)
        pst_error("egress", "%s: %s: one line user:password of at most 250 characters is wanted", setting,
                  path);
    return err;
}

static int read_parent(const struct pst_settings *s, struct pst_egress_options *options)
{
    const char *reason = NULL;
    if (s->egress_parent[0] == '\0')
        return 0;
    if (pst_proxy_parse(pst_str_of(s->egress_parent), &options->parent, &reason) < 0) {
        pst_error("egress", "egress_parent: %s", reason);
        return -PST_EINVAL;
    }
    return read_credentials("egress_parent_credentials_file", s->egress_parent_credentials_file,
                            &options->parent);
}

static int read_lists(struct pst_server *server, struct pst_egress_options *options)
{
    const struct pst_settings *s = server->settings;
    for (size_t i = 0; i < s->n_egress_allow; i++) {
        if (!pst_egress_pattern_is_valid(pst_str_of(s->egress_allow[i]))) {
            pst_error("egress", "egress_allow: \"%s\" is neither a host's name nor *. before one",
                      s->egress_allow[i]);
            return -PST_EINVAL;
        }
    }
    for (size_t i = 0; i < s->n_egress_ports; i++) {
        uint64_t port;
        if (i >= EGRESS_PORTS_MAX || pst_num_u64(pst_str_of(s->egress_ports[i]), &port) < 0 || port == 0 ||
            port > 65535) {
            pst_error("egress", "egress_ports: \"%s\" is no port, or one too many", s->egress_ports[i]);
            return -PST_EINVAL;
        }
        server->egress_ports[i] = (uint16_t)port;
    }
    for (size_t i = 0; i < s->n_egress_resolve; i++) {
        if (i >= EGRESS_PINS_MAX ||
            pst_dial_pin_parse(pst_str_of(s->egress_resolve[i]), &server->egress_pins[i]) < 0) {
            pst_error("egress", "egress_resolve: \"%s\" is not host:port:address, or one too many",
                      s->egress_resolve[i]);
            return -PST_EINVAL;
        }
    }
    options->pins = (struct pst_dial_pins){server->egress_pins, s->n_egress_resolve};
    return 0;
}

int egress_start(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    struct pst_egress_options options = {
        .listen = s->egress_listen,
        .n_listen = s->n_egress_listen,
        .allow = s->egress_allow,
        .n_allow = s->n_egress_allow,
        .ports = server->egress_ports,
        .n_ports = s->n_egress_ports,
        .networks = s->egress_allow_networks,
        .n_networks = s->n_egress_allow_networks,
        .observe = s->egress_mode == PST_EGRESS_MODE_OBSERVE,
        .sni = (enum pst_egress_sni)s->egress_sni,
        .connect_timeout_us = s->egress_connect_timeout_ms * 1000,
        .idle_timeout_us = s->egress_idle_timeout_ms * 1000,
        .max_duration_us = s->egress_max_duration_ms * 1000,
        .max_tunnels = (unsigned)s->egress_max_tunnels,
        .silence_us = s->egress_metering_silence_ms * 1000,
    };
    struct pst_proxy own = {.port = 0};
    if (s->n_egress_listen == 0)
        return 0;
    int err = read_lists(server, &options);
    if (err == 0)
        err = read_parent(s, &options);
    if (err == 0)
        err = read_credentials("egress_credentials_file", s->egress_credentials_file, &own);
    memcpy(options.credentials, own.basic, sizeof(options.credentials));
    if (err == 0)
        err = pst_egress_start(&options, &server->egress);
    explicit_bzero(&own, sizeof(own));
    explicit_bzero(&options, sizeof(options));
    return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/server/egress_settings.h"

#include "postern/base/fd.h"
#include "postern/base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct reader {
    const struct pst_settings *s;
    void (*say)(void *arg, const char *setting, const char *problem);
    void *arg;
    int err; /* the first */
};

static void PST_PRINTF(4, 5) problem(struct reader *r, int err, const char *setting, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    r->say(r->arg, setting, text);
    r->err = r->err < 0 ? r->err : err;
}

/* "user:password" in a file, whatever white space is around it. */
static void read_credentials(struct reader *r, const char *setting, const char *path, struct pst_proxy *ret)
{
    char text[256];
    if (path[0] == '\0')
        return;
    PST_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
    if (n < 0) {
        problem(r, -PST_EIO, setting, "%s: %s", path, strerror(errno));
        return;
    }
    struct pst_str credentials = pst_str_strip_file((struct pst_str){text, (size_t)n});
    if (pst_proxy_set_credentials(ret, credentials) < 0)
        problem(r, -PST_EINVAL, setting, "%s: expected one line user:password of at most 250 characters",
                path);
    explicit_bzero(text, sizeof(text));
}

static void read_parent(struct reader *r, struct pst_proxy *ret)
{
    const char *reason = NULL;
    if (r->s->egress_parent[0] == '\0')
        return;
    if (pst_proxy_parse(pst_str_of(r->s->egress_parent), ret, &reason) < 0)
        problem(r, -PST_EINVAL, "egress_parent", "%s", reason);
    else
        read_credentials(r, "egress_parent_credentials_file", r->s->egress_parent_credentials_file, ret);
}

static void check_hosts(struct reader *r)
{
    for (size_t i = 0; i < r->s->n_egress_allow; i++) {
        if (!pst_egress_pattern_is_valid(pst_str_of(r->s->egress_allow[i])))
            problem(r, -PST_EINVAL, "egress_allow", "\"%s\" is neither a host name nor *. followed by one",
                    r->s->egress_allow[i]);
    }
}

static void check_file(struct reader *r)
{
    if (r->s->egress_allow_file[0] != '\0' && access(r->s->egress_allow_file, R_OK) < 0)
        problem(r, -PST_EIO, "egress_allow_file", "%s: %s", r->s->egress_allow_file, strerror(errno));
}

static void read_ports(struct reader *r, struct pst_egress_settings *ret)
{
    for (size_t i = 0; i < r->s->n_egress_ports; i++) {
        uint64_t port;
        bool good = i < PST_EGRESS_PORTS_MAX && pst_num_u64(pst_str_of(r->s->egress_ports[i]), &port) == 0 &&
                    port > 0 && port <= 65535;
        if (good)
            ret->ports[ret->options.n_ports++] = (uint16_t)port;
        else
            problem(r, -PST_EINVAL, "egress_ports", "\"%s\" is not a port, or there are too many",
                    r->s->egress_ports[i]);
    }
}

static void read_pins(struct reader *r, struct pst_egress_settings *ret)
{
    size_t n = r->s->n_egress_resolve;
    for (size_t i = 0; i < n; i++) {
        if (i >= PST_EGRESS_PINS_MAX ||
            pst_dial_pin_parse(pst_str_of(r->s->egress_resolve[i]), &ret->pins[i]) < 0)
            problem(r, -PST_EINVAL, "egress_resolve", "\"%s\" is not host:port:address, or one too many",
                    r->s->egress_resolve[i]);
    }
    ret->options.pins = (struct pst_dial_pins){ret->pins, n < PST_EGRESS_PINS_MAX ? n : PST_EGRESS_PINS_MAX};
}

int pst_egress_settings_read(const struct pst_settings *s, struct pst_egress_settings *ret,
                             void (*say)(void *arg, const char *setting, const char *problem), void *arg)
{
    struct reader r = {.s = s, .say = say, .arg = arg};
    struct pst_proxy own = {.port = 0};
    *ret = (struct pst_egress_settings){
        .options =
            {
                .listen = s->egress_listen,
                .n_listen = s->n_egress_listen,
                .allow = s->egress_allow,
                .n_allow = s->n_egress_allow,
                .allow_file = s->egress_allow_file,
                .ports = ret->ports,
                .networks = s->egress_allow_networks,
                .n_networks = s->n_egress_allow_networks,
                .observe = s->egress_mode == PST_EGRESS_MODE_OBSERVE,
                .sni = (enum pst_egress_sni)s->egress_sni,
                .connect_timeout_us = s->egress_connect_timeout_ms * 1000,
                .idle_timeout_us = s->egress_idle_timeout_ms * 1000,
                .max_duration_us = s->egress_max_duration_ms * 1000,
                .max_tunnels = (unsigned)s->egress_max_tunnels,
                .silence_us = s->egress_metering_silence_ms * 1000,
            },
    };
    check_hosts(&r);
    check_file(&r);
    read_ports(&r, ret);
    read_pins(&r, ret);
    read_parent(&r, &ret->options.parent);
    read_credentials(&r, "egress_credentials_file", s->egress_credentials_file, &own);
    memcpy(ret->options.credentials, own.basic, sizeof(ret->options.credentials));
    explicit_bzero(&own, sizeof(own));
    return r.err;
}

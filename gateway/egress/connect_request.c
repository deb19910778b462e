/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/http/field.h"

#include <errno.h>
#include <llhttp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define FIELD_NAME_MAX 64

struct parse {
    llhttp_t llhttp;
    struct connect_request *request;
    size_t authority_len;
    char name[FIELD_NAME_MAX];
    size_t name_len;
    char value[PST_PROXY_CREDENTIALS_SIZE + 16];
    size_t value_len;
    bool value_began;
    bool too_long;
    bool done;
};

static void append(char *to, size_t size, size_t *len, const char *at, size_t n, bool *too_long)
{
    if (n >= size - *len) {
        *too_long = true;
        return;
    }
    memcpy(to + *len, at, n);
    *len += n;
    to[*len] = '\0';
}

static int on_url(llhttp_t *llhttp, const char *at, size_t len)
{
    struct parse *p = llhttp->data;
    append(p->request->authority, sizeof(p->request->authority), &p->authority_len, at, len, &p->too_long);
    return p->too_long ? -1 : 0;
}

/* The one field that is looked at; long ones of others are none of ours. */
static void end_field(struct parse *p)
{
    struct pst_str value = pst_str_trim((struct pst_str){p->value, p->value_len});
    if (pst_str_ieq((struct pst_str){p->name, p->name_len}, PST_STR("Proxy-Authorization")) &&
        pst_str_istarts(value, PST_STR("Basic ")))
        (void)pst_str_copy(pst_str_trim(pst_str_skip(value, 6)), p->request->credentials,
                           sizeof(p->request->credentials));
    p->name_len = p->value_len = 0;
    p->value_began = false;
}

static int on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct parse *p = llhttp->data;
    bool ignored = false;
    if (p->value_began)
        end_field(p);
    append(p->name, sizeof(p->name), &p->name_len, at, len, &ignored);
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct parse *p = llhttp->data;
    bool ignored = false;
    p->value_began = true;
    append(p->value, sizeof(p->value), &p->value_len, at, len, &ignored);
    return 0;
}

static int on_headers(llhttp_t *llhttp)
{
    struct parse *p = llhttp->data;
    if (p->value_began)
        end_field(p);
    p->done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
};

static ssize_t receive(int fd, void *data, size_t len, uint64_t deadline_us)
{
    for (;;) {
        uint64_t now = pst_clock_mono_us();
        struct pollfd at = {.fd = fd, .events = POLLIN};
        ssize_t n = recv(fd, data, len, MSG_DONTWAIT);
        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            return n;
        if (now >= deadline_us || poll(&at, 1, (int)((deadline_us - now) / 1000 + 1)) < 0)
            return -1;
    }
}

static unsigned refuse(unsigned status, const char *reason, const char **ret_reason)
{
    *ret_reason = reason;
    return status;
}

/* 0: goes on. */
static unsigned judge(struct parse *p, llhttp_errno_t err, const char **ret_reason)
{
    if (p->too_long)
        return refuse(400, "the target is longer than a host name can be", ret_reason);
    if (err != HPE_OK && err != HPE_PAUSED && err != HPE_PAUSED_UPGRADE)
        return refuse(400, "this is no HTTP request; a tunnel is asked for with CONNECT", ret_reason);
    if (p->done && llhttp_get_method(&p->llhttp) != HTTP_CONNECT)
        return refuse(405, "only CONNECT is answered here: this proxy opens tunnels and fetches nothing",
                      ret_reason);
    return 0;
}

unsigned connect_request_read(int fd, uint64_t deadline_us, struct connect_request *ret,
                              const char **ret_reason)
{
    struct parse p = {.request = ret};
    char data[REQUEST_HEAD_MAX];
    size_t have = 0;
    *ret = (struct connect_request){.rest_len = 0};
    llhttp_init(&p.llhttp, HTTP_REQUEST, &callbacks);
    p.llhttp.data = &p;
    while (!p.done) {
        if (have == sizeof(data))
            return refuse(431, "the head of the request is too long", ret_reason);
        ssize_t n = receive(fd, data + have, sizeof(data) - have, deadline_us);
        if (n <= 0)
            return refuse(n == 0 ? 400 : 408, "the request did not come in whole", ret_reason);
        llhttp_errno_t err = llhttp_execute(&p.llhttp, data + have, (size_t)n);
        have += (size_t)n;
        unsigned status = judge(&p, err, ret_reason);
        if (status != 0)
            return status;
    }
    /* The head ends with the first empty line; llhttp stopped on its last byte. */
    const char *end = memmem(data, have, "\r\n\r\n", 4);
    size_t head = end != NULL ? (size_t)(end - data) + 4 : have;
    ret->rest_len = have - head;
    memcpy(ret->rest, data + head, ret->rest_len);
    explicit_bzero(&p, sizeof(p));
    explicit_bzero(data, sizeof(data));
    return 0;
}

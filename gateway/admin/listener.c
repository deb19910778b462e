/* SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"

#include "postern/admin/admin.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/base/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static const char prefix[] = "unix:";

static bool read_path(const char *item, struct sockaddr_un *ret)
{
    struct pst_str path = pst_str_skip(pst_str_of(item), sizeof(prefix) - 1);
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    return pst_str_starts(path, PST_STR("/")) &&
           pst_str_copy(path, ret->sun_path, sizeof(ret->sun_path)) >= 0;
}

static bool is_socket(const char *item)
{
    return pst_str_starts(pst_str_of(item), pst_str_of(prefix));
}

bool pst_admin_listen_is_valid(const char *item)
{
    struct sockaddr_un un;
    struct pst_addr addr;
    return is_socket(item) ? read_path(item, &un) : pst_addr_parse(pst_str_of(item), &addr) == 0;
}

/* A socket that an earlier run left is removed: data_dir's lock says that none is running. */
static int remove_stale(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -PST_EIO;
    if (!S_ISSOCK(st.st_mode)) {
        pst_error("admin", "admin_listen: %s exists and is not a socket", path);
        return -PST_EEXIST;
    }
    return unlink(path) == 0 ? 0 : -PST_EIO;
}

static int bind_path(struct admin_listener *listener, const struct sockaddr_un *un)
{
    memcpy(listener->socket_path, un->sun_path, sizeof(listener->socket_path));
    int err = remove_stale(listener->socket_path);
    if (err < 0)
        return err;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd >= 0 && bind(listener->fd, (const struct sockaddr *)un, sizeof(*un)) == 0)
        listener->bound = true;
    /* Nobody can connect before listen(), so nobody gets in before the mode is set. */
    if (listener->bound && chmod(listener->socket_path, 0600) == 0 && listen(listener->fd, BACKLOG) == 0)
        return 0;
    pst_error("admin", "admin_listen: %s: %s", listener->socket_path, strerror(errno));
    return -PST_EIO;
}

static int bind_port(struct admin_listener *listener, const struct pst_addr *addr)
{
    int one = 1;
    struct pst_addr real = {.len = sizeof(real.sa)};
    listener->fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = listener->fd >= 0 &&
              setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
              (addr->sa.ss_family != AF_INET6 ||
               setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
              bind(listener->fd, (const struct sockaddr *)&addr->sa, addr->len) == 0 &&
              listen(listener->fd, BACKLOG) == 0 &&
              getsockname(listener->fd, (struct sockaddr *)&real.sa, &real.len) == 0;
    if (ok) {
        pst_addr_format((const struct sockaddr *)&real.sa, listener->text, sizeof(listener->text));
        return 0;
    }
    pst_error("admin", "cannot listen on %s (admin_listen): %s%s", listener->text, strerror(errno),
              errno == EADDRINUSE
                  ? "; another process uses this port, choose another, or \"off\" for no admin side"
                  : "");
    return errno == EADDRINUSE ? -PST_EBUSY : -PST_EIO;
}

int admin_listener_bind(struct admin_listener *listener, const char *item)
{
    struct sockaddr_un un;
    struct pst_addr addr;
    listener->fd = listener->acceptor.stop_fd = -1;
    snprintf(listener->text, sizeof(listener->text), "%s", item);
    if (is_socket(item) && read_path(item, &un))
        return bind_path(listener, &un);
    if (!is_socket(item) && pst_addr_parse(pst_str_of(item), &addr) == 0)
        return bind_port(listener, &addr);
    pst_error(
        "admin",
        "admin_listen \"%s\": write host:port with a literal address, unix:/path/of/socket (a path of at "
        "most %zu bytes), or off",
        item, sizeof(un.sun_path) - 1);
    return -PST_EINVAL;
}

void admin_listener_close(struct admin_listener *listener)
{
    admin_acceptor_stop(&listener->acceptor);
    if (listener->daemon != NULL)
        MHD_stop_daemon(listener->daemon);
    pst_fd_close(listener->fd);
    if (listener->bound)
        unlink(listener->socket_path);
    pst_tls_context_free(listener->tls);
    pst_client_trust_unref(listener->trust);
}

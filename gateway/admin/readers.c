/* SPDX-License-Identifier: Apache-2.0 */
#include "readers.h"

#include "internal.h"
#include "postern/base/log.h"
#include "postern/base/thread.h"

#include <poll.h>

/* NULL: no more will come. */
static struct admin_request *next(struct admin_readers *readers)
{
    pthread_mutex_lock(&readers->mutex);
    while (pst_list_empty(&readers->waiting) && !readers->stop)
        pthread_cond_wait(&readers->wake, &readers->mutex);
    struct pst_list *node = pst_list_pop_front(&readers->waiting);
    pthread_mutex_unlock(&readers->mutex);
    return node != NULL ? PST_CONTAINER(node, struct admin_request, waiting) : NULL;
}

static bool is_stopping(struct admin_readers *readers)
{
    pthread_mutex_lock(&readers->mutex);
    bool stop = readers->stop;
    pthread_mutex_unlock(&readers->mutex);
    return stop;
}

static void refuse(struct admin_request *r)
{
    admin_fail(r, 503, "Stopping", "The gateway is shutting down.");
}

/* A page that was left, a program that was stopped: what they asked for need not be read. Nobody closes one
 * direction of TLS and waits for the other. */
static bool is_gone(const struct admin_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd socket = {.fd = info != NULL ? info->connect_fd : -1,
                            .events = r->listener->tls != NULL ? POLLRDHUP : 0};
    return poll(&socket, 1, 0) == 1;
}

static void *run(void *arg)
{
    struct admin_reader *reader = arg;
    struct admin_request *r = NULL;
    pst_thread_step_back();
    while ((r = next(reader->readers)) != NULL) {
        r->usage = reader->usage;
        if (is_gone(r))
            admin_fail(r, 503, "Gone", "The client has disconnected.");
        else if (!is_stopping(reader->readers))
            r->route->handle(r);
        if (is_stopping(reader->readers))
            refuse(r);                        /* what was not begun, and what was broken off */
        MHD_resume_connection(r->connection); /* from here on it is its listener's again */
    }
    return NULL;
}

static int start_one(struct admin_reader *reader, const char *data_dir)
{
    struct pst_db_why why = {""};
    int err = pst_usage_store_open(data_dir, PST_DB_READ, &reader->usage, &why);
    if (err < 0) {
        pst_error("admin", "%s", why.text);
        return err;
    }
    reader->started = pthread_create(&reader->thread, NULL, run, reader) == 0;
    if (!reader->started) {
        pst_error("admin", "cannot start a thread to read usage");
        return -PST_EIO;
    }
    (void)pthread_setname_np(reader->thread, "admin-reader");
    return 0;
}

void admin_readers_init(struct admin_readers *readers)
{
    pthread_mutex_init(&readers->mutex, NULL);
    pthread_cond_init(&readers->wake, NULL);
    pst_list_init(&readers->waiting);
}

void admin_readers_done(struct admin_readers *readers)
{
    pthread_cond_destroy(&readers->wake);
    pthread_mutex_destroy(&readers->mutex);
}

int admin_readers_start(struct admin_readers *readers, const char *data_dir)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < ADMIN_READERS_MAX; i++) {
        readers->all[i].readers = readers;
        err = start_one(&readers->all[i], data_dir);
    }
    return err;
}

void admin_readers_stop(struct admin_readers *readers)
{
    pthread_mutex_lock(&readers->mutex);
    readers->stop = true;
    pthread_cond_broadcast(&readers->wake);
    pthread_mutex_unlock(&readers->mutex);
    for (size_t i = 0; i < ADMIN_READERS_MAX; i++) {
        struct admin_reader *reader = &readers->all[i];
        if (reader->started) {
            pst_usage_store_cancel(reader->usage);
            pthread_join(reader->thread, NULL);
        }
        pst_usage_store_close(reader->usage);
        *reader = (struct admin_reader){0};
    }
}

bool admin_readers_ask(struct admin_readers *readers, struct admin_request *r)
{
    pthread_mutex_lock(&readers->mutex);
    bool stop = readers->stop;
    if (!stop) {
        MHD_suspend_connection(r->connection);
        pst_list_push_back(&readers->waiting, &r->waiting);
        pthread_cond_signal(&readers->wake);
    }
    pthread_mutex_unlock(&readers->mutex);
    if (stop)
        refuse(r);
    return !stop;
}

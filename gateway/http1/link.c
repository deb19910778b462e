/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <microhttpd.h>

void client_wake(struct client *client)
{
    client->front->run_again = true;
    if (!client->suspended && client->socket >= 0)
        virtual_epoll_wake(&client->front->sockets, client->socket);
}

void client_suspend(struct client *client)
{
    if (client->suspended)
        return;
    client->suspended = true;
    MHD_suspend_connection(client->mhd);
}

void client_resume(struct client *client)
{
    if (!client->suspended)
        return;
    client->suspended = false;
    client->front->run_again = true;
    MHD_resume_connection(client->mhd);
}

void client_end(struct client *client)
{
    client->state = CLIENT_ENDING;
    client->detached = true;
    client->end_of_mhd = true;
    if (client->mhd == NULL) {
        if (client->session != NULL)
            client->cut ? pst_session_abort(client->session) : pst_session_close(client->session);
        return;
    }
    client_resume(client);
    client_wake(client);
}

void client_cut(struct client *client)
{
    client->cut = true;
    client_end(client);
}

void client_idle(struct client *client)
{
    struct pst_front *front = client->front;
    client->state = CLIENT_IDLE;
    client->send_waits = false;
    client->idle_mark = pst_session_bytes_read(client->session);
    uint64_t limit_us = front->parts.settings->idle_timeout_us;
    client->idle_memory_given_back = limit_us <= GIVE_MEMORY_BACK_AFTER_US;
    pst_timer_set(front->parts.loop, &client->timer,
                  client->idle_memory_given_back ? limit_us : GIVE_MEMORY_BACK_AFTER_US);
}

void client_busy(struct client *client)
{
    struct pst_front *front = client->front;
    client->state = CLIENT_BUSY;
    pst_list_remove(&client->fresh);
    if (!client->request.has_body)
        return;
    client->rate_mark = pst_session_bytes_read(client->session);
    client->rate_mark_us = now_us(front);
    pst_timer_set(front->parts.loop, &client->timer, front->parts.settings->min_rate_grace_us);
}

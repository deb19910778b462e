/* SPDX-License-Identifier: Apache-2.0 */
/* Places among max_connections. When all are taken, a new connection takes the place of the one that has been
 * open longest without a key having been accepted on it: whoever has no key can open as many as he likes and
 * keeps nobody out who has one. Connections on which a key was accepted keep their places. */
#include "places.h"

#include "link.h"
#include "stream.h"

/* A client has so long from the end of its handshake to its first request with a key before its place can go
 * to another: some round trips of a slow line. Whoever wants to fill all places with younger ones than that
 * must complete max_connections handshakes in this time. */
#define GRACE_US 1000000
/* Connections that were closed for others and are not gone yet; they are at the end of the turn. */
#define LEAVING_MAX PLACES_BESIDE

void place_take(struct client *client)
{
    client->established_us = now_us(client->front);
    pst_list_push_back(&client->front->unproven, &client->place);
}

void place_leave(struct client *client)
{
    pst_list_remove(&client->place);
    if (client->displaced)
        client->front->n_leaving--;
}

static struct client *oldest(const struct pst_front *front)
{
    if (pst_list_empty(&front->unproven) || front->n_leaving >= LEAVING_MAX)
        return NULL;
    struct client *client = PST_CONTAINER(front->unproven.next, struct client, place);
    return now_us(front) >= client->established_us + GRACE_US ? client : NULL;
}

bool place_is_there(const struct pst_front *front)
{
    size_t max = front->parts.settings->max_connections;
    return front->n_clients < max + PLACES_BESIDE || oldest(front) != NULL;
}

/* Says why, as long as no response has begun; what the client does not take at once is lost. */
static void displace(struct client *client)
{
    bool asked = client->state == CLIENT_HEAD || client->state == CLIENT_BUSY;
    bool began = client->stream.exchange != NULL && client->response != RESPONSE_NONE;
    pst_list_remove(&client->place);
    client->displaced = true;
    client->front->n_leaving++;
    count(&client->front->parts.stats->connections_displaced);
    if (asked && !began && client->session != NULL)
        stream_error(client, PST_ERROR_TOO_MANY_CONNECTIONS, (struct pst_str){NULL, 0});
    if (client->stream.exchange != NULL)
        client->front->parts.events->gone(&client->stream, PST_GONE_DISPLACED);
    client_cut(client);
}

bool place_make(struct pst_front *front)
{
    size_t max = front->parts.settings->max_connections;
    struct client *client = front->n_clients - front->n_leaving >= max ? oldest(front) : NULL;
    if (client != NULL)
        displace(client);
    return front->n_clients - front->n_leaving < max;
}

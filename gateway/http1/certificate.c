/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include "postern/auth/certificate_rules.h"
#include "postern/tls/client_identity.h"

#include <stdlib.h>

static bool holds(struct pst_peer *peer, int64_t now_real_us)
{
    struct client *client = PST_CONTAINER(peer, struct client, peer);
    return client->session != NULL &&
           pst_session_identity_holds(client->session, peer->certificate, now_real_us);
}

bool certificate_take(struct client *client)
{
    const struct pst_front_parts *parts = &client->front->parts;
    struct pst_peer *peer = &client->peer;
    if (parts->certificates == NULL)
        return true;
    peer->certificate_holds = holds;
    int64_t now_us = pst_loop_real_us(parts->loop);
    if (pst_session_client_identity(client->session, now_us, &peer->certificate) < 0)
        return false;
    if (peer->certificate != NULL)
        peer->certificate_key = pst_certificate_rules_find(parts->certificates, peer->certificate);
    return true;
}

void certificate_drop(struct client *client)
{
    free(client->peer.certificate);
    client->peer.certificate = NULL;
}

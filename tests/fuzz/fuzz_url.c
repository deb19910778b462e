/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, proxies, NO_PROXY and pinned addresses: what was accepted holds nothing that could break out of a
 * request's head, and reads the same a second time. */
#include "postern/fetch/dial.h"
#include "postern/fetch/url.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plain(const char *text)
{
    CHECK(text[0] != '\0');
    for (; *text != '\0'; text++)
        CHECK(*text > ' ' && *text <= '~');
}

static void try_url(struct pst_str text)
{
    struct pst_url url, again;
    const char *reason = NULL;
    char whole[PST_URL_TARGET_SIZE + PST_URL_HOST_SIZE + 32];
    if (pst_url_parse(text, &url, &reason) < 0) {
        CHECK(reason != NULL && reason[0] != '\0');
        return;
    }
    check_plain(url.host);
    check_plain(url.authority);
    check_plain(url.target);
    CHECK(url.port != 0 && url.target[0] == '/' && strchr(url.host, '@') == NULL &&
          strchr(url.target, '#') == NULL);
    snprintf(whole, sizeof(whole), "%s://%s%s", url.https ? "https" : "http", url.authority, url.target);
    CHECK(pst_url_parse(pst_str_of(whole), &again, &reason) == 0);
    CHECK(again.https == url.https && again.port == url.port && strcmp(again.authority, url.authority) == 0 &&
          strcmp(again.target, url.target) == 0);
}

static void try_proxy(struct pst_str text)
{
    struct pst_proxy proxy;
    const char *reason = NULL;
    if (pst_proxy_parse(text, &proxy, &reason) < 0) {
        CHECK(reason != NULL && reason[0] != '\0');
        return;
    }
    check_plain(proxy.host);
    CHECK(proxy.port != 0 && strlen(proxy.basic) % 4 == 0);
    CHECK(proxy.basic[0] == '\0' || strspn(proxy.basic, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                                        "0123456789+/=") == strlen(proxy.basic));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_str text = {(const char *)data, size};
    struct pst_dial_pin pin;
    try_url(text);
    try_proxy(text);
    (void)pst_proxy_exempts(text, "westus.api.cognitive.microsoft.com");
    (void)pst_proxy_exempts(text, "10.1.2.3");
    if (pst_dial_pin_parse(text, &pin) == 0)
        CHECK(pin.host[0] != '\0' && pin.port != 0 && pin.address.len > 0);
    return 0;
}

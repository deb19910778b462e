/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"

#include "postern/base/num.h"

#include <string.h>

/* The roots that Azure's endpoints use, from Microsoft's page "Azure Certificate Authority details"
 * (learn.microsoft.com/azure/security/fundamentals/azure-ca-details, root certificate authorities of the
 * public, government and China clouds), told by their public keys: a cross-signed root has the same, and a
 * private CA that calls itself by the same name has another. */
static const struct {
    const char *name;
    const char *key_sha256;
} roots[] = {
    {"Baltimore CyberTrust Root", "63d9af9b47b1064d49a10e7b7fd566dbc8caa399459bfc2829c571ad8c6ef34a"},
    {"DigiCert Global Root CA", "aff988906dde12955d9bebbf928fdcc31cce328d5b9384f21c8941ca26e20391"},
    {"DigiCert Global Root G2", "8bb593a93be1d0e8a822bb887c547890c3e706aad2dab76254f97fb36b82fc26"},
    {"DigiCert Global Root G3", "b94c198300cec5c057ad0727b70bbe91816992256439a7b32f4598119dda9c97"},
    {"DigiCert TLS ECC P384 Root G5", "a02fafa192c8cb81cb1341554f9c05b71cca2a890b0d1298d683647c961efbdf"},
    {"DigiCert TLS RSA4096 Root G5", "6a97b51c8219e93e5dec64bad5806cdeb0f8355be47e757010b702456e01aafd"},
    {"Entrust Root Certification Authority - G2",
     "76ee8590374c715437bbca6bba6028eadde2dc6dbbb8c3f610e851f11d1ab7f5"},
    {"Microsoft ECC Root Certificate Authority 2017",
     "35f53ce1264611e03340fe37e1ec7d4cc986c5613dca70fd04aa44545f2daf28"},
    {"Microsoft RSA Root Certificate Authority 2017",
     "b2f7298b52bf2c3cac4ddfe72de4d682ac58957595982f2b62301af597c699c5"},
};

bool doctor_knows_root(const uint8_t key_sha256[static 32])
{
    char text[65];
    pst_hex_encode(key_sha256, 32, text);
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        if (strcmp(roots[i].key_sha256, text) == 0)
            return true;
    }
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/cmd/command.h"
#include "postern/crypto/engine.h"
#include "postern/db/db.h"
#include "postern/http/answer.h"
#include "postern/http1/front.h"
#include "postern/tls/material.h"

#include <jansson.h>
#include <string.h>

static bool as_json, verbose;

static const struct pst_option options[] = {
    {"json", NULL, "print a JSON object", NULL, &as_json},
    {"verbose", NULL, "also print which cryptographic implementation this processor uses", NULL, &verbose},
};

static const struct pst_usage usage = {
    .synopsis = "version [--json] [--verbose]",
    .about = "Prints the version of Postern and of its libraries.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
};

/* "3.6.6" of "Mbed TLS 3.6.6". */
static const char *number_of(const char *text)
{
    return text + strcspn(text, "0123456789");
}

static json_t *as_object(void)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*}", "version", PST_VERSION, "mbedtls",
                     number_of(pst_tls_library_version()), "libmicrohttpd", pst_front_library_version(),
                     "sqlite", pst_db_library_version(), "llhttp", pst_http_parser_version(), "crypto",
                     verbose ? pst_crypto_describe() : NULL);
}

int pst_cmd_version(int argc, char **argv)
{
    struct pst_args args;
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done >= 0)
        return done;
    if (verbose && pst_crypto_init() < 0) {
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    if (as_json)
        return pst_cmd_print_json(as_object());
    printf("postern %s\n%s\nlibmicrohttpd %s\nSQLite %s\nllhttp %s\n", PST_VERSION, pst_tls_library_version(),
           pst_front_library_version(), pst_db_library_version(), pst_http_parser_version());
    if (verbose)
        printf("%s\n", pst_crypto_describe());
    return pst_cmd_finish();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* postern client-cert approve, list, revoke. */
#include "postern/auth/client_cert.h"
#include "postern/base/clock.h"
#include "postern/base/num.h"
#include "postern/tls/client_identity.h"

#include "key_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGEST_TEXT_SIZE (2 * PST_KEYS_DIGEST_BYTES + 1)
#define PREFIX_LEN_MIN   8 /* of a digest, to name it */

static bool as_json, public_key;
static const char *key_id, *name;

#define JSON_OPTION                                                                                          \
    {                                                                                                        \
        "json", NULL, "print JSON", NULL, &as_json                                                           \
    }

static const struct pst_option approve_options[] = {
    {"key", "KEY", "the key it stands for, by id or name, with its limits, scopes and usage", &key_id, NULL},
    {"name", "NAME", "create a key with this name for it (default: the certificate's common name)", &name,
     NULL},
    {"public-key", NULL, "approve its public key, in any certificate of a trusted CA", NULL, &public_key},
    JSON_OPTION,
};
static const struct pst_option json_options[] = {JSON_OPTION};

static const struct pst_usage approve_usage = {
    .synopsis = "client-cert approve FILE|SHA256 [--key KEY | --name NAME] [--public-key] [--json]",
    .about = "Approves a client certificate of a CA in client_ca, named by a PEM file or by its SHA-256 as "
             "logged. Without "
             "--key, a key without secrets is created for it. Takes effect within a second.",
    .options = approve_options,
    .n_options = sizeof(approve_options) / sizeof(approve_options[0]),
    .takes_settings = true,
    .min_args = 1,
    .max_args = 1,
};
static const struct pst_usage list_usage = {
    .synopsis = "client-cert list [--json]",
    .about = "Lists approved and revoked certificates. Certificates accepted by a rule in "
             "client_certificate_keys are not "
             "listed.",
    .options = json_options,
    .n_options = 1,
    .takes_settings = true,
};
static const struct pst_usage revoke_usage = {
    .synopsis = "client-cert revoke FILE|SHA256 [--json]",
    .about = "Revokes a certificate: it is rejected even if it matches a rule, also on open connections. "
             "SHA256 is as "
             "`client-cert list` shows it, or the beginning of it.",
    .options = json_options,
    .n_options = 1,
    .takes_settings = true,
    .min_args = 1,
    .max_args = 1,
};

/* Which certificate */

/* Hexadecimal digits, colons between them or not: how many, or 0 when it is something else. */
static size_t take_hex(const char *word, char hex[static DIGEST_TEXT_SIZE])
{
    size_t n = 0;
    for (; *word != '\0'; word++) {
        if (*word == ':')
            continue;
        if (strchr("0123456789abcdefABCDEF", *word) == NULL || n == DIGEST_TEXT_SIZE - 1)
            return 0;
        hex[n++] = *word >= 'A' && *word <= 'F' ? (char)(*word + ('a' - 'A')) : *word;
    }
    hex[n] = '\0';
    return n;
}

static bool is_digest(const char *hex, size_t n, uint8_t digest[static PST_KEYS_DIGEST_BYTES])
{
    return n == DIGEST_TEXT_SIZE - 1 &&
           pst_hex_decode((struct pst_str){hex, n}, digest, PST_KEYS_DIGEST_BYTES) == 0;
}

static int read_file(const char *path, struct pst_client_identity **ret)
{
    struct pst_tls_why why = {.text = ""};
    if (pst_client_identity_read(path, ret, &why) == 0)
        return -1;
    pst_cmd_error("%s", why.text);
    return PST_EXIT_FAILED;
}

static void describe(const struct pst_client_identity *id, struct pst_client_certificate_row *row)
{
    memcpy(row->digest, row->of_key ? id->key_sha256 : id->sha256, sizeof(row->digest));
    pst_str_clip(id->subject, row->subject, sizeof(row->subject));
    row->not_after_us = id->not_after_us;
}

/* approve */

static int describe_word(const char *word, struct pst_client_certificate_row *row, char *common_name,
                         size_t size)
{
    char hex[DIGEST_TEXT_SIZE];
    struct pst_client_identity *id = NULL;
    row->of_key = public_key;
    if (is_digest(hex, take_hex(word, hex), row->digest))
        return -1;
    int done = read_file(word, &id);
    if (done >= 0)
        return done;
    describe(id, row);
    pst_str_clip(id->common_name, common_name, size);
    bool ended = id->not_after_us < pst_clock_real_us();
    free(id);
    if (!ended)
        return -1;
    pst_cmd_error("%s has expired; approve its replacement", word);
    return PST_EXIT_FAILED;
}

static int print_row(const struct pst_client_certificate_row *row, const char *what)
{
    char digest[DIGEST_TEXT_SIZE];
    pst_hex_encode(row->digest, sizeof(row->digest), digest);
    if (as_json)
        return pst_cmd_print_json(json_pack("{s:s, s:s, s:s, s:s}", "sha256", digest, "of",
                                            row->of_key ? "public key" : "certificate", "key_id", row->key_id,
                                            "subject", row->subject));
    printf("%s %s", row->of_key ? "The public key" : "The certificate", digest);
    if (row->subject[0] != '\0')
        printf(" (%s)", row->subject);
    printf(" %s%s%s.\n", what,
           row->key_id[0] != '\0' && row->revoked_us == 0 ? " and stands for the key " : "",
           row->revoked_us == 0 ? row->key_id : "");
    return pst_cmd_finish();
}

/* `id`: of the key it stands for; empty: of a new one with this name. */
static int approve_in(struct key_session *session, struct pst_client_certificate_row *row, struct pst_str id,
                      const char *new_name)
{
    pst_str_clip(id, row->key_id, sizeof(row->key_id));
    int err = pst_client_cert_approve(session->keys, row, pst_str_of(new_name), &session->why);
    return err < 0 ? key_failed(session, &approve_usage, err) : print_row(row, "is approved");
}

static int approve(int argc, char **argv)
{
    struct key_session session;
    struct pst_client_certificate_row row = {0};
    struct pst_str id = {NULL, 0};
    char common_name[PST_KEY_NAME_CHARS_MAX + 1] = "";
    int done = pst_cmd_parse(&approve_usage, argc, argv, &session.args);
    if (done < 0 && key_id != NULL && name != NULL)
        return pst_cmd_wrong_usage(&approve_usage, "use either --key or --name, not both");
    if (done < 0)
        done = describe_word(session.args.words[0], &row, common_name, sizeof(common_name));
    if (done < 0 && key_id == NULL && name == NULL && common_name[0] == '\0')
        return pst_cmd_wrong_usage(&approve_usage,
                                   "--key or --name is required: the certificate's common name is not known");
    if (done < 0)
        done = key_session_open(&session, true);
    if (done >= 0)
        return done;
    if (key_id != NULL)
        done = key_find(&session, key_id, &id);
    if (done < 0)
        done = approve_in(&session, &row, id, name != NULL ? name : common_name);
    key_session_close(&session);
    return done;
}

/* list */

static const char *state_of(const struct pst_client_certificate_row *row)
{
    if (row->revoked_us != 0)
        return "revoked";
    return row->not_after_us != 0 && pst_clock_real_us() > row->not_after_us ? "expired" : "approved";
}

static int add_json(const struct pst_client_certificate_row *row, void *arg)
{
    char digest[DIGEST_TEXT_SIZE];
    pst_hex_encode(row->digest, sizeof(row->digest), digest);
    json_t *object = json_pack("{s:s, s:s, s:s?, s:s, s:s, s:o, s:o, s:o}", "sha256", digest, "of",
                               row->of_key ? "public key" : "certificate", "key_id",
                               row->key_id[0] != '\0' ? row->key_id : NULL, "subject", row->subject, "state",
                               state_of(row), "not_after", key_json_time(row->not_after_us), "created_at",
                               key_json_time(row->created_us), "revoked_at", key_json_time(row->revoked_us));
    return json_array_append_new(arg, object) < 0 ? -PST_ENOMEM : 0;
}

static int add_row(const struct pst_client_certificate_row *row, void *arg)
{
    struct pst_table *table = arg;
    char digest[DIGEST_TEXT_SIZE];
    pst_hex_encode(row->digest, sizeof(row->digest), digest);
    digest[16] = '\0';
    pst_table_cell(table, digest);
    pst_table_cell(table, row->of_key ? "public key" : "certificate");
    pst_table_cell(table, row->key_id[0] != '\0' ? row->key_id : "-");
    pst_table_cell(table, state_of(row));
    key_table_time(table, row->not_after_us);
    pst_table_cell(table, row->subject[0] != '\0' ? row->subject : "-");
    return 0;
}

static int add_all(struct pst_keys_store *store, json_t *array, struct pst_table *table)
{
    return array != NULL ? pst_client_certificates_list(store, add_json, array)
                         : pst_client_certificates_list(store, add_row, table);
}

static int list(int argc, char **argv)
{
    static const char *const columns[] = {"SHA-256 (BEGINNING)", "OF", "KEY", "STATE", "EXPIRES", "SUBJECT"};
    static const struct key_listing listing = {&list_usage, columns, sizeof(columns) / sizeof(columns[0]),
                                               add_all};
    return key_listing_run(&listing, &as_json, argc, argv);
}

/* revoke */

/* What is meant: digests that begin so, or that a file's certificate has. */
struct search {
    const char *hex;
    size_t len;
    const struct pst_client_identity *id; /* NULL: by hex */
    size_t n;
    struct pst_client_certificate_row
        found[2]; /* of a file at most two fit: by certificate and by public key */
};

static bool is_meant(const struct search *search, const struct pst_client_certificate_row *row)
{
    char digest[DIGEST_TEXT_SIZE];
    if (search->id != NULL)
        return memcmp(row->digest, row->of_key ? search->id->key_sha256 : search->id->sha256,
                      sizeof(row->digest)) == 0;
    pst_hex_encode(row->digest, sizeof(row->digest), digest);
    return strncmp(digest, search->hex, search->len) == 0;
}

static int look(const struct pst_client_certificate_row *row, void *arg)
{
    struct search *search = arg;
    if (is_meant(search, row) && search->n++ < 2)
        search->found[search->n - 1] = *row;
    return 0;
}

/* Nothing was said of it so far: what is whole is revoked all the same. */
static int add_unknown(struct search *search)
{
    struct pst_client_certificate_row *row = &search->found[0];
    if (search->id != NULL)
        describe(search->id, row);
    else if (!is_digest(search->hex, search->len, row->digest)) {
        pst_cmd_error(
            "no certificate has a SHA-256 that begins with this; `postern client-cert list` lists them");
        return PST_EXIT_FAILED;
    }
    search->n = 1;
    return -1;
}

static int revoke_found(struct key_session *session, struct search *search)
{
    int done = search->n == 0 ? add_unknown(search) : -1;
    if (done < 0 && search->id == NULL && search->n > 1) {
        pst_cmd_error("several certificates have a SHA-256 that begins with this; give more of it");
        done = PST_EXIT_FAILED;
    }
    for (size_t i = 0; done < 0 && i < search->n; i++) {
        struct pst_client_certificate_row *row = &search->found[i];
        int err = pst_client_cert_revoke(session->keys, row, &session->why);
        if (err < 0)
            return key_failed(session, &revoke_usage, err);
        row->revoked_us = 1;
        int printed = print_row(row, "is revoked");
        if (printed != PST_EXIT_OK || i + 1 == search->n)
            done = printed;
    }
    return done;
}

static int revoke_certificate(int argc, char **argv)
{
    struct key_session session;
    char hex[DIGEST_TEXT_SIZE];
    struct pst_client_identity *id = NULL;
    int done = pst_cmd_parse(&revoke_usage, argc, argv, &session.args);
    if (done >= 0)
        return done;
    const char *word = session.args.words[0];
    struct search search = {.hex = hex, .len = take_hex(word, hex)};
    if (search.len < PREFIX_LEN_MIN || access(word, F_OK) == 0)
        done = read_file(word, &id);
    search.id = id;
    if (done < 0)
        done = key_session_open(&session, false);
    if (done < 0) {
        done = pst_client_certificates_list(pst_keys_service_store(session.keys), look, &search) < 0
                   ? key_store_failed(&session)
                   : revoke_found(&session, &search);
        key_session_close(&session);
    }
    free(id);
    return done;
}

static const struct pst_command commands[] = {
    {"approve", "approve a certificate, for an existing key or a new one", approve},
    {"list", "list approved and revoked certificates", list},
    {"revoke", "revoke a certificate", revoke_certificate},
};

static const struct pst_command_set set = {
    .name = "client-cert ",
    .about = "Manages client certificates that are approved individually.",
    .commands = commands,
    .n = sizeof(commands) / sizeof(commands[0]),
};

int pst_cmd_client_cert(int argc, char **argv)
{
    return pst_cmd_choose(&set, argc, argv);
}

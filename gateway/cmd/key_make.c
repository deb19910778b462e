/* SPDX-License-Identifier: Apache-2.0 */
/* postern key create, import, rotate: where secrets are. Those that come in are read from standard input or a
 * file, those that go out are written once, past stdio's buffer, and every copy is wiped. */
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/num.h"

#include "key_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_BYTES_MAX (32 * 1024)
#define INPUT_BYTES_MAX  4096
#define GRACE_DEFAULT    "24h"

static bool as_json, bulk;
static struct key_rules rules;
static const char *name, *note, *expires, *expires_in, *not_before, *file, *which, *new_id,
    *grace = GRACE_DEFAULT;

#define NEW_KEY_OPTIONS                                                                                      \
    {"name", "NAME", "a name people will recognise: the team or app (required)", &name, NULL},               \
        {"note", "TEXT", "free text for your own reference", &note, NULL},                                   \
        {"expires", "TIME", "when it expires: 2027-01-31 or 2027-01-31T12:00:00Z", &expires, NULL},          \
        {"expires-in", "DURATION", "or how long it is valid, with a unit: 90d, 12h", &expires_in, NULL},     \
        {"not-before", "TIME", "when it becomes valid (default: immediately)", &not_before, NULL},           \
        KEY_RULES_OPTIONS(rules),                                                                            \
    {                                                                                                        \
        "json", NULL, "print a JSON object", NULL, &as_json                                                  \
    }

static const struct pst_option create_options[] = {NEW_KEY_OPTIONS};

static const struct pst_usage create_usage = {
    .synopsis =
        "key create --name NAME [--note TEXT] [--expires TIME | --expires-in DURATION] "
        "[--not-before TIME] [--tag TAGS] [--scope RULES] [--network CIDRS] [--limit LIMITS] [--json]",
    .about = "Creates a key with two secrets, key1 and key2, and prints them once: only their digests are "
             "stored. Either "
             "one works, so that you can rotate one while clients use the other.",
    .options = create_options,
    .n_options = sizeof(create_options) / sizeof(create_options[0]),
    .takes_settings = true,
};

static const struct pst_option import_options[] = {
    NEW_KEY_OPTIONS,
    {"file", "FILE", "read the secrets from FILE instead of standard input", &file, NULL},
    {"id", "ID", "its public id, 12 characters 0-9a-z (default: a random one)", &new_id, NULL},
    {"bulk", NULL, "import many keys: one JSON object per line", NULL, &bulk},
};

static const struct pst_usage import_usage = {
    .synopsis = "key import --name NAME [--id ID] [--file FILE] [--note TEXT] "
                "[--expires TIME | --expires-in DURATION] [--not-before TIME] [--tag TAGS] [--scope RULES] "
                "[--network CIDRS] [--limit LIMITS] [--bulk] [--json]",
    .about = "Creates a key from one or two secrets that clients already use, those of an Azure resource for "
             "example. They are "
             "read from standard input or a file, one per line. Each has 16 to 128 printable ASCII "
             "characters without spaces "
             "and does not begin with \"ps_\".\n\n"
             "With --bulk, each line is a JSON object with name, key1 and optionally key2, id, note, "
             "expires_at and not_before. "
             "Either all keys are imported or none. --name and the other options for a single key cannot be "
             "used with it.",
    .options = import_options,
    .n_options = sizeof(import_options) / sizeof(import_options[0]),
    .takes_settings = true,
};

static const struct pst_option rotate_options[] = {
    {"secret", "key1|key2", "which secret to replace (required)", &which, NULL},
    {"grace", "DURATION", "how long the old secret keeps working (default 24h; 0: it stops immediately)",
     &grace, NULL},
    {"json", NULL, "print a JSON object", NULL, &as_json},
};

static const struct pst_usage rotate_usage = {
    .synopsis = "key rotate KEY --secret key1|key2 [--grace DURATION] [--json]",
    .about = "Replaces one of a key's two secrets and prints the new one once. KEY is an id or a name. The "
             "old secret keeps "
             "working for the grace period, at most 30 days; one that was replaced earlier and is still in "
             "its grace "
             "period stops immediately.",
    .options = rotate_options,
    .n_options = sizeof(rotate_options) / sizeof(rotate_options[0]),
    .takes_settings = true,
    .min_args = 1,
    .max_args = 1,
};

/* What was asked for */

static int take_new_key(const struct pst_usage *usage, struct pst_key_new *request)
{
    if (name == NULL)
        return pst_cmd_wrong_usage(usage, "--name is required: the team or app this key is for");
    if (expires != NULL && expires_in != NULL)
        return pst_cmd_wrong_usage(usage, "use either --expires or --expires-in, not both");
    *request = (struct pst_key_new){
        .id = pst_str_of(new_id),
        .name = pst_str_of(name),
        .note = pst_str_of(note),
    };
    int done = pst_cmd_take_time(usage, "expires", expires, PST_CMD_FROM_NOW, &request->expires_us);
    if (done < 0)
        done = pst_cmd_take_time(usage, "not-before", not_before, PST_CMD_FROM_NOW, &request->not_before_us);
    if (done < 0 && expires_in != NULL) {
        uint64_t ms = 0;
        done = pst_cmd_take_duration(usage, "expires-in", expires_in, &ms);
        if (done < 0 && ms == 0)
            return pst_cmd_wrong_usage(usage, "--expires-in 0: the key would expire immediately");
        request->expires_us = pst_clock_real_us() + (int64_t)ms * 1000;
    }
    if (done < 0)
        done = key_rules_take(&rules, usage);
    request->tags = rules.tags;
    request->scopes = rules.scopes;
    request->networks = rules.networks;
    request->limits = rules.limits;
    return done;
}

/* Printing secrets */

static int write_out(struct pst_buf *out)
{
    bool whole = !pst_buf_failed(out);
    while (whole && pst_buf_len(out) > 0) {
        ssize_t n = write(STDOUT_FILENO, pst_buf_front(out), pst_buf_len(out));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            pst_cmd_error("cannot write to standard output, so the new secrets are lost: %s; rotate them, "
                          "or delete the key",
                          strerror(errno));
            return PST_EXIT_FAILED;
        }
        pst_buf_consume(out, (size_t)n);
    }
    if (whole)
        return PST_EXIT_OK;
    pst_cmd_error("out of memory, so the new secrets are lost: rotate them, or delete the key");
    return PST_EXIT_FAILED;
}

static void warn_once(const char *what)
{
    fprintf(stderr, "postern: save %s now: Postern stores only a digest and cannot show it again\n", what);
}

static void add_string(struct pst_buf *out, const char *field, struct pst_str value)
{
    pst_buf_printf(out, ",\n  \"%s\": \"", field);
    pst_buf_add_json(out, value);
    pst_buf_add_char(out, '"');
}

static void add_time(struct pst_buf *out, const char *field, int64_t time_us)
{
    char text[PST_TIME_TEXT_SIZE];
    pst_time_format(time_us, text);
    pst_buf_printf(out, ",\n  \"%s\": %s%s%s", field, time_us != 0 ? "\"" : "", time_us != 0 ? text : "null",
                   time_us != 0 ? "\"" : "");
}

static void write_made_json(struct pst_buf *out, const struct pst_key_new *request,
                            const struct pst_key_made *made)
{
    pst_buf_printf(out, "{\n  \"id\": \"%s\"", made->id);
    add_string(out, "name", request->name);
    add_string(out, "note", request->note);
    add_string(out, "key1", pst_secret_str(&made->secrets[0]));
    add_string(out, "key2", pst_secret_str(&made->secrets[1]));
    add_time(out, "created_at", made->created_us);
    add_time(out, "expires_at", request->expires_us);
    add_time(out, "not_before", request->not_before_us);
    pst_buf_add_cstr(out, "\n}\n");
}

static int print_made(const struct pst_key_new *request, const struct pst_key_made *made)
{
    struct pst_buf out;
    char expires_text[PST_TIME_TEXT_SIZE];
    pst_time_format(request->expires_us, expires_text);
    pst_buf_init(&out, OUTPUT_BYTES_MAX);
    /* All at once: a buffer that grows leaves copies behind. On failure the buffer is marked. */
    if (pst_buf_reserve(&out, OUTPUT_BYTES_MAX) == 0 && as_json)
        write_made_json(&out, request, made);
    else
        pst_buf_printf(&out, "id       %s\nname     " PST_STR_FMT "\nkey1     %s\nkey2     %s\nexpires  %s\n",
                       made->id, PST_STR_ARG(request->name), made->secrets[0].text, made->secrets[1].text,
                       request->expires_us != 0 ? expires_text : "never");
    int done = write_out(&out);
    pst_buf_wipe(&out);
    if (done == PST_EXIT_OK)
        warn_once("key1 and key2");
    return done;
}

/* create */

int key_create(int argc, char **argv)
{
    struct key_session session;
    struct pst_key_new request;
    int done = pst_cmd_parse(&create_usage, argc, argv, &session.args);
    if (done < 0)
        done = take_new_key(&create_usage, &request);
    if (done < 0)
        done = key_session_open(&session, true);
    if (done >= 0)
        return done;
    struct pst_key_made made;
    int err = pst_keys_make(session.keys, &request, &made, &session.why);
    done = err < 0 ? key_failed(&session, &create_usage, err) : print_made(&request, &made);
    pst_wipe(&made, sizeof(made));
    key_rules_done(&rules);
    key_session_close(&session);
    return done;
}

/* import */

/* All of it, at most INPUT_BYTES_MAX. */
static int read_input(int fd, struct pst_buf *ret)
{
    char piece[512];
    int err = pst_buf_reserve(ret, INPUT_BYTES_MAX);
    while (err == 0) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = pst_err_from_errno(errno);
        if (n <= 0)
            break;
        err = pst_buf_add(ret, piece, (size_t)n);
    }
    pst_wipe(piece, sizeof(piece));
    return err;
}

static int open_input(void)
{
    if (file != NULL && strcmp(file, "-") != 0)
        return open(file, O_RDONLY | O_CLOEXEC);
    if (isatty(STDIN_FILENO))
        fputs(bulk ? "JSON objects, one per line, then Ctrl-D:\n"
                   : "One or two secrets, one per line, then Ctrl-D:\n",
              stderr);
    return dup(STDIN_FILENO);
}

static const char *input_name(void)
{
    return file != NULL ? file : "standard input";
}

/* Fills request->imports with slices of `input`. */
static int take_secrets(struct pst_buf *input, struct pst_key_new *request)
{
    const char *from = input_name();
    PST_FD fd = open_input();
    int err = fd < 0 ? pst_err_from_errno(errno) : read_input(fd, input);
    if (err < 0) {
        pst_cmd_error("cannot read the secrets from %s: %s", from,
                      err == -PST_ELIMIT ? "too long for two secrets" : pst_strerror(err));
        return PST_EXIT_FAILED;
    }
    struct pst_str rest = pst_str_strip_file(pst_buf_str(input));
    size_t n = 0;
    while (rest.len > 0) {
        struct pst_str line = pst_str_strip(pst_str_cut(rest, '\n', &rest));
        if (line.len == 0)
            continue;
        if (n == 2) {
            pst_cmd_error("%s has more than two lines: a key has two secrets", from);
            return PST_EXIT_FAILED;
        }
        request->imports[n++] = line;
    }
    if (n > 0)
        return -1;
    pst_cmd_error("%s contains no secret: give one or two, one per line", from);
    return PST_EXIT_FAILED;
}

static int import_into(struct key_session *session, const struct pst_key_new *request)
{
    struct pst_key_made made;
    int err = pst_keys_make(session->keys, request, &made, &session->why);
    if (err < 0)
        return key_failed(session, &import_usage, err);
    return key_print(session, pst_str_of(made.id), as_json);
}

static int import_many(struct key_session *session)
{
    const char *const given[] = {name,
                                 new_id,
                                 note,
                                 expires,
                                 expires_in,
                                 not_before,
                                 rules.given.tag,
                                 rules.given.scope,
                                 rules.given.network,
                                 rules.given.limit};
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        if (given[i] != NULL)
            return pst_cmd_wrong_usage(&import_usage, "with --bulk, these options are fields of each line");
    }
    struct key_bulk lines = {0};
    PST_FD fd = open_input();
    int done = key_bulk_read(&lines, fd, input_name());
    if (done < 0)
        done = key_session_open(session, true);
    if (done < 0) {
        done = key_bulk_import(&lines, session, as_json);
        key_session_close(session);
    }
    key_bulk_done(&lines);
    return done;
}

int key_import(int argc, char **argv)
{
    struct key_session session;
    struct pst_key_new request;
    struct pst_buf input;
    pst_buf_init(&input, INPUT_BYTES_MAX);
    int done = pst_cmd_parse(&import_usage, argc, argv, &session.args);
    if (done < 0 && bulk)
        return import_many(&session);
    if (done < 0)
        done = take_new_key(&import_usage, &request);
    if (done < 0)
        done = take_secrets(&input, &request);
    if (done < 0)
        done = key_session_open(&session, true);
    if (done < 0) {
        done = import_into(&session, &request);
        key_session_close(&session);
    }
    pst_buf_wipe(&input);
    return done;
}

/* rotate */

/* Until when the secret that was replaced works: 0 when it does not, or when there was none. */
static int64_t read_old_until(struct key_session *session, struct pst_str id, int slot)
{
    struct pst_arena arena;
    struct pst_key_row row;
    pst_arena_init(&arena, 4096, PST_KEY_ROW_BYTES_MAX);
    int err = pst_keys_get(pst_keys_service_store(session->keys), id, &arena, &row);
    int64_t until_us = err == 0 ? row.slot[slot - 1].old_valid_until_us : 0;
    pst_arena_done(&arena);
    return until_us;
}

static int print_rotated(struct pst_str id, const char *field, const struct pst_secret *secret,
                         int64_t old_until_us)
{
    struct pst_buf out;
    pst_buf_init(&out, OUTPUT_BYTES_MAX);
    if (pst_buf_reserve(&out, OUTPUT_BYTES_MAX) == 0 && as_json) {
        pst_buf_printf(&out, "{\n  \"id\": \"" PST_STR_FMT "\"", PST_STR_ARG(id));
        add_string(&out, field, pst_secret_str(secret));
        add_time(&out, "old_valid_until", old_until_us);
        pst_buf_add_cstr(&out, "\n}\n");
    } else {
        pst_buf_printf(&out, "id    " PST_STR_FMT "\n%s  %s\n", PST_STR_ARG(id), field, secret->text);
    }
    int done = write_out(&out);
    pst_buf_wipe(&out);
    return done;
}

static int rotate_in(struct key_session *session, struct pst_str id, int slot, int64_t grace_us)
{
    const char *field = slot == 1 ? "key1" : "key2";
    PST_SECRET_SCOPE secret = {0};
    int err = pst_keys_rotate(session->keys, id, slot, grace_us, &secret, &session->why);
    if (err < 0)
        return key_failed(session, &rotate_usage, err);
    int64_t old_until_us = read_old_until(session, id, slot);
    int done = print_rotated(id, field, &secret, old_until_us);
    if (done != PST_EXIT_OK)
        return done;
    char until[PST_TIME_TEXT_SIZE];
    pst_time_format(old_until_us, until);
    if (old_until_us != 0)
        fprintf(stderr, "postern: the old %s works until %s\n", field, until);
    warn_once(field);
    return done;
}

int key_rotate(int argc, char **argv)
{
    struct key_session session;
    struct pst_str id;
    uint64_t grace_ms = 0;
    int done = pst_cmd_parse(&rotate_usage, argc, argv, &session.args);
    if (done < 0)
        done = pst_cmd_take_duration(&rotate_usage, "grace", grace, &grace_ms);
    bool first = which != NULL && strcmp(which, "key1") == 0;
    if (done < 0 && !first && (which == NULL || strcmp(which, "key2") != 0))
        done = pst_cmd_wrong_usage(&rotate_usage, "--secret is required: key1 or key2");
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    done = key_find(&session, session.args.words[0], &id);
    if (done < 0)
        done = rotate_in(&session, id, first ? 1 : 2, (int64_t)grace_ms * 1000);
    key_session_close(&session);
    return done;
}

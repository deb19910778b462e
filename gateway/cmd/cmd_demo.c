/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway in front of the sample container, with a test key: what `./run` starts. */
#include "postern/auth/admin_token.h"
#include "postern/auth/keys.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/cmd/command.h"
#include "postern/demo/demo.h"
#include "postern/server/server.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first port tried; when it is taken, the next ones. */
#define FIRST_PORT 8443
#define PORT_TRIES 20
/* Keys of earlier runs expire by themselves. */
#define KEY_LIFE_US (INT64_C(24) * 3600 * 1000000)

static const struct pst_usage usage = {
    .synopsis = "demo [--SETTING VALUE]...",
    .about = "Starts a sample container on loopback with the gateway in front of it, creates a test key that "
             "expires after a day, "
             "and prints curl commands ready to paste. Data is kept in a separate directory unless "
             "--data-dir is given. Ctrl-C "
             "stops it.",
    .takes_settings = true,
};

/* --data-dir, --listen and --admin-listen of our own, unless they were given. */
struct defaults {
    char data_dir[PATH_MAX];
    char upstream[64];
    char listen[64];
    char admin_listen[64];
};

static bool was_given(const struct pst_args *args, const char *flag, const char *variable)
{
    for (size_t i = 0; i < args->n_flags; i++) {
        if (pst_setting_find(args->flags[i].name) == pst_setting_find(flag))
            return true;
    }
    return getenv(variable) != NULL;
}

static void set_flag(struct pst_args *args, const char *name, const char *value)
{
    if (args->n_flags < PST_SETTINGS_MAX)
        args->flags[args->n_flags++] = (struct pst_setting_flag){name, value};
}

/* $XDG_STATE_HOME/postern-demo, else /tmp/postern-demo-UID; ours alone (0700), which the server checks. */
static int choose_data_dir(struct defaults *defaults)
{
    const char *state = getenv("XDG_STATE_HOME");
    int n = state != NULL && state[0] == '/'
                ? snprintf(defaults->data_dir, sizeof(defaults->data_dir), "%s/postern-demo", state)
                : snprintf(defaults->data_dir, sizeof(defaults->data_dir), "/tmp/postern-demo-%u",
                           (unsigned)geteuid());
    return n > 0 && (size_t)n < sizeof(defaults->data_dir) ? pst_dir_ensure(defaults->data_dir) : -PST_ELIMIT;
}

static int make_key(const char *data_dir, struct pst_key_made *ret_made)
{
    struct pst_keys *keys = NULL;
    struct pst_why why = {0};
    const struct pst_key_new request = {
        .name = PST_STR("demo"),
        .note = PST_STR("made by postern demo"),
        .expires_us = pst_clock_real_us() + KEY_LIFE_US,
    };
    int err = pst_keys_service_open(data_dir, true, &keys, &why);
    if (err == 0)
        err = pst_keys_make(keys, &request, ret_made, &why);
    if (err < 0)
        pst_cmd_error("%s", why.text);
    pst_keys_service_close(keys);
    return err;
}

static void print_curl(const char *ca, unsigned port, struct pst_str key, const char *what, const char *text)
{
    printf("  curl --cacert %s https://localhost:%u/text/analytics/v3.1/%s \\\n"
           "    -H 'Ocp-Apim-Subscription-Key: " PST_STR_FMT "' -H 'Content-Type: application/json' \\\n"
           "    -d '{\"documents\":[{\"id\":\"1\",\"text\":\"%s\"}]}'\n\n",
           ca, port, what, PST_STR_ARG(key), text);
}

static void print_admin(const struct pst_settings *settings)
{
    struct pst_str listen = pst_str_of(settings->admin_listen[0]), port;
    if (!pst_str_starts(listen, PST_STR("127.0.0.1:")))
        return;
    pst_str_cut(listen, ':', &port);
    printf("  admin page   https://localhost:" PST_STR_FMT "   (the token is in %s/" PST_ADMIN_TOKEN_FILE
           ")\n",
           PST_STR_ARG(port), settings->data_dir);
}

static void print_welcome(const struct pst_server *server, const struct pst_settings *settings,
                          const struct pst_key_made *made)
{
    unsigned port = pst_server_port(server);
    const char *ca = pst_server_certificate_path(server);
    struct pst_str key = pst_secret_str(&made->secrets[0]);
    printf("\n"
           "Postern is running on https://localhost:%u, in front of a sample container.\n"
           "\n"
           "  key          " PST_STR_FMT "   (id %s, expires in a day)\n"
           "  fingerprint  %s\n"
           "  data         %s\n",
           port, PST_STR_ARG(key), made->id, pst_server_fingerprint(server), settings->data_dir);
    print_admin(settings);
    printf("\n"
           "Detect a language, and the sentiment of a text:\n"
           "\n");
    print_curl(ca, port, key, "languages", "Guten Morgen, wie geht es Ihnen?");
    print_curl(ca, port, key, "sentiment", "The room was lovely. The breakfast was terrible.");
    printf("Without the key, requests get 401. To see usage: postern usage --data-dir %s\n"
           "Ctrl-C stops it. Each request is logged below.\n\n",
           settings->data_dir);
    fflush(stdout);
}

/* Starts on the given address, or on the first free port from 8443 on. The key is made before, so that it is
 * known from the first moment. */
static int start_server(struct pst_args *args, struct defaults *defaults, struct pst_settings *settings,
                        struct pst_key_made *made, struct pst_server **ret_server)
{
    bool fixed = was_given(args, "listen", "POSTERN_LISTEN");
    bool admin_fixed = was_given(args, "admin_listen", "POSTERN_ADMIN_LISTEN");
    size_t n_flags = args->n_flags;
    for (int i = 0; i < (fixed ? 1 : PORT_TRIES); i++) {
        args->n_flags = n_flags;
        if (!fixed) {
            snprintf(defaults->listen, sizeof(defaults->listen), "127.0.0.1:%d", FIRST_PORT + 2 * i);
            set_flag(args, "listen", defaults->listen);
            if (!admin_fixed) {
                snprintf(defaults->admin_listen, sizeof(defaults->admin_listen), "127.0.0.1:%d",
                         FIRST_PORT + 2 * i + 1);
                set_flag(args, "admin_listen", defaults->admin_listen);
            }
        }
        if (pst_cmd_settings(args, settings) < 0)
            return -PST_EINVAL;
        int err = made->id[0] == '\0' ? make_key(settings->data_dir, made) : 0;
        if (err == 0)
            err = pst_server_start(settings, ret_server);
        if (err == 0)
            return 0;
        pst_settings_done(settings);
        if (err != -PST_EBUSY || fixed)
            return err;
        fprintf(stderr, "postern: port %d or %d is in use, trying the next\n", FIRST_PORT + 2 * i,
                FIRST_PORT + 2 * i + 1);
    }
    return -PST_EBUSY;
}

static int run(struct pst_args *args, struct defaults *defaults)
{
    struct pst_settings settings;
    struct pst_server *server = NULL;
    struct pst_key_made made = {0};
    int err = start_server(args, defaults, &settings, &made, &server);
    if (err == 0) {
        print_welcome(server, &settings, &made);
        pst_server_run(server);
        pst_settings_done(&settings);
    }
    pst_wipe(&made, sizeof(made));
    return err;
}

int pst_cmd_demo(int argc, char **argv)
{
    struct pst_args args;
    struct defaults defaults;
    struct pst_demo *demo = NULL;
    uint16_t port = 0;
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done >= 0)
        return done;
    if (!was_given(&args, "data_dir", "POSTERN_DATA_DIR")) {
        if (choose_data_dir(&defaults) < 0) {
            pst_cmd_error("cannot use %s for the demo's data; choose a directory with --data-dir",
                          defaults.data_dir);
            return PST_EXIT_FAILED;
        }
        set_flag(&args, "data_dir", defaults.data_dir);
    }
    pst_log_setup(PST_LOG_WARNING, PST_LOG_TEXT); /* the welcome says the rest */
    pst_server_block_signals();
    int err = pst_demo_start(&demo, &port);
    if (err < 0) {
        pst_cmd_error("the sample container did not start: %s", pst_strerror(err));
        return PST_EXIT_FAILED;
    }
    snprintf(defaults.upstream, sizeof(defaults.upstream), "http://127.0.0.1:%u", port);
    set_flag(&args, "upstream", defaults.upstream);
    err = run(&args, &defaults);
    pst_demo_stop(demo);
    return err < 0 ? PST_EXIT_FAILED : PST_EXIT_OK;
}

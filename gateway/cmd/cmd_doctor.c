/* SPDX-License-Identifier: Apache-2.0 */
/* Why does this pod not work? The checks are in gateway/doctor; here are options and output. */
#include "postern/base/fd.h"
#include "postern/base/net.h"
#include "postern/cmd/command.h"
#include "postern/doctor/doctor.h"
#include "postern/tls/context.h"

#include "findings.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PINS   16
#define LIST_BYTES 4096
/* Where the second column and the text of a result begin. */
#define NAME_COLUMN 9
#define TEXT_COLUMN 27

static bool as_json, list_only;
static const char *billing, *proxy, *known_roots, *resolve;

static const struct pst_option options[] = {
    {"billing", "URL[,URL]",
     "the container's billing endpoint (default: from the environment, Billing or BILLING)", &billing, NULL},
    {"proxy", "URL", "the outbound proxy (default: from the environment, HTTPS_PROXY or HTTP_PROXY)", &proxy,
     NULL},
    {"known-roots", "FILE",
     "PEM file with further roots to accept as the cloud's own (another cloud, a newer root)", &known_roots,
     NULL},
    {"resolve", "HOST:PORT:ADDRESS[,...]", "use this address instead of resolving the name", &resolve, NULL},
    {"list", NULL, "only list the checks", NULL, &list_only},
    {"json", NULL, "print a JSON object", NULL, &as_json},
};

static const struct pst_usage usage = {
    .synopsis = "doctor [--billing URL[,URL]] [--proxy URL] [--ca-file FILE] [--json] [--config FILE] "
                "[--SETTING VALUE]...",
    .about =
        "Diagnoses a pod that does not work: checks the settings, the machine, the certificate, the "
        "databases, the "
        "container behind the gateway and the outbound path to its billing endpoint, and reports for each "
        "what was "
        "found and what to do. It takes at most 15 seconds, changes nothing and does not disturb a running "
        "gateway. "
        "Run it in the pod, with the gateway's environment: kubectl exec POD -c postern -- postern doctor.",
    .exit_codes = "0 no problems, 1 warnings, 2 failures or wrong usage.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
};

/* The first of these that the environment has, and that is not empty. The text lives as long as the program.
 */
static const char *from_environment(const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *value = pst_cmd_variable(*names);
        if (value != NULL)
            return value;
    }
    return NULL;
}

/* Cuts a comma separated list in place. Returns how many, or -1 for more than `max`. */
static int split(char *list, const char **items, size_t max)
{
    size_t n = 0;
    for (char *p = list; p != NULL && *p != '\0';) {
        char *comma = strchr(p, ',');
        if (n == max)
            return -1;
        if (comma != NULL)
            *comma++ = '\0';
        items[n++] = p;
        p = comma;
    }
    return (int)n;
}

static int take_billing(char *storage, struct pst_doctor_options *doctor)
{
    static const char *const names[] = {"Billing", "BILLING", "billing", NULL};
    const char *text = billing != NULL ? billing : from_environment(names);
    if (text == NULL)
        return -1;
    if (pst_str_copy(pst_str_of(text), storage, LIST_BYTES) < 0)
        return pst_cmd_wrong_usage(&usage, "--billing is too long");
    int n = split(storage, doctor->billing, PST_DOCTOR_ENDPOINTS_MAX);
    if (n < 0)
        return pst_cmd_wrong_usage(&usage, "--billing names more than %d endpoints",
                                   PST_DOCTOR_ENDPOINTS_MAX);
    doctor->n_billing = (size_t)n;
    return -1;
}

static int take_pins(struct pst_dial_pin *pins, struct pst_doctor_options *doctor)
{
    char storage[LIST_BYTES];
    const char *items[MAX_PINS];
    int n = 0;
    if (resolve != NULL && (pst_str_copy(pst_str_of(resolve), storage, sizeof(storage)) < 0 ||
                            (n = split(storage, items, MAX_PINS)) < 0))
        return pst_cmd_wrong_usage(&usage, "--resolve is too long");
    for (int i = 0; i < n; i++) {
        if (pst_dial_pin_parse(pst_str_of(items[i]), &pins[i]) < 0)
            return pst_cmd_wrong_usage(&usage, "--resolve: \"%s\" is not HOST:PORT:ADDRESS", items[i]);
    }
    doctor->pins = pins;
    doctor->n_pins = (size_t)n;
    return -1;
}

/* The gateway's own egress proxy, when the settings have one: the container is told to use it. */
static const char *own_guard(const struct pst_settings *s)
{
    static char url[96];
    if (s->n_egress_listen == 0)
        return NULL;
    char host[64];
    uint8_t address[16];
    uint16_t port;
    static const uint8_t any4[16] = {[10] = 0xff, [11] = 0xff}, any6[16];
    const struct sockaddr *sa = (const struct sockaddr *)&s->egress_listen[0].sa;
    pst_addr_to_v6(sa, address, &port);
    bool any = memcmp(address, any4, 16) == 0 || memcmp(address, any6, 16) == 0;
    pst_addr_format_host(sa, host, sizeof(host));
    if (any)
        snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
    else
        snprintf(url, sizeof(url), strchr(host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u", host, port);
    return url;
}

/* "user:password" of the guard's file, as it was written there. */
static const char *guard_credentials(const struct pst_settings *s)
{
    static char text[256];
    PST_FD fd =
        s->egress_credentials_file[0] != '\0' ? open(s->egress_credentials_file, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? text : NULL;
}

static void take_proxy(struct pst_doctor_options *doctor)
{
    static const char *const proxies[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", NULL};
    static const char *const exempt[] = {"NO_PROXY", "no_proxy", NULL};
    doctor->proxy = proxy != NULL ? proxy : from_environment(proxies);
    doctor->no_proxy = proxy != NULL ? NULL : from_environment(exempt);
    doctor->proxy_credentials = pst_cmd_variable("HTTP_PROXY_CREDS");
    if (doctor->proxy == NULL && (doctor->proxy = own_guard(doctor->settings)) != NULL)
        doctor->proxy_credentials = guard_credentials(doctor->settings);
    doctor->ca_file = doctor->settings->ca_file;
    doctor->known_roots = known_roots;
}

/* Findings as one text. */
static void join(const struct findings *found, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < found->n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? "; " : "", found->at[i].text);
}

static void count(const struct pst_doctor_report *report, size_t counts[static 4])
{
    for (size_t i = 0; i < report->n; i++)
        counts[report->at[i].status]++;
}

/* What came from the network or a file may hold what a terminal obeys. */
static void make_plain(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            *text = '?';
    }
}

static void print_result(struct pst_doctor_result *result, bool colour)
{
    static const char *const words[] = {"ok", "skipped", "WARNING", "FAILED"};
    static const char *const colours[] = {"\033[32m", "\033[2m", "\033[33;1m", "\033[31;1m"};
    printf("%s%-*s%s%-*s", colour ? colours[result->status] : "", NAME_COLUMN, words[result->status],
           colour ? "\033[0m" : "", TEXT_COLUMN - NAME_COLUMN, result->check);
    make_plain(result->seen);
    pst_cmd_print_filled(stdout, result->seen, TEXT_COLUMN, TEXT_COLUMN);
    if (result->todo[0] == '\0')
        return;
    printf("%*s", TEXT_COLUMN, "");
    char todo[sizeof(result->todo) + 8];
    snprintf(todo, sizeof(todo), "-> %s", result->todo);
    pst_cmd_print_filled(stdout, todo, TEXT_COLUMN, TEXT_COLUMN + 3);
}

static int print_table(struct pst_doctor_report *report)
{
    size_t counts[4] = {0};
    bool colour = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
    for (size_t i = 0; i < report->n; i++)
        print_result(&report->at[i], colour);
    count(report, counts);
    if (counts[PST_DOCTOR_FAILED] + counts[PST_DOCTOR_WARNING] == 0)
        printf("\nNo problems found: %zu ok, %zu skipped.\n", counts[PST_DOCTOR_OK],
               counts[PST_DOCTOR_SKIPPED]);
    else
        printf("\n%zu failed, %zu warning%s, %zu ok, %zu skipped.\n", counts[PST_DOCTOR_FAILED],
               counts[PST_DOCTOR_WARNING], counts[PST_DOCTOR_WARNING] == 1 ? "" : "s", counts[PST_DOCTOR_OK],
               counts[PST_DOCTOR_SKIPPED]);
    return pst_cmd_finish();
}

static int print_json(const struct pst_doctor_report *report)
{
    size_t counts[4] = {0};
    json_t *checks = json_array();
    count(report, counts);
    for (size_t i = 0; i < report->n; i++) {
        const struct pst_doctor_result *r = &report->at[i];
        json_t *seen = json_string(r->seen);
        json_array_append_new(checks,
                              json_pack("{s:s, s:s, s:o, s:s}", "check", r->check, "status",
                                        pst_doctor_status_text(r->status), "seen",
                                        seen != NULL ? seen : json_string("(not UTF-8)"), "todo", r->todo));
    }
    return pst_cmd_print_json(json_pack(
        "{s:s, s:i, s:i, s:i, s:i, s:o}", "status", pst_doctor_status_text(pst_doctor_worst(report)), "ok",
        (int)counts[PST_DOCTOR_OK], "skipped", (int)counts[PST_DOCTOR_SKIPPED], "warnings",
        (int)counts[PST_DOCTOR_WARNING], "failed", (int)counts[PST_DOCTOR_FAILED], "checks", checks));
}

static int print_list(void)
{
    static const char *const columns[] = {"CHECK", "VERIFIES THAT"};
    struct pst_table *table = pst_table_new(columns, 2);
    const struct pst_doctor_check_text *check = pst_doctor_checks();
    for (; table != NULL && check->name != NULL; check++) {
        pst_table_cell(table, check->name);
        pst_table_cell(table, check->about);
    }
    if (table != NULL)
        pst_table_print(table, stdout);
    return pst_cmd_finish();
}

static int run(const struct pst_doctor_options *doctor)
{
    static const int codes[] = {
        [PST_DOCTOR_OK] = 0, [PST_DOCTOR_SKIPPED] = 0, [PST_DOCTOR_WARNING] = 1, [PST_DOCTOR_FAILED] = 2};
    struct pst_doctor_report *report = NULL;
    if (pst_tls_init() < 0 || pst_doctor_run(doctor, &report) < 0) {
        pst_cmd_error("out of memory, or TLS cannot be set up on this machine");
        return PST_EXIT_USAGE;
    }
    int code = as_json ? print_json(report) : print_table(report);
    if (code == PST_EXIT_OK)
        code = codes[pst_doctor_worst(report)];
    pst_doctor_report_free(report);
    return code;
}

int pst_cmd_doctor(int argc, char **argv)
{
    struct pst_args args;
    static struct pst_settings settings;
    struct findings found = {.n = 0};
    static char endpoints[LIST_BYTES], problems[LIST_BYTES];
    static struct pst_dial_pin pins[MAX_PINS];
    struct pst_doctor_options doctor = {.settings = &settings, .settings_problems = problems};
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done < 0 && list_only)
        done = print_list();
    if (done < 0)
        done = take_billing(endpoints, &doctor);
    if (done < 0)
        done = take_pins(pins, &doctor);
    if (done >= 0)
        return done;
    const struct pst_settings_input input = pst_cmd_settings_input(&args);
    if (pst_settings_collect(&input, findings_add, &found, &settings) < 0) {
        findings_done(&found);
        pst_cmd_error("out of memory");
        return PST_EXIT_USAGE;
    }
    pst_cmd_find_data(&settings);
    take_proxy(&doctor);
    join(&found, problems, sizeof(problems));
    doctor.settings_usable = found.problems == 0;
    findings_done(&found);
    /* What a check that hangs still reads is not freed: the process ends. */
    return run(&doctor);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include "postern/base/buf.h"
#include "postern/base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ITEMS      64
#define MAX_TEXT_BYTES 65536

/* Where a problem is told. */
struct report {
    char *text;
    size_t size;
};

/* Called again, for the next item of a list, it adds to what was told. */
static int PST_PRINTF(2, 3) fail(const struct report *report, const char *fmt, ...)
{
    size_t len = strlen(report->text);
    if (len > 0)
        len += pst_str_clip(PST_STR("; "), report->text + len, report->size - len);
    va_list args;
    va_start(args, fmt);
    vsnprintf(report->text + len, report->size - len, fmt, args);
    va_end(args);
    return -PST_EINVAL;
}

size_t value_index(const struct pst_setting_def *def)
{
    size_t n;
    return (size_t)(def - pst_setting_defs(&n));
}

static void *place(struct pst_settings *settings, const struct pst_setting_def *def)
{
    return (char *)settings + def->offset;
}

static size_t *list_count(struct pst_settings *settings, const struct pst_setting_def *def)
{
    return (size_t *)(void *)((char *)settings + def->count_offset);
}

static void free_strings(char **strings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(strings[i]);
    free(strings);
}

void value_free(struct pst_settings *settings, const struct pst_setting_def *def)
{
    void **at = place(settings, def);
    switch (def->type) {
    case PST_SETTING_STRINGS:
        free_strings(*(char ***)(void *)at, *list_count(settings, def));
        break;
    case PST_SETTING_STRING:
    case PST_SETTING_PATH:
    case PST_SETTING_URL:
    case PST_SETTING_ADDRESSES:
    case PST_SETTING_NETWORKS:
        free(*at);
        break;
    default:
        return;
    }
    *at = NULL;
    if (pst_setting_is_list(def))
        *list_count(settings, def) = 0;
}

/* Scalars */

static int set_string(struct pst_settings *settings, const struct pst_setting_def *def, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return -PST_ENOMEM;
    value_free(settings, def);
    *(char **)place(settings, def) = copy;
    return 0;
}

/* What stands behind http://; names and addresses are looked at where they are used. */
static int check_authority(struct pst_str rest, const char *text, const struct report *report)
{
    struct pst_str path;
    struct pst_str authority = pst_str_cut(rest, '/', &path);
    if (pst_str_find(authority, '@') >= 0)
        return fail(report, "a user and a password in the URL are not supported");
    if (pst_str_find(rest, '?') >= 0 || pst_str_find(rest, '#') >= 0 || path.len > 0)
        return fail(
            report,
            "\"%s\" has a path behind the host; requests go on with the path that the client sent, so "
            "write http://host:port",
            text);
    return authority.len == 0 ? fail(report, "\"%s\" has no host; write http://host:port", text) : 0;
}

static int set_url(struct pst_settings *settings, const struct pst_setting_def *def, const char *text,
                   const struct report *report)
{
    static const struct pst_str scheme = PST_STR("http://");
    struct pst_str s = pst_str_of(text);
    if (pst_str_istarts(s, PST_STR("https://")))
        return fail(report, "\"%s\": the container is spoken to over plain HTTP; write http://host:port",
                    text);
    if (!pst_str_istarts(s, scheme) && !pst_str_starts(s, PST_STR("unix:/")))
        return fail(report, "\"%s\" is neither http://host:port nor unix:/path", text);
    if (pst_str_istarts(s, scheme) && check_authority(pst_str_skip(s, scheme.len), text, report) < 0)
        return -PST_EINVAL;
    return set_string(settings, def, text);
}

static int parse_number(const struct pst_setting_def *def, const char *text, uint64_t *ret_value)
{
    struct pst_str s = pst_str_of(text);
    switch (def->type) {
    case PST_SETTING_BYTES:
        return pst_num_bytes(s, ret_value);
    case PST_SETTING_DURATION:
        return pst_num_duration_ms(s, 1000, ret_value);
    default:
        return pst_num_u64(s, ret_value);
    }
}

static int set_number(struct pst_settings *settings, const struct pst_setting_def *def, const char *text,
                      const struct report *report)
{
    uint64_t value = 0;
    char allowed[PST_SETTING_ALLOWED_SIZE];
    int err = parse_number(def, text, &value);
    pst_setting_allowed(def, allowed, sizeof(allowed));
    if (err == -PST_EPARSE)
        return fail(report, "\"%s\" is not a %s", text, allowed);
    if (err < 0 || value < def->min || value > def->max)
        return fail(report, "\"%s\" is out of range: a %s is allowed", text, allowed);
    *(uint64_t *)place(settings, def) = value;
    return 0;
}

static int set_choice(struct pst_settings *settings, const struct pst_setting_def *def, const char *text,
                      const struct report *report)
{
    char allowed[PST_SETTING_ALLOWED_SIZE];
    for (size_t i = 0; def->choices[i] != NULL; i++) {
        if (strcmp(def->choices[i], text) == 0) {
            *(uint64_t *)place(settings, def) = i;
            return 0;
        }
    }
    pst_setting_allowed(def, allowed, sizeof(allowed));
    return fail(report, "\"%s\" is not %s", text, allowed);
}

/* Lists */

static int check_items(const struct pst_setting_def *def, const char *const *items, size_t n,
                       const struct report *report)
{
    int err = 0;
    struct pst_str start = pst_str_of(def->item_start);
    for (size_t i = 0; i < n; i++) {
        if (!pst_str_starts(pst_str_of(items[i]), start))
            err = fail(report, "\"%s\" does not begin with \"%s\"", items[i], def->item_start);
    }
    return err;
}

static int set_strings(struct pst_settings *settings, const struct pst_setting_def *def,
                       const char *const *items, size_t n, const struct report *report)
{
    if (check_items(def, items, n, report) < 0)
        return -PST_EINVAL;
    char **copies = calloc(n + 1, sizeof(*copies));
    if (copies == NULL)
        return -PST_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        copies[i] = strdup(items[i]);
        if (copies[i] == NULL) {
            free_strings(copies, i);
            return -PST_ENOMEM;
        }
    }
    value_free(settings, def);
    *(char ***)place(settings, def) = copies;
    *list_count(settings, def) = n;
    return 0;
}

static int parse_item(const struct pst_setting_def *def, const char *item, void *list, size_t i,
                      const struct report *report)
{
    struct pst_str s = pst_str_of(item);
    if (def->type == PST_SETTING_ADDRESSES) {
        if (pst_addr_parse(s, (struct pst_addr *)list + i) < 0)
            return fail(report, "\"%s\" is not an address with a port, such as 0.0.0.0:8443 or [::]:8443",
                        item);
        return 0;
    }
    int err = pst_cidr_parse(s, (struct pst_cidr *)list + i);
    if (err == -PST_EINVAL)
        return fail(report, "\"%s\" has bits set behind its prefix; write the network's first address", item);
    return err < 0 ? fail(report, "\"%s\" is not a network, such as 10.0.0.0/8 or fd00::/8", item) : 0;
}

static int set_parsed_list(struct pst_settings *settings, const struct pst_setting_def *def,
                           const char *const *items, size_t n, const struct report *report)
{
    size_t item_size = def->type == PST_SETTING_ADDRESSES ? sizeof(struct pst_addr) : sizeof(struct pst_cidr);
    int err = 0;
    void *list = calloc(n + 1, item_size);
    if (list == NULL)
        return -PST_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (parse_item(def, items[i], list, i, report) < 0)
            err = -PST_EINVAL; /* on with the next: each is told */
    }
    if (err < 0) {
        free(list);
        return err;
    }
    value_free(settings, def);
    *(void **)place(settings, def) = list;
    *list_count(settings, def) = n;
    return 0;
}

static int remember_text(struct pst_settings *settings, const struct pst_setting_def *def,
                         const char *const *items, size_t n)
{
    struct pst_buf text;
    pst_buf_init(&text, MAX_TEXT_BYTES);
    for (size_t i = 0; i < n; i++) {
        pst_buf_add_cstr(&text, i > 0 ? ", " : "");
        pst_buf_add_cstr(&text, items[i]);
    }
    char *joined = pst_buf_cstr(&text);
    char *copy = joined != NULL ? strdup(joined) : NULL;
    pst_buf_done(&text);
    if (copy == NULL)
        return -PST_ENOMEM;
    char **at = &settings->texts[value_index(def)];
    free(*at);
    *at = copy;
    return 0;
}

/* A name, a path or a URL has none; what stood at the ends is gone already. */
static int check_text(const char *text, const struct report *report)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return fail(report, "has a line break or another control character in the middle");
    }
    return 0;
}

static int set_value(struct pst_settings *settings, const struct pst_setting_def *def,
                     const char *const *items, size_t n, const struct report *report)
{
    if (!pst_setting_is_list(def) && n != 1)
        return fail(report, "one value is expected, not a list");
    if (def->required && (n == 0 || items[0][0] == '\0'))
        return fail(report, "must not be empty");
    switch (def->type) {
    case PST_SETTING_STRING:
    case PST_SETTING_PATH:
        return check_text(items[0], report) < 0 ? -PST_EINVAL : set_string(settings, def, items[0]);
    case PST_SETTING_URL:
        return check_text(items[0], report) < 0 ? -PST_EINVAL : set_url(settings, def, items[0], report);
    case PST_SETTING_ENUM:
        return set_choice(settings, def, items[0], report);
    case PST_SETTING_STRINGS:
        return set_strings(settings, def, items, n, report);
    case PST_SETTING_ADDRESSES:
    case PST_SETTING_NETWORKS:
        return set_parsed_list(settings, def, items, n, report);
    default:
        return set_number(settings, def, items[0], report);
    }
}

/* No setting has a meaning for white space at its ends; secrets that are mounted or piped in come with an end
 * of line. The copies may be of secrets. */
struct stripped {
    char *items[MAX_ITEMS];
    size_t n;
};

static void stripped_done(struct stripped *stripped)
{
    for (size_t i = 0; i < stripped->n; i++) {
        explicit_bzero(stripped->items[i], strlen(stripped->items[i]));
        free(stripped->items[i]);
    }
}

static int strip_all(const char *const *items, size_t n, struct stripped *ret)
{
    *ret = (struct stripped){.n = 0};
    for (size_t i = 0; i < n; i++) {
        struct pst_str text = pst_str_strip(pst_str_of(items[i]));
        char *copy = malloc(text.len + 1);
        if (copy == NULL)
            return -PST_ENOMEM;
        (void)!pst_str_copy(text, copy, text.len + 1);
        ret->items[ret->n++] = copy;
    }
    return 0;
}

int value_set(struct pst_settings *settings, const struct pst_setting_def *def, const char *const *items,
              size_t n, char *problem, size_t problem_size)
{
    const struct report report = {problem, problem_size};
    struct stripped stripped = {.n = 0};
    problem[0] = '\0';
    int err =
        n <= MAX_ITEMS ? strip_all(items, n, &stripped) : fail(&report, "more than %d items", MAX_ITEMS);
    const char *const *texts = (const char *const *)stripped.items;
    if (err == 0)
        err = set_value(settings, def, texts, n, &report);
    if (err == 0)
        err = remember_text(settings, def, texts, n);
    if (err == -PST_ENOMEM)
        snprintf(problem, problem_size, "out of memory");
    stripped_done(&stripped);
    return err;
}

int value_set_text(struct pst_settings *settings, const struct pst_setting_def *def, const char *text,
                   char *problem, size_t problem_size)
{
    if (!pst_setting_is_list(def))
        return value_set(settings, def, &text, 1, problem, problem_size);
    char *copy = strdup(text);
    char *items[MAX_ITEMS];
    size_t n = 0;
    if (copy == NULL) {
        snprintf(problem, problem_size, "out of memory");
        return -PST_ENOMEM;
    }
    struct pst_str rest = pst_str_of(copy);
    while (rest.p != NULL) {
        struct pst_str item = pst_str_strip(pst_str_cut(rest, ',', &rest));
        if (item.len == 0)
            continue;
        if (n == MAX_ITEMS) {
            free(copy);
            snprintf(problem, problem_size, "more than %d items", MAX_ITEMS);
            return -PST_EINVAL;
        }
        items[n] = copy + (item.p - copy);
        items[n++][item.len] = '\0'; /* over the comma, a blank, or the end */
    }
    int err = value_set(settings, def, (const char *const *)items, n, problem, problem_size);
    free(copy);
    return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/job_id.h"

#include "digits.h"
#include "names.h"
#include "postern/http/path.h"

/* Hexadecimal digits of a GUID, in all and in each group. */
#define GUID_DIGITS 32
#define GUID_GROUPS 5
static const size_t group_digits[GUID_GROUPS] = {8, 4, 4, 4, 12};

/* A number's leading zeros, a sign and "0x" are left out. */
struct start {
    size_t zeros, zeros_behind_x;
    bool over, x;
};

struct group {
    struct start start;
    char digits[12]; /* the last that fit */
    size_t len;
};

/* A run of letters, digits and what may stand between them, as it is read. */
struct token {
    struct start start;
    char text[PST_JOB_ID_MAX]; /* behind what `start` counts; hyphens and underscores left out */
    size_t len;
    bool has_digit, has_other; /* a letter above 'f' */

    struct group groups[GUID_GROUPS];
    size_t n_groups; /* closed by a hyphen */
    bool ungrouped;  /* cannot be five groups of hexadecimal digits */
};

/* Reading */

/* The next byte, decoded as often as the scan says. */
static unsigned char take_byte(struct pst_job_id_scan *scan)
{
    bool escaped;
    unsigned char c = pst_path_take(&scan->rest, &escaped);
    if (!scan->twice || c != '%')
        return c;
    struct pst_str rest = scan->rest;
    int high = rest.len > 0 ? http_hex_digit((char)pst_path_take(&rest, &escaped)) : -1;
    int low = rest.len > 0 ? http_hex_digit((char)pst_path_take(&rest, &escaped)) : -1;
    if (high < 0 || low < 0)
        return c;
    scan->rest = rest;
    return (unsigned char)(high * 16 + low);
}

/* The digit that a character outside ASCII, of `more` further bytes, stands for; else a separator. */
static char take_foreign(struct pst_job_id_scan *scan, unsigned char first, unsigned more)
{
    uint32_t c = first & (0x3fu >> more);
    for (unsigned i = 0; i < more; i++) {
        struct pst_job_id_scan at = *scan;
        unsigned char next = scan->rest.len > 0 ? take_byte(&at) : 0;
        if ((next & 0xc0) != 0x80)
            return '/';
        *scan = at;
        c = c << 6 | (next & 0x3f);
    }
    char digit = http_digit_of(c);
    return digit != '\0' ? digit : '/';
}

/* The next character, in small letters; '/' for what is not in ASCII and no digit. */
static char take(struct pst_job_id_scan *scan)
{
    unsigned char c = take_byte(scan);
    if (c < 0x80)
        return pst_ascii_lower((char)c);
    return c < 0xc0 ? '/' : take_foreign(scan, c, c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

/* Whether `c` still belongs to a number's start, and counts it there. */
static bool take_start(struct start *start, char c)
{
    size_t *zeros = start->x ? &start->zeros_behind_x : &start->zeros;
    if (start->over)
        return false;
    if (c == '0')
        ++*zeros;
    else if (c == 'x' && !start->x && start->zeros > 0)
        start->x = true;
    else if (c != '+')
        start->over = true;
    return !start->over;
}

static void add_to_whole(struct token *token, char c)
{
    token->has_digit = token->has_digit || is_digit(c);
    if (take_start(&token->start, c) || c == '+')
        return;
    token->has_other = token->has_other || c > 'f';
    if (token->len < sizeof(token->text))
        token->text[token->len] = c;
    token->len++;
}

static void add_to_group(struct token *token, char c)
{
    if (token->ungrouped || token->n_groups >= GUID_GROUPS) {
        token->ungrouped = true;
        return;
    }
    struct group *group = &token->groups[token->n_groups];
    size_t most = group_digits[token->n_groups];
    if (take_start(&group->start, c))
        return;
    token->ungrouped = http_hex_digit(c) < 0;
    if (group->len == most)
        memmove(group->digits, group->digits + 1, --group->len);
    group->digits[group->len++] = c;
}

/* False when `c` ends the token. */
static bool add(struct token *token, char c)
{
    if (is_digit(c) || is_letter(c) || c == '+') {
        add_to_whole(token, c);
        add_to_group(token, c);
    } else if (c == '-') {
        token->n_groups++;
    } else if (c == '_') {
        token->ungrouped = true;
    }
    return is_digit(c) || is_letter(c) || c == '+' || c == '-' || c == '_';
}

/* What a token stands for */

static void put(struct pst_job_id *id, const char *text, size_t len)
{
    memcpy(id->text + id->len, text, len);
    id->len += len;
}

static void put_zeros(struct pst_job_id *id, size_t n)
{
    memset(id->text + id->len, '0', n);
    id->len += n;
}

/* A number: its value counts. */
static void number_of(const struct token *token, struct pst_job_id *ret)
{
    ret->len = 0;
    if (token->len < GUID_DIGITS)
        put_zeros(ret, GUID_DIGITS - token->len);
    put(ret, token->text, token->len);
}

/* Anything else: its letters and digits. */
static void text_of(const struct token *token, struct pst_job_id *ret)
{
    ret->len = 0;
    put_zeros(ret, token->start.zeros);
    if (token->start.x)
        put(ret, "x", 1);
    put_zeros(ret, token->start.zeros_behind_x);
    put(ret, token->text, token->len);
}

static bool read_whole(const struct token *token, struct pst_job_id *ret)
{
    const struct start *start = &token->start;
    size_t in_start = start->zeros + start->zeros_behind_x + (start->x ? 1 : 0);
    size_t least = PST_JOB_ID_MIN - (in_start < PST_JOB_ID_MIN ? in_start : PST_JOB_ID_MIN);
    if (!token->has_digit || token->len < least || token->len > PST_JOB_ID_MAX)
        return false;
    if (!token->has_other)
        number_of(token, ret);
    else if (in_start + token->len <= PST_JOB_ID_MAX)
        text_of(token, ret);
    else
        return false;
    return true;
}

static bool read_groups(const struct token *token, struct pst_job_id *ret)
{
    struct pst_job_id id = {.len = 0};
    if (token->ungrouped || token->n_groups != GUID_GROUPS - 1)
        return false;
    for (size_t i = 0; i < GUID_GROUPS; i++) {
        const struct group *group = &token->groups[i];
        if (group->len == 0 && group->start.zeros == 0)
            return false;
        put_zeros(&id, group_digits[i] - group->len);
        put(&id, group->digits, group->len);
    }
    *ret = id;
    return true;
}

static size_t read_token(const struct token *token, struct pst_job_id ids[static PST_JOB_IDS_MAX])
{
    size_t n = read_whole(token, &ids[0]) ? 1 : 0;
    if (!read_groups(token, &ids[n]))
        return n;
    bool same = n == 1 && ids[0].len == ids[1].len && memcmp(ids[0].text, ids[1].text, ids[0].len) == 0;
    return same ? 1 : n + 1;
}

size_t pst_job_id_next(struct pst_job_id_scan *scan, struct pst_job_id ret_ids[static PST_JOB_IDS_MAX])
{
    for (bool ends = false; !ends;) {
        struct token token = {.len = 0};
        do
            ends = scan->rest.len == 0 || scan->rest.p[0] == '?' || scan->rest.p[0] == '#';
        while (!ends && add(&token, take(scan)));
        size_t n = read_token(&token, ret_ids);
        if (n > 0)
            return n;
    }
    return 0;
}

bool pst_job_id_last(struct pst_str url, struct pst_job_id *ret_id)
{
    struct pst_job_id_scan scan = {.rest = url};
    struct pst_job_id ids[PST_JOB_IDS_MAX];
    bool found = false;
    for (size_t n; (n = pst_job_id_next(&scan, ids)) > 0; found = true)
        *ret_id = ids[n - 1];
    return found;
}

bool pst_job_id_is_disguised(struct pst_job_id_scan scan)
{
    static const char start[] = "{0x";
    size_t at = 0;
    while (scan.rest.len > 0) {
        unsigned char c = take_byte(&scan);
        if (c <= ' ' || c >= 0x80) /* white space, of Unicode's too, may stand anywhere in it */
            continue;
        char lower = pst_ascii_lower((char)c);
        at = lower == start[at] ? at + 1 : (lower == start[0] ? 1 : 0);
        if (start[at] == '\0')
            return true;
    }
    return false;
}

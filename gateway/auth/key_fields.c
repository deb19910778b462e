/* SPDX-License-Identifier: Apache-2.0 */
#include "key_fields.h"

#include "policy.h"
#include "postern/auth/keys.h"

#include <jansson.h>
#include <string.h>

/* The length of the UTF-8 character at the front, or 0 (RFC 3629 section 4: no overlong forms, no surrogates,
 * nothing beyond U+10FFFF). */
static size_t utf8_length(struct pst_str s)
{
    unsigned char first = (unsigned char)s.p[0];
    unsigned char low = 0x80, high = 0xBF; /* of the second byte */
    size_t len = first < 0x80   ? 1
                 : first < 0xC2 ? 0
                 : first < 0xE0 ? 2
                 : first < 0xF0 ? 3
                 : first < 0xF5 ? 4
                                : 0;
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    if (len == 0 || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (i == 1 ? c < low || c > high : (c & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

/* U+0000 to U+001F, U+007F to U+009F; and those that break lines or turn the direction of what stands beside
 * them, with which a name can look like another or hide what follows it: U+2028 to U+202E, U+2066 to U+2069.
 */
static bool is_control(struct pst_str s, size_t len)
{
    const unsigned char *c = (const unsigned char *)s.p;
    if (len == 3 && c[0] == 0xE2)
        return (c[1] == 0x80 && c[2] >= 0xA8 && c[2] <= 0xAE) ||
               (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9);
    return len == 1 ? c[0] < 0x20 || c[0] == 0x7F : len == 2 && c[0] == 0xC2 && c[1] < 0xA0;
}

/* Counts characters; -1 for a control character or bytes that are no UTF-8. */
static int count_characters(struct pst_str s)
{
    int n = 0;
    for (; s.len > 0; n++) {
        size_t len = utf8_length(s);
        if (len == 0 || is_control(s, len))
            return -1;
        s = pst_str_skip(s, len);
    }
    return n;
}

static int check_name(const struct pst_key_row *row, int64_t now_us, struct pst_why *why)
{
    (void)now_us;
    int n = count_characters(row->name);
    if (row->name.len == 0)
        return pst_why_set(why, -PST_EINVAL, "name", "a name is required: the team or app this key is for");
    if (n < 0 || n > PST_KEY_NAME_CHARS_MAX || row->name.len > PST_KEYS_NAME_MAX)
        return pst_why_set(why, -PST_EINVAL, "name",
                           "a name has 1 to %d characters of UTF-8 and no control characters",
                           PST_KEY_NAME_CHARS_MAX);
    return 0;
}

static int check_note(const struct pst_key_row *row, int64_t now_us, struct pst_why *why)
{
    (void)now_us;
    int n = count_characters(row->note);
    if (n >= 0 && n <= PST_KEY_NOTE_CHARS_MAX && row->note.len <= PST_KEYS_NOTE_MAX)
        return 0;
    return pst_why_set(why, -PST_EINVAL, "note",
                       "a note has at most %d characters of UTF-8 and no control characters",
                       PST_KEY_NOTE_CHARS_MAX);
}

static int check_expires(const struct pst_key_row *row, int64_t now_us, struct pst_why *why)
{
    if (row->expires_us == 0 || row->expires_us > now_us)
        return 0;
    return pst_why_set(why, -PST_EINVAL, "expires", "the expiry is in the past; the key would never work");
}

static int check_not_before(const struct pst_key_row *row, int64_t now_us, struct pst_why *why)
{
    (void)now_us;
    if (row->expires_us == 0 || row->not_before_us < row->expires_us)
        return 0;
    return pst_why_set(why, -PST_EINVAL, "not_before", "the key would expire before it begins to work");
}

/* The JSON text, or NULL after filling `why`. */
static json_t *load(struct pst_str text, const char *field, struct pst_why *why)
{
    json_error_t error;
    json_t *value =
        text.len <= PST_KEYS_JSON_MAX ? json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (value == NULL)
        pst_why_set(why, -PST_EINVAL, field, "%s is JSON of at most %d bytes", field, PST_KEYS_JSON_MAX);
    return value;
}

static bool is_tag(const json_t *tag)
{
    if (!json_is_string(tag))
        return false;
    struct pst_str text = {json_string_value(tag), json_string_length(tag)};
    int n = count_characters(text);
    return n >= 1 && n <= PST_KEY_TAG_CHARS_MAX;
}

static int check_tags(const struct pst_key_row *row, int64_t now_us, struct pst_why *why)
{
    (void)now_us;
    if (row->tags.len == 0)
        return 0;
    json_t *tags = load(row->tags, "tags", why);
    if (tags == NULL)
        return -PST_EINVAL;
    bool good = json_is_array(tags) && json_array_size(tags) <= PST_KEY_TAGS_MAX;
    for (size_t i = 0; good && i < json_array_size(tags); i++) {
        good = is_tag(json_array_get(tags, i));
        for (size_t k = 0; good && k < i; k++)
            good = !json_equal(json_array_get(tags, i), json_array_get(tags, k));
    }
    json_decref(tags);
    if (good)
        return 0;
    return pst_why_set(why, -PST_EINVAL, "tags",
                       "tags are a list of at most %d texts that differ, each of 1 to %d characters without "
                       "control characters",
                       PST_KEY_TAGS_MAX, PST_KEY_TAG_CHARS_MAX);
}

static int check_rules(const struct pst_key_row *row, unsigned what, struct pst_why *why)
{
    struct pst_buf block;
    const struct pst_str none = {NULL, 0};
    pst_buf_init(&block, PST_POLICY_BYTES_MAX);
    int err = pst_policy_compile((what & PST_KEYS_SET_SCOPES) != 0 ? row->scopes : none,
                                 (what & PST_KEYS_SET_NETWORKS) != 0 ? row->networks : none, &block, why);
    pst_buf_done(&block);
    return err == -PST_ENOMEM ? pst_why_set(why, err, NULL, "out of memory") : err;
}

#define LIMIT_MAX INT64_C(1000000000000)

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 1 && json_integer_value(value) <= LIMIT_MAX;
}

static bool is_rate(const json_t *rate)
{
    return json_is_object(rate) && json_object_size(rate) == 2 &&
           is_count(json_object_get(rate, "requests")) && is_count(json_object_get(rate, "per_seconds"));
}

static bool is_quota(const json_t *quota)
{
    const char *per = json_string_value(json_object_get(quota, "per"));
    return json_is_object(quota) && json_object_size(quota) == 2 &&
           is_count(json_object_get(quota, "requests")) && per != NULL &&
           (strcmp(per, "day") == 0 || strcmp(per, "month") == 0);
}

static int check_limits(const struct pst_key_row *row, int64_t now_us, struct pst_why *why)
{
    (void)now_us;
    if (row->limits.len == 0)
        return 0;
    json_t *limits = load(row->limits, "limits", why);
    if (limits == NULL)
        return -PST_EINVAL;
    const json_t *rate = json_object_get(limits, "rate"), *quota = json_object_get(limits, "quota"),
                 *concurrency = json_object_get(limits, "concurrency");
    size_t known = (rate != NULL) + (quota != NULL) + (concurrency != NULL);
    bool good = json_is_object(limits) && known == json_object_size(limits) && (!rate || is_rate(rate)) &&
                (!quota || is_quota(quota)) && (!concurrency || is_count(concurrency));
    json_decref(limits);
    if (good)
        return 0;
    return pst_why_set(why, -PST_EINVAL, "limits",
                       "limits are an object of rate {\"requests\", \"per_seconds\"}, concurrency and quota "
                       "{\"requests\", \"per\": \"day\" or \"month\"}, with whole numbers from 1 on");
}

int pst_key_fields_check(const struct pst_key_row *row, unsigned what, int64_t now_us, struct pst_why *why)
{
    static const struct {
        unsigned bits;
        int (*check)(const struct pst_key_row *row, int64_t now_us, struct pst_why *why);
    } checks[] = {
        {PST_KEYS_SET_NAME, check_name},
        {PST_KEYS_SET_NOTE, check_note},
        {PST_KEYS_SET_EXPIRES, check_expires},
        {PST_KEYS_SET_EXPIRES | PST_KEYS_SET_NOT_BEFORE, check_not_before},
        {PST_KEYS_SET_TAGS, check_tags},
        {PST_KEYS_SET_LIMITS, check_limits},
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        int err = (what & checks[i].bits) != 0 ? checks[i].check(row, now_us, why) : 0;
        if (err < 0)
            return err;
    }
    return check_rules(row, what, why);
}

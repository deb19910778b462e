/* SPDX-License-Identifier: Apache-2.0 */
/* --tag, --scope, --network and --limit: what a person writes, as the JSON that is stored. Whether it makes
 * sense, the keys service says. */
#include "postern/base/num.h"

#include "key_internal.h"

#include <stdlib.h>
#include <string.h>

static json_t *text_of(struct pst_str text)
{
    return json_stringn(text.p != NULL ? text.p : "", text.len);
}

static json_t *split(const char *text, char separator, json_t *(*make)(struct pst_str part))
{
    json_t *list = json_array();
    for (struct pst_str rest = pst_str_of(text); rest.len > 0;) {
        struct pst_str part = pst_str_trim(pst_str_cut(rest, separator, &rest));
        if (part.len > 0 && json_array_append_new(list, make(part)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* "/prefix" or "GET,POST /prefix". */
static json_t *scope_of(struct pst_str part)
{
    struct pst_str path, words = pst_str_cut(part, ' ', &path);
    if (part.p[0] == '/' || path.p == NULL)
        return json_pack("{s:o}", "path", text_of(part));
    json_t *methods = json_array();
    while (words.len > 0)
        json_array_append_new(methods, text_of(pst_str_cut(words, ',', &words)));
    return json_pack("{s:o, s:o}", "methods", methods, "path", text_of(pst_str_trim(path)));
}

/* "rate=100/60", "concurrency=4", "quota=1000/day" */
static int add_limit(json_t *limits, struct pst_str word)
{
    struct pst_str value, name = pst_str_cut(word, '=', &value);
    struct pst_str per, number = pst_str_cut(value, '/', &per);
    uint64_t n = 0, seconds = 0;
    if (pst_num_u64(number, &n) < 0 || n > INT64_MAX)
        return -PST_EPARSE;
    json_t *made = NULL;
    if (pst_str_eq(name, PST_STR("concurrency")) && per.len == 0)
        made = json_integer((json_int_t)n);
    else if (pst_str_eq(name, PST_STR("quota")))
        made = json_pack("{s:I, s:o}", "requests", (json_int_t)n, "per", text_of(per));
    else if (pst_str_eq(name, PST_STR("rate")) && pst_num_u64(per, &seconds) == 0 && seconds <= INT64_MAX)
        made = json_pack("{s:I, s:I}", "requests", (json_int_t)n, "per_seconds", (json_int_t)seconds);
    return made != NULL && json_object_setn_new(limits, name.p, name.len, made) == 0 ? 0 : -PST_EPARSE;
}

static json_t *limits_of(const char *text)
{
    json_t *limits = json_object();
    for (struct pst_str rest = pst_str_of(text); rest.len > 0;) {
        struct pst_str word = pst_str_trim(pst_str_cut(rest, ' ', &rest));
        if (word.len > 0 && add_limit(limits, word) < 0) {
            json_decref(limits);
            return NULL;
        }
    }
    return limits;
}

/* Nothing in it means that there is no rule. */
static struct pst_str dump(json_t *value, char **ret)
{
    bool empty = json_is_array(value) ? json_array_size(value) == 0 : json_object_size(value) == 0;
    *ret = empty ? NULL : json_dumps(value, JSON_COMPACT);
    json_decref(value);
    return pst_str_of(*ret);
}

int key_rules_take(struct key_rules *rules, const struct pst_usage *usage)
{
    *rules = (struct key_rules){.given = rules->given};
    json_t *tags = split(rules->given.tag, ',', text_of);
    json_t *scopes = split(rules->given.scope, ';', scope_of);
    json_t *networks = split(rules->given.network, ',', text_of);
    json_t *limits = limits_of(rules->given.limit);
    const char *wrong =
        tags == NULL       ? "--tag is not UTF-8"
        : scopes == NULL   ? "--scope is not UTF-8"
        : networks == NULL ? "--network is not UTF-8"
        : limits == NULL ? "--limit: use one or more of \"rate=100/60 concurrency=4 quota=1000/day\": a rate "
                           "is requests per seconds, a quota is requests per day or month"
                         : NULL;
    rules->tags = dump(tags, &rules->made[0]);
    rules->scopes = dump(scopes, &rules->made[1]);
    rules->networks = dump(networks, &rules->made[2]);
    rules->limits = dump(limits, &rules->made[3]);
    if (wrong == NULL)
        return -1;
    key_rules_done(rules);
    return pst_cmd_wrong_usage(usage, "%s", wrong);
}

void key_rules_done(struct key_rules *rules)
{
    for (size_t i = 0; i < sizeof(rules->made) / sizeof(rules->made[0]); i++) {
        free(rules->made[i]);
        rules->made[i] = NULL;
    }
}

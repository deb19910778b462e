/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_outline.h"

#include "postern/base/str.h"

#include <string.h>
#include <yaml.h>

/* libyaml tells of a text as a run of events: a mapping begins, a scalar, another, the mapping ends. */
struct walk {
    struct yaml_outline *outline;
    unsigned depth;     /* collections that are open */
    unsigned documents; /* begun so far */
    bool is_value;      /* the next node of the outer mapping is a key's value */
    bool kept;          /* that key is the last in the outline */
};

static unsigned line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

static void on_key(struct walk *walk, const yaml_event_t *event)
{
    struct yaml_outline *outline = walk->outline;
    walk->kept = event->type == YAML_SCALAR_EVENT && outline->n_keys < YAML_KEYS_MAX;
    if (!walk->kept)
        return;
    struct yaml_key *key = &outline->keys[outline->n_keys++];
    struct pst_str name = {(const char *)event->data.scalar.value, event->data.scalar.length};
    pst_str_clip(name, key->name, sizeof(key->name));
    key->line = line_of(event);
}

/* YAML 1.2.2 section 10.3.2: written without quotes, and without a tag that says otherwise. */
static bool is_null(const yaml_event_t *event)
{
    static const char *const spellings[] = {"", "~", "null", "Null", "NULL"};
    static const char tag[] = YAML_NULL_TAG;
    if (event->type != YAML_SCALAR_EVENT)
        return false;
    const char *own_tag = (const char *)event->data.scalar.tag;
    if (own_tag != NULL)
        return strcmp(own_tag, tag) == 0;
    const struct pst_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    bool found = false;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
        found |= pst_str_eq(text, pst_str_of(spellings[i]));
    return found && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static void on_value(struct walk *walk, const yaml_event_t *event)
{
    if (!walk->kept)
        return;
    struct yaml_key *key = &walk->outline->keys[walk->outline->n_keys - 1];
    key->kind = is_null(event)                             ? YAML_KIND_NULL
                : event->type == YAML_SCALAR_EVENT         ? YAML_KIND_SCALAR
                : event->type == YAML_SEQUENCE_START_EVENT ? YAML_KIND_SEQUENCE
                                                           : YAML_KIND_OTHER;
}

/* In a list of the outer mapping: those that are null are remembered by their places. */
static void on_item(struct walk *walk, const yaml_event_t *event)
{
    struct yaml_key *key = &walk->outline->keys[walk->outline->n_keys - 1];
    if (key->n_items < 64 && is_null(event))
        key->null_items |= UINT64_C(1) << key->n_items;
    key->n_items++;
}

/* A scalar, an alias, or the beginning of a collection. */
static void on_node(struct walk *walk, const yaml_event_t *event)
{
    bool opens = event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
    /* A document without content has an empty scalar in its place. */
    if (walk->depth == 0)
        walk->outline->empty = is_null(event);
    if (walk->depth == 1) {
        if (walk->is_value)
            on_value(walk, event);
        else
            on_key(walk, event);
        walk->is_value = !walk->is_value;
    } else if (walk->depth == 2 && walk->kept) {
        on_item(walk, event);
    }
    walk->depth += opens;
}

/* False: seen enough. */
static bool on_event(struct walk *walk, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++walk->documents == 2)
            walk->outline->second_document = line_of(event);
        return walk->documents < 2;
    case YAML_SCALAR_EVENT:
    case YAML_ALIAS_EVENT:
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        on_node(walk, event);
        return true;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        walk->depth--;
        return true;
    default:
        return event->type != YAML_STREAM_END_EVENT;
    }
}

static void note_broken(struct yaml_outline *outline, const yaml_parser_t *parser)
{
    /* Bytes that are no UTF-8 or UTF-16 have no line, as nothing is read yet. */
    outline->broken_line = (unsigned)parser->problem_mark.line + 1;
    pst_str_clip(pst_str_of(parser->problem != NULL ? parser->problem : "out of memory"), outline->broken,
                 sizeof(outline->broken));
}

void yaml_outline_read(const char *text, size_t len, struct yaml_outline *ret_outline)
{
    yaml_parser_t parser;
    struct walk walk = {.outline = ret_outline};
    *ret_outline = (struct yaml_outline){.empty = true};
    if (yaml_parser_initialize(&parser) == 0) {
        ret_outline->broken_line = 1;
        pst_str_clip(PST_STR("out of memory"), ret_outline->broken, sizeof(ret_outline->broken));
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    for (bool more = true; more;) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            note_broken(ret_outline, &parser);
            break;
        }
        more = on_event(&walk, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

const struct yaml_key *yaml_outline_find(const struct yaml_outline *outline, const char *name,
                                         const struct yaml_key *after)
{
    for (size_t i = after != NULL ? (size_t)(after - outline->keys) + 1 : 0; i < outline->n_keys; i++) {
        if (strcmp(outline->keys[i].name, name) == 0)
            return &outline->keys[i];
    }
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_file.h"

#include "postern/base/num.h"
#include "postern/base/str.h"
#include "yaml_outline.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_LIST_ITEMS 64
/* Names that are no settings, told one by one; a file with more is no settings file. */
#define MAX_UNKNOWN 16

/* libcyaml fills this: a text for each scalar setting, a list of texts for each list. */
struct loaded {
    struct {
        char *scalar;
        char **list;
        unsigned n;
    } at[PST_SETTINGS_MAX];
};

struct reading {
    const char *text;
    size_t len;
    yaml_problem_cb *problem;
    void *arg;
    struct yaml_outline outline;
    /* What libcyaml is told to expect: the settings, what was unknown so far, and the end's mark. */
    cyaml_schema_field_t fields[PST_SETTINGS_MAX + MAX_UNKNOWN + 1];
    size_t n_settings;
    size_t n_fields;
    char unknown[MAX_UNKNOWN][YAML_KEY_SIZE];
    /* libcyaml's last complaint: */
    char message[256];
    unsigned line;  /* where it was, from its backtrace */
    char field[64]; /* the setting it was in, empty when in none */
};

static const cyaml_schema_value_t list_item = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 4096)};

/* Schema */

/* "listen: 127.0.0.1:8443" is a list as a text, as in the environment: commas separate more. */
static bool is_list_as_text(const struct reading *reading, const struct pst_setting_def *def)
{
    const struct yaml_key *key = yaml_outline_find(&reading->outline, def->name, NULL);
    return key != NULL && (key->kind == YAML_KIND_SCALAR || key->kind == YAML_KIND_NULL);
}

static void set_field(struct reading *reading, size_t i, const struct pst_setting_def *def)
{
    uint32_t offset = (uint32_t)(offsetof(struct loaded, at) + i * sizeof(((struct loaded *)0)->at[0]));
    cyaml_schema_field_t *field = &reading->fields[i];
    *field = (cyaml_schema_field_t){.key = def->name,
                                    .value = {.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL}};
    if (pst_setting_is_list(def) && !is_list_as_text(reading, def)) {
        field->value.type = CYAML_SEQUENCE;
        field->value.data_size = sizeof(char *);
        field->value.sequence.min = 0;
        field->value.sequence.max = MAX_LIST_ITEMS;
        field->value.sequence.entry = &list_item;
        field->data_offset = offset + (uint32_t)offsetof(struct loaded, at[0].list);
        field->count_offset = offset + (uint32_t)offsetof(struct loaded, at[0].n);
        field->count_size = sizeof(unsigned);
    } else {
        field->value.type = CYAML_STRING;
        field->value.data_size = sizeof(char);
        field->value.string.max = 4096;
        field->data_offset = offset + (uint32_t)offsetof(struct loaded, at[0].scalar);
    }
}

static void make_schema(struct reading *reading)
{
    const struct pst_setting_def *defs = pst_setting_defs(&reading->n_settings);
    for (size_t i = 0; i < reading->n_settings; i++)
        set_field(reading, i, &defs[i]);
    reading->n_fields = reading->n_settings;
    reading->fields[reading->n_fields] = (cyaml_schema_field_t)CYAML_FIELD_END;
}

/* From now on libcyaml passes over this key, so that it finds what is wrong behind it. */
static void ignore_field(cyaml_schema_field_t *field, const char *name)
{
    *field =
        (cyaml_schema_field_t){.key = name, .value = {.type = CYAML_IGNORE, .flags = CYAML_FLAG_OPTIONAL}};
}

/* libcyaml's words: it tells what is wrong, and where, only in its log. */

/* "  in mapping field 'workers' (line: 3, column: 10)": the innermost place comes first, the setting last. */
static void note_place(struct reading *reading, const char *text, const char *line)
{
    struct pst_str digits = {line + strcspn(line, "0123456789"), 0};
    digits.len = strspn(digits.p, "0123456789");
    uint64_t value = 0;
    if (reading->line == 0 && pst_num_u64(digits, &value) == 0)
        reading->line = (unsigned)value;
    static const char mark[] = "in mapping field '";
    const char *name = strstr(text, mark);
    if (name == NULL)
        return;
    struct pst_str rest;
    struct pst_str field = pst_str_cut(pst_str_of(name + sizeof(mark) - 1), '\'', &rest);
    pst_str_clip(field, reading->field, sizeof(reading->field));
}

/* What libcyaml says in its own terms, and what we say instead. */
static const struct {
    struct pst_str said;
    const char *instead;
} plain_words[] = {
    {PST_STR("Expecting STRING, got event: SEQUENCE_START"), "one value is expected, not a list"},
    {PST_STR("Expecting STRING, got event: MAPPING_START"),
     "one value is expected, not a mapping (a value with a colon stands in quotes)"},
    {PST_STR("Expecting SEQUENCE, got event: SCALAR"), "a list is expected, such as [one, two]"},
    {PST_STR("Expecting SEQUENCE, got event: MAPPING_START"), "a list is expected, such as [one, two]"},
    {PST_STR("Expecting MAPPING, got event: "), "a mapping of settings is expected, such as \"workers: 2\""},
    {PST_STR("Excessive entries"), "more than 64 items"},
    {PST_STR("STRING length > "), "the value is longer than 4096 bytes"},
};

static void note_message(struct reading *reading, struct pst_str message)
{
    if (pst_str_starts(message, PST_STR("Load: ")))
        message = pst_str_skip(message, 6);
    while (message.len > 0 && message.p[message.len - 1] == '\n')
        message.len--;
    if (pst_str_eq(message, PST_STR("Backtrace:")))
        return;
    for (size_t i = 0; i < sizeof(plain_words) / sizeof(plain_words[0]); i++) {
        if (pst_str_starts(message, plain_words[i].said))
            message = pst_str_of(plain_words[i].instead);
    }
    pst_str_clip(message, reading->message, sizeof(reading->message));
}

PST_PRINTF(3, 0)
static void on_log(cyaml_log_t level, void *arg, const char *fmt, va_list args)
{
    (void)level;
    struct reading *reading = arg;
    char text[512];
    vsnprintf(text, sizeof(text), fmt, args);
    const char *line = strstr(text, "(line: ");
    if (line != NULL)
        note_place(reading, text, line);
    else if (reading->message[0] == '\0')
        note_message(reading, pst_str_of(text));
}

/* Our words */

static bool is_ignored_already(const struct reading *reading, const char *name)
{
    for (size_t i = reading->n_settings; i < reading->n_fields; i++) {
        if (strcmp(reading->fields[i].key, name) == 0)
            return true;
    }
    return false;
}

/* False when enough was told. */
static bool tell_unknown(struct reading *reading, const char *name)
{
    const struct yaml_key *key = yaml_outline_find(&reading->outline, name, NULL);
    const struct pst_setting_def *near = pst_setting_nearest(name);
    char sentence[400];
    if (near != NULL)
        snprintf(sentence, sizeof(sentence), "unknown setting \"%s\"; did you mean %s?", name, near->name);
    else
        snprintf(sentence, sizeof(sentence), "unknown setting \"%s\"; `postern settings` lists them all",
                 name);
    reading->problem(reading->arg, NULL, key != NULL ? key->line : reading->line, sentence);
    size_t n = reading->n_fields - reading->n_settings;
    if (key == NULL || n == MAX_UNKNOWN || is_ignored_already(reading, name))
        return false;
    pst_str_clip(pst_str_of(name), reading->unknown[n], sizeof(reading->unknown[n]));
    ignore_field(&reading->fields[reading->n_fields++], reading->unknown[n]);
    reading->fields[reading->n_fields] = (cyaml_schema_field_t)CYAML_FIELD_END;
    return true;
}

static bool tell_twice(struct reading *reading, const struct pst_setting_def *def)
{
    const struct yaml_key *first = yaml_outline_find(&reading->outline, def->name, NULL);
    const struct yaml_key *second =
        first != NULL ? yaml_outline_find(&reading->outline, def->name, first) : NULL;
    char sentence[128] = "it is set twice";
    if (second != NULL)
        snprintf(sentence, sizeof(sentence), "it is set twice, first in line %u", first->line);
    reading->problem(reading->arg, def, second != NULL ? second->line : reading->line, sentence);
    return true;
}

/* Tells libcyaml's complaint. False when there is no going on behind it. */
static bool tell(struct reading *reading, cyaml_err_t err)
{
    static const char unexpected[] = "Unexpected key: ", twice[] = "Mapping field already seen: ";
    if (strncmp(reading->message, unexpected, sizeof(unexpected) - 1) == 0)
        return tell_unknown(reading, reading->message + sizeof(unexpected) - 1);
    bool is_twice = strncmp(reading->message, twice, sizeof(twice) - 1) == 0;
    const char *name = is_twice ? reading->message + sizeof(twice) - 1 : reading->field;
    const struct pst_setting_def *def = name[0] != '\0' ? pst_setting_find(name) : NULL;
    const char *message = reading->message[0] != '\0' ? reading->message : cyaml_strerror(err);
    if (def == NULL) {
        reading->problem(reading->arg, NULL, reading->line, message);
        return false;
    }
    if (is_twice)
        tell_twice(reading, def);
    else
        reading->problem(reading->arg, def, reading->line, message);
    size_t n;
    cyaml_schema_field_t *field = &reading->fields[def - pst_setting_defs(&n)];
    bool is_new = field->value.type != CYAML_IGNORE;
    ignore_field(field, def->name);
    return is_new;
}

/* libyaml's reasons name what its grammar expected; what the writer did was mostly one of these. */
static const char *hint_for(const char *reason)
{
    if (strstr(reason, "tab character") != NULL || strstr(reason, "cannot start any token") != NULL)
        return " (indent with blanks, not with tabs)";
    if (strstr(reason, "mapping values are not allowed") != NULL ||
        strstr(reason, "did not find expected node content") != NULL)
        return " (a value with a colon or brackets stands in quotes)";
    return "";
}

/* What no schema says. True when the text need not, or must not, be loaded. */
static bool is_settled(const struct reading *reading)
{
    const struct yaml_outline *outline = &reading->outline;
    if (outline->broken_line > 0) {
        char sentence[256];
        snprintf(sentence, sizeof(sentence), "this is not YAML: %s%s", outline->broken,
                 hint_for(outline->broken));
        reading->problem(reading->arg, NULL, outline->broken_line, sentence);
    } else if (outline->second_document > 0) {
        reading->problem(reading->arg, NULL, outline->second_document,
                         "a second YAML document begins here; only one is read");
    }
    return outline->broken_line > 0 || outline->second_document > 0 || outline->empty;
}

/* Without those that are null; a list of nothing else is as absent as they are. */
static void deliver_list(const struct reading *reading, const struct pst_setting_def *def,
                         const struct yaml_key *key, const char *const *items, unsigned n,
                         yaml_value_cb *value)
{
    const char *kept[MAX_LIST_ITEMS];
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        if ((key->null_items & UINT64_C(1) << i) == 0)
            kept[n_kept++] = items[i];
    }
    if (n == 0 || n_kept > 0)
        value(reading->arg, def, key->line, true, kept, n_kept);
}

static void deliver(const struct reading *reading, const struct loaded *loaded, yaml_value_cb *value)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        const struct yaml_key *key = yaml_outline_find(&reading->outline, defs[i].name, NULL);
        /* YAML's null is what stands where nothing is set: Helm writes it for a value that is not given. */
        if (key == NULL || key->kind == YAML_KIND_NULL || reading->fields[i].value.type == CYAML_IGNORE)
            continue;
        /* Of an empty list libcyaml leaves no trace. */
        const char *const *list = (const char *const *)loaded->at[i].list;
        const char *scalar = loaded->at[i].scalar;
        if (reading->fields[i].value.type == CYAML_SEQUENCE)
            deliver_list(reading, &defs[i], key, list, loaded->at[i].n, value);
        else if (scalar != NULL)
            value(reading->arg, &defs[i], key->line, false, &scalar, 1);
    }
}

/* libcyaml stops at the first thing that is wrong. It is told, the key it was in is passed over from then on,
 * and the text is loaded again, until nothing more is wrong: each turn passes over one key more. */
void yaml_read(const char *text, size_t len, yaml_value_cb *value, yaml_problem_cb *problem, void *arg)
{
    struct reading reading = {.text = text, .len = len, .problem = problem, .arg = arg};
    const cyaml_schema_value_t schema = {
        CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct loaded, reading.fields)};
    const cyaml_config_t config = {
        .log_fn = on_log,
        .log_ctx = &reading,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    yaml_outline_read(text, len, &reading.outline);
    if (is_settled(&reading))
        return;
    make_schema(&reading);
    for (;;) {
        struct loaded *loaded = NULL;
        reading.message[0] = reading.field[0] = '\0';
        reading.line = 0;
        cyaml_err_t err =
            cyaml_load_data((const uint8_t *)text, len, &config, &schema, (cyaml_data_t **)&loaded, NULL);
        if (err == CYAML_OK) {
            if (loaded != NULL)
                deliver(&reading, loaded, value);
            cyaml_free(&config, &schema, loaded, 0);
            return;
        }
        if (!tell(&reading, err))
            return;
    }
}

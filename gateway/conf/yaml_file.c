/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_file.h"

#include "postern/base/num.h"
#include "postern/base/str.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_LIST_ITEMS 64

/* libcyaml fills this: a text for each scalar setting, a list of texts for each list. */
struct loaded {
    struct {
        char *scalar;
        char **list;
        unsigned n;
    } at[PST_SETTINGS_MAX];
};

struct reading {
    char message[256]; /* libcyaml's first complaint */
    unsigned line;     /* and where it was, from its backtrace */
    char field[64];    /* the setting it was in, empty when in none */
};

static const cyaml_schema_value_t list_item = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 4096)};

/* Indentation, and the quotes that a key may stand in. */
static bool is_before_key(char c)
{
    return c == ' ' || c == '\'' || c == '"';
}

/* The file is flat, so a setting's line is the first that begins with its name and a colon. */
static unsigned find_setting(const char *text, size_t len, const char *name, struct pst_str *ret_value)
{
    struct pst_str rest = {text, len};
    struct pst_str key = pst_str_of(name);
    for (unsigned line = 1; rest.p != NULL; line++) {
        struct pst_str this_line = pst_str_cut(rest, '\n', &rest);
        while (this_line.len > 0 && is_before_key(this_line.p[0]))
            this_line = pst_str_skip(this_line, 1);
        if (!pst_str_starts(this_line, key))
            continue;
        this_line = pst_str_skip(this_line, key.len);
        while (this_line.len > 0 && is_before_key(this_line.p[0]))
            this_line = pst_str_skip(this_line, 1);
        if (pst_str_starts(this_line, PST_STR(":"))) {
            *ret_value = pst_str_trim(pst_str_skip(this_line, 1));
            return line;
        }
    }
    *ret_value = (struct pst_str){NULL, 0};
    return 0;
}

static unsigned line_of(const char *text, size_t len, const char *name)
{
    struct pst_str value;
    return find_setting(text, len, name, &value);
}

/* "listen: 127.0.0.1:8443" is a list of one, as in the environment: commas separate more. */
static bool is_list_as_text(const char *text, size_t len, const struct pst_setting_def *def)
{
    struct pst_str value;
    return find_setting(text, len, def->name, &value) > 0 && value.len > 0 &&
           strchr("[-#|>&*!\r{", value.p[0]) == NULL;
}

static void make_schema(cyaml_schema_field_t *fields, const char *text, size_t len)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        uint32_t offset = (uint32_t)(offsetof(struct loaded, at) + i * sizeof(((struct loaded *)0)->at[0]));
        cyaml_schema_field_t *field = &fields[i];
        *field = (cyaml_schema_field_t){.key = defs[i].name,
                                        .value = {.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL}};
        if (pst_setting_is_list(&defs[i]) && !is_list_as_text(text, len, &defs[i])) {
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
    fields[n] = (cyaml_schema_field_t)CYAML_FIELD_END;
}

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
    {PST_STR("Expecting STRING, got event: MAPPING_START"), "one value is expected, not a mapping"},
    {PST_STR("Expecting SEQUENCE, got event: SCALAR"), "a list is expected, such as [one, two]"},
    {PST_STR("Expecting SEQUENCE, got event: MAPPING_START"), "a list is expected, such as [one, two]"},
    {PST_STR("Expecting MAPPING, got event: "), "a mapping of settings is expected, such as \"workers: 2\""},
    {PST_STR("Mapping field already seen: "), "it is set twice"},
};

static void note_message(struct reading *reading, struct pst_str message)
{
    static const struct pst_str prefixes[] = {PST_STR("Load: "), PST_STR("libyaml: ")};
    for (size_t i = 0; i < 2; i++) {
        if (pst_str_starts(message, prefixes[i]))
            message = pst_str_skip(message, prefixes[i].len);
    }
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

/* libcyaml tells what is wrong, and where, only in its log: the first message, then the places. */
PST_PRINTF(3, 0)
static void on_log(cyaml_log_t level, void *arg, const char *fmt, va_list args)
{
    (void)level;
    struct reading *reading = arg;
    char text[512];
    vsnprintf(text, sizeof(text), fmt, args);
    const char *line = strstr(text, "(line: ");
    if (line == NULL)
        line = strstr(text, "(line ");
    if (line != NULL)
        note_place(reading, text, line);
    else if (reading->message[0] == '\0')
        note_message(reading, pst_str_of(text));
}

/* "Unexpected key: foo" has no line of its own in libcyaml's log; the key's line is looked for. */
static void tell(const struct reading *reading, cyaml_err_t err, const char *text, size_t len,
                 yaml_problem_cb *problem, void *arg)
{
    static const char unexpected[] = "Unexpected key: ";
    if (strncmp(reading->message, unexpected, sizeof(unexpected) - 1) == 0) {
        const char *name = reading->message + sizeof(unexpected) - 1;
        char sentence[400];
        snprintf(sentence, sizeof(sentence), "there is no setting \"%s\"; `postern settings` lists them all",
                 name);
        problem(arg, line_of(text, len, name), sentence);
        return;
    }
    const char *message = reading->message[0] != '\0' ? reading->message : cyaml_strerror(err);
    char sentence[400];
    snprintf(sentence, sizeof(sentence), "%s%s%s", reading->field, reading->field[0] != '\0' ? ": " : "",
             message);
    problem(arg, reading->line, sentence);
}

static void deliver(const struct loaded *loaded, const char *text, size_t len, yaml_value_cb *value,
                    void *arg)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        const char *const *list = (const char *const *)loaded->at[i].list;
        const char *scalar = loaded->at[i].scalar;
        unsigned line = line_of(text, len, defs[i].name);
        /* libcyaml leaves no trace of an empty list but its line. */
        bool empty_list = list == NULL && scalar == NULL && line > 0 && pst_setting_is_list(&defs[i]);
        if (list != NULL || empty_list)
            value(arg, &defs[i], line, list, loaded->at[i].n);
        else if (scalar != NULL)
            value(arg, &defs[i], line, &scalar, 1);
    }
}

/* What the text is, seen line by line, before libcyaml parses it. */
struct outline {
    bool has_content;      /* a file of comments alone (the sample as it is made) is no mapping to libcyaml */
    unsigned second_begin; /* line of a "---" behind content: libcyaml reads the first document only */
    unsigned flow_begin;   /* line of a "{" that opens the file, 0 when it does not */
};

static struct outline outline_of(const char *text, size_t len)
{
    struct outline outline = {.has_content = false};
    struct pst_str rest = {text, len};
    for (unsigned number = 1; rest.p != NULL; number++) {
        struct pst_str line = pst_str_cut(rest, '\n', &rest);
        bool marker = pst_str_starts(line, PST_STR("---"));
        line = pst_str_trim(marker ? pst_str_skip(line, 3) : line);
        if (marker && outline.has_content && outline.second_begin == 0)
            outline.second_begin = number;
        if (line.len == 0 || line.p[0] == '#' || line.p[0] == '\r')
            continue;
        if (!outline.has_content && line.p[0] == '{')
            outline.flow_begin = number;
        outline.has_content = true;
    }
    return outline;
}

/* True when the text is one that need not, or must not, be parsed. */
static bool is_settled(const char *text, size_t len, yaml_problem_cb *problem, void *arg)
{
    struct outline outline = outline_of(text, len);
    if (!outline.has_content)
        return true;
    if (outline.second_begin > 0)
        problem(arg, outline.second_begin, "a second YAML document begins here; only one is read");
    else if (outline.flow_begin > 0)
        problem(arg, outline.flow_begin, "write one setting per line, without braces");
    return outline.second_begin > 0 || outline.flow_begin > 0;
}

void yaml_read(const char *text, size_t len, yaml_value_cb *value, yaml_problem_cb *problem, void *arg)
{
    cyaml_schema_field_t fields[PST_SETTINGS_MAX + 1];
    make_schema(fields, text, len);
    const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct loaded, fields)};
    struct reading reading = {.line = 0};
    const cyaml_config_t config = {
        .log_fn = on_log,
        .log_ctx = &reading,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    if (is_settled(text, len, problem, arg))
        return;
    struct loaded *loaded = NULL;
    cyaml_err_t err =
        cyaml_load_data((const uint8_t *)text, len, &config, &schema, (cyaml_data_t **)&loaded, NULL);
    if (err != CYAML_OK) {
        tell(&reading, err, text, len, problem, arg);
        return;
    }
    if (loaded == NULL)
        return;
    deliver(loaded, text, len, value, arg);
    cyaml_free(&config, &schema, loaded, 0);
}

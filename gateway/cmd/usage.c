/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands say of themselves: help and errors. */
#include "postern/base/str.h"
#include "postern/cmd/command.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "usage.h"

#define WIDTH       80
#define HELP_COLUMN 28

static const struct pst_usage *current;

void usage_enter(const struct pst_usage *usage)
{
    current = usage;
}

/* "key create" of "key create --name NAME": its length. */
static int command_length(const struct pst_usage *usage)
{
    size_t len = 0;
    for (const char *word = usage->synopsis; *word >= 'a' && *word <= 'z'; word++) {
        word += strcspn(word, " ");
        len = (size_t)(word - usage->synopsis);
        if (*word == '\0')
            break;
    }
    return (int)len;
}

static void PST_PRINTF(2, 0) print_error(const struct pst_usage *usage, const char *fmt, va_list args)
{
    if (usage != NULL)
        fprintf(stderr, "postern %.*s: ", command_length(usage), usage->synopsis);
    else
        fputs("postern: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
}

void pst_cmd_error(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    print_error(current, fmt, args);
    va_end(args);
}

int pst_cmd_wrong_usage(const struct pst_usage *usage, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    print_error(usage, fmt, args);
    va_end(args);
    fprintf(stderr, "Usage: postern %s\n", usage->synopsis);
    return PST_EXIT_USAGE;
}

int usage_missing_word(const struct pst_usage *usage, size_t n_words)
{
    const char *word = usage->synopsis + command_length(usage);
    for (size_t i = 0; i <= n_words && *word == ' '; i++) {
        const char *end = word + 1 + strcspn(word + 1, " ");
        if (i == n_words && word[1] >= 'A' && word[1] <= 'Z')
            return pst_cmd_wrong_usage(usage, "missing argument %.*s", (int)(end - word - 1), word + 1);
        word = end;
    }
    return pst_cmd_wrong_usage(usage, "missing argument");
}

int pst_cmd_finish(void)
{
    if (pst_table_was_cut()) {
        pst_cmd_error("out of memory: the table is incomplete");
        return PST_EXIT_FAILED;
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return PST_EXIT_OK;
    pst_cmd_error("cannot write to standard output: %s", strerror(errno));
    return PST_EXIT_FAILED;
}

int pst_cmd_print_json(json_t *value)
{
    if (value == NULL) {
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
    return pst_cmd_finish();
}

/* A word, or several in brackets: up to a blank that stands in none. */
static size_t piece_length(const char *text)
{
    size_t len = 0;
    for (int open = 0; text[len] != '\0' && (open > 0 || (text[len] != ' ' && text[len] != '\n')); len++)
        open += (text[len] == '[') - (text[len] == ']');
    return len;
}

void pst_cmd_print_filled(FILE *out, const char *text, size_t column, size_t indent)
{
    bool first = true;
    while (*text != '\0') {
        size_t breaks = 0;
        for (; *text == ' ' || *text == '\n'; text++)
            breaks += *text == '\n';
        size_t len = piece_length(text);
        if (breaks > 1 || (!first && column + 1 + len > WIDTH)) {
            fprintf(out, "%s%*s", breaks > 1 ? "\n\n" : "\n", (int)indent, "");
            column = indent;
        } else if (!first && len > 0) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, len, out);
        column += len;
        text += len;
        first = false;
    }
    fputc('\n', out);
}

static void print_option(const char *name, const char *value, const char *help)
{
    char left[64];
    int len = snprintf(left, sizeof(left), "  --%s%s%s", name, value != NULL ? " " : "",
                       value != NULL ? value : "");
    if (len < HELP_COLUMN)
        printf("%-*s", HELP_COLUMN, left);
    else
        printf("%s\n%*s", left, HELP_COLUMN, "");
    pst_cmd_print_filled(stdout, help, HELP_COLUMN, HELP_COLUMN);
}

void pst_cmd_print_help(const struct pst_usage *usage)
{
    size_t indent = sizeof("Usage: postern ") - 1;
    fputs("Usage: postern ", stdout);
    pst_cmd_print_filled(stdout, usage->synopsis, indent, indent);
    putchar('\n');
    pst_cmd_print_filled(stdout, usage->about, 0, 0);
    puts("\nOptions:");
    for (size_t i = 0; i < usage->n_options; i++)
        print_option(usage->options[i].name, usage->options[i].value, usage->options[i].help);
    if (usage->takes_settings) {
        print_option("config", "FILE", "settings file (YAML); default: the one named by POSTERN_CONFIG");
        print_option("SETTING", "VALUE",
                     "any setting, such as --data-dir DIR; `postern settings` lists them");
    }
    print_option("help", NULL, "print this help");
    printf("\nExit codes: %s\n",
           usage->exit_codes != NULL ? usage->exit_codes : "0 done, 1 failed, 2 wrong usage.");
}

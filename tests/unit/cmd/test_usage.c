/* SPDX-License-Identifier: Apache-2.0 */
/* Help is filled to the width of a terminal. */
#include "postern/cmd/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char printed[8192];

struct filling {
    const char *text;
    size_t column, indent;
};

static void fill(const void *arg)
{
    const struct filling *filling = arg;
    pst_cmd_print_filled(stdout, filling->text, filling->column, filling->indent);
}

static void help(const void *arg)
{
    pst_cmd_print_help(arg);
}

/* What a call prints on standard output. */
static const char *capture(void (*call)(const void *arg), const void *arg)
{
    FILE *file = tmpfile();
    fflush(stdout);
    int saved = dup(1);
    assert_non_null(file);
    assert_int_equal(dup2(fileno(file), 1), 1);
    call(arg);
    fflush(stdout);
    assert_int_equal(dup2(saved, 1), 1);
    close(saved);
    rewind(file);
    printed[fread(printed, 1, sizeof(printed) - 1, file)] = '\0';
    fclose(file);
    return printed;
}

static void test_filled(void **state)
{
    (void)state;
    static const struct {
        struct filling filling;
        const char *expected;
    } cases[] = {
        {{"", 0, 0}, "\n"},
        {{"one two", 0, 0}, "one two\n"},
        {{"one  two\nthree", 0, 0}, "one two three\n"},
        {{"one\n\ntwo", 0, 2}, "one\n\n  two\n"},
        {{"one two three", 70, 4}, "one two\n    three\n"},
        {{"one two three", 73, 4}, "one two\n    three\n"},
        {{"one two three", 74, 4}, "one\n    two three\n"},
        {{"a [b c d e f] g", 72, 4}, "a\n    [b c d e f] g\n"},
        {{"a [b [c] d] e]", 0, 0}, "a [b [c] d] e]\n"},
        {{"longer-than-what-is-left and more", 70, 8}, "longer-than-what-is-left\n        and more\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(capture(fill, &cases[i].filling), cases[i].expected);
}

static void test_help_fits(void **state)
{
    (void)state;
    static const char *text;
    static const struct pst_option options[] = {
        {"name", "NAME",
         "a help so long that it cannot stand in one line of any terminal, wherever it would begin, and goes "
         "on",
         &text, NULL},
        {"a-name-that-needs-the-line", "FOR-ITSELF", "and then some", &text, NULL},
    };
    static const struct pst_usage usage = {
        .synopsis =
            "thing make WORD [--name NAME] [--a-name-that-needs-the-line FOR-ITSELF] [--SETTING VALUE]...",
        .about = "Makes a thing that needs many words before anybody who reads them can know what it is good "
                 "for.\n\nAnd a second paragraph.",
        .options = options,
        .n_options = 2,
        .takes_settings = true,
    };
    assert_string_equal(capture(help, &usage),
                        "Usage: postern thing make WORD [--name NAME]\n"
                        "               [--a-name-that-needs-the-line FOR-ITSELF] [--SETTING VALUE]...\n"
                        "\n"
                        "Makes a thing that needs many words before anybody who reads them can know what\n"
                        "it is good for.\n"
                        "\n"
                        "And a second paragraph.\n"
                        "\n"
                        "Options:\n"
                        "  --name NAME               a help so long that it cannot stand in one line of\n"
                        "                            any terminal, wherever it would begin, and goes on\n"
                        "  --a-name-that-needs-the-line FOR-ITSELF\n"
                        "                            and then some\n"
                        "  --config FILE             settings file (YAML); default: the one named by\n"
                        "                            POSTERN_CONFIG\n"
                        "  --SETTING VALUE           any setting, such as --data-dir DIR; `postern\n"
                        "                            settings` lists them\n"
                        "  --help                    print this help\n"
                        "\n"
                        "Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filled),
        cmocka_unit_test(test_help_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

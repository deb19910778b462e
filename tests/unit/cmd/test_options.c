/* SPDX-License-Identifier: Apache-2.0 */
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

#define N(table) (sizeof(table) / sizeof((table)[0]))

static const char *name_text, *file_text;
static bool json_switch;

static const struct pst_option options[] = {
    {"name", "NAME", "what it is called", &name_text, NULL},
    {"file", "FILE", "where it is", &file_text, NULL},
    {"json", NULL, "as JSON", NULL, &json_switch},
};

static const struct pst_usage usage = {
    .synopsis = "thing make WORD [--name NAME]",
    .about = "Makes a thing.",
    .options = options,
    .n_options = N(options),
    .min_args = 1,
    .max_args = 2,
};

static const struct pst_usage serving = {
    .synopsis = "thing serve [--SETTING VALUE]",
    .about = "Serves.",
    .options = options,
    .n_options = N(options),
    .takes_settings = true,
};

/* What a call printed: standard output, then standard error. */
static char printed[2][16384];

static int parse(const struct pst_usage *how, const char *const *words, struct pst_args *args)
{
    char *argv[PST_SETTINGS_MAX + 16];
    int argc = 0, saved[2];
    FILE *files[2];
    name_text = file_text = NULL;
    json_switch = false;
    for (; words[argc] != NULL; argc++)
        assert_non_null(argv[argc] = (char *)(uintptr_t)words[argc]);
    argv[argc] = NULL;
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        assert_non_null(files[i] = tmpfile());
        saved[i] = dup(i + 1);
        assert_int_equal(dup2(fileno(files[i]), i + 1), i + 1);
    }
    int result = pst_cmd_parse(how, argc, argv, args);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dup2(saved[i], i + 1), i + 1);
        close(saved[i]);
        rewind(files[i]);
        printed[i][fread(printed[i], 1, sizeof(printed[i]) - 1, files[i])] = '\0';
        fclose(files[i]);
    }
    return result;
}

#define WORDS(...) ((const char *const[]){"make", __VA_ARGS__, NULL})

static void test_values_and_switches(void **state)
{
    (void)state;
    struct pst_args args;
    assert_int_equal(parse(&usage, WORDS("one", "--name", "a b", "--json", "two"), &args), -1);
    assert_string_equal(name_text, "a b");
    assert_true(json_switch);
    assert_null(file_text);
    assert_int_equal(args.n_words, 2);
    assert_string_equal(args.words[0], "one");
    assert_string_equal(args.words[1], "two");
    assert_string_equal(printed[0], "");
    assert_string_equal(printed[1], "");

    assert_int_equal(parse(&usage, WORDS("--name=x=y", "--file=", "-"), &args), -1);
    assert_string_equal(name_text, "x=y");
    assert_string_equal(file_text, "");
    assert_string_equal(args.words[0], "-"); /* standard input, by custom */
    assert_false(json_switch);

    assert_int_equal(parse(&usage, WORDS("w", "--name", "--json", "--name", "last"), &args), -1);
    assert_string_equal(name_text, "last"); /* a value may look like an option; the last one counts */
    assert_false(json_switch);
}

static void test_wrong_usage(void **state)
{
    (void)state;
    const struct {
        const char *const *words;
        const char *told;
    } cases[] = {
        {WORDS("w", "--nmae", "x"), "unknown option --nmae; did you mean --name?"},
        {WORDS("w", "--nam", "x"), "unknown option --nam; did you mean --name?"},
        {WORDS("w", "--hlep"), "unknown option --hlep; did you mean --help?"},
        {WORDS("w", "--colour", "x"), "unknown option --colour\n"},
        {WORDS("w", "--name"), "--name needs a value"},
        {WORDS("w", "--json=yes"), "--json takes no value"},
        {WORDS("w", "-n"), "unknown option -n"},
        {WORDS("w", "--=x"), "unknown option --"},
        {WORDS("w", "--workers", "3"), "unknown option --workers\n"},
        {WORDS("w", "--config", "f"), "unknown option --config"},
        {WORDS("1", "2", "3"), "unexpected argument \"3\""},
        {WORDS("--name", "x"), "missing argument WORD"},
        {WORDS("w", "--an-option-with-a-name-longer-than-any-name-that-an-option-could-have", "x"),
         "unknown option"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct pst_args args;
        assert_int_equal(parse(&usage, cases[i].words, &args), PST_EXIT_USAGE);
        assert_string_equal(printed[0], "");
        assert_memory_equal(printed[1], "postern thing make: ", 20);
        if (strstr(printed[1], cases[i].told) == NULL)
            fail_msg("%s: %s", cases[i].told, printed[1]);
        assert_non_null(strstr(printed[1], "\nUsage: postern thing make WORD [--name NAME]\n"));
    }
}

static void test_help(void **state)
{
    (void)state;
    const char *const *const cases[] = {WORDS("--help"), WORDS("-h"), WORDS("w", "--help", "--nonsense")};
    for (size_t i = 0; i < N(cases); i++) {
        struct pst_args args;
        assert_int_equal(parse(&usage, cases[i], &args), PST_EXIT_OK);
        assert_string_equal(printed[1], "");
        assert_memory_equal(printed[0], "Usage: postern thing make WORD [--name NAME]\n\nMakes a thing.\n",
                            61);
        assert_non_null(strstr(printed[0], "  --name NAME               what it is called\n"));
        assert_non_null(strstr(printed[0], "  --json                    as JSON\n"));
        assert_non_null(strstr(printed[0], "  --help "));
        assert_null(strstr(printed[0], "--config"));
    }
    struct pst_args args;
    assert_int_equal(parse(&serving, WORDS("--help"), &args), PST_EXIT_OK);
    assert_non_null(strstr(printed[0], "  --config FILE "));
}

static void test_settings_as_flags(void **state)
{
    (void)state;
    struct pst_args args;
    assert_int_equal(unsetenv("POSTERN_CONFIG"), 0);
    assert_int_equal(
        parse(&serving, WORDS("--workers", "3", "--max-body-size=2MiB", "--json", "--data_dir", "/d"), &args),
        -1);
    assert_null(args.config);
    assert_true(json_switch);
    assert_int_equal(args.n_flags, 3);
    assert_string_equal(args.flags[0].name, "workers");
    assert_string_equal(args.flags[0].value, "3");
    assert_string_equal(args.flags[1].name, "max-body-size");
    assert_string_equal(args.flags[1].value, "2MiB");
    assert_string_equal(args.flags[2].name, "data_dir");
    assert_int_equal(parse(&serving, WORDS("--wokers", "3"), &args), PST_EXIT_USAGE);
    assert_ptr_equal(
        strstr(printed[1], "postern thing serve: unknown option --wokers; did you mean --workers?\n"),
        printed[1]);
    assert_int_equal(parse(&serving, WORDS("--max-boddy-size=3"), &args), PST_EXIT_USAGE);
    assert_non_null(strstr(printed[1], "did you mean --max-body-size?"));
    assert_int_equal(parse(&serving, WORDS("--workers"), &args), PST_EXIT_USAGE);
    assert_int_equal(parse(&serving, WORDS("word"), &args), PST_EXIT_USAGE);

    struct pst_settings settings;
    assert_int_equal(parse(&serving, WORDS("--workers", "3", "--workers", "5"), &args), -1);
    assert_int_equal(pst_cmd_settings(&args, &settings), 0);
    assert_int_equal(settings.workers, 5);
    pst_settings_done(&settings);
}

static void test_settings_file(void **state)
{
    (void)state;
    struct pst_args args;
    assert_int_equal(setenv("POSTERN_CONFIG", "/from/environment", 1), 0);
    assert_int_equal(parse(&serving, (const char *const[]){"serve", NULL}, &args), -1);
    assert_string_equal(args.config, "/from/environment");
    assert_int_equal(parse(&serving, WORDS("--config", "/from/flag"), &args), -1);
    assert_string_equal(args.config, "/from/flag");
    assert_int_equal(unsetenv("POSTERN_CONFIG"), 0);
}

static void test_too_many_flags(void **state)
{
    (void)state;
    const char *words[PST_SETTINGS_MAX + 4] = {"serve"};
    struct pst_args args;
    for (size_t i = 1; i <= PST_SETTINGS_MAX; i++)
        words[i] = "--workers=1";
    assert_int_equal(parse(&serving, words, &args), -1);
    words[PST_SETTINGS_MAX + 1] = "--workers=1";
    assert_int_equal(parse(&serving, words, &args), PST_EXIT_USAGE);
    assert_non_null(strstr(printed[1], "too many options"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_switches),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_settings_as_flags),
        cmocka_unit_test(test_settings_file),
        cmocka_unit_test(test_too_many_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/cmd/command.h"

#include "postern/base/buf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 24

struct pst_table {
    const char *headings[MAX_COLUMNS];
    bool right[MAX_COLUMNS];
    size_t widths[MAX_COLUMNS];
    size_t n_columns;
    char **cells;
    size_t n_cells;
    size_t cap;
    bool cut; /* memory was short */
};

static bool was_cut;

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

struct pst_table *pst_table_new(const char *const *columns, size_t n_columns)
{
    struct pst_table *table = calloc(1, sizeof(*table));
    if (table == NULL || n_columns > MAX_COLUMNS) {
        free(table);
        return NULL;
    }
    table->n_columns = n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        table->right[i] = columns[i][0] == '>';
        table->headings[i] = columns[i] + (table->right[i] ? 1 : 0);
        table->widths[i] = width_of(table->headings[i]);
    }
    return table;
}

/* What is in a name must not move the terminal's cursor. */
static char *printable_copy(const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        return NULL;
    char *to = copy;
    for (const unsigned char *from = (const unsigned char *)text; *from != '\0'; from++) {
        bool c1 =
            from[0] == 0xC2 && from[1] >= 0x80 && from[1] <= 0x9F; /* U+0080 to U+009F, two bytes each */
        *to++ = c1 || *from < 0x20 || *from == 0x7F ? '?' : (char)*from;
        from += c1;
    }
    *to = '\0';
    return copy;
}

static bool make_room(struct pst_table *table)
{
    if (table->n_cells < table->cap)
        return true;
    size_t cap = table->cap > 0 ? table->cap * 2 : 64;
    char **cells = realloc(table->cells, cap * sizeof(*cells));
    if (cells == NULL)
        return false;
    table->cells = cells;
    table->cap = cap;
    return true;
}

void pst_table_cell(struct pst_table *table, const char *text)
{
    char *copy = !table->cut && make_room(table) ? printable_copy(text) : NULL;
    if (copy == NULL) {
        table->cut = was_cut = true;
        return;
    }
    size_t column = table->n_cells % table->n_columns;
    size_t width = width_of(copy);
    if (width > table->widths[column])
        table->widths[column] = width;
    table->cells[table->n_cells++] = copy;
}

bool pst_table_was_cut(void)
{
    return was_cut;
}

void pst_table_cell_u64(struct pst_table *table, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    pst_table_cell(table, text);
}

static void print_cell(const struct pst_table *table, size_t column, const char *text, FILE *out)
{
    int pad = (int)(table->widths[column] - width_of(text));
    bool last = column + 1 == table->n_columns;
    if (table->right[column])
        fprintf(out, "%*s%s%s", pad, "", text, last ? "\n" : "  ");
    else if (last)
        fprintf(out, "%s\n", text);
    else
        fprintf(out, "%s%*s  ", text, pad, "");
}

void pst_table_print(struct pst_table *table, FILE *out)
{
    for (size_t i = 0; i < table->n_columns; i++)
        print_cell(table, i, table->headings[i], out);
    for (size_t i = 0; i < table->n_cells; i++) {
        print_cell(table, i % table->n_columns, table->cells[i], out);
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}

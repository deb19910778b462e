/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/num.h"

int pst_num_u64(struct pst_str s, uint64_t *ret_value)
{
    if (s.len == 0)
        return -PST_EPARSE;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -PST_EPARSE;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return -PST_ELIMIT;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return 0;
}

int pst_num_i64(struct pst_str s, int64_t *ret_value)
{
    bool negative = s.len > 0 && s.p[0] == '-';
    uint64_t value = 0;
    int err = pst_num_u64(negative ? pst_str_skip(s, 1) : s, &value);
    if (err < 0)
        return err;
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return -PST_ELIMIT;
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = pst_ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int pst_num_hex64(struct pst_str s, uint64_t *ret_value)
{
    if (s.len == 0)
        return -PST_EPARSE;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        int digit = hex_digit(s.p[i]);
        if (digit < 0)
            return -PST_EPARSE;
        if (i >= 16)
            return -PST_ELIMIT;
        value = value << 4 | (uint64_t)digit;
    }
    *ret_value = value;
    return 0;
}

struct unit {
    struct pst_str name;
    uint64_t factor;
};

/* Splits "12unit" and multiplies; an empty name stands for "no unit". */
static int parse_with_unit(struct pst_str s, const struct unit *units, size_t n_units, uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < s.len && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    uint64_t value = 0;
    int err = pst_num_u64((struct pst_str){s.p, digits}, &value);
    if (err < 0)
        return err;
    struct pst_str unit = pst_str_skip(s, digits);
    for (size_t i = 0; i < n_units; i++) {
        if (!pst_str_ieq(unit, units[i].name))
            continue;
        if (units[i].factor > 0 && value > UINT64_MAX / units[i].factor)
            return -PST_ELIMIT;
        *ret_value = value * units[i].factor;
        return 0;
    }
    return -PST_EPARSE;
}

#define N_UNITS(table) (sizeof(table) / sizeof((table)[0]))

int pst_num_bytes(struct pst_str s, uint64_t *ret_bytes)
{
    static const uint64_t k = 1024;
    const struct unit units[] = {
        {PST_STR(""), 1},          {PST_STR("B"), 1},           {PST_STR("K"), k},
        {PST_STR("KiB"), k},       {PST_STR("M"), k * k},       {PST_STR("MiB"), k * k},
        {PST_STR("G"), k * k * k}, {PST_STR("GiB"), k * k * k},
    };
    return parse_with_unit(s, units, N_UNITS(units), ret_bytes);
}

int pst_num_duration_ms(struct pst_str s, uint64_t bare_unit_ms, uint64_t *ret_ms)
{
    const struct unit units[] = {
        {PST_STR(""), bare_unit_ms}, {PST_STR("ms"), 1},      {PST_STR("s"), 1000},
        {PST_STR("m"), 60000},       {PST_STR("h"), 3600000}, {PST_STR("d"), 86400000},
    };
    return parse_with_unit(s, units, N_UNITS(units), ret_ms);
}

void pst_hex_encode(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

int pst_hex_decode(struct pst_str s, uint8_t *out, size_t len)
{
    if (s.len != 2 * len)
        return -PST_EPARSE;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(s.p[2 * i]);
        int low = hex_digit(s.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return -PST_EPARSE;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

size_t pst_u64_format(uint64_t value, char out[static PST_U64_TEXT_MAX])
{
    char reversed[PST_U64_TEXT_MAX];
    size_t n = 0;
    do {
        reversed[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

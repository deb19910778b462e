/* SPDX-License-Identifier: Apache-2.0 */
/* What .NET's Guid.TryParse takes in its formats N, D, B and P, and what it makes of it: a model written from
 * its documented behaviour ("Components may begin with 0x and/or +, but the expected length of each component
 * needs to include those prefixes"), for the job ids of containers that parse with it. */
#ifndef POSTERN_TESTS_DOTNET_GUID_H
#define POSTERN_TESTS_DOTNET_GUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int dotnet_hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* A component; its prefix counts among its `n` characters. */
static bool dotnet_component(const char *at, size_t n, bool prefixes, uint32_t *ret)
{
    size_t i = 0;
    if (prefixes && n > 0 && at[0] == '+')
        i++;
    if (prefixes && n - i > 1 && at[i] == '0' && (at[i + 1] == 'x' || at[i + 1] == 'X'))
        i += 2;
    *ret = 0;
    for (; i < n; i++) {
        if (dotnet_hex(at[i]) < 0)
            return false;
        *ret = *ret << 4 | (uint32_t)dotnet_hex(at[i]);
    }
    return true;
}

static bool dotnet_guid_d(const char *text, char ret[static 33])
{
    static const struct {
        size_t at, n;
        bool prefixes;
    } parts[] = {{0, 8, true}, {9, 4, true}, {14, 4, true}, {19, 4, true}, {24, 4, true}, {28, 8, false}};
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
        return false;
    for (size_t i = 0; i < 6; i++) {
        uint32_t value;
        if (!dotnet_component(text + parts[i].at, parts[i].n, parts[i].prefixes, &value))
            return false;
        ret += snprintf(ret, 9, "%0*x", (int)parts[i].n, value);
    }
    return true;
}

/* `ret`: its 32 digits. White space around it is the caller's. */
static bool dotnet_guid(const char *text, size_t len, char ret[static 33])
{
    if (len == 38 && ((text[0] == '{' && text[37] == '}') || (text[0] == '(' && text[37] == ')')))
        return dotnet_guid_d(text + 1, ret);
    if (len == 36)
        return dotnet_guid_d(text, ret);
    if (len != 32)
        return false;
    ret[32] = '\0';
    for (size_t i = 0; i < 32; i++) {
        if (dotnet_hex(text[i]) < 0)
            return false;
        ret[i] = "0123456789abcdef"[dotnet_hex(text[i])];
    }
    return true;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Digits of other scripts than Latin, which the number parsers of Java and Python take for digits. Private to
 * http. */
#ifndef POSTERN_GATEWAY_HTTP_DIGITS_H
#define POSTERN_GATEWAY_HTTP_DIGITS_H

#include <stdint.h>

/* '0' to '9' for a decimal digit of any script (Unicode's category Nd), 'a' to 'f' for a fullwidth letter,
 * which Java takes for a hexadecimal digit; else '\0'. */
char http_digit_of(uint32_t code_point);

#endif

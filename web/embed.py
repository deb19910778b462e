#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a file as a C array: embed.py FILE NAME OUTPUT makes NAME and NAME_len."""
import sys


def array(data):
    lines = (", ".join(map(str, data[i : i + 24])) for i in range(0, len(data), 24))
    return f"{{\n    {(',' + chr(10) + '    ').join(lines)}}}"


def main():
    source, name, output = sys.argv[1:]
    with open(source, "rb") as f:
        data = f.read()
    with open(output, "w", encoding="ascii") as f:
        f.write(f"/* Made by web/embed.py. */\n#include <stddef.h>\n\n"
                f"extern const unsigned char {name}[];\nextern const size_t {name}_len;\n"
                f"const unsigned char {name}[] = {array(data)};\n"
                f"const size_t {name}_len = sizeof({name});\n")


if __name__ == "__main__":
    main()

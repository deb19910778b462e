#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the migrations as a C source: embed.py OUTPUT NAME=FILE[,FILE…] …

Each NAME becomes an array pst_db_migrations_<NAME>, in the order given; the n-th file takes a database
from schema version n-1 to n, and must begin with that number."""
import os
import sys


def literal(text):
    lines = []
    for line in text.splitlines():
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("??", "?\\?")
        lines.append(f'    "{escaped}\\n"')
    return "\n".join(lines)


def array(name, files):
    parts = []
    for version, path in enumerate(files, start=1):
        number = os.path.basename(path).split("_")[0]
        if int(number) != version:
            sys.exit(f"{path}: expected a name that begins with {version:04d}_")
        with open(path, encoding="ascii") as f:
            parts.append(f"    /* {os.path.basename(path)} */\n{literal(f.read())},\n")
    return f"const char *const pst_db_migrations_{name}[] = {{\n{''.join(parts)}    NULL,\n}};\n"


def main():
    output, groups = sys.argv[1], sys.argv[2:]
    text = '/* Made by db/embed.py. */\n#include "migrate.h"\n\n#include <stddef.h>\n\n'
    for group in groups:
        name, _, files = group.partition("=")
        text += array(name, files.split(","))
    with open(output, "w", encoding="ascii") as f:
        f.write(text)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the page's files as a C table: embed_page.py OUTPUT FILE... makes admin_assets[] (gateway/admin/assets.h).

The path of a file is its path below this folder; index.html is "/". The compressed form is the same on every
machine: gzip with neither name nor time in its head.
"""
import gzip
import hashlib
import os
import sys

from embed import array

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def asset(number, file):
    name = os.path.relpath(file, os.path.dirname(os.path.abspath(__file__)))
    with open(file, "rb") as f:
        data = f.read()
    packed = gzip.compress(data, 9, mtime=0)
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = "/" if name == "index.html" else "/" + name
    arrays = (f"static const unsigned char plain_{number}[] = {array(data)};\n"
              f"static const unsigned char gzip_{number}[] = {array(packed)};\n")
    row = (f'    {{"{path}", "{TYPES[os.path.splitext(name)[1]]}", "{digest}", '
           f"plain_{number}, sizeof(plain_{number}), gzip_{number}, sizeof(gzip_{number})}},\n")
    return arrays, row


def main():
    output, *files = sys.argv[1:]
    made = [asset(number, os.path.abspath(file)) for number, file in enumerate(files)]
    with open(output, "w", encoding="ascii") as f:
        f.write('/* Made by web/embed_page.py. */\n#include "assets.h"\n\n')
        f.writelines(arrays for arrays, _ in made)
        f.write("const struct admin_asset admin_assets[] = {\n")
        f.writelines(row for _, row in made)
        f.write("};\nconst size_t admin_assets_len = sizeof(admin_assets) / sizeof(admin_assets[0]);\n")


if __name__ == "__main__":
    main()

/* SPDX-License-Identifier: Apache-2.0 */
#include "key_internal.h"

static const struct pst_command commands[] = {
    {"create", "make a key with two secrets, printed once", key_create},
    {"import", "take over one or two secrets that clients have already", key_import},
    {"list", "all keys, without their secrets", key_list},
    {"show", "one key", key_show},
    {"update", "change what a key is called, may do, and when", key_update},
    {"rotate", "replace one of a key's secrets; the old one works on for a while", key_rotate},
    {"disable", "refuse a key from now on", key_disable},
    {"enable", "accept it again", key_enable},
    {"delete", "remove a key for good", key_delete},
};

static const struct pst_command_set set = {
    .name = "key ",
    .about = "Manages the keys in data_dir. A running gateway takes a change in within a second.",
    .commands = commands,
    .n = sizeof(commands) / sizeof(commands[0]),
};

int pst_cmd_key(int argc, char **argv)
{
    return pst_cmd_choose(&set, argc, argv);
}

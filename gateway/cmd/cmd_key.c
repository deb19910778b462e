/* SPDX-License-Identifier: Apache-2.0 */
#include "key_internal.h"

static const struct pst_command commands[] = {
    {"create", "create a key and print its two secrets once", key_create},
    {"import", "create keys from secrets that clients already use", key_import},
    {"list", "list keys, without their secrets", key_list},
    {"show", "show one key", key_show},
    {"update", "change a key's name, expiry or restrictions", key_update},
    {"rotate", "replace one of a key's secrets; the old one works for a grace period", key_rotate},
    {"disable", "disable a key", key_disable},
    {"enable", "re-enable a key", key_enable},
    {"delete", "permanently delete a key", key_delete},
};

static const struct pst_command_set set = {
    .name = "key ",
    .about = "Manages the keys in data_dir. A running gateway applies changes within a second. Commands that "
             "take a KEY accept its id, or its name when no other key has the same one.",
    .commands = commands,
    .n = sizeof(commands) / sizeof(commands[0]),
};

int pst_cmd_key(int argc, char **argv)
{
    return pst_cmd_choose(&set, argc, argv);
}

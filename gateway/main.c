/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/cmd/command.h"

int main(int argc, char **argv)
{
    return pst_cmd_main(argc, argv);
}

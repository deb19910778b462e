/* SPDX-License-Identifier: Apache-2.0 */
/* Replays inputs through a fuzz target without libFuzzer: replay FILE-OR-FOLDER… Each file is one input; the
 * empty input comes first always. Fails when an argument cannot be read; the target itself aborts on a fault.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* libFuzzer's optional hook; most targets do without. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static size_t n_replayed;

static void replay_bytes(const uint8_t *data, size_t size)
{
    /* A block of exactly this size, so that a sanitizer sees a read past its end. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    n_replayed++;
}

static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    int r = -1;
    if (file && data && fread(data, 1, size, file) == size) {
        replay_bytes(data, size);
        r = 0;
    } else {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    free(data);
    if (file)
        fclose(file);
    return r;
}

static int replay(const char *path);

static int replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return -1;
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(folder));) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) < (int)sizeof(inner))
            r = replay(inner);
    }
    closedir(folder);
    return r;
}

static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    replay_bytes((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (replay(argv[i]) < 0)
            return 1;
    }
    printf("%zu inputs replayed\n", n_replayed);
    return 0;
}

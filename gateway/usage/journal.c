/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/journal.h"

#include "journal_private.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t bytes_for(uint32_t capacity)
{
    return JOURNAL_HEAD_SIZE + (size_t)capacity * sizeof(struct pst_usage_record);
}

static struct pst_journal *wrap(void *map, uint32_t version, size_t bytes, const char *path)
{
    struct pst_journal *journal = calloc(1, sizeof(*journal));
    if (journal == NULL)
        return NULL;
    journal->head = map;
    journal->names = version == 1 ? NULL : (char *)map + JOURNAL_PAGE;
    journal->ring = (char *)map + (version == 1 ? JOURNAL_V1_HEAD_SIZE : JOURNAL_HEAD_SIZE);
    journal->map_bytes = bytes;
    pst_str_clip(pst_str_of(path), journal->path, sizeof(journal->path));
    return journal;
}

void journal_unmap(struct pst_journal *journal)
{
    munmap(journal->head, journal->map_bytes);
    free(journal);
}

/* Making */

static void write_head(struct pst_journal *journal, uint32_t capacity)
{
    struct journal_head *head = journal->head;
    head->version = PST_JOURNAL_VERSION;
    head->record_bytes = sizeof(struct pst_usage_record);
    head->capacity = capacity;
    if (getrandom(head->uuid, sizeof(head->uuid), 0) != (ssize_t)sizeof(head->uuid))
        memcpy(head->uuid, &journal, sizeof(void *)); /* never seen to fail; still one of a kind here */
    atomic_signal_fence(memory_order_release);
    head->magic = JOURNAL_MAGIC;
}

/* A file whose blocks are all there: a disk that fills up later cannot fault the worker. */
static int make_file(const char *path, size_t bytes, void **ret_map)
{
    PST_FD fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return pst_err_from_errno(errno);
    int failed = posix_fallocate(fd, 0, (off_t)bytes);
    void *map = MAP_FAILED;
    if (failed == 0)
        map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        int err = pst_err_from_errno(failed != 0 ? failed : errno);
        unlink(path);
        return err;
    }
    *ret_map = map;
    return 0;
}

static uint32_t round_up(uint32_t n)
{
    uint32_t power = PST_JOURNAL_RECORDS_MIN;
    while (power < n)
        power *= 2;
    return power;
}

int pst_journal_open(const char *data_dir, unsigned index, uint32_t n_records, struct pst_journal **ret)
{
    char path[512], unbegun[sizeof(path) + sizeof(JOURNAL_UNBEGUN)];
    if (n_records < PST_JOURNAL_RECORDS_MIN || n_records > PST_JOURNAL_RECORDS_MAX ||
        snprintf(path, sizeof(path), "%s/" PST_JOURNAL_DIR "/worker-%u.ring", data_dir, index) >=
            (int)sizeof(path))
        return -PST_EINVAL;
    uint32_t capacity = round_up(n_records);
    size_t bytes = bytes_for(capacity);
    void *map = MAP_FAILED;
    snprintf(unbegun, sizeof(unbegun), "%s" JOURNAL_UNBEGUN, path);
    int err = access(path, F_OK) < 0 ? make_file(unbegun, bytes, &map) : -PST_EEXIST;
    if (err < 0) {
        pst_warn("usage",
                 "%s cannot be created (%s); this worker's journal is in memory: a crash would lose what is "
                 "not yet in the database",
                 path, pst_strerror(err));
        path[0] = '\0';
        map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    struct pst_journal *journal = map != MAP_FAILED ? wrap(map, PST_JOURNAL_VERSION, bytes, path) : NULL;
    if (journal == NULL) {
        if (map != MAP_FAILED)
            munmap(map, bytes);
        return -PST_ENOMEM;
    }
    write_head(journal, capacity);
    if (path[0] != '\0' && rename(unbegun, path) < 0) {
        err = pst_err_from_errno(errno);
        pst_error("usage", "%s cannot be renamed to %s: %s", unbegun, path, pst_strerror(err));
        unlink(unbegun);
        journal_unmap(journal);
        return err;
    }
    *ret = journal;
    return 0;
}

void pst_journal_close(struct pst_journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->path[0] != '\0' && pst_journal_lag(journal) == 0)
        unlink(journal->path);
    journal_unmap(journal);
}

/* Mapping what is there */

static int check_head(const struct journal_head *head, size_t file_bytes)
{
    if (head->magic != JOURNAL_MAGIC)
        return -PST_EPARSE;
    bool old = head->version == 1;
    if (head->version != PST_JOURNAL_VERSION && !old)
        return -PST_EVERSION;
    size_t head_bytes = old ? JOURNAL_V1_HEAD_SIZE : JOURNAL_HEAD_SIZE;
    size_t record_bytes = old ? JOURNAL_V1_RECORD_BYTES : sizeof(struct pst_usage_record);
    uint32_t capacity = head->capacity;
    bool power = capacity >= PST_JOURNAL_RECORDS_MIN && capacity <= PST_JOURNAL_RECORDS_MAX &&
                 (capacity & (capacity - 1)) == 0;
    bool fits = power && head_bytes + capacity * record_bytes == file_bytes;
    return head->record_bytes == record_bytes && fits ? 0 : -PST_EPARSE;
}

int journal_map(const char *path, struct pst_journal **ret)
{
    PST_FD fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return pst_err_from_errno(errno);
    if (!S_ISREG(st.st_mode) || st.st_size < JOURNAL_PAGE)
        return -PST_EPARSE;
    size_t bytes = (size_t)st.st_size;
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return pst_err_from_errno(errno);
    int err = check_head(map, bytes);
    uint32_t version = err == 0 ? ((const struct journal_head *)map)->version : 0;
    struct pst_journal *journal = err == 0 ? wrap(map, version, bytes, path) : NULL;
    if (journal == NULL) {
        munmap(map, bytes);
        return err < 0 ? err : -PST_ENOMEM;
    }
    *ret = journal;
    return 0;
}

/* Records */

#define CHECK_LANES 4
#define LANES_BYTES (CHECK_LANES * sizeof(uint64_t))
_Static_assert(offsetof(struct pst_usage_record, path) % LANES_BYTES == 0 &&
                   PST_USAGE_PATH_SIZE % LANES_BYTES == 0,
               "the lanes share the words evenly");

/* What of a record is used, rounded up: the rest of the path's room is neither copied nor looked at. */
static size_t used_bytes(const struct pst_usage_record *record)
{
    size_t path = (record->path_len + LANES_BYTES - 1) / LANES_BYTES * LANES_BYTES;
    return offsetof(struct pst_usage_record, path) + path;
}

static inline uint64_t mix(uint64_t lane, const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return (lane ^ word) * UINT64_C(0xFF51AFD7ED558CCD) + (lane >> 29);
}

/* A multiplicative hash over the words of a record whose field `check` is 0: enough to tell a whole record
 * from a torn or an old one. In lanes, because this is on the worker's way and one chain of multiplications
 * would wait for itself. */
static uint32_t check_of(const struct pst_usage_record *record, uint64_t n, const uint8_t *uuid)
{
    uint64_t lanes[CHECK_LANES];
    memcpy(lanes, uuid, PST_JOURNAL_UUID_BYTES);
    lanes[2] = n * UINT64_C(0x9E3779B97F4A7C15);
    lanes[3] = ~n;
    const char *at = (const char *)record;
    for (size_t n_bytes = used_bytes(record); n_bytes > 0; n_bytes -= LANES_BYTES, at += LANES_BYTES) {
        lanes[0] = mix(lanes[0], at);
        lanes[1] = mix(lanes[1], at + 8);
        lanes[2] = mix(lanes[2], at + 16);
        lanes[3] = mix(lanes[3], at + 24);
    }
    uint64_t hash = 0;
    for (size_t i = 0; i < CHECK_LANES; i++)
        hash = (hash ^ lanes[i]) * UINT64_C(0xC4CEB9FE1A85EC53) + (hash >> 31);
    return (uint32_t)(hash >> 32);
}

int pst_journal_append(struct pst_journal *journal, const struct pst_usage_record *record)
{
    struct journal_head *head = journal->head;
    uint64_t n = atomic_load_explicit(&head->head, memory_order_relaxed);
    if (n - atomic_load_explicit(&head->drained, memory_order_acquire) >= head->capacity) {
        atomic_fetch_add_explicit(&head->lost, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&head->lost_again, 1, memory_order_relaxed);
        return -PST_EBUSY;
    }
    void *at = journal->ring + (n & (head->capacity - 1)) * sizeof(*record);
    struct pst_usage_record *place = at;
    memcpy(at, record, offsetof(struct pst_usage_record, path));
    for (size_t i = 0; i < record->path_len; i += LANES_BYTES)
        memcpy(place->path + i, record->path + i, LANES_BYTES);
    place->check = check_of(record, n, head->uuid);
    atomic_store_explicit(&head->head, n + 1, memory_order_release);
    return 0;
}

bool journal_read(const struct pst_journal *journal, uint64_t n, struct pst_usage_record *ret)
{
    const uint8_t *uuid = journal->head->uuid;
    uint64_t i = n & (journal->head->capacity - 1);
    if (journal->names == NULL)
        return journal_v1_read(journal->ring + i * JOURNAL_V1_RECORD_BYTES, n, uuid, ret);
    memcpy(ret, journal->ring + i * sizeof(*ret), sizeof(*ret));
    /* What is read from a file is not trusted, even where the check fits. */
    if (ret->path_len > sizeof(ret->path))
        ret->path_len = sizeof(ret->path);
    if (ret->request_id_len > sizeof(ret->request_id))
        ret->request_id_len = sizeof(ret->request_id);
    uint32_t check = ret->check;
    ret->check = 0;
    bool whole = check == check_of(ret, n, uuid);
    ret->key_id[sizeof(ret->key_id) - 1] = '\0';
    return whole;
}

uint64_t journal_head(const struct pst_journal *journal)
{
    return atomic_load_explicit(&journal->head->head, memory_order_acquire);
}

bool journal_mend_head(struct pst_journal *journal, uint64_t drained)
{
    struct pst_usage_record record;
    uint64_t head = journal_head(journal), capacity = journal->head->capacity, base = drained;
    /* A usage.db that was restored from a copy is behind by more than the ring holds. */
    if (head > drained && head - drained > capacity && journal_read(journal, head - 1, &record))
        base = head - capacity;
    uint64_t top = base;
    for (uint64_t n = base; n < base + capacity; n++) {
        if (journal_read(journal, n, &record))
            top = n + 1;
    }
    if (head - base <= capacity && top <= head)
        return true;
    atomic_store_explicit(&journal->head->head, top, memory_order_release);
    return top == head + 1; /* killed between a record and its count */
}

/* More than could be served in a thousand years is none; a crash may fall between the two counts. */
#define LOST_MAX (UINT64_C(1) << 52)

bool journal_lost_is_sound(const struct pst_journal *journal)
{
    uint64_t lost = pst_journal_lost(journal);
    uint64_t again = journal->names == NULL ? lost : atomic_load(&journal->head->lost_again);
    return lost < LOST_MAX && lost - again <= 1;
}

uint64_t journal_drained_hint(const struct pst_journal *journal)
{
    uint64_t drained = atomic_load_explicit(&journal->head->drained, memory_order_acquire);
    uint64_t again = journal->names == NULL ? drained : atomic_load(&journal->head->drained_again);
    drained = again < drained ? again : drained;
    return drained <= journal_head(journal) ? drained : journal_head(journal);
}

uint64_t journal_logged(const struct pst_journal *journal)
{
    return atomic_load_explicit(&journal->head->logged, memory_order_relaxed);
}

void journal_set_logged(struct pst_journal *journal, uint64_t n)
{
    atomic_store_explicit(&journal->head->logged, n, memory_order_relaxed);
}

/* A kill may fall between any two of the stores: they are made in this order. */
void journal_announce(struct pst_journal *journal, const struct journal_lines *lines)
{
    struct journal_head *head = journal->head;
    if (journal->names == NULL)
        return;
    atomic_store_explicit(&head->announced, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    head->lines = *lines;
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&head->announced, 1, memory_order_relaxed);
}

bool journal_announced(const struct pst_journal *journal, struct journal_lines *ret)
{
    if (journal->names == NULL || atomic_load(&journal->head->announced) != 1)
        return false;
    *ret = journal->head->lines;
    uint64_t logged = journal_logged(journal), head = journal_head(journal);
    return ret->to > logged && ret->to <= head && ret->from < ret->to &&
           ret->to - ret->from <= journal->head->capacity;
}

void journal_release(struct pst_journal *journal, uint64_t n)
{
    atomic_store_explicit(&journal->head->drained, n, memory_order_release);
    if (journal->names != NULL)
        atomic_store_explicit(&journal->head->drained_again, n, memory_order_relaxed);
}

bool pst_journal_crash_safe(const struct pst_journal *journal)
{
    return journal->path[0] != '\0';
}

uint64_t pst_journal_lag(const struct pst_journal *journal)
{
    uint64_t drained = atomic_load_explicit(&journal->head->drained, memory_order_acquire);
    return journal_head(journal) - drained;
}

uint64_t pst_journal_lost(const struct pst_journal *journal)
{
    return atomic_load_explicit(&journal->head->lost, memory_order_relaxed);
}

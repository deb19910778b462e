/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/job_owners.h"

#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/crypto/hash.h"
#include "postern/http/job_id.h"
#include "postern/http/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        UINT64_C(0x31304a4e52545350) /* "PSTRNJ01" */
#define HEAD_BYTES   64
#define DIGEST_BYTES 16
/* A job may lie in any slot of its bucket: eight slots are three cache lines. */
#define WAYS 8

struct head {
    uint64_t magic;
    uint64_t n_slots;
    uint8_t salt[32]; /* so that nobody can know which ids share a bucket */
    uint8_t unused[16];
};
_Static_assert(sizeof(struct head) == HEAD_BYTES, "the head's place in the file");

/* Until `check` fits the rest, nothing is in it: a machine that stops in the middle of a write leaves no
 * wrong owner behind. */
struct slot {
    uint8_t job[DIGEST_BYTES];
    uint8_t owner[DIGEST_BYTES];
    int64_t ends_us; /* real time; 0: empty */
    uint64_t check;
};

struct pst_job_owners {
    pthread_mutex_t lock; /* the slots */
    struct head *head;
    struct slot *slots;
    size_t map_bytes;
    uint64_t lifetime_us;
    atomic_bool any; /* a job was ever noted: no look at paths before */
    atomic_ullong forgotten;
};

static size_t bytes_for(uint64_t n_slots)
{
    return HEAD_BYTES + (size_t)n_slots * sizeof(struct slot);
}

static void digest(const struct pst_job_owners *owners, struct pst_str what, uint8_t ret[static DIGEST_BYTES])
{
    struct sha256_ctx sha;
    uint8_t whole[PST_SHA256_BYTES];
    sha256_init(&sha);
    sha256_update(&sha, sizeof(owners->head->salt), owners->head->salt);
    sha256_update(&sha, what.len, (const uint8_t *)what.p);
    sha256_digest(&sha, sizeof(whole), whole);
    memcpy(ret, whole, DIGEST_BYTES);
}

static uint64_t check_of(const struct slot *slot)
{
    uint8_t whole[PST_SHA256_BYTES];
    uint64_t check;
    pst_sha256(slot, offsetof(struct slot, check), whole);
    memcpy(&check, whole, sizeof(check));
    return check;
}

static bool is_live(const struct slot *slot, int64_t now_us)
{
    return slot->ends_us > now_us && slot->check == check_of(slot);
}

static struct slot *bucket_of(const struct pst_job_owners *owners, const uint8_t job[static DIGEST_BYTES])
{
    uint64_t number;
    memcpy(&number, job, sizeof(number));
    return &owners->slots[(number & (owners->head->n_slots / WAYS - 1)) * WAYS];
}

static const struct slot *find(const struct pst_job_owners *owners, const uint8_t job[static DIGEST_BYTES],
                               int64_t now_us)
{
    const struct slot *bucket = bucket_of(owners, job);
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(bucket[i].job, job, DIGEST_BYTES) == 0 && is_live(&bucket[i], now_us))
            return &bucket[i];
    }
    return NULL;
}

/* A place in the job's bucket: an empty one, or that of the job that is forgotten soonest. */
static struct slot *make_room(struct pst_job_owners *owners, const uint8_t job[static DIGEST_BYTES],
                              int64_t now_us)
{
    struct slot *bucket = bucket_of(owners, job), *soonest = &bucket[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (!is_live(&bucket[i], now_us))
            return &bucket[i];
        if (bucket[i].ends_us < soonest->ends_us)
            soonest = &bucket[i];
    }
    if (atomic_fetch_add_explicit(&owners->forgotten, 1, memory_order_relaxed) == 0)
        pst_warn("auth", "more jobs are in progress than job_table_size holds: the owners of the oldest "
                         "are forgotten, and any key can read those jobs");
    return soonest;
}

static void put(struct pst_job_owners *owners, const struct slot *filled, int64_t now_us)
{
    struct slot *slot = make_room(owners, filled->job, now_us);
    slot->check = ~slot->check;
    atomic_signal_fence(memory_order_seq_cst);
    memcpy(slot, filled, offsetof(struct slot, check));
    atomic_signal_fence(memory_order_seq_cst);
    slot->check = check_of(filled);
    atomic_store_explicit(&owners->any, true, memory_order_relaxed);
}

/* The file */

static int map_file(const char *path, int flags, size_t bytes, struct head **ret_head)
{
    PST_FD fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0)
        return pst_err_from_errno(errno);
    /* All its blocks at once: a disk that fills up later cannot fault a worker. */
    int failed = posix_fallocate(fd, 0, (off_t)bytes);
    if (failed != 0)
        return pst_err_from_errno(failed);
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return pst_err_from_errno(errno);
    *ret_head = map;
    return 0;
}

static bool is_table(const struct head *head, size_t bytes)
{
    uint64_t n = head->n_slots;
    return head->magic == MAGIC && n >= PST_JOB_OWNERS_MIN && n <= PST_JOB_OWNERS_MAX && (n & (n - 1)) == 0 &&
           bytes_for(n) == bytes;
}

/* The table that is there; NULL when there is none, or none of ours. */
static struct head *map_old(const char *path, size_t *ret_bytes)
{
    struct stat st;
    struct head *head = NULL;
    if (lstat(path, &st) < 0)
        return NULL;
    size_t bytes = (size_t)st.st_size;
    bool fits = S_ISREG(st.st_mode) && st.st_size >= HEAD_BYTES && bytes <= bytes_for(PST_JOB_OWNERS_MAX);
    if (fits && map_file(path, 0, bytes, &head) == 0 && is_table(head, bytes)) {
        *ret_bytes = bytes;
        return head;
    }
    if (head != NULL)
        munmap(head, bytes);
    pst_warn("auth",
             "%s is not a job table; it is created again, and the owners of jobs in progress are forgotten",
             path);
    return NULL;
}

static void use(struct pst_job_owners *owners, struct head *head, size_t bytes)
{
    owners->head = head;
    owners->slots = (struct slot *)(void *)((char *)head + HEAD_BYTES);
    owners->map_bytes = bytes;
}

static void take_over(struct pst_job_owners *owners, const struct head *old, int64_t now_us)
{
    const struct slot *slots = (const struct slot *)(const void *)((const char *)old + HEAD_BYTES);
    for (uint64_t i = 0; i < old->n_slots; i++) {
        if (is_live(&slots[i], now_us))
            put(owners, &slots[i], now_us);
    }
}

/* A new table, beside the old one until it is whole; in memory when there is no room on the disk. */
static int make_new(struct pst_job_owners *owners, const char *path, uint64_t n_slots, const struct head *old)
{
    char beside[520];
    size_t bytes = bytes_for(n_slots);
    struct head *head = NULL;
    snprintf(beside, sizeof(beside), "%s.new", path);
    (void)unlink(beside);
    int err = map_file(beside, O_CREAT | O_EXCL, bytes, &head);
    if (err < 0) {
        (void)unlink(beside);
        pst_warn("auth", "%s cannot be created (%s): the owners of jobs are forgotten when the gateway stops",
                 beside, pst_strerror(err));
        head = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (head == MAP_FAILED)
            return -PST_ENOMEM;
    }
    use(owners, head, bytes);
    head->n_slots = n_slots;
    if (old != NULL)
        memcpy(head->salt, old->salt, sizeof(head->salt));
    else if (getrandom(head->salt, sizeof(head->salt), 0) != (ssize_t)sizeof(head->salt))
        pst_debug("auth", "no random salt for the job table");
    if (old != NULL)
        take_over(owners, old, 0);
    head->magic = MAGIC;
    if (err == 0 && rename(beside, path) < 0)
        pst_warn("auth", "%s: %s", path, strerror(errno));
    return 0;
}

static void look_for_jobs(struct pst_job_owners *owners)
{
    for (uint64_t i = 0; i < owners->head->n_slots; i++) {
        if (owners->slots[i].ends_us != 0)
            atomic_store_explicit(&owners->any, true, memory_order_relaxed);
    }
}

static int open_table(struct pst_job_owners *owners, const char *path, uint64_t n_slots)
{
    size_t bytes = 0;
    struct head *old = map_old(path, &bytes);
    if (old != NULL && old->n_slots == n_slots) {
        use(owners, old, bytes);
        look_for_jobs(owners);
        return 0;
    }
    int err = make_new(owners, path, n_slots, old);
    if (old != NULL)
        munmap(old, bytes);
    return err;
}

int pst_job_owners_open(const char *data_dir, uint32_t n_jobs, uint64_t lifetime_us,
                        struct pst_job_owners **ret)
{
    char path[512];
    if (n_jobs < PST_JOB_OWNERS_MIN || n_jobs > PST_JOB_OWNERS_MAX ||
        snprintf(path, sizeof(path), "%s/jobs.table", data_dir) >= (int)sizeof(path))
        return -PST_EINVAL;
    struct pst_job_owners *owners = calloc(1, sizeof(*owners));
    if (owners == NULL)
        return -PST_ENOMEM;
    uint64_t n_slots = PST_JOB_OWNERS_MIN;
    while (n_slots < n_jobs)
        n_slots *= 2;
    owners->lifetime_us = lifetime_us;
    int err = open_table(owners, path, n_slots);
    if (err < 0) {
        free(owners);
        return err;
    }
    pthread_mutex_init(&owners->lock, NULL);
    *ret = owners;
    return 0;
}

void pst_job_owners_close(struct pst_job_owners *owners)
{
    if (owners == NULL)
        return;
    munmap(owners->head, owners->map_bytes);
    pthread_mutex_destroy(&owners->lock);
    free(owners);
}

/* What it is for */

void pst_job_owners_add(struct pst_job_owners *owners, struct pst_str url, struct pst_str key_id,
                        int64_t now_real_us)
{
    struct pst_job_id id;
    if (!pst_job_id_last(url, &id))
        return;
    struct slot slot = {.ends_us = now_real_us + (int64_t)owners->lifetime_us};
    digest(owners, (struct pst_str){id.text, id.len}, slot.job);
    digest(owners, key_id, slot.owner);
    pthread_mutex_lock(&owners->lock);
    if (find(owners, slot.job, now_real_us) == NULL)
        put(owners, &slot, now_real_us);
    pthread_mutex_unlock(&owners->lock);
}

static bool is_of_another(struct pst_job_owners *owners, const struct pst_job_id *id, struct pst_str key_id,
                          int64_t now_us)
{
    uint8_t job[DIGEST_BYTES], owner[DIGEST_BYTES];
    digest(owners, (struct pst_str){id->text, id->len}, job);
    digest(owners, key_id, owner);
    pthread_mutex_lock(&owners->lock);
    const struct slot *slot = find(owners, job, now_us);
    bool another = slot != NULL && memcmp(slot->owner, owner, DIGEST_BYTES) != 0;
    pthread_mutex_unlock(&owners->lock);
    return another;
}

/* Whether what the path says, when it is decoded so often, is about no job of another key. */
static bool permits_reading(struct pst_job_owners *owners, struct pst_job_id_scan reading,
                            struct pst_str key_id, int64_t now_us)
{
    struct pst_job_id ids[PST_JOB_IDS_MAX];
    struct pst_job_id_scan scan = reading;
    for (size_t n; (n = pst_job_id_next(&scan, ids)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            if (is_of_another(owners, &ids[i], key_id, now_us))
                return false;
        }
    }
    return !pst_job_id_is_disguised(reading);
}

bool pst_job_owners_permit(struct pst_job_owners *owners, struct pst_str path, struct pst_str key_id,
                           int64_t now_real_us)
{
    if (!atomic_load_explicit(&owners->any, memory_order_relaxed))
        return true;
    struct pst_job_id_scan once = {.rest = path}, twice = {.rest = path, .twice = true};
    bool differs = pst_path_decodes_twice(path);
    return permits_reading(owners, once, key_id, now_real_us) &&
           (!differs || permits_reading(owners, twice, key_id, now_real_us));
}

uint64_t pst_job_owners_forgotten(const struct pst_job_owners *owners)
{
    return atomic_load_explicit(&owners->forgotten, memory_order_relaxed);
}

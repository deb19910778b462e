/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on secrets, for `traces_equal`. `silent_op find` prints, for each, its name and a seed, 16 hex
 * digits, whose secret result begins with a zero byte, which is where conversions of numbers like to show it.
 * `silent_op run SEED…`, one for each operation, does each twice, with a fixed seed and with that one; each
 * time in a child, so that all begin alike. Before and after it a byte is written at MARK and MARK + 1, by
 * which its part of what valgrind saw is found.
 *
 * "leak-branch" and "leak-table" do what must not be done, to show that it would be seen. The portable
 * AES-GCM does nothing where the processor has no instructions for it: there nettle looks up tables, as
 * mbedTLS's own does (docs/performance.md). */
#include "../../../../gateway/crypto/hooks/ecc.h"
#include "postern/base/num.h"
#include "postern/crypto/cpu.h"
#include "postern/crypto/engine.h"

#include <fcntl.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <mbedtls/sha256.h>
#include <nettle/curve25519.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES_MAX 3000 /* one in 256 will do */
#define MARK      ((uintptr_t)0x6000000000)
#define SEED      "0123456789abcdef"

static uint64_t state;

/* xorshift64*: the same steps whatever the state. */
static void draw(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        out[i] = (uint8_t)((state * UINT64_C(0x2545f4914f6cdd1d)) >> 56);
    }
}

/* Below the order, and not by leading zeros: that another draw is needed, once in 2^32, may show. */
static int draw_scalar(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    draw(out, len);
    out[0] = (uint8_t)((out[0] & 0x3f) | 0x40);
    return 0;
}

static const struct ecc_curve *curve;
static uint8_t peer[ECC_POINT_MAX]; /* a point of the curve: public */

static void public_of(uint8_t *result)
{
    uint8_t scalar[ECC_MAX_BYTES], point[ECC_POINT_MAX];
    draw_scalar(NULL, scalar, ecc_bytes(curve));
    if (ecc_public_of(curve, scalar, point) != 0)
        abort();
    memcpy(result, point, 16);
}

static void shared(uint8_t *result)
{
    uint8_t scalar[ECC_MAX_BYTES], x[ECC_MAX_BYTES];
    draw_scalar(NULL, scalar, ecc_bytes(curve));
    if (ecc_shared_of(curve, scalar, peer, x) != 0)
        abort();
    memcpy(result, x, 16);
}

static void sign(uint8_t *result)
{
    static const uint8_t hash[32] = {1, 2, 3};
    uint8_t scalar[ECC_MAX_BYTES], signature[ECC_POINT_MAX];
    draw_scalar(NULL, scalar, ecc_bytes(curve));
    if (ecc_sign(curve, scalar, hash, sizeof(hash), draw_scalar, NULL, signature) != 0)
        abort();
    memset(result, 1, 16); /* r and s are public */
}

static void x25519(uint8_t *result)
{
    static const uint8_t base[X25519_BYTES] = {9};
    uint8_t scalar[X25519_BYTES], point[X25519_BYTES];
    draw(scalar, sizeof(scalar));
    if (!x25519_shared(scalar, base, point))
        abort();
    curve25519_mul_g(point, scalar);
    memcpy(result, point, 16);
}

static void gcm(uint8_t *result)
{
    static const uint8_t iv[12], ad[13];
    static uint8_t text[3000];
    uint8_t key[32], tag[16];
    mbedtls_gcm_context context;
    draw(key, sizeof(key));
    draw(text, sizeof(text));
    mbedtls_gcm_init(&context);
    for (unsigned bits = 128; bits <= 256; bits += 128) {
        if (mbedtls_gcm_setkey(&context, MBEDTLS_CIPHER_ID_AES, key, bits) != 0 ||
            mbedtls_gcm_crypt_and_tag(&context, MBEDTLS_GCM_ENCRYPT, sizeof(text), iv, sizeof(iv), ad,
                                      sizeof(ad), text, text, sizeof(tag), tag) != 0 ||
            mbedtls_gcm_auth_decrypt(&context, sizeof(text), iv, sizeof(iv), ad, sizeof(ad), tag, sizeof(tag),
                                     text, text) != 0)
            abort();
    }
    mbedtls_gcm_free(&context);
    memcpy(result, tag, 16);
}

static void portable_gcm(uint8_t *result)
{
    const char *names;
    if (pst_cpu_has_aes(&names))
        gcm(result);
    else
        memset(result, 1, 16);
}

static void chachapoly(uint8_t *result)
{
    static const uint8_t iv[12], ad[13];
    static uint8_t text[3000];
    uint8_t key[32], tag[16];
    mbedtls_chachapoly_context context;
    draw(key, sizeof(key));
    draw(text, sizeof(text));
    mbedtls_chachapoly_init(&context);
    if (mbedtls_chachapoly_setkey(&context, key) != 0 ||
        mbedtls_chachapoly_encrypt_and_tag(&context, sizeof(text), iv, ad, sizeof(ad), text, text, tag) !=
            0 ||
        mbedtls_chachapoly_auth_decrypt(&context, sizeof(text), iv, ad, sizeof(ad), tag, text, text) != 0)
        abort();
    mbedtls_chachapoly_free(&context);
    memcpy(result, tag, 16);
}

static void sha2(uint8_t *result)
{
    uint8_t secret[200], digest[32];
    draw(secret, sizeof(secret));
    if (mbedtls_sha256(secret, sizeof(secret), digest, 0) != 0)
        abort();
    memcpy(result, digest, 16);
}

static volatile int steps;

static void leak_branch(uint8_t *result)
{
    draw(result, 16);
    for (int i = 0; i < 16; i++)
        if (result[i] > 100)
            steps++;
}

static void leak_table(uint8_t *result)
{
    static volatile uint8_t table[256];
    draw(result, 16);
    for (int i = 0; i < 16; i++)
        steps += table[result[i]];
}

static const struct {
    const char *name;
    mbedtls_ecp_group_id curve;
    void (*run)(uint8_t result[16]);
    bool portable; /* these come last: there is no way back */
} operations[] = {
    {"leak-branch", MBEDTLS_ECP_DP_NONE, leak_branch, false},
    {"leak-table", MBEDTLS_ECP_DP_NONE, leak_table, false},
    {"p256-public", MBEDTLS_ECP_DP_SECP256R1, public_of, false},
    {"p256-shared", MBEDTLS_ECP_DP_SECP256R1, shared, false},
    {"p256-sign", MBEDTLS_ECP_DP_SECP256R1, sign, false},
    {"x25519", MBEDTLS_ECP_DP_NONE, x25519, false},
    {"aes-gcm", MBEDTLS_ECP_DP_NONE, gcm, false},
    {"chacha20-poly1305", MBEDTLS_ECP_DP_NONE, chachapoly, false},
    {"sha256", MBEDTLS_ECP_DP_NONE, sha2, false},
    {"portable-aes-gcm", MBEDTLS_ECP_DP_NONE, portable_gcm, true},
    {"portable-chacha20-poly1305", MBEDTLS_ECP_DP_NONE, chachapoly, true},
};
#define N_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void prepare(size_t operation)
{
    uint8_t three[ECC_MAX_BYTES] = {0};
    if (operations[operation].portable)
        pst_crypto_portable();
    curve = ecc_curve_of(operations[operation].curve);
    if (curve == NULL)
        return;
    three[ecc_bytes(curve) - 1] = 3;
    if (ecc_public_of(curve, three, peer) != 0)
        abort();
}

static void find(size_t operation)
{
    for (uint64_t i = 1; i < TRIES_MAX; i++) {
        uint8_t result[16];
        uint64_t seed = i * UINT64_C(0x9e3779b97f4a7c15);
        state = seed;
        operations[operation].run(result);
        if (result[0] == 0) {
            printf("%s %016llx\n", operations[operation].name, (unsigned long long)seed);
            return;
        }
    }
    printf("%s fedcba9876543210\n", operations[operation].name); /* it has no secret result */
}

/* Digits and letters take the same way: the seed is a secret here, too. */
static uint64_t take_seed(const char *hex)
{
    uint64_t seed = 0;
    for (int i = 0; i < 16; i++) {
        unsigned c = (unsigned char)hex[i];
        seed = seed << 4 | ((c & 0x0f) + 9 * (c >> 6));
    }
    return seed;
}

/* State T of /proc/PID/stat, behind the name in parentheses: stopped, and all it wrote is written. */
static bool is_stopped(const char *stat_path)
{
    char text[512];
    int fd = open(stat_path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'T';
}

static void run_alone(size_t operation, const char *seed, volatile uint8_t *mark)
{
    uint8_t result[16];
    char stat_path[32];
    pid_t parent = getppid();
    snprintf(stat_path, sizeof(stat_path), "/proc/%ld/stat", (long)parent);
    while (!is_stopped(stat_path))
        usleep(1000);
    state = take_seed(seed);
    mark[0] = 1;
    operations[operation].run(result);
    mark[1] = 1;
    kill(parent, SIGCONT);
    _exit(0);
}

/* What both processes do goes into one list. So the parent stops while the child is between the marks. */
static void run(size_t operation, const char *seed, volatile uint8_t *mark)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        run_alone(operation, seed, mark);
    if (child > 0)
        raise(SIGSTOP);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        abort();
}

int main(int argc, char **argv)
{
    bool finds = argc == 2 && strcmp(argv[1], "find") == 0;
    void *mark = mmap((void *)MARK, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (mark == MAP_FAILED || pst_crypto_init() < 0 || (!finds && argc != 2 + (int)N_OPERATIONS))
        return 2;
    for (size_t i = 0; i < N_OPERATIONS; i++) {
        prepare(i);
        if (finds) {
            find(i);
            continue;
        }
        if (strlen(argv[2 + i]) != 16)
            return 2;
        run(i, SEED, mark);
        run(i, argv[2 + i], mark);
    }
    return 0;
}

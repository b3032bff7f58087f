/* SPDX-License-Identifier: MIT */
/*
 * SHA-256: the examples of FIPS 180-4, pieces of every size around a block, and the processor's instructions against
 * plain C.
 */
#include "test.h"

#include "base/sha256.h"

static void digest_hex(const void *data, size_t nbytes, char hex[65])
{
    fanin_sha256 hash;
    uint8_t digest[32];
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, data, nbytes);
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, hex);
}

static void fill(uint8_t *data, size_t nbytes, uint32_t seed)
{
    for (size_t i = 0; i < nbytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (uint8_t)(seed >> 24);
    }
}

/* NIST's example values for FIPS 180-4, and the empty message. */
static const struct {
    const char *message;
    const char *hex;
} examples[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static void test_examples(void **state)
{
    (void)state;
    char hex[65];
    /* First what is chosen on first use, then each by force. */
    for (int run = 0; run < 3; run++) {
        if (run > 0)
            fanin_sha256_force_scalar(run == 1);
        for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
            digest_hex(examples[i].message, strlen(examples[i].message), hex);
            assert_string_equal(hex, examples[i].hex);
        }
    }
    fanin_sha256_force_scalar(false);
}

static void test_million_a(void **state)
{
    (void)state;
    char block[1000];
    fanin_sha256 hash;
    uint8_t digest[32];
    char hex[65];
    memset(block, 'a', sizeof block);
    fanin_sha256_begin(&hash);
    for (int i = 0; i < 1000; i++)
        fanin_sha256_update(&hash, block, sizeof block);
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Every length up to four blocks, fed in pieces of every size up to one byte more than two. */
static void test_pieces(void **state)
{
    (void)state;
    uint8_t data[256];
    fill(data, sizeof data, 1);
    for (size_t nbytes = 0; nbytes <= sizeof data; nbytes++) {
        char whole[65];
        digest_hex(data, nbytes, whole);
        for (size_t piece = 1; piece <= 129; piece++) {
            fanin_sha256 hash;
            uint8_t digest[32];
            char hex[65];
            fanin_sha256_begin(&hash);
            for (size_t at = 0; at < nbytes; at += piece) {
                fanin_sha256_update(&hash, data + at, nbytes - at < piece ? nbytes - at : piece);
                fanin_sha256_update(&hash, NULL, 0);
            }
            fanin_sha256_end(&hash, digest);
            fanin_hex32(digest, hex);
            assert_string_equal(hex, whole);
        }
    }
}

/* The two ways agree on every length up to 1 KiB, at every alignment, and on a long message. */
static void test_scalar_equals_instructions(void **state)
{
    (void)state;
    if (!fanin_sha256_force_scalar(false)) {
        print_message("this processor has no SHA instructions\n");
        skip();
    }
    enum { LONG = 1 << 20 };
    uint8_t *data = malloc(LONG + 16);
    assert_non_null(data);
    fill(data, LONG + 16, 2);
    for (size_t nbytes = 0; nbytes <= 1024; nbytes++) {
        char scalar[65], fast[65];
        const uint8_t *begin = data + nbytes % 16;
        fanin_sha256_force_scalar(true);
        digest_hex(begin, nbytes, scalar);
        fanin_sha256_force_scalar(false);
        digest_hex(begin, nbytes, fast);
        assert_string_equal(scalar, fast);
    }
    char scalar[65], fast[65];
    fanin_sha256_force_scalar(true);
    digest_hex(data, LONG, scalar);
    fanin_sha256_force_scalar(false);
    digest_hex(data, LONG, fast);
    assert_string_equal(scalar, fast);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_million_a),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_scalar_equals_instructions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

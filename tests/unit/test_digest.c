/* test_digest.c -- SHA-256 against the published test vectors, and randomness that differs. */
#include "base/digest.h"

#include <string.h>

#include "tests/lib/test.h"

START_TEST(published_vectors)
{
	char hex[DIGEST_HEX];

	digest_sha256_hex(hex, "", 0);
	ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_sha256_hex(hex, "abc", 3);
	ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(parts_equal_the_whole)
{
	char whole[DIGEST_HEX], parts[DIGEST_HEX];
	char data[1000];
	struct digest *d = digest_begin();

	memset(data, 'z', sizeof(data));
	digest_sha256_hex(whole, data, sizeof(data));
	for (size_t i = 0; i < sizeof(data); i += 100)
		digest_add(d, data + i, 100);
	digest_end(&d, parts);
	ck_assert_ptr_null(d);
	ck_assert_str_eq(parts, whole);
}
END_TEST

START_TEST(random_bytes_differ)
{
	unsigned char a[600] = {0}, b[600] = {0};
	size_t zeros = 0;

	digest_random(a, sizeof(a));
	digest_random(b, sizeof(b));
	ck_assert_int_ne(memcmp(a, b, sizeof(a)), 0);
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	ck_assert_uint_lt(zeros, 60);
}
END_TEST

static const TTest *const tests[] = {published_vectors, parts_equal_the_whole, random_bytes_differ};
TEST_MAIN("digest", tests)

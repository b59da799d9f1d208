/* digest.c -- SHA-256 and randomness: the only file that knows OpenSSL. */
#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"

struct digest {
	EVP_MD_CTX *ctx;
};

/* SHA-256 can fail only for want of memory or in a broken installation; going on with a wrong hash is worse than ending. */
static void need(int ok, const char *what)
{
	if (ok == 1)
		return;
	fprintf(stderr, "barque: OpenSSL refused %s\n", what);
	abort();
}

struct digest *digest_begin(void)
{
	struct digest *d = mem_new(sizeof(*d));

	d->ctx = EVP_MD_CTX_new();
	need(d->ctx != NULL, "a digest context");
	need(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL), "SHA-256");
	return d;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
	need(EVP_DigestUpdate(d->ctx, data, len), "bytes to hash");
}

void digest_end(struct digest **d, char out[DIGEST_HEX])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	need(EVP_DigestFinal_ex((*d)->ctx, raw, &n), "the end of a hash");
	for (unsigned int i = 0; i < n && i < (DIGEST_HEX - 1) / 2; i++) {
		out[2 * i] = hex[raw[i] >> 4];
		out[2 * i + 1] = hex[raw[i] & 15];
	}
	out[DIGEST_HEX - 1] = '\0';
	EVP_MD_CTX_free((*d)->ctx);
	mem_free(d);
}

void digest_sha256_hex(char out[DIGEST_HEX], const void *data, size_t len)
{
	struct digest *d = digest_begin();

	digest_add(d, data, len);
	digest_end(&d, out);
}

void digest_random(void *out, size_t len)
{
	unsigned char *p = out;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		need(n > 0, "(or rather the kernel refused) random bytes");
		p += n;
		len -= (size_t)n;
	}
}

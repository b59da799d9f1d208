/* digest.h -- SHA-256 (door to OpenSSL's libcrypto) and randomness. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/base.h"

#define DIGEST_HEX 65

void digest_sha256_hex(char out[DIGEST_HEX], const void *data, size_t len);

/* Incremental; digest_end frees and sets *d to NULL. */
struct digest;
struct digest *digest_begin(void);
void digest_add(struct digest *d, const void *data, size_t len);
void digest_end(struct digest **d, char out[DIGEST_HEX]);

void digest_random(void *out, size_t len); /* from the kernel; ends the process if it has none */

#endif

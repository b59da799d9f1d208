/* dec.h -- exact decimals: money, prices and quantities that a person or an exchange will see.
 *
 * A dec is units / 10^scale, with the scale as it was printed: "1.50" is {150, 2} and prints as "1.50" again.
 * Arithmetic checks for overflow and says so; nothing is ever rounded silently.
 */
#ifndef BASE_DEC_H
#define BASE_DEC_H

#include "base/base.h"

#define DEC_SCALE_MAX 18
#define DEC_TEXT      24 /* "-9223372036854775808" with a point, and NUL */

struct dec {
	int64_t units;
	int8_t scale; /* digits after the point, 0..18 */
};

enum dec_round { DEC_FLOOR, DEC_CEIL, DEC_HALF_UP, DEC_TOWARD_ZERO };

/* Strict: -?digits[.digits], nothing else, at most 18 digits after the point and within int64. Returns false otherwise. */
bool dec_parse(const char *s, size_t len, struct dec *out) MUST_CHECK;
bool dec_parse_s(const char *s, struct dec *out) MUST_CHECK;
void dec_print(char out[DEC_TEXT], struct dec d);
double dec_double(struct dec d);         /* correctly rounded: equals strtod of the printed text */
int dec_cmp(struct dec a, struct dec b); /* by value, any scales, exact */
int dec_sign(struct dec d);
bool dec_add(struct dec a, struct dec b, struct dec *out) MUST_CHECK; /* result has the larger scale */
bool dec_sub(struct dec a, struct dec b, struct dec *out) MUST_CHECK;
/* Exact product, then brought to `scale` by `how`; false if it does not fit. */
bool dec_mul(struct dec a, struct dec b, int8_t scale, enum dec_round how, struct dec *out) MUST_CHECK;
bool dec_rescale(struct dec d, int8_t scale, enum dec_round how, struct dec *out) MUST_CHECK;

#endif

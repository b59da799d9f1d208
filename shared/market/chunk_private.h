/* chunk_private.h -- the layout of a chunk blob, shared by chunk.c, chunk_encode.c and chunk_decode.c.
 *
 * All numbers are little-endian.
 *
 *   0  "BQC1"             magic and version of the layout
 *   4  u8  interval       enum interval
 *   5  u8  0
 *   6  u16 rows           1..CHUNK_MAX
 *   8  u64 checksum       chunk_checksum of the blob
 *  16  i64 first          open time of the first row
 *  24  i64 last           open time of the last row
 *  32  twelve column heads, in the order of enum chunk_column:
 *          u8 form            how values become small numbers: enum chunk_form, and the flags
 *          u8 scale           the units are 10^-scale
 *          u8 width           bytes of the small numbers, 0..8; 0: all of them are 0
 *          varint base, zigzag
 *          varint step        at least 1
 *          u16 size           of each plane; `width` of them, and one more for the scales if CHUNK_MIXED
 *      then the planes of the columns, in the same order.
 *
 * A plane holds one byte of each row (plane 0 the lowest one of the small numbers). Its size says how it is kept: `rows` bytes:
 * as it is; 1 byte: every row has this one; else one zstd frame. High planes are nearly constant and shrink to nothing, low
 * ones are noise and are kept as they are, to be read where they lie. Columns have planes of their own, so that a reader
 * unpacks only what it was asked for.
 */
#ifndef MARKET_CHUNK_PRIVATE_H
#define MARKET_CHUNK_PRIVATE_H

#include "base/base.h"
#include "base/str.h"
#include "market/chunk.h"

/* What a later column is told from stands before it. */
enum chunk_column {
	CHUNK_TIME,
	CHUNK_CLOSE_TIME,
	CHUNK_CLOSE,
	CHUNK_OPEN,
	CHUNK_HIGH,
	CHUNK_LOW,
	CHUNK_VOLUME,
	CHUNK_QUOTE,
	CHUNK_TRADES,
	CHUNK_TAKER_BASE,
	CHUNK_TAKER_QUOTE,
	CHUNK_UNUSED,
	CHUNK_COLUMNS
};

/* value of row i from its small number u; zz(u) is the signed number behind the zigzag. All sums wrap at 64 bits. */
enum chunk_form {
	FORM_PLAIN,     /* base + step * u */
	FORM_SUM,       /* row 0: base; else the row above + step * zz(u) */
	FORM_CLOSES_AT, /* close of the interval that opened at the row's time + base + step * u */
	FORM_OPEN,      /* the close above (row 0: its own close) + step * zz(u) */
	FORM_HIGH,      /* max(open, close) + base + step * u */
	FORM_LOW,       /* min(open, close) - base - step * u */
	FORM_PRODUCT,   /* step * (volume * mean of the four prices / step + zz(u)) */
	FORM_SHARE,     /* step * (quote volume * taker volume / volume / step + zz(u)) */
	FORM_COUNT
};
#define CHUNK_FORM_MASK 0x0f
#define CHUNK_MIXED     0x10 /* rows were printed with different scales: one more plane has them */
#define CHUNK_RAW       0x20 /* ... and the units are of each row's own scale: they do not fit into one */

#define CHUNK_HEAD       32
#define CHUNK_PLANES_MAX 9 /* 8 bytes of a number, and the scales */

/* How one column is kept; from the heads of the blob, or on the way there. */
struct chunk_layout {
	uint8_t form, flags, scale, width;
	int64_t base;
	uint64_t step;
	uint16_t size[CHUNK_PLANES_MAX];
	const uint8_t *plane[CHUNK_PLANES_MAX]; /* into the blob */
};

/* The units of all columns, row by row. 400 KB: lives on the stack of the call, so that nothing is zeroed or kept. */
struct chunk_rows {
	size_t n;
	enum interval iv;
	uint64_t units[CHUNK_COLUMNS][CHUNK_MAX + 40]; /* int64_t in two's complement, so that sums may wrap */
	uint8_t scales[CHUNK_COLUMNS][CHUNK_MAX];      /* only where CHUNK_MIXED */
};

static inline uint64_t chunk_zigzag(uint64_t v)
{
	return (v << 1) ^ (0 - (v >> 63));
}

static inline uint64_t chunk_unzigzag(uint64_t u)
{
	return (u >> 1) ^ (0 - (u & 1));
}

double chunk_power(int scale); /* 10^scale */
/* The nearest double of units / 10^scale. */
double chunk_double(int64_t units, int scale);
/* What FORM_PRODUCT and FORM_SHARE expect in row i, in steps. Only multiplication, division and sums that no compiler may fuse,
 * so that it is the same number on every machine. The columns it reads must be there. */
uint64_t chunk_expect_product(const struct chunk_rows *r, const struct chunk_layout *columns, const struct chunk_layout *quote, size_t i);
uint64_t chunk_expect_share(const struct chunk_rows *r, const struct chunk_layout *columns, const struct chunk_layout *quote, size_t i);

/* The planes' compression. pack appends and returns the size; a packer lives for one chunk. */
struct chunk_packer;
struct chunk_packer *chunk_packer_open(void);
void chunk_packer_close(struct chunk_packer **p);
uint16_t chunk_pack(struct chunk_packer *p, const uint8_t *plane, size_t rows, struct buf *out);

/* The rows of a plane: where they lie in the blob, or unpacked into scratch[rows]; NULL: not a plane. */
const uint8_t *chunk_unpack(struct chunk_reader *u, const uint8_t *plane, size_t size, size_t rows, uint8_t *scratch);

#endif

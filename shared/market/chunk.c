/* chunk.c -- what both directions of the chunk codec share: windows, checksum, expected values, planes (door to zstd). */
#include "market/chunk.h"

#include <assert.h>
#include <string.h>
#include <zstd.h>

#include "base/mem.h"
#include "market/chunk_private.h"

#define EXACT_LIMIT (INT64_C(1) << 53) /* whole numbers up to here are doubles */

/* ---- windows -------------------------------------------------------------------------------------------------- */

#define MONTHS_OF_WINDOW 120

static int64_t decade(int64_t t_ms, int decades_later)
{
	struct time_civil c;
	time_to_civil(t_ms, &c);
	int year = c.year - ((c.year % 10) + 10) % 10 + decades_later * (MONTHS_OF_WINDOW / 12);
	return time_from_civil(&(struct time_civil){.year = year, .month = 1, .day = 1});
}

static int64_t window_ms(enum interval iv)
{
	return CHUNK_SPAN * (interval_next(iv, 0) - 0);
}

int64_t chunk_start(enum interval iv, int64_t t_ms)
{
	if (iv == INTERVAL_1M)
		return decade(t_ms, 0);
	int64_t rest = t_ms % window_ms(iv);
	return t_ms - rest - (rest < 0 ? window_ms(iv) : 0);
}

int64_t chunk_end(enum interval iv, int64_t t_ms)
{
	return iv == INTERVAL_1M ? decade(t_ms, 1) : chunk_start(iv, t_ms) + window_ms(iv);
}

/* ---- checksum ------------------------------------------------------------------------------------------------- */

#define MIX 0x9E3779B97F4A7C15u /* 2^64 / golden ratio, odd */

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * MIX;
	return h ^ (h >> 29);
}

struct lanes {
	uint64_t a, b, c, d;
};

static inline void mix_block(struct lanes *h, const uint8_t *block)
{
	uint64_t word[4];
	memcpy(word, block, sizeof word);
	h->a = mix(h->a, word[0]);
	h->b = mix(h->b, word[1]);
	h->c = mix(h->c, word[2]);
	h->d = mix(h->d, word[3]);
}

#define SUM_BLOCK 32

/* Four lanes, so that the multiplications overlap: several bytes a cycle. Against accidents, not against forgers. */
uint64_t chunk_sum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t rest[SUM_BLOCK] = {0};
	struct lanes h = {1, 2, 3, len};
	size_t whole_blocks = len / SUM_BLOCK;
	for (size_t i = 0; i < whole_blocks; i++)
		mix_block(&h, p + i * SUM_BLOCK);
	if (len % SUM_BLOCK)
		memcpy(rest, p + whole_blocks * SUM_BLOCK, len % SUM_BLOCK);
	mix_block(&h, rest);
	return mix(mix(mix(mix(MIX, h.a), h.b), h.c), h.d);
}

uint64_t chunk_checksum(const void *blob, size_t size)
{
	if (size < CHUNK_HEAD)
		return 0;
	const uint8_t *p = blob;
	uint64_t head;
	memcpy(&head, p, sizeof head);
	return mix(chunk_sum(p + 16, size - 16), head);
}

/* ---- values --------------------------------------------------------------------------------------------------- */

static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

double chunk_power(int scale)
{
	assert(scale >= 0 && scale <= DEC_SCALE_MAX);
	return powers[scale];
}

double chunk_double(int64_t units, int scale)
{
	/* Both are exact doubles, so one division gives the nearest double. */
	if (units >= -EXACT_LIMIT && units <= EXACT_LIMIT)
		return (double)units / chunk_power(scale);
	return dec_double((struct dec){units, (int8_t)scale});
}

static double value(const struct chunk_rows *r, const struct chunk_layout *columns, enum chunk_column c, size_t i)
{
	return chunk_double((int64_t)r->units[c][i], columns[c].scale);
}

/* Towards zero; what does not fit (hostile blobs, volume 0) is expected to be 0. */
static uint64_t whole(double steps)
{
	return steps > -9e18 && steps < 9e18 ? (uint64_t)(int64_t)steps : 0;
}

static double units_per_step(const struct chunk_layout *l)
{
	return chunk_power(l->scale) / (double)l->step;
}

uint64_t chunk_expect_product(const struct chunk_rows *r, const struct chunk_layout *columns, const struct chunk_layout *quote, size_t i)
{
	double high_low = value(r, columns, CHUNK_HIGH, i) + value(r, columns, CHUNK_LOW, i);
	double open_close = value(r, columns, CHUNK_OPEN, i) + value(r, columns, CHUNK_CLOSE, i);
	double mean = (high_low + open_close) * 0.25;
	return whole(value(r, columns, CHUNK_VOLUME, i) * mean * units_per_step(quote));
}

uint64_t chunk_expect_share(const struct chunk_rows *r, const struct chunk_layout *columns, const struct chunk_layout *quote, size_t i)
{
	double volume = value(r, columns, CHUNK_VOLUME, i);
	double taken = value(r, columns, CHUNK_QUOTE, i) * value(r, columns, CHUNK_TAKER_BASE, i);
	return volume > 0 ? whole(taken / volume * units_per_step(quote)) : 0;
}

/* ---- planes ---------------------------------------------------------------------------------------------------- */

struct chunk_packer {
	ZSTD_CCtx *zstd;
	uint8_t room[CHUNK_MAX];
};

/* Planes hold noise of few values and long runs: entropy coding with only long matches is both smaller and read twice as fast
 * as what the levels do, which find short matches in it. */
static const struct {
	ZSTD_cParameter parameter;
	int value;
} settings[] = {{ZSTD_c_compressionLevel, 1}, {ZSTD_c_strategy, ZSTD_fast}, {ZSTD_c_minMatch, 7}, {ZSTD_c_targetLength, 0}};

struct chunk_packer *chunk_packer_open(void)
{
	struct chunk_packer *p = mem_new(sizeof *p);
	p->zstd = ZSTD_createCCtx();
	assert(p->zstd); /* out of memory */
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		size_t answer = ZSTD_CCtx_setParameter(p->zstd, settings[i].parameter, settings[i].value);
		assert(!ZSTD_isError(answer));
	}
	return p;
}

void chunk_packer_close(struct chunk_packer **p)
{
	if (*p)
		ZSTD_freeCCtx((*p)->zstd);
	mem_free(p);
}

uint16_t chunk_pack(struct chunk_packer *p, const uint8_t *plane, size_t rows, struct buf *out)
{
	bool constant = memcmp(plane, plane + 1, rows - 1) == 0;
	/* Room for less than `rows` bytes: zstd gives up where the plane is noise. A frame is longer than one byte. */
	size_t size = constant ? 1 : ZSTD_compress2(p->zstd, p->room, rows - 1, plane, rows);
	bool packed = !constant && !ZSTD_isError(size);
	if (!constant && !packed)
		size = rows;
	buf_add(out, packed ? p->room : plane, size);
	return (uint16_t)size;
}

struct chunk_reader {
	ZSTD_DCtx *zstd;
};

struct chunk_reader *chunk_reader_open(void)
{
	struct chunk_reader *u = mem_new(sizeof *u);
	u->zstd = ZSTD_createDCtx();
	assert(u->zstd);
	return u;
}

void chunk_reader_close(struct chunk_reader **u)
{
	if (*u)
		ZSTD_freeDCtx((*u)->zstd);
	mem_free(u);
}

const uint8_t *chunk_unpack(struct chunk_reader *u, const uint8_t *plane, size_t size, size_t rows, uint8_t *scratch)
{
	if (size == rows)
		return plane;
	if (size == 1) {
		memset(scratch, *plane, rows);
		return scratch;
	}
	return ZSTD_decompressDCtx(u->zstd, scratch, rows, plane, size) == rows ? scratch : NULL;
}

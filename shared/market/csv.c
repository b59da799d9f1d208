/* csv.c -- candles as lines of CSV: strict reading, exact printing. */
#include "market/csv.h"

#include <string.h>

#define FIELDS         12
#define FIRST_OPTIONAL 7                        /* quote_volume and what follows may be empty */
#define MICROSECONDS   INT64_C(100000000000000) /* a time above this (year 5138 in ms) is in µs */

struct field {
	const char *s;
	size_t len;
};

static bool split(const char *line, size_t len, struct field out[FIELDS])
{
	const char *end = line + len;
	for (int i = 0; i < FIELDS; i++) {
		const char *comma = memchr(line, ',', (size_t)(end - line));
		if ((i == FIELDS - 1) != (comma == NULL))
			return false;
		out[i] = (struct field){line, (size_t)((comma ? comma : end) - line)};
		line = comma ? comma + 1 : end;
	}
	return true;
}

static bool number(struct field f, int64_t *out)
{
	int64_t v = 0;
	if (f.len < 1 || f.len > 18)
		return false;
	for (size_t i = 0; i < f.len; i++) {
		if (f.s[i] < '0' || f.s[i] > '9')
			return false;
		v = v * 10 + (f.s[i] - '0');
	}
	*out = v;
	return true;
}

static bool moment(struct field f, int64_t *out)
{
	if (!number(f, out))
		return false;
	if (*out > MICROSECONDS)
		*out /= 1000;
	return *out <= MICROSECONDS; /* nanoseconds are nobody's format */
}

static bool decimal(struct field f, struct dec *out)
{
	*out = (struct dec){0};
	return f.len == 0 || dec_parse(f.s, f.len, out);
}

bool csv_parse(const char *line, size_t len, struct bar *out, bool *partial_out, struct err *e)
{
	struct field f[FIELDS];
	memset(out, 0, sizeof *out);
	if (len > CSV_LINE_MAX || !split(line, len, f))
		return err_set(e, ERR_CORRUPT, "a line must have %d fields", FIELDS);
	struct dec *const decimals[FIELDS] = {NULL, &out->open, &out->high, &out->low, &out->close, &out->volume, NULL, &out->quote_volume,
	        NULL, &out->taker_base, &out->taker_quote, &out->unused};
	*partial_out = false;
	int bad = !moment(f[0], &out->open_time) ? 0 : !moment(f[6], &out->close_time) ? 6 : -1;
	if (f[8].len > 0 && !number(f[8], &out->trades))
		bad = 8;
	for (int i = 0; i < FIELDS && bad < 0; i++) {
		*partial_out |= f[i].len == 0;
		if ((f[i].len == 0 && i < FIRST_OPTIONAL) || (decimals[i] && !decimal(f[i], decimals[i])))
			bad = i;
	}
	if (bad >= 0)
		return err_set(
		        e, ERR_CORRUPT, "field %d \"%.*s\" is not a number", bad + 1, (int)(f[bad].len < 32 ? f[bad].len : 32), f[bad].s);
	return true;
}

void csv_open(struct csv_reader *r, const char *text, size_t len)
{
	*r = (struct csv_reader){.at = text, .end = text + len};
}

static struct field next_line(struct csv_reader *r)
{
	const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
	struct field line = {r->at, (size_t)((newline ? newline : r->end) - r->at)};
	r->at = newline ? newline + 1 : r->end;
	r->line++;
	if (line.len && line.s[line.len - 1] == '\r')
		line.len--;
	return line;
}

int csv_next(struct csv_reader *r, struct bar *out, struct err *e)
{
	if (r->line == 0 && r->at < r->end && (*r->at < '0' || *r->at > '9'))
		next_line(r);
	if (r->at >= r->end)
		return 0;
	struct field line = next_line(r);
	bool partial;
	if (!csv_parse(line.s, line.len, out, &partial, e)) {
		err_prefix(e, "line %lld", (long long)r->line);
		return -1;
	}
	r->partial += partial;
	return 1;
}

void csv_print_header(struct buf *out)
{
	buf_adds(out, CSV_HEADER "\n");
}

static void add_decimal(struct buf *out, struct dec d)
{
	char text[DEC_TEXT];
	dec_print(text, d);
	buf_adds(out, text);
}

void csv_print(struct buf *out, const struct bar *b)
{
	const struct dec before[] = {b->open, b->high, b->low, b->close, b->volume};
	const struct dec after[] = {b->taker_base, b->taker_quote, b->unused};
	buf_addf(out, "%lld", (long long)b->open_time);
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		buf_addc(out, ',');
		add_decimal(out, before[i]);
	}
	buf_addf(out, ",%lld,", (long long)b->close_time);
	add_decimal(out, b->quote_volume);
	buf_addf(out, ",%lld", (long long)b->trades);
	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		buf_addc(out, ',');
		add_decimal(out, after[i]);
	}
	buf_addc(out, '\n');
}

/* faults.c -- what goes wrong on purpose: chosen by name, always, so many times, or with a probability (the same in every run). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/exchange_sim/sim.h"

#define HANG_MS    (10 * TIME_MINUTE)
#define DRIP_BYTES 64

static const struct {
	const char *name, *help;
	enum fault_stage stage;
} faults[FAULT_COUNT] = {
#define FAULT(id, text, stage, help) {text, help, stage},
#include "tests/exchange_sim/faults.def"
#undef FAULT
};

const char *fault_name(enum fault f)
{
	return faults[f].name;
}

void faults_help(void)
{
	for (int i = 0; i < FAULT_COUNT; i++)
		printf("    %-12s  %s\n", faults[i].name, faults[i].help);
}

bool fault_set(struct sim *s, const char *text, struct err *e)
{
	size_t len = strcspn(text, ":");
	const char *amount = text[len] ? text + len + 1 : NULL;
	int f = 0;
	while (f < FAULT_COUNT && (strlen(faults[f].name) != len || memcmp(faults[f].name, text, len)))
		f++;
	if (f == FAULT_COUNT)
		return err_set(e, ERR_INVALID, "there is no fault \"%.40s\"; --help lists them", text);
	struct fault_state st = {.on = true, .left = -1};
	bool count = amount && str_int(amount, 0, INT64_MAX, &st.left);
	bool chance = amount && !count && str_double(amount, &st.probability) && st.probability > 0 && st.probability < 1;
	if (amount && !count && !chance)
		return err_set(
		        e, ERR_INVALID, "after the colon of --fault stands a count or a probability such as 0.1, not \"%.40s\"", amount);
	st.done = s->faults[f].done;
	s->faults[f] = st;
	return true;
}

/* The die: the same request number meets the same faults in every run of the same seed. */
static double die(const struct sim *s, int f)
{
	uint64_t x = s->seed * 0x9E3779B97F4A7C15u + (uint64_t)s->n_asked * 0xBF58476D1CE4E5B9u + (uint64_t)f * 0x94D049BB133111EBu;
	x = (x ^ (x >> 31)) * 0xD6E8FEB86659FD93u;
	x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93u;
	return (double)((x ^ (x >> 32)) >> 11) * 0x1p-53;
}

static bool roll(struct sim *s, int f)
{
	struct fault_state *st = &s->faults[f];
	if (!st->on || st->left == 0 || (st->probability > 0 && die(s, f) >= st->probability))
		return false;
	if (st->left > 0)
		st->left--;
	st->done++;
	return true;
}

/* At most one fault replaces an answer, so that counts stay what they were asked to be; candles go wrong only when there are any. */
void faults_roll(struct visit *v)
{
	bool replaced = false;
	bool klines = str_eq(http_path(v->request), "/fapi/v1/klines");
	v->sim->n_asked++;
	for (int f = 0; f < FAULT_COUNT; f++) {
		bool can = faults[f].stage == STAGE_WORLD || (!replaced && (faults[f].stage == STAGE_ANSWER || klines));
		v->faults[f] = can && roll(v->sim, f);
		replaced |= faults[f].stage != STAGE_WORLD && v->faults[f];
	}
	if (v->faults[FAULT_clock_skew])
		v->data_ms += 90 * TIME_SECOND;
	if (v->faults[FAULT_unclosed])
		v->data_ms += 2 * TIME_HOUR;
}

/* ---- instead of an answer ----------------------------------------------------------------------------------- */

static void hang_over(struct http_request *r, bool gone, void *user)
{
	UNUSED(user);
	if (!gone)
		http_reply(r, 504, "text/plain", "", 0);
}

static void page(struct visit *v, int status, const char *title)
{
	char html[256];
	snprintf(html, sizeof(html), "<html>\r\n<head><title>%s</title></head>\r\n<body><center><h1>%s</h1></center></body>\r\n</html>\r\n",
	        title, title);
	http_reply(v->request, status, "text/html", html, strlen(html));
}

static void refuse(struct visit *v, int status, const char *wait_s, const char *fmt)
{
	http_reply_header(v->request, "Retry-After", wait_s);
	reply_error(v, status, -1003, "%s", fmt);
}

bool fault_answer(struct visit *v)
{
	const bool *f = v->faults;
	if (f[FAULT_limited])
		refuse(v, 429, "1",
		        "Too many requests; current limit is 2400 requests per minute. Please use the websocket for live updates to avoid polling the API.");
	else if (f[FAULT_banned])
		refuse(v, 418, "2", "Way too many requests; IP banned. Please use the websocket for live updates to avoid bans.");
	else if (f[FAULT_banned_long])
		refuse(v, 418, "10", "Way too many requests; IP banned. Please use the websocket for live updates to avoid bans.");
	else if (f[FAULT_firewall])
		page(v, 403, "403 Forbidden");
	else if (f[FAULT_region])
		reply_error(v, 451, 0, "Service unavailable from a restricted location according to 'b. Eligibility' in the terms.");
	else if (f[FAULT_internal])
		reply_error(v, 500, -1000, "An unknown error occured while processing the request.");
	else if (f[FAULT_gateway])
		page(v, 502, "502 Bad Gateway");
	else if (f[FAULT_overload])
		reply_error(v, 503, -1008, "Server is currently overloaded with other requests. Please try again in a few minutes.");
	else if (f[FAULT_html])
		page(v, 200, "Welcome to this hotel's network");
	else if (f[FAULT_reset])
		http_reply_cut(v->request, 0, NULL, NULL, 0, 0);
	else if (f[FAULT_hang])
		http_park(v->request, HANG_MS, hang_over, NULL);
	else
		return false;
	return true;
}

/* ---- in a body ---------------------------------------------------------------------------------------------- */

struct drip {
	struct buf text;
	size_t sent;
	bool rest; /* nothing this time, so that the server waits */
};

static bool drip_more(void *user, struct buf *b)
{
	struct drip *d = user;
	d->rest = !d->rest;
	if (d->rest)
		return true;
	size_t n = d->text.len - d->sent < DRIP_BYTES ? d->text.len - d->sent : DRIP_BYTES;
	buf_add(b, buf_text(&d->text) + d->sent, n);
	d->sent += n;
	return d->sent < d->text.len;
}

static void drip_closed(void *user)
{
	struct drip *d = user;
	buf_close(&d->text);
	mem_free(&d);
}

void reply_json(struct visit *v, struct buf *json)
{
	static const char type[] = "application/json";
	if (v->faults[FAULT_truncate]) {
		http_reply_cut(v->request, 200, type, buf_text(json), json->len / 2, json->len);
		buf_close(json);
	} else if (v->faults[FAULT_badjson]) {
		http_reply(v->request, 200, type, buf_text(json), json->len / 2);
		buf_close(json);
	} else if (v->faults[FAULT_slow]) {
		struct drip *d = mem_new(sizeof(*d));
		d->text = *json;
		http_reply_stream(v->request, 200, type, drip_more, drip_closed, d);
	} else {
		http_reply_buf(v->request, 200, type, json);
	}
}

/* ---- in candles --------------------------------------------------------------------------------------------- */

size_t fault_rows(const struct visit *v, enum interval iv, struct bar *rows, size_t n, size_t max)
{
	const bool *f = v->faults;
	if (!n || f[FAULT_empty])
		return 0;
	struct bar *mid = &rows[n / 2];
	if (f[FAULT_dup] && n > 1)
		rows[n - 1] = rows[n - 2];
	if (f[FAULT_disorder] && n > 1) {
		struct bar first = rows[0];
		rows[0] = rows[1];
		rows[1] = first;
	}
	if (f[FAULT_outside]) {
		rows[0].open_time -= TIME_DAY * (iv == INTERVAL_1M ? 31 : 7);
		rows[0].close_time -= TIME_DAY * (iv == INTERVAL_1M ? 31 : 7);
	}
	if (f[FAULT_impossible]) {
		mid->high = mid->low;
		mid->high.units -= 1;
	}
	if (f[FAULT_unaligned])
		mid->open_time += TIME_SECOND;
	return n < max ? n : max;
}

/* exchange_budget.c -- the weight budget of a process of its own: a ledger on the exchange's calendar minute, and stops. */
#include "base/clock.h"
#include "exchange/exchange_private.h"

static int64_t server_now(const struct own_budget *own)
{
	return own->offset_known ? clock_mono_ms() + own->offset_ms : clock_now_ms();
}

/* A Date header has whole seconds, so each answer only tells that the clock is not earlier; the latest estimate counts. */
void own_budget_clock(struct own_budget *own, int64_t server_ms)
{
	int64_t offset = server_ms - clock_mono_ms();
	int64_t change = offset - own->offset_ms;
	if (!own->offset_known || change > 0 || change < -2 * TIME_SECOND)
		own->offset_ms = offset;
	own->offset_known = true;
}

int64_t own_budget_minute_left(const struct own_budget *own)
{
	return own->offset_known ? EXCHANGE_MINUTE - server_now(own) % EXCHANGE_MINUTE : -1;
}

static void turn_minute(struct own_budget *own)
{
	int64_t minute = server_now(own) / EXCHANGE_MINUTE;
	if (minute != own->minute) {
		own->minute = minute;
		own->used = 0;
	}
}

static int own_take(void *user, int64_t cost, int64_t limit, int64_t *wait_ms_out, struct err *e)
{
	struct own_budget *own = user;
	int64_t now = clock_mono_ms();
	if (cost > limit)
		return err_fail(
		        e, ERR_INVALID, "a request of weight %lld is over the limit of %lld a minute", (long long)cost, (long long)limit);
	if (now < own->stop_until_ms) {
		*wait_ms_out = own->stop_until_ms - now;
		return 0;
	}
	turn_minute(own);
	if (own->used + cost > limit) {
		*wait_ms_out = (own->minute + 1) * EXCHANGE_MINUTE - server_now(own) + 1;
		return 0;
	}
	own->used += cost;
	return 1;
}

static bool own_correct(void *user, int64_t used, int64_t stop_ms, struct err *e)
{
	struct own_budget *own = user;
	UNUSED(e);
	turn_minute(own);
	if (used > own->used)
		own->used = used;
	if (stop_ms > 0 && clock_mono_ms() + stop_ms > own->stop_until_ms)
		own->stop_until_ms = clock_mono_ms() + stop_ms;
	return true;
}

struct exchange_budget own_budget_open(struct own_budget *own)
{
	*own = (struct own_budget){0};
	return (struct exchange_budget){.take = own_take, .correct = own_correct, .go_on = NULL, .user = own};
}

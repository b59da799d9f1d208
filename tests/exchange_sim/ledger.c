/* ledger.c -- request weight as the exchange counts it: by address and calendar minute; 429 over the limit, 418 for who goes on. */
#include <string.h>

#include "tests/exchange_sim/sim.h"

#define BAN_FIRST_MS (2 * TIME_MINUTE)
#define BAN_MAX_MS   (3 * TIME_DAY)

static struct ip_ledger *ledger_of(struct sim *s, const char *ip)
{
	for (size_t i = 0; i < s->n_ips; i++) {
		if (str_eq(s->ips[i].ip, ip))
			return &s->ips[i];
	}
	struct ip_ledger *l = &s->ips[s->n_ips < SIM_IPS ? s->n_ips++ : SIM_IPS - 1];
	*l = (struct ip_ledger){.ban_ms = BAN_FIRST_MS};
	if (!str_copy(l->ip, sizeof(l->ip), ip))
		l->ip[0] = '\0';
	return l;
}

static void count(struct sim *s, const struct ip_ledger *l, int64_t weight)
{
	s->weight_total += weight;
	if (l->used > s->weight_max)
		s->weight_max = l->used;
	if (!s->n_minutes || s->minutes[(s->n_minutes - 1) % SIM_MINUTES].minute != l->minute) {
		s->minutes[s->n_minutes % SIM_MINUTES].minute = l->minute;
		s->minutes[s->n_minutes % SIM_MINUTES].weight = 0;
		s->n_minutes++;
	}
	s->minutes[(s->n_minutes - 1) % SIM_MINUTES].weight += weight;
}

static int64_t seconds_until(int64_t now_ms, int64_t then_ms)
{
	int64_t s = (then_ms - now_ms + TIME_SECOND - 1) / TIME_SECOND;
	return s < 1 ? 1 : s;
}

int ledger_book(struct sim *s, const char *ip, int64_t now_ms, int64_t weight, int64_t *used_out, int64_t *wait_s_out, int64_t *until_out)
{
	struct ip_ledger *l = ledger_of(s, ip);
	if (l->minute != now_ms / TIME_MINUTE) {
		l->minute = now_ms / TIME_MINUTE;
		l->used = l->refused = 0;
	}
	l->used += weight;
	count(s, l, weight);
	*used_out = l->used;
	if (now_ms >= l->banned_until && l->used <= s->weight_limit)
		return 0;
	if (now_ms >= l->banned_until && l->refused++ >= s->ban_after) {
		l->banned_until = now_ms + l->ban_ms;
		l->ban_ms = l->ban_ms * 2 < BAN_MAX_MS ? l->ban_ms * 2 : BAN_MAX_MS;
	}
	bool banned = now_ms < l->banned_until;
	*until_out = banned ? l->banned_until : (l->minute + 1) * TIME_MINUTE;
	*wait_s_out = seconds_until(now_ms, *until_out);
	s->banned += banned;
	s->limited += !banned;
	return banned ? 418 : 429;
}

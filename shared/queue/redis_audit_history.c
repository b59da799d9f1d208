/* redis_audit_history.c -- do as many ends wait for the history as is counted? */
#include <string.h>

#include "queue/redis_audit.h"

#define HISTORY_LOOKS 50

/* Each text is the time of 13 digits and ids. */
static bool count_unwritten(const struct redis_reply *r, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < redis_reply_count(r); i++) {
		size_t len = 0;

		if (!redis_reply_text(redis_reply_at(r, i), &len) || len < 13 + QUEUE_TAIL || (len - 13) % QUEUE_TAIL)
			return false;
		*out += (int64_t)(len - 13) / QUEUE_TAIL;
	}
	return true;
}

/* What T:n says of the history: ids that wait, ids written of the first text, ids that ever left; -1: it is no number. */
static bool read_unwritten(struct audit *a, const char *counters, int64_t out[3], struct err *e)
{
	struct redis_reply *r = NULL;
	bool ok = audit_command(a, (const char *const[]){"HMGET", counters, "hq", "ho", "hp", NULL}, &r, e);

	for (size_t i = 0; i < 3; i++) {
		const struct redis_reply *field = redis_reply_at(r, i);

		out[i] = 0;
		if (redis_reply_text(field, NULL) && !redis_reply_int(field, &out[i]))
			out[i] = -1;
	}
	redis_reply_close(&r);
	return ok;
}

/* Looked at again while it changes: workers write the history all the time. */
bool audit_unwritten(struct audit *a, struct err *e)
{
	struct buf key = {0}, counters = {0};
	int64_t before[3] = {0}, after[3] = {-2, 0, 0}, found = 0;
	bool ok = true, counted = true;

	buf_addf(&key, "%s:e", a->keys_of->tag);
	buf_addf(&counters, "%s:n", a->keys_of->tag);
	for (int i = 0; ok && i < HISTORY_LOOKS && memcmp(before, after, sizeof(before)) != 0; i++) {
		struct redis_reply *r = NULL;

		ok = read_unwritten(a, counters.data, before, e) &&
		     audit_command(a, (const char *const[]){"LRANGE", key.data, "0", "-1", NULL}, &r, e) &&
		     read_unwritten(a, counters.data, after, e);
		counted = ok && count_unwritten(r, &found);
		redis_reply_close(&r);
	}
	if (ok && memcmp(before, after, sizeof(before)) == 0)
		a->unwritten_wrong = !counted || before[2] < 0 || found != before[0] + before[1];
	buf_close(&counters);
	buf_close(&key);
	return ok;
}

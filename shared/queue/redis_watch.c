/* redis_watch.c -- the ends of watched jobs, as Redis publishes them. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/redis_private.h"

struct redis_watcher {
	struct queue_watcher head;
	struct redis_conn *conn;
};

static bool subscribe(struct redis_watcher *w, const struct queue_options *o, struct err *e)
{
	struct redis_cmd cmd = {0};
	struct redis_reply *r = NULL;
	struct buf channel = {0};
	bool ok = redis_conn_start(w->conn, e);

	buf_addf(&channel, "%s:ended", o->namespace_);
	redis_cmd_adds(&cmd, "SUBSCRIBE");
	redis_cmd_adds(&cmd, channel.data);
	if (ok)
		redis_conn_send(w->conn, &cmd);
	ok = ok && redis_conn_await(w->conn, clock_mono_ms() + o->timeout_ms, &r, e) == 1;
	if (ok && redis_reply_error(r))
		ok = redis_reply_fail(r, e);
	else if (ok && !str_eq(redis_reply_text(redis_reply_at(r, 0), NULL), "subscribe"))
		ok = redis_bad_reply(e, "SUBSCRIBE");
	redis_reply_close(&r);
	redis_cmd_close(&cmd);
	buf_close(&channel);
	return ok;
}

struct queue_watcher *redis_watcher_open(const char *url, const struct queue_options *o, struct err *e)
{
	struct redis_watcher *w;
	struct redis_url u;

	if (!redis_url_parse(url, &u, e))
		return NULL;
	w = mem_new(sizeof(*w));
	w->conn = redis_conn_new(&u, false, -1);
	if (subscribe(w, o, e))
		return &w->head;
	redis_watcher_close(&w->head);
	return NULL;
}

int redis_watcher_fd(const struct queue_watcher *base)
{
	const struct redis_watcher *w = (const struct redis_watcher *)base;

	return redis_conn_fd(w->conn);
}

/* "<id> <state digit>" */
static bool read_end(const char *text, size_t len, char id_out[JOB_ID], enum job_state *state_out)
{
	char queue[JOB_NAME];
	int shard;

	if (!text || len < 3 || text[len - 2] != ' ' || text[len - 1] < '0' || text[len - 1] > '0' + JOB_DEAD ||
	        !str_copy_n(id_out, JOB_ID, text, len - 2) || !job_id_parse(id_out, queue, &shard))
		return false;
	*state_out = (enum job_state)(text[len - 1] - '0');
	return true;
}

/* Messages that are not ours are passed over: anybody may publish on a channel. */
int redis_watcher_next(struct queue_watcher *base, char id_out[JOB_ID], enum job_state *state_out, struct err *e)
{
	struct redis_watcher *w = (struct redis_watcher *)base;

	for (;;) {
		struct redis_reply *r = NULL;
		const char *text;
		size_t len = 0;
		bool ours;
		int got = redis_conn_next(w->conn, &r, e);

		if (got != 1)
			return got;
		text = redis_reply_text(redis_reply_at(r, 2), &len);
		ours = str_eq(redis_reply_text(redis_reply_at(r, 0), NULL), "message") && read_end(text, len, id_out, state_out);
		redis_reply_close(&r);
		if (ours)
			return 1;
	}
}

void redis_watcher_close(struct queue_watcher *base)
{
	struct redis_watcher *w = (struct redis_watcher *)base;

	redis_conn_close(&w->conn);
	mem_free(&w);
}

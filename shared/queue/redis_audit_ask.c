/* redis_audit_ask.c -- the questions of a look: many go out at once, and each knows who takes its answers. */
#include "base/mem.h"
#include "queue/redis_audit.h"

bool audit_command(struct audit *a, const char *const *words, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd = {0};
	bool ok;

	for (; *words; words++)
		redis_cmd_adds(&cmd, *words);
	cmd.slot = a->slot + 1;
	ok = redis_call(a->q, &cmd, true, out, e);
	redis_cmd_close(&cmd);
	return ok;
}

struct ask *audit_ask(struct audit *a, bool (*take)(struct audit *, const struct ask *, struct redis_reply *const *, struct err *),
        const char *name, char what)
{
	struct ask *k = &a->asks[a->n_asks++];

	*k = (struct ask){.take = take, .name = mem_strdup(name), .what = what, .first = a->n_cmds};
	return k;
}

struct redis_cmd *audit_ask_more(struct audit *a)
{
	struct redis_cmd *cmd = &a->cmds[a->n_cmds++];

	*cmd = (struct redis_cmd){.slot = a->slot + 1};
	a->asks[a->n_asks - 1].n++;
	return cmd;
}

void audit_ask_words(struct audit *a, const char *const *words)
{
	struct redis_cmd *cmd = audit_ask_more(a);

	for (; *words; words++)
		redis_cmd_adds(cmd, *words);
}

void audit_asks_clear(struct audit *a)
{
	while (a->n_asks > 0) {
		mem_free(&a->asks[--a->n_asks].name);
	}
	while (a->n_cmds > 0)
		redis_cmd_close(&a->cmds[--a->n_cmds]);
}

bool audit_asks_flush(struct audit *a, struct err *e)
{
	struct redis_reply *r[ASKS_MAX + ASK_ROOM];
	size_t n = a->n_cmds;
	bool ok = n == 0 || redis_call_any(a->q, a->cmds, n, r, e), answered = n > 0 && ok;

	for (size_t i = 0; ok && i < a->n_asks; i++)
		ok = a->asks[i].take(a, &a->asks[i], r + a->asks[i].first, e);
	for (size_t i = 0; answered && i < n; i++)
		redis_reply_close(&r[i]);
	audit_asks_clear(a);
	return ok;
}

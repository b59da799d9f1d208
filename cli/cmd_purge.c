/* cmd_purge.c -- `barque purge`: cancel the jobs that wait in a queue. */
#include "cli/cli.h"

static const struct cli_flag flags[] = {
        {"state", "STATE", "ready (default), scheduled (with those that are tried again) or waiting"},
};

struct purge {
	int64_t cancelled, remaining;
};

static bool purge_some(struct cli *c, int64_t limit, struct purge *p, struct err *e)
{
	struct buf path = {0};
	buf_adds(&path, "/api/queues/");
	http_escape(&path, c->words[0]);
	buf_adds(&path, "/jobs?state=");
	http_escape(&path, args_get(c, "state", "ready"));
	buf_addf(&path, "&limit=%lld", (long long)limit);
	struct json *answer = api_call(c, "DELETE", buf_text(&path), NULL, NULL, e);
	buf_close(&path);
	if (!answer)
		return false;
	p->cancelled += json_get_int(answer, "cancelled", 0);
	p->remaining = json_get_int(answer, "remaining", 0);
	json_close(&answer);
	return true;
}

static int report(const struct cli *c, const struct purge *p)
{
	const char *state = args_get(c, "state", "ready");
	if (c->json)
		printf("{\"cancelled\":%lld,\"remaining\":%lld}\n", (long long)p->cancelled, (long long)p->remaining);
	else
		printf("%lld %s jobs of %s cancelled, %lld left\n", (long long)p->cancelled, state, c->words[0], (long long)p->remaining);
	return CLI_DONE;
}

/* Not more than there were at first: somebody may go on submitting. */
static int run(struct cli *c)
{
	if (c->n_words != 1) {
		fprintf(stderr, "barque purge: name one queue; 'barque queues' lists them\n");
		return CLI_USAGE;
	}
	struct err e = {0};
	struct purge p = {0};
	int64_t limit = 256, all = 0;
	do {
		if (!purge_some(c, limit, &p, &e))
			return cli_fail(&e);
		if (!all)
			all = p.cancelled + p.remaining;
		if (all - p.cancelled < limit)
			limit = all - p.cancelled;
	} while (p.remaining > 0 && limit > 0);
	return report(c, &p);
}

extern const struct command command_purge;
const struct command command_purge = {
        .name = "purge",
        .summary = "cancel the jobs that wait in a queue",
        .usage = "purge QUEUE [flags]",
        .examples = "  barque purge kline\n  barque purge kline --state scheduled\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = 1,
        .run = run,
};

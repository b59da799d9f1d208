/* cmd_priority.c -- `barque priority`: another place for a job that waits. */
#include "base/str.h"
#include "cli/cli.h"

static void print_priority(struct cli *c, const struct json *job)
{
	printf("%s %s, priority %lld\n", c->words[0], json_get_text(job, "state", "?"), (long long)json_get_int(job, "priority", -1));
}

static int run(struct cli *c)
{
	int64_t priority;
	if (c->n_words != 2 || !str_int(c->words[1], 0, 9, &priority)) {
		fprintf(stderr, "barque priority: name a job by its id, and its priority from 0 (urgent) to 9 (idle)\n");
		return CLI_USAGE;
	}
	struct err e = {0};
	struct buf path = {0};
	buf_adds(&path, "/api/jobs/");
	http_escape(&path, c->words[0]);
	struct json *body = json_new_object();
	json_put_int(body, "priority", priority);
	struct json *answer = api_call(c, "PATCH", buf_text(&path), body, NULL, &e);
	buf_close(&path);
	json_close(&body);
	return cli_answer(c, answer, &e, print_priority);
}

extern const struct command command_priority;
const struct command command_priority = {
        .name = "priority",
        .summary = "give a job that waits another priority",
        .usage = "priority ID N",
        .examples = "  barque priority kline-0abc... 0\n",
        .words_max = 2,
        .run = run,
};

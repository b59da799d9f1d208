/* cmd_shards.c -- `barque shards`: over how many parts the jobs of a queue are spread. */
#include "base/str.h"
#include "cli/cli.h"

static void print_shards(struct cli *c, const struct json *queue)
{
	printf("%s is spread over %lld shards\n", c->words[0], (long long)json_get_int(queue, "shards", 0));
}

static int run(struct cli *c)
{
	int64_t shards;
	if (c->n_words != 2 || !str_int(c->words[1], 1, 64, &shards)) {
		fprintf(stderr, "barque shards: name a queue, and over how many parts from 1 to 64 its jobs are to be spread\n");
		return CLI_USAGE;
	}
	struct err e = {0};
	struct buf path = {0};
	buf_adds(&path, "/api/queues/");
	http_escape(&path, c->words[0]);
	struct json *body = json_new_object();
	json_put_int(body, "shards", shards);
	struct json *answer = api_call(c, "PATCH", buf_text(&path), body, NULL, &e);
	buf_close(&path);
	json_close(&body);
	return cli_answer(c, answer, &e, print_shards);
}

extern const struct command command_shards;
const struct command command_shards = {
        .name = "shards",
        .summary = "spread a queue over several parts, on one server or on a cluster",
        .usage = "shards QUEUE N",
        .examples = "  barque shards kline 4\n",
        .words_max = 2,
        .run = run,
};

/* cmd_queues.c -- `barque queues`, `barque pause` and `barque resume`: what stands in the queues, and stopping one. */
#include "base/time.h"
#include "cli/cli.h"

/* How long what is ready will take, as the API reckons it; "?" when it does not say. */
static void print_backlog(const struct json *queue)
{
	char span[TIME_TEXT];
	time_print_span(span, (int64_t)(json_get_double(queue, "backlog_seconds", 0) * 1000));
	printf(" %9s", json_get(queue, "backlog_seconds") ? span : "?");
}

static void print_queue(const struct json *queue)
{
	static const char *const numbers[] = {"ready", "scheduled", "running", "waiting", "dead", "done_total", "workers"};
	printf("%-24s", json_get_text(queue, "queue", "?"));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		printf(" %9lld", (long long)json_get_int(queue, numbers[i], 0));
	print_backlog(queue);
	printf("%s%s\n", json_get_bool(queue, "paused", false) ? "  paused" : "",
	        json_get_bool(queue, "draining", false) ? "  draining" : "");
	for (const struct json *r = json_first(json_get(queue, "unserved")); r; r = json_next(r))
		printf("  %lld ready as %s, which no worker serves\n", (long long)json_get_int(r, "ready", 0),
		        json_get_text(r, "route", "?"));
}

static void print_queues(struct cli *c, const struct json *answer)
{
	UNUSED(c);
	printf("%-24s %9s %9s %9s %9s %9s %9s %9s %9s\n", "QUEUE", "READY", "SCHEDULED", "RUNNING", "WAITING", "DEAD", "DONE", "WORKERS",
	        "BACKLOG");
	for (const struct json *q = json_first(json_get(answer, "queues")); q; q = json_next(q))
		print_queue(q);
}

static int run_queues(struct cli *c)
{
	struct err e = {0};
	struct json *answer = api_call(c, "GET", "/api/queues", NULL, NULL, &e);
	return cli_answer(c, answer, &e, print_queues);
}

static void print_act(struct cli *c, const struct json *queue)
{
	printf("%s %s, %lld ready, %lld running\n", c->words[0],
	        json_get_bool(queue, "paused", false)     ? "is paused"
	        : json_get_bool(queue, "draining", false) ? "drains"
	                                                  : "goes on",
	        (long long)json_get_int(queue, "ready", 0), (long long)json_get_int(queue, "running", 0));
}

static int act(struct cli *c, const char *what)
{
	if (c->n_words != 1) {
		fprintf(stderr, "barque %s: name one queue; 'barque queues' lists them\n", what);
		return CLI_USAGE;
	}
	struct err e = {0};
	struct buf path = {0};
	buf_adds(&path, "/api/queues/");
	http_escape(&path, c->words[0]);
	buf_addf(&path, "/%s", what);
	struct json *answer = api_call(c, "POST", buf_text(&path), NULL, NULL, &e);
	buf_close(&path);
	return cli_answer(c, answer, &e, print_act);
}

static int run_pause(struct cli *c)
{
	return act(c, "pause");
}

static int run_drain(struct cli *c)
{
	return act(c, "drain");
}

static int run_resume(struct cli *c)
{
	return act(c, "resume");
}

extern const struct command command_queues, command_pause, command_drain, command_resume;
const struct command command_queues = {
        .name = "queues",
        .summary = "list the queues and what stands in them",
        .usage = "queues",
        .examples = "  barque queues\n",
        .run = run_queues,
};
const struct command command_pause = {
        .name = "pause",
        .summary = "start nothing new from a queue; what runs goes on",
        .usage = "pause QUEUE",
        .examples = "  barque pause kline\n",
        .words_max = 1,
        .run = run_pause,
};
const struct command command_drain = {
        .name = "drain",
        .summary = "take nothing new into a queue; what is there comes to its end",
        .usage = "drain QUEUE",
        .examples = "  barque drain kline\n",
        .words_max = 1,
        .run = run_drain,
};
const struct command command_resume = {
        .name = "resume",
        .summary = "let a queue that is paused or drains go on",
        .usage = "resume QUEUE",
        .examples = "  barque resume kline\n",
        .words_max = 1,
        .run = run_resume,
};

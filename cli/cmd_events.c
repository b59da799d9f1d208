/* cmd_events.c -- `barque events`: print the events of changed candles and ended jobs as they come. */
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/sse.h"

static const struct cli_flag flags[] = {
        {"type", "PREFIX", "only types that begin so, e.g. kline. or job."},
        {"count", "N", "end after so many"},
};

struct listening {
	bool json;
	const char *type;
	int64_t left; /* < 0: no end */
};

static bool print_event(void *user, const char *id, const char *type, const char *data)
{
	struct listening *l = user;
	if (l->type && !str_starts(type, l->type))
		return true;
	if (l->json)
		printf("{\"id\":\"%s\",\"type\":\"%s\",\"data\":%s}\n", id, type, data);
	else
		printf("%-26s %s\n", type, data);
	fflush(stdout);
	return l->left < 0 || --l->left > 0;
}

static int run(struct cli *c)
{
	struct err e = {0};
	struct listening l = {.json = c->json, .type = args_get(c, "type", NULL), .left = -1};
	const char *count = args_get(c, "count", NULL);
	if (count && !str_int(count, 1, INT64_C(1000000000), &l.left)) {
		fprintf(stderr, "barque events: --count is '%s', but must be a whole number from 1\n", count);
		return CLI_USAGE;
	}
	struct buf url = {0};
	buf_addf(&url, "%s/api/events", c->url);
	struct sse s = {.handler = print_event, .user = &l};
	struct http_answer answer = {0};
	const char *headers[] = {c->token[0] ? c->token : NULL, NULL};
	struct http_call call = {.headers = headers, .url = buf_text(&url), .timeout_ms = -1, .on_data = sse_feed, .user = &s};
	bool ok = http_client_call(c->http, &call, &answer, &e);
	int status = ok && answer.status < 400 ? CLI_DONE : CLI_FAILED;
	if (ok && answer.status >= 400)
		fprintf(stderr, "barque events: the API answered with HTTP status %d%s\n", answer.status,
		        answer.status == 401 ? "; set BARQUE_TOKEN to its token" : "; is KAFKA_BROKERS set for it?");
	else if (!ok && e.code == ERR_CANCELLED)
		status = CLI_DONE;
	else if (!ok)
		status = cli_fail(&e);
	sse_close(&s);
	http_answer_close(&answer);
	buf_close(&url);
	return status;
}

extern const struct command command_events;
const struct command command_events = {
        .name = "events",
        .summary = "print events as they come: changed candles, ended jobs",
        .usage = "events [flags]",
        .examples = "  barque events\n  barque events --type kline. --json\n  barque events --count 1      wait for one\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .run = run,
};

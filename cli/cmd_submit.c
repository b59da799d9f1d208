/* cmd_submit.c -- `barque submit`: hand in a job, and follow it when asked to. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/job_flags.h"
#include "cli/schema.h"

static const struct cli_flag flags[] = {
        {"params", "JSON", "parameters as one JSON object; a NAME=VALUE beside it goes before"},
        {"wait", NULL, "follow the job to its end; the exit status says whether it succeeded"},
        {"delay", "SPAN", "start no sooner than so long from now: 500ms, 90s, 15m"},
        {"run-at", "TIME", "start no sooner than this time (UTC), e.g. 2026-02-01T09:30:00.250Z, or milliseconds since 1970"},
#include "cli/job_flags.def"
        {"split", "PARAM", "one job for each item of this list, side by side as a flow, e.g. --split symbols"},
        {"key", "TEXT", "idempotency key: the same key is the same job"},
};

extern const struct command command_submit;

static void put_text(struct cli *c, const char *flag, const char *member, struct json *body)
{
	if (args_has(c, flag))
		json_put_text(body, member, args_get(c, flag, ""));
}

static struct json *read_body(struct cli *c, const struct json *kind, struct err *e)
{
	struct json *params = schema_params(c, &command_submit, 1, kind, e);
	if (!params)
		return NULL;
	struct json *body = json_new_object();
	json_put_text(body, "kind", c->words[0]);
	json_put(body, "params", params);
	bool ok = job_flags_put(c, body, e) && job_flags_put_span(c, "delay", "delay_ms", body, e);
	put_text(c, "run-at", "run_at", body);
	if (!ok)
		json_close(&body);
	return body;
}

/* As a flow of one job that is split. Its name is that of its kind, without the point, which no name may have. */
static struct json *split_body(struct json *job, const char *by)
{
	struct json *flow = json_new_object(), *group = json_new_array();
	const char *kind = json_get_text(job, "kind", "");
	char *name = mem_strdup(kind);
	for (char *point; (point = strchr(name, '.')) != NULL;)
		*point = '-';
	json_put_text(flow, "name", kind);
	json_put_text(job, "name", name);
	mem_free(&name);
	json_put_text(job, "split", by);
	json_push(group, job);
	json_put(flow, "group", group);
	return flow;
}

/* Hand it in; the id of the job, or of the flow that it became. */
static bool hand_in(struct cli *c, struct json *body, char id_out[48], struct err *e)
{
	const char *key = args_get(c, "key", NULL), *by = args_get(c, "split", NULL);
	if (!by)
		return api_submit(c, body, key, id_out, e);
	struct json *flow = split_body(json_copy(body), by);
	struct json *made = api_call_with_key(c, "POST", "/api/flows", flow, key, NULL, e);
	bool ok = made && str_copy(id_out, 48, json_get_text(made, "id", ""));
	json_close(&made);
	json_close(&flow);
	return ok;
}

static int follow(struct cli *c, const char *id, const char *label, struct err *e)
{
	struct watch_item item = {0};
	if (!str_copy(item.id, sizeof item.id, id) || !str_copy(item.label, sizeof item.label, label))
		return CLI_FAILED;
	int failed = watch_jobs(c, &item, 1, e);
	if (failed < 0) {
		json_close(&item.job);
		return cli_fail(e);
	}
	if (c->json)
		return cli_print_json(item.job), failed ? CLI_FAILED : CLI_DONE;
	job_details(item.job, stdout);
	json_close(&item.job);
	return failed ? CLI_FAILED : CLI_DONE;
}

static int submitted(struct cli *c, const char *id, struct err *e)
{
	if (c->was_there && !c->json)
		fprintf(stderr, "%s was there before and has the same key: nothing new was handed in\n", id);
	if (args_has(c, "wait"))
		return follow(c, id, c->words[0], e);
	if (c->json) {
		struct json *job = api_job(c, id, 0, e);
		return job ? cli_print_json(job) : cli_fail(e);
	}
	printf("%s\n", id);
	fprintf(stderr, "Watch it with: barque show %s --watch\n", id);
	return CLI_DONE;
}

static int run(struct cli *c)
{
	struct err e = {0};
	if (c->n_words == 0) {
		fprintf(stderr, "barque submit: name a kind of job; 'barque kinds' lists them\n");
		return CLI_USAGE;
	}
	struct json *kind = schema_kind(c, c->words[0], &e);
	if (!kind)
		return cli_fail(&e);
	int status;
	struct json *body = NULL;
	char id[48];
	if (args_has(c, "help")) {
		schema_help(kind, stdout);
		status = CLI_DONE;
	} else if (!(body = read_body(c, kind, &e))) {
		fprintf(stderr, "barque submit: %s; see 'barque submit %s --help'\n", e.text, c->words[0]);
		status = CLI_USAGE;
	} else if (!hand_in(c, body, id, &e)) {
		status = cli_fail(&e);
	} else {
		status = submitted(c, id, &e);
	}
	json_close(&body);
	json_close(&kind);
	return status;
}

const struct command command_submit = {
        .name = "submit",
        .summary = "hand in a job",
        .usage = "submit KIND [NAME=VALUE ...] [flags]",
        .examples = "  barque submit kline.download symbols=BTCUSDT,ETHUSDT interval=1h days_back=30 --wait\n"
                    "  barque submit kline.integrity interval=1h --wait\n"
                    "  barque submit noop sleep_ms=2000 --priority 1 --key once\n"
                    "  barque submit kline.integrity interval=1d --lane desk-7 --concurrency desk-7=2 --rate desk-7=100/60000/5\n"
                    "  barque submit kline.download symbols=BTCUSDT,ETHUSDT,SOLUSDT interval=1m days_back=30 --split symbols\n"
                    "  barque submit kline.download --help      the parameters of a kind\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .free_flags = true,
        .words_max = CLI_WORDS,
        .run = run,
};

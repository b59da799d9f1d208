/* cmd_show.c -- `barque show`: one job, once or until its end. */
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"

static const struct cli_flag flags[] = {
        {"watch", NULL, "follow it to its end; the exit status says whether it succeeded"},
        {"timeline", NULL, "what happened to it, and when: claims, errors, crashes, waits"},
};

static int watch(struct cli *c, const char *id)
{
	struct err e = {0};
	struct watch_item item = {0};
	struct json *job = api_job(c, id, 0, &e);
	if (!job)
		return cli_fail(&e);
	bool fits = str_copy(item.id, sizeof item.id, id) && str_copy(item.label, sizeof item.label, json_get_text(job, "kind", "job"));
	json_close(&job);
	int failed = fits ? watch_jobs(c, &item, 1, &e) : -1;
	if (failed < 0) {
		json_close(&item.job);
		return cli_fail(&e);
	}
	if (c->json)
		cli_print_json(json_copy(item.job));
	else
		job_details(item.job, stdout);
	json_close(&item.job);
	return failed ? CLI_FAILED : CLI_DONE;
}

static void print_event(const struct json *x, int64_t since)
{
	char day[TIME_TEXT];
	int64_t at = json_get_int(x, "at", 0);
	int64_t attempt = json_get_int(x, "attempt", 0);
	time_print_datetime(day, at);
	printf("%s.%03d  %+10.3f s  %-13s", day, (int)(at % 1000), (double)(at - since) / 1000, json_get_text(x, "event", "?"));
	printf(attempt > 0 ? " %lld  " : "    ", (long long)attempt);
	puts(json_get_text(x, "worker", json_get_text(x, "detail", "")));
}

static void print_timeline(struct cli *c, const struct json *answer)
{
	const struct json *first = json_first(json_get(answer, "events"));
	UNUSED(c);
	for (const struct json *x = first; x; x = json_next(x))
		print_event(x, json_get_int(first, "at", 0));
	printf("%s; queued %.3f s, run %.3f s\n", json_get_text(answer, "state", "?"), (double)json_get_int(answer, "queued_ms", 0) / 1000,
	        (double)json_get_int(answer, "run_ms", 0) / 1000);
}

static int timeline(struct cli *c, const char *id)
{
	struct err e = {0};
	struct buf path = {0};
	buf_adds(&path, "/api/jobs/");
	http_escape(&path, id);
	buf_adds(&path, "/timeline");
	struct json *answer = api_call(c, "GET", buf_text(&path), NULL, NULL, &e);
	buf_close(&path);
	return cli_answer(c, answer, &e, print_timeline);
}

static void print_job(struct cli *c, const struct json *job)
{
	UNUSED(c);
	job_details(job, stdout);
}

static int run(struct cli *c)
{
	struct err e = {0};
	if (c->n_words != 1) {
		fprintf(stderr, "barque show: name one job by its id; 'barque jobs' lists them\n");
		return CLI_USAGE;
	}
	if (args_has(c, "watch"))
		return watch(c, c->words[0]);
	if (args_has(c, "timeline"))
		return timeline(c, c->words[0]);
	return cli_answer(c, api_job(c, c->words[0], 0, &e), &e, print_job);
}

extern const struct command command_show;
const struct command command_show = {
        .name = "show",
        .summary = "show one job, or watch it",
        .usage = "show ID [--watch | --timeline]",
        .examples = "  barque show kline-0abc...\n  barque show kline-0abc... --watch\n  barque show kline-0abc... --timeline\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = CLI_WORDS,
        .run = run,
};

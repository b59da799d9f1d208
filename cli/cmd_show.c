/* cmd_show.c -- `barque show`: one job, once or until its end. */
#include "base/str.h"
#include "cli/cli.h"

static const struct cli_flag flags[] = {
        {"watch", NULL, "follow it to its end; the exit status says whether it succeeded"},
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

static int run(struct cli *c)
{
	struct err e = {0};
	if (c->n_words != 1) {
		fprintf(stderr, "barque show: name one job by its id; 'barque jobs' lists them\n");
		return CLI_USAGE;
	}
	if (args_has(c, "watch"))
		return watch(c, c->words[0]);
	struct json *job = api_job(c, c->words[0], 0, &e);
	if (!job)
		return cli_fail(&e);
	if (c->json)
		return cli_print_json(job);
	job_details(job, stdout);
	json_close(&job);
	return CLI_DONE;
}

extern const struct command command_show;
const struct command command_show = {
        .name = "show",
        .summary = "show one job, or watch it",
        .usage = "show ID [--watch]",
        .examples = "  barque show kline-0abc...\n  barque show kline-0abc... --watch\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = CLI_WORDS,
        .run = run,
};

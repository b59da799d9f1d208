/* cmd_history.c -- `barque history`: jobs that ended, also those that the queue has forgotten. */
#include "base/str.h"
#include "cli/cli.h"

static const struct cli_flag flags[] = {
        {"kind", "KIND", "only this kind"},
        {"queue", "NAME", "only this queue"},
        {"state", "STATE", "only this end: succeeded, failed, cancelled or dead"},
        {"error", "TEXT", "only those whose error holds this text, of any case"},
        {"from", "TIME", "ended no sooner (UTC)"},
        {"to", "TIME", "ended no later; a date means its whole day"},
        {"limit", "N", "how many (default 30, at most 256)"},
        {"cursor", "TEXT", "go on where the last list ended"},
};

static void print_list(struct cli *c, const struct json *answer)
{
	const struct json *jobs = json_get(answer, "jobs");
	const char *next = json_get_text(answer, "next_cursor", NULL);

	UNUSED(c);
	if (!json_first(jobs))
		puts("no job ended that fits");
	else
		job_end_head(stdout);
	for (const struct json *job = json_first(jobs); job; job = json_next(job))
		job_end_line(job, stdout);
	fflush(stdout);
	if (next)
		fprintf(stderr, "More with: --cursor '%s'\n", next);
}

static int run(struct cli *c)
{
	struct err e = {0};
	struct buf path = {0};

	buf_adds(&path, "/api/history?limit=");
	http_escape(&path, args_get(c, "limit", "30"));
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (!str_eq(flags[i].name, "limit"))
			api_add_flag(c, flags[i].name, flags[i].name, &path);
	struct json *answer = api_call(c, "GET", buf_text(&path), NULL, NULL, &e);
	buf_close(&path);
	return cli_answer(c, answer, &e, print_list);
}

extern const struct command command_history;
const struct command command_history = {
        .name = "history",
        .summary = "look for jobs that ended, as long ago as the store knows them",
        .usage = "history [flags]",
        .examples = "  barque history\n  barque history --state failed --from 2026-01-01\n  barque history --error timeout --json\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .run = run,
};

/* cmd_dead.c -- `barque dead`: look for dead letters, replay or delete them. */
#include "base/str.h"
#include "cli/cli.h"

static const struct cli_flag flags[] = {
        {"queue", "NAME", "only this queue"},
        {"kind", "KIND", "only this kind"},
        {"error", "TEXT", "only those whose error holds this text"},
        {"state", "STATE", "dead (default) or failed"},
        {"from", "TIME", "ended no sooner (UTC)"},
        {"to", "TIME", "ended no later; a date means its whole day"},
        {"limit", "N", "how many to list (default 30)"},
        {"cursor", "TEXT", "go on where the last list ended"},
        {"replay", NULL, "run all of them again"},
        {"delete", NULL, "delete all of them"},
};

static const char *const filters[] = {"queue", "kind", "error", "state", "from", "to", "cursor"};

/* ---- listing ------------------------------------------------------------------------------------------------- */

static struct json *ask(struct cli *c, const char *cursor, struct err *e)
{
	struct buf path = {0};
	buf_adds(&path, "/api/dead?limit=");
	http_escape(&path, args_get(c, "limit", "30"));
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		const char *value = str_eq(filters[i], "cursor") ? cursor : args_get(c, filters[i], NULL);
		if (!value)
			continue;
		buf_addf(&path, "&%s=", filters[i]);
		http_escape(&path, value);
	}
	struct json *answer = api_call(c, "GET", buf_text(&path), NULL, NULL, e);
	buf_close(&path);
	return answer;
}

static void print_page(struct cli *c, const struct json *answer)
{
	UNUSED(c);
	const struct json *jobs = json_get(answer, "jobs");
	const char *next = json_get_text(answer, "next_cursor", NULL);
	if (!json_first(jobs))
		puts(next ? "none so far" : "none");
	else
		job_end_head(stdout);
	for (const struct json *job = json_first(jobs); job; job = json_next(job))
		job_end_line(job, stdout);
	fflush(stdout);
	if (next)
		fprintf(stderr, "More with: --cursor '%s'\n", next);
}

static int list(struct cli *c)
{
	struct err e = {0};
	struct json *answer = ask(c, args_get(c, "cursor", NULL), &e);
	return cli_answer(c, answer, &e, print_page);
}

/* ---- acting -------------------------------------------------------------------------------------------------- */

static struct json *body_of(const struct cli *c)
{
	struct json *body = json_new_object();
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		if (args_has(c, filters[i]))
			json_put_text(body, filters[i], args_get(c, filters[i], NULL));
	return body;
}

struct tally {
	int64_t done, skipped;
	bool more;
};

/* One call; `body` is left with the cursor of the next. */
static bool act_once(struct cli *c, const char *path, const char *count, struct json *body, struct tally *t, struct err *e)
{
	struct json *answer = api_call(c, "POST", path, body, NULL, e);
	if (!answer)
		return false;
	const char *next = json_get_text(answer, "next_cursor", NULL);
	t->done += json_get_int(answer, count, 0);
	t->skipped += json_get_int(answer, "skipped", 0);
	t->more = next != NULL;
	if (next)
		json_put_text(body, "cursor", next);
	json_close(&answer);
	return true;
}

/* From the latest down to the oldest: what dies anew meanwhile stands above, so that this ends. */
static int act(struct cli *c, const char *path, const char *count)
{
	struct err e = {0};
	struct tally t = {0};
	struct json *body = body_of(c);
	bool ok;
	do
		ok = act_once(c, path, count, body, &t, &e);
	while (ok && t.more);
	json_close(&body);
	if (c->json)
		printf("{\"%s\":%lld,\"skipped\":%lld}\n", count, (long long)t.done, (long long)t.skipped);
	else
		printf("%lld %s, %lld skipped\n", (long long)t.done, count, (long long)t.skipped);
	fflush(stdout);
	return ok ? CLI_DONE : cli_fail(&e);
}

static int run(struct cli *c)
{
	if (args_has(c, "replay") && args_has(c, "delete")) {
		fprintf(stderr, "barque dead: either --replay or --delete, not both\n");
		return CLI_USAGE;
	}
	if (args_has(c, "replay"))
		return act(c, "/api/dead/replay", "replayed");
	return args_has(c, "delete") ? act(c, "/api/dead/delete", "deleted") : list(c);
}

extern const struct command command_dead;
const struct command command_dead = {
        .name = "dead",
        .summary = "look for dead letters, replay or delete them",
        .usage = "dead [flags]",
        .examples = "  barque dead --kind kline.download --error timeout\n  barque dead --error timeout --replay\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .run = run,
};

/* cmd_logs.c -- `barque logs`: what a job said while it ran, and with --follow what it says now. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"

#define ROUND_MS 300

static const struct cli_flag flags[] = {
        {"follow", NULL, "go on until the job has ended; the exit status says whether it succeeded"},
        {"tail", "N", "begin with the last N lines (1 to 1000)"},
        {"from", "SEQ", "begin with the line of this number"},
};

struct reading {
	struct cli *c;
	const char *id;
	int64_t next; /* line; 0: the first that is kept */
	int64_t tail; /* instead; 0: not asked for */
	bool over, succeeded;
};

static void print_line(const struct reading *r, const struct json *line)
{
	char day[TIME_TEXT];
	int64_t at = json_get_int(line, "at", 0);
	if (r->c->json) {
		struct buf text = {0};
		json_print(line, &text);
		puts(buf_text(&text));
		buf_close(&text);
		return;
	}
	time_print_datetime(day, at);
	printf("%s.%03d  %s%s\n", day, (int)(at % 1000), str_eq(json_get_text(line, "by", ""), "queue") ? "** " : "",
	        json_get_text(line, "text", ""));
}

/* One page; false with e. */
static bool read_page(struct reading *r, bool *more_out, struct err *e)
{
	struct buf path = {0};
	enum { LIMIT = 200 };
	buf_adds(&path, "/api/jobs/");
	http_escape(&path, r->id);
	buf_addf(&path, r->tail ? "/logs?limit=%d&tail=%lld" : "/logs?limit=%d&from=%lld", LIMIT, (long long)(r->tail ? r->tail : r->next));
	struct json *answer = api_call(r->c, "GET", buf_text(&path), NULL, NULL, e);
	buf_close(&path);
	if (!answer)
		return false;
	const struct json *lines = json_get(answer, "lines");
	const struct json *first = json_first(lines);
	int64_t begins = json_get_int(first, "seq", 0);
	if (first && !r->tail && begins > (r->next > 0 ? r->next : 1))
		fprintf(stderr, "(%lld lines are no longer kept)\n", (long long)(begins - (r->next > 0 ? r->next : 1)));
	for (const struct json *line = first; line; line = json_next(line))
		print_line(r, line);
	fflush(stdout);
	r->next = json_get_int(answer, "next", r->next);
	r->tail = 0;
	*more_out = first && r->next <= json_get_int(answer, "last", 0);
	r->over = api_job_is_over(answer);
	r->succeeded = str_eq(json_get_text(answer, "state", ""), "succeeded");
	json_close(&answer);
	return true;
}

static bool number_of(const struct cli *c, const char *flag, int64_t max, int64_t *out)
{
	const char *text = args_get(c, flag, NULL);
	*out = 0;
	if (!text || str_int(text, 1, max, out))
		return true;
	fprintf(stderr, "barque logs: --%s is '%s', but must be a whole number from 1 to %lld\n", flag, text, (long long)max);
	return false;
}

static int run(struct cli *c)
{
	struct err e = {0};
	struct reading r = {.c = c, .id = c->words[0]};
	bool follow = args_has(c, "follow"), more = true;
	if (c->n_words != 1) {
		fprintf(stderr, "barque logs: name one job by its id; 'barque jobs' lists them\n");
		return CLI_USAGE;
	}
	if (!number_of(c, "tail", 1000, &r.tail) || !number_of(c, "from", INT64_C(1000000000000), &r.next))
		return CLI_USAGE;
	if (r.tail && r.next) {
		fprintf(stderr, "barque logs: give --tail or --from, not both\n");
		return CLI_USAGE;
	}
	while (more || (follow && !r.over)) {
		if (!more)
			clock_sleep_ms(ROUND_MS);
		if (!read_page(&r, &more, &e))
			return cli_fail(&e);
	}
	return follow && !r.succeeded ? CLI_FAILED : CLI_DONE;
}

extern const struct command command_logs;
const struct command command_logs = {
        .name = "logs",
        .summary = "show what a job said while it ran, or follow it",
        .usage = "logs ID [flags]",
        .examples = "  barque logs kline-0abc...\n  barque logs kline-0abc... --follow\n  barque logs kline-0abc... --tail 20 --json\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = CLI_WORDS,
        .run = run,
};

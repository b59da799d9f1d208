/* cmd_kinds.c -- `barque kinds`: the kinds of jobs that the API takes. */
#include "cli/cli.h"

static void print_kinds(struct cli *c, const struct json *answer)
{
	UNUSED(c);
	for (const struct json *k = json_first(json_get(answer, "kinds")); k; k = json_next(k))
		printf("%-18s %-40s queue %s\n", json_get_text(k, "name", "?"), json_get_text(k, "title", ""),
		        json_get_text(k, "queue", "?"));
	puts("\nThe parameters of one: barque submit KIND --help");
}

static int run(struct cli *c)
{
	struct err e = {0};
	struct json *answer = api_call(c, "GET", "/api/kinds", NULL, NULL, &e);
	return cli_answer(c, answer, &e, print_kinds);
}

extern const struct command command_kinds;
const struct command command_kinds = {
        .name = "kinds",
        .summary = "list the kinds of jobs",
        .usage = "kinds",
        .examples = "  barque kinds\n",
        .run = run,
};

/* cmd_cancel.c -- `barque cancel`: ask for the cancellation of jobs. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

static bool cancel(struct cli *c, const char *id, struct json *answers, struct err *e)
{
	struct json *answer = api_cancel(c, id, e);
	if (!answer)
		return false;
	if (!c->json)
		printf("%s %s\n", id, json_get_text(answer, "state", "?"));
	json_push(answers, answer);
	return true;
}

static int run(struct cli *c)
{
	if (c->n_words == 0) {
		fprintf(stderr, "barque cancel: name jobs by their ids; 'barque jobs --state running' lists the running ones\n");
		return CLI_USAGE;
	}
	int status = CLI_DONE;
	struct json *answers = json_new_array();
	for (size_t i = 0; i < c->n_words; i++) {
		struct err e = {0};
		if (!cancel(c, c->words[i], answers, &e))
			status = cli_fail(&e);
	}
	if (c->json)
		cli_print_json(json_copy(answers));
	json_close(&answers);
	return status;
}

extern const struct command command_cancel;
const struct command command_cancel = {
        .name = "cancel",
        .summary = "cancel jobs, waiting or running",
        .usage = "cancel ID...",
        .examples = "  barque cancel kline-0abc...\n",
        .words_max = CLI_WORDS,
        .run = run,
};

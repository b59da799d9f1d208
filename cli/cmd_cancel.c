/* cmd_cancel.c -- `barque cancel` and `barque replay`: stop jobs that are named, or run them again. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

typedef struct json *act_fn(struct cli *c, const char *id, struct err *e);

static bool act_on(struct cli *c, act_fn *act, const char *id, struct json *answers, struct err *e)
{
	struct json *answer = act(c, id, e);
	if (!answer)
		return false;
	const char *state = json_get_text(answer, "state", "?");
	bool stopping = json_get_bool(answer, "cancel_asked", false) && str_eq(state, "running");
	if (!c->json)
		printf("%s %s%s\n", id, state, stopping ? ", asked to stop" : "");
	json_push(answers, answer);
	return true;
}

/* Each of them, also when one before it refuses. */
static int act_on_all(struct cli *c, act_fn *act)
{
	int status = CLI_DONE;
	struct json *answers = json_new_array();
	for (size_t i = 0; i < c->n_words; i++) {
		struct err e = {0};
		if (!act_on(c, act, c->words[i], answers, &e))
			status = cli_fail(&e);
	}
	if (c->json)
		cli_print_json(json_copy(answers));
	json_close(&answers);
	return status;
}

static int run_cancel(struct cli *c)
{
	if (c->n_words > 0)
		return act_on_all(c, api_cancel);
	fprintf(stderr, "barque cancel: name jobs by their ids; 'barque jobs --state running' lists the running ones\n");
	return CLI_USAGE;
}

static int run_replay(struct cli *c)
{
	if (c->n_words > 0)
		return act_on_all(c, api_replay);
	fprintf(stderr,
	        "barque replay: name jobs by their ids; 'barque dead' lists the dead ones, and 'barque dead --replay' replays many\n");
	return CLI_USAGE;
}

extern const struct command command_cancel, command_replay;
const struct command command_cancel = {
        .name = "cancel",
        .summary = "cancel jobs, waiting or running",
        .usage = "cancel ID...",
        .examples = "  barque cancel kline-0abc...\n",
        .words_max = CLI_WORDS,
        .run = run_cancel,
};
const struct command command_replay = {
        .name = "replay",
        .summary = "run jobs again that failed, are dead or were cancelled; of a flow, what broke",
        .usage = "replay ID...",
        .examples = "  barque replay kline-0abc...\n"
                    "  barque dead --error timeout --replay      all dead letters that say so\n",
        .words_max = CLI_WORDS,
        .run = run_replay,
};

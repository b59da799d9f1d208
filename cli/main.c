/* main.c -- `barque`, the command people type: finds the command, reads its flags, runs it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"

#define COMMAND(name) extern const struct command command_##name;
#include "cli/commands.def"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "cli/commands.def"
#undef COMMAND
        NULL};

static void print_overview(FILE *out)
{
	fprintf(out,
	        "barque: jobs for market data - download candles, check them, run backtests\n\nUsage: barque COMMAND [arguments] [flags]\n\n");
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out,
	        "\nEvery command takes --json (output for scripts), --url URL (the API; default %s or BARQUE_URL)\n"
	        "and --help, which shows examples. barque --version says which one this is. BARQUE_TOKEN is the token of an API that wants one. To begin: barque up --demo\n",
	        CLI_DEFAULT_URL);
}

static const struct command *command_of(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (str_eq(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static bool read_token(struct cli *c, struct err *e)
{
	const char *token = getenv("BARQUE_TOKEN");
	if (!token || !*token)
		token = getenv("API_TOKEN");
	if (!token || !*token)
		return true;
	int n = snprintf(c->token, sizeof c->token, "Authorization: Bearer %s", token);
	return n > 0 && (size_t)n < sizeof c->token ? true : err_set(e, ERR_INVALID, "the token in BARQUE_TOKEN or API_TOKEN is too long");
}

/* What was printed must have arrived: a full disk would cut a table of candles without a word. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "barque: the output could not be written: %s\n", strerror(errno));
	return status == CLI_DONE ? CLI_FAILED : status;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct cli c = {0};
	struct err e = {0};
	if (!args_read(&c, command, argc, argv, &e)) {
		fprintf(stderr, "barque %s: %s; see 'barque %s --help'\n", command->name, e.text, command->name);
		return CLI_USAGE;
	}
	if (args_has(&c, "help") && !(command->free_flags && c.n_words > 0)) {
		args_help(stdout, command);
		return CLI_DONE;
	}
	const char *url = getenv("BARQUE_URL");
	c.url = args_get(&c, "url", url && *url ? url : CLI_DEFAULT_URL);
	c.json = args_has(&c, "json");
	c.terminal = !c.json && isatty(STDOUT_FILENO);
	struct http_client_options options = {.timeout_ms = 120000, .stall_timeout_ms = 90000, .user_agent = "barque-cli"};
	c.http = http_client_open(&options, &e);
	if (!c.http || !read_token(&c, &e)) {
		http_client_close(&c.http);
		return cli_fail(&e);
	}
	int status = command->run(&c);
	http_client_close(&c.http);
	return finish(status);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || str_eq(argv[1], "--help") || str_eq(argv[1], "-h") || str_eq(argv[1], "help")) {
		const struct command *about = argc > 2 ? command_of(argv[2]) : NULL;
		if (about)
			args_help(stdout, about);
		else
			print_overview(argc < 2 ? stderr : stdout);
		return argc < 2 ? CLI_USAGE : CLI_DONE;
	}
	if (str_eq(argv[1], "--version") || str_eq(argv[1], "version")) {
		puts("barque " BARQUE_VERSION);
		return finish(CLI_DONE);
	}
	const struct command *command = command_of(argv[1]);
	if (!command) {
		fprintf(stderr, "barque: there is no command '%s'; 'barque --help' lists them\n", argv[1]);
		return CLI_USAGE;
	}
	return run_command(command, argc - 2, argv + 2);
}

/* args.c -- reads a command line: words, --name value, --name=value and switches. */
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"

static const struct cli_flag common_flags[] = {
        {"json", NULL, "print JSON for scripts, nothing else"},
        {"url", "URL", "the API to talk to (default " CLI_DEFAULT_URL " or BARQUE_URL)"},
        {"help", NULL, "show this"},
};

static const struct cli_flag *find(const struct cli_flag *flags, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(flags[i].name, name))
			return &flags[i];
	return NULL;
}

static const struct cli_flag *flag_of(const struct command *command, const char *name)
{
	const struct cli_flag *flag = find(command->flags, command->n_flags, name);
	return flag ? flag : find(common_flags, ARRAY_LEN(common_flags), name);
}

bool args_is_known(const struct command *command, const char *name)
{
	return flag_of(command, name) != NULL;
}

/* One flag at argv[*i]; steps over its value when that is a word of its own. */
static bool read_flag(struct cli *c, const struct command *command, int argc, char **argv, int *i, struct err *e)
{
	char *equals = strchr(argv[*i], '=');
	if (equals)
		*equals = '\0'; /* the name ends here; the word is ours */
	const char *name = str_eq(argv[*i], "-h") ? "help" : argv[*i] + 2;
	const struct cli_flag *flag = flag_of(command, name);
	if (!flag && !command->free_flags)
		return err_set(e, ERR_INVALID, "there is no flag --%s", name);
	const char *value = equals ? equals + 1 : NULL;
	if (flag && !flag->value) {
		if (value)
			return err_set(e, ERR_INVALID, "--%s takes no value", name);
		value = "yes";
	}
	bool next_is_value = *i + 1 < argc && !str_starts(argv[*i + 1], "--");
	if (!value && next_is_value)
		value = argv[++*i];
	if (!value && !flag)
		value = "true";
	if (!value)
		return err_set(e, ERR_INVALID, "--%s wants a value: --%s %s", name, name, flag->value);
	if (c->n_sets == CLI_WORDS)
		return err_set(e, ERR_INVALID, "there are more than %d flags", CLI_WORDS);
	c->sets[c->n_sets++] = (struct cli_set){name, value};
	return true;
}

bool args_read(struct cli *c, const struct command *command, int argc, char **argv, struct err *e)
{
	for (int i = 0; i < argc; i++) {
		if (str_eq(argv[i], "-h") || (str_starts(argv[i], "--") && argv[i][2])) {
			if (!read_flag(c, command, argc, argv, &i, e))
				return false;
			continue;
		}
		if (c->n_words == command->words_max || c->n_words == CLI_WORDS)
			return err_set(e, ERR_INVALID, "'%s' is one argument too many", argv[i]);
		c->words[c->n_words++] = argv[i];
	}
	return true;
}

const char *args_get(const struct cli *c, const char *name, const char *fallback)
{
	for (size_t i = c->n_sets; i > 0; i--)
		if (str_eq(c->sets[i - 1].name, name))
			return c->sets[i - 1].value;
	return fallback;
}

bool args_has(const struct cli *c, const char *name)
{
	return args_get(c, name, NULL) != NULL;
}

static void print_flags(FILE *out, const struct cli_flag *flags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char left[64];
		snprintf(left, sizeof left, "--%s%s%s", flags[i].name, flags[i].value ? " " : "", flags[i].value ? flags[i].value : "");
		fprintf(out, "  %-24s %s\n", left, flags[i].help);
	}
}

void args_help(FILE *out, const struct command *command)
{
	fprintf(out, "%s\n\nUsage: barque %s\n\nFlags:\n", command->summary, command->usage);
	print_flags(out, command->flags, command->n_flags);
	print_flags(out, common_flags, ARRAY_LEN(common_flags));
	fprintf(out, "\nExamples:\n%s", command->examples);
}

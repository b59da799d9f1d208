/* cli.h -- what the commands of `barque` share: flags, the API, tables and progress bars on the terminal. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "http/client.h"

#define CLI_DEFAULT_URL "http://127.0.0.1:8000"
#define CLI_WORDS       256

/* Exit codes: 0 done, 1 the work failed, 2 the command line was wrong, 3 the API could not be reached. */
enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };

struct cli_flag {
	const char *name;  /* without the dashes */
	const char *value; /* what stands for its value in --help; NULL: a switch */
	const char *help;
};

struct cli_set {
	const char *name, *value; /* value "yes" for a switch */
};

struct cli {
	const char *url;
	bool json;            /* --json: machine-readable output only */
	bool terminal;        /* standard output is one: bars may be redrawn */
	bool stop_at_failure; /* watch_jobs ends with the first job that did not succeed */
	bool was_there;       /* what was handed in last is one that was there before: it has the same key */
	struct http_client *http;
	char token[300];              /* "Authorization: Bearer ..." from BARQUE_TOKEN or API_TOKEN; "": none */
	const char *words[CLI_WORDS]; /* the arguments that are not flags */
	size_t n_words;
	struct cli_set sets[CLI_WORDS];
	size_t n_sets;
};

struct command {
	const char *name, *summary;
	const char *usage;    /* "submit KIND [NAME=VALUE ...] [flags]" */
	const char *examples; /* whole lines */
	const struct cli_flag *flags;
	size_t n_flags;
	size_t words_max; /* arguments that are not flags */
	bool free_flags;  /* unknown flags are the job's parameters, checked by the API */
	int (*run)(struct cli *c);
};

/* Flags, from args.c. */
bool args_read(struct cli *c, const struct command *command, int argc, char **argv, struct err *e) MUST_CHECK;
const char *args_get(const struct cli *c, const char *name, const char *fallback);
bool args_has(const struct cli *c, const char *name);
bool args_is_known(const struct command *command, const char *name);
void args_help(FILE *out, const struct command *command);

/* The API, from api.c. An answer of 400 and above is an error with the API's own sentence; *status_out may be NULL. */
struct json *api_call(
        struct cli *c, const char *method, const char *path, const struct json *body, int *status_out, struct err *e) MUST_CHECK;
/* The same with an Idempotency-Key, or NULL. */
struct json *api_call_with_key(struct cli *c, const char *method, const char *path, const struct json *body, const char *key,
        int *status_out, struct err *e) MUST_CHECK;
/* Post a job; fills id_out[48]. key: Idempotency-Key or NULL. Takes nothing over. */
bool api_submit(struct cli *c, const struct json *body, const char *key, char id_out[48], struct err *e) MUST_CHECK;
/* The job, waiting up to wait_s for its next change when wait_s > 0. */
struct json *api_job(struct cli *c, const char *id, int wait_s, struct err *e) MUST_CHECK;
/* Ask for a job's cancellation; the job as it stands then. */
struct json *api_cancel(struct cli *c, const char *id, struct err *e) MUST_CHECK;
/* The same for running it again. */
struct json *api_replay(struct cli *c, const char *id, struct err *e) MUST_CHECK;
/* "&name=VALUE" behind path when the flag was given. */
void api_add_flag(const struct cli *c, const char *flag, const char *name, struct buf *path);
bool api_job_is_over(const struct json *job);
/* Say what went wrong on stderr; returns the exit code that fits. */
int cli_fail(const struct err *e);
int cli_print_json(struct json *j); /* prints, closes, returns CLI_DONE */
/* How most commands end: say why there is no answer, or print it, with --json as it is. Closes it; returns the exit code. */
int cli_answer(struct cli *c, struct json *answer, const struct err *e, void (*print)(struct cli *c, const struct json *answer));

/* Follow jobs until all are over, drawing a bar each; from watch.c. Returns how many did not succeed, -1 with e. */
struct watch_item {
	char id[48];
	char label[40];
	struct json *job; /* the last answer; the caller closes */
};
int watch_jobs(struct cli *c, struct watch_item *items, size_t n, struct err *e) MUST_CHECK;

/* One line about a job: "kline-0abc  kline.download  running  45 %  ...". */
void job_line(const struct json *job, struct buf *out);
void job_details(const struct json *job, FILE *out);
/* A table of jobs that ended: when, how long it took, and why. */
void job_end_head(FILE *out);
void job_end_line(const struct json *job, FILE *out);

extern const struct command *const commands[]; /* NULL-terminated, from commands.def */

#endif

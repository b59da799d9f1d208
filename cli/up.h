/* up.h -- the programs that `barque up` starts, watches and stops. */
#ifndef CLI_UP_H
#define CLI_UP_H

#include <sys/types.h>

#include "cli/cli.h"

#define UP_WORDS    24
#define UP_PATH     600
#define UP_CHILDREN 32
#define UP_WORKERS  16
#define UP_LINE     300

/* A program under our eyes. Its standard error goes to <run>/NAME.log; it dies with us. */
struct child {
	char name[24];
	char log[UP_PATH + 40];
	char *argv[UP_WORDS]; /* owned */
	char *env[UP_WORDS];  /* "K=V", owned */
	pid_t pid;            /* 0: not running */
	int out;              /* its standard output until the first line was read; -1 */
	int status;           /* how it ended, as waitpid tells; 0 while it runs */
	const char *lost;     /* what is lost when it is started again; NULL: nothing */
	int restarts;
	int64_t started_ms; /* monotonic */
	bool keep;          /* start it again when it dies */
	bool may_end;       /* but not when it ends by itself with status 0: it was told to */
	bool over;          /* which it did */
	int stop_ms;        /* how long it may take to stop before it is killed */
};

struct up {
	struct cli *c;
	char data[UP_PATH], run[UP_PATH], programs[UP_PATH]; /* absolute paths */
	int lock;
	struct child children[UP_CHILDREN];
	size_t n_children;
	char queue_url[UP_PATH + 40], store_url[UP_PATH + 40], kafka[UP_LINE], exchange[UP_LINE], api_url[UP_LINE];
	char services[UP_LINE]; /* "ports 8001 data, ..." */
	bool sim;               /* the exchange is the simulator */
};

/* Children, from up_child.c. */
struct child *up_child(struct up *u, const char *name, const char *program) __attribute__((returns_nonnull));
void child_arg(struct child *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void child_env(struct child *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool child_start(struct child *c, struct err *e) MUST_CHECK;
/* Its first line on standard output, without the newline; fails with the last line of its log when it ends before. */
bool child_first_line(struct child *c, char *out, size_t size, int timeout_ms, struct err *e) MUST_CHECK;
bool child_is_running(struct child *c); /* collects it when it ended */
void child_stop(struct child *c);
void child_why(const struct child *c, char *out, size_t size); /* the signal that ended it, or the last line of its log */
void up_stop_all(struct up *u);                                /* in reverse order of starting */

/* The parts, from up_parts.c: each starts one program and waits until it answers. */
bool up_redis(struct up *u, struct err *e) MUST_CHECK;
bool up_broker(struct up *u, struct err *e) MUST_CHECK;
bool up_exchange(struct up *u, struct err *e) MUST_CHECK;
bool up_api(struct up *u, struct err *e) MUST_CHECK;
bool up_workers(struct up *u, struct err *e) MUST_CHECK;
bool up_ports_free(struct err *e) MUST_CHECK;
int64_t up_number(const char *flag_text, int64_t fallback, int64_t min, int64_t max);

#endif

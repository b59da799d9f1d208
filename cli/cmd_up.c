/* cmd_up.c -- `barque up`: a whole Barque on this machine, started, watched and stopped as one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/up.h"

#define RESTARTS_MAX       5
#define RESTARTS_WITHIN_MS 60000

static const struct cli_flag flags[] = {
        {"demo", NULL, "show the main job; with DEMO=once in the environment, stop afterwards"},
        {"exchange", "auto|real|sim",
                "the real exchange, its simulator, or the simulator when the real one cannot be reached (default auto)"},
        {"workers", "N", "worker programs (default 1, each with a slot per core)"},
        {"data", "DIR", "where db/, backtrade_records/ and run.d/ lie (default: here)"},
};

static bool make_dir(char *out, size_t size, const char *parent, const char *name, struct err *e)
{
	int n = snprintf(out, size, "%s/%s", parent, name);
	if (n < 0 || (size_t)n >= size)
		return err_set(e, ERR_INVALID, "the path %s/%s is too long", parent, name);
	if (mkdir(out, 0755) == 0 || errno == EEXIST)
		return true;
	return err_set(e, ERR_DENIED, "%s cannot be made: %s; choose a folder that you may write with --data", out, strerror(errno));
}

static bool find_programs(struct up *u, struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", u->programs, sizeof u->programs - 1);
	if (n <= 0)
		return err_set(e, ERR_INTERNAL, "the path of this program is not known: %s", strerror(errno));
	u->programs[n] = '\0';
	*strrchr(u->programs, '/') = '\0';
	return true;
}

static bool take_lock(struct up *u, struct err *e)
{
	char path[UP_PATH + 8];
	snprintf(path, sizeof path, "%s/lock", u->run);
	u->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (u->lock < 0)
		return err_set(
		        e, ERR_DENIED, "%s cannot be opened: %s; choose a folder that you may write with --data", path, strerror(errno));
	if (flock(u->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	return err_set(
	        e, ERR_CONFLICT, "a Barque is already up in %s; stop it with Ctrl-C there, or choose another folder with --data", u->data);
}

static bool prepare(struct up *u, struct err *e)
{
	char resolved[PATH_MAX], db[UP_PATH];
	const char *data = args_get(u->c, "data", ".");
	if (mkdir(data, 0755) != 0 && errno != EEXIST)
		return err_set(e, ERR_DENIED, "%s cannot be made: %s", data, strerror(errno));
	if (!realpath(data, resolved) || !str_copy(u->data, sizeof u->data, resolved))
		return err_set(e, ERR_INVALID, "%s is not a usable folder: %s", data, strerror(errno));
	if (!make_dir(u->run, sizeof u->run, u->data, "run.d", e) || !make_dir(db, sizeof db, u->data, "db", e))
		return false;
	snprintf(u->store_url, sizeof u->store_url, "sqlite:%s", db);
	return find_programs(u, e) && take_lock(u, e) && up_ports_free(e);
}

/* What is wrong with the flags is said before anything is started. */
static bool check_flags(struct up *u, struct err *e)
{
	const char *mode = args_get(u->c, "exchange", "auto"), *workers = args_get(u->c, "workers", "1");
	int64_t n;
	if (!str_eq(mode, "auto") && !str_eq(mode, "real") && !str_eq(mode, "sim"))
		return err_set(e, ERR_INVALID, "--exchange is '%s', but must be auto, real or sim", mode);
	if (!str_int(workers, 1, UP_WORKERS, &n))
		return err_set(e, ERR_INVALID, "--workers is '%s', but must be a whole number from 1 to %d", workers, UP_WORKERS);
	return true;
}

static bool start_parts(struct up *u, struct err *e)
{
	return up_redis(u, e) && up_broker(u, e) && up_exchange(u, e) && up_api(u, e) && up_workers(u, e);
}

static void say_where(const struct up *u)
{
	printf("\nBarque is up.\n"
	       "  API        %s        (docs at %s/docs)\n"
	       "  services   %s\n"
	       "  queue      %s\n"
	       "  events     Kafka at %s%s\n"
	       "  exchange   %s%s\n"
	       "  candles    %s, results %s/backtrade_records\n"
	       "  logs       %s/*.log\n",
	        u->api_url, u->api_url, u->services, u->queue_url, u->kafka,
	        getenv("KAFKA_BROKERS") ? "" : " (development broker: keeps nothing on disk)", u->exchange, u->sim ? " (simulator)" : "",
	        u->store_url, u->data, u->run);
	fflush(stdout);
}

/* A part died: start it again, unless it dies over and over, or was told to end (`barque worker drain`). */
static bool revive(struct child *c, struct err *e)
{
	char why[UP_LINE];
	c->over = c->may_end && c->status == 0;
	if (c->over) {
		fprintf(stderr, "barque up: %s ended as it was told and is not started again\n", c->name);
		return true;
	}
	child_why(c, why, sizeof why);
	c->restarts = clock_mono_ms() - c->started_ms > RESTARTS_WITHIN_MS ? 1 : c->restarts + 1;
	if (!c->keep || c->restarts > RESTARTS_MAX)
		return err_set(e, ERR_CRASHED, "%s ended: %s", c->name, why);
	fprintf(stderr, "barque up: %s ended (%s) and is started again%s%s\n", c->name, why, c->lost ? "; " : "", c->lost ? c->lost : "");
	return child_start(c, e);
}

static bool all_well(struct up *u, struct err *e)
{
	for (size_t i = 0; i < u->n_children; i++)
		if (!u->children[i].over && !child_is_running(&u->children[i]) && !revive(&u->children[i], e))
			return false;
	return true;
}

/* The demonstration is the same program, so that it can do nothing but what the API allows. */
static pid_t start_demo(const struct up *u)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	char path[UP_PATH + 8], url[UP_LINE + 8];
	snprintf(path, sizeof path, "%s/barque", u->programs);
	snprintf(url, sizeof url, "--url=%s", u->api_url);
	execl(path, "barque", "demo", url, (char *)NULL);
	_exit(127);
}

/* Watch until a signal comes, a part cannot be kept up, or the demonstration ends and was to be the end. Returns the exit code. */
static int watch(struct up *u, const sigset_t *signals, pid_t demo)
{
	bool once = str_eq(getenv("DEMO"), "once");
	struct err e = {0};
	struct timespec turn = {.tv_nsec = 200 * 1000 * 1000};
	for (;;) {
		int status, got = sigtimedwait(signals, NULL, &turn);
		if (got == SIGINT || got == SIGTERM) {
			if (demo > 0)
				kill(demo, SIGTERM);
			return demo > 0 && once ? CLI_FAILED : CLI_DONE;
		}
		if (demo > 0 && waitpid(demo, &status, WNOHANG) == demo) {
			int code = WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
			if (once || code != 0)
				return code;
			demo = 0;
			puts("\nBarque stays up; Ctrl-C stops it.");
			fflush(stdout);
		}
		if (!all_well(u, &e)) {
			fprintf(stderr, "barque up: %s; the logs are in %s\n", e.text, u->run);
			if (demo > 0)
				kill(demo, SIGTERM);
			return CLI_FAILED;
		}
	}
}

static int run(struct cli *c)
{
	static struct up u; /* large; one per process */
	struct err e = {0};
	sigset_t signals;
	u.c = c;
	u.lock = -1;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	int status = CLI_FAILED;
	if (!check_flags(&u, &e)) {
		fprintf(stderr, "barque up: %s; see 'barque up --help'\n", e.text);
		return CLI_USAGE;
	}
	if (!prepare(&u, &e) || !start_parts(&u, &e)) {
		fprintf(stderr, "barque up: %s\n", e.text);
	} else {
		say_where(&u);
		bool demo = args_has(c, "demo");
		if (!demo)
			puts("Ctrl-C stops it. To see the main job: barque demo");
		fflush(stdout);
		status = watch(&u, &signals, demo ? start_demo(&u) : 0);
		puts("Stopping.");
		fflush(stdout);
	}
	up_stop_all(&u);
	if (u.lock >= 0)
		close(u.lock);
	return status;
}

extern const struct command command_up;
const struct command command_up = {
        .name = "up",
        .summary = "start a whole Barque on this machine, until Ctrl-C",
        .usage = "up [flags]",
        .examples = "  barque up --demo\n"
                    "  barque up --exchange sim --workers 2\n"
                    "  DEMO=once barque up --demo      run the demonstration and stop\n"
                    "  API_PORT=9000 DATA_SERVICE_PORT=0 BACKTEST_SERVICE_PORT=0 ORDER_SERVICE_PORT=0 barque up --data /tmp/barque\n"
                    "                                  another port, none of the services' own, another folder; more: docs/settings.md\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .run = run,
};

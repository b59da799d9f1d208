/* kind_noop.c -- does nothing, for a while, well or badly: for trying out a queue and for measuring it. */
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "kinds/kind.h"

#define TURN_MS 20

static const struct param params[] = {
        {.name = "sleep_ms", .type = PARAM_INT, .fallback = "0", .min = 0, .max = 86400000, .help = "how long it takes", .unit = "ms"},
        {.name = "fail", .type = PARAM_TEXT, .min = 1, .max = 200, .help = "fail with this text"},
        {.name = "fail_times",
                .type = PARAM_INT,
                .fallback = "0",
                .min = 0,
                .max = 1000,
                .help = "fail so many attempts temporarily, then succeed; 0: fail for good"},
        {.name = "alone", .type = PARAM_TEXT, .min = 1, .max = 100, .help = "of all noops with this text one runs at a time"},
        {.name = "payload", .type = PARAM_TEXT, .min = 0, .max = 65536, .help = "any text; comes back in the result"},
        {.name = "say", .type = PARAM_INT, .fallback = "0", .min = 0, .max = 100000, .help = "write so many lines into its log"},
#ifdef BARQUE_FAILPOINTS
        {.name = "crash", .type = PARAM_INT, .fallback = "0", .min = 0, .max = 31, .help = "die by this signal"},
        {.name = "kill_worker", .type = PARAM_FLAG, .fallback = "false", .help = "kill its dispatcher, and all that it holds"},
        {.name = "spin", .type = PARAM_FLAG, .fallback = "false", .help = "run for ever and listen to nobody"},
        {.name = "eat_mb", .type = PARAM_INT, .fallback = "0", .min = 0, .max = 4096, .help = "hold so much memory", .unit = "MiB"},
        {.name = "nap_ms",
                .type = PARAM_INT,
                .fallback = "0",
                .min = 0,
                .max = 86400000,
                .help = "sleep in one go; a signal wakes it",
                .unit = "ms"},
        {.name = "deaf", .type = PARAM_FLAG, .fallback = "false", .help = "block SIGTERM"},
        {.name = "effect", .type = PARAM_TEXT, .min = 1, .max = 200, .help = "append the job's id and fence to this file"},
#endif
};

static void concurrency(const struct json *p, char out[JOB_KEY], int *max_out)
{
	const char *alone = json_get_text(p, "alone", NULL);

	*max_out = 1;
	snprintf(out, JOB_KEY, "%s%s", alone ? "noop " : "", alone ? alone : "");
}

static bool sleep_told(struct job_context *c, int64_t total, struct err *e)
{
	int64_t began = clock_mono_ms();
	for (;;) {
		int64_t done = clock_mono_ms() - began;
		if (done > total)
			done = total;
		if (!c->progress(c, done, total, "ms", NULL))
			return err_set(e, ERR_CANCELLED, "stopped after %lld of %lld ms", (long long)done, (long long)total);
		if (done == total)
			return true;
		clock_sleep_ms(total - done < TURN_MS ? total - done : TURN_MS);
	}
}

#ifdef BARQUE_FAILPOINTS
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool effect_write(struct job_context *c, const char *path, struct err *e)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "%s %lld\n", c->job->id, (long long)c->job->fence);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, line, (size_t)n) == n;
	if (fd >= 0)
		close(fd);
	return ok || err_set(e, ERR_IO, "%s cannot be written", path);
}

static bool misbehave(struct job_context *c, struct err *e)
{
	int64_t mb = json_get_int(c->params, "eat_mb", 0);
	int crash = (int)json_get_int(c->params, "crash", 0);
	const char *effect = json_get_text(c->params, "effect", NULL);
	if (effect != NULL && !effect_write(c, effect, e))
		return false;
	if (mb > 0)
		memset(arena_new(c->arena, (size_t)mb << 20), 1, (size_t)mb << 20);
	if (crash > 0) {
		HISTORY("kill", c->job->id, c->job->fence, getpid());
		signal(crash, SIG_DFL);
		raise(crash);
	}
	if (json_get_bool(c->params, "kill_worker", false)) {
		HISTORY("kill", c->job->id, c->job->fence, getppid());
		kill(getppid(), SIGKILL);
		pause(); /* it dies with its dispatcher */
	}
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(json_get_bool(c->params, "deaf", false) ? SIG_BLOCK : SIG_UNBLOCK, &term, NULL);
	int64_t nap_ms = json_get_int(c->params, "nap_ms", 0);
	struct timespec nap = {.tv_sec = nap_ms / 1000, .tv_nsec = nap_ms % 1000 * 1000000};
	if (nap_ms > 0 && nanosleep(&nap, NULL) != 0 && !c->progress(c, 0, nap_ms, "ms", "woken"))
		return err_set(e, ERR_CANCELLED, "woken and told to stop");
	for (volatile bool spins = json_get_bool(c->params, "spin", false); spins;)
		;
	return true;
}
#else
static bool misbehave(struct job_context *c, struct err *e)
{
	UNUSED(c);
	UNUSED(e);
	return true;
}
#endif

static void say(struct job_context *c)
{
	int64_t n = json_get_int(c->params, "say", 0);
	for (int64_t i = 1; i <= n; i++)
		kind_log(c, "line %lld of %lld", (long long)i, (long long)n);
}

static bool work(struct job_context *c, struct json **result_out, struct err *e)
{
	say(c);
	int64_t sleep_ms = json_get_int(c->params, "sleep_ms", 0);
	int64_t fail_times = json_get_int(c->params, "fail_times", 0);
	const char *fail = json_get_text(c->params, "fail", NULL);
	const char *payload = json_get_text(c->params, "payload", NULL);
	if (!misbehave(c, e) || (sleep_ms > 0 && !sleep_told(c, sleep_ms, e)))
		return false;
	if (fail_times > 0 && c->job->attempt <= fail_times)
		return err_set(e, ERR_UNAVAILABLE, "%s (attempt %d of %lld that fail)", fail != NULL ? fail : "it was asked to fail",
		        c->job->attempt, (long long)fail_times);
	if (fail != NULL && fail_times == 0)
		return err_set(e, ERR_INVALID, "%s", fail);
	if (payload != NULL) {
		*result_out = json_new_object();
		json_put_text(*result_out, "payload", payload);
	}
	return true;
}

static bool run(struct job_context *c, struct json **result_out, struct err *e)
{
	HISTORY("start", c->job->id, c->job->fence, c->job->attempt);
	bool ok = work(c, result_out, e);
	FAILPOINT("job_before_effect");
	HISTORY(ok ? "effect" : "stop", c->job->id, c->job->fence, c->job->attempt);
	return ok;
}

extern const struct kind kind_noop;
const struct kind kind_noop = {
        .name = "noop",
        .title = "Do nothing",
        .queue = "default",
        .version = 1,
        .params = params,
        .n_params = ARRAY_LEN(params),
        .max_attempts = 3,
        .backoff_ms = 200,
        .backoff_cap_ms = 5000,
        .soft_limit_ms = 25 * TIME_HOUR,
        .hard_limit_ms = 26 * TIME_HOUR,
        .is_short = true,
        .concurrency = concurrency,
        .run = run,
};

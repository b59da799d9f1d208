/* cmd_doctor.c -- `barque doctor`: does every job stand in one place, do counters, leases and keys fit; mend it when told to. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"

#define DOCTOR_SOUND    0
#define DOCTOR_FINDINGS 1
#define DOCTOR_BLIND    2 /* it could not be looked at */
#define PROGRESS_MS     500

static const struct cli_flag flags[] = {
        {"mend", NULL, "mend what does not fit, one thing at a time, each looked at again before it is changed"},
        {"force", NULL, "with --mend: set counters also while their queue is not paused"},
};

/* ---- on a terminal: how far it is. A process of its own asks, since the answer itself comes at the end. */

static void tell_progress(struct cli *c)
{
	struct err e = {0};
	struct json *p = api_call(c, "GET", "/api/doctor/progress", NULL, NULL, &e);
	const char *queue = json_get_text(p, "queue", NULL);
	if (queue)
		fprintf(stderr, "\r\033[Klooking at queue %s, %lld of %lld: %lld records and places so far", queue,
		        (long long)json_get_int(p, "nth", 0), (long long)json_get_int(p, "of", 0), (long long)json_get_int(p, "read", 0));
	else if (json_get_bool(p, "store", false))
		fprintf(stderr, "\r\033[Klooking at the store");
	json_close(&p);
}

/* 0: there is no terminal. */
static pid_t progress_begin(struct cli *c)
{
	pid_t parent = getpid(), pid = c->json || !isatty(STDERR_FILENO) ? 0 : fork();
	if (pid != 0 || c->json || !isatty(STDERR_FILENO))
		return pid > 0 ? pid : 0;
	while (getppid() == parent) {
		clock_sleep_ms(PROGRESS_MS);
		tell_progress(c);
	}
	_exit(0);
}

static void progress_end(pid_t pid)
{
	if (!pid)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fprintf(stderr, "\r\033[K");
}

static struct json *ask(struct cli *c, struct err *e)
{
	const char *queue = c->n_words ? c->words[0] : NULL;
	struct buf path = {0};
	struct json *body = NULL, *answer;
	buf_adds(&path, "/api/doctor");
	if (args_has(c, "mend")) {
		body = json_new_object();
		json_put_bool(body, "mend", true);
		json_put_bool(body, "force", args_has(c, "force"));
		if (queue)
			json_put_text(body, "queue", queue);
	} else if (queue) {
		buf_adds(&path, "?queue=");
		http_escape(&path, queue);
	}
	answer = api_call(c, body ? "POST" : "GET", buf_text(&path), body, NULL, e);
	json_close(&body);
	buf_close(&path);
	return answer;
}

/* 12345 -> 12,345 */
static const char *with_commas(int64_t n, char out[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%lld", (long long)n), at = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

static void print_list(const char *title, const struct json *list, bool why)
{
	if (!json_first(list))
		return;
	puts(title);
	for (const struct json *f = json_first(list); f; f = json_next(f)) {
		printf("  %-9s %s", json_get_text(f, "fault", "?"), json_get_text(f, "sentence", "?"));
		if (why)
			printf(" (%s)", json_get_text(f, "why", "?"));
		puts("");
	}
}

/* Queues whose counters could not be compared, because jobs moved all the time. */
static void print_moving(const struct json *queues)
{
	for (const struct json *q = json_first(queues); q; q = json_next(q))
		if (!json_get_bool(q, "counters_compared", true))
			printf("Jobs of queue %s moved all the time: its counters were not compared ('barque pause %s' lets them stand still).\n",
			        json_get_text(q, "queue", "?"), json_get_text(q, "queue", "?"));
}

static bool any_mendable(const struct json *findings)
{
	for (const struct json *f = json_first(findings); f; f = json_next(f))
		if (json_get_bool(f, "mendable", false))
			return true;
	return false;
}

static void print_report(struct cli *c, const struct json *r)
{
	int64_t jobs = json_get_int(r, "jobs", 0), total = json_get_int(r, "total", 0);
	int64_t queues = (int64_t)json_count(json_get(r, "queues")), shown = (int64_t)json_count(json_get(r, "findings"));
	char number[32], many[32];
	print_list("Mended:", json_get(r, "mended"), false);
	print_list("Not mended:", json_get(r, "unmended"), true);
	print_list("Found:", json_get(r, "findings"), false);
	if (total > shown)
		printf("  ... and %s more\n", with_commas(total - shown, number));
	print_moving(json_get(r, "queues"));
	if (total)
		printf("%s finding%s", with_commas(total, many), plural(total));
	else
		printf("all is well");
	printf(": %s job%s in %lld queue%s, looked at in %.1f s\n", with_commas(jobs, number), plural(jobs), (long long)queues,
	        plural(queues), (double)json_get_int(r, "took_ms", 0) / 1000);
	if (!args_has(c, "mend") && any_mendable(json_get(r, "findings")))
		puts("Nothing was changed; --mend mends what can be mended.");
}

static int run(struct cli *c)
{
	struct err e = {0};
	if (args_has(c, "force") && !args_has(c, "mend")) {
		fprintf(stderr, "barque doctor: --force belongs to --mend\n");
		return DOCTOR_BLIND;
	}
	pid_t progress = progress_begin(c);
	struct json *report = ask(c, &e);
	progress_end(progress);
	if (!report) {
		cli_fail(&e);
		return DOCTOR_BLIND;
	}
	int status = json_get_bool(report, "sound", false) ? DOCTOR_SOUND : DOCTOR_FINDINGS;
	if (c->json) {
		cli_print_json(report);
		return status;
	}
	print_report(c, report);
	json_close(&report);
	return status;
}

extern const struct command command_doctor;
const struct command command_doctor = {
        .name = "doctor",
        .summary = "check that every job stands in one place and the store is sound",
        .usage = "doctor [QUEUE] [--mend [--force]]",
        .examples = "  barque doctor                # exit status 0: sound, 1: findings, 2: it could not look\n"
                    "  barque doctor kline --json   # one queue, for scripts\n"
                    "  barque pause kline && barque doctor kline --mend; barque resume kline\n",
        .flags = flags,
        .n_flags = ARRAY_LEN(flags),
        .words_max = 1,
        .run = run,
};

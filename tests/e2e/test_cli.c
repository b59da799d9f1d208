/* test_cli.c -- the command line against a whole Barque: what it prints, what it refuses, and its exit codes. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/time.h"
#include "tests/lib/system.h"

#define RUN_MS 40000

static const char *const sim[] = {"--seed", "7", "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT", NULL};

static void expect(char **out, const char *part)
{
	ck_assert_msg(strstr(*out, part) != NULL, "'%s' is not in: %s", part, *out);
}

static struct json *parsed(const char *text)
{
	struct err e = {0};
	struct json *j = json_parse(text, strcspn(text, "\n"), &e);
	ck_assert_msg(j != NULL, "%s: %s", e.text, text);
	return j;
}

START_TEST(help_and_mistakes)
{
	char *out;
	ck_assert_int_eq(BARQUE(NULL, &out, "--help"), 0);
	expect(&out, "barque up --demo");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(NULL, &out, "sumbit"), 2);
	expect(&out, "there is no command 'sumbit'");
	mem_free(&out);
	BARQUE_SAYS(NULL, 0, "barque 1.", "--version");
	ck_assert_int_eq(BARQUE(NULL, &out, "jobs", "--stat", "x"), 2);
	expect(&out, "there is no flag --stat");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(NULL, &out, "jobs", "--state"), 2);
	expect(&out, "--state wants a value");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(NULL, &out, "show", "--help"), 0);
	expect(&out, "Examples:");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(NULL, &out, "jobs", "running"), 2);
	expect(&out, "'running' is one argument too many");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(NULL, &out, "up", "--workers", "99"), 2);
	expect(&out, "--workers is '99', but must be a whole number from 1 to 16");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(NULL, &out, "up", "--exchange", "moon"), 2);
	expect(&out, "--exchange is 'moon', but must be auto, real or sim");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(NULL, &out, "jobs"), 3);
	expect(&out, "no Barque API answers at");
	mem_free(&out);
}
END_TEST

START_TEST(jobs_and_logs_are_followed)
{
	struct test_system s;
	char *out;
	test_system_start(&s, sim, 1);

	char url[64], log[600];
	snprintf(url, sizeof(url), "BARQUE_URL=http://127.0.0.1:%d", s.api_port);
	const char *follow[] = {test_program("barque"), "jobs", "--follow", "--count", "1", "--state", "succeeded", "--kind", "noop", NULL};
	const char *env[] = {url, NULL};
	pid_t follower = test_spawn("follower", follow, env);
	int status = -1;
	for (int i = 0; i < 20 && !test_wait(follower, 500, &status); i++) {
		ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "--wait", "--json"), 0); /* until it listens */
		mem_free(&out);
	}
	ck_assert_int_eq(status, 0);
	snprintf(log, sizeof(log), "%s/follower.log", test_dir());
	out = test_read_file(log, NULL);
	expect(&out, "noop             succeeded");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "jobs", "--follow", "--state", "nice"), 1);
	expect(&out, "HTTP status 422");
	mem_free(&out);
	char talker[48], many[24] = "line 300 of 300";
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "say=300", "--json"), 0);
	struct json *job = parsed(out);
	ck_assert(str_copy(talker, sizeof(talker), json_get_text(job, "id", "")));
	json_close(&job);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "logs", talker, "--follow"), 0);
	expect(&out, "line 1 of 300");
	expect(&out, "line 100 of 300");
	expect(&out, " lines are left out: a job may write 50 a second");
	expect(&out, many);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "logs", talker, "--tail", "1"), 0);
	expect(&out, many);
	ck_assert_ptr_null(strstr(out, "line 1 of"));
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "logs", talker, "--tail", "0"), 2);
	mem_free(&out);
	test_system_stop(&s);
}
END_TEST

START_TEST(jobs_from_submit_to_result)
{
	struct test_system s;
	char *out;
	test_system_start(&s, sim, 1);

	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "sleep_ms=1", "--wait", "--json"), 0);
	struct json *job = parsed(out);
	ck_assert_str_eq(json_get_text(job, "state", ""), "succeeded");
	char id[48];
	ck_assert(str_copy(id, sizeof(id), json_get_text(job, "id", "")));
	json_close(&job);
	mem_free(&out);

	ck_assert_int_eq(BARQUE(&s, &out, "show", id), 0);
	expect(&out, "succeeded");
	char day[TIME_TEXT];
	time_print_date(day, clock_now_ms());
	expect(&out, day); /* times are for people */
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "show", id, "--timeline"), 0);
	expect(&out, "created");
	expect(&out, "claimed");
	expect(&out, "succeeded; queued ");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "jobs", "--kind", "noop"), 0);
	expect(&out, id);
	expect(&out, day);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "show", "default-0nosuchjob0000000000"), 1);
	mem_free(&out);

	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "nonsense=1"), 1);
	expect(&out, "nonsense");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "sleep_ms=soon"), 2);
	expect(&out, "sleep_ms=soon is not of type integer");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "no.such"), 1);
	expect(&out, "there is no kind 'no.such'; there are: noop");
	mem_free(&out);
	test_system_stop(&s);
}
END_TEST

/* The API counts what it is asked, by route. */
static void check_not_asked(const struct test_system *s, const char *route)
{
	char url[100], line[100];
	struct http_call call = {.method = "GET", .url = url};
	struct http_answer answer = {0};
	struct err e = {0};

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/metrics", s->api_port);
	snprintf(line, sizeof(line), "route=\"%s\"", route);
	ck_ok(http_client_call(s->http, &call, &answer, &e), &e);
	ck_assert(strstr(buf_text(&answer.body), "route=\"/api/queues\"") != NULL);
	ck_assert_msg(!strstr(buf_text(&answer.body), line), "%s was asked", route);
	http_answer_close(&answer);
}

START_TEST(operators_steer_queues)
{
	struct test_system s;
	char *out;
	test_system_start(&s, sim, 1);

	ck_assert_int_eq(BARQUE(&s, &out, "pause", "default"), 0);
	expect(&out, "default is paused, 0 ready, 0 running");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "queues"), 0);
	expect(&out, "paused");
	check_not_asked(&s, "/api/queues/{queue}/load"); /* one request for all of them */
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "resume", "default"), 0);
	expect(&out, "default goes on");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "shards", "default", "3"), 0);
	expect(&out, "default is spread over 3 shards");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "shards", "default", "0"), 2);
	expect(&out, "from 1 to 64");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "pause", "nowhere"), 1);
	expect(&out, "there is no queue 'nowhere'");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "--delay", "3600000", "--json"), 0);
	char later[48];
	struct json *job = parsed(out);
	ck_assert(str_copy(later, sizeof(later), json_get_text(job, "id", "")) && later[0]);
	json_close(&job);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "priority", later, "1"), 0);
	expect(&out, "scheduled, priority 1");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "priority", later, "5", "6"), 2);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "priority", later, "10"), 2);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "purge", "default", "--state", "scheduled"), 0);
	expect(&out, "1 scheduled jobs of default cancelled, 0 left");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "purge", "default"), 0);
	expect(&out, "0 ready jobs of default cancelled, 0 left");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "fail=on purpose", "--wait"), 1);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "dead", "--state", "failed", "--error", "ON PURPOSE"), 0);
	expect(&out, "ENDED (UTC)");
	expect(&out, "on purpose");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "dead", "--state", "failed", "--delete"), 0);
	expect(&out, "1 deleted, 0 skipped");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "dead", "--replay"), 0);
	expect(&out, "0 replayed, 0 skipped");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "dead", "--replay", "--delete"), 2);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "pause"), 2);
	mem_free(&out);
	test_system_stop(&s);
}
END_TEST

START_TEST(jobs_share_and_lanes_have_weights)
{
	struct test_system s;
	char *out;
	test_system_start(&s, sim, 1);

	ck_assert_int_eq(BARQUE(&s, &out, "pause", "default"), 0);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "--lane", "desk 7", "--concurrency", "a=b=2", "--rate", "r=10/60000/3",
	                         "--json", "--max-crashes", "2", "--backoff", "5", "--backoff-cap", "50", "--result-ttl", "1m",
	                         "--quarantine-after", "2", "--time-limit", "90s", "--unique", "u", "--on-duplicate", "reject"),
	        0);
	expect(&out, "\"concurrency\":{\"key\":\"a=b\",\"max\":2}");
	expect(&out, "\"rate\":{\"key\":\"r\",\"limit\":10,\"window_ms\":60000,\"cost\":3}");
	expect(&out, "\"max_crashes\":2,\"backoff_ms\":5,\"backoff_cap_ms\":50,\"result_ttl_ms\":60000,");
	expect(&out, "\"quarantine_after\":2,\"time_limit_ms\":90000,");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "--time-limit", "30h"), 1);
	expect(&out, "a job of kind noop may take at most");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "--backoff", "soon"), 2);
	expect(&out, "--backoff is 'soon', but must be a span such as 500ms");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "--unique", "u", "--on-duplicate", "reject"), 1);
	expect(&out, "same unique_key");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "--concurrency", "k"), 2);
	expect(&out, "must be KEY=N");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "--rate", "k=5"), 2);
	expect(&out, "must be KEY=LIMIT/MS");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "lanes", "default", "desk 7", "--weight", "3"), 0);
	expect(&out, "desk 7: weight 3, 1 ready");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "lanes", "default"), 0);
	expect(&out, "desk 7");
	expect(&out, "noop, priority 5");
	expect(&out, "3         -  the weight that was set");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "lanes", "default", "--json"), 0);
	expect(&out, "\"weight\":3");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "lanes", "default", "desk 7", "--reset"), 0);
	expect(&out, "weight 1");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "lanes", "default", "desk 7", "--weight", "0"), 2);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "lanes", "default", "--weight", "2"), 2);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "lanes", "nowhere"), 1);
	expect(&out, "there is no queue 'nowhere'");
	ck_assert_msg(strstr(out, "LANE") == NULL, "%s", out);
	mem_free(&out);
	test_system_stop(&s);
}
END_TEST

/* The history is written a moment after the end. */
static bool history_has_it(void *user)
{
	struct test_system *s = user;
	char *out = NULL;
	bool has =
	        BARQUE(s, &out, "history", "--error", "AT SEA", "--state", "failed", "--json") == 0 && strstr(out, "lost at sea") != NULL;
	mem_free(&out);
	return has;
}

START_TEST(what_has_ended_is_found)
{
	struct test_system s;
	char *out = NULL;
	test_system_start(&s, sim, 1);
	ck_assert_int_eq(BARQUE(&s, &out, "history"), 0);
	expect(&out, "no job ended that fits");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "submit", "noop", "fail=lost at sea", "--wait"), 1);
	mem_free(&out);
	ck_assert(test_until(15000, history_has_it, &s));
	ck_assert_int_eq(BARQUE(&s, &out, "history", "--kind", "noop", "--limit", "5"), 0);
	expect(&out, "lost at sea");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "history", "--error", "ashore"), 0);
	expect(&out, "no job ended that fits");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "history", "--state", "running"), 1);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "history", "noop"), 2);
	mem_free(&out);
	test_system_stop(&s);
}
END_TEST

START_TEST(a_key_is_one_job)
{
	struct test_system s;
	char *first, *second;
	test_system_start(&s, sim, 1);
	ck_assert_int_eq(BARQUE(&s, &first, "submit", "noop", "--key", "once", "--json"), 0);
	ck_assert_int_eq(BARQUE(&s, &second, "submit", "noop", "--key", "once", "--json"), 0);
	struct json *a = parsed(first), *b = parsed(second);
	ck_assert_str_eq(json_get_text(a, "id", "a"), json_get_text(b, "id", "b"));
	json_close(&a);
	json_close(&b);
	mem_free(&first);
	mem_free(&second);
	BARQUE_SAYS(&s, 0, "was there before and has the same key", "submit", "noop", "--key", "once");
	ck_assert_int_eq(BARQUE(&s, &first, "submit", "noop", "--delay", "1h", "--unique", "u"), 0);
	ck_assert_msg(strstr(first, "was there before") == NULL, "%s", first);
	mem_free(&first);
	BARQUE_SAYS(&s, 0, "was there before and has the same key", "submit", "noop", "--unique", "u");
	BARQUE_SAYS(&s, 1, "has not ended yet", "submit", "noop", "--unique", "u", "--on-duplicate", "reject");
	test_system_stop(&s);
}
END_TEST

#define COLUMNS 40

/* Run `barque submit noop fail=TEXT --wait` on a terminal of COLUMNS; returns all that it drew, which the caller frees. */
static char *on_a_terminal(struct test_system *s, const char *fail)
{
	struct winsize size = {.ws_row = 12, .ws_col = COLUMNS};
	char word[300], url[64], block[4096];
	struct buf drawn = {0};
	ssize_t n;
	int status, terminal = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0 && ioctl(terminal, TIOCSWINSZ, &size) == 0);
	snprintf(word, sizeof word, "fail=%s", fail);
	snprintf(url, sizeof url, "--url=http://127.0.0.1:%d", s->api_port);
	pid_t pid = fork();
	if (pid == 0) {
		int there = open(ptsname(terminal), O_RDWR);
		if (there < 0 || dup2(there, 1) < 0)
			_exit(126);
		execl(test_program("barque"), "barque", "submit", "noop", word, "--wait", url, (char *)NULL);
		_exit(127);
	}
	ck_assert(pid > 0);
	while ((n = read(terminal, block, sizeof block)) > 0) /* fails when the last who had the other end has closed it */
		buf_add(&drawn, block, (size_t)n);
	ck_assert(test_wait(pid, RUN_MS, &status) && WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	close(terminal);
	return buf_detach(&drawn);
}

START_TEST(output_that_cannot_be_written_is_an_error)
{
	struct test_system s;
	char url[64];
	int status;
	test_system_start(&s, sim, 1);
	snprintf(url, sizeof url, "--url=http://127.0.0.1:%d", s.api_port);
	pid_t pid = fork();
	if (pid == 0) {
		int full = open("/dev/full", O_WRONLY);
		if (full < 0 || dup2(full, 1) < 0)
			_exit(126);
		execl(test_program("barque"), "barque", "kinds", url, (char *)NULL);
		_exit(127);
	}
	ck_assert(test_wait(pid, RUN_MS, &status) && WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	test_system_stop(&s);
}
END_TEST

/* A line that wrapped would make the next redraw begin in the wrong place. */
START_TEST(bars_never_wrap)
{
	struct test_system s;
	test_system_start(&s, sim, 1);
	char *drawn =
	        on_a_terminal(&s, "\xe5\xb8\x81\xe5\xb8\x81 a reason\nwith two lines that is far longer than the forty columns of it");
	int lines = 0;
	for (const char *p = drawn; (p = strstr(p, "\033[K")) != NULL; lines++) {
		p += 3;
		ck_assert_msg(strcspn(p, "\r\n") < COLUMNS, "a line of %zu bytes: %s", strcspn(p, "\r\n"), p);
	}
	ck_assert_int_ge(lines, 1);
	mem_free(&drawn);
	test_system_stop(&s);
}
END_TEST

struct started {
	struct test_system *s;
	const char *id;
};

static bool is_running(void *user)
{
	const struct started *w = user;
	char path[80];
	snprintf(path, sizeof(path), "/api/jobs/%s", w->id);
	struct json *job = test_system_call(w->s, "GET", path, NULL, 200);
	bool running = strcmp(json_get_text(job, "state", ""), "running") == 0;
	json_close(&job);
	return running;
}

START_TEST(cancel_a_running_job)
{
	struct test_system s;
	char id[48];
	struct started w = {.s = &s, .id = id};
	test_system_start(&s, sim, 1);
	test_system_submit(&s, "noop", "{\"sleep_ms\":30000}", id);
	ck_assert(test_until(10000, is_running, &w));
	BARQUE_SAYS(&s, 0, "running, asked to stop", "cancel", id);
	BARQUE_SAYS(&s, 1, "cancelled", "show", id, "--watch");
	BARQUE_SAYS(&s, 0, "cancel_asked     true", "show", id);
	BARQUE_SAYS(&s, 0, id, "replay", id);
	BARQUE_SAYS(&s, 1, "only dead, failed and cancelled jobs can", "replay", id);
	BARQUE_SAYS(&s, 1, "there is no job 'nobody'", "replay", "nobody");
	BARQUE_SAYS(&s, 2, "name jobs by their ids", "replay");
	BARQUE_SAYS(&s, 0, id, "cancel", id);
	test_system_stop(&s);
}
END_TEST

/* What no flag names stays, and nothing that was said is passed over without a word. */
START_TEST(a_schedule_is_changed_by_its_name)
{
	struct test_system s;
	test_system_start(&s, sim, 1);
	BARQUE_SAYS(&s, 0, "every 1h", "schedule", "night", "noop", "sleep_ms=5", "--every", "1h", "--missed", "once", "--lane", "l");
	BARQUE_SAYS(&s, 0, "0 3 * * * (UTC); missed: once", "schedule", "night", "--cron", "0 3 * * *");
	BARQUE_SAYS(&s, 0, "every 2h (UTC); missed: once", "schedule", "night", "--every", "2h");
	BARQUE_SAYS(&s, 0, "priority 1, lane \"l\"", "schedule", "night", "--priority", "1");
	BARQUE_SAYS(&s, 0, "\"sleep_ms\":5", "schedule", "night");
	BARQUE_SAYS(&s, 1, "an interval is 10ms to 366d", "schedule", "night", "--every", "often");
	BARQUE_SAYS(&s, 2, "there is no flag --evry", "schedule", "night", "--evry", "2h");
	BARQUE_SAYS(&s, 2, "--delete goes alone", "schedule", "night", "--pause", "--delete");
	BARQUE_SAYS(&s, 2, "--pause goes alone", "schedule", "night", "--pause", "--every", "3h");
	BARQUE_SAYS(&s, 1, "there is no schedule 'day'", "schedule", "day", "--every", "3h");
	BARQUE_SAYS(&s, 0, "paused", "schedule", "night", "--pause", "--json");
	BARQUE_SAYS(&s, 0, "is deleted", "schedule", "night", "--delete");
	test_system_stop(&s);
}
END_TEST

START_TEST(candles_events_and_a_backtest)
{
	struct test_system s;
	char *out;
	char log[600];
	test_system_start(&s, sim, 1);
	snprintf(log, sizeof(log), "BARQUE_URL=http://127.0.0.1:%d", s.api_port);
	const char *listen[] = {test_program("barque"), "events", "--type", "kline.", "--count", "1", "--json", NULL};
	const char *env[] = {log, NULL};
	pid_t listener = test_spawn("listener", listen, env);
	clock_sleep_ms(1500); /* its subscription begins; no candle has changed yet */

	ck_assert_int_eq(BARQUE(&s, &out, "klines", "BTCUSDT", "1h"), 1);
	expect(&out, "no 1h candles of BTCUSDT are stored");
	mem_free(&out);
	ck_assert_int_eq(
	        BARQUE(&s, &out, "submit", "kline.download", "symbols=BTCUSDT,ETHUSDT", "interval=1h", "days_back=20", "--wait"), 0);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "klines", "BTCUSDT", "1h", "--limit", "3", "--csv"), 0);
	expect(&out, "trade_date,open,high,low,close");
	int lines = 0;
	for (const char *p = out; *p; p++)
		lines += *p == '\n';
	ck_assert_int_eq(lines, 4);
	mem_free(&out);

	int status;
	ck_assert_msg(test_wait(listener, 20000, &status), "no event came");
	ck_assert_int_eq(status, 0);
	snprintf(log, sizeof(log), "%s/listener.log", test_dir());
	out = test_read_file(log, NULL);
	expect(&out, "kline.range.updated.v1");
	mem_free(&out);

	char day[TIME_TEXT], start_date[32], end_date[32];
	time_print_date(day, clock_now_ms() - 19 * TIME_DAY);
	snprintf(start_date, sizeof(start_date), "start_date=%.10s", day);
	time_print_date(day, clock_now_ms() - TIME_DAY);
	snprintf(end_date, sizeof(end_date), "end_date=%.10s", day);
	ck_assert_int_eq(
	        BARQUE(&s, &out, "backtest", "sma_cross", "symbol=BTCUSDT", "interval=1h", "fast=5", "slow=20", start_date, end_date), 0);
	expect(&out, "final capital");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "backtest", "sma_cross", "symbol=BTCUSDT", "interval=1h"), 0);
	expect(&out, "No days were given: start_date=");
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "backtest", "sma_cross", "--help"), 0);
	ck_assert_msg(!strstr(out, "queue"), "a strategy has no queue: %s", out);
	mem_free(&out);
	ck_assert_int_eq(BARQUE(&s, &out, "backtest", "no_such"), 1);
	expect(&out, "there is no strategy 'no_such'");
	mem_free(&out);
	test_system_stop(&s);
}
END_TEST

static const TTest *const tests[] = {help_and_mistakes, jobs_from_submit_to_result, jobs_and_logs_are_followed, operators_steer_queues,
        what_has_ended_is_found, jobs_share_and_lanes_have_weights, a_key_is_one_job, bars_never_wrap,
        output_that_cannot_be_written_is_an_error, cancel_a_running_job, a_schedule_is_changed_by_its_name, candles_events_and_a_backtest};
TEST_MAIN("cli", tests)

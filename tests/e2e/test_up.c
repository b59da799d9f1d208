/* test_up.c -- `barque up`: it starts all, keeps all alive, refuses in one sentence, and leaves no process behind. */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client.h"
#include "queue/queue.h"
#include "tests/lib/test.h"

#define START_MS 40000

struct ports {
	int n[4];
	char env[4][48];
	const char *list[6];
};

static void choose_ports(struct ports *p)
{
	static const char *const names[] = {"API_PORT", "DATA_SERVICE_PORT", "BACKTEST_SERVICE_PORT", "ORDER_SERVICE_PORT"};
	*p = (struct ports){0};
	for (size_t i = 0; i < 4; i++) {
		p->n[i] = test_port();
		snprintf(p->env[i], sizeof(p->env[i]), "%s=%d", names[i], p->n[i]);
		p->list[i] = p->env[i];
	}
}

static pid_t up(const char *name, const struct ports *p, const char *data)
{
	const char *argv[] = {test_program("barque"), "up", "--exchange", "sim", "--data", data, NULL};
	return test_spawn(name, argv, p->list);
}

static char *output(const char *name)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/%s.log", test_dir(), name);
	return test_read_file(path, NULL);
}

static bool answers(void *user)
{
	const struct ports *p = user;
	struct err e = {0};
	char url[64];
	struct http_client *http = http_client_open(NULL, &e);
	struct http_answer answer = {0};
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/readyz", p->n[0]);
	struct http_call call = {.url = url};
	bool ok = http && http_client_call(http, &call, &answer, &e) && answer.status == 200;
	http_answer_close(&answer);
	http_client_close(&http);
	return ok;
}

/* Processes whose command line or environment names the folder; -1 when /proc cannot be read. */
static int count_processes(const char *folder)
{
	DIR *proc = opendir("/proc");
	int n = 0;
	ck_assert(proc != NULL);
	for (struct dirent *d; (d = readdir(proc));) {
		char path[300], text[32768];
		if (!isdigit((unsigned char)d->d_name[0]) || atoi(d->d_name) == getpid() || atoi(d->d_name) == getppid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", d->d_name);
		FILE *f = fopen(path, "r");
		size_t len = f ? fread(text, 1, 1000, f) : 0;
		if (f)
			fclose(f);
		text[len] = '\0';
		snprintf(path, sizeof(path), "/proc/%s/environ", d->d_name);
		f = fopen(path, "r");
		size_t more = f ? fread(text + len, 1, sizeof(text) - len - 1, f) : 0;
		if (f)
			fclose(f);
		n += memmem(text, len + more, folder, strlen(folder)) != NULL;
	}
	closedir(proc);
	return n;
}

static void expect_nothing_left(const char *folder)
{
	int64_t until = clock_mono_ms() + 5000;
	while (count_processes(folder) > 0 && clock_mono_ms() < until)
		clock_sleep_ms(50);
	ck_assert_int_eq(count_processes(folder), 0);
}

static void data_folder(char out[300])
{
	snprintf(out, 300, "%s/data", test_dir());
}

/* The child of `parent` that runs this program (as the kernel cuts its name, after 15 bytes); 0: there is none. */
static pid_t child_of(pid_t parent, const char *program)
{
	DIR *proc = opendir("/proc");
	pid_t found = 0;
	ck_assert(proc != NULL);
	for (struct dirent *d; !found && (d = readdir(proc));) {
		char path[300], name[32];
		int pid, ppid;
		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		FILE *f = isdigit((unsigned char)d->d_name[0]) ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		if (fscanf(f, "%d (%31[^)]) %*c %d", &pid, name, &ppid) == 3 && ppid == parent && strncmp(name, program, 15) == 0)
			found = pid;
		fclose(f);
	}
	closedir(proc);
	return found;
}

struct part {
	pid_t up, before;
	const char *program;
};

static bool is_back(void *user)
{
	const struct part *part = user;
	pid_t now = child_of(part->up, part->program);
	return now > 0 && now != part->before;
}

/* What is killed is started again, and it is said what happened. */
static void kill_and_expect_back(pid_t up_pid, const char *program, const char *name)
{
	struct part part = {.up = up_pid, .program = program, .before = child_of(up_pid, program)};
	char want[100];
	ck_assert_msg(part.before > 0, "there is no %s", program);
	kill(part.before, SIGKILL);
	ck_assert_msg(test_until(START_MS, is_back, &part), "%s did not come back: %s", name, output("up"));
	snprintf(want, sizeof(want), "%s ended (killed by signal 9) and is started again", name);
	char *said = output("up");
	ck_assert_msg(strstr(said, want) != NULL, "%s", said);
	mem_free(&said);
}

static bool is_told(void *user)
{
	UNUSED(user);
	char *said = output("up");
	bool told = strstr(said, "worker-1 ended as it was told and is not started again") != NULL;
	mem_free(&said);
	return told;
}

/* As `barque worker drain` would. */
static void tell_and_expect_gone(pid_t up_pid)
{
	kill(child_of(up_pid, "barque-worker"), SIGTERM);
	ck_assert_msg(test_until(START_MS, is_told, NULL), "%s", output("up"));
	clock_sleep_ms(1000);
	ck_assert_int_eq(child_of(up_pid, "barque-worker"), 0);
}

START_TEST(starts_all_and_leaves_nothing)
{
	struct ports p;
	char data[300];
	choose_ports(&p);
	data_folder(data);
	pid_t pid = up("up", &p, data);
	ck_assert_msg(test_until(START_MS, answers, &p), "the API was not ready: %s", output("up"));
	ck_assert_int_ge(count_processes(data), 4);

	/* A second one in the same folder would fight over the same files. */
	struct ports other;
	choose_ports(&other);
	int status;
	pid_t second = up("second", &other, data);
	ck_assert(test_wait(second, 10000, &status) && WIFEXITED(status) && WEXITSTATUS(status) == 1);
	char *said = output("second");
	ck_assert_msg(strstr(said, "a Barque is already up in") != NULL, "%s", said);
	mem_free(&said);

	kill_and_expect_back(pid, "barque-worker", "worker-1");
	kill_and_expect_back(pid, "barque-exchange-sim", "exchange-sim");
	kill_and_expect_back(pid, "barque-devbroker", "devbroker");
	kill_and_expect_back(pid, "barque-api", "api");
	tell_and_expect_gone(pid);
	ck_assert(test_until(START_MS, answers, &p));
	said = output("up");
	ck_assert_msg(strstr(said, "the events that it kept are gone") != NULL, "%s", said);
	mem_free(&said);

	kill(pid, SIGTERM);
	ck_assert_msg(test_wait(pid, 45000, &status), "it did not stop: %s", output("up"));
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", output("up"));
	expect_nothing_left(data);
}
END_TEST

START_TEST(killed_it_takes_all_with_it)
{
	struct ports p;
	char data[300];
	choose_ports(&p);
	data_folder(data);
	pid_t pid = up("up", &p, data);
	ck_assert_msg(test_until(START_MS, answers, &p), "the API was not ready: %s", output("up"));
	test_kill(pid, SIGKILL);
	int64_t until = clock_mono_ms() + 40000; /* workers drain when their parent dies */
	while (count_processes(data) > 0 && clock_mono_ms() < until)
		clock_sleep_ms(100);
	ck_assert_int_eq(count_processes(data), 0);
}
END_TEST

START_TEST(a_port_in_use_is_one_sentence)
{
	struct ports p;
	char data[300];
	choose_ports(&p);
	data_folder(data);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p.n[1]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_STREAM, 0), status;
	ck_assert_int_eq(bind(s, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(s, 1), 0);
	pid_t pid = up("up", &p, data);
	ck_assert(test_wait(pid, START_MS, &status) && WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	char *said = output("up"), want[100];
	snprintf(want, sizeof(want), "port %d is in use", p.n[1]);
	ck_assert_msg(strstr(said, want) && strstr(said, "DATA_SERVICE_PORT"), "%s", said);
	mem_free(&said);
	expect_nothing_left(data);
	close(s);
}
END_TEST

START_TEST(a_missing_right_is_one_sentence)
{
	struct ports p;
	int status;
	choose_ports(&p);
	pid_t pid = up("up", &p, "/proc/nowhere");
	ck_assert(test_wait(pid, START_MS, &status) && WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	char *said = output("up");
	ck_assert_msg(strstr(said, "/proc/nowhere cannot be made"), "%s", said);
	mem_free(&said);
}
END_TEST

static void tell_redis(const char *data, const char *line, char *answer, size_t size)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%.60s/run.d/redis.sock", data);
	ck_assert_int_eq(connect(s, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(write(s, line, strlen(line)), (ssize_t)strlen(line));
	ssize_t n = read(s, answer, size - 1);
	ck_assert_int_gt(n, 0);
	answer[n] = '\0';
	close(s);
}

/* What another build left in the folder is no reason not to start: neither its functions under our name nor those of an older one. */
START_TEST(a_folder_of_another_build)
{
	static const char *const libraries[] = {QUEUE_LIBRARY, "barque1"};
	struct ports p;
	char data[300], line[300], answer[4096];
	int status;
	choose_ports(&p);
	data_folder(data);
	pid_t pid = up("up", &p, data);
	ck_assert_msg(test_until(START_MS, answers, &p), "the API was not ready: %s", output("up"));
	for (size_t i = 0; i < 2; i++) {
		snprintf(line, sizeof(line),
		        "FUNCTION LOAD REPLACE \"#!lua name=%s\\nredis.register_function('%s_other', function() return 1 end)\"\r\n",
		        libraries[i], libraries[i]);
		tell_redis(data, line, answer, sizeof(answer));
		ck_assert_msg(answer[0] == '$', "%s", answer);
	}
	kill(pid, SIGTERM);
	ck_assert(test_wait(pid, 45000, &status));
	pid = up("again", &p, data);
	ck_assert_msg(test_until(START_MS, answers, &p), "the API was not ready: %s", output("again"));
	tell_redis(data, "FUNCTION LIST\r\n", answer, sizeof(answer));
	ck_assert_msg(str_starts(answer, "*1\r\n") && strstr(answer, QUEUE_LIBRARY "_step"), "%s", answer);
	kill(pid, SIGTERM);
	ck_assert(test_wait(pid, 45000, &status));
}
END_TEST

static const TTest *const tests[] = {starts_all_and_leaves_nothing, killed_it_takes_all_with_it, a_folder_of_another_build,
        a_port_in_use_is_one_sentence, a_missing_right_is_one_sentence};
TEST_MAIN("up", tests)

/* process.c -- child programs of tests: started with their output in a file, ended with the test. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/test.h"
#include "tests/lib/test_private.h"

#define CHILDREN_MAX    128
#define KILL_TIMEOUT_MS 30000

static struct {
	pid_t parent;
	pid_t pids[CHILDREN_MAX];
	size_t n;
} children;

static void remember(pid_t pid)
{
	/* A forked child of a test must not end the children of its parent. */
	if (children.parent != getpid())
		children.n = 0;
	children.parent = getpid();
	ck_assert_msg(children.n < CHILDREN_MAX, "more than %d programs in one test", CHILDREN_MAX);
	children.pids[children.n++] = pid;
}

static void forget(pid_t pid)
{
	for (size_t i = 0; i < children.n; i++) {
		if (children.pids[i] == pid)
			children.pids[i] = children.pids[--children.n];
	}
}

void test_stop_all(void)
{
	if (children.parent != getpid())
		return;
	for (size_t i = 0; i < children.n; i++)
		kill(children.pids[i], SIGKILL);
	for (size_t i = 0; i < children.n; i++)
		waitpid(children.pids[i], NULL, 0);
	children.n = 0;
}

static void redirect(const char *log)
{
	int in = open("/dev/null", O_RDONLY);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (in < 0 || out < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	close(in);
	close(out);
}

__attribute__((noreturn)) static void become(const char *log, pid_t parent, const char *const *argv, const char *const *env)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(125);
	redirect(log);
	for (; env && *env; env++) {
		if (putenv((char *)(uintptr_t)*env) != 0)
			_exit(124);
	}
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

pid_t test_spawn(const char *name, const char *const *argv, const char *const *env)
{
	char log[512];
	pid_t parent = getpid();
	pid_t pid;

	snprintf(log, sizeof(log), "%s/%s.log", test_dir(), name);
	fflush(NULL);
	pid = fork();
	ck_assert_msg(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0)
		become(log, parent, argv, env);
	remember(pid);
	return pid;
}

bool test_wait(pid_t pid, int timeout_ms, int *status_out)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		ck_assert_msg(got >= 0, "process %d is no child of this test: %s", (int)pid, strerror(errno));
		if (got == pid)
			break;
		if (clock_mono_ms() >= deadline)
			return false;
		clock_sleep_ms(2);
	}
	forget(pid);
	if (status_out)
		*status_out = status;
	return true;
}

void test_kill(pid_t pid, int signal)
{
	ck_assert_msg(pid > 0, "no process to kill");
	kill(pid, signal);
	if (test_wait(pid, KILL_TIMEOUT_MS, NULL))
		return;
	kill(pid, SIGKILL);
	test_wait(pid, KILL_TIMEOUT_MS, NULL);
	ck_abort_msg("process %d did not end within %d s after signal %d", (int)pid, KILL_TIMEOUT_MS / 1000, signal);
}

bool test_until(int timeout_ms, bool (*check)(void *user), void *user)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;

	while (!check(user)) {
		if (clock_mono_ms() >= deadline)
			return false;
		clock_sleep_ms(5);
	}
	return true;
}

/* up_child.c -- starts, watches and stops the programs of `barque up`. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/up.h"

struct child *up_child(struct up *u, const char *name, const char *program)
{
	if (u->n_children == UP_CHILDREN)
		abort(); /* the table is sized by the caller's own limits */
	struct child *c = &u->children[u->n_children++];
	snprintf(c->name, sizeof c->name, "%s", name);
	snprintf(c->log, sizeof c->log, "%s/%s.log", u->run, name);
	c->out = -1;
	c->stop_ms = 5000;
	if (strchr(program, '/') || str_eq(program, "sh"))
		child_arg(c, "%s", program);
	else
		child_arg(c, "%s/%s", u->programs, program);
	return c;
}

static void add_word(char **words, const char *fmt, va_list ap)
{
	struct buf text = {0};
	buf_addv(&text, fmt, ap);
	size_t n = 0;
	while (words[n])
		n++;
	if (n + 1 >= UP_WORDS)
		abort();
	words[n] = buf_detach(&text);
}

void child_arg(struct child *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_word(c->argv, fmt, ap);
	va_end(ap);
}

void child_env(struct child *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_word(c->env, fmt, ap);
	va_end(ap);
}

/* In the new process: own group, so that Ctrl-C reaches only us and we stop the others in order; dies with us. */
static void become(const struct child *c, int out, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	int log = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (log < 0 || nothing < 0 || dup2(nothing, 0) < 0 || dup2(out >= 0 ? out : log, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	for (size_t i = 0; c->env[i]; i++)
		putenv(c->env[i]);
	execvp(c->argv[0], c->argv);
	dprintf(2, "%s could not be started: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

bool child_start(struct child *c, struct err *e)
{
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return err_set(e, ERR_INTERNAL, "no pipe for %s: %s", c->name, strerror(errno));
	pid_t parent = getpid();
	c->status = 0;
	c->pid = fork();
	if (c->pid == 0)
		become(c, pipe_fds[1], parent);
	close(pipe_fds[1]);
	if (c->pid < 0) {
		c->pid = 0;
		close(pipe_fds[0]);
		return err_set(e, ERR_INTERNAL, "%s could not be started: %s", c->name, strerror(errno));
	}
	if (c->out >= 0)
		close(c->out);
	c->out = pipe_fds[0];
	c->started_ms = clock_mono_ms();
	return true;
}

bool child_is_running(struct child *c)
{
	if (c->pid > 0 && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
		c->pid = 0;
	return c->pid > 0;
}

void child_why(const struct child *c, char *out, size_t size)
{
	if (WIFSIGNALED(c->status)) { /* it had no time to say anything: the last line of its log is about something else */
		snprintf(out, size, "killed by signal %d", WTERMSIG(c->status));
		return;
	}
	snprintf(out, size, "its log is empty");
	FILE *log = fopen(c->log, "r");
	if (!log)
		return;
	char line[UP_LINE];
	while (fgets(line, sizeof line, log)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			snprintf(out, size, "%s", line);
	}
	fclose(log);
}

/* One byte at a time: what follows the first line stays in the pipe, and there is little of it. 1 line, 0 not yet, -1 end. */
static int read_line(struct child *c, struct buf *line)
{
	char byte;
	struct pollfd p = {.fd = c->out, .events = POLLIN};
	while (poll(&p, 1, 50) > 0) {
		if (read(c->out, &byte, 1) != 1)
			return -1;
		if (byte == '\n')
			return 1;
		buf_addc(line, byte);
	}
	return 0;
}

bool child_first_line(struct child *c, char *out, size_t size, int timeout_ms, struct err *e)
{
	struct buf line = {0};
	int64_t until = clock_mono_ms() + timeout_ms;
	int got = 0;
	while (got == 0 && clock_mono_ms() < until)
		got = read_line(c, &line);
	bool fits = str_copy(out, size, buf_text(&line));
	buf_close(&line);
	if (got == 1 && fits)
		return true;
	char why[UP_LINE];
	child_why(c, why, sizeof why);
	return err_set(e, ERR_UNAVAILABLE, "%s did not start: %s", c->name, why);
}

void child_stop(struct child *c)
{
	if (!child_is_running(c))
		return;
	kill(c->pid, SIGTERM);
	int64_t until = clock_mono_ms() + c->stop_ms;
	while (child_is_running(c) && clock_mono_ms() < until)
		clock_sleep_ms(20);
	if (c->pid > 0) {
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		c->pid = 0;
	}
}

static void forget(struct child *c)
{
	for (size_t i = 0; c->argv[i]; i++)
		mem_free(&c->argv[i]);
	for (size_t i = 0; c->env[i]; i++)
		mem_free(&c->env[i]);
	if (c->out >= 0)
		close(c->out);
	c->out = -1;
}

void up_stop_all(struct up *u)
{
	for (size_t i = u->n_children; i > 0; i--) {
		child_stop(&u->children[i - 1]);
		forget(&u->children[i - 1]);
	}
	u->n_children = 0;
}

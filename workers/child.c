/* child.c -- makes the worker's processes and says why they ended. */
#include "workers/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_FD 3

static volatile sig_atomic_t asked_to_end;

/* It also wakes: a sleep or a blocking call returns with EINTR. */
static void signal_came(int signal)
{
	UNUSED(signal);
	asked_to_end = 1;
}

bool child_asked_to_end(void)
{
	return asked_to_end != 0;
}

static void child_signals(void)
{
	struct sigaction wake = {.sa_handler = signal_came}, usual = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGTERM, &wake, NULL);
	sigaction(SIGCHLD, &usual, NULL);
	sigaction(SIGALRM, &usual, NULL);
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGUSR1, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Other slots' sockets and the queue's connections must not live on in this process. */
static int child_keep(int fd)
{
	if (fd >= 0 && fd != CHILD_FD && dup2(fd, CHILD_FD) < 0)
		_exit(71);
	close_range(fd >= 0 ? CHILD_FD + 1 : CHILD_FD, ~0U, 0);
	return fd >= 0 ? CHILD_FD : -1;
}

pid_t child_start(const char *name, int fd, int (*run)(void *arg, int fd), void *arg, struct err *e)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return err_fail(e, ERR_UNAVAILABLE, "a process for %s cannot be made: %s", name, strerror(errno));
	if (pid > 0) {
		setpgid(pid, pid); /* both sides do it, so that neither may be too early */
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0); /* the parent died before the line above */
	setpgid(0, 0);
	prctl(PR_SET_NAME, name);
	child_signals();
	_exit(run(arg, child_keep(fd)));
}

void child_reason(char *out, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(out, size, "exit code %d", WEXITSTATUS(status));
}

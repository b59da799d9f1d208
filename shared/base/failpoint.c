/* failpoint.c -- acts and notes where a test asked for it; see failpoint.h. */
#include "base/failpoint.h"

#ifdef BARQUE_FAILPOINTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

struct plan {
	char name[64], action[16], file[256];
	int nth;
};

static bool plan_read(struct plan *p)
{
	const char *text = getenv("BARQUE_FAIL");
	memset(p, 0, sizeof(*p));
	return text != NULL && sscanf(text, "%63[^:]:%d:%15[^:]:%255s", p->name, &p->nth, p->action, p->file) >= 3;
}

static bool is_first(const struct plan *p)
{
	if (p->file[0] == '\0')
		return true;
	int fd = open(p->file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void act(const struct plan *p)
{
	if (strcmp(p->action, "crash") == 0) {
		failpoint_note("kill", p->name, 0, getpid());
		kill(getpid(), SIGKILL);
	}
	if (strcmp(p->action, "exit") == 0)
		_exit(9);
	if (strcmp(p->action, "stall") == 0)
		clock_sleep_ms(2000);
	while (strcmp(p->action, "hang") == 0)
		pause();
}

void failpoint(const char *name)
{
	static atomic_int passed; /* how often this process came by; a test's counter, not the program's state */
	struct plan p;
	if (!plan_read(&p) || strcmp(p.name, name) != 0 || atomic_fetch_add(&passed, 1) + 1 != p.nth || !is_first(&p))
		return;
	act(&p);
}

/* Opened anew each time: a slot closes what it has not been given, and no process may keep a line to itself. */
void failpoint_note(const char *event, const char *id, int64_t fence, int64_t more)
{
	const char *path = getenv("BARQUE_HISTORY");
	char line[200];
	if (path == NULL || *path == '\0')
		return;
	int n = snprintf(line, sizeof(line), "%lld %s %s %lld %lld %d %d\n", (long long)clock_mono_us(), event, id != NULL ? id : "-",
	        (long long)fence, (long long)more, (int)getpid(), (int)getppid());
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || n >= (int)sizeof(line) || write(fd, line, (size_t)n) != n)
		abort(); /* a history with a hole would accuse the wrong one */
	close(fd);
}

#endif

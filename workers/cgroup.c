/* cgroup.c -- makes and fills control groups: <where we were>/barque-<pid>/{main,slot-0,slot-1...}. */
#include "workers/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

#define ROOT      "/sys/fs/cgroup"
#define PIDS_MAX  "256"
#define PERIOD_US 100000

static bool put(const char *folder, const char *file, const char *value)
{
	char path[400];
	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path))
		return false;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool put_pid(const char *folder, pid_t pid)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", (int)pid);
	return put(folder, "cgroup.procs", text);
}

static bool exists(const char *folder, const char *file)
{
	char path[400];
	return snprintf(path, sizeof(path), "%s/%s", folder, file) < (int)sizeof(path) && access(path, F_OK) == 0;
}

/* The group that we are in. False: there is no cgroup v2. */
static bool where_we_are(char *out, size_t size)
{
	char line[256];
	bool found = false;
#ifdef BARQUE_FAILPOINTS
	const char *given = getenv("BARQUE_CGROUP"); /* a test's folder in place of the kernel's */
	if (given != NULL)
		return str_copy(out, size, given);
#endif
	FILE *f = exists(ROOT, "cgroup.controllers") ? fopen("/proc/self/cgroup", "re") : NULL;
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		found = str_starts(line, "0::/") && snprintf(out, size, ROOT "%s", str_eq(line, "0::/") ? "" : line + 3) < (int)size;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

/* Groups that workers left behind when they ended; those of the living are not empty and stay. */
static void remove_empty(const char *folder, int depth)
{
	char path[400];
	DIR *d = opendir(folder);
	if (d == NULL)
		return;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		bool ours = depth == 0 ? str_starts(e->d_name, "barque-") : str_starts(e->d_name, "slot-") || str_eq(e->d_name, "main");
		if (!ours || snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= (int)sizeof(path))
			continue;
		if (depth == 0)
			remove_empty(path, 1);
		rmdir(path);
	}
	closedir(d);
}

/* Let the groups in this folder have what limits them. */
static bool hand_down(const char *folder)
{
	return put(folder, "cgroup.subtree_control", "+memory +cpu +pids");
}

/* A group with limits may hold no process itself, so we move out of where we were, and then into a group beside our slots'. */
static const char *settle(const char *base, char *own, size_t size)
{
	char leaf[320];
	if (snprintf(own, size, "%s/barque-%d", base, (int)getpid()) >= (int)size ||
	        snprintf(leaf, sizeof(leaf), "%s/main", own) >= (int)sizeof(leaf))
		return "the path of the group is too long";
	if (mkdir(own, 0755) != 0 || mkdir(leaf, 0755) != 0)
		return strerror(errno);
	if (!put_pid(leaf, getpid()))
		return strerror(errno);
	if (!hand_down(base) || !hand_down(own)) {
		const char *why = errno == EBUSY ? "other processes share our group" : strerror(errno);
		put_pid(base, getpid());
		rmdir(leaf);
		rmdir(own);
		return why;
	}
	return NULL;
}

void cgroup_open(struct cgroup *g, const struct settings *s)
{
	char base[200];
	*g = (struct cgroup){.settings = s};
	if (setting_number(s, WORKER_MAX_RSS) == 0 && setting_number(s, WORKER_CPU) == 0)
		return;
	if (!where_we_are(base, sizeof(base))) {
		log_info("slots have no control groups: this machine has no cgroup v2; memory is watched, WORKER_CPU has no effect");
		return;
	}
	remove_empty(base, 0);
	const char *why = settle(base, g->own, sizeof(g->own));
	if (why == NULL)
		log_info("each slot has a control group, in %s", g->own);
	else
		log_info("slots have no control groups: %s; memory is watched, WORKER_CPU has no effect", why);
	if (why != NULL)
		g->own[0] = '\0';
}

static bool limit(const struct cgroup *g, const char *folder)
{
	char text[48];
	int64_t bytes = setting_number(g->settings, WORKER_MAX_RSS), percent = setting_number(g->settings, WORKER_CPU);
	bool ok = put(folder, "pids.max", PIDS_MAX);
	if (bytes > 0) {
		/* Twice, as the rlimit: it also counts what can be dropped, and the dispatcher is to see the limit first. */
		snprintf(text, sizeof(text), "%lld", (long long)bytes * 2);
		ok = put(folder, "memory.max", text) && ok;
	}
	if (percent > 0) {
		snprintf(text, sizeof(text), "%lld %d", (long long)percent * PERIOD_US / 100, PERIOD_US);
		ok = put(folder, "cpu.max", text) && ok;
	}
	return ok;
}

void cgroup_add(const struct cgroup *g, int slot, pid_t pid)
{
	char folder[340];
	if (g->own[0] == '\0')
		return;
	snprintf(folder, sizeof(folder), "%s/slot-%d", g->own, slot);
	bool made = mkdir(folder, 0755) == 0 || errno == EEXIST;
	if (!made || !limit(g, folder) || !put_pid(folder, pid))
		log_warn("slot %d runs without its control group: %s", slot, strerror(errno));
}

void cgroup_close(const struct cgroup *g)
{
	if (g->own[0] != '\0')
		remove_empty(g->own, 1);
}

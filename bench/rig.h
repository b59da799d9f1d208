/* rig.h -- what benchmarks share: a redis-server of their own, programs started and looked at, medians. */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <arpa/inet.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

/* A benchmark that cannot measure ends: half a table would be read as a whole one. */
__attribute__((noreturn)) static inline void rig_die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static inline void rig_must(bool ok, const struct err *e)
{
	if (!ok)
		rig_die(e->text);
}

/* ---- programs */

/* In a process group of its own, and gone when we are. env: "K=V" ..., NULL-terminated; NULL: none. */
static inline pid_t rig_spawn(const char *const *argv, const char *const *env, const char *log)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	for (; env && *env; env++)
		putenv((char *)(uintptr_t)*env);
	if (log && (!freopen(log, "a", stdout) || !freopen(log, "a", stderr)))
		_exit(126);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static inline void rig_stop(pid_t pid, int signal)
{
	kill(signal == SIGKILL ? -pid : pid, signal);
	waitpid(pid, NULL, 0);
}

/* A program of the build that this benchmark is of. */
static inline void rig_program(char out[PATH_MAX], const char *name)
{
	char self[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	char *cut = strstr(self, "/bench/bench_");
	if (!cut)
		rig_die("a benchmark stands in bench/ of its build folder");
	*cut = '\0';
	snprintf(out, PATH_MAX, "%s/%s", self, name);
}

/* ---- a redis-server with our settings */

struct rig_redis {
	pid_t pid;
	int port, fd;
	char dir[64], url[64];
};

static inline int rig_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		rig_die("no free port");
	close(fd);
	return ntohs(a.sin_port);
}

static inline int rig_connect(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	for (int i = 0; i < 200; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return fd;
		close(fd);
		clock_sleep_ms(25);
	}
	rig_die("redis-server does not start");
}

/* Its folder, port and URL; the port as text. */
static inline void rig_redis_place(struct rig_redis *r, char port[16])
{
	memset(r, 0, sizeof(*r));
	snprintf(r->dir, sizeof(r->dir), "/tmp/barque-bench.XXXXXX");
	if (!mkdtemp(r->dir))
		rig_die("no folder in /tmp");
	r->port = rig_port();
	snprintf(port, 16, "%d", r->port);
	snprintf(r->url, sizeof(r->url), "redis://127.0.0.1:%d/0", r->port);
}

/* fsync: "off" (no AOF), "everysec", "always" */
static inline void rig_redis_start(struct rig_redis *r, const char *fsync)
{
	char port[16];
	bool off = str_eq(fsync, "off");
	rig_redis_place(r, port);
	r->pid = rig_spawn((const char *[]){"redis-server", "broker-config/redis.conf", "--port", port, "--dir", r->dir, "--logfile",
	                           "redis.log", "--appendonly", off ? "no" : "yes", "--appendfsync", off ? "no" : fsync, NULL},
	        NULL, NULL);
	r->fd = rig_connect(r->port);
}

static inline void rig_redis_stop(struct rig_redis *r)
{
	char command[128];
	rig_stop(r->pid, SIGKILL);
	close(r->fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
	if (system(command) != 0)
		rig_die("the folder of redis-server cannot be removed");
}

/* A number out of INFO, spoken by hand so that our own door is not in the way. */
static inline double rig_redis_info(const struct rig_redis *r, const char *name)
{
	static char text[65536];
	char field[64];
	size_t len = 0;
	if (write(r->fd, "INFO\r\n", 6) != 6)
		rig_die("redis-server is gone");
	do {
		ssize_t n = read(r->fd, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			rig_die("redis-server is gone");
		len += (size_t)n;
		text[len] = '\0';
	} while (!strchr(text, '\n') || len < (size_t)atol(text + 1) + (size_t)(strchr(text, '\n') - text) + 3);
	snprintf(field, sizeof(field), "\n%s:", name);
	const char *at = strstr(text, field);
	return at ? atof(at + strlen(field)) : 0;
}

static inline double rig_redis_cpu_us(const struct rig_redis *r)
{
	return 1e6 * (rig_redis_info(r, "used_cpu_user") + rig_redis_info(r, "used_cpu_sys"));
}

/* ---- memory of a process, in KiB, out of smaps_rollup */

struct rig_memory {
	long rss, pss, own;
};

static inline struct rig_memory rig_memory_of(pid_t pid)
{
	struct rig_memory m = {0, 0, 0};
	char path[64], line[256];
	long kb;
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Rss: %ld", &kb) == 1)
			m.rss = kb;
		else if (sscanf(line, "Pss: %ld", &kb) == 1)
			m.pss = kb;
		else if (sscanf(line, "Private_Clean: %ld", &kb) == 1 || sscanf(line, "Private_Dirty: %ld", &kb) == 1)
			m.own += kb;
	}
	if (f)
		fclose(f);
	return m;
}

static inline int rig_children(pid_t pid, pid_t *out, int max)
{
	char path[64];
	int n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *f = fopen(path, "re");
	for (int child; f && n < max && fscanf(f, "%d", &child) == 1;)
		out[n++] = child;
	if (f)
		fclose(f);
	return n;
}

/* CPU time that a process has used so far, in us. */
static inline double rig_cpu_us(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user = 0, system = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	const char *at = strrchr(text, ')'); /* its name may hold anything */
	if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return 1e6 * (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- numbers */

static inline int rig_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Sorts v. q: 0.5 is the median. */
static inline double rig_quantile(double *v, int n, double q)
{
	qsort(v, (size_t)n, sizeof(*v), rig_by_value);
	int at = (int)(q * n);
	return v[at < n ? at : n - 1];
}

/* A setting of the benchmark from the environment. */
static inline int rig_number(const char *name, int fallback)
{
	int64_t v = fallback; /* str_int leaves it alone when it refuses */
	if (getenv(name) && !str_int(getenv(name), 1, 10000000, &v)) {
		fprintf(stderr, "%s is a number from 1 to 10000000\n", name);
		exit(1);
	}
	return (int)v;
}

#endif

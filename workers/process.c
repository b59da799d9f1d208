/* process.c -- reads /proc. */
#include "workers/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int64_t process_own_bytes(pid_t pid)
{
	char path[40];
	long long size, resident, shared;
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	int got = fscanf(f, "%lld %lld %lld", &size, &resident, &shared);
	fclose(f);
	return got == 3 ? (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE) : 0;
}

int64_t process_cpu_ms(pid_t pid)
{
	char path[40], line[512];
	long long user, kernel;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	/* The name may hold spaces and brackets, so the fields are counted from the last bracket. */
	const char *end = fgets(line, sizeof(line), f) != NULL ? strrchr(line, ')') : NULL;
	fclose(f);
	if (end == NULL || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld", &user, &kernel) != 2)
		return 0;
	return (int64_t)(user + kernel) * 1000 / sysconf(_SC_CLK_TCK);
}

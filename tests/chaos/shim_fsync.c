/* shim_fsync.c -- preloaded into Redis: notes how much of each file a power cut would leave, and plays a full disk.
 *
 * What a file holds when fdatasync is called is on disk when it returns. Each such return appends "<size> <path>" to the file that
 * SHIM_FSYNC names; who plays the power cut kills Redis and cuts each file to the last size noted for it.
 *
 * While the file that SHIM_FULL names exists, no file whose name holds "aof" grows: a write stores half of what it should and then fails
 * with ENOSPC, as on a disk that ran full in the middle of a record.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(long long size, const char *path)
{
	const char *log = getenv("SHIM_FSYNC");
	char line[1200];
	if (log == NULL)
		return;
	int n = snprintf(line, sizeof(line), "%lld %s\n", size, path);
	int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

/* Empty: it is no file with a name. */
static void path_of(int fd, char *path, size_t size)
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, size - 1);
	path[len > 0 ? len : 0] = '\0';
}

static int sync_noted(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
	struct stat st;
	char path[1024];
	path_of(fd, path, sizeof(path));
	int known = *path != '\0' && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	int result = real(fd);
	if (known && result == 0)
		note((long long)st.st_size, path);
	return result;
}

static int is_full(int fd)
{
	const char *full = getenv("SHIM_FULL");
	char path[1024];
	if (full == NULL || access(full, F_OK) != 0)
		return 0;
	path_of(fd, path, sizeof(path));
	return strstr(path, "aof") != NULL && strncmp(path, "/", 1) == 0;
}

ssize_t write(int fd, const void *data, size_t len)
{
	static ssize_t (*real)(int, const void *, size_t);
	if (real == NULL)
		real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
	if (!is_full(fd))
		return real(fd, data, len);
	if (len > 1)
		return real(fd, data, len / 2);
	errno = ENOSPC;
	return -1;
}

int fdatasync(int fd)
{
	return sync_noted("fdatasync", fd);
}

int fsync(int fd)
{
	return sync_noted("fsync", fd);
}

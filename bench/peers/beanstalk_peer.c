/* beanstalk_peer.c -- a client of beanstalkd and four connections that work: reserve, do nothing, delete. Standard C library only.
 *
 *     beanstalk_peer worker N | enqueue N | hold N | stamp N PAUSE_MS      with BROKER_PORT and SCRATCH in the environment
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES 200
#define TTR_S      60 /* beanstalkd gives a job back when nobody was heard of it for so long; 60 is what clients usually send */

__attribute__((noreturn)) static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void scratch(char out[512], const char *name)
{
	snprintf(out, 512, "%s/%s", getenv("SCRATCH"), name);
}

static void note(const char *name, long long number)
{
	char path[512], line[32];
	int n = snprintf(line, sizeof(line), "%lld\n", number);
	scratch(path, name);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		die(path);
	close(fd);
}

static FILE *server(void)
{
	struct sockaddr_in a = {
	        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)atoi(getenv("BROKER_PORT")))};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("beanstalkd");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	FILE *f = fdopen(fd, "r+");
	if (!f)
		die("fdopen");
	return f;
}

/* One request, one answer line, which must begin as expected. A stream must be turned between writing and reading. */
static void ask(FILE *f, const char *request, const char *expected, char answer[128])
{
	fseek(f, 0, SEEK_CUR);
	fputs(request, f);
	fflush(f);
	fseek(f, 0, SEEK_CUR);
	if (!fgets(answer, 128, f) || strncmp(answer, expected, strlen(expected)) != 0)
		die(expected);
}

static void put(FILE *f, const char *body)
{
	char request[BODY_BYTES + 64], answer[128];
	snprintf(request, sizeof(request), "put 1024 0 %d %zu\r\n%s\r\n", TTR_S, strlen(body), body);
	ask(f, request, "INSERTED", answer);
}

/* ---- jobs: the first letter says which: n noop, s stamp, h hold */

static void run(const char *body)
{
	char gate[512];
	long long number = atoll(body + 1);
	scratch(gate, "gate");
	if (body[0] == 's')
		note("stamps", now_ns() - number);
	if (body[0] != 'h')
		return;
	note("starts", number);
	if (access(gate, F_OK) != 0)
		sleep(3600);
	note("ends", number);
}

__attribute__((noreturn)) static void work(void)
{
	FILE *f = server();
	char answer[128], request[64], body[BODY_BYTES + 64];
	unsigned long long id;
	size_t len;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ask(f, "reserve\r\n", "RESERVED", answer);
		if (sscanf(answer, "RESERVED %llu %zu", &id, &len) != 2 || len + 2 >= sizeof(body) || fread(body, 1, len + 2, f) != len + 2)
			die("RESERVED");
		body[len] = '\0';
		run(body);
		snprintf(request, sizeof(request), "delete %llu\r\n", id);
		ask(f, request, "DELETED", answer);
	}
}

static void work_all(int n)
{
	for (int i = 0; i < n; i++)
		if (fork() == 0)
			work();
	while (wait(NULL) > 0)
		;
}

static void client(const char *what, int n, int pause_ms)
{
	FILE *f = server();
	char body[BODY_BYTES + 1];
	long long began = now_ns();
	for (int i = 0; i < n; i++) {
		if (strcmp(what, "stamp") == 0)
			snprintf(body, sizeof(body), "s%lld", now_ns());
		else if (strcmp(what, "hold") == 0)
			snprintf(body, sizeof(body), "h%d", i);
		else
			snprintf(body, sizeof(body), "n%0*d", BODY_BYTES - 1, i);
		put(f, body);
		usleep((useconds_t)(pause_ms * 1000 * (7 + i % 7) / 7));
	}
	printf("%.6f\n", (double)(now_ns() - began) / 1e9);
}

int main(int argc, char **argv)
{
	if (argc < 3 || !getenv("BROKER_PORT") || !getenv("SCRATCH"))
		die("beanstalk_peer worker|enqueue|hold|stamp N [PAUSE_MS]");
	if (strcmp(argv[1], "worker") == 0)
		work_all(atoi(argv[2]));
	else
		client(argv[1], atoi(argv[2]), argc > 3 ? atoi(argv[3]) : 0);
	return 0;
}

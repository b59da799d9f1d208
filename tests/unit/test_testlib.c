/* test_testlib.c -- the test library itself: ports, child programs, a real Redis that keeps its data over a kill. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/lib/test.h"

START_TEST(folder_is_fresh_and_stays_the_same)
{
	struct stat st;
	const char *dir = test_dir();

	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_ptr_eq(test_dir(), dir);
}
END_TEST

START_TEST(ports_differ)
{
	int a = test_port();
	int b = test_port();

	ck_assert_int_ne(a, b);
	ck_assert_int_ge(a, 1024);
}
END_TEST

START_TEST(spawn_passes_environment_and_keeps_output)
{
	pid_t pid = test_spawn("sh", (const char *[]){"sh", "-c", "echo $HELLO; exit 3", NULL}, (const char *[]){"HELLO=there", NULL});
	char path[256];
	int status;
	char *text;

	ck_assert(test_wait(pid, 5000, &status));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	snprintf(path, sizeof(path), "%s/sh.log", test_dir());
	text = test_read_file(path, NULL);
	ck_assert_str_eq(text, "there\n");
	mem_free(&text);
}
END_TEST

START_TEST(wait_gives_up_and_kill_ends)
{
	pid_t pid = test_spawn("sleep", (const char *[]){"sleep", "100", NULL}, NULL);

	ck_assert(!test_wait(pid, 20, NULL));
	test_kill(pid, SIGTERM);
	ck_assert_int_eq(kill(pid, 0), -1);
}
END_TEST

START_TEST(missing_program_is_seen)
{
	pid_t pid = test_spawn("none", (const char *[]){"/nowhere/none", NULL}, NULL);
	int status;

	ck_assert(test_wait(pid, 5000, &status));
	ck_assert_int_eq(WEXITSTATUS(status), 127);
}
END_TEST

START_TEST(packed_files_are_unpacked)
{
	char path[256], command[600];
	size_t len;
	char *text;

	snprintf(path, sizeof(path), "%s/x.gz", test_dir());
	snprintf(command, sizeof(command), "printf 'a\\nb' | gzip > %s", path);
	pid_t pid = test_spawn("gzip", (const char *[]){"sh", "-c", command, NULL}, NULL);
	ck_assert(test_wait(pid, 5000, NULL));
	text = test_read_file(path, &len);
	ck_assert_uint_eq(len, 3);
	ck_assert_str_eq(text, "a\nb");
	mem_free(&text);
}
END_TEST

static void ask(const struct test_redis *r, const char *command, char *reply, size_t size)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t n;

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(write(fd, command, strlen(command)), (ssize_t)strlen(command));
	n = read(fd, reply, size - 1);
	ck_assert_int_gt(n, 0);
	reply[n] = '\0';
	close(fd);
}

START_TEST(redis_keeps_its_data_over_a_kill)
{
	struct test_redis r;
	char reply[64];

	test_redis_start(&r, "always");
	ask(&r, "SET k v\r\n", reply, sizeof(reply));
	ck_assert_str_eq(reply, "+OK\r\n");
	test_redis_kill(&r);
	test_redis_again(&r);
	ask(&r, "GET k\r\n", reply, sizeof(reply));
	ck_assert_str_eq(reply, "$1\r\nv\r\n");
	test_redis_stop(&r);
}
END_TEST

START_TEST(redis_without_aof_starts_empty_again)
{
	struct test_redis r;
	char reply[64];

	test_redis_start(&r, "no");
	ask(&r, "SET k v\r\n", reply, sizeof(reply));
	test_redis_kill(&r);
	test_redis_again(&r);
	ask(&r, "GET k\r\n", reply, sizeof(reply));
	ck_assert_str_eq(reply, "$-1\r\n");
	/* not stopped: it must die with the test */
}
END_TEST

static const TTest *const tests[] = {
        folder_is_fresh_and_stays_the_same,
        ports_differ,
        spawn_passes_environment_and_keeps_output,
        wait_gives_up_and_kill_ends,
        missing_program_is_seen,
        packed_files_are_unpacked,
        redis_keeps_its_data_over_a_kill,
        redis_without_aof_starts_empty_again,
};
TEST_MAIN("testlib", tests)

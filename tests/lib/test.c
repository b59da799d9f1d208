/* test.c -- what every test uses: the main function of a suite, folders, ports, files, data. */
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "tests/lib/test_private.h"

#define TEST_TIMEOUT_S 60
#define PORT_FIRST     10240 /* below the ports that the kernel gives to outgoing connections */
#define PORT_COUNT     22000
#define PORTS_MAX      256

/* ---- folders: one for the suite, made by the first who needs it, and one in it for each test's process */

static char suite_dir[64];
static char own_dir[96];
static pid_t own_pid;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	UNUSED(st);
	UNUSED(type);
	UNUSED(ftw);
	return remove(path);
}

/* A failed test ends by _exit or a signal and so keeps its folder. */
static void remove_own_dir(void)
{
	if (getpid() != own_pid)
		return;
	test_stop_all();
	nftw(own_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_suite_dir(void)
{
	if (suite_dir[0])
		return;
	strcpy(suite_dir, "/tmp/barque-test-XXXXXX");
	if (!mkdtemp(suite_dir))
		ck_abort_msg("%s: %s", suite_dir, strerror(errno));
}

const char *test_dir(void)
{
	if (own_pid == getpid())
		return own_dir;
	make_suite_dir();
	snprintf(own_dir, sizeof(own_dir), "%s/XXXXXX", suite_dir);
	if (!mkdtemp(own_dir))
		ck_abort_msg("%s: %s", own_dir, strerror(errno));
	own_pid = getpid();
	atexit(remove_own_dir);
	return own_dir;
}

/* ---- the suite */

static void list_tests(const TTest *const *tests, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s\n", tests[i]->name);
}

static size_t add_tests(TCase *tc, const TTest *const *tests, size_t n, const char *only)
{
	size_t added = 0;

	for (size_t i = 0; i < n; i++) {
		if (only && !str_eq(tests[i]->name, only))
			continue;
		tcase_add_test(tc, tests[i]);
		added++;
	}
	return added;
}

/* 0: all passed. */
static int run_suite(Suite *s)
{
	SRunner *runner = srunner_create(s);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (failed == 0 && own_pid == getpid())
		remove_own_dir(); /* CK_FORK=no: all tests shared it */
	own_pid = 0;
	if (suite_dir[0] && rmdir(suite_dir) != 0)
		printf("what the failed tests left is in %s\n", suite_dir);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int test_main_before(const char *suite, const TTest *const *tests, size_t n, void (*before)(void), int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	Suite *s = suite_create(suite);
	TCase *tc = tcase_create(suite);
	size_t added;

	if (only && strcmp(only, "-l") == 0) {
		list_tests(tests, n);
		return EXIT_SUCCESS;
	}
	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, TEST_TIMEOUT_S);
	if (before)
		tcase_add_unchecked_fixture(tc, before, NULL);
	added = add_tests(tc, tests, n, only);
	if (added == 0) {
		fprintf(stderr, "%s: there is no test %s; -l lists them\n", suite, only ? only : "in this suite");
		return EXIT_FAILURE;
	}
	make_suite_dir(); /* before the tests fork, so that they share it */
	return run_suite(s);
}

int test_main(const char *suite, const TTest *const *tests, size_t n, int argc, char **argv)
{
	return test_main_before(suite, tests, n, NULL, argc, argv);
}

/* ---- ports */

static bool is_free(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_ANY)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;
	bool ok;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0;
	close(fd);
	return ok;
}

/* By chance from a wide range, so that suites that run at the same time rarely try the same one. */
int test_port(void)
{
	static int given[PORTS_MAX];
	static size_t n_given;
	uint32_t chance;

	for (int tries = 0; tries < 1000; tries++) {
		int port;
		bool known = false;

		digest_random(&chance, sizeof(chance));
		port = PORT_FIRST + (int)(chance % PORT_COUNT);
		for (size_t i = 0; i < n_given; i++)
			known = known || given[i] == port;
		if (known || !is_free(port))
			continue;
		if (n_given < PORTS_MAX)
			given[n_given++] = port;
		return port;
	}
	ck_abort_msg("no free port between %d and %d", PORT_FIRST, PORT_FIRST + PORT_COUNT);
	return -1;
}

/* ---- files */

/* The folder that holds tests/ or bench/ of this build. */
static void build_dir(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *cut = NULL;

	ck_assert_msg(n > 0, "/proc/self/exe cannot be read: %s", strerror(errno));
	out[n] = '\0';
	for (char *p = out; (p = strchr(p, '/')); p++) {
		if (str_starts(p, "/tests/") || str_starts(p, "/bench/"))
			cut = p;
	}
	ck_assert_msg(cut != NULL, "%s stands in no tests/ or bench/ folder of a build", out);
	*cut = '\0';
}

const char *test_program(const char *name)
{
	static char paths[8][PATH_MAX + 64];
	static size_t next;
	char dir[PATH_MAX];
	char *path = paths[next++ % ARRAY_LEN(paths)];

	build_dir(dir);
	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	ck_assert_msg(access(path, X_OK) == 0, "%s is not built: make programs", path);
	return path;
}

const char *test_data(const char *name)
{
	static char paths[8][PATH_MAX];
	static size_t next;
	char *path = paths[next++ % ARRAY_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "../shared/data/%s", name);
	return access(path, R_OK) == 0 ? path : NULL;
}

void test_skip_data(const char *name)
{
	printf("note: ../shared/data/%s is not there; this test runs with data of its own\n", name);
	fflush(stdout);
}

static FILE *open_file(const char *path)
{
	char command[PATH_MAX + 32];

	if (!str_ends(path, ".gz"))
		return fopen(path, "rb");
	ck_assert_msg(!strchr(path, '\''), "%s: no quotes, please", path);
	ck_assert_msg(access(path, R_OK) == 0, "%s: %s", path, strerror(errno));
	snprintf(command, sizeof(command), "exec gzip -dc '%s'", path);
	return popen(command, "r");
}

char *test_read_file(const char *path, size_t *len_out)
{
	FILE *f = open_file(path);
	struct buf b = {0};
	char part[65536];
	size_t n;
	bool ok;

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&b, part, n);
	ok = !ferror(f);
	ok = (str_ends(path, ".gz") ? pclose(f) : fclose(f)) == 0 && ok;
	ck_assert_msg(ok, "%s cannot be read", path);
	if (len_out)
		*len_out = b.len;
	return buf_detach(&b);
}

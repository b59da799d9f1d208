/* test_rolling.c -- change while work goes on: workers that know different versions, two function libraries on the same data, and the
 * quarantine given to one worker.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/flow/worker_rig.h"

#define JOBS 400

/* One line of a command, as typed; what came within the first answer. */
static void redis_say(struct rig *r, const char *line, char *answer, size_t size)
{
	struct sockaddr_in a = {
	        .sin_family = AF_INET, .sin_port = htons((uint16_t)r->redis.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	clock_sleep_ms(100);
	ssize_t n = read(fd, answer, size - 1);
	ck_assert_int_gt(n, 0);
	answer[n] = '\0';
	ck_assert_msg(answer[0] != '-', "%s: %s", line, answer);
	close(fd);
}

static void submit_version(struct queue *q, char id_out[JOB_ID], int version, const char *params)
{
	struct queue_submission s = {
	        .kind = "noop", .queue = "default", .params = params, .priority = 5, .kind_version = version, .max_attempts = 3};
	struct queue_submitted out;
	struct err e;
	ck_assert_msg(queue_submit(q, &s, 1, &out, &e), "%s", e.text);
	ck_assert_int_eq(out.outcome, SUBMIT_NEW);
	memcpy(id_out, s.id, JOB_ID);
}

START_TEST(each_worker_takes_the_versions_that_it_knows)
{
	static char ids[60][JOB_ID];
	struct rig r;
	struct job j;
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_NAME=old", "BARQUE_VERSIONS=1:1", NULL});
	rig_worker(&r, 1, (const char *[]){"WORKER_NAME=new", "BARQUE_VERSIONS=2:3", NULL});
	for (int i = 0; i < 60; i++)
		submit_version(r.queue, ids[i], 1 + i % 3, "{\"sleep_ms\":2}");
	for (int i = 0; i < 60; i++) {
		rig_wait(&r, ids[i], JOB_SUCCEEDED, 20000, &j);
		ck_assert_str_eq(j.worker, i % 3 == 0 ? "old" : "new");
		ck_assert_int_eq(j.attempt, 1);
		job_close(&j);
	}
	submit_version(r.queue, ids[0], 4, "{}");
	clock_sleep_ms(1500);
	rig_wait(&r, ids[0], JOB_READY, 1000, &j); /* nobody knows it: it waits, and is not refused */
	job_close(&j);
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

START_TEST(two_libraries_work_on_the_same_data)
{
	static char ids[JOBS][JOB_ID];
	struct queue_options other = {.library = "barque_next"};
	struct rig r;
	struct job j;
	char answer[4096];
	int by[2] = {0, 0};
	rig_open(&r, "no");
	struct queue *next = queue_open(r.redis.url, &other, &r.e);
	ck_assert_msg(next != NULL, "%s", r.e.text);
	rig_worker(&r, 0, (const char *[]){"WORKER_NAME=old", "WORKER_SLOTS=1", NULL});
	rig_worker(&r, 1, (const char *[]){"WORKER_NAME=new", "WORKER_SLOTS=1", "BARQUE_LIBRARY=barque_next", NULL});
	for (int i = 0; i < JOBS; i++) {
		/* Some fail, some crash, some are cancelled: the one must be able to go on with what the other wrote. */
		submit_version(i % 2 ? next : r.queue, ids[i], 1,
		        i % 20 == 7    ? "{\"fail_times\":1}"
		        : i % 40 == 11 ? "{\"crash\":9}"
		                       : "{\"sleep_ms\":5}");
		if (i == JOBS / 2)
			redis_say(&r, "FUNCTION FLUSH\r\n", answer, sizeof(answer));
	}
	for (int i = 0; i < JOBS; i++) {
		rig_wait(&r, ids[i], i % 40 == 11 ? JOB_DEAD : JOB_SUCCEEDED, 30000, &j);
		by[str_eq(j.worker, "new")]++;
		job_close(&j);
	}
	redis_say(&r, "FUNCTION LIST LIBRARYNAME barque_next\r\n", answer, sizeof(answer));
	ck_assert(str_starts(answer, "*1\r\n"));
	redis_say(&r, "FUNCTION LIST LIBRARYNAME barque3\r\n", answer, sizeof(answer));
	ck_assert(str_starts(answer, "*1\r\n"));
	ck_assert_msg(by[0] > 0 && by[1] > 0, "only one of them worked: %d, %d", by[0], by[1]);
	rig_done_is(&r, JOBS);
	rig_sound(&r);
	queue_close(&next);
	rig_close(&r);
}
END_TEST

START_TEST(what_crashed_goes_to_the_worker_for_it)
{
	struct rig r;
	struct job j;
	char poison[JOB_ID], good[40][JOB_ID];
	rig_open(&r, "no");
	rig_worker(&r, 0, (const char *[]){"WORKER_NAME=usual", "WORKER_SLOTS=1", "WORKER_QUARANTINE=no", NULL});
	rig_submit(&r, poison, "{\"crash\":11}");
	clock_sleep_ms(3000);
	rig_wait(&r, poison, JOB_READY, 5000, &j); /* after its first crash the usual worker leaves it alone */
	ck_assert(j.quarantined);
	ck_assert_int_eq(j.crashes, 1);
	job_close(&j);
	rig_worker(&r, 1, (const char *[]){"WORKER_NAME=big", "WORKER_SLOTS=1", "WORKER_QUARANTINE=only", NULL});
	for (int i = 0; i < 40; i++)
		rig_submit(&r, good[i], "{}");
	rig_wait(&r, poison, JOB_DEAD, 15000, &j);
	ck_assert_str_eq(j.worker, "big");
	ck_assert_int_eq(j.crashes, 4);
	job_close(&j);
	for (int i = 0; i < 40; i++) {
		rig_wait(&r, good[i], JOB_SUCCEEDED, 10000, &j);
		ck_assert_str_eq(j.worker, "usual");
		job_close(&j);
	}
	rig_sound(&r);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {
        each_worker_takes_the_versions_that_it_knows, two_libraries_work_on_the_same_data, what_crashed_goes_to_the_worker_for_it};
TEST_MAIN("rolling", tests)

/* test_queue_torn_aof.c -- a server that was killed while it wrote its append-only file loses nothing that it had said it had. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/queue.h"
#include "tests/contract/queue_hands.h"

#define AOF "appendonlydir/appendonly.aof.1.incr.aof"

static struct test_redis server;

const char *suite_url(void)
{
	return server.url;
}

static void aof_path(char out[400])
{
	snprintf(out, 400, "%s/" AOF, server.dir);
}

static off_t aof_size(void)
{
	char path[400];
	struct stat s;

	aof_path(path);
	ck_assert_int_eq(stat(path, &s), 0);
	return s.st_size;
}

static void aof_cut(off_t size)
{
	char path[400];

	aof_path(path);
	ck_assert_int_eq(truncate(path, size), 0);
}

static char *aof_text(size_t *len)
{
	char path[400];

	aof_path(path);
	return test_read_file(path, len);
}

static int mend(void)
{
	char command[400];

	snprintf(command, sizeof(command), "sh broker-config/mend-aof.sh %s 2>%s/mended", server.dir, test_dir());
	return system(command);
}

static void open_server(void)
{
	test_redis_start(&server, "always");
}

/* Each by a call of its own; how long the file was before each, and after the last. */
static void submit_three(struct queue *q, char ids[3][JOB_ID], off_t size[4])
{
	for (int i = 0; i < 3; i++) {
		size[i] = aof_size();
		submit_plain(q, ids[i]);
	}
	size[3] = aof_size();
}

/* Killed while it wrote what the last call did, started again, used, killed again and started again. */
START_TEST(what_was_accepted_outlives_a_torn_end)
{
	char ids[3][JOB_ID], more[2][JOB_ID];
	off_t size[4];
	struct err e = {0};
	struct job j;

	open_server();
	struct queue *q = open_queue(NULL);
	submit_three(q, ids, size);
	test_redis_kill(&server);
	aof_cut(size[3] - 40);
	test_redis_again(&server);
	submit_plain(q, more[0]);
	ck_assert_int_eq(queue_show(q, ids[2], &j, &e), 0);
	test_redis_kill(&server);
	test_redis_again(&server);
	submit_plain(q, more[1]);
	const char *const said[] = {ids[0], ids[1], more[0], more[1]};
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		ck_assert_msg(queue_show(q, said[i], &j, &e) == 1, "job %zu was accepted and is gone", i);
		ck_assert_int_eq(j.state, JOB_READY);
		job_close(&j);
	}
	ck_assert_int_eq(queue_show(q, ids[2], &j, &e), 0);
	check_sound(q);
	queue_close(&q);
}
END_TEST

/* Wherever the last call is torn, the file ends before it; the other calls stay. */
START_TEST(a_call_is_taken_off_whole)
{
	char ids[3][JOB_ID];
	off_t size[4];
	size_t len;

	open_server();
	struct queue *q = open_queue(NULL);
	submit_three(q, ids, size);
	queue_close(&q);
	test_redis_kill(&server);
	char *text = aof_text(&len), path[400];
	ck_assert_int_eq((off_t)len, size[3]);
	aof_path(path);
	for (off_t end = size[3] - 1; end > size[2]; end -= 13) {
		FILE *f = fopen(path, "we");
		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(fwrite(text, 1, (size_t)end, f), (size_t)end);
		ck_assert_int_eq(fclose(f), 0);
		ck_assert_int_eq(mend(), 0);
		ck_assert_msg(aof_size() == size[2], "torn at %lld of %lld..%lld, mended to %lld", (long long)end, (long long)size[2],
		        (long long)size[3], (long long)aof_size());
	}
	mem_free(&text);
}
END_TEST

START_TEST(a_whole_file_stays_as_it_is)
{
	char ids[3][JOB_ID];
	off_t size[4];

	open_server();
	struct queue *q = open_queue(NULL);
	submit_three(q, ids, size);
	queue_close(&q);
	test_redis_kill(&server);
	ck_assert_int_eq(mend(), 0);
	ck_assert_int_eq(aof_size(), size[3]);
	test_redis_again(&server);
}
END_TEST

/* Somebody started the server without the script: what it has written since is complete, and nothing may cut it off. */
START_TEST(what_is_complete_is_never_cut)
{
	char ids[3][JOB_ID], said[400];
	off_t size[4];
	size_t len;

	open_server();
	struct queue *q = open_queue(NULL);
	submit_three(q, ids, size);
	test_redis_kill(&server);
	size_t whole;
	char *text = aof_text(&whole), path[400];
	aof_path(path);
	aof_cut(size[3] - 40);
	/* As such a server leaves it: a torn call, and behind it a whole one. */
	FILE *f = fopen(path, "ae");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite("\r\n", 1, 2, f), 2);
	ck_assert_uint_eq(fwrite(text + size[1], 1, (size_t)(size[2] - size[1]), f), (size_t)(size[2] - size[1]));
	ck_assert_int_eq(fclose(f), 0);
	off_t before = aof_size();
	ck_assert_int_eq(mend(), 0);
	ck_assert_int_eq(aof_size(), before);
	snprintf(said, sizeof(said), "%s/mended", test_dir());
	char *sentence = test_read_file(said, &len);
	ck_assert_msg(strstr(sentence, "is damaged, and not at its end alone") != NULL, "it said: %s", sentence);
	mem_free(&sentence);
	mem_free(&text);
	queue_close(&q);
}
END_TEST

static const TTest *const tests[] = {
        what_was_accepted_outlives_a_torn_end, a_call_is_taken_off_whole, a_whole_file_stays_as_it_is, what_is_complete_is_never_cut};
TEST_MAIN("queue_torn_aof", tests)

/* many_suite.h -- many queues of several shards each, seen at one look: all that stands in them, and in how few round trips. */
#ifndef TESTS_CONTRACT_MANY_SUITE_H
#define TESTS_CONTRACT_MANY_SUITE_H

#include "queue/seeing.h"
#include "queue/workers.h"
#include "tests/contract/queue_suite.h"

#define MANY        50
#define MANY_SHARDS 4
#define MANY_JOBS   3 /* for each shard of each */

static void many_name(int i, char out[JOB_NAME])
{
	snprintf(out, JOB_NAME, "many_%02d", i);
}

/* A handle that gives each queue its shards, and jobs in all of them; a call's jobs go to one. */
static void many_fill(const char *url)
{
	struct err e = {0};
	struct queue *q = queue_open(url, &(struct queue_options){.shards = MANY_SHARDS}, &e);

	ck_assert_msg(q != NULL, "%s", e.text);
	for (int i = 0; i < MANY * MANY_SHARDS; i++) {
		struct queue_submission s[MANY_JOBS] = {{.kind = KIND}, {.kind = KIND}, {.kind = "other"}};
		struct queue_submitted out[MANY_JOBS];
		char name[JOB_NAME];

		many_name(i / MANY_SHARDS, name);
		for (int k = 0; k < MANY_JOBS; k++)
			s[k].queue = name;
		ck_ok(queue_submit(q, s, MANY_JOBS, out, &e), &e);
	}
	queue_close(&q);
}

/* Look at all that the API shows and measures of queues, and compare it with what many_fill put there. */
static void many_are_seen(struct queue *q)
{
	static struct queue_counts counts[MANY];
	static struct queue_routes routes[MANY];
	static struct queue_backlog backlogs[MANY];
	char(*names)[JOB_NAME] = NULL;
	struct err e = {0};

	ck_assert_int_eq(queue_names(q, &names, &e), MANY);
	ck_ok(queue_counts(q, (const char(*)[JOB_NAME])names, MANY, counts, &e), &e);
	ck_ok(queue_routes(q, (const char(*)[JOB_NAME])names, MANY, routes, &e), &e);
	ck_ok(queue_backlogs(q, (const char(*)[JOB_NAME])names, MANY, backlogs, &e), &e);
	for (int i = 0; i < MANY; i++) {
		ck_assert_str_eq(counts[i].queue, names[i]);
		ck_assert_int_eq(counts[i].ready, MANY_SHARDS * MANY_JOBS);
		ck_assert_int_eq(counts[i].shards, MANY_SHARDS);
		ck_assert_int_eq(backlogs[i].ready, MANY_SHARDS * MANY_JOBS);
		ck_assert_uint_eq(routes[i].n, 2);
		ck_assert_str_eq(routes[i].at[0].route, KIND);
		ck_assert_int_eq(routes[i].at[0].ready, 2 * MANY_SHARDS);
		ck_assert_str_eq(routes[i].at[1].route, "other");
		ck_assert_int_eq(routes[i].at[1].ready, MANY_SHARDS);
		queue_routes_close(&routes[i]);
	}
	mem_free(&names);
}

/* At most so many reads on each of n servers. A look is 7 questions; one by one they would be 151, and 4 for each shard. */
static void many_are_seen_at_once(const char *url, const struct test_redis *servers, size_t n, int64_t first_max, int64_t then_max)
{
	struct err e = {0};
	struct queue *q;
	int64_t before, first, then;

	many_fill(url);
	q = queue_open(url, NULL, &e);
	ck_assert_msg(q != NULL, "%s", e.text);
	before = test_redis_reads(servers, n);
	many_are_seen(q);
	first = test_redis_reads(servers, n);
	many_are_seen(q);
	then = test_redis_reads(servers, n);
	ck_assert_int_le(then - first, then_max);
	ck_assert_int_le(first - before, first_max);
	queue_close(&q);
}

#endif

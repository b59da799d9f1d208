/* doctor_suite.h -- the doctor looks at many queues with many shards as cheaply as at one. Included after shards_suite.h; who includes it also
 * defines suite_ports(). */
#ifndef TESTS_CONTRACT_DOCTOR_SUITE_H
#define TESTS_CONTRACT_DOCTOR_SUITE_H

#include "queue/doctor.h"
#include "tests/contract/shards_suite.h"

#define DOCTOR_QUEUES 5
#define DOCTOR_SHARDS 3
#define DOCTOR_JOBS   30 /* of each queue; with all that is beside them they are given by one SCAN of a thousand */

/* Of the servers on which the queues may stand; how many. */
static size_t suite_ports(int ports[TEST_NODES]);

struct doctor {
	struct queue *q;
	char ids[DOCTOR_QUEUES][DOCTOR_SHARDS][JOB_ID]; /* a ready job in each shard */
	struct queue_look looks[DOCTOR_QUEUES], *all[DOCTOR_QUEUES];
};

static const char *doctor_name(int i)
{
	static const char *const names[DOCTOR_QUEUES] = {"a", "ab", "b", "b_2", "longer_than_the_others"};

	return names[i];
}

static void doctor_fill(struct doctor *d, int queue)
{
	struct queue_shards n;
	struct err e = {0};

	ck_ok(queue_set_shards(d->q, doctor_name(queue), DOCTOR_SHARDS, &n, &e), &e);
	for (int i = 0; i < DOCTOR_JOBS; i++) {
		struct queue_submission s = {.kind = KIND, .queue = doctor_name(queue), .priority = 5};
		struct queue_submitted out;

		ck_ok(queue_submit(d->q, &s, 1, &out, &e), &e);
		memcpy(d->ids[queue][shard_of_id(s.id)], s.id, JOB_ID);
	}
}

static void doctor_open(struct doctor *d)
{
	memset(d, 0, sizeof(*d));
	d->q = open_queue(NULL);
	for (int i = 0; i < DOCTOR_QUEUES; i++) {
		doctor_fill(d, i);
		ck_assert(str_copy(d->looks[i].queue, sizeof(d->looks[i].queue), doctor_name(i)));
		d->all[i] = &d->looks[i];
	}
}

static void doctor_close(struct doctor *d)
{
	for (int i = 0; i < DOCTOR_QUEUES; i++)
		queue_look_close(&d->looks[i]);
	queue_close(&d->q);
}

static void doctor_looks(struct doctor *d)
{
	struct err e = {0};

	ck_ok(queue_examine(d->q, d->all, DOCTOR_QUEUES, &(struct queue_look_bounds){.pause_ms = 10}, &e), &e);
}

/* Say it to the server that has the key. */
static void doctor_harm(const char *command)
{
	int ports[TEST_NODES];
	size_t n = suite_ports(ports), i = 0;
	const char *key = strchr(command, '{');

	while (i < n && str_starts(test_redis_ask(ports[i], "EXISTS %.*s", (int)strcspn(key, " "), key), "-MOVED"))
		i++;
	ck_assert_uint_lt(i, n);
	test_redis_tell(ports[i], "%s", command);
}

/* In each shard of each queue a job that stands nowhere, an id without a job, and a counter. */
static void doctor_break(struct doctor *d)
{
	char command[200];

	for (int i = 0; i < DOCTOR_QUEUES; i++)
		for (int k = 0; k < DOCTOR_SHARDS; k++) {
			const char *id = d->ids[i][k];

			ck_assert_msg(*id, "no job went to shard %d of %s", k, doctor_name(i));
			snprintf(command, sizeof(command), "LREM {bq:%s:%d}:r:" KIND ":5 0 %s", doctor_name(i), k, id + strlen(id) - 20);
			doctor_harm(command);
			snprintf(command, sizeof(command), "ZADD {bq:%s:%d}:h 5 001hf7yat0000000000%d", doctor_name(i), k, k);
			doctor_harm(command);
			snprintf(command, sizeof(command), "HSET {bq:%s:%d}:n run %d", doctor_name(i), k, 100 + k);
			doctor_harm(command);
		}
}

static void doctor_found(const struct doctor *d)
{
	for (int i = 0; i < DOCTOR_QUEUES; i++) {
		int found[3][DOCTOR_SHARDS] = {{0}};

		ck_assert_msg(d->looks[i].total == 3 * DOCTOR_SHARDS, "%s: %lld", doctor_name(i), (long long)d->looks[i].total);
		for (size_t k = 0; k < d->looks[i].n; k++) {
			const struct queue_finding *f = &d->looks[i].findings[k];

			found[f->fault == FAULT_PLACE ? 0 : f->fault == FAULT_ORPHAN ? 1 : 2][f->shard]++;
			if (f->fault == FAULT_PLACE)
				ck_assert_str_eq(f->key, d->ids[i][f->shard]);
			if (f->fault == FAULT_COUNTER)
				ck_assert_int_eq(f->said, 100 + f->shard);
		}
		for (int k = 0; k < DOCTOR_SHARDS; k++)
			ck_assert(found[0][k] == 1 && found[1][k] == 1 && found[2][k] == 1);
	}
}

static void forget_scans(void)
{
	int ports[TEST_NODES];
	size_t n = suite_ports(ports);

	for (size_t i = 0; i < n; i++)
		test_redis_tell(ports[i], "CONFIG RESETSTAT");
}

/* Each server was asked to SCAN so often, and not once more. */
static void check_scans(int64_t wanted)
{
	int ports[TEST_NODES];
	size_t n = suite_ports(ports);

	for (size_t i = 0; i < n; i++) {
		const char *at = strstr(test_redis_tell(ports[i], "INFO commandstats"), "cmdstat_scan:calls=");
		long long calls = at ? atoll(at + strlen("cmdstat_scan:calls=")) : 0;

		ck_assert_msg(calls == wanted, "server %zu was scanned %lld times, not %lld", i, calls, (long long)wanted);
	}
}

START_TEST(one_scan_serves_all_queues)
{
	struct doctor d;
	char why[200];
	struct err e = {0};

	doctor_open(&d);
	forget_scans();
	doctor_looks(&d);
	check_scans(1);
	for (int i = 0; i < DOCTOR_QUEUES; i++) {
		ck_assert_msg(d.looks[i].total == 0, "%s", d.looks[i].n ? d.looks[i].findings[0].text : "");
		ck_assert_int_eq(d.looks[i].jobs, DOCTOR_JOBS);
		ck_assert(!d.looks[i].moved);
	}
	doctor_break(&d);
	forget_scans();
	doctor_looks(&d);
	check_scans(2); /* what the first look found is looked at again */
	doctor_found(&d);
	for (int i = 0; i < DOCTOR_QUEUES; i++)
		for (size_t k = 0; k < d.looks[i].n; k++)
			ck_assert_msg(queue_mend(d.q, doctor_name(i), &d.looks[i].findings[k], true, why, &e) == 1, "%s: %s%s",
			        d.looks[i].findings[k].text, why, e.text);
	doctor_looks(&d);
	for (int i = 0; i < DOCTOR_QUEUES; i++)
		ck_assert_msg(d.looks[i].total == 0, "%s", d.looks[i].n ? d.looks[i].findings[0].text : "");
	doctor_close(&d);
}
END_TEST

/* What the scan may leave out since it came later is known by the list of all ids. */
static void doctor_submits(void *user, const char *queue, size_t nth, size_t of)
{
	struct doctor *d = user;
	static int turn;

	UNUSED(queue);
	UNUSED(nth);
	UNUSED(of);
	/* The first is told of before the scan, the others after it. */
	if (turn++ % DOCTOR_QUEUES == DOCTOR_QUEUES - 2)
		doctor_fill(d, DOCTOR_QUEUES - 1);
}

START_TEST(what_comes_after_the_scan_is_counted)
{
	struct doctor d;
	struct err e = {0};
	struct queue_look_bounds bounds = {.pause_ms = 10, .is_at = doctor_submits, .user = &d};

	doctor_open(&d);
	ck_ok(queue_examine(d.q, d.all, DOCTOR_QUEUES, &bounds, &e), &e);
	ck_assert_int_eq(d.looks[DOCTOR_QUEUES - 1].jobs, 2 * DOCTOR_JOBS);
	ck_assert(!d.looks[DOCTOR_QUEUES - 1].moved); /* while it was read nothing moved */
	for (int i = 0; i < DOCTOR_QUEUES; i++)
		ck_assert_msg(d.looks[i].total == 0, "%s", d.looks[i].n ? d.looks[i].findings[0].text : "");
	doctor_close(&d);
}
END_TEST

#define DOCTOR_SUITE one_scan_serves_all_queues, what_comes_after_the_scan_is_counted

#endif

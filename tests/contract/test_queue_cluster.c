/* test_queue_cluster.c -- the contract of the queue, passed by a cluster of three masters; slots that move, and masters that die. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/doctor_suite.h"
#include "tests/contract/held_suite.h"
#include "tests/contract/many_suite.h"
#include "tests/contract/queue_suite.h"
#include "tests/contract/shards_suite.h"
#include "tests/contract/spread_suite.h"
#include "tests/contract/work_suite.h"

/* One for all tests, started by main() before they fork; each begins with it empty. */
static struct test_cluster *common(void)
{
	static struct test_cluster c;

	return &c;
}

const char *suite_url(void)
{
	static bool empty;
	struct test_cluster *c = common();

	for (size_t i = 0; !empty && i < c->n; i++) {
		test_redis_tell(c->nodes[i].port, "FLUSHALL SYNC");
		test_redis_tell(c->nodes[i].port, "FUNCTION FLUSH SYNC");
	}
	empty = true;
	return c->url;
}

static size_t suite_ports(int ports[TEST_NODES])
{
	for (size_t i = 0; i < common()->masters; i++)
		ports[i] = common()->nodes[i].port;
	return common()->masters;
}

static struct queue *open_url(const char *url, const struct queue_options *o)
{
	struct err e = {0};
	struct queue *q = queue_open(url, o, &e);

	ck_assert_msg(q != NULL, "%s", e.text);
	return q;
}

/* Which of the masters holds a shard of our queue. */
static size_t master_of(const struct test_cluster *c, int shard)
{
	int slot = atoi(test_redis_tell(c->nodes[0].port, "CLUSTER KEYSLOT {bq:%s:%d}", Q, shard) + 1);

	for (size_t i = 0; i < c->masters; i++)
		if (slot < (int)(16384 * (i + 1) / c->masters))
			return i;
	return 0;
}

START_TEST(shards_stand_on_different_masters)
{
	bool used[3] = {false};

	suite_url();
	for (int i = 0; i < 8; i++)
		used[master_of(common(), i)] = true;
	ck_assert(used[0] && used[1] && used[2]);
}
END_TEST

/* Any node will do to begin with, also when the others in the URL are not there. */
START_TEST(one_node_is_enough_to_begin)
{
	char url[128], id[JOB_ID];

	suite_url();
	for (size_t i = 0; i < common()->n; i++) {
		struct queue *q;

		snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%d,127.0.0.1:%d", test_port(), common()->nodes[i].port);
		q = open_url(url, &(struct queue_options){.shards = 8});
		for (int k = 0; k < 8; k++)
			submit_plain(q, id);
		ck_assert_int_eq(counts(q).ready, 8 * ((int)i + 1));
		check_sound(q);
		queue_close(&q);
	}
}
END_TEST

START_TEST(what_is_no_cluster_is_told)
{
	struct test_redis single;
	struct err e = {0};
	char url[128];

	suite_url();
	test_redis_start(&single, "no");
	snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%d", single.port);
	ck_assert_ptr_null(queue_open(url, NULL, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_msg(strstr(e.text, "is no cluster"), "%s", e.text);
	snprintf(url, sizeof(url), "redis+sentinel://" TEST_REDIS_USER "@127.0.0.1:%d/mymaster", single.port);
	ck_assert_ptr_null(queue_open(url, NULL, &e));
	ck_assert_msg(strstr(e.text, "is no sentinel"), "%s", e.text);
}
END_TEST

START_TEST(one_of_a_cluster_is_no_server)
{
	struct err e = {0};
	char url[64], id[JOB_ID];
	struct queue_submission s = {.kind = KIND, .queue = Q};
	struct queue_submitted out;
	bool refused = false;

	suite_url();
	for (size_t i = 0; i < common()->n; i++) {
		snprintf(url, sizeof(url), "redis://127.0.0.1:%d", common()->nodes[i].port);
		struct queue *q = queue_open(url, NULL, &e);
		if (q && queue_submit(q, &s, 1, &out, &e)) {
			queue_close(&q);
			continue;
		}
		refused = true;
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert_msg(strstr(e.text, "redis+cluster://"), "%s", e.text);
		queue_close(&q);
	}
	ck_assert(refused);
	UNUSED(id);
}
END_TEST

/* ---- a slot that moves -------------------------------------------------------------------------------------------------- */

static void node_id(int port, char out[64])
{
	ck_assert(str_copy_n(out, 64, strchr(test_redis_tell(port, "CLUSTER MYID"), '\n') + 1, 40));
}

/* As redis-cli --cluster reshard does it: a few keys at a time, the slot being in both places meanwhile. While the keys of a shard stand
 * in two places its functions must not run at all: half of one would be worse. */
static void move_slot(int slot, int from, int to, int pause_ms)
{
	char from_id[64], to_id[64];

	node_id(from, from_id);
	node_id(to, to_id);
	test_redis_tell(to, "CLUSTER SETSLOT %d IMPORTING %s", slot, from_id);
	test_redis_tell(from, "CLUSTER SETSLOT %d MIGRATING %s", slot, to_id);
	for (;;) {
		char key[400], *text = strdup(test_redis_tell(from, "CLUSTER GETKEYSINSLOT %d 1", slot)), *at = strchr(text, '$');

		if (!at) {
			free(text);
			break;
		}
		at = strchr(at, '\n') + 1;
		ck_assert(str_copy_n(key, sizeof(key), at, strcspn(at, "\r")));
		free(text);
		test_redis_tell(from, "MIGRATE 127.0.0.1 %d \"%s\" 0 5000", to, key);
		clock_sleep_ms(pause_ms);
	}
	test_redis_tell(to, "CLUSTER SETSLOT %d NODE %s", slot, to_id);
	test_redis_tell(from, "CLUSTER SETSLOT %d NODE %s", slot, to_id);
}

START_TEST(a_slot_moves_in_mid_work)
{
	struct test_cluster c;
	struct work w;
	size_t from;
	int slot, status;
	pid_t mover;

	suite_url();
	test_cluster_start(&c, 3, 0, NULL);
	work_open(&w, c.url, 5000);
	slot = atoi(test_redis_tell(c.nodes[0].port, "CLUSTER KEYSLOT {bq:%s:0}", Q) + 1);
	from = master_of(&c, 0);
	for (int i = 0; i < 40; i++)
		work_submit(&w);
	work_step(&w);
	mover = fork();
	if (mover == 0) {
		for (size_t k = 0; k < 3; k++) /* round to where it was */
			move_slot(slot, c.nodes[(from + k) % 3].port, c.nodes[(from + k + 1) % 3].port, 5);
		_exit(0);
	}
	for (;;) {
		work_submit(&w);
		work_step(&w);
		if (waitpid(mover, &status, WNOHANG) == mover)
			break;
	}
	ck_assert_int_eq(status, 0);
	work_close(&w);
}
END_TEST

/* ---- a master that dies -------------------------------------------------------------------------------------------------- */

/* Of what the master of shard 0 wrote. */
static bool replica_has_all(void *user)
{
	const struct test_cluster *c = user;
	size_t i = master_of(c, 0);
	char offset[64];
	const char *at = strstr(test_redis_tell(c->nodes[i].port, "INFO replication"), "master_repl_offset:");

	ck_assert(at && str_copy_n(offset, sizeof(offset), at, strcspn(at, "\r")));
	return strstr(test_redis_tell(c->nodes[c->masters + i].port, "INFO replication"), offset) != NULL;
}

START_TEST(a_master_dies_and_its_replica_takes_over)
{
	struct test_cluster c;
	struct work w;
	int64_t killed;

	suite_url();
	test_cluster_start(&c, 3, 3, NULL);
	work_open(&w, c.url, 15000);
	for (int i = 0; i < 30; i++)
		work_submit(&w);
	work_step(&w);
	ck_assert(test_until(20000, replica_has_all, &c));
	test_redis_kill(&c.nodes[master_of(&c, 0)]);
	killed = clock_mono_ms();
	for (int i = 0; i < 30; i++) {
		work_submit(&w);
		work_step(&w);
	}
	ck_assert_int_lt(clock_mono_ms() - killed, 30000);
	work_close(&w);
}
END_TEST

/* The slots of a node are learnt with the first of them. */
START_TEST(many_queues_take_few_round_trips)
{
	suite_url();
	many_are_seen_at_once(common()->url, common()->nodes, 3, 60, 45);
}
END_TEST

/* Whoever asked before it moved finds it where it is now. */
START_TEST(a_slot_that_moved_is_seen_among_many)
{
	struct test_cluster c;
	struct queue *q;
	int slot;

	suite_url();
	test_cluster_start(&c, 3, 0, NULL);
	many_fill(c.url);
	q = open_url(c.url, NULL);
	many_are_seen(q);
	slot = atoi(test_redis_tell(c.nodes[0].port, "CLUSTER KEYSLOT {bq:many_07:2}") + 1);
	for (size_t from = 0; from < 3; from++)
		if (slot < (int)(16384 * (from + 1) / 3)) {
			move_slot(slot, c.nodes[from].port, c.nodes[(from + 1) % 3].port, 0);
			break;
		}
	many_are_seen(q);
	many_are_seen(q);
	queue_close(&q);
}
END_TEST

/* What one node no longer answers is asked again one by one, until its replica has taken over. */
START_TEST(many_queues_are_seen_though_a_master_dies)
{
	struct test_cluster c;
	struct queue *q;

	suite_url();
	test_cluster_start(&c, 3, 3, NULL);
	many_fill(c.url);
	q = open_url(c.url, &(struct queue_options){.timeout_ms = 30000});
	many_are_seen(q);
	ck_assert(test_until(20000, replica_has_all, &c));
	test_redis_kill(&c.nodes[master_of(&c, 0)]);
	many_are_seen(q);
	queue_close(&q);
}
END_TEST

static const TTest *const tests[] = {QUEUE_SUITE, LIMITS_SUITE, ROUTES_SUITE, WORKERS_SUITE, SEEING_SUITE, SHARDS_SUITE, SPREAD_SUITE,
        DOCTOR_SUITE, HELD_SUITE, FLOW_TESTS, shards_stand_on_different_masters, one_node_is_enough_to_begin, what_is_no_cluster_is_told,
        one_of_a_cluster_is_no_server, a_slot_moves_in_mid_work, a_master_dies_and_its_replica_takes_over, many_queues_take_few_round_trips,
        a_slot_that_moved_is_seen_among_many, many_queues_are_seen_though_a_master_dies};

static void before(void)
{
	test_cluster_start(common(), 3, 0, NULL);
}

int main(int argc, char **argv)
{
	return test_main_before("queue_cluster", tests, ARRAY_LEN(tests), before, argc, argv);
}

/* test_live.c -- live streams over HTTP: one job, the log of one, all changes of state; resuming, slow clients, hostile ones. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/api/ear.h"

/* ---- what was heard ---------------------------------------------------------------------------------------------------- */

static size_t times(const struct ear *x, const char *part)
{
	size_t n = 0;

	for (const char *at = buf_text(&x->heard); (at = strstr(at, part)); at++)
		n++;
	return n;
}

/* The id of the last event that was heard. */
static void last_id(const struct ear *x, char out[200])
{
	const char *found = NULL;

	for (const char *at = buf_text(&x->heard); (at = strstr(at, "id: ")); at++)
		if (at == x->heard.data || at[-1] == '\n')
			found = at;
	ck_assert_ptr_nonnull(found);
	ck_assert(str_copy_n(out, 200, found + 4, strcspn(found + 4, "\n")));
}

static const char *path_of(const char *id, const char *what)
{
	static char path[200];

	snprintf(path, sizeof path, "/api/jobs/%s%s", id, what);
	return path;
}

/* ---- a dispatcher by hand ----------------------------------------------------------------------------------------------- */

static struct queue_link *link_open(struct api_test *t)
{
	static const char *const kinds[] = {"noop", "noop/1"};
	struct err e = {0};
	struct queue_link *l = queue_link_open(t->redis.url, NULL, "default", "test:1:1", kinds, ARRAY_LEN(kinds), &e);

	ck_assert_msg(l != NULL, "%s", e.text);
	return l;
}

static struct job claim(struct queue_link *l)
{
	struct queue_step s = {.want = 1, .lease_ms = 15000};
	struct queue_step_reply r;
	struct err e = {0};

	ck_assert_msg(worker_step(l, &s, &r, &e), "%s", e.text);
	ck_assert_uint_eq(r.n_claims, 1);
	struct job j = r.claims[0].job;
	memset(&r.claims[0], 0, sizeof r.claims[0]);
	queue_step_reply_close(&r);
	return j;
}

static void tell(struct queue_link *l, const struct job *j, const char *text, bool end)
{
	struct queue_ack a = {.fence = j->fence, .outcome = ACK_DONE};
	char copy[200] = "";
	struct queue_remark remark = {.fence = j->fence, .text = copy};
	struct queue_step s = {.acks = &a, .n_acks = end, .remarks = &remark, .n_remarks = text != NULL, .lease_ms = 15000};
	struct queue_step_reply r;
	struct err e = {0};

	memcpy(a.id, j->id, JOB_ID);
	memcpy(remark.id, j->id, JOB_ID);
	if (text)
		snprintf(copy, sizeof copy, "%s", text);
	ck_assert_msg(worker_step(l, &s, &r, &e), "%s", e.text);
	queue_step_reply_close(&r);
}

/* ---- one job -------------------------------------------------------------------------------------------------------------- */

START_TEST(a_job_is_followed_to_its_end)
{
	static const char *const hostile[] = {"abc", "-1", "0", "99999999999999999999", "1; x", ""};
	struct api_test t;
	struct ear x;
	char id[JOB_ID], rev[200];

	api_start(&t, NULL);
	struct queue_link *l = link_open(&t);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	ear_open(&x, &t, path_of(id, "/events"), NULL);
	ck_hears(&x, "\"state\":\"ready\"");
	struct job j = claim(l);
	ck_hears(&x, "\"state\":\"running\"");
	tell(l, &j, NULL, true);
	ck_hears(&x, "event: end\ndata: {\"state\":\"succeeded\"}");
	ck_ends(&x);
	ck_assert_int_eq(x.status, 200);
	ck_assert_uint_eq(times(&x, "event: job"), 3);
	last_id(&x, rev);
	ck_assert_str_eq(rev, "3");
	ear_close(&x);
	/* Who has seen the end is told not to come back; who has not is shown it. */
	ear_open(&x, &t, path_of(id, "/events"), rev);
	ck_ends(&x);
	ck_assert_int_eq(x.status, 204);
	ear_close(&x);
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		ear_open(&x, &t, path_of(id, "/events"), hostile[i]);
		ck_hears(&x, "event: end");
		ck_ends(&x);
		ck_assert_uint_eq(times(&x, "event: job"), 1);
		ear_close(&x);
	}
	ck_status(&t, api_get(&t, path_of("default-0nosuchjob0000000000", "/events")), 404);
	ck_status(&t, api_get(&t, path_of("nonsense", "/events")), 404);
	job_close(&j);
	queue_link_close(&l);
	api_stop(&t);
}
END_TEST

static int64_t fcalls(struct api_test *t)
{
	struct buf out = {0};
	char cli[400];

	snprintf(cli, sizeof cli,
	        "redis-cli --no-auth-warning -u %s info commandstats | sed -n 's/^cmdstat_fcall:calls=\\([0-9]*\\),.*/\\1/p'",
	        t->redis.url);
	FILE *p = popen(cli, "r");
	char line[64] = "";
	int64_t n = -1;

	ck_assert_ptr_nonnull(p);
	bool got = fgets(line, sizeof line, p) != NULL;
	ck_assert_int_eq(pclose(p), 0);
	line[strcspn(line, "\n")] = '\0';
	ck_assert(got && str_int(line, 0, INT64_MAX, &n));
	buf_close(&out);
	return n;
}

START_TEST(many_followers_cost_as_one)
{
	struct api_test t;
	struct ear x[30];
	char id[JOB_ID];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	for (size_t i = 0; i < ARRAY_LEN(x); i++)
		ear_open(&x[i], &t, path_of(id, "/events"), NULL);
	for (size_t i = 0; i < ARRAY_LEN(x); i++)
		ck_hears(&x[i], "\"state\":\"ready\"");
	int64_t before = fcalls(&t);
	clock_sleep_ms(2000);
	ck_assert_int_le(fcalls(&t) - before, 15); /* five times a second, for all of them */
	ck_status(&t, api_call(&t, "DELETE", path_of(id, ""), NULL), 200);
	for (size_t i = 0; i < ARRAY_LEN(x); i++) {
		ck_hears(&x[i], "event: end\ndata: {\"state\":\"cancelled\"}");
		ear_close(&x[i]);
	}
	before = fcalls(&t);
	clock_sleep_ms(1000);
	ck_assert_int_le(fcalls(&t) - before, 1); /* nobody listens */
	api_stop(&t);
}
END_TEST

/* ---- logs ------------------------------------------------------------------------------------------------------------------ */

START_TEST(a_log_is_followed_and_resumed)
{
	struct api_test t;
	struct ear x, y;
	char id[JOB_ID], seen[200];

	api_start(&t, NULL);
	struct queue_link *l = link_open(&t);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	struct job j = claim(l);
	tell(l, &j, "first \"line\"", false);
	tell(l, &j, "second", false);
	ear_open(&x, &t, path_of(id, "/logs?follow=1"), NULL);
	ck_hears(&x, "id: 1\nevent: line\ndata: {\"seq\":1,");
	ck_hears(&x, "first \\\"line\\\"");
	ck_hears(&x, "second");
	last_id(&x, seen);
	ck_assert_str_eq(seen, "2");
	ear_open(&y, &t, path_of(id, "/logs?follow=1"), seen);
	tell(l, &j, "third", false);
	ck_hears(&x, "third");
	ck_hears(&y, "third");
	ck_assert_uint_eq(times(&y, "event: line"), 1);
	tell(l, &j, "last words", true);
	ck_hears(&x, "last words");
	ck_hears(&x, "event: end\ndata: {\"state\":\"succeeded\"}");
	ck_ends(&x);
	ck_ends(&y);
	ck_assert_uint_eq(times(&x, "event: line"), 4);
	last_id(&x, seen);
	ear_close(&x);
	ear_close(&y);
	ear_open(&x, &t, path_of(id, "/logs?follow=1"), seen);
	ck_ends(&x);
	ck_assert_int_eq(x.status, 204);
	ear_close(&x);
	ear_open(&x, &t, path_of(id, "/logs?follow=1&tail=1"), "nonsense");
	ck_ends(&x);
	ck_assert_uint_eq(times(&x, "event: line"), 1);
	ck_hears(&x, "last words");
	ear_close(&x);
	ck_status(&t, api_get(&t, path_of("default-0nosuchjob0000000000", "/logs?follow=1")), 404);
	ck_status(&t, api_get(&t, path_of(id, "/logs?follow=2")), 422);
	job_close(&j);
	queue_link_close(&l);
	api_stop(&t);
}
END_TEST

/* ---- all changes --------------------------------------------------------------------------------------------------------------- */

START_TEST(all_changes_are_followed_and_resumed)
{
	static const char *const hostile[] = {
	        "x", "1-2", "1-2-3", "1-2-3-0-NOT A QUEUE", "99999999999999999999-0-0-0-default", "---", "-1-0-0-0-default"};
	struct api_test t;
	struct ear all, running, again;
	char id[JOB_ID], second[JOB_ID], seen[200], part[200];

	api_start(&t, NULL);
	struct queue_link *l = link_open(&t);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	ear_open(&all, &t, "/api/jobs/events", NULL);
	ear_open(&running, &t, "/api/jobs/events?state=running&kind=noop&queue=default", NULL);
	ck_hears(&all, ": listening\n");
	ck_hears(&running, ": listening\n");
	struct job j = claim(l);
	snprintf(part, sizeof part, "\"id\":\"%s\",\"queue\":\"default\",\"kind\":\"noop\",\"state\":\"running\"}", id);
	ck_hears(&all, part);
	ck_hears(&running, part);
	last_id(&all, seen);
	tell(l, &j, NULL, true);
	api_submit(&t, "{\"kind\":\"noop\",\"delay_ms\":600000}", second);
	ck_hears(&all, "\"state\":\"succeeded\"");
	ck_hears(&all, "\"state\":\"scheduled\"");
	ck_assert_uint_eq(times(&all, "event: change"), 3); /* not what was before */
	ck_assert_uint_eq(times(&running, "event: change"), 1);
	ear_close(&all);
	ear_close(&running);
	/* What happens while it is away, it hears when it comes back. */
	ck_status(&t, api_call(&t, "DELETE", path_of(second, ""), NULL), 200);
	ear_open(&again, &t, "/api/jobs/events", seen);
	ck_hears(&again, "\"state\":\"succeeded\"");
	ck_hears(&again, "\"state\":\"cancelled\"");
	ck_assert_uint_eq(times(&again, "event: change"), 3);
	ck_assert_uint_eq(times(&again, "event: missed"), 0);
	ear_close(&again);
	ear_open(&again, &t, "/api/jobs/events", "1000-0-0-0-default"); /* long ago */
	ck_hears(&again, "event: missed");
	ear_close(&again);
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		ear_open(&again, &t, "/api/jobs/events", hostile[i]);
		ck_hears(&again, ": listening\n");
		ear_close(&again);
	}
	ck_status(&t, api_get(&t, "/api/jobs/events?state=nice"), 422);
	ck_status(&t, api_get(&t, "/api/jobs/events?queue=NOT%20ONE"), 422);
	ck_status(&t, api_get(&t, "/api/jobs/events?kind=%ff"), 422);
	ck_status(&t, api_get(&t, "/api/jobs/events?kind=nop"), 422); /* it would wait for ever */
	job_close(&j);
	queue_link_close(&l);
	api_stop(&t);
}
END_TEST

/* Jobs in all of so many shards, each of which is heard. */
static void submit_and_hear(struct api_test *t, struct ear *x, int shards)
{
	bool used[8] = {false};

	for (int i = 0; i < 2 * shards; i++) {
		char queue[JOB_NAME], id[JOB_ID], part[200];
		int shard;

		api_submit(t, "{\"kind\":\"noop\"}", id);
		ck_assert(job_id_parse(id, queue, &shard) && shard < shards);
		used[shard] = true;
		snprintf(part, sizeof part, "\"id\":\"%s\",\"queue\":\"default\",\"kind\":\"noop\",\"state\":\"ready\"}", id);
		ck_hears(x, part);
	}
	for (int i = 0; i < shards; i++)
		ck_assert_msg(used[i], "shard %d of %d got nothing", i, shards);
}

/* Those of all shards. When some are added while somebody listens, he is told that something may have been missed. */
START_TEST(changes_of_all_shards_are_followed)
{
	static const char *const json[] = {"Content-Type: application/json", NULL};
	struct api_test t;
	struct ear x, later;
	char id[JOB_ID];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	ck_status(&t, api_call_port(&t, t.ports[0], "PATCH", "/api/queues/default", json, "{\"shards\":3}"), 200);
	ear_open(&x, &t, "/api/jobs/events", NULL);
	ck_hears(&x, ": listening\n");
	submit_and_hear(&t, &x, 3);
	ck_assert_uint_eq(times(&x, "event: missed"), 0);
	ck_status(&t, api_call_port(&t, t.ports[0], "PATCH", "/api/queues/default", json, "{\"shards\":5}"), 200);
	ck_hears(&x, "event: missed");
	ear_close(&x);
	ear_open(&later, &t, "/api/jobs/events", NULL);
	ck_hears(&later, ": listening\n");
	submit_and_hear(&t, &later, 5);
	ck_assert_uint_eq(times(&later, "event: missed"), 0);
	ear_close(&later);
	api_stop(&t);
}
END_TEST

static int dial(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static const char get[] = "GET /api/jobs/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(send(fd, get, sizeof get - 1, MSG_NOSIGNAL), (ssize_t)(sizeof get - 1));
	return fd;
}

static void submit_and_purge(struct api_test *t, int batches)
{
	struct err e = {0};
	struct queue *q = queue_open(t->redis.url, NULL, &e);
	int64_t left;

	ck_assert_ptr_nonnull(q);
	for (int i = 0; i < batches; i++) {
		struct queue_submission s[QUEUE_BATCH_MAX];
		struct queue_submitted out[QUEUE_BATCH_MAX];

		memset(s, 0, sizeof s);
		for (size_t k = 0; k < ARRAY_LEN(s); k++) {
			s[k].kind = "noop";
			s[k].queue = "default";
			s[k].priority = 5;
		}
		ck_assert_msg(queue_submit(q, s, ARRAY_LEN(s), out, &e), "%s", e.text);
		ck_assert_int_eq(queue_purge(q, "default", JOB_READY, QUEUE_BATCH_MAX, &left, &e), QUEUE_BATCH_MAX);
	}
	queue_close(&q);
}

/* It reads nothing while 100,000 jobs change: it is told and let go, and nobody else notices. */
START_TEST(a_slow_client_is_told_and_let_go)
{
	struct api_test t;
	struct ear fast;
	char block[65536];
	struct buf got = {0};
	ssize_t n;

	api_start(&t, NULL);
	int slow = dial(t.ports[0]);
	ear_open(&fast, &t, "/api/jobs/events?state=scheduled", NULL);
	ck_hears(&fast, ": listening\n");
	submit_and_purge(&t, 200);
	char id[JOB_ID];
	api_submit(&t, "{\"kind\":\"noop\",\"delay_ms\":600000}", id);
	struct timeval patience = {.tv_sec = 20};
	setsockopt(slow, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	ck_hears(&fast, id);
	clock_sleep_ms(1000);
	while ((n = recv(slow, block, sizeof block, 0)) > 0) {
		buf_add(&got, block, (size_t)n);
		if (got.len > 2 * sizeof block) /* the end is enough */
			memmove(got.data, got.data + sizeof block, got.len -= sizeof block);
	}
	ck_assert_int_eq(n, 0);
	buf_addc(&got, '\0');
	ck_contains(got.data + (got.len > 400 ? got.len - 400 : 0), "event: missed");
	close(slow);
	buf_close(&got);
	ear_close(&fast);
	api_stop(&t);
}
END_TEST

/* The queue goes away and comes back: the streams stay, and go on. */
START_TEST(streams_outlive_the_queue)
{
	struct api_test t;
	struct ear x;
	char id[JOB_ID];

	api_start(&t, NULL);
	api_submit(&t, "{\"kind\":\"noop\"}", id);
	ear_open(&x, &t, path_of(id, "/events"), NULL);
	ck_hears(&x, "\"state\":\"ready\"");
	kill(t.redis.pid, SIGSTOP);
	clock_sleep_ms(6000); /* longer than a call may take */
	kill(t.redis.pid, SIGCONT);
	ck_status(&t, api_call(&t, "DELETE", path_of(id, ""), NULL), 200);
	ck_hears(&x, "event: end\ndata: {\"state\":\"cancelled\"}");
	ck_ends(&x);
	ear_close(&x);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {a_job_is_followed_to_its_end, many_followers_cost_as_one, a_log_is_followed_and_resumed,
        all_changes_are_followed_and_resumed, changes_of_all_shards_are_followed, a_slow_client_is_told_and_let_go,
        streams_outlive_the_queue};
TEST_MAIN("live", tests)

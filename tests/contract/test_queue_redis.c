/* test_queue_redis.c -- the contract of the queue, passed by Redis; and what only a server can do: die, forget, fill up, lie. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/contract/doctor_suite.h"
#include "tests/contract/flow_suite.h"
#include "tests/contract/held_suite.h"
#include "tests/contract/limits_suite.h"
#include "tests/contract/many_suite.h"
#include "tests/contract/queue_suite.h"
#include "tests/contract/seeing_suite.h"
#include "tests/contract/shards_suite.h"
#include "tests/contract/spread_suite.h"
#include "tests/contract/workers_suite.h"

const char *suite_url(void)
{
	return test_redis_own("no")->url;
}

static size_t suite_ports(int ports[TEST_NODES])
{
	ports[0] = test_redis_own("no")->port;
	return 1;
}

/* ---- talking to servers by hand --------------------------------------------------------------------------------------- */

static int dial(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void command(int port, const char *line)
{
	char answer[256] = {0};
	int fd = dial(port);

	ck_assert_int_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	ck_assert_int_gt(read(fd, answer, sizeof(answer) - 1), 0);
	ck_assert_msg(answer[0] != '-', "%s: %s", line, answer);
	close(fd);
}

static int listen_on(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

/* ---- a proxy that loses answers ------------------------------------------------------------------------------------------ */

struct proxy {
	int port, server_port;
	pid_t pid;
	volatile struct {
		int swallow; /* what the server answers is thrown away */
		int cut;     /* all connections are closed, once */
	} * shared;
};

static bool pass_on(const struct proxy *p, int from, int to, bool answer)
{
	char data[65536];
	ssize_t n = read(from, data, sizeof(data));

	if (n <= 0)
		return false;
	return (answer && p->shared->swallow) || write(to, data, (size_t)n) == n;
}

/* Pairs of connections: 2i to the client, 2i + 1 to the server. */
static void proxy_run(const struct proxy *p, int listener)
{
	int pairs[32], n = 0;

	for (;;) {
		struct pollfd fds[33] = {{.fd = listener, .events = POLLIN}};

		for (int i = 0; i < n; i++)
			fds[i + 1] = (struct pollfd){.fd = pairs[i], .events = POLLIN};
		poll(fds, (nfds_t)n + 1, 5);
		for (int i = 0; i < n; i++)
			if (p->shared->cut || (fds[i + 1].revents && !pass_on(p, pairs[i], pairs[i ^ 1], i & 1))) {
				close(pairs[i]);
				close(pairs[i ^ 1]);
				memmove(pairs + (i & ~1), pairs + (i & ~1) + 2, (size_t)(n - (i & ~1) - 2) * sizeof(*pairs));
				n -= 2;
				break;
			}
		if (p->shared->cut && n == 0)
			p->shared->cut = 0;
		if (fds[0].revents && n < 32) {
			pairs[n] = accept(listener, NULL, NULL);
			pairs[n + 1] = dial(p->server_port);
			n += 2;
		}
	}
}

static void proxy_start(struct proxy *p, int server_port)
{
	int listener;

	p->server_port = server_port;
	p->port = test_port();
	p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	listener = listen_on(p->port);
	p->pid = fork();
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		proxy_run(p, listener);
	}
	close(listener);
}

static void proxy_cut(struct proxy *p)
{
	p->shared->cut = 1;
	for (int i = 0; i < 1000 && p->shared->cut; i++)
		clock_sleep_ms(1);
	ck_assert_int_eq(p->shared->cut, 0);
}

/* A step as a dispatcher takes it: begun again with the same content until it is answered. Loses the first `losses` answers. */
static struct queue_step_reply stubborn_step(struct proxy *p, struct queue_link *l, const struct queue_step *s, int losses)
{
	struct queue_step_reply r;

	struct err e = {0};

	for (int try = 0; try < 500; try++) {
		int got = 0;

		p->shared->swallow = losses > 0;
		if (!queue_link_step_begin(l, s, &e)) {
			clock_sleep_ms(10);
			continue;
		}
		for (int i = 0; !got && i < (losses > 0 ? 2 : 1000); i++) {
			got = queue_link_step_end(l, &r, &e);
			if (!got)
				wait_fd(queue_link_fd(l));
		}
		if (losses-- > 0) {
			ck_assert_int_eq(got, 0);
			proxy_cut(p);
			while (!(got = queue_link_step_end(l, &r, &e)))
				wait_fd(queue_link_fd(l));
			ck_assert_int_eq(got, -1);
			ck_assert_int_eq(e.code, ERR_UNSURE);
			continue;
		}
		if (got == 1)
			return r;
	}
	ck_abort_msg("a step was never answered: %s", e.text);
	return r;
}

/* Every second answer is lost, some twice. No claim may be lost, no end applied twice, none rejected. */
START_TEST(lost_answers_are_given_again)
{
	struct queue *q = open_queue(NULL);
	struct proxy p;
	char url[64];
	const char *kinds[] = {KIND};
	struct err e = {0};
	struct queue_link *l;
	struct queue_ack acks[8];
	struct queue_step s = {.acks = acks, .want = 5, .lease_ms = LEASE};
	struct queue_step_reply r;
	int total = 0;

	proxy_start(&p, test_redis_own("no")->port);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", p.port);
	l = queue_link_open(url, NULL, Q, "w1", kinds, 1, &e);
	ck_assert_msg(l != NULL, "%s", e.text);
	for (int i = 0; i < 60; i++) /* usual ones, and some of which more has to be said */
		submit_new(q, &(struct queue_submission){.params = "{\"n\":1}", .time_limit_ms = i % 2 * 90000});
	for (int i = 0; i < 13; i++) {
		r = stubborn_step(&p, l, &s, i % 3);
		ck_assert_uint_eq(r.n_rejected, 0);
		ck_assert_uint_eq(r.n_claims, i < 12 ? 5 : 0);
		s.n_acks = r.n_claims;
		for (size_t k = 0; k < r.n_claims; k++, total++) {
			acks[k] = (struct queue_ack){.fence = r.claims[k].job.fence, .outcome = ACK_DONE};
			memcpy(acks[k].id, r.claims[k].job.id, JOB_ID);
			ck_assert_str_eq(r.claims[k].job.params, "{\"n\":1}");
			ck_assert_int_eq(r.claims[k].job.time_limit_ms, total % 2 * 90000);
		}
		queue_step_reply_close(&r);
	}
	ck_assert_int_eq(total, 60);
	ck_assert_int_eq(counts(q).done_total, 60);
	ck_assert_int_eq(counts(q).running, 0);
	test_kill(p.pid, SIGKILL);
	close_both(&q, &l);
}
END_TEST

START_TEST(an_unanswered_step_is_not_changed)
{
	struct queue *q = open_queue(NULL);
	struct proxy p;
	char url[64], id[JOB_ID];
	const char *kinds[] = {KIND};
	struct err e = {0};
	struct queue_link *l;
	struct queue_ack a = {.outcome = ACK_DONE, .fence = 1};
	struct queue_step s = {.want = 1, .lease_ms = LEASE}, other = {.acks = &a, .n_acks = 1, .lease_ms = LEASE};
	struct queue_step_reply r;
	int got;

	submit_plain(q, id);
	memcpy(a.id, id, JOB_ID);
	proxy_start(&p, test_redis_own("no")->port);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", p.port);
	l = queue_link_open(url, NULL, Q, "w1", kinds, 1, &e);
	p.shared->swallow = 1;
	ck_ok(queue_link_step_begin(l, &s, &e), &e);
	clock_sleep_ms(50);
	proxy_cut(&p);
	while (!(got = queue_link_step_end(l, &r, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_int_eq(got, -1);
	ck_assert(!queue_link_step_begin(l, &other, &e));
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	r = stubborn_step(&p, l, &s, 0);
	ck_assert_uint_eq(r.n_claims, 1);
	ck_assert_str_eq(r.claims[0].job.id, id);
	queue_step_reply_close(&r);
	test_kill(p.pid, SIGKILL);
	close_both(&q, &l);
}
END_TEST

/* A submission whose answer was lost is sent again with the same ids: each job is there once. */
START_TEST(lost_submissions)
{
	struct queue *q = open_queue(NULL), *far;
	struct proxy p;
	char url[64];
	struct queue_options o = {.timeout_ms = 300};
	struct queue_submission s[3] = {{.kind = KIND, .queue = Q}, {.kind = KIND, .queue = Q}, {.kind = KIND, .queue = Q}};
	struct queue_submitted out[3];
	struct err e = {0};

	proxy_start(&p, test_redis_own("no")->port);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", p.port);
	far = queue_open(url, &o, &e);
	ck_assert_msg(far != NULL, "%s", e.text);
	ck_ok(queue_submit(far, s, 1, out, &e), &e);
	p.shared->swallow = 1;
	ck_assert(!queue_submit(far, s + 1, 2, out, &e));
	ck_assert_int_eq(e.code, ERR_UNSURE);
	p.shared->swallow = 0;
	ck_ok(queue_submit(far, s, 3, out, &e), &e);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(out[i].outcome, SUBMIT_EXISTING);
	ck_assert_int_eq(counts(q).ready, 3);
	test_kill(p.pid, SIGKILL);
	queue_close(&far);
	check_sound(q);
	queue_close(&q);
}
END_TEST

/* ---- a server that dies ------------------------------------------------------------------------------------------------- */

static struct queue_step_reply step_until(struct queue_link *l, const struct queue_step *s)
{
	struct proxy none = {.shared = mem_new(sizeof(*none.shared))};
	struct queue_step_reply r = stubborn_step(&none, l, s, 0);
	void *shared = (void *)(uintptr_t)none.shared;

	mem_free(&shared);
	return r;
}

/* kill -9 at a moment when calls are under way, ten times. What was accepted is there; what was ended stays ended. */
START_TEST(killed_and_started_again)
{
	struct test_redis *server = test_redis_own("always");
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_ack acks[16];
	struct queue_step s = {.acks = acks, .want = 10, .lease_ms = 60000};
	char(*accepted)[JOB_ID] = mem_array(1000, sizeof(*accepted));
	int n = 0, done = 0;
	struct err e = {0};

	for (int round = 0; round < 10; round++) {
		struct queue_step_reply r;
		int got;

		for (int i = 0; i < 20; i++)
			submit_plain(q, accepted[n++]);
		ck_ok(queue_link_step_begin(l, &s, &e), &e);
		clock_sleep_ms(round % 3);
		test_redis_kill(server);
		test_redis_again(server);
		while (!(got = queue_link_step_end(l, &r, &e)))
			wait_fd(queue_link_fd(l));
		if (got < 0)
			r = step_until(l, &s); /* the same step, given again if it was taken */
		ck_assert_uint_eq(r.n_rejected, 0);
		ck_assert_uint_eq(r.n_claims, 10);
		done += (int)s.n_acks;
		s.n_acks = r.n_claims;
		for (size_t k = 0; k < r.n_claims; k++) {
			acks[k] = (struct queue_ack){.fence = r.claims[k].job.fence, .outcome = ACK_DONE};
			memcpy(acks[k].id, r.claims[k].job.id, JOB_ID);
		}
		queue_step_reply_close(&r);
	}
	for (int i = 0; i < n; i++)
		ck_assert_int_le(state_of(q, accepted[i]), JOB_SUCCEEDED);
	ck_assert_int_eq(counts(q).done_total, done);
	ck_assert_int_eq(done, 90);
	mem_free(&accepted);
	close_both(&q, &l);
}
END_TEST

static void submit_limited(struct queue *q, const char *keys[3])
{
	struct queue_submission s[] = {{.priority = 5, .params = "{\"k\":1}", .concurrency_key = keys[0], .max_concurrent = 1},
	        {.priority = 5, .rate = {.key = "r", .limit = 2, .window_ms = 200, .cost = 1}},
	        {.priority = 5, .unique_key = keys[1], .unique = UNIQUE_KEEP_NEWEST},
	        {.priority = 5, .unique_key = keys[2], .unique = UNIQUE_RETURN}};
	struct queue_submitted out = {0};

	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		out = submit(q, &s[i]);
		ck_assert(out.outcome == SUBMIT_NEW || (i == 3 && out.outcome == SUBMIT_EXISTING));
	}
}

/* The same with shared keys, rates and unique keys: whatever was lost, no count leaks, no key sticks, and all of it runs in the end. */
START_TEST(limits_survive_kill_9)
{
	struct test_redis *server = test_redis_own("always");
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	const char *keys[] = {"k", "newest", "only"};
	struct queue_submission last = {.unique_key = "only", .unique = UNIQUE_REJECT, .priority = 5};
	struct queue_ack acks[32];
	struct queue_step s = {.acks = acks, .want = 16, .lease_ms = 60000};
	struct err e = {0};

	for (int round = 0; round < 60 && (round < 10 || counts(q).parked + counts(q).ready + counts(q).running > 0); round++) {
		struct queue_step_reply r;
		int got = 0, keyed = 0;

		if (round < 10)
			submit_limited(q, keys);
		ck_ok(queue_link_step_begin(l, &s, &e), &e);
		clock_sleep_ms(round % 3);
		if (round < 10) {
			test_redis_kill(server);
			test_redis_again(server);
		}
		while (!(got = queue_link_step_end(l, &r, &e)))
			wait_fd(queue_link_fd(l));
		if (got < 0)
			r = step_until(l, &s);
		s.n_acks = r.n_claims;
		for (size_t k = 0; k < r.n_claims; k++) {
			acks[k] = (struct queue_ack){.fence = r.claims[k].job.fence, .outcome = ACK_DONE};
			memcpy(acks[k].id, r.claims[k].job.id, JOB_ID);
			keyed += str_eq(r.claims[k].job.params, "{\"k\":1}");
		}
		ck_assert_int_le(keyed, 1);
		queue_step_reply_close(&r);
		check_sound(q);
		clock_sleep_ms(round < 10 ? 0 : 50);
	}
	ck_assert_int_eq(counts(q).parked + counts(q).ready + counts(q).running, 0);
	submit_new(q, &last);
	close_both(&q, &l);
}
END_TEST

START_TEST(a_server_without_the_library)
{
	struct test_redis *server = test_redis_own("no");
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char id[JOB_ID];

	command(server->port, "FUNCTION FLUSH\r\n");
	submit_plain(q, id);
	command(server->port, "FUNCTION FLUSH\r\n");
	ck_assert_uint_eq(claim_count(l, 5), 1);
	close_both(&q, &l);
}
END_TEST

START_TEST(another_text_under_our_version)
{
	struct test_redis *server = test_redis_own("no");
	struct err e = {0};
	struct queue *q;

	command(server->port,
	        "FUNCTION LOAD \"#!lua name=barque3\\nredis.register_function('barque3_step', function() return 1 end)\"\r\n");
	q = queue_open(server->url, NULL, &e);
	ck_assert_ptr_null(q);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert_msg(strstr(e.text, "FUNCTION DELETE " QUEUE_LIBRARY " ") != NULL, "%s", e.text);
}
END_TEST

START_TEST(no_memory_left)
{
	struct test_redis *server = test_redis_own("no");
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	struct queue_submission s = {0};
	struct queue_claim c;
	char id[JOB_ID];

	submit_plain(q, id);
	command(server->port, "CONFIG SET maxmemory 1mb\r\n");
	ck_assert_int_eq(submit(q, &s).outcome, SUBMIT_FULL); /* Redis itself refuses */
	clock_sleep_ms(1100);
	ck_assert_int_eq(submit(q, &s).outcome, SUBMIT_FULL); /* now we know ourselves */
	c = claim_one(l);                                     /* work goes on, so that memory comes back */
	ck_assert_uint_eq(ack(l, id, c.job.fence, ACK_DONE, ERR_NONE), 0);
	command(server->port, "CONFIG SET maxmemory 0\r\n");
	clock_sleep_ms(1100);
	ck_assert_int_eq(submit(q, &s).outcome, SUBMIT_NEW);
	job_close(&c.job);
	close_both(&q, &l);
}
END_TEST

START_TEST(passwords)
{
	struct test_redis *server = test_redis_own("no");
	char url[128];
	struct err e = {0};
	struct queue *q;

	command(server->port, "CONFIG SET requirepass open%sesame\r\n");
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", server->port);
	ck_assert_ptr_null(queue_open(url, NULL, &e));
	ck_assert_int_eq(e.code, ERR_DENIED);
	snprintf(url, sizeof(url), "redis://:wrong@127.0.0.1:%d", server->port);
	ck_assert_ptr_null(queue_open(url, NULL, &e));
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert_ptr_null(strstr(e.text, "wrong@"));
	snprintf(url, sizeof(url), "redis://:open%%25sesame@127.0.0.1:%d/2", server->port);
	q = queue_open(url, NULL, &e);
	ck_assert_msg(q != NULL, "%s", e.text);
	ck_ok(queue_ping(q, &e), &e);
	queue_close(&q);
}
END_TEST

START_TEST(nobody_there)
{
	char url[64];
	struct err e = {0};

	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", test_port());
	ck_assert_ptr_null(queue_open(url, NULL, &e));
	ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
	ck_assert_ptr_null(queue_open("mysql://x", NULL, &e));
	ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

/* ---- a server that lies -------------------------------------------------------------------------------------------------- */

/* Reads on to the end of the library, whose length the command announces. True: that was what data began. */
static bool liar_reads_library(int fd, const char *data, ssize_t n)
{
	const char *at = strstr(data, "LOAD\r\n$");
	char rest[65536];

	if (!at)
		return false;
	const char *text = strchr(at + 7, '\n') + 1;
	ssize_t left = atol(at + 7) + 2 - (data + n - text);
	while (left > 0 && (n = read(fd, rest, sizeof(rest))) > 0)
		left -= n;
	return true;
}

/* Says what an honest server says about functions and shards, and the lie to all else. */
static void liar_run(int listener, const char *lie)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char data[65536];
		ssize_t n;

		if (fork() != 0) {
			close(fd);
			continue;
		}
		while ((n = read(fd, data, sizeof(data) - 1)) > 0) {
			data[n] = '\0';
			const char *say = strstr(data, "LIBRARYNAME")       ? "*0\r\n"
			                  : liar_reads_library(fd, data, n) ? "+barque3\r\n"
			                  : strstr(data, "INFO")            ? "$14\r\nused_memory:1\n\r\n"
			                  : strstr(data, "SADD")            ? ":1\r\n"
			                  : strstr(data, "_shards")         ? "*6\r\n:1\r\n:1\r\n:1\r\n:0\r\n:0\r\n:1\r\n"
			                                                    : lie;
			if (write(fd, say, strlen(say)) < 0)
				break;
		}
		_exit(0);
	}
}

static const char *const lies[] = {":1\r\n", "$3\r\nabc\r\n", "*0\r\n", "$-1\r\n", "*-1\r\n", "*1\r\n*0\r\n",
        "*4\r\n:1\r\n:1\r\n*0\r\n:5\r\n", "*4\r\n:1\r\n:1\r\n*1\r\n$3\r\nabc\r\n*0\r\n",
        "*4\r\n:1\r\n:1\r\n*0\r\n*1\r\n*2\r\n$1\r\nx\r\n:1\r\n",
        "*4\r\n:1\r\n:1\r\n*0\r\n*1\r\n*4\r\n$1\r\nx\r\n:1\r\n$1\r\ny\r\n$2\r\n{}\r\n",
        "*8\r\n:1\r\n:1\r\n*0\r\n*0\r\n$-1\r\n$-1\r\n:1\r\n*1\r\n*2\r\n:0\r\n$-1\r\n", "*2\r\n:9\r\n$0\r\n\r\n", "*2\r\n:-1\r\n:99\r\n",
        "*1\r\n*4\r\n$20\r\n001hf7yat00000000000\r\n$1\r\n0\r\n$1\r\ns\r\n$1\r\n9\r\n",
        "*1\r\n*4\r\n$20\r\n001hf7yat0000000000a\r\n$1\r\n0\r\n$1\r\ns\r\n$3\r\n1.x\r\n", "?what\r\n", "-ERR no\r\n", "-\r\n"};

static void ask_liar(const char *url)
{
	struct queue_options o = {.timeout_ms = 3000};
	struct err e = {0};
	const char *kinds[] = {KIND};
	struct queue *q = queue_open(url, &o, &e);
	struct queue_link *l;
	struct queue_submission s = {.kind = KIND, .queue = Q};
	struct queue_step step_want = {.want = 1, .lease_ms = LEASE};
	struct queue_submitted out;
	struct queue_step_reply r;
	struct job j[4];
	char next[64];
	enum job_state state;
	int64_t wait;
	int got;

	ck_assert_msg(q != NULL, "%s", e.text);
	ck_assert(!queue_submit(q, &s, 1, &out, &e));
	got = queue_show(q, "q-0001hf7yat0000000000a", &j[0], &e);
	ck_assert_int_le(got, 0);
	ck_assert_int_le(queue_list(q, Q, NULL, -1, "", 4, j, next, &e), 0);
	if (queue_cancel(q, "q-0001hf7yat0000000000a", &state, &e) == 1)
		ck_assert_int_eq(state, JOB_READY); /* one of the lies is an answer to this */
	if (queue_budget_take(q, "b", 1, 1, 1000, &wait, &e) == 1)
		ck_assert_int_ge(wait, 0);
	queue_close(&q);
	l = queue_link_open(url, &o, Q, "w", kinds, 1, &e);
	ck_assert_msg(l != NULL, "%s", e.text);
	ck_ok(queue_link_step_begin(l, &step_want, &e), &e);
	while (!(got = queue_link_step_end(l, &r, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_int_eq(got, -1);
	queue_link_close(&l);
}

START_TEST(lies_are_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		int port = test_port(), listener = listen_on(port);
		char url[64];
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			liar_run(listener, lies[i]);
		}
		close(listener);
		snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
		ask_liar(url);
		test_kill(pid, SIGKILL);
	}
}
END_TEST

/* A whole bag of word where 64 may come. */
START_TEST(more_word_than_was_asked_for)
{
	int port = test_port(), listener = listen_on(port);
	struct queue_options o = {.timeout_ms = 3000};
	const char *queues[] = {Q};
	struct buf bag = {0};
	struct queue *q;
	struct queue_mail *m;
	struct err e = {0};
	char url[64];
	pid_t pid;

	buf_adds(&bag, "*65\r\n");
	for (int i = 0; i < 65; i++)
		buf_adds(&bag, "*6\r\n$1\r\nx\r\n$1\r\nd\r\n$23\r\nq-0001hf7yat0000000000a\r\n$1\r\nf\r\n$1\r\n5\r\n$0\r\n\r\n");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		liar_run(listener, buf_text(&bag));
	}
	close(listener);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
	q = queue_open(url, &o, &e);
	ck_assert_msg(q != NULL, "%s", e.text);
	m = queue_mail_open(url, &o, queues, 1, &e);
	ck_assert_msg(m != NULL, "%s", e.text);
	ck_assert_int_eq(queue_mail_take(m, &e), -1);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	queue_mail_close(&m);
	queue_close(&q);
	test_kill(pid, SIGKILL);
	buf_close(&bag);
}
END_TEST

/* ---- what a job costs ------------------------------------------------------------------------------------------------ */

/* How often the server has run any command so far, those that its functions call included. */
static int64_t commands_run(void)
{
	char line[400], cli[640];
	int64_t sum = 0, calls;

	snprintf(cli, sizeof(cli), "redis-cli --no-auth-warning -u %s info commandstats", suite_url());
	FILE *p = popen(cli, "r");
	ck_assert_ptr_nonnull(p);
	while (fgets(line, sizeof(line), p)) {
		char *at = strstr(line, ":calls=");

		if (!at)
			continue;
		at += 7;
		at[strcspn(at, ",")] = '\0';
		ck_assert(str_int(at, 0, INT64_MAX, &calls));
		sum += calls;
	}
	ck_assert_int_eq(pclose(p), 0);
	return sum;
}

/* n jobs claimed by one step and ended by another: how many commands that took. */
static int64_t commands_to_drain(struct queue *q, struct queue_link *l, size_t n)
{
	struct queue_submission s[QUEUE_BATCH_MAX];
	struct queue_submitted out[QUEUE_BATCH_MAX];
	struct queue_ack acks[QUEUE_BATCH_MAX];
	struct err e = {0};

	memset(s, 0, sizeof(s));
	memset(acks, 0, sizeof(acks));
	for (size_t i = 0; i < n; i++)
		s[i] = (struct queue_submission){.kind = KIND, .queue = Q, .priority = 5, .params = "{\"n\":1}"};
	ck_ok(queue_submit(q, s, n, out, &e), &e);
	int64_t before = commands_run();
	struct queue_step_reply r = step(l, (int)n);
	ck_assert_uint_eq(r.n_claims, n);
	for (size_t i = 0; i < n; i++) {
		acks[i].fence = r.claims[i].job.fence;
		memcpy(acks[i].id, r.claims[i].job.id, JOB_ID);
	}
	queue_step_reply_close(&r);
	r = step_with(l, acks, n, 0, LEASE);
	queue_step_reply_close(&r);
	return commands_run() - before;
}

/* Timelines, logs and changes are for what is unusual and for who listens: a usual job pays for none of them. */
START_TEST(a_usual_job_costs_one_command)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w:1:1");
	struct err e = {0};
	struct queue_changes c;

	commands_to_drain(q, l, 10);
	int64_t few = commands_to_drain(q, l, 50), many = commands_to_drain(q, l, 250);
	/* HGET of its parameters; all else is asked and said for many at once. Once a second the house is kept: that is the slack. */
	ck_assert_int_ge(many - few, 200 - 40);
	ck_assert_int_le(many - few, 200 + 40);
	ck_ok(queue_changes(q, Q, 0, "", &c, &e), &e);
	queue_changes_close(&c);
	few = commands_to_drain(q, l, 50);
	many = commands_to_drain(q, l, 250);
	ck_assert_int_ge(many - few, 2 * 200 - 40); /* somebody listens: the kind is looked up at the end */
	ck_assert_int_le(many - few, 2 * 200 + 40);
	close_both(&q, &l);
}
END_TEST

/* ---- retention ---------------------------------------------------------------------------------------------------- */

/* An integer that a command of Redis answers; K: stands before a key's name, and $ for the digits of the id. */
static int64_t redis_says(const char *form, const char *id)
{
	struct buf line = {0};
	char answer[64] = "";
	int64_t n = 0;

	for (const char *at = form; *at; at++) {
		if (*at == 'K' && at[1] == ':')
			buf_adds(&line, "{bq:q:0}");
		else if (*at == '$')
			buf_adds(&line, id + 3);
		else
			buf_addc(&line, *at);
	}
	ck_assert(test_redis_say(test_redis_own("no")->port, buf_text(&line), answer, sizeof(answer)));
	answer[strcspn(answer, "\r\n")] = '\0';
	ck_assert_msg(answer[0] == ':' && str_int(answer + 1, INT64_MIN, INT64_MAX, &n), "%s: %s", buf_text(&line), answer);
	buf_close(&line);
	return n;
}

/* Old jobs are looked for when the house is kept, which is now due. */
static void keep_house(struct queue_link *l)
{
	redis_says("HDEL K:n mt", "");
	step_nothing(l);
}

static void one_done(struct queue *q, struct queue_link *l, char id[JOB_ID])
{
	submit_plain(q, id);
	struct queue_claim c = claim_one(l);
	ck_assert_str_eq(c.job.id, id);
	ack(l, id, c.job.fence, ACK_DONE, ERR_NONE);
	job_close(&c.job);
}

/* A usual job that succeeded has no time of its own in Redis: it is swept when it is at the front of all ids and its day is over. */
START_TEST(settled_jobs_are_swept)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char done[JOB_ID], young[JOB_ID];

	one_done(q, l, done);
	one_done(q, l, young);
	ck_assert_int_eq(redis_says("PTTL K:j:$", done), -1);
	keep_house(l);
	ck_assert_int_eq(redis_says("LLEN K:a", ""), 2);
	redis_says("HSET K:j:$ c 1000", done);
	redis_says("HSET K:s $ \"5.3.9.2000 9 w1\"", done);
	keep_house(l);
	ck_assert_int_eq(redis_says("EXISTS K:j:$", done), 0);
	ck_assert_int_eq(redis_says("EXISTS K:j:$", young), 1);
	ck_assert_int_eq(redis_says("HLEN K:s", ""), 1);
	ck_assert_int_eq(redis_says("LLEN K:a", ""), 1);
	ck_assert_int_eq(redis_says("ZCARD K:o", ""), 0);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* It ended not long ago, but others are to be looked at: it gets what is left of its day. */
START_TEST(what_ran_for_a_day_keeps_its_retention)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char id[JOB_ID];

	one_done(q, l, id);
	redis_says("HSET K:j:$ c 1000", id);
	keep_house(l);
	int64_t left = redis_says("PTTL K:j:$", id);
	ck_assert_int_gt(left, 86400000 - 60000);
	ck_assert_int_le(left, 86400000);
	ck_assert_int_eq(redis_says("LLEN K:a", ""), 0);
	ck_assert_int_eq(redis_says("ZCARD K:o", ""), 1);
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* One that is old but still waits or runs leaves the front, too, and is then given its time by its end. */
START_TEST(what_is_old_when_it_ends_is_given_a_time)
{
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1");
	char waits[JOB_ID], runs[JOB_ID], *const ids[] = {runs, waits};

	submit_plain(q, runs);
	submit_plain(q, waits);
	struct queue_claim c = claim_one(l);
	for (size_t i = 0; i < 2; i++)
		redis_says("HSET K:j:$ c 1000", ids[i]);
	keep_house(l);
	ck_assert_int_eq(redis_says("ZCARD K:o", ""), 2);
	check_sound(q);
	for (size_t i = 0; i < 2; i++) {
		ack(l, ids[i], c.job.fence, ACK_DONE, ERR_NONE);
		job_close(&c.job);
		ck_assert_int_eq(state_of(q, ids[i]), JOB_SUCCEEDED);
		ck_assert_int_gt(redis_says("PTTL K:j:$", ids[i]), 86400000 - 60000);
		if (i == 0)
			c = claim_one(l);
	}
	check_sound(q);
	close_both(&q, &l);
}
END_TEST

/* A job made by hand that waits for one of another queue and one of its own, neither of which is there: it is told after a minute, which
 * has passed when it was made long ago. */
START_TEST(orphans_fail)
{
	static const char *const waits[] = {"other-000000000000000000000=far", "q-000000000000000000000=near"};
	struct queue *q = open_queue(NULL);
	struct queue_link *l = open_link("w1"), *l2 = flow_link(Q2);
	struct queue_mail *m = open_mail();
	char line[600];

	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		struct queue_submission s = {.priority = 5, .held = true, .waits_for = waits[i]};
		struct job j;

		submit_new(q, &s);
		step_nothing(l);
		state_is(q, s.id, JOB_WAITING);
		snprintf(line, sizeof(line), "HSET {bq:q:0}:j:%s c 1000\r\n", s.id + 3);
		command(test_redis_own("no")->port, line);
		for (int turn = 0; turn < 40 && state_of(q, s.id) == JOB_WAITING; turn++) {
			step_nothing(l);
			step_nothing(l2);
			carry(m);
			clock_sleep_ms(100);
		}
		j = show(q, s.id);
		ck_assert_int_eq(j.state, JOB_FAILED);
		ck_assert_msg(strstr(j.error.text, "does not exist") != NULL, "%s", j.error.text);
		job_close(&j);
		check_sound(q);
	}
	queue_mail_close(&m);
	queue_link_close(&l2);
	close_both(&q, &l);
}
END_TEST

/* The audit, and so the doctor, looks at flows in every shard. */
START_TEST(a_flow_that_miscounts_is_seen_in_any_shard)
{
	struct queue *q = open_sharded(SPREAD);
	bool used[SPREAD] = {false};
	struct queue_audit a;
	struct err e = {0};
	char line[200];

	shards_of(q, SPREAD);
	for (int i = 0; !used[1] || !used[2]; i++) {
		struct rig_flow *r = flow_new(2);
		int shard;

		ck_assert_int_lt(i, 200);
		flow_edge(r, 1, 0);
		flow_submit_new(q, r);
		check_sound(q);
		shard = shard_of_id(flow_id(r, 1));
		used[shard] = true;
		for (int by = 1; by >= -1; by -= 2) {
			snprintf(line, sizeof(line), "HINCRBY {bq:q:%d}:D:%s # %d\r\n", shard, flow_id(r, 1) + strlen(Q "-0"), by);
			command(test_redis_own("no")->port, line);
			ck_assert_int_eq(queue_audit(q, Q, &a, &e), by < 0);
			if (by > 0)
				ck_assert_msg(str_starts(a.problem, flow_id(r, 1)), "%s", a.problem);
		}
		flow_free(&r);
	}
	queue_close(&q);
}
END_TEST

START_TEST(many_queues_take_few_round_trips)
{
	suite_url();
	many_are_seen_at_once(test_redis_own("no")->url, test_redis_own("no"), 1, 24, 24);
}
END_TEST

/* How many shards a queue has is known for some seconds, of as many queues as there is room for. */
START_TEST(many_queues_are_known)
{
	struct queue *q = open_queue(NULL);
	int64_t reads[2], before;

	for (int round = 0; round < 3; round++) {
		before = test_redis_reads(test_redis_own("no"), 1);
		for (int i = 0; i < 60; i++) {
			struct queue_submission s = {.kind = KIND, .priority = 5};
			struct queue_submitted out;
			struct err e = {0};
			char name[JOB_NAME];

			many_name(i, name);
			s.queue = name;
			ck_ok(queue_submit(q, &s, 1, &out, &e), &e);
		}
		reads[round > 0] = test_redis_reads(test_redis_own("no"), 1) - before;
	}
	ck_assert_int_ge(reads[0], 3 * 60);
	ck_assert_int_le(reads[1], 60 + 10);
	queue_close(&q);
}
END_TEST

/* The list of changes ends when nobody listens for minutes, not when nothing has changed for minutes: somebody who was away may come back
 * while another listens, and is told of a gap when there is one. */
START_TEST(changes_live_while_somebody_listens)
{
	struct queue *q = open_queue(NULL);
	char place[QUEUE_CHANGE_ID] = "", back[QUEUE_CHANGE_ID], id[JOB_ID];

	changes_are(q, place, "", false);
	memcpy(back, place, sizeof(back));
	submit_plain(q, id);
	changes_are(q, place, "ready", false);
	test_redis_tell(test_redis_own("no")->port, "PEXPIRE {bq:q:0}:ev 1000"); /* as if minutes passed */
	test_redis_tell(test_redis_own("no")->port, "HINCRBY {bq:q:0}:n ev -6000");
	changes_are(q, place, "", false);
	clock_sleep_ms(1100);
	changes_are(q, place, "", false);
	changes_are(q, back, "ready", false);
	queue_close(&q);
}
END_TEST

#define CROWD 300 /* more than a page */

/* Each says again and again that it lives. */
static void crowd_lives(int port)
{
	for (int i = 0;; i = (i + 1) % CROWD)
		test_redis_ask(port, "ZADD {bq:q:0}:W %lld w%03d", (long long)clock_now_ms() + 60000, i);
}

/* They stand by when they were heard last, and are heard while they are listed, page after page. */
START_TEST(no_worker_of_a_crowd_is_left_out)
{
	struct queue *q = open_queue(NULL);
	int port = test_redis_own("no")->port;
	struct err e = {0};

	for (int i = 0; i < CROWD; i++)
		test_redis_tell(port, "ZADD {bq:q:0}:W %lld w%03d", (long long)clock_now_ms() + 50000 + i, i);
	test_redis_tell(port, "HSET {bq:q:0}:n c:w007 quiet");
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		crowd_lives(port);
	}
	for (int i = 0; i < 100; i++) {
		struct queue_workers w;
		char name[16];

		ck_ok(queue_workers(q, Q, &w, &e), &e);
		ck_assert_uint_eq(w.n, CROWD);
		for (int k = 0; k < CROWD; k++) {
			snprintf(name, sizeof(name), "w%03d", k);
			ck_assert_str_eq(w.at[k].name, name);
			ck_assert_int_eq(w.at[k].command, k == 7 ? WORKER_QUIET : WORKER_RESUME);
		}
		queue_workers_close(&w);
	}
	test_kill(pid, SIGKILL);
	for (int i = 0; i < CROWD; i++) /* all in the same moment */
		test_redis_tell(port, "ZADD {bq:q:0}:W 99999999999999 w%03d", i);
	struct queue_workers w;
	ck_ok(queue_workers(q, Q, &w, &e), &e);
	ck_assert_uint_eq(w.n, CROWD);
	queue_workers_close(&w);
	queue_close(&q);
}
END_TEST

static void shown_as(struct queue *q, const char *id, enum job_state state, const char *worker, int64_t began_at)
{
	struct job j = show(q, id);

	ck_assert_int_eq(j.state, state);
	ck_assert_str_eq(j.worker, worker);
	ck_assert_int_eq(j.started_at, began_at);
	ck_assert(state == JOB_SUCCEEDED ? j.finished_at >= began_at : !j.finished_at);
	job_close(&j);
}

static void renew_with_progress(struct queue_link *l, const struct queue_claim *c)
{
	struct queue_renewal item = {.fence = c->job.fence, .progress_json = "{\"done\":1,\"total\":2}"};
	struct queue_renew_reply r;
	struct err e = {0};
	int got;

	memcpy(item.id, c->job.id, JOB_ID);
	ck_ok(queue_link_renew_begin(l, &item, 1, LEASE, &e), &e);
	while (!(got = queue_link_renew_end(l, &r, &e)))
		wait_fd(queue_link_fd(l));
	ck_assert_msg(got == 1 && r.n_lost == 0, "%s", e.text);
	queue_renew_reply_close(&r);
}

/* Usual all along; said something in between; asked to stop, but done before it heard of that. Its end told twice in one step. */
static void run_as(struct queue *q, struct queue_link *l, const char *worker, int how)
{
	char id[JOB_ID];
	enum job_state state;
	struct err e = {0};

	submit_plain(q, id);
	struct queue_claim c = claim_one(l);
	ck_assert_str_eq(c.job.id, id);
	shown_as(q, id, JOB_RUNNING, worker, c.job.fence / 1000);
	if (how == 1)
		renew_with_progress(l, &c);
	if (how == 2)
		ck_assert_msg(queue_cancel(q, id, &state, &e) == 1, "%s", e.text);
	shown_as(q, id, JOB_RUNNING, worker, c.job.fence / 1000);
	struct queue_ack twice[2] = {{.fence = c.job.fence, .outcome = ACK_DONE}, {.fence = c.job.fence, .outcome = ACK_DONE}};
	memcpy(twice[0].id, id, JOB_ID);
	memcpy(twice[1].id, id, JOB_ID);
	struct queue_step_reply r = step_with(l, twice, 2, 0, LEASE);
	ck_assert_uint_eq(r.n_rejected, 1);
	queue_step_reply_close(&r);
	shown_as(q, id, JOB_SUCCEEDED, worker, c.job.fence / 1000);
	job_close(&c.job);
}

/* Names that look like parts of a state, and the longest. */
START_TEST(a_worker_may_have_any_name)
{
	char longest[JOB_WORKER];
	const char *const names[] = {"w:1", "1", "1234", "2.2.1", "4.1.", ".5", "-", "a@b.c-1_", longest};
	struct queue *q = open_queue(NULL);

	memset(longest, '7', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct queue_link *l = open_link(names[i]);

		for (int how = 0; how < 3; how++)
			run_as(q, l, names[i], how);
		check_sound(q);
		queue_link_close(&l);
	}
	queue_close(&q);
}
END_TEST

static const TTest *const tests[] = {QUEUE_SUITE, LIMITS_SUITE, ROUTES_SUITE, WORKERS_SUITE, SEEING_SUITE, SHARDS_SUITE, SPREAD_SUITE,
        DOCTOR_SUITE, HELD_SUITE, FLOW_TESTS, lost_answers_are_given_again, an_unanswered_step_is_not_changed, lost_submissions,
        killed_and_started_again, limits_survive_kill_9, a_server_without_the_library, another_text_under_our_version, no_memory_left,
        passwords, nobody_there, lies_are_refused, a_usual_job_costs_one_command, settled_jobs_are_swept, a_worker_may_have_any_name,
        what_ran_for_a_day_keeps_its_retention, what_is_old_when_it_ends_is_given_a_time, orphans_fail,
        a_flow_that_miscounts_is_seen_in_any_shard, many_queues_take_few_round_trips, many_queues_are_known,
        changes_live_while_somebody_listens, no_worker_of_a_crowd_is_left_out, more_word_than_was_asked_for};
TEST_MAIN("queue_redis", tests)

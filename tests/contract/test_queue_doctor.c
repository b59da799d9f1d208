/* test_queue_doctor.c -- the doctor finds everything that was broken by hand, mends it when told to, and sees no faults in what moves. */
#include <pthread.h>

#include "queue/schedule.h"
#include "tests/contract/doctor_hands.h"

#define NOBODY "001hf7yat00000000001" /* a job that never was */
#define LIVE_N 5000

const char *suite_url(void)
{
	return test_redis_own("no")->url;
}

/* ---- a queue with one of everything ------------------------------------------------------------------------------------- */

struct world {
	struct queue *q;
	struct queue_link *l;
	char ready[JOB_ID], next[JOB_ID], later[JOB_ID], held[JOB_ID], running[JOB_ID], done[JOB_ID], failed[JOB_ID], parked[JOB_ID];
};

static void put(struct queue *q, struct queue_submission *s, char id[JOB_ID])
{
	s->priority = 5;
	submit_new(q, s);
	memcpy(id, s->id, JOB_ID);
}

/* The oldest three are claimed; two of these end. */
static void run_some(struct world *w)
{
	struct queue_step_reply r = step(w->l, 3);
	struct queue_ack acks[2] = {{.outcome = ACK_DONE}, {.outcome = ACK_ERROR}};

	ck_assert_uint_eq(r.n_claims, 3);
	memcpy(w->running, r.claims[0].job.id, JOB_ID);
	memcpy(w->done, r.claims[1].job.id, JOB_ID);
	memcpy(w->failed, r.claims[2].job.id, JOB_ID);
	err_set(&acks[1].error, ERR_INVALID, "no");
	for (size_t i = 0; i < 2; i++) {
		memcpy(acks[i].id, r.claims[i + 1].job.id, JOB_ID);
		acks[i].fence = r.claims[i + 1].job.fence;
	}
	queue_step_reply_close(&r);
	r = step_with(w->l, acks, 2, 0, LEASE);
	ck_assert_uint_eq(r.n_rejected, 0);
	queue_step_reply_close(&r);
}

static void world_open(struct world *w)
{
	struct queue_schedule s = {.name = "s", .kind = KIND, .queue = Q, .every_ms = 3600000, .priority = 5, .params = mem_strdup("{}")};
	struct err e = {0};
	struct queue_submission limited[2] = {
	        {.concurrency_key = "two", .max_concurrent = 1}, {.concurrency_key = "two", .max_concurrent = 1}};
	struct queue_step_reply r;
	char id[JOB_ID];

	say("FLUSHALL");
	w->q = open_queue(NULL);
	w->l = open_link("w1");
	put(w->q, &limited[0], id);
	for (int i = 0; i < 2; i++)
		put(w->q, &(struct queue_submission){.idempotency_key = i ? "once" : NULL}, id);
	run_some(w);
	put(w->q, &limited[1], w->parked);
	r = step(w->l, 1);
	ck_assert_uint_eq(r.n_claims, 0); /* it is parked instead */
	queue_step_reply_close(&r);
	put(w->q, &(struct queue_submission){.unique_key = "mine"}, w->ready);
	put(w->q, &(struct queue_submission){0}, w->next);
	put(w->q, &(struct queue_submission){.delay_ms = 3600000}, w->later);
	put(w->q, &(struct queue_submission){.held = true}, w->held);
	ck_ok(queue_schedule_put(w->q, &s, -1, &e), &e);
	queue_schedule_close(&s);
}

static void world_close(struct world *w)
{
	queue_link_close(&w->l);
	queue_close(&w->q);
}

/* In a command, K: stands before a key's name, and $X for the digits of a job's id. */
static void harm(const struct world *w, const char *command)
{
	const struct {
		char letter;
		const char *id;
	} ids[] = {{'R', w->ready}, {'N', w->next}, {'L', w->later}, {'H', w->held}, {'C', w->running}, {'D', w->done}, {'F', w->failed},
	        {'P', w->parked}};
	struct buf b = {0};

	for (const char *at = command; *at; at++) {
		if (at[0] == 'K' && at[1] == ':') {
			buf_adds(&b, "{bq:q:0}");
			continue;
		}
		if (*at != '$') {
			buf_addc(&b, *at);
			continue;
		}
		at++;
		for (size_t i = 0; i < ARRAY_LEN(ids); i++)
			if (ids[i].letter == *at)
				buf_adds(&b, ids[i].id + 3);
	}
	say(buf_text(&b));
	buf_close(&b);
}

/* ---- harms -------------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *commands[4];
	enum queue_fault fault;
	const char *words; /* of what is said */
} harms[] = {
        {{"LREM K:r:a.kind:5 0 $R"}, FAULT_PLACE, "stands nowhere"},
        {{"RPUSH K:r:a.kind:5 $R"}, FAULT_PLACE, "several places"},
        {{"ZADD K:d 99999999999999 $R"}, FAULT_PLACE, "another place"},
        {{"LPUSH K:r:a.kind:7 $N"}, FAULT_PLACE, "another place"},
        {{"RPUSH K:r:b.kind:5 $N", "ZADD K:g:b.kind 1 5"}, FAULT_PLACE, "another place"},
        {{"RPUSH K:r:a.kind:5 $D"}, FAULT_PLACE, "has ended but stands somewhere"},
        {{"HSET K:j:$R o 3"}, FAULT_RECORD, "its field o do not agree"},
        {{"ZREM K:d $L"}, FAULT_PLACE, "stands nowhere"},
        {{"ZREM K:h $H"}, FAULT_PLACE, "stands nowhere"},
        {{"ZREM K:l:w1 $C"}, FAULT_PLACE, "stands nowhere"},
        {{"ZADD K:l:w2 99999999999999 $C"}, FAULT_PLACE, "several places"},
        {{"ZADD K:d 99999999999999 " NOBODY}, FAULT_ORPHAN, "no record"},
        {{"ZADD K:h 5 " NOBODY}, FAULT_ORPHAN, "no record"},
        {{"ZADD K:l:w1 99999999999999 " NOBODY}, FAULT_ORPHAN, "no record"},
        {{"HSET K:D:" NOBODY " # 1 ?q-0" NOBODY " 1"}, FAULT_ORPHAN, "no record"},
        {{"DEL K:j:$L"}, FAULT_ORPHAN, "no record"},
        {{"PERSIST K:j:$F"}, FAULT_LIFETIME, "never vanish"},
        {{"PEXPIRE K:j:$R 1000000"}, FAULT_LIFETIME, "will vanish"},
        {{"ZREM K:f $F"}, FAULT_LISTING, "is not listed"},
        {{"ZADD K:x 5 $F"}, FAULT_LISTING, "otherwise"},
        {{"ZADD K:k 5 $R"}, FAULT_LISTING, "otherwise"},
        {{"ZREM K:g:a.kind 5"}, FAULT_LANE, "turn never comes"},
        {{"SET K:u:gone " NOBODY}, FAULT_KEY, "which is no more"},
        {{"SET K:u:over $D"}, FAULT_KEY, "which has ended"},
        {{"SET K:i:gone \"" NOBODY " print\""}, FAULT_KEY, "idempotency key gone"},
        {{"ZREM K:l:w1 $C", "ZADD K:l:w9 5 $C", "HSET K:j:$C w w9"}, FAULT_LEASE, "worker w9"},
        {{"HSET K:n r 7"}, FAULT_COUNTER, "counter r says 7"},
        {{"HSET K:n run 0"}, FAULT_COUNTER, "counter run says 0"},
        {{"HSET K:n r:a.kind -1"}, FAULT_COUNTER, "counter r:a.kind says -1 ready jobs, 2 were counted"},
        {{"ZREM K:q:ctwo $P"}, FAULT_PLACE, "stands nowhere"},
        {{"ZADD K:q:ctwo 1 $R"}, FAULT_PLACE, "another place"},
        {{"ZADD K:q:cnew 1 " NOBODY}, FAULT_ORPHAN, "no record"},
        {{"RPUSH K:r:a.kind:5 $P"}, FAULT_PLACE, "another place"},
        {{"HSET K:n q 9"}, FAULT_COUNTER, "counter q says 9"},
        {{"HSET K:n by 999"}, FAULT_COUNTER, "counter by says 999"},
        {{"HSET K:cc two 5"}, FAULT_LIMIT, "concurrency key"},
        {{"HSET K:cc gone 1"}, FAULT_LIMIT, "concurrency key"},
        {{"ZADD K:qd 5 cnone"}, FAULT_LIMIT, "nothing is parked"},
        {{"ZREM K:qd ctwo"}, FAULT_LIMIT, "not listed"},
        {{"SET K:load 9"}, FAULT_COUNTER, "counter load says 9"},
        {{"RPUSH K:L:$R x"}, FAULT_ORPHAN, "knows nothing of its log"},
        {{"RPUSH K:L:" NOBODY " x"}, FAULT_ORPHAN, "a log that will stay"},
        {{"HSET K:s " NOBODY " 1.1"}, FAULT_ORPHAN, "a state that will stay"},
        {{"DEL K:j:$R"}, FAULT_COUNTER, "counter r says 2 ready jobs, 1 were counted"},
        {{"ZADD K:cr 5 s"}, FAULT_SCHEDULE, "another tick"},
        {{"ZREM K:cr s"}, FAULT_SCHEDULE, "never ticks"},
        {{"DEL K:cj:s"}, FAULT_SCHEDULE, "another tick"},
        {{"HDEL K:n ct"}, FAULT_SCHEDULE, "ticks next"},
        {{"HSET K:n hq 77"}, FAULT_HISTORY, "wait for the history"},
        {{"SET K:u:mine $N"}, FAULT_KEY, "which knows nothing of it"},
        {{"SET K:i:gone \"$N print\""}, FAULT_KEY, "which knows nothing of it"},
        /* keys of other types than they must be */
        {{"DEL K:j:$R", "SET K:j:$R x"}, FAULT_STRAY, " is no hash"},
        {{"DEL K:j:$P", "SET K:j:$P x"}, FAULT_STRAY, " is no hash"},
        {{"DEL K:r:a.kind:5", "SET K:r:a.kind:5 x"}, FAULT_STRAY, "the key r:a.kind:5 is no list"},
        {{"DEL K:g:a.kind", "SET K:g:a.kind x"}, FAULT_STRAY, "the key g:a.kind is no zset"},
        {{"DEL K:m:a.kind", "SET K:m:a.kind x"}, FAULT_STRAY, "the key m:a.kind is no zset"},
        {{"DEL K:d", "SET K:d x"}, FAULT_STRAY, "the key d is no zset"},
        {{"DEL K:h", "SET K:h x"}, FAULT_STRAY, "the key h is no zset"},
        {{"DEL K:l:w1", "SET K:l:w1 x"}, FAULT_STRAY, "the key l:w1 is no zset"},
        {{"DEL K:W", "SET K:W x"}, FAULT_STRAY, "the key W is no zset"},
        {{"DEL K:ws", "SET K:ws x"}, FAULT_STRAY, "the key ws is no hash"},
        {{"DEL K:rs", "SET K:rs x"}, FAULT_STRAY, "the key rs is no hash"},
        {{"DEL K:e", "SET K:e x"}, FAULT_STRAY, "the key e is no list"},
        {{"DEL K:hw", "RPUSH K:hw x"}, FAULT_STRAY, "the key hw is no string"},
        {{"DEL K:w:w1", "RPUSH K:w:w1 x"}, FAULT_STRAY, "the key w:w1 is no string"},
        {{"DEL K:s", "SET K:s x"}, FAULT_STRAY, "the key s is no hash"},
        {{"DEL K:f", "SET K:f x"}, FAULT_STRAY, "the key f is no zset"},
        {{"DEL K:x", "SET K:x x"}, FAULT_STRAY, "the key x is no zset"},
        {{"DEL K:a", "SET K:a x"}, FAULT_STRAY, "the key a is no list"},
        {{"DEL K:o", "SET K:o x"}, FAULT_STRAY, "the key o is no zset"},
        {{"DEL K:i:once", "RPUSH K:i:once x"}, FAULT_STRAY, "the key i:once is no string"},
        {{"DEL K:u:mine", "RPUSH K:u:mine x"}, FAULT_STRAY, "the key u:mine is no string"},
        {{"DEL K:cc", "SET K:cc x"}, FAULT_STRAY, "the key cc is no hash"},
        {{"DEL K:q:ctwo", "SET K:q:ctwo x"}, FAULT_STRAY, "the key q:ctwo is no zset"},
        {{"DEL K:qd", "SET K:qd x"}, FAULT_STRAY, "the key qd is no zset"},
        {{"DEL K:b:60000:k", "RPUSH K:b:60000:k x"}, FAULT_STRAY, "the key b:60000:k is no string"},
        {{"DEL K:wt", "SET K:wt x"}, FAULT_STRAY, "the key wt is no hash"},
        {{"DEL K:load", "RPUSH K:load x"}, FAULT_STRAY, "the key load is no string"},
        {{"DEL K:ev", "SET K:ev x"}, FAULT_STRAY, "the key ev is no stream"},
        {{"DEL K:D:$H", "SET K:D:$H x"}, FAULT_STRAY, " is no hash"},
        {{"DEL K:ob", "SET K:ob x"}, FAULT_STRAY, "the key ob is no zset"},
        {{"DEL K:om", "SET K:om x"}, FAULT_STRAY, "the key om is no zset"},
        {{"DEL K:cr", "SET K:cr x"}, FAULT_STRAY, "the key cr is no zset"},
        {{"DEL K:cj:s", "SET K:cj:s x"}, FAULT_STRAY, "the key cj:s is no hash"},
        {{"DEL K:cl:s", "RPUSH K:cl:s x"}, FAULT_STRAY, "the key cl:s is no string"},
        {{"DEL K:n", "SET K:n x"}, FAULT_STRAY, "the key n is no hash"},
        {{"DEL K:L:$R", "SET K:L:$R x"}, FAULT_STRAY, " is no list"},
        {{"SET K:cl:s x"}, FAULT_STRAY, "is no string that ends by itself"},
        {{"HSET K:j:garbage s 1.1"}, FAULT_STRAY, "none can have this name"},
        {{"RPUSH K:r:a.kind:x $R"}, FAULT_STRAY, "none can have this name"},
        {{"RPUSH K:r:a.kind garbage"}, FAULT_STRAY, "none can have this name"},
        /* what cannot stand where it does */
        {{"RPUSH K:r:a.kind:5 garbage"}, FAULT_ORPHAN, "cannot stand there"},
        {{"ZADD K:d 5 garbage"}, FAULT_ORPHAN, "cannot stand there"},
        {{"ZADD K:l:w1 5 garbage"}, FAULT_ORPHAN, "cannot stand there"},
        {{"ZADD K:f 5 garbage"}, FAULT_ORPHAN, "cannot stand there"},
        {{"ZADD K:q:ctwo 5 garbage"}, FAULT_ORPHAN, "cannot stand there"},
        {{"ZADD K:ob 5 garbage"}, FAULT_ORPHAN, "cannot stand there"},
        {{"HSET K:s garbage 1.1"}, FAULT_ORPHAN, "cannot stand there"},
        {{"LREM K:a 0 $R"}, FAULT_LISTING, "among all jobs"},
        {{"DEL K:a"}, FAULT_LISTING, "among all jobs"},
        /* records that make no sense */
        {{"HDEL K:s $R"}, FAULT_RECORD, "has no state"},
        {{"HSET K:s $R x"}, FAULT_RECORD, "has no state"},
        {{"HSET K:s $R 1"}, FAULT_RECORD, "has no state"},
        {{"HSET K:s $R 1u.x"}, FAULT_RECORD, "has no state"},
        {{"HSET K:s $R 9u.1"}, FAULT_RECORD, "has no state"},
        {{"HDEL K:s $R", "HDEL K:j:$R k"}, FAULT_RECORD, "has no state"},
        {{"HSET K:j:" NOBODY " a b"}, FAULT_RECORD, "has no state"},
        {{"HSET K:s $R 1uzz.1"}, FAULT_RECORD, "flag that nobody knows"},
        {{"HSET K:s $R 1.1"}, FAULT_RECORD, "field u do not agree"},
        {{"HSET K:s $R 1uq.1"}, FAULT_RECORD, "no field z"},
        {{"HSET K:s $R 2u.1"}, FAULT_RECORD, "no field b"},
        {{"HSET K:s $R 5u.3.1"}, FAULT_RECORD, "no field e"},
        {{"HSET K:s $R 0u.1"}, FAULT_RECORD, "no field d"},
        {{"HSET K:j:$R o 55", "HSET K:s $R 1ug.1"}, FAULT_RECORD, "field o that makes no sense"},
        {{"HDEL K:j:$R k"}, FAULT_RECORD, "has no kind"},
        {{"HSET K:j:$C k A-B"}, FAULT_RECORD, "has no kind"},
        {{"HSET K:j:$R k kind.of.more.than.23.letters"}, FAULT_RECORD, "has no kind"},
        {{"HSET K:j:$R y x"}, FAULT_RECORD, "field y"},
        {{"HSET K:j:$R m x"}, FAULT_RECORD, "field m"},
        {{"HDEL K:j:$D c"}, FAULT_RECORD, "no field c"},
        {{"HSET K:j:$L d x"}, FAULT_RECORD, "field d"},
        {{"HDEL K:j:$C b"}, FAULT_RECORD, "no field b"},
        {{"HSET K:j:$C l x"}, FAULT_RECORD, "field l"},
        {{"HDEL K:j:$P l"}, FAULT_RECORD, "field l do not agree"},
        {{"HDEL K:j:$P z"}, FAULT_RECORD, "no field z"},
        {{"HSET K:j:$F e x"}, FAULT_RECORD, "field e"},
        {{"HSET K:j:$F E x"}, FAULT_RECORD, "field E"},
        {{"HDEL K:j:$R u"}, FAULT_RECORD, "field u do not agree"},
        {{"HSET K:j:$R S \"f root>root\""}, FAULT_RECORD, "field S do not agree"},
        {{"HSET K:j:$R S garbage", "HSET K:s $R 1uS.1"}, FAULT_RECORD, "field S that makes no sense"},
        /* counters that are none */
        {{"HSET K:n r x"}, FAULT_COUNTER, "counter r says 'x', which is no number"},
        {{"HSET K:n run x"}, FAULT_COUNTER, "counter run says 'x', which is no number"},
        {{"HSET K:n r:a.kind x"}, FAULT_COUNTER, "counter r:a.kind says 'x', which is no number"},
        {{"HSET K:n q x"}, FAULT_COUNTER, "counter q says 'x', which is no number"},
        {{"HSET K:n by x"}, FAULT_COUNTER, "counter by says 'x', which is no number"},
        {{"HSET K:n f x"}, FAULT_COUNTER, "counter f says 'x', which is no number"},
        {{"HSET K:n t x"}, FAULT_COUNTER, "counter t says 'x', which is no number"},
        {{"HSET K:n mt x"}, FAULT_COUNTER, "counter mt says 'x', which is no number"},
        {{"HSET K:n p x"}, FAULT_COUNTER, "counter p says 'x', which is no number"},
        {{"HSET K:n ev x"}, FAULT_COUNTER, "counter ev says 'x', which is no number"},
        {{"HSET K:n hm x"}, FAULT_COUNTER, "counter hm says 'x', which is no number"},
        {{"HSET K:n v5 x"}, FAULT_COUNTER, "counter v5 says 'x', which is no number"},
        {{"SET K:load x"}, FAULT_COUNTER, "counter load says 'x', which is no number"},
        {{"DEL K:load"}, FAULT_COUNTER, "counter load says 0"},
        {{"DEL K:n"}, FAULT_COUNTER, "counter r says 0"},
        {{"HSET K:n hp x"}, FAULT_HISTORY, "wait for the history"},
        {{"RPUSH K:e x"}, FAULT_HISTORY, "wait for the history"},
        {{"HSET K:wt a x", "HSET K:n nw 1"}, FAULT_LIMIT, "a weight that is none"},
        {{"HSET K:cj:s d x"}, FAULT_SCHEDULE, "another tick"},
        {{"HDEL K:cj:s d"}, FAULT_SCHEDULE, "another tick"},
        {{"HSET K:n sh x"}, FAULT_SHARDS, "how many shards"},
        {{"HSET K:D:$H # 1"}, FAULT_FLOW, "as many jobs as it counts"},
};

START_TEST(every_harm_is_found_and_mended)
{
	for (size_t i = 0; i < ARRAY_LEN(harms); i++) {
		const char *what = harms[i].commands[0];
		struct world w;

		world_open(&w);
		check_clean(w.q, "nothing");
		for (size_t k = 0; k < 4 && harms[i].commands[k]; k++)
			harm(&w, harms[i].commands[k]);
		check_found(w.q, harms[i].fault, harms[i].words, what);
		ck_assert_msg(mend_all(w.q) > 0, "%s was not mended", what);
		check_clean(w.q, what);
		world_close(&w);
	}
}
END_TEST

/* What stood nowhere runs again after it was mended. */
START_TEST(what_was_mended_runs)
{
	static const char *const commands[] = {"LREM K:r:a.kind:5 0 $R", "ZREM K:l:w1 $C", "ZREM K:g:a.kind 5"};
	struct queue_step_reply r;
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		harm(&w, commands[i]);
	ck_assert_int_ge(mend_all(w.q), 2);
	ck_assert_int_eq(state_of(w.q, w.running), JOB_READY);
	r = step(w.l, 10);
	ck_assert_uint_eq(r.n_claims, 3);
	queue_step_reply_close(&r);
	check_clean(w.q, "claims");
	world_close(&w);
}
END_TEST

/* The leases of a worker that is gone: what is known to have started has crashed, what was only held is suspect, and nothing is wrong with that. */
START_TEST(what_was_only_held_is_mended_without_a_crash)
{
	for (int held = 0; held < 2; held++) {
		struct world w;
		struct job j;

		world_open(&w);
		harm(&w, "ZREM K:l:w1 $C");
		harm(&w, held ? "ZADD K:l:w9 5 $C" : "ZADD K:l:w9 6 $C");
		harm(&w, "HSET K:j:$C w w9");
		check_found(w.q, FAULT_LEASE, "worker w9", "a lease");
		ck_assert_int_gt(mend_all(w.q), 0);
		check_clean(w.q, "a lease");
		j = show(w.q, w.running);
		ck_assert_int_eq(j.state, JOB_READY);
		ck_assert(j.suspect == held && j.quarantined == !held && j.crashes == !held);
		job_close(&j);
		world_close(&w);
	}
}
END_TEST

START_TEST(counters_are_set_in_a_paused_queue_only)
{
	struct world w;
	struct queue_look l;
	struct err e = {0};
	char why[200];

	world_open(&w);
	harm(&w, "HSET K:n run 9");
	l = examine(w.q);
	ck_assert_int_eq(l.total, 1);
	ck_assert_int_eq(queue_mend(w.q, Q, &l.findings[0], false, why, &e), 0);
	ck_assert_msg(strstr(why, "--force") != NULL, "%s", why);
	ck_ok(queue_pause(w.q, Q, &e), &e);
	harm(&w, "HSET K:n run 8"); /* it moved since it was seen */
	ck_assert_int_eq(queue_mend(w.q, Q, &l.findings[0], false, why, &e), 0);
	ck_assert_str_eq(why, "");
	queue_look_close(&l);
	l = examine(w.q);
	ck_assert_int_eq(l.total, 1);
	ck_assert_int_eq(queue_mend(w.q, Q, &l.findings[0], false, why, &e), 1);
	ck_assert_int_eq(queue_mend(w.q, Q, &l.findings[0], false, why, &e), 0);
	queue_look_close(&l);
	check_clean(w.q, "setting run");
	world_close(&w);
}
END_TEST

/* What is no fault any more when the mend comes is left alone. */
START_TEST(a_mend_looks_again)
{
	for (size_t i = 0; i < ARRAY_LEN(harms); i++) {
		struct queue_finding f;
		struct err e = {0};
		struct world w;
		char why[200];

		if (harms[i].fault == FAULT_COUNTER || i % 3)
			continue;
		world_open(&w);
		for (size_t k = 0; k < 4 && harms[i].commands[k]; k++)
			harm(&w, harms[i].commands[k]);
		struct queue_look l = examine(w.q);
		ck_assert_int_ge(l.n, 1);
		f = l.findings[0];
		queue_look_close(&l);
		world_close(&w);
		world_open(&w); /* the same names, all of it sound */
		ck_assert_int_eq(queue_mend(w.q, Q, &f, false, why, &e), 0);
		check_clean(w.q, "a mend of nothing");
		world_close(&w);
	}
}
END_TEST

START_TEST(more_than_can_be_kept_is_counted)
{
	struct world w;
	struct queue_look l;
	char command[100];

	world_open(&w);
	for (int i = 0; i < QUEUE_FINDINGS + 50; i++) {
		snprintf(command, sizeof(command), "ZADD K:h 5 001hf7yat00000000%03d", i);
		harm(&w, command);
	}
	l = examine(w.q);
	ck_assert_int_eq(l.total, QUEUE_FINDINGS + 50);
	ck_assert_uint_eq(l.n, QUEUE_FINDINGS);
	ck_assert_int_eq(l.by_state[JOB_READY], 3);
	ck_assert_int_eq(l.jobs, 8);
	queue_look_close(&l);
	mend_all(w.q);
	mend_all(w.q);
	check_clean(w.q, "many orphans");
	world_close(&w);
}
END_TEST

static enum err_code look_fails(struct world *w, const char *queue, const struct queue_look_bounds *bounds)
{
	struct queue_look l = {0};
	struct err e = {0};

	ck_assert(str_copy(l.queue, sizeof(l.queue), queue));
	ck_assert(!queue_examine(w->q, (struct queue_look *[]){&l}, 1, bounds, &e));
	queue_look_close(&l);
	return e.code;
}

START_TEST(a_look_ends_in_time)
{
	struct world w;

	world_open(&w);
	ck_assert_int_eq(look_fails(&w, Q, &(struct queue_look_bounds){.deadline = clock_mono_ms() - 1}), ERR_TIMEOUT);
	ck_assert_int_eq(look_fails(&w, Q, &(struct queue_look_bounds){.stop = &(bool){true}}), ERR_CANCELLED);
	ck_assert_int_eq(look_fails(&w, "Q Q", &(struct queue_look_bounds){0}), ERR_INVALID);
	world_close(&w);
}
END_TEST

START_TEST(every_shard_is_looked_at)
{
	struct world w;
	struct queue_shards shards;
	struct queue_look l;
	struct err e = {0};
	char id[JOB_ID] = "", command[200];

	world_open(&w);
	ck_ok(queue_set_shards(w.q, Q, 2, &shards, &e), &e);
	for (int i = 0; i < 20 && id[2] != '1'; i++)
		put(w.q, &(struct queue_submission){0}, id);
	ck_assert_msg(id[2] == '1', "no job went to shard 1");
	check_clean(w.q, "making a second shard");
	snprintf(command, sizeof(command), "LREM {bq:q:1}:r:a.kind:5 0 %s", id + 3);
	say(command);
	say("HSET {bq:q:1}:n run 5");
	l = examine(w.q);
	ck_assert_int_eq(l.total, 2);
	ck_assert_str_eq(l.findings[0].key, id);
	ck_assert(has_finding(&l, FAULT_COUNTER, "q-1: counter run says 5"));
	queue_look_close(&l);
	ck_assert_int_eq(mend_all(w.q), 2);
	check_clean(w.q, "mending shard 1");
	world_close(&w);
}
END_TEST

/* A queue that does not even say how many shards it has hides no other. */
START_TEST(a_damaged_queue_hides_no_other)
{
	struct world w;
	struct queue_look l[2] = {{.queue = Q}, {.queue = "q2"}};
	struct queue_submission s = {.kind = KIND, .queue = "q2", .priority = 5};
	struct queue_submitted out;
	struct err e = {0};

	world_open(&w);
	ck_ok(queue_submit(w.q, &s, 1, &out, &e), &e);
	harm(&w, "HSET K:n sh x");
	harm(&w, "ZREM K:d $L");
	say("HSET {bq:q2:0}:n run 5");
	ck_ok(queue_examine(w.q, (struct queue_look *[]){&l[0], &l[1]}, 2, &(struct queue_look_bounds){.pause_ms = LOOK_MS}, &e), &e);
	ck_assert_int_eq(l[0].total, 2);
	ck_assert(has_finding(&l[0], FAULT_SHARDS, "q: ") && has_finding(&l[0], FAULT_PLACE, "stands nowhere"));
	ck_assert_int_eq(l[1].total, 1);
	ck_assert(has_finding(&l[1], FAULT_COUNTER, "q2-0: counter run says 5"));
	queue_look_close(&l[0]);
	queue_look_close(&l[1]);
	world_close(&w);
}
END_TEST

/* ---- a queue that moves --------------------------------------------------------------------------------------------------- */

static volatile bool drained;

struct drain {
	const char *name;
	int64_t done;
	pthread_t thread;
};

/* Ends of every kind: most well, some tried again, some given back. */
static size_t end_claims(const struct queue_step_reply *r, struct queue_ack *acks, int64_t *done)
{
	for (size_t i = 0; i < r->n_claims; i++) {
		const struct job *j = &r->claims[i].job;
		int turn = (int)((*done + (int64_t)i) % 10);

		acks[i] = (struct queue_ack){.fence = j->fence, .outcome = turn == 3 ? ACK_GIVE_BACK : turn == 5 ? ACK_ERROR : ACK_DONE};
		if (turn == 5) {
			err_set(&acks[i].error, ERR_TIMEOUT, "later");
			acks[i].error.retry_after_ms = 5;
		}
		memcpy(acks[i].id, j->id, JOB_ID);
	}
	*done += (int64_t)r->n_claims;
	return r->n_claims;
}

static void *drain_run(void *user)
{
	struct drain *d = user;
	struct queue_ack acks[8];
	const char *kinds[] = {KIND, KIND "!"}; /* on a slow machine the worker of world_open is taken for dead, and its job for crashed */
	struct err e = {0};
	struct queue_link *l = queue_link_open(suite_url(), NULL, Q, d->name, kinds, 2, &e);
	size_t n = 0;
	int idle = 0;

	while (idle < 20) {
		struct queue_step_reply r = step_with(l, acks, n, 8, LEASE);

		n = end_claims(&r, acks, &d->done);
		idle = n ? 0 : idle + 1;
		queue_step_reply_close(&r);
		clock_sleep_ms(n ? 1 : 5);
	}
	queue_link_close(&l);
	return NULL;
}

START_TEST(what_moves_is_no_fault)
{
	struct drain drains[2] = {{.name = "d1"}, {.name = "d2"}};
	struct queue_submission *items = mem_array(100, sizeof(*items));
	struct queue_submitted out[100];
	struct err e = {0};
	struct world w;
	int looks = 0;

	world_open(&w);
	for (int i = 0; i < LIVE_N / 100; i++) {
		for (int k = 0; k < 100; k++)
			items[k] = (struct queue_submission){.kind = KIND,
			        .queue = Q,
			        .priority = k % 10,
			        .max_attempts = 5,
			        .lane = k % 2 ? "a" : NULL,
			        .delay_ms = k % 7 ? 0 : i * 10};
		ck_ok(queue_submit(w.q, items, 100, out, &e), &e);
	}
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&drains[i].thread, NULL, drain_run, &drains[i]), 0);
	do {
		struct queue_look l = examine(w.q);

		ck_assert_msg(l.total == 0, "look %d: %s", looks, l.findings[0].text);
		ck_assert_int_gt(l.jobs, LIVE_N / 2);
		queue_look_close(&l);
		struct queue_counts c = counts(w.q);
		drained = c.ready + c.scheduled == 1;
		looks++;
	} while (!drained || looks < 3);
	for (int i = 0; i < 2; i++)
		pthread_join(drains[i].thread, NULL);
	ck_assert_int_gt(drains[0].done + drains[1].done, LIVE_N);
	mem_free(&items);
	world_close(&w);
}
END_TEST

/* One cut at some moment of a look; two within one question may end it. */
static void *cut_once(void *user)
{
	char answer[64];

	clock_sleep_ms(*(int *)user);
	return test_redis_say(test_redis_own("no")->port, "CLIENT KILL TYPE normal", answer, sizeof(answer)) && answer[0] == ':' ? user
	                                                                                                                         : NULL;
}

START_TEST(a_cut_connection_does_not_end_a_look)
{
	enum { JOBS = 3000, LOOKS = 12 };
	struct queue_submission *items = mem_array(100, sizeof(*items));
	struct queue_submitted out[100];
	struct err e = {0};
	struct world w;
	int64_t before;
	pthread_t thread;
	void *cut;

	world_open(&w);
	for (int i = 0; i < JOBS; i += 100) {
		for (int k = 0; k < 100; k++)
			items[k] = (struct queue_submission){.kind = KIND, .queue = Q, .priority = k % 10, .max_attempts = 5};
		ck_ok(queue_submit(w.q, items, 100, out, &e), &e);
	}
	struct queue_look l = examine(w.q);
	before = l.jobs;
	ck_assert_int_gt(before, JOBS);
	queue_look_close(&l);
	for (int i = 0; i < LOOKS; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, cut_once, &i), 0);
		l = examine(w.q);
		pthread_join(thread, &cut);
		ck_assert_ptr_nonnull(cut);
		ck_assert_int_eq(l.jobs, before);
		ck_assert_msg(l.total == 0, "look %d: %s", i, l.total ? l.findings[0].text : "");
		queue_look_close(&l);
	}
	mem_free(&items);
	world_close(&w);
}
END_TEST

/* Its record's time is over; its state is dropped when its turn in the list of all jobs comes. */
START_TEST(a_state_that_will_be_swept_is_no_fault)
{
	struct world w;

	world_open(&w);
	harm(&w, "DEL K:j:$F");
	harm(&w, "DEL K:j:$D");
	harm(&w, "DEL K:i:once"); /* which goes with it */
	check_clean(w.q, "two records vanished");
	world_close(&w);
}
END_TEST

/* What stands in an index where it does not belong must not stop all that steps, until somebody calls the doctor. */
START_TEST(steps_pass_over_what_is_out_of_place)
{
	struct queue_submission s[2] = {{.rate = {.limit = 1, .window_ms = 1000, .cost = 1, .key = "k"}},
	        {.rate = {.limit = 1, .window_ms = 1000, .cost = 1, .key = "k"}}};
	char ids[2][JOB_ID], command[100];
	struct queue_step_reply r;
	struct world w;
	int64_t until;
	size_t n = 0;

	world_open(&w);
	harm(&w, "ZADD K:d 5 $R"); /* ready, not scheduled */
	harm(&w, "ZADD K:d 5 $D");
	r = step(w.l, 2);
	ck_assert_uint_eq(r.n_claims, 2);
	queue_step_reply_close(&r);
	for (int i = 0; i < 2; i++)
		put(w.q, &s[i], ids[i]);
	for (int i = 0; i < 20; i++) { /* listed, but nobody is parked there */
		snprintf(command, sizeof(command), "ZADD K:qd 5 r60000:none%d", i);
		harm(&w, command);
	}
	until = clock_mono_ms() + 5000;
	while (n < 2 && clock_mono_ms() < until) {
		n += claim_count(w.l, 2);
		clock_sleep_ms(50);
	}
	ck_assert_uint_eq(n, 2);
	world_close(&w);
}
END_TEST

/* As soon as there are more leases than one call may count, it counts no further: the next worker's are not looked at. */
START_TEST(leases_are_counted_up_to_a_limit)
{
	int port = test_redis_own("no")->port;
	struct world w;

	world_open(&w);
	for (int i = 0; i < 1010; i++)
		test_redis_tell(port, "ZADD {bq:q:0}:l:w1 99999999999999 001hf7yat0000000%04d", i);
	test_redis_tell(port, "ZADD {bq:q:0}:W 99999999999999 w2");
	test_redis_tell(port, "SET {bq:q:0}:l:w2 x");
	const char *said = test_redis_tell(port, "FCALL %s_mend 1 {bq:q:0}:n bq q-0 1000 1000 limit cc", QUEUE_LIBRARY);
	ck_assert_msg(strstr(said, "more jobs run than one call may count") != NULL, "%s", said);
	world_close(&w);
}
END_TEST

/* A key whose request was answered with the job that held its unique key: that job's record says nothing of it, and need not. */
START_TEST(a_key_answered_with_another_job_is_kept)
{
	struct queue_submission again = {.priority = 5, .unique_key = "mine", .idempotency_key = "second", .fingerprint = "p"}, late;
	struct queue_finding f = {.fault = FAULT_KEY, .key = "i:second"};
	struct err e = {0};
	struct world w;
	char why[200];

	world_open(&w);
	late = again;
	ck_assert_str_eq(submit(w.q, &again).existing_id, w.ready);
	check_clean(w.q, "a second request for a unique job");
	ck_assert_int_eq(queue_mend(w.q, Q, &f, false, why, &e), 0);
	ck_assert_int_eq(cancel(w.q, w.ready), JOB_CANCELLED);
	check_clean(w.q, "the end of that job");
	ck_assert_int_eq(submit(w.q, &late).outcome, SUBMIT_EXISTING); /* not a second job for one request */
	world_close(&w);
}
END_TEST

static const TTest *const tests[] = {every_harm_is_found_and_mended, a_key_answered_with_another_job_is_kept,
        leases_are_counted_up_to_a_limit, steps_pass_over_what_is_out_of_place, a_state_that_will_be_swept_is_no_fault,
        what_was_mended_runs, what_was_only_held_is_mended_without_a_crash, counters_are_set_in_a_paused_queue_only, a_mend_looks_again,
        more_than_can_be_kept_is_counted, a_look_ends_in_time, every_shard_is_looked_at, a_damaged_queue_hides_no_other,
        what_moves_is_no_fault, a_cut_connection_does_not_end_a_look};
TEST_MAIN("queue_doctor", tests)

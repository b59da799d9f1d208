/* test_queue_doctor_flow.c -- what a job waits for was broken by hand: the doctor finds it, mends it, and the flow goes on to its end. */
#include "queue/flow.h"
#include "tests/contract/doctor_hands.h"

#define ROOT "root.kind"

const char *suite_url(void)
{
	return test_redis_own("no")->url;
}

/* "last" waits for "good" and "other", the root for all three. */
struct rig {
	struct queue *q;
	struct queue_link *l;
	char root[JOB_ID], good[JOB_ID], other[JOB_ID], last[JOB_ID];
};

static void rig_open(struct rig *r)
{
	static const char *const after[] = {"good", "other"};
	struct queue_flow_job jobs[] = {{.name = "good"}, {.name = "other"}, {.name = "last", .after = after, .n_after = 2}};
	struct queue_flow f = {.jobs = jobs, .n_jobs = 3, .root = {.kind = ROOT, .queue = Q, .priority = 5}};
	const char *kinds[] = {KIND, ROOT};
	struct queue_submitted out;
	struct err e = {0};

	say("FLUSHALL");
	r->q = open_queue(NULL);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		jobs[i].job = (struct queue_submission){.kind = KIND, .queue = Q, .priority = 5};
	ck_ok(queue_flow_submit(r->q, &f, &out, &e), &e);
	r->l = queue_link_open(suite_url(), NULL, Q, "w1", kinds, 2, &e);
	ck_assert_msg(r->l != NULL, "%s", e.text);
	memcpy(r->root, f.root.id, JOB_ID);
	memcpy(r->good, jobs[0].job.id, JOB_ID);
	memcpy(r->other, jobs[1].job.id, JOB_ID);
	memcpy(r->last, jobs[2].job.id, JOB_ID);
}

static void rig_close(struct rig *r)
{
	queue_link_close(&r->l);
	queue_close(&r->q);
}

/* In a command: K: before a key's name, $G for the digits of a job, %G for its whole id. */
static void harm(const struct rig *r, const char *command)
{
	const struct {
		char letter;
		const char *id;
	} ids[] = {{'R', r->root}, {'G', r->good}, {'O', r->other}, {'L', r->last}};
	struct buf b = {0};

	for (const char *at = command; *at; at++) {
		bool whole = *at == '%';

		if (at[0] == 'K' && at[1] == ':') {
			buf_adds(&b, "{bq:q:0}");
			continue;
		}
		if (*at != '$' && !whole) {
			buf_addc(&b, *at);
			continue;
		}
		at++;
		for (size_t i = 0; i < ARRAY_LEN(ids); i++)
			if (ids[i].letter == *at)
				buf_adds(&b, ids[i].id + (whole ? 0 : 3));
	}
	say(buf_text(&b));
	buf_close(&b);
}

/* Claim one, which must be this job, with these inputs; end it, badly without a result. */
static void run(struct rig *r, const char *id, const char *result, const char *const *inputs)
{
	struct queue_claim c = claim_one(r->l);
	struct queue_ack a = {.fence = c.job.fence, .outcome = result ? ACK_DONE : ACK_ERROR, .result = result ? mem_strdup(result) : NULL};
	struct queue_step_reply reply;

	ck_assert_str_eq(c.job.id, id);
	for (size_t i = 0; inputs && inputs[i]; i++)
		ck_assert_msg(c.job.inputs && strstr(c.job.inputs, inputs[i]), "%s is not in %s", inputs[i], c.job.inputs);
	memcpy(a.id, id, JOB_ID);
	if (!result)
		err_set(&a.error, ERR_INVALID, "no");
	reply = step_with(r->l, &a, 1, 0, LEASE);
	ck_assert_uint_eq(reply.n_rejected, 0);
	queue_step_reply_close(&reply);
	mem_free(&a.result);
	job_close(&c.job);
}

/* From where "good" has ended on. */
static void run_to_the_end(struct rig *r)
{
	run(r, r->other, "2", NULL);
	run(r, r->last, "3", (const char *const[]){"\"good\":1", "\"other\":2", NULL});
	run(r, r->root, "4", (const char *const[]){"\"last\":3", NULL});
	ck_assert_int_eq(state_of(r->q, r->root), JOB_SUCCEEDED);
	check_clean(r->q, "the end of the flow");
}

static const struct {
	const char *commands[3];
	const char *words;
} harms[] = {
        {{"HSET K:D:$L # 2"}, "as many jobs as it counts"},
        {{"HSET K:D:$L # 7"}, "as many jobs as it counts"},
        {{"HSET K:D:$L # 0"}, "as many jobs as it counts"},
        {{"HSET K:D:$L # x"}, "as many jobs as it counts"},
        {{"HDEL K:D:$L #"}, "as many jobs as it counts"},
        {{"HSET K:D:$L * x"}, "as many jobs as it counts"},
        {{"HDEL K:D:$L b"}, "as many jobs as it counts"},
        {{"HSET K:D:$R # 1"}, "as many jobs as it counts"},
        {{"DEL K:D:$L"}, "nothing says for which"},
        {{"DEL K:D:$R"}, "nothing says for which"},
        {{"DEL K:D:$L", "DEL K:D:$R"}, "nothing says for which"},
        {{"HDEL K:j:$L D", "HSET K:s $L 4S.1"}, "does not say that it waits"},
        {{"HSET K:D:$G # 0 * 0 b 0"}, "has ended well, but"},
        {{"HSET K:D:$O # 0 * 0 b 0"}, "does not say that it waits"},
};

START_TEST(what_a_job_waits_for_is_mended)
{
	for (size_t i = 0; i < ARRAY_LEN(harms); i++) {
		struct rig r;

		rig_open(&r);
		run(&r, r.good, "1", NULL);
		check_clean(r.q, "nothing");
		for (size_t k = 0; k < 3 && harms[i].commands[k]; k++)
			harm(&r, harms[i].commands[k]);
		check_found(r.q, FAULT_FLOW, harms[i].words, harms[i].commands[0]);
		ck_assert_msg(mend_all(r.q) > 0, "%s was not mended", harms[i].commands[0]);
		check_clean(r.q, harms[i].commands[0]);
		run_to_the_end(&r);
		rig_close(&r);
	}
}
END_TEST

/* The last word was counted, but the job was not let go: it is now. */
START_TEST(a_job_that_waits_for_nothing_any_more_is_let_go)
{
	struct rig r;

	rig_open(&r);
	run(&r, r.good, "1", NULL);
	harm(&r, "HDEL K:D:$L ?%O");
	harm(&r, "HSET K:D:$L # 0 =other 2");
	check_found(r.q, FAULT_FLOW, "waits for jobs that have all ended", "taking the last word");
	ck_assert_int_gt(mend_all(r.q), 0);
	check_clean(r.q, "letting it go");
	ck_assert_int_eq(state_of(r.q, r.last), JOB_READY);
	run_to_the_end(&r);
	rig_close(&r);
}
END_TEST

/* Asked anew, one that ended badly says so, and one that has vanished is told as such. */
START_TEST(what_is_waited_for_anew_may_have_failed)
{
	for (int gone = 0; gone < 2; gone++) {
		struct rig r;
		struct job j;

		rig_open(&r);
		run(&r, r.good, "1", NULL);
		harm(&r, "DEL K:D:$L");
		if (gone)
			harm(&r, "DEL K:j:$G");
		else
			run(&r, r.other, NULL, NULL);
		mend_all(r.q);
		j = show(r.q, r.last);
		ck_assert_int_eq(j.state, JOB_FAILED);
		ck_assert_msg(strstr(j.error.text, gone ? "(good) does not exist" : "(other) failed: no") != NULL, "%s", j.error.text);
		job_close(&j);
		check_clean(r.q, "its failure");
		rig_close(&r);
	}
}
END_TEST

/* A job that is about to run gets what it waited for; one that has ended keeps it as long as its record. */
START_TEST(inputs_are_brought_back)
{
	struct rig r;
	char answer[64], command[100];
	struct err e = {0};

	rig_open(&r);
	run(&r, r.good, "1", NULL);
	run(&r, r.other, "2", NULL);
	harm(&r, "DEL K:D:$L");
	check_found(r.q, FAULT_FLOW, "nothing says for which", "losing the inputs of a ready job");
	mend_all(r.q);
	check_clean(r.q, "bringing them back");
	run(&r, r.last, NULL, (const char *const[]){"\"good\":1", "\"other\":2", NULL});
	harm(&r, "DEL K:D:$L");
	mend_all(r.q);
	snprintf(command, sizeof(command), "PTTL {bq:q:0}:D:%s", r.last + 3);
	ck_assert(test_redis_say(test_redis_own("no")->port, command, answer, sizeof(answer)));
	ck_assert_msg(strlen(answer) > 6 && answer[1] != '-', "%s", answer);
	check_clean(r.q, "a failure");
	ck_assert_int_eq(queue_replay(r.q, r.last, &e), 1);
	ck_assert_int_eq(state_of(r.q, r.last), JOB_READY);
	run(&r, r.last, "3", (const char *const[]){"\"good\":1", "\"other\":2", NULL});
	rig_close(&r);
}
END_TEST

/* Nobody can know what it waited for. */
START_TEST(what_cannot_be_mended_says_what_to_do)
{
	struct rig r;
	char why[200] = "";

	rig_open(&r);
	harm(&r, "DEL K:D:$L");
	harm(&r, "HSET K:j:$L D garbage");
	mend_all_or(r.q, why);
	ck_assert_msg(strstr(why, "cancel it") != NULL, "%s", why);
	check_found(r.q, FAULT_FLOW, "nothing says for which", "a mend that could not");
	rig_close(&r);
}
END_TEST

/* What says who waits for it makes no sense, so that its end would fail; without, those who wait ask for it after a while. */
START_TEST(who_waits_asks_one_that_has_forgotten_him)
{
	struct rig r;

	rig_open(&r);
	harm(&r, "HSET K:j:$G S garbage");
	check_found(r.q, FAULT_RECORD, "field S that makes no sense", "garbage");
	ck_assert_int_gt(mend_all(r.q), 0);
	check_clean(r.q, "dropping it");
	run(&r, r.good, "1", NULL);
	run(&r, r.other, "2", NULL);
	ck_assert_int_eq(state_of(r.q, r.last), JOB_WAITING);
	harm(&r, "HSET K:j:$L c 1000"); /* as if minutes passed */
	harm(&r, "HSET K:j:$R c 1000");
	harm(&r, "HDEL K:n mt");
	step_nothing(r.l);
	run(&r, r.last, "3", (const char *const[]){"\"good\":1", "\"other\":2", NULL});
	run(&r, r.root, "4", (const char *const[]){"\"last\":3", NULL});
	ck_assert_int_eq(state_of(r.q, r.root), JOB_SUCCEEDED);
	rig_close(&r);
}
END_TEST

static const TTest *const tests[] = {what_a_job_waits_for_is_mended, a_job_that_waits_for_nothing_any_more_is_let_go,
        what_is_waited_for_anew_may_have_failed, inputs_are_brought_back, what_cannot_be_mended_says_what_to_do,
        who_waits_asks_one_that_has_forgotten_him};
TEST_MAIN("queue_doctor_flow", tests)

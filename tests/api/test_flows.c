/* test_flows.c -- flows over HTTP: every form, refusals, results, cancelling, the same key again. */
#include "base/time.h"
#include "tests/api/api_test.h"
#include "tests/lib/bars.h"

/* Succeeds with its parameter payload as result; fails when asked to. */
static const char *work(const struct job *job, struct err *e, void *user)
{
	static char result[400];
	struct json *params = json_parse(job->params, strlen(job->params), e);
	const char *fail = json_get_text(params, "fail", NULL);

	UNUSED(user);
	if (fail)
		err_set(e, ERR_INVALID, "%s", fail);
	if (str_eq(job->kind, "flow.report"))
		snprintf(result, sizeof result, "%s", job->inputs);
	else
		snprintf(result, sizeof result, "{\"given\":%s}", job->inputs ? job->inputs : "null");
	bool failed = fail != NULL;
	json_close(&params);
	return failed ? NULL : result;
}

static const struct json *node(const struct api_test *t, const char *name)
{
	for (const struct json *j = json_first(json_get(t->json, "jobs")); j; j = json_next(j))
		if (str_eq(json_get_text(j, "name", ""), name))
			return j;
	ck_abort_msg("there is no job %s in %s", name, api_body(t));
}

/* Names of `after`, with spaces between. */
static void after_is(const struct api_test *t, const char *name, const char *wanted)
{
	struct buf b = {0};

	for (const struct json *a = json_first(json_get(node(t, name), "after")); a; a = json_next(a))
		buf_addf(&b, "%s%s", b.len ? " " : "", json_text(a));
	ck_assert_str_eq(buf_text(&b), wanted);
	buf_close(&b);
}

static void flow_submit(struct api_test *t, const char *body, char id_out[JOB_ID])
{
	ck_status(t, api_call(t, "POST", "/api/flows", body), 202);
	ck_assert(str_copy(id_out, JOB_ID, api_member(t, "id")) && *id_out);
}

static int flow_get(struct api_test *t, const char *method, const char *id)
{
	char path[100];

	snprintf(path, sizeof path, "/api/flows/%s", id);
	return api_call(t, method, path, NULL);
}

static void job_wait(struct api_test *t, const char *id, const char *state)
{
	char path[100];

	snprintf(path, sizeof path, "/api/jobs/%s?wait=20", id);
	ck_status(t, api_get(t, path), 200);
	ck_assert_msg(str_eq(api_member(t, "state"), state), "%s", api_body(t));
}

START_TEST(a_flow_from_submission_to_result)
{
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID], location[512], wanted[600];

	api_start(&t, NULL);
	flow_submit(&t,
	        "{\"name\":\"nightly\",\"tags\":[\"a\",\"b\"],\"jobs\":[{\"name\":\"one\",\"kind\":\"noop\"},"
	        "{\"name\":\"two\",\"kind\":\"noop\",\"after\":[\"one\"],\"params\":{\"payload\":{\"$result\":\"one.given\"}}}]}",
	        id);
	snprintf(wanted, sizeof wanted, "/api/jobs/%s", id);
	ck_assert_str_eq(api_header(&t, "location", location), wanted);
	ck_assert_str_eq(api_member(&t, "state"), "waiting");
	ck_assert_str_eq(api_member(&t, "name"), "nightly");
	ck_assert_str_eq(api_member(&t, "tags"), "a,b");
	ck_assert_str_eq(json_get_text(node(&t, "one"), "state", ""), "ready");
	after_is(&t, "two", "one");
	/* Who belongs to whom. */
	char two[JOB_ID], one[JOB_ID];
	ck_assert(str_copy(two, sizeof two, json_get_text(node(&t, "two"), "id", "")));
	ck_assert(str_copy(one, sizeof one, json_get_text(node(&t, "one"), "id", "")));
	snprintf(wanted, sizeof wanted, "/api/jobs/%s", two);
	ck_status(&t, api_get(&t, wanted), 200);
	ck_assert_str_eq(api_member(&t, "parent"), id);
	ck_assert_str_eq(json_text(json_at(json_get(t.json, "children"), 0)), one);
	/* Its placeholder stays as it was given. */
	ck_contains(api_body(&t), "{\"payload\":{\"$result\":\"one.given\"}}");
	worker_start(&w, &t, "default", work, NULL);
	job_wait(&t, id, "succeeded");
	ck_contains(api_body(&t), "\"result\":{\"two\":{\"given\":{\"one\":{\"given\":null}}}}");
	ck_status(&t, flow_get(&t, "GET", id), 200);
	ck_assert_int_eq(json_get_int(json_get(t.json, "progress"), "done", 0), 2);
	ck_status(&t, flow_get(&t, "GET", two), 404);
	ck_status(&t, flow_get(&t, "GET", "nonsense"), 404);
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

START_TEST(short_forms_are_spread_out)
{
	struct api_test t;
	char id[JOB_ID];

	api_start(&t, NULL);
	flow_submit(&t, "{\"chain\":[{\"kind\":\"noop\"},{\"kind\":\"noop\",\"name\":\"b\"},{\"kind\":\"noop\"}]}", id);
	after_is(&t, "job1", "");
	after_is(&t, "b", "job1");
	after_is(&t, "job3", "b");
	flow_submit(&t, "{\"group\":[{\"kind\":\"noop\"},{\"kind\":\"noop\"}]}", id);
	after_is(&t, "job2", "");
	flow_submit(&t,
	        "{\"chain\":[{\"kind\":\"noop\",\"name\":\"a\"},{\"group\":[{\"kind\":\"noop\",\"name\":\"b\"},"
	        "{\"chain\":[{\"kind\":\"noop\",\"name\":\"c\"},{\"kind\":\"noop\",\"name\":\"d\"}]}]},"
	        "{\"chord\":{\"group\":[{\"kind\":\"noop\",\"name\":\"e\"}],\"then\":{\"kind\":\"noop\",\"name\":\"f\"}}}]}",
	        id);
	after_is(&t, "b", "a");
	after_is(&t, "c", "a");
	after_is(&t, "d", "c");
	after_is(&t, "e", "b d");
	after_is(&t, "f", "e");
	api_stop(&t);
}
END_TEST

START_TEST(nonsense_is_refused_with_a_sentence)
{
	static const struct {
		const char *body, *sentence;
	} cases[] = {
	        {"{}", "one of jobs, chain, group and chord"},
	        {"{\"jobs\":[],\"chain\":[]}", "one of jobs, chain, group and chord"},
	        {"{\"jobs\":[]}", "at least one job"},
	        {"{\"jobs\":{}}", "at least one job"},
	        {"{\"jobs\":[7]}", "job 1 ('')"},
	        {"{\"jobs\":[{\"kind\":\"noop\"}]}", "name"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"nope\"}]}", "job 1 ('a'): there is no kind 'nope'"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"nice\":1}]}", "nice"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"after\":[\"b\"]}]}", "waits for 'b', which is no job of this flow"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"after\":[\"b\"]},{\"name\":\"b\",\"kind\":\"noop\",\"after\":[\"a\"]}]}",
	                "waits for itself: "},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"retries\":3}]}", "on_failure is not retry"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"on_failure\":\"explode\"}]}", "fail"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"params\":{\"payload\":{\"$result\":\"b\"}}}]}", "name it in after"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"params\":{\"payload\":{\"$result\":7}}}]}", "stands for a result"},
	        {"{\"chain\":[{\"kind\":\"noop\",\"name\":\"a\"},{\"kind\":\"noop\",\"params\":{\"sleep_ms\":-1,\"payload\":{\"$result\":\"a\"}}}]}",
	                "sleep_ms"},
	        {"{\"chain\":[{\"kind\":\"noop\",\"after\":[]}]}", "leave after out"},
	        {"{\"chord\":{\"group\":[{\"kind\":\"noop\"}]}}", "a chord is"},
	        {"{\"chain\":[{\"group\":[{\"kind\":\"noop\"}],\"kind\":\"noop\"}]}", "nothing else"},
	        {"{\"chain\":[{\"kind\":\"noop\"}],\"color\":1}", "color"},
	};
	struct api_test t;

	api_start(&t, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_status(&t, api_call(&t, "POST", "/api/flows", cases[i].body), 422);
		ck_contains(api_member(&t, "detail"), cases[i].sentence);
	}
	/* 1,001 of them, and lists in lists. */
	struct buf b = {0};
	buf_adds(&b, "{\"group\":[");
	for (int i = 0; i < 1001; i++)
		buf_addf(&b, "%s{\"kind\":\"noop\"}", i ? "," : "");
	buf_adds(&b, "]}");
	ck_status(&t, api_call(&t, "POST", "/api/flows", buf_text(&b)), 422);
	ck_contains(api_member(&t, "detail"), "1 to 1000 jobs");
	buf_clear(&b);
	for (int i = 0; i < 25; i++)
		buf_adds(&b, "{\"group\":[");
	buf_adds(&b, "{\"kind\":\"noop\"}");
	for (int i = 0; i < 25; i++)
		buf_adds(&b, "]}");
	ck_status(&t, api_call(&t, "POST", "/api/flows", buf_text(&b)), 422);
	buf_close(&b);
	api_stop(&t);
}
END_TEST

START_TEST(the_same_key_is_the_same_flow)
{
	static const char *const headers[] = {"Content-Type: application/json", "Idempotency-Key: \"once\"", NULL};
	static const char body[] = "{\"chain\":[{\"kind\":\"noop\"},{\"kind\":\"noop\"}]}";
	struct api_test t;
	char id[JOB_ID], replayed[512];

	api_start(&t, NULL);
	ck_status(&t, api_call_port(&t, t.ports[0], "POST", "/api/flows", headers, body), 202);
	ck_assert(str_copy(id, sizeof id, api_member(&t, "id")));
	ck_status(&t, api_call_port(&t, t.ports[0], "POST", "/api/flows", headers, body), 202);
	ck_assert_str_eq(api_member(&t, "id"), id);
	ck_assert_str_eq(api_header(&t, "idempotent-replayed", replayed), "true");
	ck_status(&t, api_call_port(&t, t.ports[0], "POST", "/api/flows", headers, "{\"chain\":[{\"kind\":\"noop\"}]}"), 422);
	ck_status(&t, api_get(&t, "/api/jobs?queue=default"), 200);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 3);
	api_stop(&t);
}
END_TEST

START_TEST(a_flow_fails_goes_on_and_is_cancelled)
{
	struct api_test t;
	struct api_worker w;
	char id[JOB_ID], path[100], other[JOB_ID];

	api_start(&t, NULL);
	flow_submit(&t, "{\"chain\":[{\"kind\":\"noop\",\"delay_ms\":600000},{\"kind\":\"noop\"}]}", other);
	worker_start(&w, &t, "default", work, NULL);
	flow_submit(&t, "{\"chain\":[{\"kind\":\"noop\",\"params\":{\"fail\":\"it rains\"}},{\"kind\":\"noop\"}]}", id);
	job_wait(&t, id, "failed");
	ck_status(&t, flow_get(&t, "GET", id), 200);
	ck_contains(api_member(&t, "error"), "(job1) failed: it rains");
	ck_assert_str_eq(json_get_text(node(&t, "job2"), "state", ""), "failed");
	snprintf(path, sizeof path, "/api/jobs/%s/replay", id);
	ck_status(&t, api_call(&t, "POST", path, NULL), 202);
	job_wait(&t, id, "failed"); /* it rains again */
	ck_status(&t, flow_get(&t, "DELETE", other), 202);
	ck_assert_str_eq(api_member(&t, "state"), "cancelled");
	ck_assert_str_eq(json_get_text(node(&t, "job1"), "state", ""), "cancelled");
	ck_status(&t, flow_get(&t, "DELETE", "default-0nosuchflow000000000"), 404);
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

static void node_get(struct api_test *t, const char *id, const char *name)
{
	char path[100];

	ck_status(t, flow_get(t, "GET", id), 200);
	snprintf(path, sizeof path, "/api/jobs/%s", json_get_text(node(t, name), "id", ""));
	ck_status(t, api_get(t, path), 200);
}

/* What is said of a job alone is said the same way of a job of a flow; and a kind's own key holds there, too. */
START_TEST(jobs_of_a_flow_have_options)
{
	struct api_test t;
	char id[JOB_ID];

	api_start(&t, NULL);
	flow_submit(&t,
	        "{\"jobs\":[{\"name\":\"plain\",\"kind\":\"noop\",\"params\":{\"alone\":\"x\"}},"
	        "{\"name\":\"own\",\"kind\":\"noop\",\"params\":{\"alone\":\"x\"},\"after\":[\"plain\"],\"priority\":2,\"max_attempts\":7,"
	        "\"max_crashes\":5,\"quarantine_after\":2,\"backoff_ms\":5,\"backoff_cap_ms\":50,\"result_ttl_ms\":60000,\"time_limit_ms\":7000,\"tags\":[\"a\",\"b\"],"
	        "\"concurrency\":{\"key\":\"y\",\"max\":2},\"rate\":{\"key\":\"r\",\"limit\":9,\"window_ms\":1000}},"
	        "{\"name\":\"open\",\"kind\":\"noop\",\"params\":{\"alone\":{\"$result\":\"plain.given\"}},\"after\":[\"plain\"]}]}",
	        id);
	node_get(&t, id, "plain");
	ck_contains(api_body(&t), "\"concurrency\":{\"key\":\"noop x\",\"max\":1}");
	ck_contains(api_body(&t), "\"max_attempts\":3");
	node_get(&t, id, "own");
	ck_contains(api_body(&t), "\"priority\":2");
	ck_contains(api_body(&t), "\"max_attempts\":7");
	ck_contains(api_body(&t), "\"tags\":[\"a\",\"b\"],");
	ck_contains(api_body(&t), "\"max_crashes\":5,\"backoff_ms\":5,\"backoff_cap_ms\":50,\"result_ttl_ms\":60000,");
	ck_contains(api_body(&t), "\"quarantine_after\":2,\"time_limit_ms\":7000,\"hard_limit_ms\":null,");
	ck_contains(api_body(&t), "\"concurrency\":{\"key\":\"y\",\"max\":2},");
	ck_contains(api_body(&t), "\"rate\":{\"key\":\"r\",\"limit\":9,\"window_ms\":1000,\"cost\":1}");
	node_get(&t, id, "open");
	ck_contains(api_body(&t), "\"concurrency\":null");
	ck_status(&t,
	        api_call(&t, "POST", "/api/flows",
	                "{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"rate\":{\"key\":\"r\",\"limit\":1,\"window_ms\":9,\"cost\":2}}]}"),
	        422);
	ck_contains(api_member(&t, "detail"), "job 1 ('a'): rate: a cost of 2 never fits");
	api_stop(&t);
}
END_TEST

static int submit_and_wait(struct api_test *t, const char *prefer, const char *body)
{
	char header[100];
	const char *const headers[] = {header, "Content-Type: application/json", NULL};

	snprintf(header, sizeof header, "Prefer: %s", prefer);
	return api_call_port(t, t->ports[0], "POST", "/api/flows", headers, body);
}

/* 200 and the whole flow when it ends in time, else 202 as without waiting. */
START_TEST(a_flow_is_waited_for)
{
	static const char two[] =
	        "{\"name\":\"n\",\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\"},{\"name\":\"b\",\"kind\":\"noop\",\"after\":[\"a\"]}]}";
	struct api_test t;
	struct api_worker w;
	char h[512], id[JOB_ID], path[100];

	api_start(&t, NULL);
	ck_status(&t, submit_and_wait(&t, "wait=1", two), 202);
	ck_assert_str_eq(api_header(&t, "preference-applied", h), "wait=1");
	ck_assert(str_copy(id, sizeof id, api_member(&t, "id")));
	snprintf(path, sizeof path, "/api/jobs/%s", id);
	ck_assert_str_eq(api_header(&t, "location", h), path);
	ck_assert_str_ne(api_header(&t, "retry-after", h), "");
	ck_assert_str_eq(api_member(&t, "state"), "waiting");
	ck_assert_str_eq(json_get_text(node(&t, "a"), "state", ""), "ready");
	worker_start(&w, &t, "default", work, NULL);
	ck_status(&t, submit_and_wait(&t, "wait=20", two), 200);
	ck_assert_str_eq(api_header(&t, "preference-applied", h), "wait=20");
	ck_assert_str_eq(api_member(&t, "state"), "succeeded");
	ck_assert_str_eq(api_member(&t, "name"), "n");
	ck_assert_str_eq(json_get_text(node(&t, "b"), "state", ""), "succeeded");
	ck_status(&t,
	        submit_and_wait(&t, "wait=20", "{\"chain\":[{\"kind\":\"noop\",\"params\":{\"fail\":\"rain\"}},{\"kind\":\"noop\"}]}"),
	        200);
	ck_assert_str_eq(api_member(&t, "state"), "failed");
	ck_contains(api_member(&t, "error"), "rain");
	ck_status(&t, submit_and_wait(&t, "respond-async, wait=20", two), 202);
	ck_assert_str_eq(api_header(&t, "preference-applied", h), "");
	/* Who waits for the root as a job is answered beside who waits for the flow. */
	job_wait(&t, id, "succeeded");
	worker_stop(&w);
	api_stop(&t);
}
END_TEST

/* One job for each item; who waits for it waits for all of them. */
START_TEST(a_job_is_split)
{
	static const struct {
		const char *body, *sentence;
	} wrong[] = {
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"noop\",\"split\":\"payload\",\"params\":{\"payload\":\"x\"}}]}",
	                "must name a list"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"nope\",\"split\":\"symbols\"}]}", "there is no kind 'nope'"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"kline.download\",\"split\":\"symbols\",\"params\":7}]}", "must be an object"},
	        {"{\"chain\":[{\"name\":\"b\",\"kind\":\"noop\"},{\"name\":\"a\",\"kind\":\"kline.download\",\"split\":\"symbols\","
	         "\"params\":{\"symbols\":{\"$result\":\"b.symbols\"}}}]}",
	                "only when that has run"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"kline.download\",\"split\":7,\"params\":{\"symbols\":[\"A\"]}}]}",
	                "must name a list"},
	        {"{\"jobs\":[{\"kind\":\"kline.download\",\"split\":\"symbols\",\"params\":{\"symbols\":[\"A\"]}}]}", "needs a name"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"kline.download\",\"split\":\"symbols\",\"params\":{\"symbols\":[\"A\",7]}}]}",
	                "job 2 ('a-2')"},
	        {"{\"jobs\":[{\"name\":\"a\",\"kind\":\"kline.download\",\"split\":\"symbols\",\"params\":{\"symbols\":[\"A\",\"A\"]}}]}",
	                "a-A"},
	};
	struct api_test t;
	char id[JOB_ID];

	api_start(&t, NULL);
	flow_submit(&t,
	        "{\"chain\":[{\"name\":\"first\",\"kind\":\"noop\"},{\"name\":\"get\",\"kind\":\"kline.download\",\"split\":\"symbols\",\"priority\":2,"
	        "\"params\":{\"symbols\":[\"AAAUSDT\",\"BBBUSDT\"],\"interval\":\"1h\"}},{\"name\":\"check\",\"kind\":\"noop\"}]}",
	        id);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 4);
	after_is(&t, "get-AAAUSDT", "first");
	after_is(&t, "get-BBBUSDT", "first");
	after_is(&t, "check", "get-AAAUSDT get-BBBUSDT");
	node_get(&t, id, "get-BBBUSDT");
	ck_contains(api_body(&t), "\"symbols\":[\"BBBUSDT\"],\"interval\":\"1h\"");
	ck_contains(api_body(&t), "\"priority\":2");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_status(&t, api_call(&t, "POST", "/api/flows", wrong[i].body), 422);
		ck_assert_msg(strstr(api_member(&t, "detail"), wrong[i].sentence), "%s: %s", wrong[i].body, api_member(&t, "detail"));
	}
	/* Not more than a flow may have, however it is said. */
	struct buf big = {0};
	buf_adds(&big, "{\"jobs\":[{\"name\":\"a\",\"kind\":\"kline.download\",\"split\":\"symbols\",\"params\":{\"symbols\":[\"S0\"");
	for (int i = 1; i < 1001; i++)
		buf_addf(&big, ",\"S%d\"", i);
	buf_adds(&big, "]}}]}");
	ck_status(&t, api_call(&t, "POST", "/api/flows", buf_text(&big)), 422);
	ck_contains(api_member(&t, "detail"), "makes too many");
	buf_close(&big);
	api_stop(&t);
}
END_TEST

static void symbols_put(struct store *s, const struct symbol_row *rows, size_t n)
{
	struct err e = {0};

	ck_ok(store_symbols_put(s, rows, n, &e), &e);
}

static void says(struct api_test *t, const char *body, const char *sentence)
{
	ck_status(t, api_call(t, "POST", "/api/flows", body), 422);
	ck_assert_msg(strstr(api_member(t, "detail"), sentence) != NULL, "%s: %s", body, api_member(t, "detail"));
}

/* An empty list of symbols is what the store says: for a download the exchange's list of the last time, for a check what is stored. */
START_TEST(all_symbols_are_split)
{
	static const char get[] = "{\"jobs\":[{\"name\":\"get\",\"kind\":\"kline.download\",\"split\":\"symbols\"},"
	                          "{\"name\":\"end\",\"kind\":\"noop\",\"after\":[\"get\"]}]}",
	                  check[] = "{\"jobs\":[{\"name\":\"look\",\"kind\":\"kline.integrity\",\"split\":\"symbols\",\"params\":"
	                            "{\"symbols\":[],\"interval\":\"1h\"}}]}";
	const int64_t now = clock_now_ms(), old = now - 8 * TIME_DAY;
	struct bar bar;
	struct put_result put;
	struct api_test t;
	struct err e = {0};
	char id[JOB_ID];

	api_start(&t, NULL);
	says(&t, get, "not known yet: run a kline.download of all symbols");
	says(&t, check, "no K-lines of 1h are stored");
	struct store *s = store_open(t.store_url, &e);
	ck_assert_msg(s != NULL, "%s", e.text);
	symbols_put(s, (const struct symbol_row[]){{"AAAUSDT", "TRADING", 0, old}, {"GONEUSDT", "TRADING", 0, old}}, 2);
	says(&t, get, "more than a week ago");
	symbols_put(s,
	        (const struct symbol_row[]){
	                {"AAAUSDT", "TRADING", 0, now}, {"BBBUSDT", "TRADING", 0, now}, {"CCCUSDT", "SETTLING", 0, now}},
	        3);
	flow_submit(&t, get, id);
	after_is(&t, "end", "get-AAAUSDT get-BBBUSDT");
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 3);
	node_get(&t, id, "get-BBBUSDT");
	ck_contains(api_body(&t), "\"symbols\":[\"BBBUSDT\"]");
	bars_walk(&bar, 1, INTERVAL_1h, 0, 1);
	ck_ok(store_bars_put(s, "DDDUSDT", INTERVAL_1h, &bar, 1, PUT_KEEP, &(struct store_writer){.job = ""}, &put, &e), &e);
	flow_submit(&t, check, id);
	ck_assert_uint_eq(json_count(json_get(t.json, "jobs")), 1);
	node_get(&t, id, "look-DDDUSDT");
	ck_contains(api_body(&t), "\"symbols\":[\"DDDUSDT\"],\"interval\":\"1h\"");
	says(&t, "{\"jobs\":[{\"name\":\"a\",\"kind\":\"kline.integrity\",\"split\":\"symbols\"}]}", "no K-lines of 1d");
	says(&t, "{\"jobs\":[{\"name\":\"a\",\"kind\":\"kline.integrity\",\"split\":\"symbols\",\"params\":{\"symbol\":\"AAAUSDT\"}}]}",
	        "leave symbol out");
	says(&t,
	        "{\"jobs\":[{\"name\":\"a\",\"kind\":\"kline.integrity\",\"split\":\"symbols\",\"params\":{\"interval\":{\"$result\":\"b.interval\"}}}]}",
	        "interval must be one of");
	store_close(&s);
	api_stop(&t);
}
END_TEST

static const TTest *const tests[] = {a_flow_from_submission_to_result, short_forms_are_spread_out, nonsense_is_refused_with_a_sentence,
        the_same_key_is_the_same_flow, a_flow_fails_goes_on_and_is_cancelled, jobs_of_a_flow_have_options, a_flow_is_waited_for,
        a_job_is_split, all_symbols_are_split};
TEST_MAIN("flows", tests)

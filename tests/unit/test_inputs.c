/* test_inputs.c -- values that stand for other jobs' results: what is one, what is checked before, what is put in their place. */
#include <string.h>

#include "base/mem.h"
#include "kinds/inputs.h"
#include "tests/lib/test.h"

static struct json *parse(const char *text)
{
	struct err e = {0};
	struct json *j = json_parse(text, strlen(text), &e);
	ck_assert_msg(j != NULL, "%s: %s", text, e.text);
	return j;
}

#define RESULTS                                                                                                       \
	"{\"dl\":{\"symbols\":[{\"symbol\":\"BTCUSDT\"},{\"symbol\":\"ETHUSDT\"}],\"n\":12,\"a.b\":1,\"none\":null}," \
	"\"empty\":null,\"list\":[1,[2,3]]}"

/* wanted NULL: refused with this sentence. */
static void applied(const char *params, const char *wanted, const char *sentence)
{
	struct err e = {0};
	struct json *p = parse(params), *results = parse(RESULTS), *out = inputs_apply(p, results, &e);
	ck_assert_msg((out != NULL) == (wanted != NULL), "%s: %s", params, e.text);
	if (out != NULL) {
		char *text = json_to_text(out);
		ck_assert_str_eq(text, wanted);
		mem_free(&text);
	} else {
		ck_assert_msg(strstr(e.text, sentence) != NULL, "%s: %s", params, e.text);
	}
	json_close(&p);
	json_close(&results);
	json_close(&out);
}

START_TEST(results_take_their_place)
{
	applied("{\"a\":1}", "{\"a\":1}", NULL);
	applied("{\"a\":{\"$result\":\"dl.n\"},\"b\":2}", "{\"a\":12,\"b\":2}", NULL);
	applied("{\"a\":{\"$result\":\"dl.symbols.1.symbol\"}}", "{\"a\":\"ETHUSDT\"}", NULL);
	applied("{\"a\":[0,{\"$result\":\"list.1\"},{\"x\":{\"$result\":\"list.0\"}}]}", "{\"a\":[0,[2,3],{\"x\":1}]}", NULL);
	applied("{\"a\":{\"$result\":\"empty\"},\"b\":{\"$result\":\"dl.none\"}}", "{\"a\":null,\"b\":null}", NULL);
	applied("{\"a\":{\"$result\":\"list\"}}", "{\"a\":[1,[2,3]]}", NULL);
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
	applied("{\"a\":{\"$result\":\"dl.nope\"}}", NULL, "the result of job 'dl' has no 'nope'");
	applied("{\"a\":{\"$result\":\"dl.symbols.2\"}}", NULL, "the result of job 'dl' has no 'symbols.2'");
	applied("{\"a\":{\"$result\":\"dl.symbols.-1\"}}", NULL, "has no");
	applied("{\"a\":{\"$result\":\"dl.n.x\"}}", NULL, "has no 'n.x'");
	applied("{\"a\":{\"$result\":\"other\"}}", NULL, "no result of a job 'other'");
	applied("{\"a\":[{\"$result\":\"other\"}]}", NULL, "no result of a job 'other'");
	applied("{\"a\":{\"$result\":7}}", NULL, "stands for a result");
	applied("{\"a\":{\"$result\":\"dl\",\"more\":1}}", NULL, "stands for a result");
	applied("{\"a\":{\"$result\":\"dl.\"}}", NULL, "stands for a result");
	applied("{\"a\":{\"$result\":\"\"}}", NULL, "stands for a result");
}
END_TEST

START_TEST(names_are_checked_before)
{
	static const char *const names[] = {"dl", "b"};
	struct err e = {0};
	struct json *good = parse("{\"a\":[{\"$result\":\"dl.x\"}],\"c\":{\"$result\":\"b\"}}");
	struct json *bad = parse("{\"a\":[1,{\"d\":{\"$result\":\"c.x\"}}]}");
	ck_assert(inputs_check(good, names, 2, &e));
	ck_assert(!inputs_check(bad, names, 2, &e));
	ck_assert_msg(strstr(e.text, "\"c.x\" names a job that this one does not wait for") != NULL, "%s", e.text);
	json_close(&good);
	json_close(&bad);
}
END_TEST

static void checked(const char *params, const char *wanted, const char *sentence)
{
	struct err e = {0};
	bool open;
	struct json *p = parse(params), *out = inputs_kind_check(kind_of("kline.integrity"), p, &open, &e);
	ck_assert_msg((out != NULL) == (wanted != NULL), "%s: %s", params, e.text);
	if (out != NULL) {
		char *text = json_to_text(out);
		ck_assert_msg(strstr(text, wanted) != NULL, "%s", text);
		mem_free(&text);
	} else {
		ck_assert_msg(strstr(e.text, sentence) != NULL, "%s: %s", params, e.text);
	}
	json_close(&p);
	json_close(&out);
}

START_TEST(what_is_known_is_checked_before)
{
	checked("{\"interval\":\"1h\"}", "\"check_duplicates\":true", NULL); /* nothing is open: as always, with its defaults */
	checked("{\"interval\":{\"$result\":\"x\"},\"symbol\":\"BTCUSDT\"}", "{\"$result\":\"x\"}", NULL);
	checked("{\"interval\":{\"$result\":\"x\"},\"color\":1}", NULL, "color");
	checked("{\"interval\":{\"$result\":\"x\"},\"check_duplicates\":\"perhaps\"}", NULL, "check_duplicates");
	checked("{\"colour\":{\"$result\":\"x\"}}", NULL, "colour");
}
END_TEST

static const TTest *const tests[] = {
        results_take_their_place, what_is_not_there_is_said, names_are_checked_before, what_is_known_is_checked_before};
TEST_MAIN("inputs", tests)

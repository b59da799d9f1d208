/* test_json.c -- JSON: strict reading of hostile text, exact whole numbers, printing that any reader takes, the writer. */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/test.h"

static struct json *parse(const char *text)
{
	struct err e = {0};
	struct json *j = json_parse(text, strlen(text), &e);

	ck_assert_msg(j != NULL, "%s: %s", text, e.text);
	return j;
}

static void prints_as(const char *in, const char *out)
{
	struct json *j = parse(in);
	char *text = json_to_text(j);

	ck_assert_str_eq(text, out);
	mem_free(&text);
	json_close(&j);
	ck_assert_ptr_null(j);
}

START_TEST(what_is_read_is_printed)
{
	prints_as(" null ", "null");
	prints_as("true", "true");
	prints_as("[ ]", "[]");
	prints_as("{ }", "{}");
	prints_as("[1,-2,[3,[]],{}]", "[1,-2,[3,[]],{}]");
	prints_as("{\"a\" : {\"b\": [true,false,null]}, \"\": \"x\"}", "{\"a\":{\"b\":[true,false,null]},\"\":\"x\"}");
	prints_as("\"\\u00e9\\n\\\"\\\\\\/\\u0001\\t\"", "\"\xc3\xa9\\n\\\"\\\\/\\u0001\\t\"");
	prints_as("\"\\ud83d\\ude00\xf0\x9f\x98\x80\"", "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"");
	prints_as("\"\x7f\"", "\"\x7f\"");
}
END_TEST

START_TEST(numbers_keep_their_kind)
{
	prints_as("5", "5");
	prints_as("5.0", "5.0");
	prints_as("-0", "0");
	prints_as("-0.0", "-0.0");
	prints_as("1e2", "100.0");
	prints_as("0.1", "0.1");
	prints_as("1E-9", "1e-09");
	prints_as("9007199254740993", "9007199254740993");
	prints_as("9223372036854775807", "9223372036854775807");
	prints_as("-9223372036854775808", "-9223372036854775808");
	prints_as("9223372036854775808", "9.223372036854776e+18");
	prints_as("[123456789012345678901234567890]", "[1.2345678901234568e+29]");
	prints_as("[1e-999]", "[0.0]");
}
END_TEST

START_TEST(what_is_no_json_is_refused)
{
	static const char *const bad[] = {"", " ", "nul", "nulll", "True", "NaN", "Infinity", "-Infinity", "-", "+1", "01", "-01", "1.",
	        ".5", "1e", "1e+", "0x10", "1 2", "[1,]", "[,1]", "[1 2]", "[1", "[", "]", "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
	        "{a:1}", "{'a':1}", "{\"a\":1 \"b\":2}", "{\"a\" 1}", "[1}", "{\"a\":1]", "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"",
	        "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\u0000\"", "\"a\nb\"", "\"\t\"", "\"\xff\"",
	        "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"\x80\"", "\xef\xbb\xbf{}", "// x\n1",
	        "/**/1", "1e999", "[-1e999]", "[1]]", "{}{}", "\"\\", "tru", "[true"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};
		struct json *j = json_parse(bad[i], strlen(bad[i]), &e);

		ck_assert_msg(j == NULL, "\"%s\" was taken", bad[i]);
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert_uint_gt(strlen(e.text), 10);
	}
}
END_TEST

START_TEST(length_counts_not_the_nul)
{
	struct err e = {0};
	struct json *j = json_parse("[1]garbage", 3, &e);

	ck_assert_ptr_nonnull(j);
	json_close(&j);
	ck_assert_ptr_null(json_parse("[1]\0[2]", 7, &e));
	ck_assert_ptr_null(json_parse("\"a\0b\"", 5, &e));
	ck_assert_ptr_null(json_parse("1\0", 2, &e));
	ck_assert_ptr_null(json_parse("", 0, &e));
}
END_TEST

START_TEST(error_says_where)
{
	struct err e = {0};

	ck_assert_ptr_null(json_parse("{\"a\": nope}", 11, &e));
	ck_assert_str_eq(e.text, "not JSON: no JSON value at byte 6");
}
END_TEST

static char *nested(int depth, char open, char close)
{
	struct buf b = {0};

	for (int i = 0; i < depth; i++)
		buf_adds(&b, open == '{' ? "{\"a\":" : "[");
	buf_adds(&b, "1");
	for (int i = 0; i < depth; i++)
		buf_addc(&b, close);
	return buf_detach(&b);
}

START_TEST(depth_is_limited)
{
	struct err e = {0};
	char *ok = nested(64, '[', ']');
	char *deep = nested(65, '{', '}');
	char *deeper = nested(1000000, '[', ']');
	struct json *j = parse(ok);

	json_close(&j);
	ck_assert_ptr_null(json_parse(deep, strlen(deep), &e));
	ck_assert_msg(strstr(e.text, "64 levels") != NULL, "%s", e.text);
	ck_assert_ptr_null(json_parse(deeper, strlen(deeper), &e));
	mem_free(&ok);
	mem_free(&deep);
	mem_free(&deeper);
}
END_TEST

START_TEST(of_doubled_members_the_first_counts)
{
	struct json *j = parse("{\"a\":1,\"a\":2,\"A\":3}");

	ck_assert_int_eq(json_get_int(j, "a", 0), 1);
	ck_assert_int_eq(json_get_int(j, "A", 0), 3);
	ck_assert_uint_eq(json_count(j), 3);
	json_close(&j);
}
END_TEST

START_TEST(getters_answer_absent)
{
	struct json *j = parse("{\"s\":\"x\",\"i\":7,\"d\":1.5,\"b\":true,\"n\":null,\"a\":[1,2],\"w\":20.0}");
	int64_t i;
	double d;
	bool b;

	ck_assert_ptr_null(json_get(NULL, "s"));
	ck_assert_ptr_null(json_get(j, "zz"));
	ck_assert_ptr_null(json_get(json_get(j, "a"), "s"));
	ck_assert_ptr_null(json_at(j, 0));
	ck_assert_ptr_null(json_at(json_get(j, "a"), 2));
	ck_assert_ptr_null(json_at(json_get(j, "a"), SIZE_MAX));
	ck_assert_ptr_nonnull(json_at(json_get(j, "a"), 1));
	ck_assert_ptr_null(json_first(NULL));
	ck_assert_ptr_null(json_next(NULL));
	ck_assert_ptr_null(json_key(NULL));
	ck_assert_ptr_null(json_text(json_get(j, "i")));
	ck_assert(!json_int(json_get(j, "s"), &i) && !json_int(json_get(j, "d"), &i) && !json_int(NULL, &i));
	ck_assert(!json_double(json_get(j, "b"), &d) && !json_double(NULL, &d));
	ck_assert(!json_bool(json_get(j, "i"), &b) && !json_bool(NULL, &b));
	ck_assert(json_int(json_get(j, "w"), &i) && i == 20);
	ck_assert(json_double(json_get(j, "i"), &d) && d == 7);
	ck_assert_str_eq(json_get_text(j, "i", "no"), "no");
	ck_assert_int_eq(json_get_int(j, "s", -1), -1);
	ck_assert(json_get_double(j, "d", 0) == 1.5 && json_get_double(j, "s", 2) == 2);
	ck_assert(json_get_bool(j, "b", false) && json_get_bool(j, "n", true));
	ck_assert_int_eq(json_type(NULL), JSON_NULL);
	ck_assert(!json_is(NULL, JSON_NULL) && json_is(json_get(j, "n"), JSON_NULL));
	ck_assert_uint_eq(json_count(NULL), 0);
	json_close(&j);
}
END_TEST

START_TEST(whole_numbers_at_the_edge_of_int64)
{
	struct json *j = parse(
	        "[9223372036854775807,9223372036854775808.0,-9223372036854775808.0,-9223372036854777856.0,9223372036854774784.0,1e300]");
	int64_t v;

	ck_assert(json_int(json_at(j, 0), &v) && v == INT64_MAX);
	ck_assert(!json_int(json_at(j, 1), &v));
	ck_assert(json_int(json_at(j, 2), &v) && v == INT64_MIN);
	ck_assert(!json_int(json_at(j, 3), &v));
	ck_assert(json_int(json_at(j, 4), &v) && v == INT64_C(9223372036854774784));
	ck_assert(!json_int(json_at(j, 5), &v));
	json_close(&j);
}
END_TEST

START_TEST(iteration_meets_every_child)
{
	struct buf b = {0};
	struct json *j;
	int64_t sum = 0;

	buf_addc(&b, '[');
	for (int i = 0; i < 20000; i++)
		buf_addf(&b, "%s%d", i ? "," : "", i);
	buf_addc(&b, ']');
	j = parse(buf_text(&b));
	for (const struct json *c = json_first(j); c; c = json_next(c)) {
		int64_t v = -1;

		ck_assert(json_int(c, &v));
		sum += v;
	}
	ck_assert_int_eq(sum, INT64_C(19999) * 20000 / 2);
	json_close(&j);
	buf_close(&b);
}
END_TEST

START_TEST(building_and_changing)
{
	struct json *o = json_new_object();
	struct json *a = json_new_array();
	struct json *copy;
	char *text;

	json_push(a, json_new_int(INT64_MIN));
	json_push(a, json_new_double(INFINITY));
	json_push(a, json_new_double(2));
	json_push(a, json_new_bool(true));
	json_push(a, json_new_null());
	json_push(a, json_new_text(NULL));
	json_put(o, "a", a);
	json_put_text(o, "t", "x");
	json_put_text(o, "u", NULL);
	json_put_double(o, "d", 0.5);
	json_put_bool(o, "b", false);
	json_put_int(o, "t", 3); /* replaces, in its place */
	json_put_int(o, "gone", 3);
	json_remove(o, "gone");
	json_remove(o, "never");
	json_remove(NULL, "x");
	copy = json_copy(o);
	json_close(&o);
	text = json_to_text(copy);
	ck_assert_str_eq(text, "{\"a\":[-9223372036854775808,null,2.0,true,null,null],\"t\":3,\"u\":null,\"d\":0.5,\"b\":false}");
	mem_free(&text);
	json_close(&copy);
	ck_assert_ptr_null(json_copy(NULL));
}
END_TEST

START_TEST(what_is_no_utf8_is_printed_as_json_all_the_same)
{
	struct json *j = json_new_text("a\xff"
	                               "b\xe2\x82");
	char *text = json_to_text(j);

	ck_assert_str_eq(text, "\"a\xef\xbf\xbd"
	                       "b\xef\xbf\xbd\xef\xbf\xbd\"");
	json_close(&j);
	j = parse(text);
	json_close(&j);
	mem_free(&text);
}
END_TEST

START_TEST(pretty)
{
	struct json *j = parse("{\"a\":[1,{}],\"b\":[]}");
	struct buf b = {0};

	json_print_pretty(j, &b, 2);
	ck_assert_str_eq(buf_text(&b), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
	buf_close(&b);
	json_close(&j);
}
END_TEST

START_TEST(writer_places_commas)
{
	struct buf b = {0};
	struct json_writer w = json_writer_on(&b);
	struct json *j = parse("[1]");

	jw_object(&w, NULL);
	jw_text(&w, "s", "q\"\n");
	jw_text(&w, "z", NULL);
	jw_array(&w, "a");
	jw_int(&w, NULL, INT64_MAX);
	jw_double(&w, NULL, 2);
	jw_double(&w, NULL, NAN);
	jw_dec(&w, NULL, (struct dec){150, 2});
	jw_bool(&w, NULL, false);
	jw_object(&w, NULL);
	jw_end(&w);
	jw_array(&w, NULL);
	jw_end(&w);
	jw_end(&w);
	jw_null(&w, "n");
	jw_json(&w, "j", j);
	jw_json(&w, "k", NULL);
	jw_raw(&w, "r", "{\"x\":1}");
	jw_end(&w);
	ck_assert_str_eq(buf_text(&b),
	        "{\"s\":\"q\\\"\\n\",\"z\":null,\"a\":[9223372036854775807,2.0,null,1.50,false,{},[]],\"n\":null,\"j\":[1],\"k\":null,\"r\":{\"x\":1}}");
	json_close(&j);
	j = parse(buf_text(&b));
	json_close(&j);
	buf_close(&b);
}
END_TEST

static const TTest *const tests[] = {
        what_is_read_is_printed,
        numbers_keep_their_kind,
        what_is_no_json_is_refused,
        length_counts_not_the_nul,
        error_says_where,
        depth_is_limited,
        of_doubled_members_the_first_counts,
        getters_answer_absent,
        whole_numbers_at_the_edge_of_int64,
        iteration_meets_every_child,
        building_and_changing,
        what_is_no_utf8_is_printed_as_json_all_the_same,
        pretty,
        writer_places_commas,
};
TEST_MAIN("json", tests)

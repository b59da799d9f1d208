/* test_param.c -- parameter tables: every type, its limits, and sentences that say what is right. */
#include "base/param.h"

#include <string.h>

#include "base/mem.h"
#include "tests/lib/test.h"

static const struct param table[] = {
        {"symbol", PARAM_TEXT, .required = true, .min = 1, .max = 8, .help = "which one"},
        {"limit", PARAM_INT, .fallback = "20", .min = 1, .max = 100, .help = "how many", .unit = "items"},
        {"factor", PARAM_NUMBER, .min = 0.5, .max = 2},
        {"deep", PARAM_FLAG, .fallback = "false"},
        {"interval", PARAM_CHOICE, .fallback = "\"1m\"", .choices = "1m|5m|1h"},
        {"start", PARAM_TIME},
        {"day", PARAM_DATE},
        {"symbols", PARAM_TEXTS, .max = 3},
        {"more", PARAM_OBJECT},
};
#define N ARRAY_LEN(table)

static char *check(const char *in, bool unknown_ok, struct err *e)
{
	struct err ignored = {0};
	struct json *j = json_parse(in, strlen(in), &ignored);
	struct json *out;
	char *text = NULL;

	ck_ok(j != NULL, &ignored);
	out = params_check(table, N, j, unknown_ok, e);
	if (out)
		text = json_to_text(out);
	json_close(&out);
	json_close(&j);
	return text;
}

static void gives(const char *in, const char *expected)
{
	struct err e = {0};
	char *text = check(in, false, &e);

	ck_assert_msg(text != NULL, "%s: %s", in, e.text);
	ck_assert_str_eq(text, expected);
	mem_free(&text);
}

static void refuses(const char *in, const char *sentence)
{
	struct err e = {0};
	char *text = check(in, false, &e);

	ck_assert_msg(text == NULL, "%s was taken", in);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_str_eq(e.text, sentence);
}

START_TEST(defaults_are_filled_in_table_order)
{
	gives("{\"symbol\":\"BTC\"}",
	        "{\"symbol\":\"BTC\",\"limit\":20,\"factor\":null,\"deep\":false,\"interval\":\"1m\",\"start\":null,\"day\":null,"
	        "\"symbols\":null,\"more\":null}");
	gives("{\"more\":{\"x\":1},\"symbols\":[\"a\"],\"day\":\"2026-02-01\",\"start\":\"2026-02-01 10:00\",\"interval\":\"1h\",\"deep\":true,\"factor\":1,"
	      "\"limit\":20.0,\"symbol\":\"X\"}",
	        "{\"symbol\":\"X\",\"limit\":20,\"factor\":1,\"deep\":true,\"interval\":\"1h\",\"start\":\"2026-02-01 10:00\",\"day\":\"2026-02-01\","
	        "\"symbols\":[\"a\"],\"more\":{\"x\":1}}");
	gives("{\"symbol\":\"BTC\",\"limit\":null}",
	        "{\"symbol\":\"BTC\",\"limit\":20,\"factor\":null,\"deep\":false,\"interval\":\"1m\",\"start\":null,"
	        "\"day\":null,\"symbols\":null,\"more\":null}");
}
END_TEST

START_TEST(sentences_say_what_is_right)
{
	refuses("{}", "parameter symbol is missing: which one");
	refuses("{\"symbol\":null}", "parameter symbol is missing: which one");
	refuses("{\"symbol\":5}", "parameter symbol is 5 but must be a text of 1 to 8 bytes");
	refuses("{\"symbol\":\"\"}", "parameter symbol is \"\" but must be a text of 1 to 8 bytes");
	refuses("{\"symbol\":\"123456789\"}", "parameter symbol is \"123456789\" but must be a text of 1 to 8 bytes");
	refuses("{\"symbol\":\"X\",\"limit\":\"20\"}", "parameter limit is \"20\" but must be a whole number from 1 to 100");
	refuses("{\"symbol\":\"X\",\"limit\":20.5}", "parameter limit is 20.5 but must be a whole number from 1 to 100");
	refuses("{\"symbol\":\"X\",\"limit\":0}", "parameter limit is 0 but must be a whole number from 1 to 100");
	refuses("{\"symbol\":\"X\",\"limit\":1e300}", "parameter limit is 1e+300 but must be a whole number from 1 to 100");
	refuses("{\"symbol\":\"X\",\"factor\":2.01}", "parameter factor is 2.01 but must be a number from 0.5 to 2");
	refuses("{\"symbol\":\"X\",\"deep\":1}", "parameter deep is 1 but must be true or false");
	refuses("{\"symbol\":\"X\",\"interval\":\"7m\"}", "parameter interval is \"7m\" but must be one of 1m, 5m, 1h");
	refuses("{\"symbol\":\"X\",\"interval\":\"\"}", "parameter interval is \"\" but must be one of 1m, 5m, 1h");
	refuses("{\"symbol\":\"X\",\"interval\":\"1\"}", "parameter interval is \"1\" but must be one of 1m, 5m, 1h");
	refuses("{\"symbol\":\"X\",\"interval\":\"1m|5m\"}", "parameter interval is \"1m|5m\" but must be one of 1m, 5m, 1h");
	refuses("{\"symbol\":\"X\",\"start\":\"2026-02-30\"}",
	        "parameter start is \"2026-02-30\" but must be a time such as \"2026-02-01 09:30:00\" (UTC), or milliseconds "
	        "since 1970");
	refuses("{\"symbol\":\"X\",\"start\":1769904000}",
	        "parameter start is 1769904000 but must be a time such as \"2026-02-01 09:30:00\" (UTC), or milliseconds since 1970");
	refuses("{\"symbol\":\"X\",\"day\":\"2026-02-01 10:00\"}",
	        "parameter day is \"2026-02-01 10:00\" but must be a date such as \"2026-02-01\"");
	refuses("{\"symbol\":\"X\",\"symbols\":\"a\"}",
	        "parameter symbols is \"a\" but must be a list of 0 to 3 texts of 1 to 64 bytes each");
	refuses("{\"symbol\":\"X\",\"symbols\":[1]}", "parameter symbols is [1] but must be a list of 0 to 3 texts of 1 to 64 bytes each");
	refuses("{\"symbol\":\"X\",\"symbols\":[\"a\",\"b\",\"c\",\"d\"]}",
	        "parameter symbols is [\"a\",\"b\",\"c\",\"d\"] but must be a list of 0 to 3 texts of 1 to 64 bytes each");
	refuses("{\"symbol\":\"X\",\"more\":[]}", "parameter more is [] but must be an object");
	refuses("{\"symbol\":\"X\",\"limits\":1}",
	        "there is no parameter limits; there are: symbol, limit, factor, deep, interval, start, day, symbols, more");
	refuses("[]", "the parameters must be a JSON object");
}
END_TEST

START_TEST(a_time_becomes_a_text_whatever_it_was)
{
	static const char *const given[] = {"1769938200123", "\"1769938200123\"", "\"2026-02-01T11:30:00.123999+02:00\""};
	struct err e = {0};
	char body[100];

	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		snprintf(body, sizeof(body), "{\"symbol\":\"X\",\"start\":%s}", given[i]);
		char *text = check(body, false, &e);
		ck_assert_msg(text && strstr(text, "\"start\":\"2026-02-01T09:30:00.123Z\""), "%s: %s", given[i], text ? text : e.text);
		mem_free(&text);
	}
	char *text = check("{\"symbol\":\"X\",\"start\":\"2026-02-01\"}", false, &e);
	ck_assert(text && strstr(text, "\"start\":\"2026-02-01\"")); /* its whole day, where that matters */
	mem_free(&text);
}
END_TEST

START_TEST(long_values_are_cut_in_the_sentence)
{
	refuses("{\"symbol\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	        "parameter symbol is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... but must be a text of 1 to 8 bytes");
}
END_TEST

START_TEST(unknown_ones_are_dropped_where_that_is_right)
{
	struct err e = {0};
	char *text = check("{\"symbol\":\"X\",\"zzz\":1}", true, &e);

	ck_assert_msg(text != NULL, "%s", e.text);
	ck_assert_ptr_null(strstr(text, "zzz"));
	mem_free(&text);
}
END_TEST

START_TEST(no_object_at_all)
{
	static const struct param optional[] = {{"a", PARAM_INT, .fallback = "1"}};
	struct err e = {0};
	struct json *j = params_check(optional, 1, NULL, false, &e);

	ck_assert_int_eq(json_get_int(j, "a", 0), 1);
	json_close(&j);
	j = params_check(NULL, 0, NULL, false, &e);
	ck_assert_ptr_nonnull(j);
	json_close(&j);
}
END_TEST

START_TEST(schema_says_the_same)
{
	struct buf b = {0};
	struct json_writer w = json_writer_on(&b);
	struct err e = {0};
	struct json *j;
	const struct json *p;

	params_schema(table, N, &w, NULL);
	j = json_parse(buf_text(&b), b.len, &e);
	ck_assert_msg(j != NULL, "%s: %s", e.text, buf_text(&b));
	p = json_get(j, "properties");
	ck_assert_uint_eq(json_count(p), N);
	ck_assert_str_eq(json_text(json_at(json_get(j, "required"), 0)), "symbol");
	ck_assert_int_eq(json_get_int(json_get(p, "symbol"), "maxLength", 0), 8);
	ck_assert_int_eq(json_get_int(json_get(p, "limit"), "minimum", 0), 1);
	ck_assert_int_eq(json_get_int(json_get(p, "limit"), "default", 0), 20);
	ck_assert_str_eq(json_get_text(json_get(p, "limit"), "x-unit", ""), "items");
	ck_assert(json_get_double(json_get(p, "factor"), "minimum", 0) == 0.5);
	ck_assert_uint_eq(json_count(json_get(json_get(p, "interval"), "enum")), 3);
	ck_assert_str_eq(json_text(json_at(json_get(json_get(p, "interval"), "enum"), 2)), "1h");
	ck_assert_int_eq(json_get_int(json_get(p, "symbols"), "maxItems", 0), 3);
	json_close(&j);
	buf_close(&b);
}
END_TEST

static const TTest *const tests[] = {
        defaults_are_filled_in_table_order,
        sentences_say_what_is_right,
        a_time_becomes_a_text_whatever_it_was,
        long_values_are_cut_in_the_sentence,
        unknown_ones_are_dropped_where_that_is_right,
        no_object_at_all,
        schema_says_the_same,
};
TEST_MAIN("param", tests)

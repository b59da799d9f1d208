/* test_event.c -- CloudEvents from the wire: what is right comes through whole, everything else is refused with a sentence. */
#include "bus/event.h"

#include <string.h>

#include "base/mem.h"
#include "tests/lib/test.h"

static struct event_bytes bytes(const char *name, const char *text)
{
	return (struct event_bytes){.name = name, .data = text, .len = text ? strlen(text) : 0};
}

/* A right message in binary mode; tests break one part of it. */
struct letter {
	struct event_bytes headers[10];
	struct event_wire wire;
};

enum { SPECVERSION, ID, TYPE, SOURCE, SUBJECT, TIME, CONTENT_TYPE, SPARE };

static void letter_fill(struct letter *l)
{
	memset(l, 0, sizeof(*l));
	l->headers[SPECVERSION] = bytes("ce_specversion", "1.0");
	l->headers[ID] = bytes("ce_id", "id-1");
	l->headers[TYPE] = bytes("ce_type", "kline.range.updated.v1");
	l->headers[SOURCE] = bytes("ce_source", "/barque");
	l->headers[SUBJECT] = bytes("ce_subject", "binance-um|BTCUSDT|1m");
	l->headers[TIME] = bytes("ce_time", "2026-02-01T09:30:00.123Z");
	l->headers[CONTENT_TYPE] = bytes("content-type", "application/json");
	l->wire = (struct event_wire){.topic = TOPIC_PREFIX "kline.changes",
	        .partition = 3,
	        .offset = 42,
	        .time_ms = 7,
	        .key = bytes(NULL, "binance-um|BTCUSDT|1m"),
	        .value = bytes(NULL, "{\"rows\":1}"),
	        .headers = l->headers,
	        .n_headers = SPARE};
}

static bool taken(const struct letter *l, struct event *out, struct arena *a, struct err *e)
{
	e->code = ERR_NONE;
	bool ok = event_parse(&l->wire, a, out, e);
	ck_assert_int_eq(ok ? ERR_NONE : ERR_CORRUPT, e->code);
	return ok;
}

static void expect_refused(const struct letter *l, const char *why)
{
	struct arena *a = arena_open();
	struct event ev;
	struct err e;
	ck_assert_msg(!taken(l, &ev, a, &e), "taken, though: %s", why);
	ck_assert_msg(strstr(e.text, why) != NULL, "\"%s\" does not say \"%s\"", e.text, why);
	ck_assert_ptr_nonnull(strstr(e.text, "[3] offset 42"));
	arena_close(&a);
}

static void expect_taken(const struct letter *l, int64_t time_ms, const char *data)
{
	struct arena *a = arena_open();
	struct event ev;
	struct err e;
	ck_ok(taken(l, &ev, a, &e), &e);
	ck_assert_int_eq(ev.time_ms, time_ms);
	ck_assert_str_eq(ev.data, data);
	ck_assert_str_eq(ev.topic, "kline.changes");
	arena_close(&a);
}

START_TEST(binary_mode_is_read_whole)
{
	struct letter l;
	struct event ev;
	struct err e;
	struct arena *a = arena_open();
	letter_fill(&l);
	ck_ok(taken(&l, &ev, a, &e), &e);
	ck_assert_str_eq(ev.id, "id-1");
	ck_assert_str_eq(ev.type, "kline.range.updated.v1");
	ck_assert_str_eq(ev.source, "/barque");
	ck_assert_str_eq(ev.subject, "binance-um|BTCUSDT|1m");
	ck_assert_str_eq(ev.key, "binance-um|BTCUSDT|1m");
	ck_assert_str_eq(ev.data, "{\"rows\":1}");
	ck_assert_int_eq(ev.time_ms, 1769938200123);
	ck_assert_int_eq(ev.partition, 3);
	ck_assert_int_eq(ev.offset, 42);
	arena_close(&a);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	struct arena *a = arena_open();
	struct event_bytes headers[EVENT_HEADERS];
	struct event
	        sent = {.topic = "t", .key = "k|é", .id = "i", .type = "y", .source = "/s", .subject = "", .time_ms = -1, .data = "[1]"},
	        got;
	struct err e;
	ck_ok(event_check(&sent, &e), &e);
	for (int with_subject = 0; with_subject < 2; with_subject++) {
		sent.subject = with_subject ? "about" : "";
		size_t n = event_headers(&sent, a, headers);
		ck_assert_uint_eq(n, with_subject ? 8 : 7);
		struct event_wire wire = {.topic = TOPIC_PREFIX "t", .key = bytes(NULL, sent.key), .value = bytes(NULL, sent.data)};
		wire.headers = headers;
		wire.n_headers = n;
		ck_ok(event_parse(&wire, a, &got, &e), &e);
		ck_assert_str_eq(got.id, sent.id);
		ck_assert_str_eq(got.key, sent.key);
		ck_assert_str_eq(got.subject, sent.subject);
		ck_assert_int_eq(got.time_ms, -1);
	}
	arena_close(&a);
}
END_TEST

START_TEST(optional_parts_may_be_absent)
{
	struct letter l;
	letter_fill(&l);
	l.headers[SUBJECT].name = l.headers[TIME].name = l.headers[CONTENT_TYPE].name = "x-other";
	l.wire.key = bytes(NULL, NULL);
	expect_taken(&l, 7, "{\"rows\":1}");
	letter_fill(&l);
	l.headers[CONTENT_TYPE].data = "Application/JSON; charset=utf-8";
	l.headers[CONTENT_TYPE].len = strlen(l.headers[CONTENT_TYPE].data);
	expect_taken(&l, 1769938200123, "{\"rows\":1}");
}
END_TEST

START_TEST(bad_attributes_are_refused)
{
	static const struct {
		int header;
		const char *value, *why;
	} bad[] = {{SPECVERSION, NULL, "ce_specversion is missing"}, {SPECVERSION, "0.3", "other than 1.0"},
	        {SPECVERSION, "1.0 ", "other than 1.0"}, {SPECVERSION, "", "other than 1.0"}, {ID, "", "lacks an id"},
	        {ID, NULL, "lacks an id"}, {TYPE, "", "lacks an id"}, {SOURCE, NULL, "lacks"}, {ID, "a\nb", "not text"},
	        {ID, "\x1b[31m", "not text"}, {TYPE, "\xc0\xaf", "not text"}, {SOURCE, "\xed\xa0\x80", "not text"},
	        {SUBJECT, "\xf5\x80\x80\x80", "not text"}, {SUBJECT, "cut \xe5\xb8", "not text"}, {TIME, "yesterday", "RFC 3339"},
	        {TIME, "2026-02-30T00:00:00Z", "RFC 3339"}, {CONTENT_TYPE, "text/plain", "another type"},
	        {CONTENT_TYPE, "application/json5", "another type"},
	        {CONTENT_TYPE, "application/cloudevents-batch+json", "other than JSON"},
	        {CONTENT_TYPE, "application/cloudevents+avro", "other than JSON"},
	        {CONTENT_TYPE, "application/cloudevents+json", "no CloudEvent"}, {CONTENT_TYPE, "\x80", "not text"}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct letter l;
		letter_fill(&l);
		l.headers[bad[i].header] = bytes(l.headers[bad[i].header].name, bad[i].value);
		expect_refused(&l, bad[i].why);
	}
}
END_TEST

START_TEST(bad_data_is_refused)
{
	static const char *const bad[] = {"", NULL, "{", "{} {}", "nul", "\xff", "{\"a\":1e999}", "{\"a\":NaN}"};
	struct letter l;
	letter_fill(&l);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		l.wire.value = bytes(NULL, bad[i]);
		expect_refused(&l, bad[i] && bad[i][0] ? "not JSON" : "no data");
	}
	l.wire.value = (struct event_bytes){.data = "{}\0{}", .len = 5};
	expect_refused(&l, "not JSON");
	char *large = mem_new(EVENT_DATA_MAX + 2);
	memset(large, ' ', EVENT_DATA_MAX + 1);
	large[0] = '1';
	l.wire.value = (struct event_bytes){.data = large, .len = EVENT_DATA_MAX + 1};
	expect_refused(&l, "too much");
	mem_free(&large);
}
END_TEST

START_TEST(bytes_that_texts_cannot_hold_are_refused)
{
	char text[EVENT_TEXT_MAX + 2];
	struct letter l;
	memset(text, 'x', sizeof(text));
	letter_fill(&l);
	l.headers[ID] = (struct event_bytes){.name = "ce_id", .data = text, .len = EVENT_TEXT_MAX};
	expect_taken(&l, 1769938200123, "{\"rows\":1}");
	l.headers[ID].len = EVENT_TEXT_MAX + 1;
	expect_refused(&l, "too long");
	letter_fill(&l);
	l.headers[ID] = (struct event_bytes){.name = "ce_id", .data = "a\0b", .len = 3};
	expect_refused(&l, "not text");
	letter_fill(&l);
	l.wire.key = (struct event_bytes){.data = text, .len = sizeof(text)};
	expect_refused(&l, "key or content-type");
	letter_fill(&l);
	l.wire.n_headers = 0;
	expect_refused(&l, "no CloudEvent");
}
END_TEST

/* The last of two headers counts: a proxy that appends one cannot be read in two ways by two readers. */
START_TEST(the_last_header_counts)
{
	struct letter l;
	letter_fill(&l);
	l.headers[SPARE] = bytes("ce_specversion", "2.0");
	l.wire.n_headers = SPARE + 1;
	expect_refused(&l, "other than 1.0");
}
END_TEST

static void expect_structured(const char *text, const char *data, const char *why)
{
	struct letter l;
	letter_fill(&l);
	l.headers[0] = bytes("content-type", "application/cloudevents+json; charset=UTF-8");
	l.wire.n_headers = 1;
	l.wire.value = bytes(NULL, text);
	if (data)
		expect_taken(&l, 7, data);
	else
		expect_refused(&l, why);
}

#define REST "\"type\":\"t\",\"source\":\"/s\","

START_TEST(structured_mode_is_read)
{
	expect_structured("{\"specversion\":\"1.0\",\"id\":\"1\"," REST "\"data\":{ \"a\" : [1, 2.50] }}", "{\"a\":[1,2.5]}", NULL);
	expect_structured("{\"specversion\":\"1.0\",\"id\":\"1\"," REST "\"subject\":null,\"data\":null,\"ext\":1}", "null", NULL);
	expect_structured(
	        "{\"specversion\":\"1.0\",\"id\":\"1\"," REST "\"datacontenttype\":\"application/json\",\"data\":\"x\"}", "\"x\"", NULL);
}
END_TEST

START_TEST(bad_structured_mode_is_refused)
{
	expect_structured("", NULL, "no data");
	expect_structured("{", NULL, "not JSON");
	expect_structured("[]", NULL, "no CloudEvent");
	expect_structured("{\"specversion\":1.0,\"id\":\"1\"," REST "\"data\":1}", NULL, "no CloudEvent");
	expect_structured("{\"specversion\":\"1.1\",\"id\":\"1\"," REST "\"data\":1}", NULL, "no CloudEvent");
	expect_structured("{\"specversion\":\"1.0\",\"id\":1," REST "\"data\":1}", NULL, "not text");
	expect_structured("{\"specversion\":\"1.0\",\"id\":\"\"," REST "\"data\":1}", NULL, "lacks an id");
	expect_structured("{\"specversion\":\"1.0\"," REST "\"data\":1}", NULL, "lacks an id");
	expect_structured("{\"specversion\":\"1.0\",\"id\":\"a\\u0007\"," REST "\"data\":1}", NULL, "not text");
	expect_structured("{\"specversion\":\"1.0\",\"id\":\"1\"," REST "\"data_base64\":\"e30=\"}", NULL, "no JSON data");
	expect_structured(
	        "{\"specversion\":\"1.0\",\"id\":\"1\"," REST "\"datacontenttype\":\"text/xml\",\"data\":\"<a/>\"}", NULL, "no JSON data");
	expect_structured("{\"specversion\":\"1.0\",\"id\":\"1\"," REST "\"time\":5,\"data\":1}", NULL, "not text");
	expect_structured("{\"specversion\":\"1.0\",\"id\":\"1\"," REST "\"time\":\"noon\",\"data\":1}", NULL, "RFC 3339");
}
END_TEST

static const TTest *const tests[] = {binary_mode_is_read_whole, what_is_written_is_read, optional_parts_may_be_absent,
        bad_attributes_are_refused, bad_data_is_refused, bytes_that_texts_cannot_hold_are_refused, the_last_header_counts,
        structured_mode_is_read, bad_structured_mode_is_refused};

TEST_MAIN("event", tests)

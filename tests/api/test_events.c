/* test_events.c -- events as they happen: Kafka (the development broker) in, Server-Sent Events out. */
#include "bus/bus.h"
#include "tests/api/ear.h"

static void publish(struct bus *b, int n, const char *symbol)
{
	char key[64], id[32], data[100];
	struct err e = {0};

	snprintf(key, sizeof key, "binance|%s|1d", symbol);
	snprintf(id, sizeof id, "id-%d", n);
	snprintf(data, sizeof data, "{\"n\":%d}", n);
	struct event event = {.topic = "kline.changes",
	        .key = key,
	        .id = id,
	        .type = "kline.range.updated.v1",
	        .source = "test",
	        .subject = key,
	        .time_ms = 1000,
	        .data = data};
	ck_assert_msg(bus_publish(b, &event, 1, 20000, &e) == 1, "%s", e.text);
}

START_TEST(events_arrive_filtered_and_go_on_after_the_last_id)
{
	struct err e = {0};
	struct devbroker *d = devbroker_open(1, 2, &e);
	struct api_test t;
	struct ear all, some, again;
	char brokers[300];

	ck_assert_msg(d != NULL, "%s", e.text);
	snprintf(brokers, sizeof brokers, "KAFKA_BROKERS=%s", devbroker_address(d));
	api_start(&t, (const char *const[]){brokers, NULL});
	struct bus *b = bus_open(devbroker_address(d), &e);
	ck_assert_msg(b != NULL, "%s", e.text);
	ear_open(&all, &t, "/api/events", NULL);
	ear_open(&some, &t, "/api/events?symbol=BBBUSDT&type=kline.", NULL);
	ck_hears(&all, ": listening");
	ck_hears(&some, ": listening");
	publish(b, 1, "AAAUSDT");
	publish(b, 2, "BBBUSDT");
	ck_hears(&all, "event: kline.range.updated.v1\ndata: {\"n\":1}\n\n");
	ck_hears(&all, "data: {\"n\":2}\n\n");
	ck_hears(&some, "data: {\"n\":2}\n\n");
	ck_assert_ptr_null(strstr(buf_text(&some.heard), "{\"n\":1}"));
	char id[64] = "";
	const char *first = strstr(buf_text(&all.heard), "id: ");
	ck_assert_ptr_nonnull(first);
	ck_assert(str_copy_n(id, sizeof id, first + 4, strcspn(first + 4, "\n")));
	ear_open(&again, &t, "/api/events", id);
	ck_hears(&again, "data: {\"n\":2}\n\n");
	ck_assert_ptr_null(strstr(buf_text(&again.heard), "{\"n\":1}"));
	ear_close(&all);
	ear_close(&some);
	ear_close(&again);
	ck_status(&t, api_get(&t, "/api/events?symbol=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 422);
	bus_close(&b);
	api_stop(&t);
	devbroker_close(&d);
}
END_TEST

/* A listener does not keep the program from ending. */
START_TEST(sigterm_ends_streams)
{
	struct err e = {0};
	struct devbroker *d = devbroker_open(1, 2, &e);
	struct api_test t;
	struct ear x;
	char brokers[300];

	ck_assert_msg(d != NULL, "%s", e.text);
	snprintf(brokers, sizeof brokers, "KAFKA_BROKERS=%s", devbroker_address(d));
	api_start(&t, (const char *const[]){brokers, NULL});
	ear_open(&x, &t, "/api/events", NULL);
	ck_hears(&x, ": listening");
	api_stop(&t);
	ear_close(&x);
	devbroker_close(&d);
}
END_TEST

static const TTest *const tests[] = {events_arrive_filtered_and_go_on_after_the_last_id, sigterm_ends_streams};
TEST_MAIN("events", tests)

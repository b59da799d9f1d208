/* test_events.c -- events as they happen: Kafka (the development broker) in, Server-Sent Events out. */
#include "bus/bus.h"
#include "tests/api/api_test.h"

struct ear {
	pthread_t thread;
	pthread_mutex_t lock;
	struct buf heard;
	bool stop;
	char url[300], last_id[100];
	int status;
};

static bool hear(void *user, const char *data, size_t len)
{
	struct ear *x = user;

	pthread_mutex_lock(&x->lock);
	buf_add(&x->heard, data, len);
	bool go_on = !x->stop;
	pthread_mutex_unlock(&x->lock);
	return go_on;
}

static bool goes_on(void *user)
{
	struct ear *x = user;

	pthread_mutex_lock(&x->lock);
	bool go_on = !x->stop;
	pthread_mutex_unlock(&x->lock);
	return go_on;
}

static void *listen_main(void *user)
{
	struct ear *x = user;
	struct err e = {0};
	struct http_client *http = http_client_open(NULL, &e);
	struct http_answer a = {0};
	const char *const headers[] = {x->last_id[0] ? x->last_id : NULL, NULL};

	if (http && http_client_call(http,
	                    &(struct http_call){
	                            .url = x->url, .headers = headers, .timeout_ms = -1, .on_data = hear, .go_on = goes_on, .user = x},
	                    &a, &e))
		x->status = a.status;
	http_answer_close(&a);
	http_client_close(&http);
	return NULL;
}

static void ear_open(struct ear *x, struct api_test *t, const char *query, const char *last_id)
{
	memset(x, 0, sizeof *x);
	pthread_mutex_init(&x->lock, NULL);
	snprintf(x->url, sizeof x->url, "http://127.0.0.1:%d/api/events%s", t->ports[0], query);
	if (last_id)
		snprintf(x->last_id, sizeof x->last_id, "Last-Event-ID: %s", last_id);
	ck_assert_int_eq(pthread_create(&x->thread, NULL, listen_main, x), 0);
}

static void ear_close(struct ear *x)
{
	pthread_mutex_lock(&x->lock);
	x->stop = true;
	pthread_mutex_unlock(&x->lock);
	pthread_join(x->thread, NULL);
	buf_close(&x->heard);
	pthread_mutex_destroy(&x->lock);
}

struct heard {
	struct ear *ear;
	const char *part;
};

static bool has_heard(void *user)
{
	struct heard *h = user;

	pthread_mutex_lock(&h->ear->lock);
	bool yes = strstr(buf_text(&h->ear->heard), h->part) != NULL;
	pthread_mutex_unlock(&h->ear->lock);
	return yes;
}

static void ck_hears(struct ear *x, const char *part)
{
	ck_assert_msg(test_until(20000, has_heard, &(struct heard){x, part}), "'%s' was not heard in '%.1000s'", part, buf_text(&x->heard));
}

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
	ear_open(&all, &t, "", NULL);
	ear_open(&some, &t, "?symbol=BBBUSDT&type=kline.", NULL);
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
	ear_open(&again, &t, "", id);
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
	ear_open(&x, &t, "", NULL);
	ck_hears(&x, ": listening");
	api_stop(&t);
	ear_close(&x);
	devbroker_close(&d);
}
END_TEST

static const TTest *const tests[] = {events_arrive_filtered_and_go_on_after_the_last_id, sigterm_ends_streams};
TEST_MAIN("events", tests)

/* ear.h -- a client of a stream of Server-Sent Events, on a thread of its own: what it heard, and whether the server ended it. */
#ifndef TESTS_API_EAR_H
#define TESTS_API_EAR_H

#include "tests/api/api_test.h"

struct ear {
	pthread_t thread;
	pthread_mutex_t lock;
	struct buf heard;
	bool stop, ended;
	char url[300], last_id[300];
	int status;
};

static inline bool hear(void *user, const char *data, size_t len)
{
	struct ear *x = user;

	pthread_mutex_lock(&x->lock);
	buf_add(&x->heard, data, len);
	bool go_on = !x->stop;
	pthread_mutex_unlock(&x->lock);
	return go_on;
}

static inline bool goes_on(void *user)
{
	struct ear *x = user;

	pthread_mutex_lock(&x->lock);
	bool go_on = !x->stop;
	pthread_mutex_unlock(&x->lock);
	return go_on;
}

static inline void *listen_main(void *user)
{
	struct ear *x = user;
	struct err e = {0};
	struct http_client *http = http_client_open(NULL, &e);
	struct http_answer a = {0};
	const char *const headers[] = {x->last_id[0] ? x->last_id : NULL, NULL};
	bool ok =
	        http && http_client_call(http,
	                        &(struct http_call){
	                                .url = x->url, .headers = headers, .timeout_ms = -1, .on_data = hear, .go_on = goes_on, .user = x},
	                        &a, &e);

	pthread_mutex_lock(&x->lock);
	x->status = a.status;
	x->ended = ok;
	pthread_mutex_unlock(&x->lock);
	http_answer_close(&a);
	http_client_close(&http);
	return NULL;
}

static inline void ear_open(struct ear *x, struct api_test *t, const char *path, const char *last_id)
{
	memset(x, 0, sizeof *x);
	pthread_mutex_init(&x->lock, NULL);
	snprintf(x->url, sizeof x->url, "http://127.0.0.1:%d%s", t->ports[0], path);
	if (last_id)
		snprintf(x->last_id, sizeof x->last_id, "Last-Event-ID: %s", last_id);
	ck_assert_int_eq(pthread_create(&x->thread, NULL, listen_main, x), 0);
}

static inline void ear_close(struct ear *x)
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

static inline bool has_heard(void *user)
{
	struct heard *h = user;

	pthread_mutex_lock(&h->ear->lock);
	bool yes = strstr(buf_text(&h->ear->heard), h->part) != NULL;
	pthread_mutex_unlock(&h->ear->lock);
	return yes;
}

static inline bool has_ended(void *user)
{
	struct ear *x = user;

	pthread_mutex_lock(&x->lock);
	bool ended = x->ended;
	pthread_mutex_unlock(&x->lock);
	return ended;
}

static inline void ck_hears(struct ear *x, const char *part)
{
	ck_assert_msg(test_until(20000, has_heard, &(struct heard){x, part}), "'%s' was not heard in '%.1500s'", part, buf_text(&x->heard));
}

/* The server closes the stream by itself. */
static inline void ck_ends(struct ear *x)
{
	ck_assert_msg(test_until(20000, has_ended, x), "the stream goes on after '%.1500s'", buf_text(&x->heard));
}

#endif

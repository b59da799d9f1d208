/* client.h -- an HTTP client (door to libcurl): one request at a time, timeouts on everything, answers bounded. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct http_client; /* keeps its connection alive between requests */

struct http_client_options {
	int connect_timeout_ms; /* 0: 5000 */
	int timeout_ms;         /* whole request; 0: 30000, -1: no limit */
	int stall_timeout_ms;   /* less than a byte a second for so long (whole seconds); 0: 10000, -1: no limit */
	size_t max_body;        /* 0: 64 MiB */
	const char *proxy;      /* NULL: none */
	const char *user_agent; /* NULL: "barque" */
};

struct http_call {
	const char *method; /* NULL: GET */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
	const char *body;           /* NULL: none */
	size_t body_len;
	int timeout_ms; /* 0: the client's; -1: no limit */
	/* When set, body bytes go here as they come (SSE) instead of into the answer; false ends the call with ERR_CANCELLED. */
	bool (*on_data)(void *user, const char *data, size_t len);
	void *user;
	bool (*go_on)(void *user); /* asked about once a second (NULL: never); false ends the call with ERR_CANCELLED */
};

struct http_answer {
	int status;
	struct buf body;
	struct buf headers; /* "name: value\n" lines, names in lower case */
};

struct http_client *http_client_open(const struct http_client_options *o, struct err *e) MUST_CHECK; /* o may be NULL */
void http_client_close(struct http_client **c);
/* True whenever an HTTP answer came, whatever its status. ERR_UNAVAILABLE: no connection; ERR_TIMEOUT; ERR_UNSURE: cut after
 * the request was sent; ERR_FULL: body over max_body; ERR_DENIED: certificate not accepted; ERR_INVALID: bad URL. Redirects are
 * answers too: none is followed. `out` must be zeros or an earlier answer; it is cleared first; http_answer_close frees. */
bool http_client_call(struct http_client *c, const struct http_call *call, struct http_answer *out, struct err *e) MUST_CHECK;
void http_answer_close(struct http_answer *a);
/* Value of a header (lower-case name) copied whole into out[size]; false when absent or too long. */
bool http_answer_header(const struct http_answer *a, const char *name, char *out, size_t size) MUST_CHECK;
void http_escape(struct buf *out, const char *s); /* percent-encoding for a query value or path part */

#endif

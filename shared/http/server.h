/* server.h -- an HTTP/1.1 server (door to libmicrohttpd): several ports, a few threads, requests that can be parked.
 *
 * A handler runs on a server thread when the whole request (bounded body) has arrived. It must either answer (http_reply*) or
 * park the request (http_park); a parked request costs no thread and is answered later from any thread by http_reply* on the
 * same request, or by on_timeout. A parked request whose client went away is told to on_timeout with gone = true.
 * Every request ends by exactly one of these; after it the pointer is dead.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/base.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

struct http_server;
struct http_request;

struct http_server_options {
	const char *address; /* "127.0.0.1" or "0.0.0.0" */
	const int *ports;    /* each a port to listen on; 0 picks a free one */
	size_t n_ports;
	int threads;        /* per port; 0: 4 */
	size_t max_body;    /* 0: 8 MiB; more: 413 */
	int idle_timeout_s; /* of connections; 0: 60 */
	/* A thread's own things (queue, store): made at its first request, freed at stop. May be NULL. */
	void *(*thread_open)(void *user);
	void (*thread_close)(void *thread, void *user);
	void *user;
};

typedef void http_handler(struct http_request *r, void *thread, void *user);

/* e: "port 8000 is in use by another program; stop it or set API_PORT" and the like. */
struct http_server *http_server_open(const struct http_server_options *o, http_handler *handler, struct err *e) MUST_CHECK;
int http_server_port(const struct http_server *s, size_t i); /* the real one, for ports[i] == 0 */
void http_server_close(struct http_server **s);              /* no new requests; parked ones get 503; returns when all threads ended */

/* The request. Texts live as long as the request. */
const char *http_method(const struct http_request *r);
const char *http_path(const struct http_request *r); /* decoded */
int http_port(const struct http_request *r);         /* the listening port, as configured */
const char *http_peer(const struct http_request *r);
const char *http_query(struct http_request *r, const char *name);  /* decoded; NULL: absent */
const char *http_header(struct http_request *r, const char *name); /* any case; NULL: absent */
const char *http_body(const struct http_request *r, size_t *len_out);
struct arena *http_arena(struct http_request *r);
int64_t http_age_us(const struct http_request *r); /* since it was complete */

/* The answer. Headers first; http_reply takes the bytes of body by copy; http_reply_buf takes over the buffer. */
void http_reply_header(struct http_request *r, const char *name, const char *value);
void http_reply(struct http_request *r, int status, const char *content_type, const char *body, size_t len);
void http_reply_buf(struct http_request *r, int status, const char *content_type, struct buf *body);
/* An answer that goes on: more() fills b with what there is (leaving it empty = nothing yet, asked again within 250 ms) and
 * returns false after the last bytes; closed() is always called once in the end. For SSE and long downloads. */
void http_reply_stream(struct http_request *r, int status, const char *content_type, bool (*more)(void *user, struct buf *b),
        void (*closed)(void *user), void *user);

/* For simulators and tests of clients: an answer that promises `promised` bytes, sends len of them and cuts the connection;
 * with promised 0 the connection is reset without any answer. */
void http_reply_cut(struct http_request *r, int status, const char *content_type, const char *body, size_t len, size_t promised);

/* Park until http_reply* or until timeout_ms is over; on_timeout then must answer unless gone.
 *
 * Who keeps parked requests in a table of its own follows two rules. 1. To answer from another thread, take the request out of the
 * table and call http_reply* while holding the table's lock. 2. on_timeout (which runs on the server's watch thread and must not
 * block) takes the same lock; a request that is no longer in the table was answered by somebody else: return. The pointer stays
 * valid until on_timeout returns. gone: nobody waits for the answer any more (the client went away, or the server closes and
 * has answered 503 itself): forget the request; it is dead when on_timeout returns. */
void http_park(struct http_request *r, int64_t timeout_ms, void (*on_timeout)(struct http_request *r, bool gone, void *user), void *user);

#endif

/* server_private.h -- what server.c (the door to libmicrohttpd) and server_watch.c (its watch thread) share.
 *
 * A request's way, each move made under server->lock:
 *
 *     reading --> handling --> answered --> queued, freed when libmicrohttpd is done with it
 *                     |            ^
 *                     +-> parked --+   (a sleeper; its connection is suspended)
 *                            |
 *                            +-> gone: cut and freed
 *
 * Rules: 1. a connection is suspended exactly while its sleeper is linked and `down`; 2. nothing of libmicrohttpd is called
 * with the lock held; 3. while `pinned` a request is not freed: the watch thread does it after on_timeout.
 */
#ifndef HTTP_SERVER_PRIVATE_H
#define HTTP_SERVER_PRIVATE_H

#include <pthread.h>

#include "http/server.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

/* A suspended connection: a parked request, or a stream that has nothing to say at the moment. */
struct sleeper {
	struct sleeper *prev, *next;
	struct http_request *request; /* NULL: a stream */
	struct MHD_Connection *conn;
	int fd;
	int64_t due_ms; /* clock_mono_ms */
	bool linked;
	bool down;     /* libmicrohttpd was told to suspend it */
	bool wake_now; /* somebody wanted to wake it before it was down */
};

/* An open connection, so that one that never finishes its request can be cut. */
struct link {
	struct link *prev, *next;
	int fd;
	bool busy; /* a complete request is being served */
	int64_t since_ms;
};

struct port {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	int configured, real, fd;
};

struct http_server {
	struct http_server_options options;
	http_handler *handler;
	struct port *ports;
	size_t n_ports;
	pthread_key_t thread_key; /* struct thread_thing: a thread's own things */
	pthread_mutex_t lock;     /* guards everything below */
	pthread_cond_t changed;
	pthread_t watch;
	bool watching; /* the thread runs */
	bool closing, watch_end;
	struct sleeper *sleepers;
	size_t n_sleepers;
	struct link *links;
	int64_t n_requests;    /* alive */
	int64_t next_check_ms; /* of lost clients and slow requests */
	int64_t next_wake_ms;  /* the watch thread sleeps until then */
};

struct reply_header {
	struct reply_header *next;
	const char *name, *value;
};

struct http_request {
	struct http_server *server;
	struct port *port;
	struct MHD_Connection *conn;
	struct link *link;
	struct arena *arena;
	const char *method, *path;
	char peer[64];
	struct buf body;
	bool too_large;
	int64_t complete_us; /* 0: still reading */
	struct reply_header *headers;

	bool answered, parked, cut, gone;
	struct MHD_Response *response;
	int status;

	struct sleeper sleeper;
	void (*on_timeout)(struct http_request *r, bool gone, void *user);
	void *park_user;
	int64_t park_ms;
	bool pinned, dead;
};

/* server_watch.c: one thread for all ports. */
bool watch_start(struct http_server *s, struct err *e) MUST_CHECK;
void watch_stop(struct http_server *s);
bool socket_is_gone(int fd); /* the other side closed or broke the connection */
void link_add(struct http_server *s, struct link *l);
void link_remove(struct http_server *s, struct link *l);
/* false: the server closes, do not suspend. The caller suspends the connection between begin and end; end returns true
 * when it must be resumed at once. */
bool sleep_begin(struct http_server *s, struct sleeper *sl, int64_t due_ms) MUST_CHECK;
bool sleep_end(struct http_server *s, struct sleeper *sl) MUST_CHECK;
/* With the lock held: true when the caller must now resume the connection (after it gave the lock back). */
bool sleep_wake(struct http_server *s, struct sleeper *sl) MUST_CHECK;

/* server.c, for the watch thread; without the lock. */
void connection_resume(struct MHD_Connection *conn);
void request_refuse(struct http_request *r); /* 503, unless it was answered already */
void request_drop(struct http_request *r);   /* its client is gone: end it without an answer, unless it was answered */
void request_free(struct http_request *r);

#endif

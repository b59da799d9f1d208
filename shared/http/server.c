/* server.c -- the door to libmicrohttpd: ports, threads, requests in, answers out. Parking and time limits: server_watch.c. */
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/server_private.h"

#define THREADS           4
#define MAX_BODY          ((size_t)8 << 20)
#define IDLE_TIMEOUT_S    60
#define CONNECTIONS_MAX   16384
#define CONNECTION_MEMORY ((size_t)16 << 10) /* bounds the request's line and headers */
#define STREAM_BLOCK      ((size_t)16 << 10)
#define STREAM_ASK_MS     100  /* a stream that had nothing is asked again after so long */
#define DRAIN_MS          5000 /* http_server_close waits so long for answers that are under way */

/* ---- a thread's own things ---------------------------------------------------------------------------------- */

struct thread_thing {
	struct http_server *server;
	void *thing;
};

static void thread_end(void *user)
{
	struct thread_thing *t = user;
	const struct http_server_options *o = &t->server->options;
	if (o->thread_close)
		o->thread_close(t->thing, o->user);
	mem_free(&t);
}

static void *thread_thing(struct http_server *s)
{
	if (!s->options.thread_open)
		return NULL;
	struct thread_thing *t = pthread_getspecific(s->thread_key);
	if (!t) {
		t = mem_new(sizeof(*t));
		t->server = s;
		t->thing = s->options.thread_open(s->options.user);
		pthread_setspecific(s->thread_key, t);
	}
	return t->thing;
}

/* ---- the life of a request ---------------------------------------------------------------------------------- */

static void peer_print(struct MHD_Connection *conn, char *out, size_t size)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = i ? i->client_addr : NULL;
	if (!a)
		return;
	socklen_t len = a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (getnameinfo(a, len, out, (socklen_t)size, NULL, 0, NI_NUMERICHOST))
		out[0] = '\0';
}

static struct http_request *request_new(struct port *p, struct MHD_Connection *conn, const char *method, const char *path)
{
	struct http_request *r = mem_new(sizeof(*r));
	r->server = p->server;
	r->port = p;
	r->conn = conn;
	r->arena = arena_open();
	r->method = arena_strdup(r->arena, method);
	r->path = arena_strdup(r->arena, path);
	peer_print(conn, r->peer, sizeof(r->peer));
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	r->link = i ? i->socket_context : NULL;
	i = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	r->sleeper.fd = i ? i->connect_fd : -1;
	r->sleeper.request = r;
	r->sleeper.conn = conn;
	pthread_mutex_lock(&p->server->lock);
	p->server->n_requests++;
	pthread_mutex_unlock(&p->server->lock);
	return r;
}

void request_free(struct http_request *r)
{
	struct http_server *s = r->server;
	if (r->response)
		MHD_destroy_response(r->response);
	buf_close(&r->body);
	arena_close(&r->arena);
	mem_free(&r);
	pthread_mutex_lock(&s->lock);
	s->n_requests--;
	if (s->closing)
		pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **req_cls, enum MHD_RequestTerminationCode why)
{
	struct http_request *r = *req_cls;
	UNUSED(cls), UNUSED(conn), UNUSED(why);
	if (!r)
		return;
	*req_cls = NULL;
	pthread_mutex_lock(&r->server->lock);
	if (r->link) {
		r->link->busy = false;
		r->link->since_ms = clock_mono_ms();
	}
	r->dead = true;
	bool pinned = r->pinned;
	pthread_mutex_unlock(&r->server->lock);
	if (!pinned)
		request_free(r);
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = ((struct port *)cls)->server;
	struct link *l = *context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *i = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
		l = mem_new(sizeof(*l));
		l->fd = i ? i->connect_fd : -1;
		link_add(s, l);
		*context = l;
	} else if (l) {
		link_remove(s, l);
		mem_free(&l);
		*context = NULL;
	}
}

/* Percent-decoding in place. %00 and broken escapes stay as they are: a NUL would cut the text. */
static size_t on_unescape(void *cls, struct MHD_Connection *conn, char *s)
{
	UNUSED(cls), UNUSED(conn);
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	char *out = s;
	for (const char *in = s; *in; in++) {
		const char *hi = in[0] == '%' && in[1] ? strchr(digits, in[1]) : NULL;
		const char *lo = hi && in[2] ? strchr(digits, in[2]) : NULL;
		int c = lo ? (int)((hi - digits) % 16 * 16 + (lo - digits) % 16) : 0;
		*out++ = c ? (char)c : *in;
		in += c ? 2 : 0;
	}
	*out = '\0';
	return (size_t)(out - s);
}

/* ---- answering ---------------------------------------------------------------------------------------------- */

void connection_resume(struct MHD_Connection *conn)
{
	MHD_resume_connection(conn);
}

/* The one place where a request becomes answered. A second answer is dropped (see http_park about races). */
static void answer(struct http_request *r, int status, struct MHD_Response *response, bool cut)
{
	pthread_mutex_lock(&r->server->lock);
	bool first = !r->answered;
	bool wake = false;
	struct MHD_Connection *conn = r->conn;
	if (first) {
		r->answered = true;
		r->status = status;
		r->response = response;
		r->cut = cut;
		wake = sleep_wake(r->server, &r->sleeper);
	}
	pthread_mutex_unlock(&r->server->lock);
	if (wake)
		MHD_resume_connection(conn); /* from here on r may be dead */
	if (!first && response)
		MHD_destroy_response(response);
}

static void headers_put(struct http_request *r, struct MHD_Response *response, const char *content_type)
{
	if (content_type && MHD_add_response_header(response, "Content-Type", content_type) != MHD_YES)
		log_warn("http: cannot send the content type \"%s\"", content_type);
	for (struct reply_header *h = r->headers; h; h = h->next) {
		if (MHD_add_response_header(response, h->name, h->value) != MHD_YES)
			log_warn("http: cannot send the header %s", h->name);
	}
}

static void answer_with(struct http_request *r, int status, const char *content_type, struct MHD_Response *response)
{
	assert(response);
	headers_put(r, response, content_type);
	answer(r, status, response, false);
}

void http_reply_header(struct http_request *r, const char *name, const char *value)
{
	struct reply_header *h = arena_new(r->arena, sizeof(*h));
	struct reply_header **end = &r->headers;
	h->name = arena_strdup(r->arena, name);
	h->value = arena_strdup(r->arena, value);
	while (*end)
		end = &(*end)->next;
	*end = h;
}

void http_reply(struct http_request *r, int status, const char *content_type, const char *body, size_t len)
{
	union {
		const char *in;
		void *out;
	} text = {.in = body ? body : ""}; /* libmicrohttpd copies it, but asks for a pointer without const */
	answer_with(r, status, content_type, MHD_create_response_from_buffer(len, text.out, MHD_RESPMEM_MUST_COPY));
}

static void text_free(void *text)
{
	mem_free(&text);
}

void http_reply_buf(struct http_request *r, int status, const char *content_type, struct buf *body)
{
	size_t len = body->len;
	answer_with(r, status, content_type, MHD_create_response_from_buffer_with_free_callback(len, buf_detach(body), text_free));
}

static void request_error(struct http_request *r, int status, const char *json)
{
	answer_with(r, status, "application/json",
	        MHD_create_response_from_buffer_with_free_callback(strlen(json), mem_strdup(json), text_free));
}

void request_refuse(struct http_request *r)
{
	request_error(r, 503, "{\"detail\":\"the server is closing; ask again\"}");
}

void request_drop(struct http_request *r)
{
	answer(r, 0, NULL, true);
}

/* ---- streams and cut answers -------------------------------------------------------------------------------- */

struct stream {
	struct http_server *server;
	struct sleeper sleeper;
	bool (*more)(void *user, struct buf *b);
	void (*closed)(void *user);
	void *user;
	struct buf pending;
	size_t sent; /* of pending */
	bool ended;
};

static bool server_closing(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	bool closing = s->closing;
	pthread_mutex_unlock(&s->lock);
	return closing;
}

static void stream_rest(struct stream *st)
{
	if (!sleep_begin(st->server, &st->sleeper, clock_mono_ms() + STREAM_ASK_MS))
		return;
	MHD_suspend_connection(st->sleeper.conn);
	if (sleep_end(st->server, &st->sleeper))
		MHD_resume_connection(st->sleeper.conn);
}

static ssize_t on_stream(void *cls, uint64_t pos, char *out, size_t max)
{
	struct stream *st = cls;
	UNUSED(pos);
	if (st->sent == st->pending.len && !st->ended) {
		if (socket_is_gone(st->sleeper.fd))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		buf_clear(&st->pending);
		st->sent = 0;
		st->ended = server_closing(st->server) || !st->more(st->user, &st->pending);
	}
	size_t n = st->pending.len - st->sent;
	if (!n && st->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!n) {
		stream_rest(st);
		return 0;
	}
	n = n < max ? n : max;
	memcpy(out, st->pending.data + st->sent, n);
	st->sent += n;
	return (ssize_t)n;
}

static void stream_free(void *cls)
{
	struct stream *st = cls;
	if (st->closed)
		st->closed(st->user);
	buf_close(&st->pending);
	mem_free(&st);
}

void http_reply_stream(struct http_request *r, int status, const char *content_type, bool (*more)(void *user, struct buf *b),
        void (*closed)(void *user), void *user)
{
	struct stream *st = mem_new(sizeof(*st));
	st->server = r->server;
	st->sleeper.conn = r->conn;
	st->sleeper.fd = r->sleeper.fd;
	st->more = more;
	st->closed = closed;
	st->user = user;
	answer_with(r, status, content_type, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_stream, st, stream_free));
}

static ssize_t on_cut(void *cls, uint64_t pos, char *out, size_t max)
{
	const struct buf *b = cls;
	if (pos >= b->len)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t n = b->len - (size_t)pos < max ? b->len - (size_t)pos : max;
	memcpy(out, b->data + pos, n);
	return (ssize_t)n;
}

static void cut_free(void *cls)
{
	struct buf *b = cls;
	buf_close(b);
	mem_free(&b);
}

void http_reply_cut(struct http_request *r, int status, const char *content_type, const char *body, size_t len, size_t promised)
{
	if (!promised) {
		struct linger now = {.l_onoff = 1, .l_linger = 0}; /* close sends a reset */
		setsockopt(r->sleeper.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		answer(r, 0, NULL, true);
		return;
	}
	struct buf *b = mem_new(sizeof(*b));
	buf_add(b, body, len);
	answer_with(r, status, content_type, MHD_create_response_from_callback(promised, STREAM_BLOCK, on_cut, b, cut_free));
}

/* ---- requests in -------------------------------------------------------------------------------------------- */

static enum MHD_Result send_answer(struct http_request *r)
{
	if (r->cut)
		return MHD_NO;
	enum MHD_Result ok = MHD_queue_response(r->conn, (unsigned)r->status, r->response);
	MHD_destroy_response(r->response); /* our reference; libmicrohttpd has its own */
	r->response = NULL;
	return ok;
}

/* The handler parked it: suspend, unless it was answered meanwhile. */
static enum MHD_Result put_to_sleep(struct http_request *r)
{
	struct MHD_Connection *conn = r->conn;
	if (!sleep_begin(r->server, &r->sleeper, clock_mono_ms() + r->park_ms)) {
		request_refuse(r);
		if (r->on_timeout)
			r->on_timeout(r, true, r->park_user);
		return send_answer(r);
	}
	MHD_suspend_connection(conn);
	pthread_mutex_lock(&r->server->lock);
	if (r->answered) /* before the sleeper was linked, so that nobody would wake it */
		r->sleeper.wake_now = true;
	pthread_mutex_unlock(&r->server->lock);
	if (sleep_end(r->server, &r->sleeper))
		MHD_resume_connection(conn); /* libmicrohttpd calls on_request again */
	return MHD_YES;
}

static bool is_answered(struct http_request *r)
{
	pthread_mutex_lock(&r->server->lock);
	bool yes = r->answered;
	pthread_mutex_unlock(&r->server->lock);
	return yes;
}

static enum MHD_Result serve(struct http_request *r)
{
	struct http_server *s = r->server;
	pthread_mutex_lock(&s->lock);
	r->complete_us = clock_mono_us();
	if (r->link)
		r->link->busy = true;
	bool closing = s->closing;
	pthread_mutex_unlock(&s->lock);
	if (closing)
		request_refuse(r);
	else if (r->too_large)
		request_error(r, 413, "{\"detail\":\"the body is too large\"}");
	else
		s->handler(r, thread_thing(s), s->options.user);
	if (is_answered(r))
		return send_answer(r);
	assert(r->parked); /* a handler must answer or park */
	return put_to_sleep(r);
}

static enum MHD_Result take_body(struct http_request *r, const char *data, size_t *len)
{
	size_t max = r->server->options.max_body;
	if (!r->too_large && *len <= max - r->body.len) {
		buf_add(&r->body, data, *len);
	} else {
		r->too_large = true;
		buf_close(&r->body);
	}
	*len = 0;
	return MHD_YES;
}

/* A declared length over the limit is refused before a byte of it is read; libmicrohttpd then closes the connection. */
static bool declared_too_large(struct http_request *r)
{
	const char *text = MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, "Content-Length");
	int64_t n;
	return text && (!str_int(text, 0, INT64_MAX, &n) || (uint64_t)n > r->server->options.max_body);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method, const char *version,
        const char *data, size_t *data_len, void **req_cls)
{
	struct http_request *r = *req_cls;
	UNUSED(version);
	if (!r) {
		*req_cls = r = request_new(cls, conn, method, url);
		r->too_large = declared_too_large(r);
		return r->too_large ? serve(r) : MHD_YES;
	}
	if (r->complete_us && is_answered(r))
		return r->response || r->cut ? send_answer(r) : MHD_YES;
	if (*data_len && r->too_large)
		return MHD_NO; /* it does not stop sending */
	if (*data_len)
		return take_body(r, data, data_len);
	return serve(r);
}

/* ---- opening and closing ------------------------------------------------------------------------------------ */

static bool address_of(const char *text, int port, struct sockaddr_storage *out, socklen_t *len_out, struct err *e)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char service[16];
	snprintf(service, sizeof(service), "%d", port);
	int rc = getaddrinfo(text, service, &hints, &found);
	if (rc)
		return err_set(
		        e, ERR_INVALID, "\"%s\" is not an address to listen on (try 127.0.0.1 or 0.0.0.0): %s", text, gai_strerror(rc));
	memcpy(out, found->ai_addr, found->ai_addrlen);
	*len_out = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static bool bind_failed(const char *address, int port, int error, struct err *e)
{
	if (error == EADDRINUSE)
		return err_set(e, ERR_CONFLICT, "port %d is in use by another program; stop it or choose another port", port);
	if (error == EACCES)
		return err_set(e, ERR_DENIED, "no right to listen on port %d; choose one above 1023", port);
	return err_set(e, ERR_INVALID, "cannot listen on %s port %d: %s", address, port, strerror(error));
}

static bool port_bind(struct port *p, const char *address, struct err *e)
{
	struct sockaddr_storage a = {0};
	socklen_t len = 0;
	int on = 1;
	if (!address_of(address, p->configured, &a, &len, e))
		return false;
	p->fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return err_set(e, ERR_UNAVAILABLE, "cannot make a socket: %s", strerror(errno));
	setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(p->fd, (struct sockaddr *)&a, len) || listen(p->fd, 1024))
		return bind_failed(address, p->configured, errno, e);
	if (getsockname(p->fd, (struct sockaddr *)&a, &len))
		return err_set(e, ERR_INTERNAL, "cannot read the port: %s", strerror(errno));
	p->real = ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
	return true;
}

static void on_library_message(void *cls, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void on_library_message(void *cls, const char *fmt, va_list ap)
{
	char text[256];
	UNUSED(cls);
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

static unsigned connections_max(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur == RLIM_INFINITY || l.rlim_cur > CONNECTIONS_MAX + 256)
		return CONNECTIONS_MAX;
	return l.rlim_cur > 320 ? (unsigned)(l.rlim_cur - 256) : 64; /* the rest is for the program's own files */
}

static bool port_start(struct port *p, struct err *e)
{
	const struct http_server_options *o = &p->server->options;
	if (!port_bind(p, o->address, e))
		return false;
	p->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
	        (uint16_t)p->real, NULL, NULL, on_request, p, MHD_OPTION_EXTERNAL_LOGGER, on_library_message, NULL,
	        MHD_OPTION_LISTEN_SOCKET, p->fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)(o->threads > 1 ? o->threads : 0),
	        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, p,
	        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_timeout_s,
	        MHD_OPTION_CONNECTION_LIMIT, connections_max(), MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_END);
	if (!p->daemon)
		return err_set(e, ERR_UNAVAILABLE, "libmicrohttpd cannot serve port %d: %s", p->real, strerror(errno));
	return true;
}

static void options_fill(struct http_server_options *o)
{
	o->threads = o->threads ? o->threads : THREADS;
	o->max_body = o->max_body ? o->max_body : MAX_BODY;
	o->idle_timeout_s = o->idle_timeout_s ? o->idle_timeout_s : IDLE_TIMEOUT_S;
}

/* Signals are for the program's own thread: ours are started with all of them blocked. */
static bool start_threads(struct http_server *s, struct err *e)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	bool ok = watch_start(s, e);
	for (size_t i = 0; ok && i < s->n_ports; i++)
		ok = port_start(&s->ports[i], e);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

struct http_server *http_server_open(const struct http_server_options *o, http_handler *handler, struct err *e)
{
	struct http_server *s = mem_new(sizeof(*s));
	pthread_condattr_t monotonic;
	s->options = *o;
	options_fill(&s->options);
	s->handler = handler;
	s->next_wake_ms = INT64_MAX;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int rc = pthread_key_create(&s->thread_key, thread_end);
	assert(!rc);
	s->n_ports = o->n_ports;
	s->ports = mem_array(o->n_ports, sizeof(*s->ports));
	for (size_t i = 0; i < o->n_ports; i++)
		s->ports[i] = (struct port){.server = s, .configured = o->ports[i], .fd = -1};
	s->options.ports = NULL; /* the caller's, gone after this call */
	if (!start_threads(s, e))
		http_server_close(&s);
	return s;
}

int http_server_port(const struct http_server *s, size_t i)
{
	return i < s->n_ports ? s->ports[i].real : -1;
}

/* Wait until no connection is suspended and, for at most DRAIN_MS, until every answer under way is out. */
static void drain(struct http_server *s)
{
	int64_t end_ms = clock_mono_ms() + DRAIN_MS;
	pthread_mutex_lock(&s->lock);
	while (s->n_sleepers || (s->n_requests && clock_mono_ms() < end_ms)) {
		struct timespec ts;
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += 50 * 1000000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&s->changed, &s->lock, &ts);
	}
	pthread_mutex_unlock(&s->lock);
}

static void port_stop(struct port *p)
{
	if (p->daemon)
		MHD_stop_daemon(p->daemon);
	if (p->fd >= 0)
		close(p->fd);
}

void http_server_close(struct http_server **server)
{
	struct http_server *s = *server;
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_ports; i++) {
		if (s->ports[i].daemon && MHD_quiesce_daemon(s->ports[i].daemon) == MHD_INVALID_SOCKET)
			s->ports[i].fd = -1; /* it keeps the socket and closes it when it stops */
	}
	drain(s);
	for (size_t i = 0; i < s->n_ports; i++)
		port_stop(&s->ports[i]);
	watch_stop(s);
	pthread_key_delete(s->thread_key);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	mem_free(&s->ports);
	mem_free(server);
}

/* ---- what a handler may ask --------------------------------------------------------------------------------- */

const char *http_method(const struct http_request *r)
{
	return r->method;
}

const char *http_path(const struct http_request *r)
{
	return r->path;
}

int http_port(const struct http_request *r)
{
	return r->port->configured;
}

const char *http_peer(const struct http_request *r)
{
	return r->peer;
}

static const char *value_of(struct http_request *r, enum MHD_ValueKind kind, const char *name)
{
	const char *value = NULL;
	size_t len = 0;
	if (MHD_lookup_connection_value_n(r->conn, kind, name, strlen(name), &value, &len) != MHD_YES)
		return NULL;
	return value ? value : "";
}

const char *http_query(struct http_request *r, const char *name)
{
	return value_of(r, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(struct http_request *r, const char *name)
{
	return value_of(r, MHD_HEADER_KIND, name);
}

const char *http_body(const struct http_request *r, size_t *len_out)
{
	if (len_out)
		*len_out = r->body.len;
	return buf_text(&r->body);
}

struct arena *http_arena(struct http_request *r)
{
	return r->arena;
}

int64_t http_age_us(const struct http_request *r)
{
	return clock_mono_us() - r->complete_us;
}

void http_park(struct http_request *r, int64_t timeout_ms, void (*on_timeout)(struct http_request *r, bool gone, void *user), void *user)
{
	assert(!r->parked);
	r->parked = true;
	r->park_ms = timeout_ms > 0 ? timeout_ms : 0;
	r->on_timeout = on_timeout;
	r->park_user = user;
}

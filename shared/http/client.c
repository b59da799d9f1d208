/* client.c -- the door to libcurl: one request at a time on a connection that is kept, with limits on time and size. */
#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/client.h"

#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_MS         30000
#define STALL_TIMEOUT_MS   10000
#define MAX_BODY           ((size_t)64 << 20)
#define MAX_HEADERS        ((size_t)256 << 10)

struct http_client {
	CURL *curl;
	struct http_client_options options;
	char curl_text[CURL_ERROR_SIZE];
};

/* One call under way. */
struct transfer {
	const struct http_client *client;
	const struct http_call *call;
	struct http_answer *out;
	struct curl_slist *headers;
	bool too_long, cancelled;
};

static void library_init(void)
{
	CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);
	assert(rc == CURLE_OK);
}

struct http_client *http_client_open(const struct http_client_options *o, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, library_init);
	struct http_client *c = mem_new(sizeof(*c));
	if (o)
		c->options = *o;
	struct http_client_options *p = &c->options;
	p->connect_timeout_ms = p->connect_timeout_ms ? p->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	p->timeout_ms = p->timeout_ms ? p->timeout_ms : TIMEOUT_MS;
	p->stall_timeout_ms = p->stall_timeout_ms ? p->stall_timeout_ms : STALL_TIMEOUT_MS;
	p->max_body = p->max_body ? p->max_body : MAX_BODY;
	p->proxy = p->proxy ? mem_strdup(p->proxy) : NULL;
	p->user_agent = mem_strdup(p->user_agent ? p->user_agent : "barque");
	c->curl = curl_easy_init();
	if (!c->curl) {
		err_set(e, ERR_UNAVAILABLE, "libcurl cannot be started");
		http_client_close(&c);
	}
	return c;
}

static void owned_text_free(const char *text)
{
	union {
		const char *in;
		char *out;
	} p = {.in = text}; /* ours: copied in http_client_open */
	mem_free(&p.out);
}

void http_client_close(struct http_client **client)
{
	struct http_client *c = *client;
	if (!c)
		return;
	if (c->curl)
		curl_easy_cleanup(c->curl);
	owned_text_free(c->options.proxy);
	owned_text_free(c->options.user_agent);
	mem_free(client);
}

/* ---- libcurl calls these ------------------------------------------------------------------------------------ */

static size_t on_body(char *data, size_t one, size_t n, void *user)
{
	struct transfer *t = user;
	n *= one;
	if (t->call->on_data) {
		t->cancelled = !t->call->on_data(t->call->user, data, n);
		return t->cancelled ? 0 : n;
	}
	t->too_long = n > t->client->options.max_body - t->out->body.len;
	if (t->too_long)
		return 0;
	buf_add(&t->out->body, data, n);
	return n;
}

/* Keeps the headers of the last answer only: an interim one (100) may come before it. */
static size_t on_header(char *data, size_t one, size_t n, void *user)
{
	struct transfer *t = user;
	struct buf *b = &t->out->headers;
	size_t len = n *= one;
	if (n >= 5 && !memcmp(data, "HTTP/", 5)) {
		buf_clear(b);
		return n;
	}
	while (len && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;
	const char *colon = memchr(data, ':', len);
	if (!colon)
		return n;
	t->too_long = len > MAX_HEADERS - b->len;
	if (t->too_long)
		return 0;
	for (const char *p = data; p < colon; p++)
		buf_addc(b, (char)tolower((unsigned char)*p));
	const char *value = colon + 1;
	while (value < data + len && (*value == ' ' || *value == '\t'))
		value++;
	buf_adds(b, ": ");
	buf_add(b, value, (size_t)(data + len - value));
	buf_addc(b, '\n');
	return n;
}

static int on_tick(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct transfer *t = user;
	UNUSED(down_total), UNUSED(down), UNUSED(up_total), UNUSED(up);
	if (t->call->go_on && !t->call->go_on(t->call->user))
		t->cancelled = true;
	return t->cancelled;
}

/* ---- one call ----------------------------------------------------------------------------------------------- */

static bool add_header(struct transfer *t, const char *line)
{
	struct curl_slist *longer = curl_slist_append(t->headers, line);
	if (longer)
		t->headers = longer;
	return longer != NULL;
}

static bool set_headers(struct transfer *t, struct err *e)
{
	bool type_given = false;
	bool ok = add_header(t, "Expect:"); /* never wait for 100 Continue */
	for (const char *const *h = t->call->headers; ok && h && *h; h++) {
		if (strpbrk(*h, "\r\n"))
			return err_set(e, ERR_INVALID, "a request header holds a line break");
		type_given |= strncasecmp(*h, "content-type:", 13) == 0;
		ok = add_header(t, *h);
	}
	if (ok && !type_given)
		ok = add_header(t, "Content-Type:"); /* libcurl would call every body a form */
	return ok || err_set(e, ERR_UNAVAILABLE, "libcurl is out of memory");
}

static CURLcode set_method(CURL *curl, const struct http_call *call)
{
	const char *method = call->method ? call->method : "GET";
	CURLcode rc = CURLE_OK;
	if (str_eq(method, "HEAD"))
		return curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	if (call->body || str_eq(method, "POST") || str_eq(method, "PUT")) {
		rc |= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body ? call->body : "");
		rc |= curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
	}
	return rc | curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static CURLcode set_limits(CURL *curl, const struct http_client_options *o, const struct http_call *call)
{
	int whole_ms = call->timeout_ms ? call->timeout_ms : o->timeout_ms;
	long stall_s = o->stall_timeout_ms > 0 ? (o->stall_timeout_ms + 999) / 1000 : 0;
	CURLcode rc = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	rc |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
	rc |= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, whole_ms > 0 ? (long)whole_ms : 0L);
	rc |= curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, stall_s ? 1L : 0L);
	rc |= curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, stall_s);
	rc |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	rc |= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	rc |= curl_easy_setopt(curl, CURLOPT_PROXY, o->proxy ? o->proxy : ""); /* "" also switches http_proxy of the environment off */
	rc |= curl_easy_setopt(curl, CURLOPT_USERAGENT, o->user_agent);
	rc |= curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
	return rc;
}

static CURLcode set_callbacks(CURL *curl, struct transfer *t)
{
	CURLcode rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	rc |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	rc |= curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	rc |= curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
	rc |= curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick);
	rc |= curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
	rc |= curl_easy_setopt(curl, CURLOPT_NOPROGRESS, t->call->go_on ? 0L : 1L);
	return rc;
}

static bool set_all(struct http_client *c, struct transfer *t, struct err *e)
{
	curl_easy_reset(c->curl); /* keeps the connection */
	c->curl_text[0] = '\0';
	if (!set_headers(t, e))
		return false;
	CURLcode rc = curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->curl_text);
	rc |= curl_easy_setopt(c->curl, CURLOPT_URL, t->call->url);
	rc |= curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, t->headers);
	rc |= set_limits(c->curl, &c->options, t->call);
	rc |= set_callbacks(c->curl, t);
	rc |= set_method(c->curl, t->call);
	return rc == CURLE_OK || err_set(e, ERR_INVALID, "libcurl refuses the request to %.200s", t->call->url);
}

/* What libcurl's many codes mean for a caller; what stands in no line was cut after the request went out. */
static enum err_code code_of(CURLcode rc)
{
	static const struct {
		CURLcode curl;
		enum err_code code;
	} table[] = {
	        {CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID},
	        {CURLE_URL_MALFORMAT, ERR_INVALID},
	        {CURLE_COULDNT_RESOLVE_PROXY, ERR_UNAVAILABLE},
	        {CURLE_COULDNT_RESOLVE_HOST, ERR_UNAVAILABLE},
	        {CURLE_COULDNT_CONNECT, ERR_UNAVAILABLE},
	        {CURLE_SSL_CONNECT_ERROR, ERR_UNAVAILABLE},
	        {CURLE_PEER_FAILED_VERIFICATION, ERR_DENIED},
	        {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
	        {CURLE_WEIRD_SERVER_REPLY, ERR_CORRUPT},
	        {CURLE_BAD_CONTENT_ENCODING, ERR_CORRUPT},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].curl == rc)
			return table[i].code;
	}
	return ERR_UNSURE;
}

static bool call_failed(const struct http_client *c, const struct transfer *t, CURLcode rc, struct err *e)
{
	if (t->cancelled)
		return err_set(e, ERR_CANCELLED, "the request was cancelled");
	if (t->too_long)
		return err_set(e, ERR_FULL, "the answer is longer than %zu bytes", c->options.max_body);
	return err_set(e, code_of(rc), "%s", c->curl_text[0] ? c->curl_text : curl_easy_strerror(rc));
}

bool http_client_call(struct http_client *c, const struct http_call *call, struct http_answer *out, struct err *e)
{
	struct transfer t = {.client = c, .call = call, .out = out};
	long status = 0;
	buf_clear(&out->body);
	buf_clear(&out->headers);
	out->status = 0;
	bool ok = set_all(c, &t, e);
	if (ok) {
		CURLcode rc = curl_easy_perform(c->curl);
		ok = rc == CURLE_OK || call_failed(c, &t, rc, e);
	}
	if (ok)
		curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	out->status = (int)status;
	curl_slist_free_all(t.headers);
	return ok;
}

void http_answer_close(struct http_answer *a)
{
	buf_close(&a->body);
	buf_close(&a->headers);
	a->status = 0;
}

bool http_answer_header(const struct http_answer *a, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);
	const char *line = buf_text(&a->headers);
	while (*line) {
		const char *end = strchr(line, '\n');
		if (!strncmp(line, name, len) && !strncmp(line + len, ": ", 2))
			return str_copy_n(out, size, line + len + 2, (size_t)(end - line) - len - 2);
		line = end + 1;
	}
	return false;
}

void http_escape(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;
		if (isalnum(ch) || strchr("-._~", ch))
			buf_addc(out, *s);
		else
			buf_addf(out, "%%%02X", ch);
	}
}

/* router.c -- a request's way through the simulator: route, weight, faults, answer. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/exchange_sim/sim.h"

static const struct {
	const char *path;
	void (*handler)(struct visit *v);
} routes[ROUTE_COUNT] = {
#define ROUTE(id, path, handler) {path, handler},
#include "tests/exchange_sim/routes.def"
#undef ROUTE
};

void date_print(char out[TIME_TEXT], int64_t t_ms)
{
	static const char days[][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct time_civil c;
	time_to_civil(t_ms, &c);
	snprintf(out, TIME_TEXT, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[time_weekday(t_ms)], (unsigned)c.day % 100,
	        months[c.month - 1], (unsigned)c.year % 10000, (unsigned)c.hour % 100, (unsigned)c.minute % 100, (unsigned)c.second % 100);
}

void reply_error(struct visit *v, int status, int code, const char *fmt, ...)
{
	struct buf b = {0}, msg = {0};
	struct json_writer w = json_writer_on(&b);
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&msg, fmt, ap);
	va_end(ap);
	jw_object(&w, NULL);
	jw_int(&w, "code", code);
	jw_text(&w, "msg", buf_text(&msg));
	jw_end(&w);
	buf_close(&msg);
	http_reply_buf(v->request, status, "application/json", &b);
}

/* "limit [1,100) 1; [100,500) 2; [500,1000] 5; > 1000 10" */
static int64_t klines_weight(struct http_request *r)
{
	int64_t limit;
	const char *text = http_query(r, "limit");
	if (!text || !str_int(text, 1, 1500, &limit))
		limit = 500;
	return limit < 100 ? 1 : limit < 500 ? 2 : limit <= 1000 ? 5 : 10;
}

int64_t route_weight(enum route route, struct http_request *r)
{
	bool one = http_query(r, "symbol") != NULL;
	switch (route) {
	case ROUTE_ping:
	case ROUTE_time:
	case ROUTE_exchange_info:
		return 1;
	case ROUTE_klines:
		return klines_weight(r);
	case ROUTE_ticker_day:
		return one ? 1 : 40;
	case ROUTE_ticker_price:
		return one ? 1 : 2;
	case ROUTE_stats:
	case ROUTE_faults:
	case ROUTE_clock:
	case ROUTE_COUNT:
		return 0;
	}
	return 0;
}

static void headers(struct visit *v, int64_t used)
{
	char date[TIME_TEXT], number[32];
	date_print(date, v->now_ms);
	snprintf(number, sizeof(number), "%lld", (long long)used);
	http_reply_header(v->request, "Date", date);
	http_reply_header(v->request, "X-MBX-USED-WEIGHT-1M", number);
	http_reply_header(v->request, "X-MBX-ORDER-COUNT-1M", "0");
	http_reply_header(v->request, "x-response-time", "1ms");
}

static void refuse(struct visit *v, int status, int64_t wait_s, int64_t until_ms)
{
	char number[32];
	snprintf(number, sizeof(number), "%lld", (long long)wait_s);
	http_reply_header(v->request, "Retry-After", number);
	if (status == 429)
		reply_error(v, status, -1003,
		        "Too many requests; current limit is %lld requests per minute. Please use the websocket for live updates to avoid polling the API.",
		        (long long)v->sim->weight_limit);
	else
		reply_error(v, status, -1003,
		        "Way too many requests; IP(%s) banned until %lld. Please use the websocket for live updates to avoid bans.",
		        http_peer(v->request), (long long)until_ms);
}

/* The exchange proper: weight first, as there, then whatever goes wrong today. */
static void visit_exchange(struct visit *v, enum route route)
{
	struct sim *s = v->sim;
	int64_t used, wait_s = 0, until_ms = 0;
	pthread_mutex_lock(&s->lock);
	int status = ledger_book(s, http_peer(v->request), v->now_ms, route_weight(route, v->request), &used, &wait_s, &until_ms);
	if (!status)
		faults_roll(v);
	pthread_mutex_unlock(&s->lock);
	headers(v, used);
	if (status)
		refuse(v, status, wait_s, until_ms);
	else if (!fault_answer(v))
		routes[route].handler(v);
}

void sim_handle(struct http_request *r, void *thread, void *user)
{
	struct sim *s = user;
	struct visit v = {.sim = s, .request = r};
	int route = 0;
	UNUSED(thread);
	v.now_ms = v.data_ms = sim_now(s);
	while (route < ROUTE_COUNT && !str_eq(routes[route].path, http_path(r)))
		route++;
	pthread_mutex_lock(&s->lock);
	if (route < ROUTE_COUNT)
		s->requests[route]++;
	else
		s->unknown++;
	pthread_mutex_unlock(&s->lock);
	if (route == ROUTE_COUNT || (str_starts(http_path(r), "/fapi/") && !str_eq(http_method(r), "GET")))
		reply_error(&v, 404, -5000, "Path %s, Method %s is invalid", http_path(r), http_method(r));
	else if (str_starts(http_path(r), "/sim/"))
		routes[route].handler(&v);
	else
		visit_exchange(&v, (enum route)route);
}

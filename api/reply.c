/* reply.c -- answers of every shape, and what is counted and logged when one is given. */
#include "api/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"

#define EXCERPT_MAX 64

static const struct {
	enum err_code code;
	int status;
} statuses[] = {
        {ERR_INVALID, 422},
        {ERR_NOT_FOUND, 404},
        {ERR_CONFLICT, 409},
        {ERR_FULL, 503},
        {ERR_LIMITED, 429},
        {ERR_UNAVAILABLE, 503},
        {ERR_TIMEOUT, 503},
        {ERR_UNSURE, 503},
        {ERR_CANCELLED, 409},
        {ERR_STALE, 409},
        {ERR_DENIED, 403},
};

static const struct {
	int status;
	const char *name, *title;
} problems[] = {
        {304, "not_modified", "Not Modified"},
        {400, "bad_request", "Bad Request"},
        {401, "unauthorized", "Unauthorized"},
        {403, "forbidden", "Forbidden"},
        {404, "not_found", "Not Found"},
        {405, "method_not_allowed", "Method Not Allowed"},
        {409, "conflict", "Conflict"},
        {410, "gone", "Gone"},
        {412, "precondition_failed", "Precondition Failed"},
        {413, "too_large", "Content Too Large"},
        {415, "unsupported_media_type", "Unsupported Media Type"},
        {422, "invalid", "Unprocessable Content"},
        {429, "limited", "Too Many Requests"},
        {500, "internal", "Internal Server Error"},
        {503, "unavailable", "Service Unavailable"},
        {504, "timeout", "Gateway Timeout"},
};

int err_status(enum err_code code)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].code == code)
			return statuses[i].status;
	return 500;
}

void reply_count(struct call *c, int status)
{
	const char *route = c->route ? c->route->path : "none";
	int64_t us = http_age_us(c->r);
	enum log_level level = status >= 500 ? LOG_WARN : LOG_DEBUG;

	metrics_add(METRIC_http_requests_total, route, 1);
	metrics_observe(METRIC_http_request_seconds, route, (double)us / 1e6);
	log_at(level, "%s %s %.200s -> %d in %lld us", http_peer(c->r), http_method(c->r), http_path(c->r), status, (long long)us);
}

void reply_header(struct call *c, const char *name, const char *value)
{
	http_reply_header(c->r, name, value);
}

void reply_bytes(struct call *c, int status, const char *type, struct buf *body)
{
	reply_count(c, status);
	http_reply_buf(c->r, status, type, body);
}

void reply_json(struct call *c, int status, struct buf *body)
{
	reply_bytes(c, status, "application/json", body);
}

void reply_text(struct call *c, int status, const char *type, const char *text)
{
	reply_count(c, status);
	http_reply(c->r, status, type, text, strlen(text));
}

void reply_empty(struct call *c, int status)
{
	reply_text(c, status, "text/plain; charset=utf-8", "");
}

static void problem_members(struct json_writer *w, int status)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(problems) && problems[i].status != status)
		i++;
	struct buf type = {0};
	buf_addf(&type, "urn:barque:problem:%s", problems[i].name);
	jw_text(w, "type", buf_text(&type));
	jw_text(w, "title", problems[i].title);
	jw_int(w, "status", status);
	buf_close(&type);
}

static void reply_sentence(struct call *c, int status, const char *sentence)
{
	struct buf body = {0};
	struct json_writer w = json_writer_on(&body);

	jw_object(&w, NULL);
	if (c->problems)
		problem_members(&w, status);
	jw_text(&w, "detail", sentence);
	jw_end(&w);
	reply_bytes(c, status, c->problems ? "application/problem+json" : "application/json", &body);
}

void reply_detail(struct call *c, int status, const char *fmt, ...)
{
	struct buf sentence = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&sentence, fmt, ap);
	va_end(ap);
	reply_sentence(c, status, buf_text(&sentence));
	buf_close(&sentence);
}

void reply_retry_after(struct call *c, int64_t ms)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)(ms <= 1000 ? 1 : (ms + 999) / 1000));
	reply_header(c, "Retry-After", text);
}

void reply_err(struct call *c, const struct err *e, const char *prefix)
{
	int status = err_status(e->code);

	if (status == 503 || status == 429)
		reply_retry_after(c, e->retry_after_ms);
	if (status >= 500)
		log_warn("%s %.200s: %s: %s", http_method(c->r), http_path(c->r), err_name(e->code), e->text);
	reply_detail(c, status, "%s%s", prefix ? prefix : "", e->text);
}

const char *reply_excerpt(struct call *c, const char *text)
{
	size_t len = strlen(text);

	if (len <= EXCERPT_MAX)
		return text;
	len = EXCERPT_MAX;
	while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
		len--;
	return arena_printf(c->arena, "%.*s...", (int)len, text);
}

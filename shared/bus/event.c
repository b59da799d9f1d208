/* event.c -- CloudEvents 1.0 on Kafka: writes binary mode, reads binary and structured mode, and trusts no byte of either. */
#include "bus/event.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"
#include "base/time.h"

#define JSON_TYPE       "application/json"
#define STRUCTURED_TYPE "application/cloudevents"

/* ---- text ----------------------------------------------------------------------------------------------------- */

/* Length of the UTF-8 character at s, 0 if there is none: no overlong forms, surrogates or values above U+10FFFF. */
static size_t utf8_char(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	bool bad = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	           (s[0] == 0xf4 && s[1] > 0x8f);
	return n > 1 && bad ? 0 : n;
}

/* Texts end up in logs, in keys and on terminals: whole UTF-8, and no control characters. */
static bool is_text(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_char(p + i, len - i);
		if (n == 0 || p[i] < 0x20 || p[i] == 0x7f)
			return false;
	}
	return true;
}

static bool attribute_check(const char *name, const char *value, struct err *e)
{
	if (!value || !value[0])
		return err_set(e, ERR_INVALID, "the event has no %s", name);
	size_t len = strlen(value);
	if (len > EVENT_TEXT_MAX || !is_text(value, len))
		return err_set(e, ERR_INVALID, "the event's %s is not a text of at most %d bytes", name, EVENT_TEXT_MAX);
	return true;
}

bool event_check(const struct event *ev, struct err *e)
{
	const struct {
		const char *name, *value;
	} must[] = {{"key", ev->key}, {"id", ev->id}, {"type", ev->type}, {"source", ev->source}};
	if (!ev->topic || !str_is_name(ev->topic, EVENT_TEXT_MAX - strlen(TOPIC_PREFIX), "._-"))
		return err_set(e, ERR_INVALID, "the event has no right topic");
	for (size_t i = 0; i < ARRAY_LEN(must); i++)
		if (!attribute_check(must[i].name, must[i].value, e))
			return false;
	if (ev->subject && ev->subject[0] && !attribute_check("subject", ev->subject, e))
		return false;
	if (!ev->data || !ev->data[0] || strlen(ev->data) > EVENT_DATA_MAX)
		return err_set(e, ERR_INVALID, "the event \"%s\" has no data or more than %d bytes of it", ev->id, EVENT_DATA_MAX);
	return true;
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

size_t event_headers(const struct event *ev, struct arena *a, struct event_bytes out[EVENT_HEADERS])
{
	char *time = arena_new(a, TIME_TEXT);
	time_print_iso(time, ev->time_ms);
	size_t n = 0;
	out[n++] = (struct event_bytes){.name = "ce_specversion", .data = "1.0"};
	out[n++] = (struct event_bytes){.name = "ce_id", .data = ev->id};
	out[n++] = (struct event_bytes){.name = "ce_source", .data = ev->source};
	out[n++] = (struct event_bytes){.name = "ce_type", .data = ev->type};
	out[n++] = (struct event_bytes){.name = "ce_time", .data = time};
	out[n++] = (struct event_bytes){.name = "ce_partitionkey", .data = ev->key};
	out[n++] = (struct event_bytes){.name = "content-type", .data = JSON_TYPE};
	if (ev->subject && ev->subject[0])
		out[n++] = (struct event_bytes){.name = "ce_subject", .data = ev->subject};
	for (size_t i = 0; i < n; i++)
		out[i].len = strlen(out[i].data);
	return n;
}

/* ---- reading: binary mode ------------------------------------------------------------------------------------- */

static bool corrupt(const struct event_wire *w, struct err *e, const char *what)
{
	return err_set(
	        e, ERR_CORRUPT, "the message at %.100s [%d] offset %lld %s", w->topic, (int)w->partition, (long long)w->offset, what);
}

/* The last one of a name counts, as Kafka's own clients do. */
static const struct event_bytes *header_of(const struct event_wire *w, const char *name)
{
	for (size_t i = w->n_headers; i-- > 0;)
		if (w->headers[i].data && str_eq(w->headers[i].name, name))
			return &w->headers[i];
	return NULL;
}

/* Copies bytes that must be text into the arena; absent is "". NULL: not text or too long. */
static const char *text_of(const struct event_bytes *b, struct arena *a)
{
	if (!b || !b->data)
		return "";
	if (b->len > EVENT_TEXT_MAX || !is_text(b->data, b->len))
		return NULL;
	return arena_strndup(a, b->data, b->len);
}

/* Content types are compared without case and without parameters ("; charset=utf-8"). */
static bool is_type(const char *content_type, const char *type)
{
	size_t len = strlen(type);
	return strncasecmp(content_type, type, len) == 0 &&
	       (content_type[len] == 0 || content_type[len] == ';' || content_type[len] == ' ');
}

static bool time_fill(const struct event_wire *w, const char *text, struct event *out, struct err *e)
{
	out->time_ms = w->time_ms;
	if (text[0] && !time_parse_rfc3339(text, &out->time_ms))
		return corrupt(w, e, "has a ce_time that is not RFC 3339");
	return true;
}

static bool data_fill(const struct event_wire *w, struct arena *a, struct event *out, struct err *e)
{
	if (!w->value.data || w->value.len == 0 || w->value.len > EVENT_DATA_MAX)
		return corrupt(w, e, "has no data, or too much of it");
	struct err why;
	struct json *data = json_parse(w->value.data, w->value.len, &why);
	if (!data)
		return corrupt(w, e, "has data that is not JSON");
	json_close(&data);
	out->data = arena_strndup(a, w->value.data, w->value.len);
	return true;
}

static bool binary_parse(const struct event_wire *w, const char *content_type, struct arena *a, struct event *out, struct err *e)
{
	const struct event_bytes *version = header_of(w, "ce_specversion");
	if (!version)
		return corrupt(w, e, "is no CloudEvent: the header ce_specversion is missing");
	if (version->len != 3 || memcmp(version->data, "1.0", 3) != 0)
		return corrupt(w, e, "has a ce_specversion other than 1.0");
	if (content_type[0] && !is_type(content_type, JSON_TYPE))
		return corrupt(w, e, "has data of another type than application/json");
	const char *time = text_of(header_of(w, "ce_time"), a);
	out->id = text_of(header_of(w, "ce_id"), a);
	out->type = text_of(header_of(w, "ce_type"), a);
	out->source = text_of(header_of(w, "ce_source"), a);
	out->subject = text_of(header_of(w, "ce_subject"), a);
	if (!out->id || !out->type || !out->source || !out->subject || !time)
		return corrupt(w, e, "has an attribute that is not text or too long");
	return time_fill(w, time, out, e) && data_fill(w, a, out, e);
}

/* ---- reading: structured mode --------------------------------------------------------------------------------- */

/* A member that must be text where it is present; absent is "". NULL: something else. */
static const char *member_of(const struct json *event, const char *name, struct arena *a)
{
	const struct json *member = json_get(event, name);
	if (json_is(member, JSON_NULL) || !member)
		return "";
	const char *text = json_text(member);
	return text ? text_of(&(struct event_bytes){.data = text, .len = strlen(text)}, a) : NULL;
}

static bool structured_fill(const struct event_wire *w, const struct json *event, struct arena *a, struct event *out, struct err *e)
{
	if (!json_is(event, JSON_OBJECT) || !str_eq(json_get_text(event, "specversion", ""), "1.0"))
		return corrupt(w, e, "is no CloudEvent of specversion 1.0");
	const char *time = member_of(event, "time", a), *type = member_of(event, "datacontenttype", a);
	out->id = member_of(event, "id", a);
	out->type = member_of(event, "type", a);
	out->source = member_of(event, "source", a);
	out->subject = member_of(event, "subject", a);
	if (!out->id || !out->type || !out->source || !out->subject || !time || !type)
		return corrupt(w, e, "has an attribute that is not text or too long");
	if (!json_get(event, "data") || (type[0] && !is_type(type, JSON_TYPE)))
		return corrupt(w, e, "has no JSON data");
	char *data = json_to_text(json_get(event, "data"));
	out->data = arena_strdup(a, data);
	mem_free(&data);
	return time_fill(w, time, out, e);
}

static bool structured_parse(const struct event_wire *w, struct arena *a, struct event *out, struct err *e)
{
	if (!w->value.data || w->value.len == 0 || w->value.len > EVENT_DATA_MAX)
		return corrupt(w, e, "has no data, or too much of it");
	struct err why;
	struct json *event = json_parse(w->value.data, w->value.len, &why);
	if (!event)
		return corrupt(w, e, "is not JSON, though its content-type says so");
	bool ok = structured_fill(w, event, a, out, e);
	json_close(&event);
	return ok;
}

bool event_parse(const struct event_wire *w, struct arena *a, struct event *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	out->topic = arena_strdup(a, str_starts(w->topic, TOPIC_PREFIX) ? w->topic + strlen(TOPIC_PREFIX) : w->topic);
	out->partition = w->partition;
	out->offset = w->offset;
	out->key = text_of(&w->key, a);
	const char *content_type = text_of(header_of(w, "content-type"), a);
	if (!out->key || !content_type)
		return corrupt(w, e, "has a key or content-type that is not text or too long");
	bool is_structured = strncasecmp(content_type, STRUCTURED_TYPE, strlen(STRUCTURED_TYPE)) == 0;
	if (is_structured && !is_type(content_type, STRUCTURED_TYPE "+json"))
		return corrupt(w, e, "is in a format of CloudEvents other than JSON");
	if (!(is_structured ? structured_parse(w, a, out, e) : binary_parse(w, content_type, a, out, e)))
		return false;
	if (!out->id[0] || !out->type[0] || !out->source[0])
		return corrupt(w, e, "lacks an id, type or source");
	return true;
}

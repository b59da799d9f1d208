/* fuzz_event.c -- any message to the reader of events: what it takes is whole, and written again it reads the same.
 *
 * The first byte chooses the mode; the rest is cut at 0x1f into key, value and headers ("name=value").
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/event.h"

#define PARTS 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t cut(const char *text, size_t len, struct event_bytes parts[PARTS])
{
	size_t n = 0;
	while (n < PARTS) {
		const char *end = memchr(text, 0x1f, len);
		size_t part = end ? (size_t)(end - text) : len;
		parts[n++] = (struct event_bytes){.data = text, .len = part};
		if (!end)
			break;
		text += part + 1;
		len -= part + 1;
	}
	return n;
}

/* "name=value" becomes both; without "=" it is a header that has no value. */
static void name_split(struct event_bytes *header, struct arena *a)
{
	const char *equals = memchr(header->data, '=', header->len);
	size_t len = equals ? (size_t)(equals - header->data) : header->len;
	header->name = arena_strndup(a, header->data, len);
	header->data = equals ? equals + 1 : NULL;
	header->len = equals ? header->len - len - 1 : 0;
}

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_again(const struct event *ev, struct arena *a)
{
	struct event_bytes headers[EVENT_HEADERS];
	struct event again;
	struct err e;
	struct json *tree = json_parse(ev->data, strlen(ev->data), &e);
	demand(tree != NULL);
	json_close(&tree);
	if (!ev->key[0] || !event_check(ev, &e))
		return; /* a key is ours to demand, not the reader's */
	struct event_wire wire = {.topic = TOPIC_PREFIX "t", .key = {.data = ev->key, .len = strlen(ev->key)}};
	wire.value = (struct event_bytes){.data = ev->data, .len = strlen(ev->data)};
	wire.n_headers = event_headers(ev, a, headers);
	wire.headers = headers;
	bool year_has_four_digits = ev->time_ms > -62135596800000 && ev->time_ms < 253402300800000;
	bool ok = event_parse(&wire, a, &again, &e);
	demand(ok || !year_has_four_digits);
	demand(!ok ||
	        (str_eq(again.id, ev->id) && str_eq(again.type, ev->type) && str_eq(again.data, ev->data) && again.time_ms == ev->time_ms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event_bytes parts[PARTS] = {{0}};
	struct event ev;
	struct err e;
	if (size == 0)
		return 0;
	struct arena *a = arena_open();
	char *text = arena_strndup(a, (const char *)data + 1, size - 1);
	size_t n = cut(text, size - 1, parts);
	struct event_wire wire = {
	        .topic = TOPIC_PREFIX "t", .key = parts[0], .value = parts[1], .headers = parts + 2, .n_headers = n > 2 ? n - 2 : 0};
	for (size_t i = 0; i < wire.n_headers; i++)
		name_split(&parts[i + 2], a);
	if (data[0] & 1) {
		parts[2] = (struct event_bytes){.name = "content-type", .data = "application/cloudevents+json", .len = 28};
		wire.n_headers = 1;
	}
	if (event_parse(&wire, a, &ev, &e))
		check_again(&ev, a);
	arena_close(&a);
	return 0;
}

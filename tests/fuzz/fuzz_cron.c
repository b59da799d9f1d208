/* fuzz_cron.c -- any bytes to the reader of cron expressions: the search from it ends, goes forward, and finds what the fields say. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/time.h"
#include "job/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_time(const struct cron *c, int64_t t)
{
	struct time_civil v;

	time_to_civil(t, &v);
	if (v.ms || !(c->seconds >> v.second & 1) || !(c->minutes >> v.minute & 1) || !(c->hours >> v.hour & 1) ||
	        !(c->months >> v.month & 1))
		abort();
}

static void check_span(const char *text)
{
	char printed[32];
	struct err e;
	int64_t span, again;

	if (!span_parse(text, &span, &e))
		return;
	span_print(printed, span);
	if (!span_parse(printed, &again, &e) || again != span)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t start = 0;
	char *text;
	struct cron c;
	struct err e;

	if (size < sizeof(start))
		return 0;
	memcpy(&start, data, sizeof(start));
	text = mem_strndup((const char *)data + sizeof(start), size - sizeof(start));
	check_span(text);
	if (cron_parse(text, &c, &e)) {
		int64_t t = cron_next(&c, start), later;

		for (int i = 0; i < 3 && t != CRON_NEVER; i++, t = later) {
			check_time(&c, t);
			later = cron_next(&c, t);
			if (t <= start || later <= t || cron_next(&c, t - 1) != t)
				abort();
		}
	}
	mem_free(&text);
	return 0;
}

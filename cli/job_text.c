/* job_text.c -- a job for people: one line in a list, a page on its own. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"

/* The API counts milliseconds; people read UTC. "" for what has not happened. */
static const char *time_of(const struct json *job, const char *key, char out[TIME_TEXT])
{
	int64_t ms = json_get_int(job, key, -1);
	out[0] = '\0';
	if (ms >= 0)
		time_print_datetime(out, ms);
	return out;
}

void job_line(const struct json *job, struct buf *out)
{
	const struct json *progress = json_get(job, "progress");
	int64_t total = json_get_int(progress, "total", 0), done = json_get_int(progress, "done", 0);
	char share[32] = "", created[TIME_TEXT];
	if (total > 0)
		snprintf(share, sizeof share, "%.0f %%", 100.0 * (double)done / (double)total);
	buf_addf(out, "%-36s %-16s %-10s %6s  %s", json_get_text(job, "id", "?"), json_get_text(job, "kind", "?"),
	        json_get_text(job, "state", "?"), share, time_of(job, "created_at", created));
	const char *trouble = json_get_text(json_get(job, "error"), "message", NULL);
	if (trouble && !str_eq(json_get_text(job, "state", ""), "succeeded"))
		buf_addf(out, "  %s", trouble);
}

static void print_member(const struct json *job, const char *key, FILE *out)
{
	const struct json *value = json_get(job, key);
	if (!value || json_is(value, JSON_NULL))
		return;
	struct buf text = {0};
	char when[TIME_TEXT];
	if (str_ends(key, "_at"))
		buf_addf(&text, "%s UTC", time_of(job, key, when));
	else if (json_text(value))
		buf_adds(&text, json_text(value));
	else
		json_print(value, &text);
	if (text.len > 0)
		fprintf(out, "%-14s %s\n", key, buf_text(&text));
	buf_close(&text);
}

void job_details(const struct json *job, FILE *out)
{
	static const char *const members[] = {"id", "kind", "state", "queue", "priority", "params", "progress", "attempt", "max_attempts",
	        "crashes", "created_at", "run_at", "started_at", "finished_at", "worker", "error", "parent", "trace", "tags",
	        "time_limit_ms", "hard_limit_ms", "concurrency", "rate", "waiting_on", "archived"};
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		print_member(job, members[i], out);
	const struct json *result = json_get(job, "result");
	if (!result || json_is(result, JSON_NULL))
		return;
	struct buf text = {0};
	json_print_pretty(result, &text, 2);
	fprintf(out, "result\n%s\n", buf_text(&text));
	buf_close(&text);
}

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

/* To the millisecond, as the API has it. */
static const char *moment_of(const struct json *job, const char *key, char out[TIME_TEXT])
{
	time_print_iso(out, json_get_int(job, key, 0));
	return out;
}

/* What is usual goes without saying. */
static bool says_nothing(const struct json *value)
{
	bool flag;
	return !value || json_is(value, JSON_NULL) || (json_bool(value, &flag) && !flag) ||
	       (json_is(value, JSON_ARRAY) && !json_first(value)) || (json_text(value) && !*json_text(value));
}

void job_end_head(FILE *out)
{
	fprintf(out, "%-36s %-16s %-10s %9s  %s\n", "ID", "KIND", "STATE", "SECONDS", "ENDED (UTC)");
}

void job_end_line(const struct json *job, FILE *out)
{
	char ended[TIME_TEXT] = "";
	int64_t finished = json_get_int(job, "finished_at", 0), started = json_get_int(job, "started_at", 0);
	const char *state = json_get_text(job, "state", "?");
	const char *trouble = json_get_text(json_get(job, "error"), "message", NULL);
	double seconds = started > 0 ? (double)(finished - started) / 1000.0 : 0;

	time_print_datetime(ended, finished);
	fprintf(out, "%-36s %-16s %-10s %9.3f  %s%s%s\n", json_get_text(job, "id", "?"), json_get_text(job, "kind", "?"), state, seconds,
	        ended, trouble && !str_eq(state, "succeeded") ? "  " : "", trouble && !str_eq(state, "succeeded") ? trouble : "");
}

static void print_member(const struct json *job, const char *key, FILE *out)
{
	const struct json *value = json_get(job, key);
	if (says_nothing(value))
		return;
	struct buf text = {0};
	char when[TIME_TEXT];
	if (str_ends(key, "_at"))
		buf_adds(&text, moment_of(job, key, when));
	else if (json_text(value))
		buf_adds(&text, json_text(value));
	else
		json_print(value, &text);
	fprintf(out, "%-16s %s\n", key, buf_text(&text));
	buf_close(&text);
}

void job_details(const struct json *job, FILE *out)
{
	static const char *const members[] = {"id", "kind", "state", "cancel_asked", "quarantined", "queue", "lane", "priority", "params",
	        "progress", "attempt", "max_attempts", "crashes", "max_crashes", "created_at", "run_at", "started_at", "finished_at",
	        "worker", "error", "idempotency_key", "unique_key", "parent", "children", "trace", "tags", "time_limit_ms", "hard_limit_ms",
	        "result_ttl_ms", "concurrency", "rate", "waiting_on", "archived"};
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

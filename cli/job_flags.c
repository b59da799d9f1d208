/* job_flags.c -- reads the flags that say how a job is run: whole numbers, spans, texts, shared keys. */
#include "cli/job_flags.h"

#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/str.h"

#define SPAN_MAX_MS INT64_C(31536000000)

typedef bool reader(const char *flag, const char *member, const char *text, struct json *body, struct err *e);

static bool read_text(const char *flag, const char *member, const char *text, struct json *body, struct err *e)
{
	UNUSED(flag);
	UNUSED(e);
	json_put_text(body, member, text);
	return true;
}

/* Which number is right the API knows best. */
static bool read_number(const char *flag, const char *member, const char *text, struct json *body, struct err *e)
{
	int64_t n;
	if (!str_int(text, 0, INT32_MAX, &n))
		return err_set(e, ERR_INVALID, "--%s is '%s', but must be a whole number", flag, text);
	json_put_int(body, member, n);
	return true;
}

static bool read_span(const char *flag, const char *member, const char *text, struct json *body, struct err *e)
{
	int64_t ms;
	if (!str_int(text, 0, SPAN_MAX_MS, &ms) && !span_parse(text, &ms, e))
		return err_set(
		        e, ERR_INVALID, "--%s is '%s', but must be a span such as 500ms, 90s, 15m or 1h30m, or milliseconds", flag, text);
	json_put_int(body, member, ms);
	return true;
}

/* KEY=NUMBERS at the last '=': its key into a new object, its numbers in *numbers_out. NULL: it is none. */
static struct json *keyed(const char *text, const char **numbers_out)
{
	const char *equals = strrchr(text, '=');
	if (!equals || equals == text)
		return NULL;
	char *key = mem_strndup(text, (size_t)(equals - text));
	struct json *o = json_new_object();
	json_put_text(o, "key", key);
	mem_free(&key);
	*numbers_out = equals + 1;
	return o;
}

/* "10/60000/3" into the named members; the last one may be left out. */
static bool put_numbers(struct json *o, const char *text, const char *const *names, size_t n)
{
	char one[24];
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(text, "/");
		int64_t v;
		if (i > 0 && i + 1 == n && !*text)
			return true;
		if (!str_copy_n(one, sizeof one, text, len) || !str_int(one, 0, INT64_MAX, &v))
			return false;
		json_put_int(o, names[i], v);
		text += len + (text[len] == '/');
	}
	return !*text;
}

static bool put_keyed(struct json *body, const char *member, const char *text, const char *const *names, size_t n)
{
	const char *numbers;
	struct json *o = keyed(text, &numbers);
	bool ok = o && put_numbers(o, numbers, names, n);
	if (ok)
		json_put(body, member, o);
	else
		json_close(&o);
	return ok;
}

static bool read_concurrency(const char *flag, const char *member, const char *text, struct json *body, struct err *e)
{
	static const char *const most[] = {"max"};
	return put_keyed(body, member, text, most, ARRAY_LEN(most)) ||
	       err_set(e, ERR_INVALID, "--%s is '%s', but must be KEY=N", flag, text);
}

static bool read_rate(const char *flag, const char *member, const char *text, struct json *body, struct err *e)
{
	static const char *const budget[] = {"limit", "window_ms", "cost"};
	return put_keyed(body, member, text, budget, ARRAY_LEN(budget)) ||
	       err_set(e, ERR_INVALID, "--%s is '%s', but must be KEY=LIMIT/MS or KEY=LIMIT/MS/COST", flag, text);
}

static const struct {
	const char *flag, *member;
	reader *read;
} flags[] = {
#undef JOB_FLAG
#define JOB_FLAG(flag, value, member, read, help) {flag, member, read_##read},
#include "cli/job_flags.def"
};

bool job_flags_put(struct cli *c, struct json *body, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		const char *text = args_get(c, flags[i].flag, NULL);
		if (text && !flags[i].read(flags[i].flag, flags[i].member, text, body, e))
			return false;
	}
	return true;
}

bool job_flags_put_span(struct cli *c, const char *flag, const char *member, struct json *body, struct err *e)
{
	const char *text = args_get(c, flag, NULL);
	return !text || read_span(flag, member, text, body, e);
}

/* settings.c -- reads the worker's settings and resolves those whose default depends on the machine or on the kinds. */
#include "workers/settings.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "kinds/kind.h"

static const struct setting table[SETTINGS_COUNT] = {
#define SETTING(name, type, fallback, min, max, help) {#name, SETTING_##type, fallback, min, max, help},
#include "workers/settings.def"
#undef SETTING
};

void settings_help(FILE *out)
{
	config_help(out, table, SETTINGS_COUNT);
}

static bool what_of(const char *name, const char *given, enum history_what *out, struct err *e)
{
	static const char *const names[] = {[HISTORY_NONE] = "none", [HISTORY_FAILURES] = "failures", [HISTORY_ALL] = "all"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(given, names[i])) {
			*out = (enum history_what)i;
			return true;
		}
	return err_set(e, ERR_INVALID, "%s is \"%.40s\", but should be all, failures or none", name, given);
}

static bool queue_is_listed(const struct settings *s, const char *queue)
{
	for (size_t i = 0; i < s->n_queues; i++)
		if (str_eq(s->queues[i], queue))
			return true;
	return false;
}

static bool queue_has_kinds(const char *queue)
{
	const struct kind *k;
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++)
		if (str_eq(k->queue, queue))
			return true;
	return false;
}

/* ":3" or "" */
static bool weight_read(const char *text, size_t len, int *out, struct err *e)
{
	char digits[8];
	int64_t weight = 1;
	if (len > 0 && (!str_copy_n(digits, sizeof(digits), text + 1, len - 1) || !str_int(digits, 1, WEIGHT_MAX, &weight)))
		return err_set(e, ERR_INVALID, "WORKER_QUEUES has the weight \"%.*s\", but a weight is 1 to %d",
		        (int)(len > 40 ? 40 : len - 1), text + 1, WEIGHT_MAX);
	*out = (int)weight;
	return true;
}

/* "name" or "name:weight" */
static bool queue_add(struct settings *s, const char *queue, size_t all, struct err *e)
{
	char name[JOB_NAME];
	const char *colon = memchr(queue, ':', all);
	size_t len = colon != NULL ? (size_t)(colon - queue) : all;
	int weight = 1;
	if (!weight_read(queue + len, all - len, &weight, e))
		return false;
	if (!str_copy_n(name, sizeof(name), queue, len) || !queue_has_kinds(name))
		return err_set(
		        e, ERR_INVALID, "WORKER_QUEUES names \"%.*s\", which no kind of job uses", (int)(len > 40 ? 40 : len), queue);
	if (queue_is_listed(s, name))
		return true;
	if (s->n_queues == QUEUES_MAX)
		return err_set(e, ERR_INVALID, "WORKER_QUEUES names more than %d queues", QUEUES_MAX);
	s->weights[s->n_queues] = weight;
	memcpy(s->queues[s->n_queues++], name, sizeof(name));
	return true;
}

static bool queues_resolve(struct settings *s, struct err *e)
{
	const char *p = setting_text(s, WORKER_QUEUES);
	if (*p == '\0') {
		const struct kind *k;
		for (size_t i = 0; (k = kind_at(i)) != NULL; i++)
			if (!queue_add(s, k->queue, strlen(k->queue), e))
				return false;
		return true;
	}
	for (size_t i = 1;; i++) {
		size_t len = strcspn(p, ",");
		if (!queue_add(s, p, len, e))
			return false;
		if (s->n_queues < i)
			return err_set(e, ERR_INVALID, "WORKER_QUEUES names the queue of \"%.*s\" twice", (int)(len > 40 ? 40 : len), p);
		if (p[len] == '\0')
			return true;
		p += len + 1;
	}
}

static bool name_resolve(struct settings *s, struct err *e)
{
	const char *given = setting_text(s, WORKER_NAME);
	if (*given != '\0') {
		if (!str_is_name(given, sizeof(s->name) - 1, ":._-") || !str_copy(s->name, sizeof(s->name), given))
			return err_set(e, ERR_INVALID, "WORKER_NAME is \"%.80s\", but should be at most %d letters, digits or :._-", given,
			        JOB_WORKER - 1);
		return true;
	}
	char host[33] = "";
	if (gethostname(host, sizeof(host) - 1) != 0 || !str_is_name(host, sizeof(host) - 1, "._-"))
		memcpy(host, "host", sizeof("host"));
	snprintf(s->name, sizeof(s->name), "%s:%d:%lld", host, (int)getpid(), (long long)(clock_now_ms() / 1000));
	return true;
}

static bool log_resolve(struct settings *s, struct err *e)
{
	const char *format = setting_text(s, LOG_FORMAT);
	s->log_json = str_eq(format, "json");
	if (!s->log_json && !str_eq(format, "text"))
		return err_set(e, ERR_INVALID, "LOG_FORMAT is \"%.40s\", but should be text or json", format);
	if (!log_level_of(setting_text(s, LOG_LEVEL), &s->log_level))
		return err_set(e, ERR_INVALID, "LOG_LEVEL is \"%.40s\", but should be debug, info, warn, error or silent",
		        setting_text(s, LOG_LEVEL));
	return true;
}

/* Which of the words is it? */
static bool word_resolve(const char *name, const char *given, const char *const *words, int *out, struct err *e)
{
	struct buf list = {0};
	for (int i = 0; words[i] != NULL; i++) {
		if (str_eq(given, words[i])) {
			*out = i;
			buf_close(&list);
			return true;
		}
		buf_addf(&list, "%s%s", i == 0 ? "" : words[i + 1] != NULL ? ", " : " or ", words[i]);
	}
	err_set(e, ERR_INVALID, "%s is \"%.40s\", but should be %s", name, given, buf_text(&list));
	buf_close(&list);
	return false;
}

static bool words_resolve(struct settings *s, struct err *e)
{
	static const char *const quarantines[] = {[QUARANTINE_SHARE] = "share", [QUARANTINE_ONLY] = "only", [QUARANTINE_NO] = "no", NULL};
	static const char *const orders[] = {[ORDER_WEIGHTED] = "weighted", [ORDER_FAIR] = "fair", [ORDER_STRICT] = "strict", NULL};
	int quarantine = 0, order = 0;
	if (!word_resolve("WORKER_QUARANTINE", setting_text(s, WORKER_QUARANTINE), quarantines, &quarantine, e) ||
	        !word_resolve("WORKER_ORDER", setting_text(s, WORKER_ORDER), orders, &order, e))
		return false;
	s->quarantine = (enum quarantine)quarantine;
	s->order = (enum queue_order)order;
	return true;
}

int settings_weight(const struct settings *s, const char *queue)
{
	for (size_t i = 0; s->order == ORDER_WEIGHTED && i < s->n_queues; i++)
		if (str_eq(s->queues[i], queue))
			return s->weights[i];
	return 1;
}

bool settings_load(struct settings *s, struct err *e)
{
	static const char *const prefixes[] = {"WORKER_", NULL};
	memset(s, 0, sizeof(*s));
	if (!config_load(table, SETTINGS_COUNT, s->values, e) || !config_refuse_unknown(table, SETTINGS_COUNT, prefixes, e))
		return false;
	if (!what_of("WORKER_HISTORY", setting_text(s, WORKER_HISTORY), &s->history, e) ||
	        !what_of("JOB_EVENTS", setting_text(s, JOB_EVENTS), &s->job_events, e))
		return false;
	s->slots = (int)setting_number(s, WORKER_SLOTS);
	if (s->slots == 0) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);
		s->slots = cores < 1 ? 1 : cores > 1024 ? 1024 : (int)cores;
	}
	return queues_resolve(s, e) && words_resolve(s, e) && name_resolve(s, e) && log_resolve(s, e);
}

/* settings.h -- the worker's settings: read and checked once, then only read. The table is settings.def. */
#ifndef WORKERS_SETTINGS_H
#define WORKERS_SETTINGS_H

#include <stdio.h>

#include "base/base.h"
#include "base/config.h"
#include "base/err.h"
#include "base/log.h"
#include "job/job.h"
#include "queue/history.h"

enum setting_index {
#define SETTING(name, type, fallback, min, max, help) SET_##name,
#include "workers/settings.def"
#undef SETTING
	SETTINGS_COUNT
};

#define QUEUES_MAX 16
#define LINES_MAX  128 /* shards of all queues together */

#define WEIGHT_MAX 1000

enum queue_order { ORDER_WEIGHTED, ORDER_FAIR, ORDER_STRICT };
enum quarantine { QUARANTINE_SHARE, QUARANTINE_ONLY, QUARANTINE_NO };

struct settings {
	union setting_value values[SETTINGS_COUNT];
	enum history_what history, job_events;
	int slots;                         /* resolved: at least 1 */
	char name[JOB_WORKER];             /* resolved */
	char queues[QUEUES_MAX][JOB_NAME]; /* resolved */
	size_t n_queues;
	int weights[QUEUES_MAX]; /* of the queues, as given; 1 where none was */
	enum queue_order order;
	enum quarantine quarantine;
	enum log_level log_level;
	bool log_json;
};

#define setting_text(s, NAME)   ((s)->values[SET_##NAME].text)
#define setting_number(s, NAME) ((s)->values[SET_##NAME].number)

/* e: one sentence that names the variable, its value and what would be right. */
bool settings_load(struct settings *s, struct err *e) MUST_CHECK;
void settings_help(FILE *out);
int settings_weight(const struct settings *s, const char *queue); /* that counts: 1 unless shares are weighted */

#endif

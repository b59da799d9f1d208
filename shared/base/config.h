/* config.h -- settings of a program: from the environment only, described by one .def table.
 *
 * A program's settings.def holds one line each:
 *     SETTING(QUEUE_URL, text, "redis://127.0.0.1:6379/0", 0, 0, "where the jobs live: redis://[user:password@]host:port/db")
 *     SETTING(WORKER_SLOTS, int, "0", 0, 1024, "slot processes; 0 = one per core")
 * and its main.c includes it twice: for the struct (field names as in the table, lower case) and for the table.
 * Types: text, int (with min and max), ms (plain number of ms, or 500ms, 30s, 5m, 2h), bytes (512, 64k, 16m, 1g), flag (yes/no).
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdio.h>

#include "base/base.h"
#include "base/err.h"

enum setting_type { SETTING_text, SETTING_int, SETTING_ms, SETTING_bytes, SETTING_flag };

struct setting {
	const char *name; /* the environment variable */
	enum setting_type type;
	const char *fallback;
	int64_t min, max; /* for int, ms, bytes; both 0: any that is >= 0 */
	const char *help; /* one line */
};

/* The value of a setting: from the environment, else its default. Text lives as long as the process. */
union setting_value {
	const char *text;
	int64_t number; /* int, ms, bytes, flag */
};

/* Read settings[n] into values[n]; a bad value fails with a sentence that names the variable, the value and what is right. */
bool config_load(const struct setting *settings, size_t n, union setting_value *values, struct err *e) MUST_CHECK;
/* Any environment variable that begins with one of the prefixes (NULL-terminated list, e.g. "BARQUE_", "WORKER_") but is in no
 * table is a typing mistake: false, with the nearest name in the sentence. */
bool config_refuse_unknown(const struct setting *settings, size_t n, const char *const *prefixes, struct err *e) MUST_CHECK;
void config_help(FILE *out, const struct setting *settings, size_t n);

#endif

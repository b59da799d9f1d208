/* settings.h -- the settings of barque-api, read and checked. */
#ifndef API_SETTINGS_H
#define API_SETTINGS_H

#include <stdio.h>

#include "api/api.h"
#include "base/config.h"
#include "base/log.h"

enum {
#define SETTING(name, type, fallback, min, max, help) SET_##name,
#include "api/settings.def"
#undef SETTING
	SET_COUNT
};

struct settings {
	union setting_value values[SET_COUNT];
	int ports[ROLE_COUNT]; /* 0: a free one; -1: off */
	enum log_level log_level;
	bool log_json;
};

bool settings_load(struct settings *s, struct err *e) MUST_CHECK;
void settings_help(FILE *out);
/* What the routes need of them. */
void settings_apply(const struct settings *s, struct api *api);

#endif

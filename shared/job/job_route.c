/* job_route.c -- routes: which workers may take a job, as one text that is part of keys. Each route has exactly one spelling. */
#include <stdio.h>
#include <string.h>

#include "job/job.h"

#include "base/str.h"

void job_route(char out[JOB_ROUTE], const char *kind, int version, bool quarantined)
{
	const char *mark = quarantined ? "!" : "";

	if (version)
		snprintf(out, JOB_ROUTE, "%s/%d%s", kind, version, mark);
	else
		snprintf(out, JOB_ROUTE, "%s%s", kind, mark);
}

/* "/7" or "" */
static bool parse_version(const char *s, size_t len, int *out)
{
	char text[12];
	int64_t version = 0;

	*out = 0;
	if (len == 0)
		return true;
	if (len < 2 || s[1] < '1' || s[1] > '9' || !str_copy_n(text, sizeof(text), s + 1, len - 1) ||
	        !str_int(text, 1, INT32_MAX, &version))
		return false;
	*out = (int)version;
	return true;
}

bool job_route_parse(const char *route, size_t len, char kind_out[JOB_NAME], int *version_out, bool *quarantined_out)
{
	char kind[JOB_NAME];
	bool quarantined = len > 0 && route[len - 1] == '!';
	size_t all = len - quarantined;
	const char *slash = memchr(route, '/', all);
	size_t name = slash ? (size_t)(slash - route) : all;
	int version;

	if (!str_copy_n(kind, sizeof(kind), route, name) || !job_name_ok(kind) || !parse_version(route + name, all - name, &version))
		return false;
	if (kind_out)
		memcpy(kind_out, kind, sizeof(kind));
	if (version_out)
		*version_out = version;
	if (quarantined_out)
		*quarantined_out = quarantined;
	return true;
}

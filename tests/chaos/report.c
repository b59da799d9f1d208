/* report.c -- a row's line: to the screen, and to build/chaos/rows/ for the table of all. */
#include <sys/stat.h>

#include "tests/chaos/rig.h"

#define ROWS "build/chaos/rows"

static void span(char out[64], const struct chaos_quantiles *q)
{
	if (q->n == 0)
		snprintf(out, 64, "–");
	else
		snprintf(out, 64, "%lld / %lld / %lld", (long long)q->p50, (long long)q->p99, (long long)q->worst);
}

/* Nothing in N independent faults: with 95 % confidence it happens in fewer than 3 of N. */
static void bound(char out[32], const struct chaos_verdict *v)
{
	if (v->lost > 0 || v->faults == 0)
		snprintf(out, 32, "–");
	else if (v->faults < 3)
		snprintf(out, 32, "< 1");
	else
		snprintf(out, 32, "< %.2g", 3.0 / (double)v->faults);
}

bool chaos_report(const char *row, const char *fault, const struct chaos_verdict *v, const char *verdict, const char *note)
{
	char recovery[64], probe[64], most[32], path[100], line[1600];
	span(recovery, &v->recovery);
	span(probe, &v->probe);
	bound(most, v);
	snprintf(line, sizeof(line),
	        "| %s | %s | %lld | %s | %lld | %lld | %lld | %lld | %lld | %lld | %lld | %lld | %s | %s | %lld | %s | %s |\n", row, fault,
	        (long long)v->faults, most, (long long)v->accepted, (long long)v->lost, (long long)(v->executions),
	        (long long)v->duplicated, (long long)v->overlaps, (long long)v->unexpected, (long long)v->recovered,
	        (long long)(v->double_ends + v->stale_ends + v->twice), recovery, probe, (long long)(v->leaks + v->miscounted), note,
	        verdict);
	printf("%s", line);
	fflush(stdout);
	mkdir("build/chaos", 0755);
	mkdir(ROWS, 0755);
	snprintf(path, sizeof(path), ROWS "/%s", row);
	FILE *f = fopen(path, "we");
	bool ok = f != NULL && fputs(line, f) >= 0;
	return f != NULL && fclose(f) == 0 && ok;
}

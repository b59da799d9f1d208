/* input.h -- what requests bring: JSON bodies, query parameters and the Prefer header, all checked.
 *
 * A function that returns false or NULL has already answered.
 */
#ifndef API_INPUT_H
#define API_INPUT_H

#include "api/api.h"
#include "base/json.h"
#include "base/param.h"

/* The body as a JSON object that the caller closes. An empty body is {} when empty_ok. */
struct json *input_object(struct call *c, bool empty_ok);
/* The body against a table, for the origin's routes: unknown members are dropped, null means absent, "1.9" is taken for 1.9. The
 * caller closes it. 422 has a sentence as detail, which the origin's pages can show. */
struct json *input_params(struct call *c, const struct param *table, size_t n);
/* A whole number from the query within [min, max]; absent or empty: fallback. */
bool input_query_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *out);

struct prefer {
	bool async;      /* respond-async */
	int64_t wait_ms; /* wait=N; -1: absent */
};
void input_prefer(struct call *c, struct prefer *out);
/* What was asked for, but no more than WAIT_MAX. */
int64_t input_wait_cap(const struct call *c, int64_t wait_ms);

/* The query as a body would say it: the members of the table that it has. What is no number stays text, so that the check refuses it with its
 * sentence. The caller closes it. */
struct json *input_query(struct call *c, const struct param *table, size_t n);

#endif

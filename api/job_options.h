/* job_options.h -- what may be said of a job beside its kind and parameters, the same wherever jobs are asked for.
 *
 * A table of members takes in the rows of job_options.def (with its own for tags, of which a schedule has room for fewer), and its
 * checked object is read here.
 */
#ifndef API_JOB_OPTIONS_H
#define API_JOB_OPTIONS_H

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/kind.h"
#include "queue/queue.h"

/* Fill in kind, queue, version, tags and the options: what `in` says (NULL: nothing), else what the kind does. params, which have been checked,
 * say what the kind's own concurrency key is; out->unique is read, too. Texts lie in the arena. False with ERR_INVALID. */
bool job_options_read(const struct json *in, const struct kind *k, const struct json *params, struct arena *arena,
        struct queue_submission *out, struct err *e) MUST_CHECK;

/* The key of which at most one job lives, and what happens when one does: what `in` says in unique_key and unique, else the kind's own. Before
 * job_options_read, which reads both. */
void job_options_unique(
        const struct json *in, const struct kind *k, const struct json *params, struct arena *arena, struct queue_submission *out);
const char *job_options_policy(enum unique_policy p); /* as unique says it */

/* Tags may come as a text with commas or as an array of texts, which becomes such a text here. False with ERR_INVALID. */
bool job_options_join_tags(struct json *body, struct err *e) MUST_CHECK;

#endif

/* kind_flow_report.c -- the root of a flow: waits for all its jobs and hands out what the last ones gave. */
#include "kinds/kind.h"

static const struct param params[] = {
        {.name = "name", .type = PARAM_TEXT, .min = 1, .max = 200, .help = "what the flow is called"},
};

static bool run(struct job_context *c, struct json **result_out, struct err *e)
{
	UNUSED(e);
	*result_out = c->inputs != NULL ? json_copy(c->inputs) : json_new_object();
	return true;
}

extern const struct kind kind_flow_report;
const struct kind kind_flow_report = {
        .name = "flow.report",
        .title = "End a flow",
        .queue = "default",
        .version = 1,
        .params = params,
        .n_params = ARRAY_LEN(params),
        .max_attempts = 5,
        .backoff_ms = 1000,
        .backoff_cap_ms = 60000,
        .soft_limit_ms = TIME_MINUTE,
        .hard_limit_ms = 2 * TIME_MINUTE,
        .is_short = true,
        .run = run,
};

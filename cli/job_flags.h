/* job_flags.h -- the flags of job_flags.def, which submit and schedule share, made into members of a request. */
#ifndef CLI_JOB_FLAGS_H
#define CLI_JOB_FLAGS_H

#include "cli/cli.h"

/* Put what was given into body; false with a sentence. */
bool job_flags_put(struct cli *c, struct json *body, struct err *e) MUST_CHECK;
/* A span such as 90s, or plain milliseconds, of --flag into the member of body, if it was given. */
bool job_flags_put_span(struct cli *c, const char *flag, const char *member, struct json *body, struct err *e) MUST_CHECK;

/* Their rows in a command's table of flags. */
#define JOB_FLAG(flag, value, member, read, help) {flag, value, help},

#endif

/* schema.h -- turns NAME=VALUE words into typed JSON by the parameter schema that the API publishes for a job kind. */
#ifndef CLI_SCHEMA_H
#define CLI_SCHEMA_H

#include "cli/cli.h"

/* The kind's entry of GET /api/kinds, a copy that the caller closes; ERR_NOT_FOUND names the kinds there are. */
struct json *schema_kind(struct cli *c, const char *kind, struct err *e) MUST_CHECK;
/* Put NAME=VALUE into params, typed by the schema (unknown names stay text: the API then says what is wrong with them). */
bool schema_put(const struct json *kind, struct json *params, const char *name, const char *value, struct err *e) MUST_CHECK;
/* The NAME=VALUE words from this one on, and the flags that the command itself does not know. */
bool schema_put_all(const struct cli *c, const struct command *command, size_t first_word, const struct json *kind, struct json *params,
        struct err *e) MUST_CHECK;
/* The same on top of --params, a new object; NULL with e. */
struct json *schema_params(
        const struct cli *c, const struct command *command, size_t first_word, const struct json *kind, struct err *e) MUST_CHECK;
void schema_help(const struct json *kind, FILE *out);

#endif

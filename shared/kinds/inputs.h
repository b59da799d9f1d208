/* inputs.h -- what jobs of a flow hand on: {"$result": "name.path"} in the parameters of one stands for a part of another's result.
 *
 * The name is that of a job which this one waits for; the path leads into its result, by members of objects and numbers (from 0) of
 * arrays, with points between; without one the whole result is meant. Such a value may stand anywhere in the parameters.
 */
#ifndef KINDS_INPUTS_H
#define KINDS_INPUTS_H

#include "kinds/kind.h"

/* Before the results are there: are these values well-formed, and do they name only names[n]? */
bool inputs_check(const struct json *params, const char *const *names, size_t n, struct err *e) MUST_CHECK;
/* As kind_check, but of the parameters that hold such values only the name; the text to submit is then that of params. *open_out: it
 * holds some. */
struct json *inputs_kind_check(const struct kind *k, const struct json *params, bool *open_out, struct err *e) MUST_CHECK;
/* A copy in which the values are the parts of inputs (an object: name -> result) that they stand for. */
struct json *inputs_apply(const struct json *params, const struct json *inputs, struct err *e) MUST_CHECK;

#endif

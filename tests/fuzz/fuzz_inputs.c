/* fuzz_inputs.c -- any JSON [params, results]: what is put in place holds no value that stands for a result and was not in a result. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kinds/inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"a", "b"};
	struct err e = {0};
	struct json *both = json_parse((const char *)data, size, &e);
	const struct json *params = json_at(both, 0), *results = json_at(both, 1);
	struct json *out = params ? inputs_apply(params, results, &e) : NULL, *checked;
	bool open;

	if (params && !out && (e.code != ERR_INVALID || !e.text[0]))
		abort();
	/* What may be applied names jobs that have results. */
	if (out && json_count(results) == 0 && !inputs_check(out, names, 0, &e))
		abort();
	checked = json_is(params, JSON_OBJECT) ? inputs_kind_check(kind_of("kline.integrity"), params, &open, &e) : NULL;
	json_close(&checked);
	json_close(&out);
	json_close(&both);
	return 0;
}

/* fuzz_param.c -- any JSON to the parameter check: what it gives back must pass the check again unchanged. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/param.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct param table[] = {
        {"t", PARAM_TEXT, .required = true, .min = 1, .max = 8},
        {"i", PARAM_INT, .fallback = "20", .min = -100, .max = 100},
        {"n", PARAM_NUMBER},
        {"f", PARAM_FLAG, .fallback = "false"},
        {"c", PARAM_CHOICE, .choices = "1m|5m|1h"},
        {"s", PARAM_TIME},
        {"d", PARAM_DATE},
        {"l", PARAM_TEXTS, .max = 3},
        {"o", PARAM_OBJECT},
};

static void check_again(const struct json *out)
{
	struct err e = {0};
	struct json *again = params_check(table, ARRAY_LEN(table), out, false, &e);
	char *a, *b;

	if (!again)
		abort();
	a = json_to_text(out);
	b = json_to_text(again);
	if (strcmp(a, b) != 0)
		abort();
	mem_free(&a);
	mem_free(&b);
	json_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct json *in = json_parse((const char *)data, size, &e);
	struct json *out = in ? params_check(table, ARRAY_LEN(table), in, true, &e) : NULL;

	if (out)
		check_again(out);
	else if (e.code != ERR_INVALID || !e.text[0])
		abort();
	json_close(&out);
	json_close(&in);
	return 0;
}

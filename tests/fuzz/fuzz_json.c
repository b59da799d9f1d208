/* fuzz_json.c -- any bytes to the JSON reader: what it takes must print to text that it takes again and prints the same. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct json *first = json_parse((const char *)data, size, &e);
	struct json *second;
	char *text, *again;

	if (!first)
		return 0;
	text = json_to_text(first);
	second = json_parse(text, strlen(text), &e);
	if (!second)
		abort();
	again = json_to_text(second);
	if (strcmp(text, again) != 0)
		abort();
	mem_free(&text);
	mem_free(&again);
	json_close(&first);
	json_close(&second);
	return 0;
}

/* fuzz_csv.c -- any bytes as a file of candles: what is read must print to a line that reads as the same and prints the same. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "market/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_and_read_again(const struct bar *b)
{
	struct err e = {0};
	struct bar again;
	struct buf first = {0}, second = {0};
	bool partial;
	csv_print(&first, b);
	if (!csv_parse(first.data, first.len - 1, &again, &partial, &e) || partial)
		abort();
	csv_print(&second, &again);
	if (strcmp(first.data, second.data) != 0)
		abort();
	buf_close(&first);
	buf_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct csv_reader r;
	struct bar b;
	struct err e = {0};
	csv_open(&r, (const char *)data, size);
	while (csv_next(&r, &b, &e) == 1)
		print_and_read_again(&b);
	return 0;
}

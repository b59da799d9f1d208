/* fuzz_schedule.c -- any bytes as what Redis keeps of a schedule: what is read is written and read as the same, and its plan is bounded. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct queue_schedule *s)
{
	struct queue_schedule again = {0};
	struct err e;
	char *text = schedule_spec_write(s), *text2;

	if (!schedule_spec_read(text, "s", "q", &again, &e))
		abort();
	text2 = schedule_spec_write(&again);
	if (strcmp(text, text2) != 0)
		abort();
	mem_free(&text);
	mem_free(&text2);
	queue_schedule_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct queue_schedule s = {0};
	struct queue_due due = {.name = "s"};
	struct queue_fire f;
	struct err e;
	uint32_t back = 0;

	if (size < sizeof(back))
		return 0;
	memcpy(&back, data, sizeof(back));
	due.spec = mem_strndup((const char *)data + sizeof(back), size - sizeof(back));
	if (schedule_spec_read(due.spec, "s", "q", &s, &e))
		check_again(&s);
	queue_schedule_close(&s);
	due.due_ms = INT64_C(1800000000000) - back;
	schedule_fire(&due, "q", 0, INT64_C(1800000000000), TICKS_MAX, &f);
	if (f.n > TICKS_MAX || f.next < due.due_ms || f.passed < 0 || (f.problem[0] && f.n))
		abort();
	schedule_fire_close(&f);
	mem_free(&due.spec);
	return 0;
}

/* fuzz_job_id.c -- any bytes to the reader of job ids: what it takes is made of its parts again, and fits where ids are kept. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "job/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	char queue[JOB_NAME], again[JOB_ID], queue2[JOB_NAME];
	int shard, shard2;

	if (job_id_parse(text, queue, &shard)) {
		if (strlen(text) >= JOB_ID || !job_queue_ok(queue) || shard < 0 || shard > 999)
			abort();
		job_id_make(again, queue, shard, 1700000000000, 12345);
		if (!job_id_parse(again, queue2, &shard2) || strcmp(queue, queue2) != 0 || shard != shard2)
			abort();
		if (strlen(again) != strlen(text))
			abort();
	}
	mem_free(&text);
	return 0;
}

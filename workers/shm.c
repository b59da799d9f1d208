/* shm.c -- the table that dispatcher and slots share; see shm.h for who writes what. */
#include "workers/shm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static size_t shm_size(int n)
{
	return sizeof(struct shm) + (size_t)n * sizeof(struct shm_slot);
}

struct shm *shm_make(int n, struct err *e)
{
	void *p = mmap(NULL, shm_size(n), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		err_set(e, ERR_IO, "shared memory for %d slots cannot be mapped: %s", n, strerror(errno));
		return NULL;
	}
	struct shm *s = p;
	s->n = n;
	return s;
}

void shm_free(struct shm **s)
{
	if (*s != NULL)
		munmap(*s, shm_size((*s)->n));
	*s = NULL;
}

void shm_reset(struct shm_slot *s)
{
	memset((void *)s, 0, sizeof(*s));
}

bool shm_start(struct shm_slot *s, uint32_t number, int64_t now_ms)
{
	/* The time goes first: a reader that sees the new number must not see the old job's start. */
	atomic_store(&s->started_ms, now_ms);
	uint32_t last = atomic_load(&s->started);
	do {
		if (number <= last)
			return false;
	} while (!atomic_compare_exchange_weak(&s->started, &last, number));
	return true;
}

uint32_t shm_revoke(struct shm_slot *s, uint32_t last)
{
	return atomic_exchange(&s->started, last);
}

void shm_progress_write(struct shm_slot *s, uint32_t number, const struct job_progress *p)
{
	atomic_fetch_add(&s->version, 1);
	atomic_thread_fence(memory_order_seq_cst);
	s->progress_number = number;
	s->progress = *p;
	atomic_thread_fence(memory_order_seq_cst);
	atomic_fetch_add(&s->version, 1);
}

bool shm_progress_read(struct shm_slot *s, uint32_t number, struct job_progress *out, uint32_t *version_out)
{
	uint32_t before = atomic_load(&s->version);
	if (before == 0 || (before & 1) != 0)
		return false;
	atomic_thread_fence(memory_order_seq_cst);
	uint32_t of = s->progress_number;
	*out = s->progress;
	atomic_thread_fence(memory_order_seq_cst);
	*version_out = before;
	if (atomic_load(&s->version) != before || of != number)
		return false;
	/* A slot gone wild may have written anything here. */
	out->unit[sizeof(out->unit) - 1] = '\0';
	out->note[sizeof(out->note) - 1] = '\0';
	return true;
}

/* One writer, so that reading and writing need not be one step. */
static void more(_Atomic uint64_t *n, uint64_t by)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by, memory_order_relaxed);
}

void shm_time(struct shm_times *t, int64_t us)
{
	size_t bucket;

	us = us > 0 ? us : 0;
	bucket = metrics_bucket((double)us / 1e6);
	if (bucket < METRIC_BUCKETS)
		more(&t->buckets[bucket], 1);
	more(&t->count, 1);
	more(&t->sum_us, (uint64_t)us);
}

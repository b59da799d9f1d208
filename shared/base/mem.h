/* mem.h -- memory: allocation that cannot fail, and arenas that die with their request or job.
 *
 * mem_new never returns NULL and always gives zeros; running out of memory ends the process with a sentence.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/base.h"

void *mem_new(size_t size) __attribute__((returns_nonnull, malloc));
void *mem_array(size_t count, size_t size) __attribute__((returns_nonnull)); /* checks the product */
/* Grow (never shrink) to count items of size; new bytes are zero. `old` may be NULL with old_count 0. */
void *mem_grow(void *old, size_t old_count, size_t count, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((returns_nonnull));
char *mem_strndup(const char *s, size_t len) __attribute__((returns_nonnull));
/* free(*(void **)p) and set it to NULL; NULL inside is fine. Use: mem_free(&thing->name); */
void mem_free(void *pointer_to_pointer);

/* An arena: everything from it is freed at once by arena_close. Memory is zeroed and aligned for any type. */
struct arena;
struct arena *arena_open(void) __attribute__((returns_nonnull));
void arena_close(struct arena **a);
void arena_reset(struct arena *a); /* keep the first block, drop the contents */
void *arena_new(struct arena *a, size_t size) __attribute__((returns_nonnull));
void *arena_array(struct arena *a, size_t count, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t len) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((returns_nonnull));

#endif

/* mem.c -- memory that cannot fail, and arenas made of blocks that are freed together. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK 4096
#define ARENA_ALIGN _Alignof(max_align_t)

struct arena_block {
	struct arena_block *next; /* older */
	size_t used, size;
	max_align_t data[];
};

struct arena {
	struct arena_block *blocks; /* the newest first; the last is the first ever made */
};

__attribute__((noreturn)) static void out_of_memory(size_t size)
{
	fprintf(stderr, "barque: out of memory: %zu bytes more were refused by the system\n", size);
	abort();
}

static size_t checked_product(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	return bytes;
}

void *mem_new(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *mem_array(size_t count, size_t size)
{
	return mem_new(checked_product(count, size));
}

void *mem_grow(void *old, size_t old_count, size_t count, size_t size)
{
	size_t had = checked_product(old_count, size);
	size_t bytes = checked_product(count, size);
	char *p;

	if (old && bytes <= had)
		return old;
	p = realloc(old, bytes ? bytes : 1);
	if (!p)
		out_of_memory(bytes);
	memset(p + had, 0, bytes - had);
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t len)
{
	char *copy = mem_new(len + 1);

	if (len)
		memcpy(copy, s, len);
	return copy;
}

void mem_free(void *pointer_to_pointer)
{
	void *p;
	void *none = NULL;

	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
	memcpy(pointer_to_pointer, &none, sizeof(none));
}

static void arena_grow(struct arena *a, size_t size)
{
	size_t bytes = size > ARENA_BLOCK ? size : ARENA_BLOCK;
	struct arena_block *b;

	if (bytes > SIZE_MAX - sizeof(*b))
		out_of_memory(bytes);
	b = mem_new(sizeof(*b) + bytes);
	b->size = bytes;
	b->next = a->blocks;
	a->blocks = b;
}

struct arena *arena_open(void)
{
	struct arena *a = mem_new(sizeof(*a));

	arena_grow(a, ARENA_BLOCK);
	return a;
}

void arena_reset(struct arena *a)
{
	while (a->blocks->next) {
		struct arena_block *older = a->blocks->next;

		free(a->blocks);
		a->blocks = older;
	}
	memset(a->blocks->data, 0, a->blocks->used);
	a->blocks->used = 0;
}

void arena_close(struct arena **a)
{
	if (!*a)
		return;
	arena_reset(*a);
	free((*a)->blocks);
	mem_free(a);
}

void *arena_new(struct arena *a, size_t size)
{
	void *p;

	if (size > SIZE_MAX - ARENA_ALIGN)
		out_of_memory(size);
	/* Zero bytes take room too, so that two things never share an address. */
	size = (size + (size == 0) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	if (a->blocks->size - a->blocks->used < size)
		arena_grow(a, size);
	p = (char *)a->blocks->data + a->blocks->used;
	a->blocks->used += size;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	return arena_new(a, checked_product(count, size));
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_new(a, len + 1);

	if (len)
		memcpy(copy, s, len);
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return arena_strdup(a, "");
	text = arena_new(a, (size_t)len + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}

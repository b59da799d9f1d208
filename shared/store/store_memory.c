/* store_memory.c -- the driver memory:NAME: a store without files, shared within the process under its name; for tests.
 *
 * Everything lies in plain arrays under one mutex, which a transaction holds from begin to its end. A change is applied in one
 * go at the commit and cannot fail there, so there is nothing to undo.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "store/driver.h"

/* A growing array of structs; zeros are an empty one. */
struct list {
	void *items;
	size_t n, room, size;
};
#define LIST(type)                   \
	{                            \
		.size = sizeof(type) \
	}
#define AT(list, type, i) (&((type *)(list).items)[i])

struct memory_chunk {
	int64_t series;
	struct chunk_row row; /* blob: owned */
};

struct memory_absent {
	char symbol[SYMBOL_SIZE];
	enum interval interval;
	struct absent_range range;
};

struct memory_result {
	struct result_row row; /* params, summary: owned */
	int64_t fence;
};

struct memory_store {
	char name[64], identity[40];
	int handles;
	pthread_mutex_t lock;
	struct list series;  /* struct series_state; id 0: dropped */
	struct list chunks;  /* struct memory_chunk; by series and start */
	struct list symbols; /* struct symbol_row; by name */
	struct list absent;  /* struct memory_absent; by from */
	struct list results; /* struct memory_result; in order of arrival */
	struct list history; /* struct history_row; by finished_at and id; texts: owned */
	struct list outbox;  /* struct outbox_row; data: owned */
	int64_t last_series, last_seq;
	char lease_owner[128];
	int64_t lease_until;
	struct memory_store *next;
};

/* ---- lists ------------------------------------------------------------------------------------------------------------ */

static void *insert(struct list *l, size_t at, const void *item)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		l->items = mem_grow(l->items, l->room, room, l->size);
		l->room = room;
	}
	char *place = (char *)l->items + at * l->size;
	memmove(place + l->size, place, (l->n++ - at) * l->size);
	return memcpy(place, item, l->size);
}

static void remove_at(struct list *l, size_t at)
{
	char *place = (char *)l->items + at * l->size;
	memmove(place, place + l->size, (--l->n - at) * l->size);
}

static void *copy_of(const void *data, size_t size)
{
	return memcpy(mem_new(size), data, size);
}

/* A list of the caller: the items from..from+n-1 of ours, in arena memory. */
static void *arena_copy(struct arena *a, const struct list *l, size_t from, size_t n)
{
	void *out = arena_array(a, n + 1, l->size);
	return n ? memcpy(out, (char *)l->items + from * l->size, n * l->size) : out;
}

/* ---- opening: the one place that the handles of a process share ------------------------------------------------------------ */

struct registry {
	pthread_mutex_t lock;
	struct memory_store *first;
};

static struct registry *registry(void)
{
	/* A name must mean the same store everywhere in the process, so something must outlive the calls. */
	static struct registry all = {.lock = PTHREAD_MUTEX_INITIALIZER};
	return &all;
}

static struct memory_store *make(const char *name)
{
	struct memory_store *m = mem_new(sizeof *m);
	unsigned char random[16];
	digest_random(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(m->identity + 2 * i, 3, "%02x", random[i]);
	bool fits = str_copy(m->name, sizeof m->name, name);
	assert(fits); /* open_store has looked */
	pthread_mutex_init(&m->lock, NULL);
	m->series = (struct list)LIST(struct series_state);
	m->chunks = (struct list)LIST(struct memory_chunk);
	m->symbols = (struct list)LIST(struct symbol_row);
	m->absent = (struct list)LIST(struct memory_absent);
	m->results = (struct list)LIST(struct memory_result);
	m->history = (struct list)LIST(struct history_row);
	m->outbox = (struct list)LIST(struct outbox_row);
	return m;
}

static void *open_store(const char *name, struct err *e)
{
	struct registry *r = registry();
	if (strlen(name) >= sizeof((struct memory_store *)0)->name) {
		err_set(e, ERR_INVALID, "STORE_URL memory:NAME: the name is too long");
		return NULL;
	}
	pthread_mutex_lock(&r->lock);
	struct memory_store *m = r->first;
	while (m && strcmp(m->name, name) != 0)
		m = m->next;
	if (!m) {
		m = make(name);
		m->next = r->first;
		r->first = m;
	}
	m->handles++;
	pthread_mutex_unlock(&r->lock);
	return m;
}

static void free_data(const void *data)
{
	void *p = (void *)(uintptr_t)data;
	mem_free(&p);
}

static void destroy(struct memory_store *m)
{
	for (size_t i = 0; i < m->chunks.n; i++)
		free_data(AT(m->chunks, struct memory_chunk, i)->row.blob);
	for (size_t i = 0; i < m->results.n; i++) {
		free_data(AT(m->results, struct memory_result, i)->row.params);
		free_data(AT(m->results, struct memory_result, i)->row.summary);
	}
	for (size_t i = 0; i < m->history.n; i++)
		job_close(&AT(m->history, struct history_row, i)->job);
	for (size_t i = 0; i < m->outbox.n; i++)
		free_data(AT(m->outbox, struct outbox_row, i)->data);
	struct list *lists[] = {&m->series, &m->chunks, &m->symbols, &m->absent, &m->results, &m->history, &m->outbox};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		mem_free(&lists[i]->items);
	pthread_mutex_destroy(&m->lock);
	mem_free(&m);
}

static void close_store(void *db)
{
	struct registry *r = registry();
	struct memory_store *m = db;
	pthread_mutex_lock(&r->lock);
	bool last = --m->handles == 0;
	struct memory_store **link = &r->first;
	while (last && *link != m)
		link = &(*link)->next;
	if (last)
		*link = m->next;
	pthread_mutex_unlock(&r->lock);
	if (last)
		destroy(m);
}

static const char *identity(void *db)
{
	return ((struct memory_store *)db)->identity;
}

/* ---- series and chunks -------------------------------------------------------------------------------------------------------- */

static bool begin(void *db, bool write, struct err *e)
{
	UNUSED(write);
	UNUSED(e);
	pthread_mutex_lock(&((struct memory_store *)db)->lock);
	return true;
}

static void end(void *db)
{
	pthread_mutex_unlock(&((struct memory_store *)db)->lock);
}

static struct series_state *find_series(struct memory_store *m, const char *symbol, enum interval iv)
{
	for (size_t i = 0; i < m->series.n; i++) {
		struct series_state *s = AT(m->series, struct series_state, i);
		if (s->series.interval == iv && strcmp(s->series.symbol, symbol) == 0)
			return s;
	}
	return NULL;
}

static int get_series(void *db, const char *symbol, enum interval iv, struct series_state *out, struct err *e)
{
	UNUSED(e);
	const struct series_state *s = find_series(db, symbol, iv);
	*out = s ? *s : (struct series_state){0};
	return out->series.id != 0;
}

static int by_id(const void *a, const void *b)
{
	const struct series *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int list_series(void *db, enum interval iv, struct arena *a, struct series **out, struct err *e)
{
	struct memory_store *m = db;
	size_t n = 0;
	begin(m, false, e);
	*out = arena_array(a, m->series.n + 1, sizeof **out);
	for (size_t i = 0; i < m->series.n; i++) {
		const struct series *s = &AT(m->series, struct series_state, i)->series;
		if (s->id && (iv == INTERVAL_COUNT || s->interval == iv))
			(*out)[n++] = *s;
	}
	end(m);
	qsort(*out, n, sizeof **out, by_id);
	return (int)n;
}

/* The first chunk that is not before (series, start). */
static size_t chunk_place(const struct memory_store *m, int64_t series, int64_t start)
{
	size_t low = 0, high = m->chunks.n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct memory_chunk *c = AT(m->chunks, struct memory_chunk, middle);
		if (c->series < series || (c->series == series && c->row.start < start))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int list_chunks(void *db, int64_t series, int64_t from, int64_t to, struct arena *a, struct chunk_row **out, struct err *e)
{
	struct memory_store *m = db;
	size_t first = chunk_place(m, series, from), last = chunk_place(m, series, to + 1);
	UNUSED(e);
	*out = arena_array(a, last - first + 1, sizeof **out);
	for (size_t i = first; i < last; i++) {
		(*out)[i - first] = AT(m->chunks, struct memory_chunk, i)->row;
		(*out)[i - first].blob = NULL;
	}
	return (int)(last - first);
}

static struct memory_chunk *find_chunk(struct memory_store *m, int64_t series, int64_t start)
{
	size_t at = chunk_place(m, series, start);
	struct memory_chunk *c = at < m->chunks.n ? AT(m->chunks, struct memory_chunk, at) : NULL;
	return c && c->series == series && c->row.start == start ? c : NULL;
}

static int get_chunk(void *db, int64_t series, int64_t start, struct chunk_row *out, struct err *e)
{
	const struct memory_chunk *c = find_chunk(db, series, start);
	UNUSED(e);
	if (c)
		*out = c->row;
	return c != NULL;
}

static void delete_chunk(struct memory_store *m, size_t at)
{
	free_data(AT(m->chunks, struct memory_chunk, at)->row.blob);
	remove_at(&m->chunks, at);
}

static void put_chunk(struct memory_store *m, int64_t series, const struct chunk_row *row)
{
	struct memory_chunk new = {series, *row}, *old = find_chunk(m, series, row->start);
	new.row.blob = copy_of(row->blob, row->size);
	if (old)
		delete_chunk(m, chunk_place(m, series, row->start));
	insert(&m->chunks, chunk_place(m, series, row->start), &new);
}

static void append_event(struct memory_store *m, const struct outbox_row *row)
{
	struct outbox_row new = *row;
	new.seq = ++m->last_seq;
	new.data = mem_strdup(row->data);
	insert(&m->outbox, m->outbox.n, &new);
}

static bool commit(void *db, const struct change *c, struct err *e)
{
	struct memory_store *m = db;
	const struct series *s = &c->state.series;
	struct series_state *state = find_series(m, s->symbol, s->interval);
	UNUSED(e);
	if (!state)
		state = insert(&m->series, m->series.n, &c->state);
	*state = c->state;
	int64_t id = state->series.id = s->id ? s->id : ++m->last_series;
	for (size_t i = 0; i < c->n_deletes; i++)
		delete_chunk(m, chunk_place(m, id, c->deletes[i]));
	for (size_t i = 0; i < c->n_puts; i++)
		put_chunk(m, id, &c->puts[i]);
	if (c->drop)
		state->series.id = 0; /* its revision and fence stay */
	append_event(m, c->event);
	end(m);
	return true;
}

/* ---- symbols and absent ranges --------------------------------------------------------------------------------------------------- */

static void put_symbol(struct memory_store *m, const struct symbol_row *row)
{
	size_t at = 0;
	while (at < m->symbols.n && strcmp(AT(m->symbols, struct symbol_row, at)->symbol, row->symbol) < 0)
		at++;
	if (at < m->symbols.n && strcmp(AT(m->symbols, struct symbol_row, at)->symbol, row->symbol) == 0)
		*AT(m->symbols, struct symbol_row, at) = *row;
	else
		insert(&m->symbols, at, row);
}

static bool symbols_put(void *db, const struct symbol_row *rows, size_t n, struct err *e)
{
	begin(db, true, e);
	for (size_t i = 0; i < n; i++)
		put_symbol(db, &rows[i]);
	end(db);
	return true;
}

static int symbols_list(void *db, struct arena *a, struct symbol_row **out, struct err *e)
{
	struct memory_store *m = db;
	begin(m, false, e);
	int n = (int)m->symbols.n;
	*out = arena_copy(a, &m->symbols, 0, m->symbols.n);
	end(m);
	return n;
}

static bool is_of(const struct memory_absent *r, const char *symbol, enum interval iv)
{
	return r->interval == iv && strcmp(r->symbol, symbol) == 0;
}

static bool absent_put(void *db, const char *symbol, enum interval iv, int64_t from, int64_t to, struct err *e)
{
	struct memory_store *m = db;
	struct memory_absent new = {.interval = iv, .range = {from, to}};
	if (!str_copy(new.symbol, sizeof new.symbol, symbol))
		return err_set(e, ERR_INVALID, "the symbol is too long");
	begin(m, true, e);
	for (size_t i = 0; i < m->absent.n;) {
		const struct memory_absent *r = AT(m->absent, struct memory_absent, i);
		if (!is_of(r, symbol, iv) || r->range.from > to + 1 || r->range.to < from - 1) {
			i++;
			continue;
		}
		new.range.from = r->range.from < new.range.from ? r->range.from : new.range.from;
		new.range.to = r->range.to > new.range.to ? r->range.to : new.range.to;
		remove_at(&m->absent, i);
	}
	size_t at = 0;
	while (at < m->absent.n && AT(m->absent, struct memory_absent, at)->range.from < new.range.from)
		at++;
	insert(&m->absent, at, &new);
	end(m);
	return true;
}

static int absent_list(void *db, const char *symbol, enum interval iv, struct arena *a, struct absent_range **out, struct err *e)
{
	struct memory_store *m = db;
	int n = 0;
	begin(m, false, e);
	*out = arena_array(a, m->absent.n + 1, sizeof **out);
	for (size_t i = 0; i < m->absent.n; i++)
		if (is_of(AT(m->absent, struct memory_absent, i), symbol, iv))
			(*out)[n++] = AT(m->absent, struct memory_absent, i)->range;
	end(m);
	return n;
}

/* ---- results -------------------------------------------------------------------------------------------------------------------------- */

static struct memory_result *find_result(struct memory_store *m, const char *job)
{
	for (size_t i = 0; i < m->results.n; i++)
		if (strcmp(AT(m->results, struct memory_result, i)->row.job, job) == 0)
			return AT(m->results, struct memory_result, i);
	return NULL;
}

static bool result_put(void *db, const struct result_row *row, int64_t fence, struct err *e)
{
	struct memory_store *m = db;
	begin(m, true, e);
	struct memory_result *old = find_result(m, row->job), new = {*row, fence};
	bool ok = !old || fence >= old->fence;
	if (!ok)
		err_set(e, ERR_STALE, "the result of job %s was written under fence %lld; this run holds %lld", row->job,
		        (long long)old->fence, (long long)fence);
	if (ok) {
		new.row.params = mem_strdup(row->params);
		new.row.summary = mem_strdup(row->summary);
	}
	if (ok && old) {
		free_data(old->row.params);
		free_data(old->row.summary);
		*old = new;
	} else if (ok) {
		insert(&m->results, m->results.n, &new);
	}
	end(m);
	return ok;
}

static struct result_row result_copy(const struct result_row *r, struct arena *a)
{
	struct result_row out = *r;
	out.params = arena_strdup(a, r->params);
	out.summary = arena_strdup(a, r->summary);
	return out;
}

static int result_get(void *db, const char *job, struct arena *a, struct result_row *out, struct err *e)
{
	begin(db, false, e);
	const struct memory_result *r = find_result(db, job);
	if (r)
		*out = result_copy(&r->row, a);
	end(db);
	return r != NULL;
}

/* Newest first; of the same millisecond the one that came later. `order` is the place of arrival. */
struct dated {
	int64_t created_at;
	size_t order;
};

static int newest_first(const void *a, const void *b)
{
	const struct dated *x = a, *y = b;
	if (x->created_at != y->created_at)
		return x->created_at > y->created_at ? -1 : 1;
	return x->order > y->order ? -1 : x->order < y->order;
}

static int result_list(void *db, int64_t before_ms, int limit, struct arena *a, struct result_row **out, struct err *e)
{
	struct memory_store *m = db;
	size_t n = 0;
	begin(m, false, e);
	struct dated *found = arena_array(a, m->results.n + 1, sizeof *found);
	for (size_t i = 0; i < m->results.n; i++)
		if (AT(m->results, struct memory_result, i)->row.created_at < before_ms)
			found[n++] = (struct dated){AT(m->results, struct memory_result, i)->row.created_at, i};
	qsort(found, n, sizeof *found, newest_first);
	n = n < (size_t)limit ? n : (size_t)limit;
	*out = arena_array(a, n + 1, sizeof **out);
	for (size_t i = 0; i < n; i++)
		(*out)[i] = result_copy(&AT(m->results, struct memory_result, found[i].order)->row, a);
	end(m);
	return (int)n;
}

/* ---- outbox and lease -------------------------------------------------------------------------------------------------------------------- */

static int outbox_take(void *db, int limit, struct arena *a, struct outbox_row **out, struct err *e)
{
	struct memory_store *m = db;
	begin(m, false, e);
	size_t n = m->outbox.n < (size_t)limit ? m->outbox.n : (size_t)limit;
	*out = arena_copy(a, &m->outbox, 0, n);
	for (size_t i = 0; i < n; i++)
		(*out)[i].data = arena_strdup(a, (*out)[i].data);
	end(m);
	return (int)n;
}

static bool outbox_sent(void *db, int64_t upto, struct err *e)
{
	struct memory_store *m = db;
	begin(m, true, e);
	while (m->outbox.n && AT(m->outbox, struct outbox_row, 0)->seq <= upto) {
		free_data(AT(m->outbox, struct outbox_row, 0)->data);
		remove_at(&m->outbox, 0);
	}
	end(m);
	return true;
}

static bool outbox_put(void *db, const struct outbox_row *row, struct err *e)
{
	begin(db, true, e);
	append_event(db, row);
	end(db);
	return true;
}

static bool outbox_count(void *db, int64_t *out, struct err *e)
{
	begin(db, false, e);
	*out = (int64_t)((struct memory_store *)db)->outbox.n;
	end(db);
	return true;
}

static int relay_lease(void *db, const char *owner, int64_t ttl_ms, int64_t now_ms, struct err *e)
{
	struct memory_store *m = db;
	begin(m, true, e);
	bool ours = m->lease_until <= now_ms || strcmp(m->lease_owner, owner) == 0;
	bool fits = ours && str_copy(m->lease_owner, sizeof m->lease_owner, owner);
	if (fits)
		m->lease_until = now_ms + ttl_ms;
	end(m);
	return ours && !fits ? err_fail(e, ERR_INVALID, "the relay's name is too long") : ours;
}

/* ---- ended jobs --------------------------------------------------------------------------------------------------------------------------- */

/* How many ends stand before this place. */
static size_t history_rank(const struct memory_store *m, int64_t finished_at, const char *id)
{
	size_t low = 0, high = m->history.n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct job *j = &AT(m->history, struct history_row, middle)->job;
		if (j->finished_at < finished_at || (j->finished_at == finished_at && strcmp(j->id, id) < 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct history_row history_made(const struct job *j)
{
	struct history_row r = {.job = *j, .params_bytes = j->params ? (int64_t)strlen(j->params) : 0};
	r.result_bytes = j->result ? (int64_t)strlen(j->result) : 0;
	r.job.params = mem_strdup(r.params_bytes > 0 && r.params_bytes <= HISTORY_TEXT_MAX ? j->params : "{}");
	r.job.result = r.result_bytes > 0 && r.result_bytes <= HISTORY_TEXT_MAX ? mem_strdup(j->result) : NULL;
	return r;
}

static bool history_keep(struct memory_store *m, const struct job *j)
{
	size_t at = history_rank(m, j->finished_at, j->id);
	const struct history_row *there = at < m->history.n ? AT(m->history, struct history_row, at) : NULL;
	if (there && there->job.finished_at == j->finished_at && strcmp(there->job.id, j->id) == 0)
		return false;
	struct history_row new = history_made(j);
	insert(&m->history, at, &new);
	return true;
}

static bool history_put(void *db, const struct history_entry *entries, size_t n, int64_t *written_out, struct err *e)
{
	struct memory_store *m = db;
	begin(m, true, e);
	for (size_t i = 0; i < n; i++) {
		bool is_new = !entries[i].keep || history_keep(m, entries[i].job);
		*written_out += entries[i].keep && is_new;
		if (entries[i].event && is_new)
			append_event(m, entries[i].event);
	}
	end(m);
	return true;
}

static struct history_row history_copy(const struct history_row *r, struct arena *a)
{
	struct history_row out = *r;
	out.job.params = arena_strdup(a, r->job.params);
	out.job.result = r->job.result ? arena_strdup(a, r->job.result) : NULL;
	return out;
}

static int history_get(void *db, const char *id, struct arena *a, struct history_row *out, struct err *e)
{
	struct memory_store *m = db;
	begin(m, false, e);
	size_t at = m->history.n;
	while (at > 0 && strcmp(AT(m->history, struct history_row, at - 1)->job.id, id) != 0)
		at--;
	if (at > 0)
		*out = history_copy(AT(m->history, struct history_row, at - 1), a);
	end(m);
	return at > 0;
}

static bool error_matches(const struct err *error, const char *part)
{
	char whole[sizeof error->text + 40];
	snprintf(whole, sizeof whole, "%s %s", err_name(error->code), error->text);
	return error->code != ERR_NONE && strcasestr(whole, part) != NULL;
}

static bool history_matches(const struct history_filter *f, const struct job *j)
{
	return j->finished_at >= f->from_ms && (!f->kind || strcmp(f->kind, j->kind) == 0) &&
	       (!f->queue || strcmp(f->queue, j->queue) == 0) && (f->state < 0 || f->state == (int)j->state) &&
	       (!f->error || error_matches(&j->error, f->error));
}

static int history_list(void *db, const struct history_filter *f, const struct history_place *before, int limit, struct arena *a,
        struct history_row **out, struct err *e)
{
	struct memory_store *m = db;
	int n = 0;
	begin(m, false, e);
	*out = arena_array(a, (size_t)limit, sizeof **out);
	for (size_t at = history_rank(m, before->finished_at, before->id); at > 0 && n < limit; at--)
		if (history_matches(f, &AT(m->history, struct history_row, at - 1)->job))
			(*out)[n++] = history_copy(AT(m->history, struct history_row, at - 1), a);
	end(m);
	return n;
}

static bool history_count(void *db, int64_t *out, struct err *e)
{
	begin(db, false, e);
	*out = (int64_t)((struct memory_store *)db)->history.n;
	end(db);
	return true;
}

static bool history_trim(void *db, int64_t before_ms, int limit, int64_t *deleted_out, struct err *e)
{
	struct memory_store *m = db;
	begin(m, true, e);
	for (; *deleted_out < limit && m->history.n && AT(m->history, struct history_row, 0)->job.finished_at < before_ms; ++*deleted_out) {
		job_close(&AT(m->history, struct history_row, 0)->job);
		remove_at(&m->history, 0);
	}
	end(m);
	return true;
}

/* There are no files. */
static int check(void *db, int64_t deadline, char problem[400], struct err *e)
{
	UNUSED(db);
	UNUSED(deadline);
	UNUSED(problem);
	UNUSED(e);
	return 1;
}

const struct store_driver store_driver_memory = {.scheme = "memory",
        .open = open_store,
        .close = close_store,
        .identity = identity,
        .begin = begin,
        .end = end,
        .commit = commit,
        .series = get_series,
        .series_list = list_series,
        .chunks = list_chunks,
        .chunk = get_chunk,
        .symbols_put = symbols_put,
        .symbols_list = symbols_list,
        .absent_put = absent_put,
        .absent_list = absent_list,
        .result_put = result_put,
        .result_get = result_get,
        .result_list = result_list,
        .outbox_take = outbox_take,
        .outbox_sent = outbox_sent,
        .outbox_put = outbox_put,
        .outbox_count = outbox_count,
        .history_put = history_put,
        .history_get = history_get,
        .history_list = history_list,
        .history_count = history_count,
        .history_trim = history_trim,
        .check = check,
        .relay_lease = relay_lease};

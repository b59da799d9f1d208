/* redis_audit_scan.c -- which keys there are of many shards: one SCAN of each server serves all that stand on it.
 *
 * A scan gives what was there from its beginning to its end. What came meanwhile it may leave out, so that it is noted before which job of a
 * shard was the newest; those that came after it are known by the list of all ids (T:a).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_audit.h"

#define BLOCK       (16 * 1024)
#define BYTES_MAX   ((size_t)512 * 1024 * 1024) /* of all names together */
#define NEWER_BATCH 5000

/* Names, one after the other, each with its NUL. */
struct names_block {
	struct names_block *older;
	size_t len;
	char data[BLOCK];
};

struct scan {
	struct redis_queue *q;
	struct audit_shard **shards; /* those of this server, by their tags */
	size_t n;
	size_t bytes; /* of the names of all shards, of other servers too */
};

/* ---- names ------------------------------------------------------------------------------------------------------------- */

static void add_name(struct audit_shard *s, const char *name)
{
	size_t len = strlen(name) + 1;

	if (len > BLOCK)
		return; /* no key of ours is so long */
	if (!s->names || s->names->len + len > BLOCK) {
		struct names_block *b = mem_new(sizeof(*b));

		b->older = s->names;
		s->names = b;
	}
	memcpy(s->names->data + s->names->len, name, len);
	s->names->len += len;
	s->bytes += len;
	s->n_names++;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* A scan may give a key twice. */
static size_t drop_doubles(const char **names, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
			names[kept++] = names[i];
	return kept;
}

const char **redis_shard_names(const struct audit_shard *s, size_t *n_out)
{
	const char **names = mem_array(s->n_names + 1, sizeof(*names));
	size_t n = 0;

	for (const struct names_block *b = s->names; b; b = b->older)
		for (size_t at = 0; at < b->len; at += strlen(b->data + at) + 1)
			names[n++] = b->data + at;
	qsort(names, n, sizeof(*names), by_text);
	*n_out = drop_doubles(names, n);
	return names;
}

void redis_shard_forget(struct audit_shard *s)
{
	while (s->names) {
		struct names_block *older = s->names->older;

		mem_free(&s->names);
		s->names = older;
	}
	s->n_names = s->bytes = 0;
}

/* ---- the newest job ---------------------------------------------------------------------------------------------------- */

static void write_range(struct redis_cmd *cmd, const struct audit_shard *s, int64_t from, int64_t to)
{
	struct buf key = {0};

	buf_addf(&key, "%s:a", s->tag);
	*cmd = (struct redis_cmd){.slot = s->slot + 1};
	redis_cmd_adds(cmd, "LRANGE");
	redis_cmd_adds(cmd, buf_text(&key));
	redis_cmd_addi(cmd, from);
	redis_cmd_addi(cmd, to);
	buf_close(&key);
}

/* Of each that is not scanned yet. What answers shows where it stands, too. */
static bool note_newest(struct redis_queue *q, struct audit_shard *const *shards, size_t n, struct err *e)
{
	struct redis_cmd *cmds = mem_array(n, sizeof(*cmds));
	struct redis_reply **r = mem_array(n, sizeof(*r));
	bool ok;

	for (size_t i = 0; i < n; i++)
		write_range(&cmds[i], shards[i], -1, -1);
	ok = redis_call_many(q, cmds, n, r, e) || redis_wrong_type(e);
	for (size_t i = 0; i < n; i++) {
		const char *id = redis_reply_text(redis_reply_at(r[i], 0), NULL);

		snprintf(shards[i]->newest, sizeof(shards[i]->newest), "%s", id ? id : "");
		redis_cmd_close(&cmds[i]);
		redis_reply_close(&r[i]);
	}
	mem_free(&cmds);
	mem_free(&r);
	return ok;
}

static void add_job(struct audit_shard *s, const char *id)
{
	static const char *const kinds[] = {"j", "D", "L"};
	char name[QUEUE_TAIL + 3];

	for (size_t i = 0; strlen(id) == QUEUE_TAIL && i < ARRAY_LEN(kinds); i++) {
		snprintf(name, sizeof(name), "%s:%.*s", kinds[i], QUEUE_TAIL, id);
		add_name(s, name);
	}
}

bool redis_newest_ids(struct redis_queue *q, const struct audit_shard *s, int64_t nth, int64_t n, struct redis_reply **out, struct err *e)
{
	struct redis_cmd cmd;
	bool ok;

	write_range(&cmd, s, -(nth + n - 1), -nth);
	ok = redis_call(q, &cmd, true, out, e) || redis_wrong_type(e);
	redis_cmd_close(&cmd);
	return ok;
}

/* From the newest back to where it was noted. The list only grows at this end, so that what moves between two answers comes twice. */
bool redis_add_newer(struct redis_queue *q, struct audit_shard *s, struct err *e)
{
	bool more = true, ok = true;

	for (int64_t at = 1; ok && more; at += NEWER_BATCH) {
		struct redis_reply *r = NULL;

		ok = queue_look_goes_on(s->look, e) && redis_newest_ids(q, s, at, NEWER_BATCH, &r, e);
		more = redis_reply_count(r) == NEWER_BATCH;
		for (size_t i = redis_reply_count(r); i-- > 0;) {
			const char *id = redis_reply_text(redis_reply_at(r, i), NULL);

			if (id && str_eq(id, s->newest)) {
				more = false;
				break;
			}
			add_job(s, id ? id : "");
		}
		redis_reply_close(&r);
	}
	return ok;
}

/* ---- scanning ---------------------------------------------------------------------------------------------------------- */

static int by_tag(const void *x, const void *y)
{
	return strcmp((*(struct audit_shard *const *)x)->tag, (*(struct audit_shard *const *)y)->tag);
}

/* Those that are not scanned yet and stand where the first of them does. */
static bool choose_shards(struct scan *s, struct audit_shard *all, size_t n, struct err *e)
{
	size_t left = 0;

	s->shards = mem_array(n, sizeof(*s->shards));
	for (size_t i = 0; i < n; i++) {
		s->bytes += all[i].bytes;
		if (!all[i].scanned)
			s->shards[left++] = &all[i];
	}
	if (!note_newest(s->q, s->shards, left, e))
		return false;
	for (size_t i = 0; i < left; i++)
		if (i == 0 || redis_same_server(s->q, s->shards[0]->slot, s->shards[i]->slot))
			s->shards[s->n++] = s->shards[i];
	return true;
}

/* What all their keys begin with. Some servers look at one slot only when it is asked for by name. */
static void write_pattern(struct buf *out, const struct scan *s)
{
	const struct queue_look *l = s->shards[0]->look;
	bool one_queue = true;

	for (size_t i = 0; i < s->n; i++)
		one_queue = one_queue && s->shards[i]->look == l;
	if (s->n == 1)
		buf_addf(out, "%s:*", s->shards[0]->tag);
	else if (one_queue)
		buf_addf(out, "{%s:%s:*", s->q->head.options.namespace_, l->queue);
	else
		buf_addf(out, "{%s:*", s->q->head.options.namespace_);
}

static bool take_key(struct scan *s, const char *key, struct err *e)
{
	struct audit_shard wanted, *w = &wanted, **found;
	size_t len = key ? strcspn(key, "}") + 1 : 0;

	if (!len || !str_copy_n(wanted.tag, sizeof(wanted.tag), key, len) || key[len] != ':')
		return true;
	found = bsearch(&w, s->shards, s->n, sizeof(*s->shards), by_tag);
	if (!found)
		return true;
	s->bytes -= (*found)->bytes;
	add_name(*found, key + len + 1);
	s->bytes += (*found)->bytes;
	return s->bytes <= BYTES_MAX ||
	       err_set(e, ERR_FULL, "there are more keys than are looked at at once: %zu MB of their names; look at one queue",
	               BYTES_MAX / 1024 / 1024);
}

static bool scan_keys(struct scan *s, const char *pattern, int slot, struct err *e)
{
	char cursor[32] = "0";
	bool ok = true;

	do {
		struct redis_cmd cmd = {.slot = slot + 1};
		const char *const words[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"};
		struct redis_reply *r = NULL;
		const struct redis_reply *keys;

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			redis_cmd_adds(&cmd, words[i]);
		ok = queue_look_goes_on(s->shards[0]->look, e) && redis_call(s->q, &cmd, true, &r, e);
		redis_cmd_close(&cmd);
		keys = redis_reply_at(r, 1);
		for (size_t i = 0; ok && i < redis_reply_count(keys); i++)
			ok = take_key(s, redis_reply_text(redis_reply_at(keys, i), NULL), e);
		if (ok && !str_copy(cursor, sizeof(cursor), redis_reply_text(redis_reply_at(r, 0), NULL)))
			ok = redis_bad_reply(e, "SCAN");
		redis_reply_close(&r);
	} while (ok && !str_eq(cursor, "0"));
	return ok;
}

bool redis_scan_shards(struct redis_queue *q, struct audit_shard *all, size_t n, struct err *e)
{
	struct scan s = {.q = q};
	struct buf pattern = {0};
	bool ok = choose_shards(&s, all, n, e);

	if (ok) {
		qsort(s.shards, s.n, sizeof(*s.shards), by_tag);
		write_pattern(&pattern, &s);
		ok = scan_keys(&s, buf_text(&pattern), s.shards[0]->slot, e);
	}
	for (size_t i = 0; i < s.n; i++)
		s.shards[i]->scanned = true;
	buf_close(&pattern);
	mem_free(&s.shards);
	return ok;
}

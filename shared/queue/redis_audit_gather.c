/* redis_audit_gather.c -- a look reads all keys of a shard: those of a wrong type first, then the others, many at once. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_audit.h"

#define BATCHES_MAX  4 /* of keys, of which only names are known */
#define STATES_BATCH "1000"

/* ---- keys of other types than they must be ----------------------------------------------------------------------------- */

static bool take_keys(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e)
{
	const char *was[QUEUE_BATCH_MAX];
	bool ok;

	memcpy(was, k->names, k->n_names * sizeof(*was));
	ok = redis_look_keys_read(r[0], a->shard, k->names, k->n_names, a->look, e);
	for (size_t i = 0; ok && i < k->n_names; i++) {
		a->stray_entries = a->stray_entries || (!k->names[i] && (str_eq(was[i], "e") || str_eq(was[i], "n")));
		a->stray_list = a->stray_list || (!k->names[i] && (str_eq(was[i], "a") || str_eq(was[i], "o")));
		a->stray_order =
		        a->stray_order || (!k->names[i] && (str_eq(was[i], "cr") || str_eq(was[i], "n") || str_starts(was[i], "cj:")));
		a->stray_load = a->stray_load || (!k->names[i] && str_eq(was[i], "load"));
	}
	return ok;
}

/* All but records: those that can be read stay, the others become NULL. And who holds the keys that a job may hold. */
static bool look_over(struct audit *a, const char **names, size_t n, struct err *e)
{
	bool ok = true;

	for (size_t i = 0, some; ok && i < n; i += some ? some : 1) {
		struct ask *k;

		for (some = 0; i + some < n && some < QUEUE_BATCH_MAX && !audit_is_record(names[i + some]);)
			some++;
		if (!some)
			continue;
		k = audit_ask(a, take_keys, "", 'k');
		k->names = names + i;
		k->n_names = some;
		redis_look_keys_ask(audit_ask_more(a), a->q, a->queue, a->shard, k->names, some);
		ok = queue_look_goes_on(a->look, e) && (a->n_asks < BATCHES_MAX || audit_asks_flush(a, e));
	}
	return ok && audit_asks_flush(a, e);
}

/* ---- states without records -------------------------------------------------------------------------------------------- */

static int name_of_record(const void *tail, const void *name)
{
	const char *text = *(const char *const *)name;
	int c = strncmp("j:", text, 2);

	return c ? c : strcmp(tail, text + 2);
}

/* r: ids and their states. A state that has a record is told of with that. */
static void take_states(struct audit *a, const struct redis_reply *r, const char *const *names, size_t n)
{
	for (size_t i = 0; i + 1 < redis_reply_count(r); i += 2) {
		size_t len = 0;
		const char *id = redis_reply_text(redis_reply_at(r, i), &len);

		if (id && !bsearch(id, names, n, sizeof(*names), name_of_record) && !audit_add_trace(a, id, len, 's'))
			audit_no_id(a, id, "s");
	}
}

/* A record may have vanished, and its state goes when the list of all ids is swept; so a state whose id is not listed never goes. */
static bool gather_states(struct audit *a, const char *const *names, size_t n, struct err *e)
{
	struct buf key = {0};
	char cursor[32] = "0";
	bool ok = true;

	buf_addf(&key, "%s:s", a->keys_of->tag);
	do {
		struct redis_reply *r = NULL;

		ok = queue_look_goes_on(a->look, e) &&
		     audit_command(a, (const char *const[]){"HSCAN", buf_text(&key), cursor, "COUNT", STATES_BATCH, NULL}, &r, e);
		if (ok) {
			take_states(a, redis_reply_at(r, 1), names, n);
			ok = str_copy(cursor, sizeof(cursor), redis_reply_text(redis_reply_at(r, 0), NULL)) || redis_bad_reply(e, "HSCAN");
		}
		redis_reply_close(&r);
	} while (ok && !str_eq(cursor, "0"));
	buf_close(&key);
	return ok || redis_wrong_type(e);
}

/* ---- all of it --------------------------------------------------------------------------------------------------------- */

/* name: NULL when it cannot be read. Asks when enough has been gathered. */
static bool gather_next(struct audit *a, struct buf *key, const char **name, struct err *e)
{
	if (a->look->bounds.read)
		++*a->look->bounds.read;
	buf_clear(key);
	buf_addf(key, "%s:%s", a->keys_of->tag, *name ? *name : "");
	if (*name && audit_is_record(*name))
		audit_gather_record(a, key->data, name);
	else if (*name)
		audit_gather_key(a, key->data, *name);
	return (a->n_cmds < ASKS_MAX && a->n_asks < KEYS_MAX) || (audit_asks_flush(a, e) && audit_ask_unusual(a, e));
}

static bool within_bounds(const struct audit *a, struct err *e)
{
	if (!queue_look_goes_on(a->look, e))
		return false;
	return a->n <= QUEUE_LOOK_MAX ||
	       err_set(e, ERR_FULL, "queue %s holds more than is looked at: %d places and records", a->queue, QUEUE_LOOK_MAX);
}

bool audit_gather(struct audit *a, struct err *e)
{
	struct buf key = {0};
	size_t n;
	const char **names = redis_shard_names(a->keys_of, &n);
	bool ok;

	/* Most keys are records, and most records have one place. What is not used of it is never touched. */
	a->cap = 2 * n + 64;
	a->traces = mem_array(a->cap, sizeof(*a->traces));
	ok = !a->look->deep || (gather_states(a, names, n, e) && look_over(a, names, n, e)); /* which takes out names */
	for (size_t i = 0; ok && i < n; i++)
		ok = within_bounds(a, e) && gather_next(a, &key, names + i, e);
	ok = ok && audit_asks_flush(a, e) && audit_ask_unusual(a, e) && (a->stray_entries || audit_unwritten(a, e));
	mem_free(&names);
	buf_close(&key);
	return ok;
}

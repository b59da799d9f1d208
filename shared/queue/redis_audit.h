/* redis_audit.h -- one look at a shard, from the inside: what is gathered by redis_audit_*.c and judged there. Private to these files.
 *
 * redis_audit_gather.c goes through all keys: records are read by redis_audit_record.c, places by redis_audit_place.c, which ask much at once
 * (redis_audit_ask.c). What comes back are traces of ids (redis_audit_trace.c). Sorted by id they are judged by redis_audit_judge.c, and what
 * was counted on the way by redis_audit_count.c, redis_audit_limits.c, redis_audit_history.c and redis_audit_cron.c.
 */
#ifndef QUEUE_REDIS_AUDIT_H
#define QUEUE_REDIS_AUDIT_H

#include "queue/redis_private.h"

/* ---- redis_audit_scan.c: which keys there are ------------------------------------------------------------------ */

/* A shard that is looked at. */
struct names_block;
struct audit_shard {
	struct queue_look *look;
	size_t nth; /* of the looks, from 0 */
	int number, slot;
	char tag[80]; /* what its keys begin with */
	bool scanned;
	char newest[QUEUE_TAIL + 1]; /* of its jobs, before the scan; "": there was none */
	struct names_block *names;   /* of its keys, as T: is followed by them */
	size_t n_names, bytes;
};
/* One scan of the server that holds the first shard which is not scanned yet, for all of these shards that stand there. */
bool redis_scan_shards(struct redis_queue *q, struct audit_shard *all, size_t n, struct err *e) MUST_CHECK;
/* Add the names of jobs that came since before the scan, which it need not give. */
bool redis_add_newer(struct redis_queue *q, struct audit_shard *s, struct err *e) MUST_CHECK;
/* n ids of T:a, up to the nth from its end (1: the newest), oldest first; none where T:a is no list. */
bool redis_newest_ids(
        struct redis_queue *q, const struct audit_shard *s, int64_t nth, int64_t n, struct redis_reply **out, struct err *e) MUST_CHECK;
/* Its names, each once, in order; mem_free the array, the texts live until redis_shard_forget. */
const char **redis_shard_names(const struct audit_shard *s, size_t *n_out);
void redis_shard_forget(struct audit_shard *s);

/* ---- redis_audit_shards.c --------------------------------------------------------------------------------------- */

/* All shards of the queues of these looks, in their order; mem_free it. NULL with e. */
struct audit_shard *redis_shards_of(
        struct redis_queue *q, struct queue_look *const *looks, size_t n, size_t *n_out, struct err *e) MUST_CHECK;
/* The queue's number of shards: as redis_mend. */
int redis_mend_shards(struct redis_queue *q, const char *queue, char why_out[200], struct err *e) MUST_CHECK;
/* redis_doctor.c: one call of its function: 1, 0, -1, and 2: there is more of it. */
int redis_mend_one(
        struct redis_queue *q, const char *queue, const struct queue_finding *f, bool force, char why_out[200], struct err *e) MUST_CHECK;

/* ---- redis_audit_limits.c: what redis_audit.c gathers about limits ------------------------------------------- */

/* A place where jobs are parked, or a concurrency key. */
struct audit_place {
	uint64_t hash; /* of its name: c<key> or r<window>:<key> */
	int64_t running, counted, parked, came_back;
	int64_t shut_out; /* parked until one of the same concurrency key ends */
	bool listed;
};
struct audit_limits {
	struct audit_place *places;
	size_t n, cap;
	int64_t parked, bytes, weights;
};
void audit_limits_close(struct audit_limits *a);
uint64_t audit_place_hash(const char *name);
/* l and r: the fields of the record, or NULL. places_out: hashes of the places where it may be parked, 0: none. */
void audit_limits_record(struct audit_limits *a, const char *s, const char *l, const char *r, int64_t bytes, uint64_t places_out[2]);
/* Take note of T:cc or T:qd, as HGETALL and ZRANGE WITHSCORES answer. */
void audit_limits_counted(struct audit_limits *a, const struct redis_reply *r);
void audit_limits_listed(struct audit_limits *a, const struct redis_reply *r);
void audit_limits_parked(struct audit_limits *a, const char *place, size_t n);
/* NULL, or what is wrong. */
const char *audit_limits_judge(struct audit_limits *a) MUST_CHECK;

/* ---- what a look knows -------------------------------------------------------------------------------------------------- */

#define ASKS_MAX 2048 /* questions that go out at once; each is bounded itself */
#define KEYS_MAX 256  /* keys that these are about */
#define ASK_ROOM 8    /* of one key */

/* One thing known of one id: a record, or a place that holds it. There are two for most jobs, so that it is kept small. */
struct trace {
	char tail[QUEUE_TAIL]; /* no NUL follows */
	char what; /* '!' record; 'D' what it waits for; 'L' its log; 's' a state without a record; x f k listed as ended; else the place: d schedule, r lane, l lease, h held */
	char state;      /* of a record: its digit */
	char lane;       /* of a record: the mark (20_lanes.lua) of the lane where it is meant to be */
	bool ends : 1;   /* of a record or a log: it has a time to live */
	bool log : 1;    /* of a record: it says that it has one */
	bool waits : 1;  /* of a record: it says that it waits for others; of a 'D': some of these have not ended well */
	bool listed : 1; /* it stands among all ids */
	bool parked : 1; /* of a record */
	uint32_t ghosts; /* of a record: marks of the lanes where its id is left, a bit for each */
	uint32_t place;  /* which of audit.places it was found in; of a record: which of audit.routes it takes */
	int64_t rev;     /* of a record */
	uint64_t at[2];  /* of a record: hashes of places where it may be parked */
};

/* Where ids were found. */
struct place {
	char *name;    /* of its key, as T: is followed by it */
	uint64_t hash; /* of one where jobs are parked */
	uint32_t route;
	char lane; /* mark */
};

/* How many jobs are ready on a route. */
struct route_count {
	char route[JOB_ROUTE];
	int64_t ready;
};

/* Texts, one after the other. */
struct texts {
	char **at;
	size_t n, cap;
};

struct audit;

/* What is asked of one key, or of a batch of them, and who takes the answers. */
struct ask {
	bool (*take)(struct audit *a, const struct ask *k, struct redis_reply *const *r, struct err *e);
	char *name;         /* of the key, as T: is followed by it */
	const char **names; /* of a batch */
	size_t n_names;
	char what;
	size_t first, n; /* its commands */
};

struct audit {
	struct redis_queue *q;
	const char *queue;
	int shard;
	int slot;
	struct audit_shard *keys_of;
	int64_t by_state[9];
	bool unwritten_wrong; /* what waits for the history is not as much as is counted */
	struct trace *traces;
	size_t n, cap;
	struct audit_limits limits;
	struct place *places;
	size_t n_places, places_cap;
	struct texts schedules;
	bool stray_load, stray_list, stray_entries, stray_order; /* the load, all ids, ends, schedules: other keys stand in their places */
	char load[32];                                           /* as it was read; "": there is none */
	struct ask asks[ASKS_MAX + ASK_ROOM];
	struct redis_cmd cmds[ASKS_MAX + ASK_ROOM];
	size_t n_asks, n_cmds;
	const char *unusual[KEYS_MAX]; /* records that are still to be asked for by a function */
	size_t n_unusual;
	struct route_count *routes;
	size_t n_routes, routes_cap;
	struct queue_look *look;
};

/* ---- redis_audit_trace.c ------------------------------------------------------------------------------------------------ */

/* NULL when the text is no id of a job. */
struct trace *audit_add_trace(struct audit *a, const char *tail, size_t len, char what);
/* name: what follows T: in its key */
struct place *audit_add_place(struct audit *a, const char *name);
void audit_places_close(struct audit *a);
/* Which of the routes. */
uint32_t audit_route_of(struct audit *a, const char *route);
void audit_texts_add(struct texts *t, const char *text);
void audit_texts_close(struct texts *t);
/* at: where it was found, or NULL. */
void audit_problem(struct audit *a, enum queue_fault fault, const struct trace *t, const struct trace *at, const char *what);
/* A sentence about the whole queue. */
void audit_problem_of_queue(struct audit *a, enum queue_fault fault, const char *what);
/* What cannot be the id of a job, or what else belongs there. */
void audit_no_id(struct audit *a, const char *text, const char *place);

/* ---- redis_audit_ask.c -------------------------------------------------------------------------------------------------- */

/* One command by itself, at once. */
bool audit_command(struct audit *a, const char *const *words, struct redis_reply **out, struct err *e) MUST_CHECK;
/* A new question, of a key or a batch of them, and its commands one after the other. They go out when enough has been gathered. */
struct ask *audit_ask(struct audit *a, bool (*take)(struct audit *, const struct ask *, struct redis_reply *const *, struct err *),
        const char *name, char what);
struct redis_cmd *audit_ask_more(struct audit *a);
void audit_ask_words(struct audit *a, const char *const *words);
bool audit_asks_flush(struct audit *a, struct err *e) MUST_CHECK;
void audit_asks_clear(struct audit *a);

/* ---- redis_audit_record.c ----------------------------------------------------------------------------------------------- */

/* By the name of its key, as T: is followed by it. */
bool audit_is_record(const char *name);
void audit_gather_record(struct audit *a, const char *key, const char **name);
/* When all else was asked: records that are not as most are. */
bool audit_ask_unusual(struct audit *a, struct err *e) MUST_CHECK;
char audit_lane_mark(const char *lane, bool quarantined);
/* A bit for each lane that one fairness key may have: ten priorities, usual and quarantined. 0: there is no such lane. */
uint32_t audit_mark_bit(char mark);
bool audit_is_digits(const char *text);
const char *audit_skip_digits(const char *text);

/* ---- the others --------------------------------------------------------------------------------------------------------- */

/* redis_audit_place.c; name: what follows T: in the key */
void audit_gather_key(struct audit *a, const char *key, const char *name);
/* redis_audit_gather.c */
bool audit_gather(struct audit *a, struct err *e) MUST_CHECK;
/* redis_audit_history.c */
bool audit_unwritten(struct audit *a, struct err *e) MUST_CHECK;
/* redis_audit_cron.c: names of all that have a hash. */
bool redis_audit_schedules(
        struct redis_queue *q, const char *queue, int shard, char *const *hashes, size_t n, struct queue_look *l, struct err *e) MUST_CHECK;
/* redis_audit_judge.c: the traces by id, and whether they fit */
bool audit_sort_traces(struct audit *a, struct err *e) MUST_CHECK;
void audit_judge_all(struct audit *a);
/* redis_audit_count.c */
/* T:n, as HGETALL answers. */
bool audit_read_counters(struct audit *a, struct redis_reply **out, struct err *e) MUST_CHECK;
/* The sum of hashes of the counters that stand still: equal at the beginning and at the end of a look when no job moved meanwhile. */
uint64_t audit_stillness(const struct redis_reply *r);
void audit_judge_counters(struct audit *a, const struct redis_reply *r);

#endif

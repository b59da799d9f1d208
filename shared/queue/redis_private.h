/* redis_private.h -- what the files of the Redis driver share: a connection that never blocks, commands, and replies that are
 * hostile until checked. Only redis.c knows hiredis.
 */
#ifndef QUEUE_REDIS_PRIVATE_H
#define QUEUE_REDIS_PRIVATE_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "queue/driver.h"

/* ---- redis_url.c -------------------------------------------------------------------------------------------- */

#define REDIS_HOSTS_MAX 16
#define REDIS_SLOTS     16384

struct redis_address {
	char host[256];
	int port;
};

enum redis_mode {
	REDIS_SINGLE,
	REDIS_SENTINEL, /* hosts are sentinels, who say where the master is */
	REDIS_CLUSTER   /* hosts are some of its nodes, who say where a slot is */
};

struct redis_url {
	enum redis_mode mode;
	struct redis_address hosts[REDIS_HOSTS_MAX];
	size_t n_hosts;               /* 0 when path is set */
	char path[108];               /* of a Unix socket, or "" */
	char user[64], password[256]; /* "": none */
	char sentinel_user[64], sentinel_password[256];
	char master[64];
	int db;
	bool tls, no_verify;
	char ca[256], cert[256], key[256]; /* files; "": the system's CAs, no certificate of ours */
	char name[256];                    /* that the server's certificate must bear; "": its host */
};

/* The forms are in docs/operate.md. The sentence in e says which part is wrong, and never repeats a password. */
bool redis_url_parse(const char *url, struct redis_url *out, struct err *e) MUST_CHECK;

/* ---- redis.c: commands and replies ---------------------------------------------------------------------------- */

struct redis_reply; /* one answer of the server; every getter checks the type and answers "absent" for another */

/* What came over a connection, taken apart. next: 1 got one (redis_reply_close it), 0 not yet, -1: these are no answers, *why says why. */
struct redis_reader;
struct redis_reader *redis_reader_new(void);
void redis_reader_close(struct redis_reader **r);
void redis_reader_feed(struct redis_reader *r, const void *data, size_t len);
int redis_reader_next(struct redis_reader *r, struct redis_reply **out, const char **why) MUST_CHECK;

/* A command being written; start with zeros. Ends by redis_cmd_close. */
struct redis_cmd {
	struct buf body;
	size_t args;
	int slot; /* of a cluster, plus 1; 0: that of its key */
};
void redis_cmd_write(const struct redis_cmd *c, struct buf *out); /* as it is sent */
void redis_cmd_add(struct redis_cmd *c, const void *data, size_t len);
void redis_cmd_adds(struct redis_cmd *c, const char *s); /* NULL: "" */
void redis_cmd_addi(struct redis_cmd *c, int64_t v);
void redis_cmd_close(struct redis_cmd *c);

void redis_reply_close(struct redis_reply **r);
const char *redis_reply_error(const struct redis_reply *r);                 /* the server's error text, or NULL */
const char *redis_reply_text(const struct redis_reply *r, size_t *len);     /* NULL: no text; len may be NULL */
bool redis_reply_int(const struct redis_reply *r, int64_t *out) MUST_CHECK; /* an integer, or a text that is one */
bool redis_reply_is_array(const struct redis_reply *r);
size_t redis_reply_count(const struct redis_reply *r); /* of an array, else 0 */
const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i);
/* Turn an error of the server into ours; returns false. */
bool redis_reply_fail(const struct redis_reply *r, struct err *e);

/* ---- redis_conn.c: a connection ------------------------------------------------------------------------------- */

/* Slots of a cluster that follow each other and have the same owner. */
struct redis_slots {
	int first, last;
};

struct redis_conn;
/* Connects when first used: to the server of the URL, to the master that its sentinels name, or to the node of a cluster that holds a
 * slot (-1: to any of its nodes). */
struct redis_conn *redis_conn_new(const struct redis_url *url, bool back_off, int slot);
void redis_conn_close(struct redis_conn **c);
int redis_conn_fd(const struct redis_conn *c);  /* always the same one, to be polled for reading */
bool redis_conn_up(const struct redis_conn *c); /* connected, or about to be */
bool redis_conn_same_server(const struct redis_conn *a, const struct redis_conn *b);
void redis_conn_slots(const struct redis_conn *c, struct redis_slots *out); /* of a cluster: which the guide said its node has */
void redis_conn_learn(const struct redis_conn *c, struct redis_url *out);   /* the hosts of a cluster that it heard of */
unsigned redis_conn_number(const struct redis_conn *c);                     /* another one with each new connection */
/* An error that says the server is no longer the right one (MOVED, READONLY and the like): hang up, so that the next start finds the right
 * one. False: it is another error, or this happened too often in a row. */
bool redis_conn_moved(struct redis_conn *c, const struct redis_reply *r);
void redis_conn_drop(struct redis_conn *c); /* hang up; the next start connects anew */
/* Begin to connect if need be, never waiting. False: not now (back-off, or the attempt failed at once). */
bool redis_conn_start(struct redis_conn *c, struct err *e) MUST_CHECK;
void redis_conn_send(struct redis_conn *c, const struct redis_cmd *cmd); /* after a start that went well */
bool redis_conn_flush(struct redis_conn *c, struct err *e) MUST_CHECK;   /* write what can be written now; false: lost */
/* Write what can be written, read what is there. 1: *out is an answer (redis_reply_close it), 0: not yet, -1: lost and dropped;
 * ERR_UNAVAILABLE when nothing of the last command can have reached the server, else ERR_UNSURE. */
int redis_conn_next(struct redis_conn *c, struct redis_reply **out, struct err *e) MUST_CHECK;
/* The same, waiting until the deadline (clock_mono_ms): 1 or -1. */
int redis_conn_await(struct redis_conn *c, int64_t deadline_ms, struct redis_reply **out, struct err *e) MUST_CHECK;

/* ---- redis_guide.c: where the server is ------------------------------------------------------------------------ */

int redis_slot(const char *key, size_t len);                          /* of a cluster: CRC16 of the part in braces, or of the whole key */
void redis_guide_ask(struct redis_cmd *c, const struct redis_url *u); /* the question */
/* Its answer, from the server at `from`: 1 *out is the place, in a cluster with *slots_out, 0: there is none just now, -1 with e. Nodes of a
 * cluster that it names are added to hosts. */
int redis_guide_read(const struct redis_reply *r, struct redis_url *u, int slot, const struct redis_address *from,
        struct redis_address *out, struct redis_slots *slots_out, struct err *e) MUST_CHECK;
/* host:port after "MOVED <slot> "; no host: that of from. */
bool redis_moved_read(const char *error, const struct redis_address *from, struct redis_address *out) MUST_CHECK;
bool redis_role_is_master(const struct redis_reply *r);

/* ---- redis_tls.c: the door to OpenSSL for connections ------------------------------------------------------------ */

struct redis_tls; /* outlives connections; bytes go through memory, the caller moves them */
struct redis_tls *redis_tls_new(const struct redis_url *u, struct err *e) MUST_CHECK;
void redis_tls_close(struct redis_tls **t);
bool redis_tls_begin(struct redis_tls *t, const char *host, struct err *e) MUST_CHECK; /* a new connection */
/* 1 the handshake is done, 0 not yet, -1: why not. Whatever it says, send what redis_tls_sealed gives. */
int redis_tls_shake(struct redis_tls *t, struct err *e) MUST_CHECK;
void redis_tls_came(struct redis_tls *t, const void *data, size_t len); /* from the socket */
/* What came, opened: bytes in data[size]; 0: no more now, -1: the other side is at fault, or gone. */
int redis_tls_open(struct redis_tls *t, void *data, size_t size);
bool redis_tls_seal(struct redis_tls *t, const void *data, size_t len) MUST_CHECK;
void redis_tls_sealed(struct redis_tls *t, struct buf *out); /* appends what is to be sent */

/* ---- redis_queue.c: the driver's handle and its calls -------------------------------------------------------- */

#define REDIS_KNOWN_MAX 64
#define REDIS_NODES_MAX 64

struct redis_shards {
	char queue[JOB_NAME];
	struct queue_shards n;
	bool unsettled;   /* its schedules do not all stand where they belong */
	int64_t asked_at; /* clock_mono_ms */
};

struct redis_queue {
	struct queue head;
	struct redis_url url;
	struct redis_conn *conn;                   /* NULL in a cluster */
	struct redis_conn *nodes[REDIS_NODES_MAX]; /* of a cluster; NULL: free */
	unsigned char *owners;                     /* of a cluster: for each slot its place in nodes, plus 1; 0: not known */
	char known[REDIS_KNOWN_MAX][JOB_NAME];     /* queues that we have put into the registry over this connection */
	size_t n_known;
	struct redis_shards shards[REDIS_KNOWN_MAX]; /* of queues, as they were lately */
	size_t n_shards;
	unsigned turn;      /* the shard of the next jobs that may go anywhere */
	int64_t sampled_at; /* of Redis' memory, clock_mono_ms; 0: never */
	bool memory_full;
};

/* ---- redis_cluster.c --------------------------------------------------------------------------------------------- */

/* The connection for a command; NULL with e. It may still have to be started. */
struct redis_conn *redis_conn_for(struct redis_queue *q, const struct redis_cmd *cmd, int64_t deadline_ms, struct err *e) MUST_CHECK;
/* The one that is known for it, not looked at: NULL when there is none. */
struct redis_conn *redis_conn_known(const struct redis_queue *q, const struct redis_cmd *cmd);
/* Does this error say that the command belongs to another server? Then ask again for its connection. */
bool redis_follow(struct redis_queue *q, const struct redis_cmd *cmd, struct redis_conn *c, const struct redis_reply *r);
/* Of a cluster: does one server hold both slots, as far as they were asked for? */
bool redis_same_server(const struct redis_queue *q, int slot, int other);
void redis_nodes_close(struct redis_queue *q);

/* ---- redis_queue.c: calls ---------------------------------------------------------------------------------------- */

/* A tag holds all keys of a shard: "{<ns>:<queue>:<shard>}". */
void redis_key(struct buf *out, const char *ns, const char *queue, int shard, const char *suffix);
/* FCALL of our library on a shard, with the four arguments that each of its functions takes first. */
void redis_fcall(struct redis_cmd *c, const struct queue_options *o, const char *function, const char *queue, int shard);
/* FCALL on a key of its own. */
void redis_fcall_key(struct redis_cmd *c, const struct queue_options *o, const char *function, const char *key);
/* One round trip; reconnects; loads the library where it is missing and repeats. again: repeat when the answer was lost. */
bool redis_call(struct redis_queue *q, const struct redis_cmd *cmd, bool again, struct redis_reply **out, struct err *e) MUST_CHECK;
/* Both over the same connection, the second's answer; not repeated. */
bool redis_call_two(struct redis_queue *q, const struct redis_cmd *first, const struct redis_cmd *second, struct redis_reply **out,
        struct err *e) MUST_CHECK;
/* Questions, all at once, in a cluster all that go to one node; what is not answered is asked again one by one. out[n]: an answer to each
 * (redis_reply_close them), none an error; or, when it failed, no answers. */
bool redis_call_many(struct redis_queue *q, const struct redis_cmd *cmds, size_t n, struct redis_reply **out, struct err *e) MUST_CHECK;
/* The same of keys that may be of any type: where one is of another than the command wants, the answer is an error, or NULL. */
bool redis_call_any(struct redis_queue *q, const struct redis_cmd *cmds, size_t n, struct redis_reply **out, struct err *e) MUST_CHECK;
/* Is this the answer of a server that has not our library (a new master, a flush)? */
bool redis_library_missing(const struct redis_reply *r);
void redis_library_text(struct buf *out, const struct queue_options *o);
void redis_library_load(struct redis_cmd *c, const struct queue_options *o);                   /* FUNCTION LOAD, to be sent */
void redis_function(struct redis_cmd *c, const struct queue_options *o, const char *function); /* FCALL and the name of the function */
/* An answer that is not what it must be. */
bool redis_bad_reply(struct err *e, const char *function);

/* ---- redis_record.c: a job as Redis holds it ----------------------------------------------------------------- */

/* {id, lease end, field, value ...} */
bool redis_record_read(const struct redis_reply *r, const char *queue, int shard, struct job *out, struct err *e) MUST_CHECK;
/* A record as HGETALL gives it and its state (T:s); the job is zeros but for its id and queue. Closed when it is none. */
bool redis_fields_read(
        const struct redis_reply *r, const struct redis_reply *state, struct job *j, const char *queue, struct err *e) MUST_CHECK;
/* One of a group of claims {route, first fence, then id, params of each}: at is where its id stands. It was due when it was made.
 * out: zeros. */
bool redis_claim_read(
        const struct redis_reply *group, size_t at, const char *queue, int shard, int64_t fence, struct job *out, struct err *e) MUST_CHECK;
/* {place, "errors crashes", trace, inputs, time limits, due, suspect} of a claim; false: it is not one of ours. */
bool redis_extras_read(const struct redis_reply *r, struct job *j) MUST_CHECK;
/* The fields of a new job that have not their usual value, as field, value; returns how many arguments were added. */
size_t redis_record_write(struct redis_cmd *c, const struct queue_submission *s);
/* Which of the fields it has that a transition must know of. */
void redis_record_flags(struct redis_cmd *c, const struct queue_submission *s);
/* The job's concurrency key: its own, or '=' and its unique key when only the newest of that is kept; "": none. *max_out: how many. */
void redis_concurrency(char out[JOB_UNIQUE + 1], int *max_out, const struct queue_submission *s);
/* "<kind>:<unique key>"; "": none. */
void redis_unique(char out[JOB_UNIQUE], const struct queue_submission *s);
/* Lane: one digit of priority and the fairness key. */
void redis_lane(char out[JOB_KEY + 1], const struct queue_submission *s);

bool redis_submit(struct queue *base, struct queue_submission *items, size_t n, struct queue_submitted *out, struct err *e) MUST_CHECK;
bool redis_lists(struct queue *base, const char *kind, int state, struct queue_page *out, size_t n, int *looks, struct err *e) MUST_CHECK;
/* Put the queue into the registry of those that exist, once for each connection. */
bool redis_register_queue(struct redis_queue *q, const char *queue, struct err *e) MUST_CHECK;
bool redis_count_shard(struct redis_queue *q, const char *queue, int shard, struct queue_counts *out, struct err *e) MUST_CHECK;
/* One item of a submission, as read_item() in 70_submit.lua reads it. */
void redis_add_item(struct redis_cmd *c, const struct queue_submission *s);
int redis_names(struct queue *base, char (**out)[JOB_NAME], struct err *e) MUST_CHECK;
bool redis_counts(struct queue *base, const char (*queues)[JOB_NAME], size_t n, struct queue_counts *out, struct err *e) MUST_CHECK;
int redis_history_take(struct queue *base, const struct history_writer *w, int limit, struct history_batch *out, struct err *e) MUST_CHECK;
int redis_history_drop(struct queue *base, const struct history_writer *w, const struct history_batch *b, struct err *e) MUST_CHECK;
bool redis_history_off(struct queue *base, const struct history_writer *w, struct err *e) MUST_CHECK;
int redis_dead_list(struct queue *base, const struct queue_dead_filter *f, const char *cursor, int limit, struct job *jobs,
        char next_out[64], struct err *e) MUST_CHECK;
int redis_dead_act(struct queue *base, enum queue_dead_act act, const struct queue_dead_filter *f, const char *cursor, int limit,
        int *skipped_out, char next_out[64], struct err *e) MUST_CHECK;
bool redis_set_weight(struct queue *base, const char *queue, const char *lane, int weight, struct err *e) MUST_CHECK;
bool redis_lane_show(struct queue *base, const char *queue, const char *lane, struct queue_lane *out, struct err *e) MUST_CHECK;
int redis_lanes(
        struct queue *base, const char *queue, const char *cursor, struct queue_lane *out, char next_out[64], struct err *e) MUST_CHECK;
int redis_purge(struct queue *base, const char *queue, enum job_state state, int limit, int64_t *left_out, struct err *e) MUST_CHECK;
bool redis_gate(struct queue *base, const char *queue, enum queue_gate gate, struct err *e) MUST_CHECK;
/* One shard, whatever it was before. */
bool redis_gate_like(struct redis_queue *q, const char *queue, int shard, bool paused, bool drains, struct err *e) MUST_CHECK;
int redis_log(struct queue *base, const char *id, int64_t from, int limit, struct queue_log *out, struct err *e);
bool redis_backlogs(struct queue *base, const char (*queues)[JOB_NAME], size_t n, struct queue_backlog *out, struct err *e) MUST_CHECK;
bool redis_changes(
        struct queue *base, const char *queue, int shard, const char *after, struct queue_changes *out, struct err *e) MUST_CHECK;
/* A function that looks at many jobs of one shard; n >= 1. */
bool redis_call_ids(struct redis_queue *q, const char *function, const char (*ids)[JOB_ID], size_t n, struct redis_reply **out,
        struct err *e) MUST_CHECK;
bool redis_revisions(struct queue *base, const char (*ids)[JOB_ID], size_t n, int64_t *revs, struct err *e) MUST_CHECK;
bool redis_show_many(struct queue *base, const char (*ids)[JOB_ID], size_t n, struct job *jobs, struct err *e);
bool redis_workers(struct queue *base, const char *queue, struct queue_workers *out, struct err *e) MUST_CHECK;
int redis_worker_tell(struct queue *base, const char *queue, const char *worker, enum worker_command command, struct err *e) MUST_CHECK;
bool redis_routes(struct queue *base, const char (*queues)[JOB_NAME], size_t n, struct queue_routes *out, struct err *e) MUST_CHECK;
int redis_audit(struct queue *base, const char *queue, struct queue_audit *out, struct err *e) MUST_CHECK;
bool redis_look(struct queue *base, struct queue_look *const *looks, size_t n, struct err *e) MUST_CHECK;

/* ---- redis_doctor.c: what only the doctor asks, and its mends -------------------------------------------------- */

/* names: of keys as T: is followed by them, at most QUEUE_BATCH_MAX. Those of another type than belongs there become NULL. */
void redis_look_keys_ask(
        struct redis_cmd *cmd, const struct redis_queue *q, const char *queue, int shard, const char *const *names, size_t n);
bool redis_look_keys_read(
        const struct redis_reply *r, int shard, const char **names, size_t n, struct queue_look *l, struct err *e) MUST_CHECK;
/* What look_records says of a record; its texts live as long as the answer, those that are not there are NULL. */
struct look_record {
	const char *s, *lane, *ghosts, *kind, *concurrency, *rate;
	int64_t left_ms, bytes; /* left_ms -1: it stays; of its parameters */
	const char *odd;        /* what makes no sense in it */
};
/* names: "j:<id>" each, at most QUEUE_BATCH_MAX. */
void redis_look_records_ask(
        struct redis_cmd *cmd, const struct redis_queue *q, const char *queue, int shard, const char *const *names, size_t n);
/* One of the answers: 1; 0: there is no record, and if another thing stands there a finding says so; -1. */
int redis_look_record_read(
        const struct redis_reply *r, int shard, const char *name, struct look_record *out, struct queue_look *l, struct err *e) MUST_CHECK;
/* A key that is not what it should be (a type; "none": there can be no such key), by its name after T: */
void redis_look_stray(struct queue_look *l, int shard, const char *name, const char *wanted);
/* Did a call fail since a key is of another type than belongs there? Then it is told as such elsewhere. */
bool redis_wrong_type(const struct err *e);
void redis_look_worker_ask(struct redis_cmd *cmd, const struct redis_queue *q, const char *queue, int shard, const char *worker);
bool redis_look_worker_read(const struct redis_reply *r, int shard, const char *worker, struct queue_look *l, struct err *e) MUST_CHECK;
int redis_mend(
        struct queue *base, const char *queue, const struct queue_finding *f, bool force, char why_out[200], struct err *e) MUST_CHECK;

/* ---- redis_flow.c -------------------------------------------------------------------------------------------- */

bool redis_flow_look(struct queue *base, struct queue_flow_node *nodes, size_t n, struct err *e) MUST_CHECK;
struct queue_mail *redis_mail_open(const char *url, struct queue *q, const char *const *queues, size_t n, struct err *e) MUST_CHECK;
void redis_mail_close(struct queue_mail *m);
int redis_mail_take(struct queue_mail *m, struct err *e) MUST_CHECK;
bool redis_mail_tell(struct queue_mail *m, struct err *e) MUST_CHECK;
bool redis_mail_drop(struct queue_mail *m, struct err *e) MUST_CHECK;
bool redis_mail_tidy(struct queue_mail *m, struct err *e) MUST_CHECK;
bool redis_mail_wait(struct queue_mail *m, int64_t max_ms, struct err *e) MUST_CHECK;

/* ---- redis_shards.c: the parts of a queue --------------------------------------------------------------------- */

/* How many shards the queue has, asked again every few seconds; raises them to what the options want. */
bool redis_shards(struct redis_queue *q, const char *queue, struct queue_shards *out, struct err *e) MUST_CHECK;
/* The same, asked anew: for what must not miss a shard that somebody has just made. The second for many queues at once. */
bool redis_shards_now(struct redis_queue *q, const char *queue, struct queue_shards *out, struct err *e) MUST_CHECK;
bool redis_shards_of_all(
        struct redis_queue *q, const char (*queues)[JOB_NAME], size_t n, struct queue_shards *out, struct err *e) MUST_CHECK;
/* Does it hold nothing that somebody may still look for? 1, 0, -1 */
int redis_shard_empty(struct redis_queue *q, const char *queue, int shard, struct err *e) MUST_CHECK;
void redis_forget_shards(struct redis_queue *q, const char *queue); /* ask at the next need */
/* To be said before anything else than a new submission makes a job of this shard live: it is served from then on, for 10 s at least and
 * then until it is empty again. */
bool redis_keep_shard(struct redis_queue *q, const char *queue, int shard, struct err *e) MUST_CHECK;
/* The shard of this job, if it is there. The second: of one that is submitted with this id, unless it has ended already. */
bool redis_keep_shard_of(struct redis_queue *q, const char *id, struct err *e) MUST_CHECK;
bool redis_keep_shard_for(struct redis_queue *q, const char *id, struct err *e) MUST_CHECK;
/* To be said after a submission: if that took so long that the number may have been lowered meanwhile, and the shard let go. */
bool redis_keep_shard_late(struct redis_queue *q, const char *queue, int shard, struct err *e) MUST_CHECK;
bool redis_set_shards(struct queue *base, const char *queue, int wanted, struct queue_shards *out, struct err *e) MUST_CHECK;
/* The schedules to where they belong, if the number of shards has changed and they are not there yet. */
bool redis_spread_schedules(struct redis_queue *q, const char *queue, struct err *e) MUST_CHECK;
/* Give it an id, hence a shard, if it has none. */
bool redis_place(struct redis_queue *q, struct queue_submission *s, struct err *e) MUST_CHECK;
/* The shard of so many where these keys of a job are, or else this name is. */
int redis_shard_of_keys(const struct queue_submission *s, const char *otherwise, int shards);
/* The shard for a job of the flow with this root: where its keys say, else one for all of the flow in its queue. -1 failed. */
int redis_flow_shard(struct queue *base, const struct queue_submission *s, const char *root, struct err *e) MUST_CHECK;
/* Ask shard 0 whose an idempotency key is: 1 it is ours (or the id is now the one that has it), 0 it is another request's (outcome in out),
 * -1. The second only where a queue has several shards; elsewhere the submission itself asks. */
int redis_reserve(struct redis_queue *q, struct queue_submission *s, struct queue_submitted *out, struct err *e) MUST_CHECK;
int redis_reserve_if_spread(struct redis_queue *q, struct queue_submission *s, struct queue_submitted *out, struct err *e) MUST_CHECK;
/* A cursor through several shards: "S<shard>:" before it, from shard 1 on. */
bool redis_cursor_split(const char *cursor, int *shard_out, char rest_out[64], struct err *e) MUST_CHECK;
/* The cursor to give: after this page, or at the beginning of the next of `shards`; "" at the end. */
bool redis_cursor_write(char out[64], int shard, const char *rest, struct err *e) MUST_CHECK; /* a place in this shard */
bool redis_cursor_join(char out[64], int shard, int shards, const char *rest, struct err *e) MUST_CHECK;

/* ---- redis_spread.c: one question to every shard of many queues ------------------------------------------------- */

/* The answers by queue and shard, those of each queue from shard 0 on. */
struct redis_place {
	size_t queue; /* its place among those asked for */
	int shard;
	int put; /* how many shards of it take new jobs */
};
struct redis_spread {
	struct redis_place *places;
	struct redis_reply **answers;
	size_t n;
};
/* A function that changes nothing, with one argument (NULL: none). In as few round trips as redis_call_many. Close it after true. */
bool redis_spread_ask(struct redis_queue *q, const char *function, const char *argument, const char (*queues)[JOB_NAME], size_t n,
        struct redis_spread *out, struct err *e) MUST_CHECK;
void redis_spread_close(struct redis_spread *s);

/* ---- redis_schedule.c ------------------------------------------------------------------------------------------ */

bool redis_schedule_put(struct queue *base, const struct queue_schedule *s, int64_t rev, int64_t due, enum act_result *result_out,
        int64_t *rev_out, struct err *e) MUST_CHECK;
bool redis_schedule_put_in(struct redis_queue *q, const struct queue_schedule *s, int64_t rev, int64_t due, int64_t until,
        enum act_result *result_out, int64_t *rev_out, struct err *e) MUST_CHECK;
/* As it is kept in one shard, and a field of that: 'M' only while it is on its way here. */
bool redis_schedule_raw(
        struct redis_queue *q, const char *queue, int shard, const char *name, struct redis_reply **out, struct err *e) MUST_CHECK;
const char *redis_schedule_field(const struct redis_reply *r, const char *field);
int redis_schedule_show_in(struct redis_queue *q, const char *queue, int shard, const char *name, struct queue_schedule *out,
        bool *asleep_out, struct err *e) MUST_CHECK;
/* One look at each shard: 1 it was found, 0 not; then *asleep_out says where it sleeps, or -1. */
int redis_schedule_look(struct redis_queue *q, const char *queue, int shards, const char *name, struct queue_schedule *out, int *asleep_out,
        struct err *e) MUST_CHECK;
/* due: where it must stand since it was copied to another shard; "": it is deleted. */
bool redis_schedule_drop_in(struct redis_queue *q, const struct queue_schedule *s, int64_t rev, const char *due, int64_t until,
        enum act_result *result_out, struct err *e) MUST_CHECK;
int redis_schedule_show(struct queue *base, const char *queue, const char *name, struct queue_schedule *out, struct err *e) MUST_CHECK;
bool redis_schedule_drop(
        struct queue *base, const char *queue, const char *name, int64_t rev, enum act_result *result_out, struct err *e) MUST_CHECK;
int redis_schedule_names(struct queue *base, const char *queue, char (**out)[SCHEDULE_NAME], struct err *e) MUST_CHECK;
bool redis_schedule_fire(struct queue *base, const struct queue_fire *f, struct queue_fired *out, struct err *e) MUST_CHECK;
/* cron_fire, for a queue or for a link. */
void redis_fire_write(
        struct redis_cmd *c, const struct queue_options *o, const char *queue, int shard, const struct queue_fire *fires, size_t n);
bool redis_fire_read(
        const struct redis_reply *r, const char *queue, int shard, struct queue_fired *out, size_t n, int64_t *next_due_out) MUST_CHECK;
/* redis_schedule_move.c */
bool redis_schedule_make(struct redis_queue *q, const struct queue_schedule *s, int64_t due, enum act_result *result_out, int64_t *rev_out,
        struct err *e) MUST_CHECK;
bool redis_schedule_settle(struct queue *base, const struct queue_schedule *s, struct err *e) MUST_CHECK;
bool redis_schedules_settle(struct redis_queue *q, const char *queue, struct err *e) MUST_CHECK; /* all of a queue */
/* If it sleeps, and nobody is moving it. */
bool redis_schedule_wake(struct redis_queue *q, const char *queue, const char *name, struct err *e) MUST_CHECK;
/* What a step says is due: {now, name, tick, spec ...}; absent: nothing. */
bool redis_due_read(const struct redis_reply *r, struct queue_step_reply *out) MUST_CHECK;

/* ---- redis_watch.c and redis_link.c -------------------------------------------------------------------------- */

struct queue_watcher *redis_watcher_open(const char *url, const struct queue_options *o, struct err *e) MUST_CHECK;
int redis_watcher_fd(const struct queue_watcher *w);
int redis_watcher_next(struct queue_watcher *w, char id_out[JOB_ID], enum job_state *state_out, struct err *e) MUST_CHECK;
void redis_watcher_close(struct queue_watcher *w);

struct queue_link *redis_link_open(const char *url, const struct queue_options *o, const char *queue, int shard, struct err *e) MUST_CHECK;
void redis_link_close(struct queue_link *l);
bool redis_step_begin(struct queue_link *l, const struct queue_step *s, struct err *e) MUST_CHECK;
int redis_step_end(struct queue_link *l, struct queue_step_reply *out, struct err *e) MUST_CHECK;
bool redis_renew_begin(struct queue_link *l, const struct queue_renewal *items, size_t n, int64_t lease_ms, struct err *e) MUST_CHECK;
int redis_renew_end(struct queue_link *l, struct queue_renew_reply *out, struct err *e) MUST_CHECK;
bool redis_fire_begin(struct queue_link *l, const struct queue_fire *fires, size_t n, struct err *e) MUST_CHECK;
int redis_fire_end(struct queue_link *l, struct queue_fire_reply *out, struct err *e) MUST_CHECK;
bool redis_wait_begin(struct queue_link *l, int64_t max_ms, struct err *e) MUST_CHECK;
int redis_wait_end(struct queue_link *l, struct err *e) MUST_CHECK;
int redis_link_fd(const struct queue_link *l);
int redis_link_wait_fd(const struct queue_link *l);

#endif

/* sqlite_private.h -- SQLite as the driver sees it: one database file, statements by name, errors as sentences. */
#ifndef STORE_SQLITE_PRIVATE_H
#define STORE_SQLITE_PRIVATE_H

#include "base/base.h"
#include "base/err.h"

enum sql {
#define SQL(name, text) SQL_##name,
#include "store/sqlite_sql.def"
#undef SQL
	SQL_COUNT
};

struct migration {
	int version;
	const char *start, *end; /* the text of the step; not NUL-terminated */
};

struct sqlite; /* one open database file */

/* Open or make the file, bring its schema to the newest step. For WAL, the pragmas and why: docs/storage.md. */
struct sqlite *sqlite_open(const char *path, const struct migration *steps, size_t n, struct err *e) MUST_CHECK;
void sqlite_close(struct sqlite **db);

/* PRAGMA quick_check: 1 sound, 0: problem says what is not, 2: not done by the deadline, -1. */
int sqlite_check(struct sqlite *db, int64_t deadline, char problem[400], struct err *e) MUST_CHECK;

bool sqlite_begin(struct sqlite *db, bool write, struct err *e) MUST_CHECK;
bool sqlite_commit(struct sqlite *db, struct err *e) MUST_CHECK; /* on failure it is rolled back */
void sqlite_rollback(struct sqlite *db);

/* A value to bind. */
struct sqlite_value {
	enum { SQLITE_VALUE_INT, SQLITE_VALUE_TEXT, SQLITE_VALUE_BLOB } type;
	int64_t number;
	const void *data;
	size_t size;
};
#define INT(v)       ((struct sqlite_value){.type = SQLITE_VALUE_INT, .number = (v)})
#define TEXT(s)      ((struct sqlite_value){.type = SQLITE_VALUE_TEXT, .data = (s)})
#define BLOB(p, len) ((struct sqlite_value){.type = SQLITE_VALUE_BLOB, .data = (p), .size = (len)})
#define VALUES(...)  (const struct sqlite_value[]){__VA_ARGS__}, sizeof((struct sqlite_value[]){__VA_ARGS__}) / sizeof(struct sqlite_value)
#define NO_VALUES    NULL, 0

/* Start a statement; then sqlite_next until it is not 1, or sqlite_reset. Values must live until then. */
bool sqlite_start(struct sqlite *db, enum sql id, const struct sqlite_value *values, size_t n, struct err *e) MUST_CHECK;
int sqlite_next(struct sqlite *db, enum sql id, struct err *e) MUST_CHECK; /* 1 a row, 0 the end, -1 failed */
void sqlite_reset(struct sqlite *db, enum sql id);
/* All of it at once, for statements without rows. */
bool sqlite_do(struct sqlite *db, enum sql id, const struct sqlite_value *values, size_t n, struct err *e) MUST_CHECK;
/* At most one row is wanted: start and step. 1 (then read it and sqlite_reset), 0, -1. */
int sqlite_one(struct sqlite *db, enum sql id, const struct sqlite_value *values, size_t n, struct err *e) MUST_CHECK;

/* Values of the row at hand; texts and blobs live until the next step. A text is never NULL. */
int64_t sqlite_int(struct sqlite *db, enum sql id, int column);
const char *sqlite_text(struct sqlite *db, enum sql id, int column);
const void *sqlite_blob(struct sqlite *db, enum sql id, int column, size_t *size_out);
int64_t sqlite_last_id(struct sqlite *db);
int64_t sqlite_changes(struct sqlite *db); /* rows that the last statement changed */

#endif

/* sqlite.c -- the door to SQLite: files, schema steps, statements, and errors as sentences. */
#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/sqlite_private.h"

#define APPLICATION_ID 0x42617271 /* "Barq": PRAGMA application_id of our files */
#define BUSY_MS        10000      /* how long a writer waits for the writers before it */

struct sqlite {
	sqlite3 *handle;
	sqlite3_stmt *statements[SQL_COUNT];
	char path[512];
	pid_t owner; /* SQLite handles do not survive fork: locks and files would be shared behind its back */
};

static const char *const sql_text[] = {
#define SQL(name, text) text,
#include "store/sqlite_sql.def"
#undef SQL
};

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static const struct {
	int code;
	enum err_code as;
	const char *sentence;
} failures[] = {
        {SQLITE_BUSY, ERR_UNAVAILABLE, "another process has been writing to it for too long"},
        {SQLITE_LOCKED, ERR_UNAVAILABLE, "another process has been writing to it for too long"},
        {SQLITE_FULL, ERR_FULL, "the disk is full"},
        {SQLITE_READONLY, ERR_DENIED, "it is read-only for this process"},
        {SQLITE_PERM, ERR_DENIED, "this process has no right to it"},
        {SQLITE_AUTH, ERR_DENIED, "this process has no right to it"},
        {SQLITE_CANTOPEN, ERR_DENIED, "it cannot be opened or made; the folder must exist and be writable"},
        {SQLITE_CORRUPT, ERR_CORRUPT, "the file is damaged: restore it from a copy, or move it away and download again"},
        {SQLITE_NOTADB, ERR_CORRUPT, "the file is not a SQLite database"},
        {SQLITE_IOERR, ERR_IO, "the disk gave an error"},
        {SQLITE_NOMEM, ERR_INTERNAL, "no memory is left"},
        {SQLITE_TOOBIG, ERR_INVALID, "a value is too large"},
};

static bool sqlite_fail(struct sqlite *db, int code, struct err *e)
{
	const char *more = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
	for (size_t i = 0; i < ARRAY_LEN(failures); i++)
		if (failures[i].code == (code & 0xff))
			return err_set(e, failures[i].as, "%s: %s (%s)", db->path, failures[i].sentence, more);
	return err_set(e, ERR_INTERNAL, "%s: %s", db->path, more);
}

static bool exec(struct sqlite *db, const char *sql, struct err *e)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	return code == SQLITE_OK || sqlite_fail(db, code, e);
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* The number or text that a query gives in its first row and column; -1 failed. For the few questions of opening. */
static int ask(struct sqlite *db, const char *sql, int64_t *number_out, char *text_out, size_t text_size, struct err *e)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
	if (code != SQLITE_OK)
		return sqlite_fail(db, code, e) ? 0 : -1;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*number_out = sqlite3_column_int64(statement, 0);
		if (text_out)
			snprintf(text_out, text_size, "%s", (const char *)sqlite3_column_text(statement, 0));
	}
	sqlite3_finalize(statement);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return sqlite_fail(db, code, e) ? 0 : -1;
	return code == SQLITE_ROW;
}

/* A database that is not ours is never touched: the system that Barque replaces kept its own under the same name. Within a
 * transaction of the caller, so that all three answers are of one moment: another process may be making the schema. */
static bool check_owner(struct sqlite *db, int64_t *version_out, struct err *e)
{
	int64_t id = 0, ignored;
	char table[64];
	if (ask(db, "PRAGMA application_id", &id, NULL, 0, e) < 0 || ask(db, "PRAGMA user_version", version_out, NULL, 0, e) < 0)
		return false;
	int tables = ask(db, "SELECT name FROM sqlite_schema WHERE type = 'table' LIMIT 1", &ignored, table, sizeof table, e);
	if (tables < 0)
		return false;
	if (id != APPLICATION_ID && (tables > 0 || id != 0))
		return err_set(e, ERR_INVALID,
		        "%s is a database of another program (it has a table \"%s\"): name another folder in STORE_URL", db->path,
		        tables > 0 ? table : "");
	return true;
}

static bool take_step(struct sqlite *db, const struct migration *step, struct err *e)
{
	char *sql = mem_strndup(step->start, (size_t)(step->end - step->start)), pragma[64];
	snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", step->version);
	bool ok = exec(db, sql, e) && exec(db, pragma, e);
	mem_free(&sql);
	return ok || err_prefix(e, "schema step %d", step->version);
}

/* Under the write lock, so that of several processes that open a new store one makes the schema and the others find it made. */
static bool migrate(struct sqlite *db, const struct migration *steps, size_t n, struct err *e)
{
	int64_t version = 0;
	char pragma[64];
	if (!exec(db, "BEGIN IMMEDIATE", e))
		return false;
	bool ok = check_owner(db, &version, e);
	snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d", APPLICATION_ID);
	ok = ok && exec(db, pragma, e);
	for (size_t i = 0; ok && i < n; i++)
		if (steps[i].version > version)
			ok = take_step(db, &steps[i], e);
	if (ok && exec(db, "COMMIT", e))
		return true;
	sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* fails only when there is nothing to roll back */
	return false;
}

static bool prepare_schema(struct sqlite *db, const struct migration *steps, size_t n, struct err *e)
{
	int64_t version = 0;
	if (!exec(db, "BEGIN", e))
		return false;
	bool ours = check_owner(db, &version, e);
	sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
	if (!ours)
		return false;
	int newest = steps[n - 1].version;
	if (version > newest)
		return err_set(e, ERR_INVALID, "%s has schema version %lld, this program knows up to %d: use a newer Barque", db->path,
		        (long long)version, newest);
	return version == newest || migrate(db, steps, n, e);
}

/* Changing to WAL needs the file for itself for a moment, and SQLite does not wait for that by itself. */
static bool use_wal(struct sqlite *db, struct err *e)
{
	int64_t deadline = clock_mono_ms() + BUSY_MS, ignored;
	char mode[16] = "";
	for (;;) {
		int got = ask(db, "PRAGMA journal_mode = WAL", &ignored, mode, sizeof mode, e);
		if (got == 1 && strcmp(mode, "wal") == 0)
			return true;
		if (got == 1)
			return err_set(e, ERR_INVALID, "%s: the file system cannot keep a write-ahead log (mode %s)", db->path, mode);
		if (e->code != ERR_UNAVAILABLE || clock_mono_ms() > deadline)
			return false;
		clock_sleep_ms(5);
	}
}

struct sqlite *sqlite_open(const char *path, const struct migration *steps, size_t n, struct err *e)
{
	struct sqlite *db = mem_new(sizeof *db);
	db->owner = getpid();
	if (!str_copy(db->path, sizeof db->path, path)) {
		err_set(e, ERR_INVALID, "the path of the store is too long: %zu bytes", strlen(path));
		goto failed;
	}
	int code = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK) {
		sqlite_fail(db, code, e);
		goto failed;
	}
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	/* page_size counts only before the file is made. FULL: a commit that was answered survives a power cut. */
	if (exec(db, "PRAGMA page_size = 8192; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL", e) && use_wal(db, e) &&
	        prepare_schema(db, steps, n, e))
		return db;
failed:
	sqlite_close(&db);
	return NULL;
}

void sqlite_close(struct sqlite **db)
{
	if (!*db)
		return;
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize((*db)->statements[i]);
	sqlite3_close((*db)->handle);
	mem_free(db);
}

/* ---- health ------------------------------------------------------------------------------------------------------- */

#define CHECK_STEPS 10000 /* of SQLite's machine, between looks at the clock */

static int is_late(void *user)
{
	return clock_mono_ms() > *(const int64_t *)user;
}

int sqlite_check(struct sqlite *db, int64_t deadline, char problem[400], struct err *e)
{
	char said[300] = "";
	int64_t ignored;
	assert(db->owner == getpid());
	sqlite3_progress_handler(db->handle, CHECK_STEPS, is_late, &deadline);
	int got = ask(db, "PRAGMA quick_check(1)", &ignored, said, sizeof said, e);
	sqlite3_progress_handler(db->handle, 0, NULL, NULL);
	if (got < 0 && is_late(&deadline))
		return 2;
	if (got < 0 && e->code != ERR_CORRUPT)
		return -1;
	if (got == 1 && str_eq(said, "ok"))
		return 1;
	snprintf(problem, 400, "%.150s is damaged: %.230s", db->path, got < 0 ? e->text : said);
	return 0;
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

bool sqlite_begin(struct sqlite *db, bool write, struct err *e)
{
	assert(db->owner == getpid());
	return exec(db, write ? "BEGIN IMMEDIATE" : "BEGIN", e);
}

bool sqlite_commit(struct sqlite *db, struct err *e)
{
	if (exec(db, "COMMIT", e))
		return true;
	sqlite_rollback(db);
	return false;
}

void sqlite_rollback(struct sqlite *db)
{
	/* After some errors SQLite has rolled back by itself; then there is nothing to do, and it says so. */
	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- statements --------------------------------------------------------------------------------------------------- */

static int bind(sqlite3_stmt *statement, int at, const struct sqlite_value *v)
{
	switch (v->type) {
	case SQLITE_VALUE_INT:
		return sqlite3_bind_int64(statement, at, v->number);
	case SQLITE_VALUE_TEXT:
		return sqlite3_bind_text(statement, at, v->data, -1, SQLITE_STATIC);
	case SQLITE_VALUE_BLOB:
		return sqlite3_bind_blob64(statement, at, v->data, v->size, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

bool sqlite_start(struct sqlite *db, enum sql id, const struct sqlite_value *values, size_t n, struct err *e)
{
	sqlite3_stmt **statement = &db->statements[id];
	assert(db->owner == getpid());
	int code = *statement ? SQLITE_OK : sqlite3_prepare_v3(db->handle, sql_text[id], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
	for (size_t i = 0; code == SQLITE_OK && i < n; i++)
		code = bind(*statement, (int)i + 1, &values[i]);
	return code == SQLITE_OK || sqlite_fail(db, code, e);
}

int sqlite_next(struct sqlite *db, enum sql id, struct err *e)
{
	int code = sqlite3_step(db->statements[id]);
	if (code == SQLITE_ROW)
		return 1;
	if (code != SQLITE_DONE)
		sqlite_fail(db, code, e);
	sqlite_reset(db, id);
	return code == SQLITE_DONE ? 0 : -1;
}

void sqlite_reset(struct sqlite *db, enum sql id)
{
	if (!db->statements[id])
		return;
	/* Its answer repeats the error of the last step, which was told then. */
	sqlite3_reset(db->statements[id]);
	sqlite3_clear_bindings(db->statements[id]);
}

bool sqlite_do(struct sqlite *db, enum sql id, const struct sqlite_value *values, size_t n, struct err *e)
{
	return sqlite_start(db, id, values, n, e) && sqlite_next(db, id, e) == 0;
}

int sqlite_one(struct sqlite *db, enum sql id, const struct sqlite_value *values, size_t n, struct err *e)
{
	return sqlite_start(db, id, values, n, e) ? sqlite_next(db, id, e) : -1;
}

int64_t sqlite_int(struct sqlite *db, enum sql id, int column)
{
	return sqlite3_column_int64(db->statements[id], column);
}

const char *sqlite_text(struct sqlite *db, enum sql id, int column)
{
	const unsigned char *text = sqlite3_column_text(db->statements[id], column);
	return text ? (const char *)text : "";
}

const void *sqlite_blob(struct sqlite *db, enum sql id, int column, size_t *size_out)
{
	const void *blob = sqlite3_column_blob(db->statements[id], column);
	*size_out = (size_t)sqlite3_column_bytes(db->statements[id], column);
	return blob;
}

int64_t sqlite_last_id(struct sqlite *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int64_t sqlite_changes(struct sqlite *db)
{
	return sqlite3_changes(db->handle);
}

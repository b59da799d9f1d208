-- 0002_jobs.sql -- jobs that have ended (crypto_data.db: in one transaction with their events). All times are milliseconds UTC.

-- One row for each end: a job that was replayed ends again. Kept by time, so that the newest are read, and the oldest dropped, in one stretch.
CREATE TABLE job (
	finished_at     INTEGER NOT NULL,
	id              TEXT    NOT NULL,
	kind            TEXT    NOT NULL,
	kind_version    INTEGER NOT NULL,
	queue           TEXT    NOT NULL,
	state           INTEGER NOT NULL CHECK (state BETWEEN 5 AND 8), -- the order in shared/job/job.h: succeeded, failed, cancelled, dead
	priority        INTEGER NOT NULL,
	attempt         INTEGER NOT NULL,
	max_attempts    INTEGER NOT NULL,
	crashes         INTEGER NOT NULL,
	fence           INTEGER NOT NULL, -- of the last claim; 0: it was never claimed
	rev             INTEGER NOT NULL,
	created_at      INTEGER NOT NULL,
	run_at          INTEGER NOT NULL,
	started_at      INTEGER NOT NULL, -- of the last attempt; 0: it never ran
	worker          TEXT    NOT NULL,
	error_code      TEXT    NOT NULL, -- "": none
	error_text      TEXT    NOT NULL,
	params          TEXT,             -- JSON; NULL: longer than 64 KiB, and not kept
	params_bytes    INTEGER NOT NULL,
	result          TEXT,             -- JSON; NULL: there is none, or longer than 64 KiB, and not kept
	result_bytes    INTEGER NOT NULL, -- 0: there is none
	parent          TEXT    NOT NULL,
	trace           TEXT    NOT NULL,
	tags            TEXT    NOT NULL,
	idempotency_key TEXT    NOT NULL,
	unique_key      TEXT    NOT NULL,
	PRIMARY KEY (finished_at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_by_id ON job (id);                             -- and finished_at, which each index of this table has at its end
CREATE INDEX job_by_kind ON job (kind, finished_at, id);
CREATE INDEX job_failed ON job (finished_at, id) WHERE state <> 5;

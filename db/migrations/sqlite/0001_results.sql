-- 0001_results.sql -- results of backtests (backtest.db). All times are milliseconds UTC.

CREATE TABLE result (
	id         INTEGER PRIMARY KEY AUTOINCREMENT, -- order of arrival, where two were made in the same millisecond
	job        TEXT    NOT NULL UNIQUE,
	strategy   TEXT    NOT NULL,
	created_at INTEGER NOT NULL,
	params     TEXT    NOT NULL,                  -- JSON
	summary    TEXT    NOT NULL,                  -- JSON
	fence      INTEGER NOT NULL                   -- of the run that wrote it
) STRICT;
CREATE INDEX result_by_time ON result (created_at, id);

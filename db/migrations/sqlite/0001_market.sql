-- 0001_market.sql -- candles, symbols, and the outbox of their events (crypto_data.db). All times are milliseconds UTC.

-- The store's own name, made once: tells this database from another one.
CREATE TABLE store (
	identity TEXT NOT NULL
) STRICT;
INSERT INTO store VALUES (lower(hex(randomblob(16))));

-- One row per symbol and interval. id is the order of creation and never comes again.
CREATE TABLE series (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	symbol     TEXT    NOT NULL CHECK (length(symbol) > 0),
	interval   TEXT    NOT NULL,
	rows       INTEGER NOT NULL CHECK (rows >= 0), -- over all its chunks
	first_open INTEGER NOT NULL,                   -- 0 when rows is 0
	last_open  INTEGER NOT NULL,
	revision   INTEGER NOT NULL,                   -- grows by 1 with every change
	fence      INTEGER NOT NULL,                   -- the highest that wrote it: lower ones are refused
	updated_at INTEGER NOT NULL,
	UNIQUE (symbol, interval)
) STRICT;

-- What must outlive a dropped series, so that its revision never comes again and a late writer stays refused.
CREATE TABLE series_dropped (
	symbol   TEXT    NOT NULL,
	interval TEXT    NOT NULL,
	revision INTEGER NOT NULL,
	fence    INTEGER NOT NULL,
	PRIMARY KEY (symbol, interval)
) STRICT, WITHOUT ROWID;

-- The candles of one aligned window, column-wise in one blob (shared/market/chunk_private.h).
CREATE TABLE chunk (
	id         INTEGER PRIMARY KEY,
	series_id  INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
	start      INTEGER NOT NULL,                   -- of the window
	rows       INTEGER NOT NULL CHECK (rows > 0),
	first_open INTEGER NOT NULL,
	last_open  INTEGER NOT NULL CHECK (last_open >= first_open),
	revision   INTEGER NOT NULL,                   -- of the series when this was written
	checksum   INTEGER NOT NULL,                   -- the blob's own, as a signed number
	bars       BLOB    NOT NULL,
	UNIQUE (series_id, start)
) STRICT;

-- What the exchange trades.
CREATE TABLE symbol (
	symbol     TEXT    PRIMARY KEY,
	status     TEXT    NOT NULL,
	onboard_at INTEGER NOT NULL,                   -- 0: not known
	updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ranges that the exchange itself does not have; never overlapping within a series.
CREATE TABLE absent (
	symbol    TEXT    NOT NULL,
	interval  TEXT    NOT NULL,
	from_open INTEGER NOT NULL,
	to_open   INTEGER NOT NULL CHECK (to_open >= from_open),
	PRIMARY KEY (symbol, interval, from_open)
) STRICT, WITHOUT ROWID;

-- Events on their way to Kafka, in the order of their commits; a row goes when Kafka has confirmed it.
CREATE TABLE outbox (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	topic   TEXT    NOT NULL,
	key     TEXT    NOT NULL,
	type    TEXT    NOT NULL,
	id      TEXT    NOT NULL,
	time_ms INTEGER NOT NULL,
	data    TEXT    NOT NULL
) STRICT;

-- Who may carry the outbox.
CREATE TABLE lease (
	name     TEXT    PRIMARY KEY,
	owner    TEXT    NOT NULL,
	until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

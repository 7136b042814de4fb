//! The SQL that differs between the databases; all other SQL is the same on both.

use crate::database::Kind;

/// The SQL dialect of one database.
#[derive(Debug)]
pub(super) struct Sql {
    /// Prepares the database, once.
    pub(super) on_start: Option<&'static str>,
    /// Prepares a connection.
    pub(super) on_connect: &'static str,
    /// Cleans up at the end.
    pub(super) on_close: Option<&'static str>,
    /// Begins a transaction that writes.
    pub(super) begin: &'static str,
    /// Makes other instances of the service wait until the end of the transaction, if its beginning does not.
    pub(super) lock: Option<&'static str>,
    /// Creates the missing tables.
    pub(super) tables: &'static str,
    /// Stores a passage: file, heading, body, and its indexed words.
    pub(super) insert_passage: &'static str,
    /// Finds passages, given the words and the maximum number of passages.
    pub(super) search_passages: &'static str,
}

impl Sql {
    pub(super) const fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Sqlite => &SQLITE,
            Kind::Postgres => &POSTGRES,
        }
    }
}

/// The table of runs, the same on both except for the current time.
macro_rules! runs {
    (ended_at: $now:literal) => {
        concat!(
            "CREATE TABLE IF NOT EXISTS runs (
                run_id TEXT NOT NULL PRIMARY KEY,
                question TEXT NOT NULL,
                status TEXT NOT NULL,
                rounds INTEGER NOT NULL,
                answer TEXT,
                ended_at TEXT NOT NULL DEFAULT (",
            $now,
            ")
            );"
        )
    };
}

/// Full-text search by FTS5: <https://www.sqlite.org/fts5.html>.
static SQLITE: Sql = Sql {
    // With a write-ahead log, reading and writing do not wait for each other. The file remembers it.
    on_start: Some("PRAGMA journal_mode = WAL"),
    on_connect: "PRAGMA synchronous = NORMAL",
    // The log is empty, whichever connection is closed last.
    on_close: Some("PRAGMA wal_checkpoint(TRUNCATE)"),
    // A transaction that takes the file's only lock at its first write is refused, instead of waiting, if another holds the lock:
    // <https://www.sqlite.org/lang_transaction.html>.
    begin: "BEGIN IMMEDIATE",
    lock: None,
    tables: concat!(
        "CREATE VIRTUAL TABLE IF NOT EXISTS passages USING fts5(
            file UNINDEXED, heading UNINDEXED, body UNINDEXED, words, tokenize = 'porter unicode61'
        );",
        runs!(ended_at: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
    ),
    insert_passage: "INSERT INTO passages (file, heading, body, words) VALUES ($1, $2, $3, $4)",
    search_passages: "
        SELECT file, heading, body FROM passages WHERE passages MATCH $1
        ORDER BY rank, rowid LIMIT $2",
};

/// Full-text search by `tsvector`: <https://www.postgresql.org/docs/current/textsearch.html>.
static POSTGRES: Sql = Sql {
    on_start: None,
    on_connect: "SET application_name = 'agent_service'",
    on_close: None,
    begin: "BEGIN",
    lock: Some("SELECT pg_advisory_xact_lock(hashtext('agent_service'))::text"),
    tables: concat!(
        "CREATE TABLE IF NOT EXISTS passages (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            file TEXT NOT NULL,
            heading TEXT NOT NULL,
            body TEXT NOT NULL,
            words TSVECTOR NOT NULL
        );
        CREATE INDEX IF NOT EXISTS passages_words ON passages USING GIN (words);",
        runs!(ended_at: "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"),
    ),
    insert_passage: "
        INSERT INTO passages (file, heading, body, words) VALUES ($1, $2, $3, to_tsvector('english', $4))",
    search_passages: "
        SELECT file, heading, body FROM passages, websearch_to_tsquery('english', $1) AS search
        WHERE words @@ search ORDER BY ts_rank_cd(words, search) DESC, id LIMIT $2",
};

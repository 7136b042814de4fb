//! What the databases want said differently; everything else is the same SQL on both.

use crate::database::Kind;

/// One database's way of saying things.
#[derive(Debug)]
pub(super) struct Sql {
    /// Prepares a connection.
    pub(super) on_connect: &'static str,
    /// Makes other instances of the service wait until the end of the transaction.
    pub(super) lock: &'static str,
    /// Makes the tables that are not there yet.
    pub(super) tables: &'static str,
    /// Stores a passage: file, heading, body, and the words to find it by.
    pub(super) insert_passage: &'static str,
    /// Finds passages: the words to find, and how many passages at most.
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

/// Full-text search by FTS5: <https://www.sqlite.org/fts5.html>.
static SQLITE: Sql = Sql {
    // With a write-ahead log, reading and writing do not wait for each other.
    on_connect: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
    // A transaction that writes holds the file's one lock anyway.
    lock: "SELECT 1",
    tables: "
        CREATE VIRTUAL TABLE IF NOT EXISTS passages USING fts5(
            file UNINDEXED, heading UNINDEXED, body UNINDEXED, words, tokenize = 'porter unicode61'
        );
        CREATE TABLE IF NOT EXISTS runs (
            run_id TEXT NOT NULL PRIMARY KEY,
            question TEXT NOT NULL,
            status TEXT NOT NULL,
            rounds INTEGER NOT NULL,
            answer TEXT,
            ended_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        );",
    insert_passage: "INSERT INTO passages (file, heading, body, words) VALUES ($1, $2, $3, $4)",
    search_passages: "
        SELECT file, heading, body FROM passages WHERE passages MATCH $1
        ORDER BY rank, rowid LIMIT $2",
};

/// Full-text search by `tsvector`: <https://www.postgresql.org/docs/current/textsearch.html>.
static POSTGRES: Sql = Sql {
    on_connect: "SET application_name = 'agent_service'",
    lock: "SELECT pg_advisory_xact_lock(hashtext('agent_service'))::text",
    tables: "
        CREATE TABLE IF NOT EXISTS passages (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            file TEXT NOT NULL,
            heading TEXT NOT NULL,
            body TEXT NOT NULL,
            words TSVECTOR NOT NULL
        );
        CREATE INDEX IF NOT EXISTS passages_words ON passages USING GIN (words);
        CREATE TABLE IF NOT EXISTS runs (
            run_id TEXT NOT NULL PRIMARY KEY,
            question TEXT NOT NULL,
            status TEXT NOT NULL,
            rounds INTEGER NOT NULL,
            answer TEXT,
            ended_at TEXT NOT NULL DEFAULT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')
        );",
    insert_passage: "
        INSERT INTO passages (file, heading, body, words) VALUES ($1, $2, $3, to_tsvector('english', $4))",
    search_passages: "
        SELECT file, heading, body FROM passages, websearch_to_tsquery('english', $1) AS search
        WHERE words @@ search ORDER BY ts_rank_cd(words, search) DESC, id LIMIT $2",
};

//! Queries on the notes' passages.

use monitor_runtime::track_query;

use super::Store;
use crate::markdown::Passage;
use crate::search::Search;
use crate::text;

impl Store {
    /// Finds passages, the best first.
    #[track_query("search_passages", operation = "select", fields(limit))]
    pub(crate) async fn search_passages(&self, search: &Search, limit: i64) -> sqlx::Result<Vec<Passage>> {
        let found = sqlx::query_as(self.sql.search_passages).bind(search.to_string()).bind(limit);
        found.fetch_all(&self.pool).await
    }

    /// Replaces all passages by these.
    #[track_query("replace_passages", operation = "insert", fields(passages = passages.len()))]
    pub(crate) async fn replace_passages(&self, passages: &[Passage]) -> sqlx::Result<()> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM passages").execute(&mut *transaction).await?;
        for Passage { file, heading, body } in passages {
            let insert = sqlx::query(self.sql.insert_passage).bind(file).bind(heading).bind(body);
            insert.bind(words(heading, body)).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

/// The indexed text of a passage, the same on every database. Its headings count twice.
fn words(heading: &str, body: &str) -> String {
    text::words(&format!("{heading} {heading} {body}")).collect::<Vec<_>>().join(" ")
}

//! The skill that finds passages.

use monitor_runtime::track_skill;

use crate::markdown::Passage;
use crate::search::Search;
use crate::store::Store;

/// Maximum number of passages of one search.
const MOST: i64 = 20;

/// Runs the searches one after the other; no passage occurs twice.
#[track_skill("search_notes", fields(searches = searches.len()), objective(success = 99.5, latency = "250ms@95"))]
pub(crate) async fn search_notes(store: &Store, searches: &[Search]) -> sqlx::Result<Vec<Passage>> {
    let mut found = Vec::new();
    for search in searches {
        for passage in store.search_passages(search, MOST).await? {
            if !found.contains(&passage) {
                found.push(passage);
            }
        }
    }
    tracing::debug!(passages = found.len(), "notes searched");
    Ok(found)
}

//! Compares the metrics reference with the catalogue, and with a scrape in which every metric has moved.

use std::collections::BTreeMap;
use std::fs;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures_util::{Stream, StreamExt as _, stream};
use http::{Request, header};
use monitor_runtime::genai::Usage;
use monitor_runtime::health::DatabaseCheck;
use monitor_runtime::{Monitor, track_agent, track_model, track_query, track_skill};
use sqlx::SqlitePool;
use tower::ServiceExt as _;

use crate::docs::health::settled;
use crate::docs::page::{Page, root};
use crate::support::exposition::{Exposition, Family};

const PAGE: &str = "docs/metrics.md";

/// The documentation of a metric: its type, and its labels in order.
type Said = (String, Vec<String>);

/// The table `Every metric`, by name.
fn documented() -> BTreeMap<String, Said> {
    let rows = Page::open(PAGE).table("metric");
    let said = rows.into_iter().map(|row| {
        let [name, kind, labels, meaning] = &*row else { panic!("four cells are expected: {row:?}") };
        assert!(!meaning.is_empty(), "{name}");
        (name.clone(), (kind.clone(), quoted(labels, '`')))
    });
    said.collect()
}

/// The rows `IDENT = Kind "name" ["label", …]` of the catalogue.
fn catalogue() -> BTreeMap<String, Said> {
    let source = fs::read_to_string(root().join("monitor-runtime/src/families/catalog.rs")).unwrap();
    let rows = source.lines().filter_map(|line| {
        let (_, row) = line.strip_prefix("    ")?.split_once(" = ")?;
        let (kind, row) = row.split_once(" \"")?;
        let (name, labels) = row.split_once("\" [")?;
        Some((name.to_owned(), (kind.to_lowercase(), quoted(labels, '"'))))
    });
    rows.collect()
}

/// The text between quotes; the first quote may be cut off already.
fn quoted(text: &str, quote: char) -> Vec<String> {
    let words = text.split([quote, ',', ']']).map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_metric_is_documented_with_its_type_and_labels() {
    let catalogue = catalogue();
    assert!(catalogue.len() >= 21, "the catalogue's rows are not read any more: {catalogue:?}");
    assert_eq!(documented(), catalogue);
}

#[track_agent("documented_agent")]
async fn agent(pool: &SqlitePool) -> sqlx::Result<i64> {
    assert_eq!((streaming_agent().count().await, streaming_skill().count().await), (1, 1));
    assert_eq!(streaming_model().count().await, 1);
    skill();
    query(pool).await
}

#[track_agent("documented_agent")]
fn streaming_agent() -> impl Stream<Item = u8> {
    stream::iter([1])
}

#[track_skill("documented_skill")]
fn streaming_skill() -> impl Stream<Item = u8> {
    stream::iter([1])
}

#[track_model("documented_model", provider = "documented", usage = usage)]
fn streaming_model() -> impl Stream<Item = u64> {
    stream::iter([1])
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the option `usage` asks for it")]
fn usage(tokens: &u64) -> Option<Usage> {
    (*tokens > 0).then(|| Usage::new(*tokens, *tokens))
}

#[track_skill("documented_skill")]
fn skill() {}

#[track_query("documented_query")]
async fn query(pool: &SqlitePool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT 1").fetch_one(pool).await
}

/// A scrape in which every kind of metric has moved, without comments other than types.
async fn scrape() -> Exposition {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let database = DatabaseCheck::new(pool.clone());
    let monitor = Monitor::builder().pool("documented", &pool).check(database).build().unwrap();
    let app: Router = Router::new().route("/documented/{id}", get(async || "ok")).layer(monitor.layer());
    app.oneshot(Request::get("/documented/1").body(Body::empty()).unwrap()).await.unwrap();
    agent(&pool).await.unwrap();
    settled(&monitor).await;
    Exposition::read(&String::from_utf8(monitor.metrics().into_body().into()).unwrap())
}

#[tokio::test]
async fn every_scraped_metric_is_documented_with_its_type() {
    let (documented, scrape, page) = (documented(), scrape().await, Page::open(PAGE));
    for Family { name, kind, .. } in scrape.families() {
        match documented.get(name) {
            Some((documented, _)) => assert_eq!(documented, kind.unwrap().as_str(), "{name}"),
            // Those of the process itself have no row.
            None => assert!(page.text().contains(&format!("`{name}`")), "{name} is not documented"),
        }
    }
}

#[tokio::test]
async fn documented_buckets_are_those_of_a_scrape() {
    let scrape = scrape().await;
    let page = Page::open(PAGE);
    let section = page.text().split("## Histogram buckets").nth(1).unwrap();
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let documented = documented();
    let durations =
        documented.iter().filter(|(name, (kind, _))| kind == "histogram" && name.ends_with("_seconds"));
    assert_eq!(rows.len(), durations.count(), "one row a histogram of durations");
    for row in rows {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, metric, bounds, setter, _] = &*cells else { panic!("{row}") };
        assert_eq!(upper_bounds(&scrape, metric), *bounds, "{metric}");
        assert!(is_method_of_the_builder(setter), "{setter}");
    }
}

/// The bounds of the metric's first series, `+Inf` left out.
fn upper_bounds(scrape: &Exposition, metric: &str) -> String {
    let name = format!("{metric}_bucket");
    let bounds = scrape.samples(&name).map(|bucket| bucket.label("le").unwrap());
    bounds.take_while(|bound| *bound != "+Inf").collect::<Vec<_>>().join(" ")
}

fn is_method_of_the_builder(setter: &str) -> bool {
    let source = fs::read_to_string(root().join("monitor-runtime/src/metrics/builder.rs")).unwrap();
    setter.strip_prefix("MetricsBuilder::").is_some_and(|name| source.contains(&format!("pub fn {name}(")))
}

#[test]
fn metrics_shows_a_request_that_is_answered_as_it_says() {
    Page::open(PAGE).check(&[
        ("Typed errors", "promql", typed_errors),
        ("Native histograms", "promql", quantile),
        ("Forms of a scrape", "sh", open_metrics),
    ]);
}

/// Whether the metric exists with the labels that the query sums by.
fn typed_errors(shown: &str) {
    let metric = shown.split("rate(").nth(1).unwrap().split('[').next().unwrap();
    let by = shown.split(" by (").nth(1).unwrap().split(')').next().unwrap();
    let (kind, labels) = &documented()[metric];
    assert_eq!(kind, "counter");
    assert_eq!(by.split(", ").collect::<Vec<_>>(), *labels);
}

/// Whether a real Prometheus takes it is shown where one reads native histograms.
fn quantile(shown: &str) {
    let metric = shown.split("rate(").nth(1).unwrap().split('{').next().unwrap();
    let (kind, labels) = &documented()[metric];
    assert_eq!(kind, "histogram");
    assert!(labels.iter().all(|label| shown.contains(label)), "{labels:?}");
}

fn open_metrics(shown: &str) {
    let accept = shown.split("Accept: ").nth(1).unwrap().split('\'').next().unwrap();
    let asked = [(header::ACCEPT, accept.parse().unwrap())].into_iter().collect();
    let response = Monitor::builder().build().unwrap().scrape(&asked);
    let form = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    assert!(form.starts_with(accept) && shown.contains("--compressed"), "{form}");
}

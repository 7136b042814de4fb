//! Which form is sent, and how.

use http::{Method, header};
use monitor_runtime::{Monitor, track_agent};

use crate::exposition::{OPEN_METRICS, PROTOBUF, TEXT, ask, text, unzip};
use crate::support::exposition::Exposition;

#[track_agent("negotiated")]
fn negotiated() {}

fn monitor() -> Monitor {
    negotiated();
    Monitor::builder().build().unwrap()
}

#[tokio::test]
async fn each_form_is_sent_under_its_own_media_type() {
    let monitor = monitor();
    for form in [TEXT, OPEN_METRICS, PROTOBUF] {
        let response = ask(&monitor, Method::GET, &[(header::ACCEPT, form)]).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()[header::CONTENT_TYPE]),
            (200, &form.parse().unwrap())
        );
        let is_text = Exposition::parse(&String::from_utf8_lossy(response.body())).is_ok();
        let is_open_metrics = response.body().ends_with(b"\n# EOF\n");
        assert_eq!((is_text, is_open_metrics), (form == TEXT, form == OPEN_METRICS), "{form}");
    }
}

#[tokio::test]
async fn requests_without_accept_get_uncompressed_text() {
    let response = ask(&monitor(), Method::GET, &[]).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], TEXT);
    assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
    Exposition::parse(text(response.body())).unwrap();
}

#[tokio::test]
async fn several_accept_lines_count_as_one() {
    let asked =
        [(header::ACCEPT, "text/plain;q=0.5"), (header::ACCEPT, "application/openmetrics-text;q=0.6")];
    let response = ask(&monitor(), Method::GET, &asked).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], OPEN_METRICS);
}

#[tokio::test]
async fn gzip_is_sent_when_asked_for_and_holds_the_whole_scrape() {
    let monitor = monitor();
    let asked = [(header::ACCEPT, TEXT), (header::ACCEPT_ENCODING, "gzip")];
    let response = ask(&monitor, Method::GET, &asked).await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    assert_eq!(response.headers()[header::CONTENT_TYPE], TEXT);
    let plain = unzip(response.body());
    assert!(response.body().len() * 3 < plain.len(), "{} of {}", response.body().len(), plain.len());
    let calls = [("agent_id", "negotiated"), ("status", "success")];
    assert!(Exposition::parse(text(&plain)).unwrap().value("agent_executions_total", &calls).unwrap() >= 1.0);

    let refusing = [(header::ACCEPT_ENCODING, "gzip;q=0")];
    let response = ask(&monitor, Method::GET, &refusing).await;
    assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
}

#[tokio::test]
async fn caches_are_told_what_an_answer_depends_on() {
    for asked in [&[][..], &[(header::ACCEPT_ENCODING, "gzip")]] {
        let response = ask(&monitor(), Method::GET, asked).await;
        assert_eq!(response.headers()[header::VARY], "accept, accept-encoding");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    for form in [TEXT, OPEN_METRICS, PROTOBUF] {
        let asked = [(header::ACCEPT, form), (header::ACCEPT_ENCODING, "gzip")];
        let head = ask(&monitor(), Method::HEAD, &asked).await;
        assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
        assert_eq!(head.headers()[header::CONTENT_TYPE], form);
        assert_eq!(head.headers()[header::CONTENT_ENCODING], "gzip");
        let length: usize = head.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
        assert!(length > 100, "{length}");
    }
}

#[tokio::test]
async fn a_header_of_any_bytes_is_answered() {
    let monitor = monitor();
    let long = "application/openmetrics-text;q=0.1,".repeat(200);
    for accept in [";;==,,//\"", "\"unterminated", "text/plain;q=", "*/*;q=1.0000", &long] {
        let asked = [(header::ACCEPT, accept), (header::ACCEPT_ENCODING, accept)];
        assert_eq!(ask(&monitor, Method::GET, &asked).await.status(), 200, "{accept}");
    }
}

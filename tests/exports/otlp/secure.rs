//! TLS: the certificates of both sides.

use monitor_runtime::otlp::{Otlp, OtlpBuilder};
use monitor_runtime::testing::Recording;

use crate::otlp::certificates::Authority;
use crate::otlp::collector::Collector;
use crate::otlp::collector_failures::{counted, record};
use crate::otlp::exits::{end, process};
use crate::otlp::turn;

const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// Exports three spans, and returns the counts of the export: accepted, rejected and unavailable requests, and dropped spans.
fn exported(collector: &Collector, change: impl FnOnce(OtlpBuilder) -> OtlpBuilder) -> [f64; 4] {
    let recording = Recording::start();
    let otlp = Otlp::builder().endpoint(collector.url()).registry(prometheus::Registry::new());
    let otlp = change(otlp).start().unwrap();
    record(&otlp, 3);
    // The end tries once and does not wait.
    drop(otlp);
    counted(&recording)
}

#[test]
fn a_collector_with_a_trusted_certificate_gets_the_spans() {
    let _turn = turn();
    let authority = Authority::new();
    let collector = Collector::secure(authority.server(&NAMES, false));
    let counted = exported(&collector, |otlp| otlp.certificate(authority.certificate()));
    assert_eq!(counted, [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(collector.spans().len(), 3);
}

#[test]
fn a_collector_without_a_trusted_certificate_gets_nothing() {
    let _turn = turn();
    let (authority, other) = (Authority::new(), Authority::new());
    let collector = Collector::secure(authority.server(&NAMES, false));
    let counted = exported(&collector, |otlp| otlp.certificate(other.certificate()));
    assert_eq!(counted, [0.0, 0.0, 1.0, 3.0]);
    let collector = Collector::secure(authority.server(&["other.test"], false));
    let counted = exported(&collector, |otlp| otlp.certificate(authority.certificate()));
    assert_eq!(counted, [0.0, 0.0, 1.0, 3.0], "it has the name of another");
    assert!(collector.received().requests.is_empty());
}

#[test]
fn a_collector_that_asks_for_a_certificate_is_shown_the_clients() {
    let _turn = turn();
    let authority = Authority::new();
    let collector = Collector::secure(authority.server(&NAMES, true));
    let counted = exported(&collector, |otlp| otlp.certificate(authority.certificate()));
    assert_eq!(counted, [0.0, 0.0, 1.0, 3.0]);
    let (certificate, key) = authority.client("service");
    let counted = exported(&collector, |otlp| {
        otlp.certificate(authority.certificate()).client_identity(certificate, key)
    });
    assert_eq!(counted, [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(collector.spans().len(), 3);
}

#[test]
fn a_key_that_is_of_another_certificate_is_an_error_at_start_up() {
    let authority = Authority::new();
    let ((certificate, _), (_, key)) = (authority.client("one"), authority.client("two"));
    let otlp = Otlp::builder().endpoint("https://127.0.0.1:1").certificate(authority.certificate());
    let said = otlp.client_identity(certificate, key.clone()).start().unwrap_err().to_string();
    let expected =
        format!("client_identity is `{}`, which does not fit the client's certificate: ", key.display());
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn the_certificates_of_the_system_are_trusted_by_default() {
    let authority = Authority::new();
    let collector = Collector::secure(authority.server(&NAMES, false));
    let certificate = authority.certificate();
    end(process(&collector.url(), 3, &[("SSL_CERT_FILE", certificate.to_str().unwrap())]));
    assert_eq!(collector.spans().len(), 3);
    assert!(!collector.received().metrics.is_empty());
}

#[test]
fn variables_name_the_certificates_of_one_signal() {
    let authority = Authority::new();
    let collector = Collector::secure(authority.server(&NAMES, true));
    let (certificate, key) = authority.client("service");
    let trusted = authority.certificate();
    let variables = [
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", trusted.to_str().unwrap()),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", certificate.to_str().unwrap()),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", key.to_str().unwrap()),
    ];
    let text = end(process(&collector.url(), 3, &variables));
    assert_eq!(collector.spans().len(), 3);
    assert!(collector.received().metrics.is_empty(), "metrics have no certificate to show");
    let counted = |line: &str| assert!(text.contains(line), "{text}");
    counted("otlp_exports_total{outcome=\"success\",signal=\"traces\"} 1\n");
    counted("otlp_exports_total{outcome=\"success\",signal=\"metrics\"} 0\n");
}

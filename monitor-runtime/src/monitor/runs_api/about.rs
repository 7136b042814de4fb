//! What the process is, and what the recorder keeps and has lost.

use axum::extract::Request;

use super::object::{Object, Table, one_line};
use super::query::Query;
use super::{Answer, Api, formed, frame, recorded};
use crate::families::process::{self, OTLP_SIGNALS};
use crate::run::RunFigures;

/// The features of this build.
const FEATURES: [(&str, bool); 10] = [
    ("macros", cfg!(feature = "macros")),
    ("logging", cfg!(feature = "logging")),
    ("http", cfg!(feature = "http")),
    ("disk", cfg!(feature = "disk")),
    ("sqlx", cfg!(feature = "sqlx")),
    ("push", cfg!(feature = "push")),
    ("otlp", cfg!(feature = "otlp")),
    ("tonic", cfg!(feature = "tonic")),
    ("runs", true),
    ("dashboard", cfg!(feature = "dashboard")),
];

/// What the recorder keeps and has lost, and what the process is.
pub(super) fn about(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &[])?;
    let runs = recorded()?;
    let (figures, sizes) = (runs.figures(), runs.sizes());
    let version = env!("CARGO_PKG_VERSION");
    let (service, service_version) = &api.endpoints.service;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let build = format!("{profile}, {}, {}", std::env::consts::ARCH, std::env::consts::OS);
    let settings = settings(api);
    let write = |object: &mut Object<'_>| {
        object.text("version", version);
        frame::write_figures(object, &figures);
        object.text("service", service);
        object.text("service_version", service_version);
        object.text("instance_id", frame::instance_id());
        object.plain("pid", Some(std::process::id()));
        object.plain("started_us", Some(frame::started_us()));
        object.text("build", &build);
        object.list("features", features(), crate::json::write_str);
        object.list("settings", settings.iter(), Setting::write);
        object.list("sizes", sizes.iter(), |out, (name, bytes, count)| {
            let mut object = Object::open(out);
            object.text("name", name);
            object.plain("bytes", Some(bytes));
            object.plain("count", Some(count));
            object.close();
        });
        #[cfg(feature = "dashboard")]
        for (name, count) in clients(api) {
            object.plain(name, Some(count));
        }
        object.list("exports", exports().iter(), Export::write);
    };
    let text = || in_text(api, &figures, &sizes, &settings, &build);
    Ok(formed(api, runs, query.format, write, text))
}

/// The same as aligned text.
fn in_text(
    api: &Api,
    figures: &RunFigures,
    sizes: &[(&str, usize, usize)],
    settings: &[Setting],
    build: &str,
) -> String {
    let (service, service_version) = &api.endpoints.service;
    let mut table = Table::plain();
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("version", env!("CARGO_PKG_VERSION").to_owned());
    for (name, figure) in frame::rows_of(figures) {
        row(name, figure.to_string());
    }
    row("service", one_line(service));
    row("service_version", one_line(service_version));
    row("instance_id", one_line(frame::instance_id()));
    row("pid", std::process::id().to_string());
    row("started_us", frame::started_us().to_string());
    row("build", build.to_owned());
    row("features", features().collect::<Vec<_>>().join(","));
    for Setting { name, value, .. } in settings {
        row(name, one_line(value.as_deref().unwrap_or("-")));
    }
    for (name, bytes, count) in sizes {
        row(name, format!("{bytes} bytes, {count}"));
    }
    #[cfg(feature = "dashboard")]
    for (name, count) in clients(api) {
        row(name, count.to_string());
    }
    for Export { name, ok, failed } in exports() {
        row(&name, format!("{ok} done, {failed} failed"));
    }
    table.aligned()
}

fn features() -> impl Iterator<Item = &'static str> {
    FEATURES.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name)
}

/// A setting; of a secret only whether it is set.
struct Setting {
    name: &'static str,
    value: Option<String>,
    is_secret: bool,
    source: &'static str,
}

impl Setting {
    fn write(out: &mut Vec<u8>, setting: &Self) {
        let mut object = Object::open(out);
        object.text("name", setting.name);
        object.maybe("value", setting.value.as_deref());
        object.plain("secret", Some(setting.is_secret));
        object.text("source", setting.source);
        object.close();
    }
}

fn settings(api: &Api) -> Vec<Setting> {
    let variable = |name: &'static str| Setting {
        name,
        value: std::env::var(name).ok(),
        is_secret: false,
        source: "environment",
    };
    let token = api.endpoints.bearer.is_set().then(|| "set".to_owned());
    vec![
        Setting { name: "bearer_token", value: token, is_secret: true, source: "builder" },
        Setting {
            name: "base_path",
            value: Some(api.endpoints.base_path.to_string()),
            is_secret: false,
            source: "builder",
        },
        variable("LOG_LEVEL"),
        variable("LOG_FORMAT"),
    ]
}

/// The requests of an export by OTLP.
struct Export {
    name: String,
    ok: u64,
    failed: u64,
}

impl Export {
    fn write(out: &mut Vec<u8>, export: &Self) {
        let mut object = Object::open(out);
        object.text("name", &export.name);
        object.plain("ok", Some(export.ok));
        object.plain("failed", Some(export.failed));
        object.close();
    }
}

fn exports() -> Vec<Export> {
    let metrics = process::metrics();
    let count =
        |outcome: &str, signal: &str| metrics.otlp_exports.with_label_values(&[outcome, signal]).get();
    let export = |signal: &&str| Export {
        name: format!("OTLP {signal}"),
        ok: count("success", signal),
        failed: count("rejected", signal) + count("unavailable", signal),
    };
    if cfg!(feature = "otlp") { OTLP_SIGNALS.iter().map(export).collect() } else { Vec::new() }
}

/// The pages that follow this process, and the most that may.
#[cfg(feature = "dashboard")]
fn clients(api: &Api) -> [(&'static str, usize); 2] {
    [("clients", api.clients.count()), ("most_clients", super::clients::MOST)]
}

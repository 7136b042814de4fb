//! The cost of a tracked call beyond the plain one, without a listener to spans.

mod known_ids;
pub(crate) mod peers;
mod threads;

pub(crate) use monitor_benches::bodies;

use crate::harness::{Contender, race};
use crate::report::{Figures, print};
use crate::sections::Effort;

use known_ids::KnownIds;
use peers::Recorder;
use threads::on_two_threads;

pub(crate) fn run(effort: Effort) -> Figures {
    let mut figures = one_thread(effort);
    figures.extend(dynamic_ids(effort));
    figures.extend(two_threads(effort));
    figures
}

fn one_thread(effort: Effort) -> Figures {
    let clock = quanta::Clock::new();
    let recorder = Recorder::install();
    peers::set_up_autometrics();
    let race = race(
        vec![
            Contender::new("plain", bodies::plain),
            Contender::new("limit", |i| bodies::limit(&clock, i)),
            Contender::new("track_agent", bodies::tracked),
            Contender::new("plain async", bodies::plain_async),
            Contender::new("track_agent async", bodies::tracked_async),
            Contender::new("prometheus, handles kept", peers::prometheus),
            Contender::new("prometheus, handles and its timer", peers::prometheus_timer),
            Contender::new("prometheus-client, handles kept", peers::prometheus_client),
            Contender::timed("metrics, macros", |times| recorder.time(times)),
            Contender::new("autometrics", peers::autometrics),
            Contender::new("tracing::instrument, disabled", peers::instrumented),
            Contender::new("fastrace::trace, no root", peers::fastrace),
        ],
        effort.rounds(1_500),
    );
    print("a call, one thread, nobody listening to spans", &race, |name| {
        (!name.starts_with("plain")).then_some(if name.ends_with("async") { "plain async" } else { "plain" })
    });
    let ours = race.net("track_agent", "plain");
    vec![
        ("call_literal_over_limit", ours / race.net("limit", "plain")),
        ("autometrics_over_call_literal", race.net("autometrics", "plain") / ours),
        ("prometheus_static_over_call_literal", race.net("prometheus, handles kept", "plain") / ours),
        ("call_async_over_sync", race.net("track_agent async", "plain async") / ours),
    ]
}

fn dynamic_ids(effort: Effort) -> Figures {
    let ids = KnownIds::new();
    let race = race(
        vec![
            Contender::new("plain", |i| bodies::plain_id(ids.of(i), i)),
            Contender::new("track_agent(id = …)", |i| bodies::tracked_id(ids.of(i), i)),
            Contender::new("prometheus, with_label_values", |i| ids.prometheus(ids.of(i), i)),
            Contender::new("prometheus-client, get_or_create", |i| ids.prometheus_client(ids.of(i), i)),
        ],
        effort.rounds(1_500),
    );
    print("a call, 1,000 known ids", &race, |name| (name != "plain").then_some("plain"));
    let ours = race.net("track_agent(id = …)", "plain");
    let theirs = race.net("prometheus, with_label_values", "plain");
    vec![("prometheus_vec_over_call_dynamic", theirs / ours)]
}

fn two_threads(effort: Effort) -> Figures {
    let clock = quanta::Clock::new();
    let race = race(
        vec![
            Contender::new("plain", bodies::plain),
            Contender::new("limit", |i| bodies::limit(&clock, i)),
            Contender::new("track_agent", bodies::tracked),
            on_two_threads("2 × plain", bodies::plain),
            on_two_threads("2 × limit", |i| bodies::limit(&clock, i)),
            on_two_threads("2 × track_agent", bodies::tracked),
            on_two_threads("2 × prometheus, handles kept", peers::prometheus),
            on_two_threads("2 × autometrics", peers::autometrics),
        ],
        effort.rounds(800),
    )
    .contended();
    print("a call and thread, two threads in one function", &race, |name| match name {
        "plain" | "2 × plain" => None,
        _ => Some(if name.starts_with('2') { "2 × plain" } else { "plain" }),
    });
    let ours = race.net("2 × track_agent", "2 × plain");
    vec![
        ("autometrics_over_call_literal_2threads", race.net("2 × autometrics", "2 × plain") / ours),
        ("call_literal_2threads_over_1", ours / race.net("track_agent", "plain")),
    ]
}

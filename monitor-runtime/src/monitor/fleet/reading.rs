//! What an instance says of itself, read from its answer to `instance`.

use super::figures::{Durations, Figures, Spent};
use crate::families::Outcome;
use crate::families::readings::OUTCOMES;
use crate::json::value::Json;

/// The process behind an address. Two addresses of one process have the same identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::monitor) struct Identity {
    /// The name of the pod or the host.
    pub(in crate::monitor) id: String,
    pub(in crate::monitor) pid: u64,
    pub(in crate::monitor) started_us: u64,
}

/// An instance at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::monitor) struct Reading {
    pub(in crate::monitor) identity: Identity,
    pub(in crate::monitor) service: String,
    pub(in crate::monitor) version: String,
    /// The word of its readiness.
    pub(in crate::monitor) ready: String,
    /// Runs that go on.
    pub(in crate::monitor) running: u64,
    /// `None` from a version that does not tell them.
    pub(in crate::monitor) figures: Option<Figures>,
}

/// The longest text of an instance that is shown, in characters.
const LONGEST: usize = 200;

/// The most buckets that are read, many times those of any layout.
const MOST_BUCKETS: usize = 1_024;

impl Reading {
    /// Reads an answer; `None` if it is none of this API.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let json = Json::read(std::str::from_utf8(body).ok()?).ok()?;
        let instance = get(&json, "instance")?;
        Some(Self {
            identity: Identity {
                id: text(instance, "id")?,
                pid: whole(instance, "pid")?,
                started_us: whole(instance, "started_us")?,
            },
            service: text(instance, "service")?,
            version: text(instance, "version")?,
            ready: get(&json, "ready").and_then(|ready| text(ready, "status"))?,
            running: get(&json, "keeps").and_then(|keeps| whole(keeps, "running"))?,
            figures: get(&json, "totals").and_then(figures),
        })
    }
}

fn figures(totals: &Json) -> Option<Figures> {
    let (minute, recent) = (get(totals, "minute")?, get(totals, "recent")?);
    let durations = Durations { bounds: wholes(recent, "bounds_us")?, counts: wholes(recent, "durations")? };
    let spent = get(recent, "cost")?;
    Some(Figures {
        running: whole(totals, "running")?,
        ended: by_outcome(get(totals, "ended")?)?,
        minute_seconds: whole(minute, "seconds")?.min(60),
        minute_ended: whole(minute, "ended")?,
        seconds: whole(recent, "seconds")?.min(300),
        recent: by_outcome(get(recent, "ended")?)?,
        durations,
        spent: Spent {
            nanos: whole(spent, "nano_usd")?,
            priced: whole(spent, "priced")?,
            of: whole(spent, "of")?,
        },
    })
}

fn by_outcome(counts: &Json) -> Option<[u64; OUTCOMES]> {
    let mut ended = [0; OUTCOMES];
    for outcome in Outcome::ALL {
        ended[outcome as usize] = whole(counts, outcome.as_str())?;
    }
    Some(ended)
}

fn get<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    let Json::Object(members) = json else { return None };
    members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
}

fn text(json: &Json, name: &str) -> Option<String> {
    let Json::Text(text) = get(json, name)? else { return None };
    Some(text.chars().take(LONGEST).collect())
}

fn whole(json: &Json, name: &str) -> Option<u64> {
    number(get(json, name)?)
}

fn wholes(json: &Json, name: &str) -> Option<Vec<u64>> {
    let Json::List(values) = get(json, name)? else { return None };
    if values.len() > MOST_BUCKETS {
        return None;
    }
    values.iter().map(number).collect()
}

/// A count. Sums of 64 stay far below the largest number, and each is exact.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn number(json: &Json) -> Option<u64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let Json::Number(number) = *json else { return None };
    ((0.0..=MOST).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = r#"{"running": [], "more": 0,
        "totals": {"running": 2, "ended": {"success": 7, "error": 1, "panic": 0, "cancelled": 3},
            "minute": {"seconds": 60, "ended": 5},
            "recent": {"seconds": 300, "ended": {"success": 6, "error": 0, "panic": 0, "cancelled": 1},
                "bounds_us": [1000], "durations": [4, 7], "cost": {"nano_usd": 9, "priced": 1, "of": 2}}},
        "instance": {"service": "s", "version": "1", "id": "pod-1", "pid": 7, "started_us": 1764000000000001},
        "ready": {"status": "ready"}, "keeps": {"running": 4}}"#;

    #[test]
    fn an_answer_is_read() {
        let reading = Reading::parse(NOW.as_bytes()).unwrap();
        let identity = Identity { id: "pod-1".to_owned(), pid: 7, started_us: 1_764_000_000_000_001 };
        assert_eq!((&reading.identity, reading.running, &*reading.ready), (&identity, 4, "ready"));
        let figures = reading.figures.unwrap();
        assert_eq!((figures.ended, figures.recent), ([7, 1, 0, 3], [6, 0, 0, 1]));
        assert_eq!(figures.durations, Durations { bounds: vec![1_000], counts: vec![4, 7] });
    }

    #[test]
    fn an_answer_of_an_earlier_version_has_no_figures() {
        let earlier = Reading::parse(NOW.replace("totals", "others").as_bytes()).unwrap();
        assert_eq!((earlier.figures, &*earlier.identity.id), (None, "pod-1"));
    }

    #[test]
    fn other_texts_are_no_answer() {
        let wrong = [
            String::new(),
            "hello".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            NOW.replace("\"pid\": 7", "\"pid\": -7"),
            NOW.replace("\"pid\": 7", "\"pid\": 1e300"),
            NOW.replace("\"pid\": 7", "\"pid\": \"7\""),
        ];
        for wrong in wrong {
            assert_eq!(Reading::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Reading::parse(b"\xff"), None);
    }
}

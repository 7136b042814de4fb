//! Content negotiation: the format by `Accept`, compression by `Accept-Encoding` (RFC 9110, section 12.5).

use ::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName};

use crate::exposition::format::Format;

/// A weight (`q`) in thousandths, its finest resolution.
type Weight = u16;

/// The weight of an element without one.
const FULL: Weight = 1_000;

/// Chooses the format with the highest weight. If none is accepted, it is the text format: text tells a scraper more
/// than an empty answer.
pub(crate) fn format(headers: &HeaderMap) -> Format {
    let formats = Format::ALL.map(|format| (format, format.content_type()));
    chosen(headers, formats).unwrap_or(Format::Text)
}

/// Chooses the one whose media type has the highest weight; `None` if none is accepted.
///
/// A type has the weight of the most specific range that covers it. Among equal weights the more specific range wins,
/// then the earlier one, then the earlier type.
pub(crate) fn chosen<T, const N: usize>(headers: &HeaderMap, types: [(T, &str); N]) -> Option<T> {
    let ranges: Vec<Range<'_>> = elements(headers, &ACCEPT).filter_map(Range::parse).collect();
    let best = types
        .into_iter()
        .rev()
        .filter_map(|(choice, media_type)| Some((rank(&ranges, media_type)?, choice)))
        .max_by_key(|(rank, _)| *rank);
    best.map(|(_, choice)| choice)
}

/// Whether to compress with gzip: it is accepted, and weighted at least as high as no compression.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let weight = |wanted: &[&str]| {
        elements(headers, &ACCEPT_ENCODING).find_map(|element| {
            let (coding, parameters) = element.split_once(';').unwrap_or((element, ""));
            let is_wanted = wanted.iter().any(|name| coding.trim().eq_ignore_ascii_case(name));
            if is_wanted { self::weight(parameters) } else { None }
        })
    };
    let gzip = weight(&["gzip", "x-gzip"]).or_else(|| weight(&["*"])).unwrap_or(0);
    gzip > 0 && gzip >= weight(&["identity"]).unwrap_or(0)
}

/// The rank of a media type: weight, specificity of its range, and position (earlier is higher).
type Rank = (Weight, usize, std::cmp::Reverse<usize>);

fn rank(ranges: &[Range<'_>], media_type: &str) -> Option<Rank> {
    let fits = ranges.iter().enumerate().filter_map(|(place, range)| {
        let specific = range.fits(media_type)?;
        Some((specific, range.weight, std::cmp::Reverse(place)))
    });
    let (specific, weight, place) = fits.max()?;
    (weight > 0).then_some((weight, specific, place))
}

/// The elements of a list header, across all its lines. A line that is not visible ASCII is ignored.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| split(line, ',')).map(str::trim).filter(|element| !element.is_empty())
}

/// Splits at a separator outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
}

/// A media range `type/subtype` with parameters; type and subtype may be `*`.
#[derive(Debug)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    weight: Weight,
}

impl<'a> Range<'a> {
    /// Parses a range. A malformed range is ignored.
    fn parse(element: &'a str) -> Option<Self> {
        let (media, parameters) = element.split_once(';').unwrap_or((element, ""));
        let (kind, subtype) = media.trim().split_once('/')?;
        let weight = weight(parameters)?;
        let parameters = self::parameters(parameters).filter(|(name, _)| !name.eq_ignore_ascii_case("q"));
        Some(Self { kind, subtype, parameters: parameters.collect(), weight })
    }

    /// The specificity of the range if it covers a media type. A parameter that the type lacks, such as the `escaping`
    /// of Prometheus, excludes nothing.
    fn fits(&self, media_type: &str) -> Option<usize> {
        let (media, own) = media_type.split_once(';').unwrap_or((media_type, ""));
        let (kind, subtype) = media.split_once('/')?;
        let covers = |range: &str, value: &str| range == "*" || range.eq_ignore_ascii_case(value);
        if !covers(self.kind, kind) || !covers(self.subtype, subtype) {
            return None;
        }
        let own: Vec<_> = parameters(own).collect();
        let mut specific = usize::from(self.kind != "*") + usize::from(self.subtype != "*");
        for (name, value) in &self.parameters {
            match own.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, known)) if known.eq_ignore_ascii_case(value) => specific += 1,
                Some(_) => return None,
                None => {}
            }
        }
        Some(specific)
    }
}

/// Parses `name=value;name=value`, with the quotes of values removed.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    split(text, ';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Some((name.trim(), bare.unwrap_or(value)))
    })
}

/// The weight among parameters, [`FULL`] without one; `None` if it is malformed.
fn weight(parameters: &str) -> Option<Weight> {
    let weight = self::parameters(parameters).find(|(name, _)| name.eq_ignore_ascii_case("q"));
    let Some((_, weight)) = weight else { return Some(FULL) };
    let (whole, thousandths) = weight.split_once('.').unwrap_or((weight, ""));
    let is_number = thousandths.len() <= 3 && thousandths.bytes().all(|digit| digit.is_ascii_digit());
    let thousandths: Weight = format!("{thousandths:0<3}").parse().ok().filter(|_| is_number)?;
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect()
    }

    fn chosen(accept: &[&str]) -> Format {
        format(&asking(&ACCEPT, accept))
    }

    fn gzip(accept: &[&str]) -> bool {
        takes_gzip(&asking(&ACCEPT_ENCODING, accept))
    }

    #[test]
    fn prometheus_gets_the_form_it_likes_best() {
        let of_2_42 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                       text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(chosen(&[of_2_42]), Format::OpenMetrics);
        let with_native_histograms = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                                      encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,\
                                      application/openmetrics-text;version=0.0.1;q=0.75,\
                                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(chosen(&[with_native_histograms]), Format::Protobuf);
        let of_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                    application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;\
                    escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(chosen(&[of_3]), Format::OpenMetrics);
        let text_first = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,\
                          application/openmetrics-text;version=1.0.0;q=0.4,*/*;q=0.2";
        assert_eq!(chosen(&[text_first]), Format::Text);
    }

    #[test]
    fn no_preference_or_any_gets_the_text_format() {
        for accept in ["", "*/*", "text/*", "text/plain", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"] {
            assert_eq!(chosen(&[accept]), Format::Text, "{accept}");
        }
        assert_eq!(chosen(&[]), Format::Text);
    }

    #[test]
    fn an_unknown_preference_gets_the_text_format() {
        for accept in [
            "application/json",
            "text/plain;version=0.0.1",
            "application/openmetrics-text;version=0.0.1",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            "text/plain;q=0",
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=0.0001",
            "application/openmetrics-text;q=high",
            "openmetrics-text",
            ";;,,/",
        ] {
            assert_eq!(chosen(&[accept]), Format::Text, "{accept}");
        }
    }

    #[test]
    fn the_highest_weight_wins_wherever_it_stands() {
        let both = ["text/plain;q=0.5,application/openmetrics-text;q=0.6"];
        assert_eq!(chosen(&both), Format::OpenMetrics);
        assert_eq!(chosen(&["application/openmetrics-text;q=0.5", "text/plain;q=0.501"]), Format::Text);
        assert_eq!(chosen(&["application/openmetrics-text;q=1.000,text/plain;q=0.999"]), Format::OpenMetrics);
    }

    #[test]
    fn the_weight_is_that_of_the_most_specific_range() {
        assert_eq!(chosen(&["*/*,text/plain;q=0"]), Format::OpenMetrics);
        assert_eq!(chosen(&["application/*;q=0.9,application/openmetrics-text;q=0.1"]), Format::Protobuf);
        assert_eq!(chosen(&["text/*;q=0,text/plain;version=0.0.4;q=0.1"]), Format::Text);
    }

    #[test]
    fn of_equal_weights_the_more_specific_then_the_first_wins() {
        assert_eq!(chosen(&["*/*,application/openmetrics-text"]), Format::OpenMetrics);
        assert_eq!(chosen(&["application/openmetrics-text,text/plain"]), Format::OpenMetrics);
        assert_eq!(chosen(&["text/plain,application/openmetrics-text"]), Format::Text);
    }

    #[test]
    fn names_have_no_case_and_values_may_be_quoted() {
        assert_eq!(chosen(&["Application/OpenMetrics-Text; Version=\"1.0.0\" ; Q=1"]), Format::OpenMetrics);
        assert_eq!(chosen(&["text/plain;note=\"a,b;q=0\\\"\";q=0.1,*/*;q=0.05"]), Format::Text);
    }

    #[test]
    fn gzip_is_sent_to_whoever_accepts_it() {
        for accept in ["gzip", "deflate, GZIP;q=0.5", "x-gzip", "*", "br;q=1, *;q=0.1", "gzip, identity"] {
            assert!(gzip(&[accept]), "{accept}");
        }
        assert!(gzip(&["br", "gzip"]));
    }

    #[test]
    fn gzip_is_not_sent_to_whoever_does_not() {
        for accept in
            ["", "br", "identity", "gzip;q=0", "*, gzip;q=0", "gzip;q=0.5, identity;q=0.6", "gzip;q=x"]
        {
            assert!(!gzip(&[accept]), "{accept}");
        }
        assert!(!gzip(&[]));
    }
}

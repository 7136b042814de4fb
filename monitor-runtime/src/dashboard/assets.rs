//! The files of the live page, which are part of the program.
//!
//! Every screen is the same HTML file; its script reads the path. The files have strong entity tags and are asked for again at
//! each load (`no-cache`), so a page never mixes files of two versions of the program.
//!
//! The own scripts are sent without their comments, which are a fifteenth of the page by gzip, and without their indentation.
//! Their lines stay, so that a fault names the line of the source.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Write as _};
use std::sync::LazyLock;

use ::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::exposition::negotiate::takes_gzip;

/// The policy of the page: its own files and nothing else, no inline code, and no text that becomes markup or code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A file of the page.
struct Asset {
    /// Its path below `assets/`.
    path: &'static str,
    media_type: &'static str,
    packed: LazyLock<Packed>,
}

/// A file as it is sent, made at its first request.
struct Packed {
    plain: Bytes,
    /// Nothing if compression fails, which writing into memory does not.
    gzip: Option<Bytes>,
    /// The entity tags of both forms, which must differ: <https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.3>.
    tag: HeaderValue,
    gzip_tag: HeaderValue,
}

macro_rules! assets {
    ($($path:literal: $media_type:expr),+ $(,)?) => {
        [$(Asset {
            path: $path,
            media_type: $media_type,
            packed: LazyLock::new(|| Packed::of(sent($path, $media_type, include_str!(concat!("assets/", $path))))),
        }),+]
    };
}

/// The file of every screen.
static PAGE: [Asset; 1] = assets!["index.html": HTML];

static ASSETS: [Asset; 14] = assets![
    "app.css": STYLE,
    "app.js": SCRIPT,
    "base.js": SCRIPT,
    "errors.js": SCRIPT,
    "live.js": SCRIPT,
    "parts.js": SCRIPT,
    "plot.js": SCRIPT,
    "run.js": SCRIPT,
    "screens.js": SCRIPT,
    "vendor/hooks.js": SCRIPT,
    "vendor/htm.js": SCRIPT,
    "vendor/preact.js": SCRIPT,
    "vendor/htm.LICENSE": TEXT,
    "vendor/preact.LICENSE": TEXT,
];

/// The root of all paths in the HTML file.
pub(crate) const ROOT: &str = "/monitor";

/// Returns the HTML file of every screen, for a page at this root. The page itself says if a path is no screen.
pub(crate) fn page(root: &str, headers: &HeaderMap) -> Response<Bytes> {
    let [page] = &PAGE;
    if root == ROOT {
        return page.answer(headers);
    }
    // Neither would do: the policy forbids `<base>`, and a screen may be any number of segments deep.
    let html = String::from_utf8_lossy(&page.packed.plain).replace(&format!("{ROOT}/"), &format!("{root}/"));
    Packed::of(html.into()).answer(page.media_type, headers)
}

/// Returns the file at a path below `assets/`, `None` if there is none.
pub(crate) fn asset(path: &str, headers: &HeaderMap) -> Option<Response<Bytes>> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    Some(asset.answer(headers))
}

impl Asset {
    fn answer(&self, headers: &HeaderMap) -> Response<Bytes> {
        self.packed.answer(self.media_type, headers)
    }
}

impl Packed {
    /// Answers with the file, in the form that the client takes.
    fn answer(&self, media_type: &'static str, headers: &HeaderMap) -> Response<Bytes> {
        let Self { plain, gzip, tag, gzip_tag } = self;
        let gzip = gzip.as_ref().filter(|_| takes_gzip(headers));
        let tag = if gzip.is_some() { gzip_tag } else { tag };
        let mut response = Response::new(Bytes::new());
        let sent = response.headers_mut();
        sent.insert(ETAG, tag.clone());
        sent.insert(VARY, HeaderValue::from_static("accept-encoding"));
        sent.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if names(headers, tag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        sent.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if gzip.is_some() {
            sent.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        *response.body_mut() = gzip.unwrap_or(plain).clone();
        response
    }

    fn of(plain: Bytes) -> Self {
        // The hash of the standard library has fixed keys, so every instance of a program has the same tags.
        let mut hasher = DefaultHasher::new();
        hasher.write(&plain);
        let hash = hasher.finish();
        let tag = |suffix: &str| HeaderValue::try_from(format!("\"{hash:016x}{suffix}\""));
        let [tag, gzip_tag] =
            [tag(""), tag("-gz")].map(|tag| tag.unwrap_or(HeaderValue::from_static("\"\"")));
        Self { gzip: compress(&plain).ok().map(Bytes::from), plain, tag, gzip_tag }
    }
}

/// The form in which a file is sent: an own script without indentation, and without the text of lines that are comments.
fn sent(path: &str, media_type: &str, text: &'static str) -> Bytes {
    if path.starts_with("vendor/") || media_type != SCRIPT {
        return Bytes::from_static(text.as_bytes());
    }
    let lines = text.split('\n').map(str::trim_start);
    let lines: Vec<_> = lines.map(|line| if line.starts_with("//") { "" } else { line }).collect();
    lines.join("\n").into()
}

fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}

/// Whether the client has the form with this tag: <https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2>.
fn names(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.trim_start_matches("W/").as_bytes() == tag.as_bytes()
    })
}

/// Sets the headers that keep the page to its own files, and other sites from it.
pub(crate) fn secure(headers: &mut HeaderMap) {
    let set: [(HeaderName, &'static str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use ::http::header::ACCEPT_ENCODING;

    use super::*;

    /// The most that a browser loads for all screens, in bytes, and by gzip.
    const MOST: usize = 135_000;
    const MOST_GZIP: usize = 48_000;

    fn loaded() -> impl Iterator<Item = &'static Asset> {
        PAGE.iter().chain(&ASSETS).filter(|asset| asset.media_type != TEXT)
    }

    fn asking(name: HeaderName, value: &HeaderValue) -> HeaderMap {
        HeaderMap::from_iter([(name, value.clone())])
    }

    #[test]
    fn the_page_keeps_its_budget() {
        let plain: usize = loaded().map(|asset| asset.packed.plain.len()).sum();
        let gzip: usize = loaded().filter_map(|asset| Some(asset.packed.gzip.as_ref()?.len())).sum();
        assert!(plain <= MOST, "{plain} bytes");
        assert!((1..=MOST_GZIP).contains(&gzip), "{gzip} bytes by gzip");
    }

    #[test]
    fn scripts_are_sent_without_comments_and_with_all_lines() {
        let script = asset("base.js", &HeaderMap::new()).expect("base.js");
        let sent = std::str::from_utf8(script.body()).expect("UTF-8");
        let source = include_str!("assets/base.js");
        assert!(source.lines().any(|line| line.starts_with("// ")), "no comment was left out");
        for (sent, source) in sent.split('\n').zip(source.split('\n')) {
            let source = source.trim_start();
            assert!(sent == source || (sent.is_empty() && source.starts_with("//")), "{source}");
        }
        assert_eq!(sent.split('\n').count(), source.split('\n').count());
        let vendored = asset("vendor/htm.js", &HeaderMap::new()).expect("vendor/htm.js");
        assert_eq!(vendored.body(), include_str!("assets/vendor/htm.js"));
    }

    /// The characters of a class of a regular expression, whose members are `\u{…}` and ranges of them.
    fn members(class: &str) -> Vec<std::ops::RangeInclusive<u32>> {
        let code =
            |text: &str| u32::from_str_radix(text.trim_matches(['\\', 'u', '{', '}']), 16).expect("a code");
        let ranges = class.replace("}\\u", "} \\u");
        let range = |text: &str| {
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            code(from)..=code(to)
        };
        ranges.split(' ').map(range).collect()
    }

    #[test]
    fn the_page_hides_the_characters_that_log_lines_hide() {
        let source = include_str!("assets/base.js");
        let class =
            source.split_once("const HIDDEN = /[\\p{Cc}").and_then(|(_, rest)| rest.split_once("]/gu;"));
        let members = members(class.expect("the class of hidden characters").0);
        for character in '\u{80}'..=char::MAX {
            let is_hidden =
                character.is_control() || members.iter().any(|range| range.contains(&character.into()));
            assert_eq!(is_hidden, crate::json::is_hidden(character), "{character:?}");
        }
    }

    #[test]
    fn no_file_loads_from_elsewhere() {
        for asset in loaded() {
            let text = std::str::from_utf8(&asset.packed.plain).expect("UTF-8");
            // Namespaces of markup are names, and nothing is loaded from them.
            let foreign: Vec<_> =
                text.split("://").skip(1).filter(|rest| !rest.starts_with("www.w3.org/")).collect();
            assert!(foreign.is_empty(), "{}: {foreign:?}", asset.path);
        }
    }

    #[test]
    fn a_known_tag_is_answered_without_the_file() {
        let first = asset("app.js", &HeaderMap::new()).expect("app.js");
        assert_eq!((first.status(), first.body().is_empty()), (StatusCode::OK, false));
        let again = asset("app.js", &asking(IF_NONE_MATCH, &first.headers()[ETAG])).expect("app.js");
        assert_eq!((again.status(), again.body().is_empty()), (StatusCode::NOT_MODIFIED, true));
        let other = asset("app.css", &asking(IF_NONE_MATCH, &first.headers()[ETAG])).expect("app.css");
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn gzip_has_a_tag_of_its_own() {
        let packed = page(ROOT, &asking(ACCEPT_ENCODING, &HeaderValue::from_static("gzip")));
        let plain = page(ROOT, &HeaderMap::new());
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
        assert!(!plain.headers().contains_key(CONTENT_ENCODING));
        assert_ne!(packed.headers()[ETAG], plain.headers()[ETAG]);
        assert!(packed.body().len() < plain.body().len());
    }

    #[test]
    fn the_page_loads_its_files_below_its_root() {
        let html = page("/a/b/monitor", &HeaderMap::new());
        let text = std::str::from_utf8(html.body()).expect("UTF-8");
        assert!(
            text.contains("src=\"/a/b/monitor/assets/app.js\"") && !text.contains("\"/monitor/"),
            "{text}"
        );
        let again = page("/a/b/monitor", &asking(IF_NONE_MATCH, &html.headers()[ETAG]));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_ne!(page(ROOT, &HeaderMap::new()).headers()[ETAG], html.headers()[ETAG]);
    }

    #[test]
    fn unknown_paths_have_no_file() {
        for path in ["", "index.html", "../assets.rs", "vendor/../app.js", "app.js/"] {
            assert!(asset(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }
}

//! The closed set of values of the `method` label.

use http::Method;

/// What `HEAD` is called here; its responses have no body.
pub(super) const HEAD: &str = "HEAD";
/// What `CONNECT` is called here; when it succeeds, what follows is not HTTP.
pub(super) const CONNECT: &str = "CONNECT";

/// What is not one of the nine.
pub(crate) const OTHER: &str = "OTHER";

/// The method's label: itself if it is one of the nine of RFC 9110 and RFC 5789, else `OTHER`, since a
/// client may invent methods without end.
pub(super) fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => HEAD,
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => CONNECT,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nine_standard_methods_keep_their_names() {
        for name in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"] {
            assert_eq!(label(&Method::from_bytes(name.as_bytes()).unwrap()), name);
        }
    }

    #[test]
    fn every_other_method_is_other() {
        for name in ["PROPFIND", "get", "QUERY", "AN-EXTREMELY-LONG-EXTENSION-METHOD"] {
            assert_eq!(label(&Method::from_bytes(name.as_bytes()).unwrap()), "OTHER");
        }
    }
}

//! The closed set of values of the label `method`.

#[cfg(feature = "http")]
use http::Method;

/// The label of a method that is not one of the nine standard methods.
pub(crate) const OTHER_METHOD: &str = "OTHER";

/// A value of the label in one byte, since every request carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MethodLabel {
    Get,
    Post,
    Put,
    Delete,
    Patch,
    Head,
    Options,
    Trace,
    Connect,
    Other,
}

impl MethodLabel {
    /// The label of a method: its name if it is one of the nine methods of RFC 9110 and RFC 5789, otherwise `OTHER`,
    /// since clients may invent any number of methods.
    #[cfg(feature = "http")]
    pub(crate) fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::DELETE => Self::Delete,
            Method::PATCH => Self::Patch,
            Method::HEAD => Self::Head,
            Method::OPTIONS => Self::Options,
            Method::TRACE => Self::Trace,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Connect => "CONNECT",
            Self::Other => OTHER_METHOD,
        }
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn the_nine_standard_methods_keep_their_names() {
        for name in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"] {
            assert_eq!(MethodLabel::of(&Method::from_bytes(name.as_bytes()).unwrap()).as_str(), name);
        }
    }

    #[test]
    fn every_other_method_is_other() {
        for name in ["PROPFIND", "get", "QUERY", "AN-EXTREMELY-LONG-EXTENSION-METHOD"] {
            assert_eq!(MethodLabel::of(&Method::from_bytes(name.as_bytes()).unwrap()).as_str(), "OTHER");
        }
    }
}

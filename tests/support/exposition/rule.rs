//! The rules of the format, and the ways of saying that one was broken.

use std::fmt;

/// A line that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) rule: Rule,
    /// The offending part of the line.
    pub(crate) found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}, found `{}`", self.line, self.rule.text(), self.found)
    }
}

impl std::error::Error for Violation {}

/// A broken rule, before its line is known.
#[derive(Debug)]
pub(super) struct Broken {
    rule: Rule,
    found: String,
}

impl Broken {
    pub(super) fn at(self, line: usize) -> Violation {
        Violation { line, rule: self.rule, found: self.found }
    }
}

macro_rules! rules {
    ($($rule:ident $text:literal;)*) => {
        /// A rule of the format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule {
            $(#[doc = $text] $rule,)*
        }

        impl Rule {
            /// The rule in words.
            pub(crate) fn text(self) -> &'static str {
                match self {
                    $(Self::$rule => $text,)*
                }
            }

            pub(super) fn by(self, found: impl Into<String>) -> Broken {
                Broken { rule: self, found: found.into() }
            }
        }
    };
}

rules! {
    NoFinalNewline "the text ends with a newline";
    NoBlankLine "no line is empty";
    NoComment "a comment is a HELP or a TYPE line";
    MetricName "a metric name is [a-zA-Z_:][a-zA-Z0-9_:]*";
    LabelName "a label name is [a-zA-Z_][a-zA-Z0-9_]* and does not start with __";
    HelpText "a HELP line has a name and a text";
    HelpEscape "a HELP text escapes with \\\\ and \\n only";
    LabelEscape "a label value escapes with \\\\, \\\" and \\n only";
    KnownType "a type is counter, gauge, histogram, summary or untyped";
    OneHelp "a family has one HELP line";
    OneType "a family has one TYPE line";
    MetadataFirst "HELP and TYPE stand before a family's samples";
    NotGrouped "the lines of a family stand together";
    NoType "a sample belongs to a family with a TYPE line";
    Labels "labels are {name=\"value\",…}";
    DuplicateLabel "a label stands once in a series";
    DuplicateSeries "a series stands once";
    Value "a value is a number, NaN, +Inf or -Inf";
    Timestamp "a timestamp is a whole number of milliseconds";
    NothingAfterSample "a line ends after its sample";
    CounterNotNegative "a counter is a number and not negative";
    BucketBound "a bucket has an `le` that is a number";
    BucketOrder "bucket bounds increase";
    BucketsCumulative "a bucket counts at least what the one before it counts";
    InfinityBucket "a histogram has a +Inf bucket";
    HistogramSum "a histogram has a _sum";
    HistogramCount "a histogram has a _count";
    CountIsInfinityBucket "a histogram's _count is its +Inf bucket";
}

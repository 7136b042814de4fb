//! The attribute `#[track(…)]` on a member of a tracked impl block.

use syn::{Attribute, Meta};

use super::grammar::parse_options;
use super::options::Options;
use crate::diagnostics::Diagnostics;
use crate::kind::Kind;

/// The attribute's name. The compiler does not know it: the attribute on the block reads and removes it.
const TRACK: &str = "track";

/// Whether to track a member, and with which options of its own.
pub(crate) enum Tracking {
    Skip,
    Track(Box<Options>),
}

impl Tracking {
    pub(crate) fn parse(kind: Kind, attributes: &[Attribute], errors: &Diagnostics) -> Self {
        if attributes.iter().any(is_kind_attribute) {
            return Self::Skip;
        }
        let mut helpers = attributes.iter().filter(|attribute| is_track_attribute(attribute));
        let Some(helper) = helpers.next() else { return Self::Track(Box::default()) };
        for second in helpers {
            errors.error(second, "duplicate `#[track(…)]`; write all options into one");
        }
        let arguments = match &helper.meta {
            Meta::List(list) => list.tokens.clone(),
            other => {
                errors.error(
                    other,
                    "`#[track]` needs arguments; write `#[track(skip)]` or `#[track(\"id\", …)]`",
                );
                return Self::Skip;
            }
        };
        if syn::parse2::<syn::Ident>(arguments.clone()).is_ok_and(|word| word == "skip") {
            return Self::Skip;
        }
        Self::Track(Box::new(parse_options(kind, arguments, errors)))
    }
}

/// Whether the attribute is one of the four, by any path. It tracks its method itself.
fn is_kind_attribute(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| Kind::ALL.iter().any(|kind| last.ident == kind.attribute_name()))
}

pub(crate) fn is_track_attribute(attribute: &Attribute) -> bool {
    attribute.path().is_ident(TRACK)
}

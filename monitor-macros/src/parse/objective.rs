//! The option `objective(…)`: the share of executions that succeed, and their latency. It is checked as it is parsed.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens as _;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, LitStr, Token};

use super::duration::{is_decimal, parse_nanos};
use super::entry::Entry;
use super::slot::Slot;
use crate::diagnostics::{Diagnostics, find_nearest_name};

const USAGE: &str = "`objective(success = 99.5, latency = \"2s@95\")`";

/// An objective, with one target, or both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objective {
    pub(crate) success: Slot<Share>,
    pub(crate) latency: Slot<Latency>,
}

/// A percentage above 0 and below 100: as written, for the label, and as a ratio.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) percent: String,
    pub(crate) ratio: f64,
}

/// A latency objective: this share of the successful executions takes at most `nanos`. `text` is as written, for the label.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    pub(crate) text: String,
    pub(crate) nanos: u64,
    pub(crate) share: Share,
}

impl Objective {
    /// Parses the list after the option's name.
    pub(crate) fn parse(name: &Ident, input: ParseStream<'_>, errors: &Diagnostics) -> syn::Result<Self> {
        if !input.peek(syn::token::Paren) {
            return Err(syn::Error::new(
                name.span(),
                format_args!("`objective` needs a list; write {USAGE}"),
            ));
        }
        let content;
        syn::parenthesized!(content in input);
        let entries = content.call(Punctuated::<Entry, Token![,]>::parse_terminated);
        let Ok(entries) = entries.as_ref() else {
            // Tokens that stay unread would be a second error at the same place.
            content.parse::<TokenStream>()?;
            let place = entries.map_or_else(|error| error.span(), |_| name.span());
            return Err(syn::Error::new(place, format_args!("expected `name = value`; write {USAGE}")));
        };
        if entries.is_empty() {
            errors
                .error(name, format_args!("an objective needs `success`, `latency` or both; write {USAGE}"));
        }
        let mut objective = Self::default();
        for Entry { name, value } in entries {
            match objective.set_entry(name, value, errors) {
                Ok(()) => {}
                Err(error) => errors.push(error),
            }
        }
        Ok(objective)
    }

    fn set_entry(&mut self, name: &Ident, value: &Expr, errors: &Diagnostics) -> syn::Result<()> {
        match name.to_string().as_str() {
            "success" => self.success.set("success", name, Share::from_expr(value)?, errors),
            "latency" => self.latency.set("latency", name, Latency::from_expr(value)?, errors),
            given => return Err(syn::Error::new(name.span(), unknown_entry_message(given))),
        }
        Ok(())
    }
}

fn unknown_entry_message(given: &str) -> String {
    match find_nearest_name(given, ["success", "latency"].into_iter()) {
        Some(name) => format!("unknown objective `{given}`; did you mean `{name}`?"),
        None => format!("unknown objective `{given}`; expected `success` or `latency`, as in {USAGE}"),
    }
}

impl Share {
    fn from_expr(value: &Expr) -> syn::Result<Self> {
        let (digits, suffix) = match value {
            Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => (number.base10_digits(), number.suffix()),
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => (number.base10_digits(), number.suffix()),
            _ => ("", ""),
        };
        if digits.is_empty() || !suffix.is_empty() {
            let given = value.to_token_stream();
            let rule = format!(
                "`success` takes a percentage, not `{given}`; write a number, as in `success = 99.5`"
            );
            return Err(syn::Error::new_spanned(value, rule));
        }
        Self::from_digits(digits).map_err(|rule| syn::Error::new_spanned(value, rule))
    }

    /// Divides by a hundred in decimal: `99.9 / 100.0` is not the float nearest to 0.999, which a user compares the metric with.
    fn from_digits(digits: &str) -> Result<Self, String> {
        let percent: f64 = digits.parse().map_err(|_| format!("`{digits}` is not a percentage"))?;
        if percent > 0.0 && percent < 100.0 {
            let percent = percent.to_string();
            let ratio = format!("{percent}e-2").parse().unwrap_or_default();
            return Ok(Self { percent, ratio });
        }
        Err(format!(
            "an objective is a percentage above 0 and below 100, not `{digits}`; write one that some executions may miss, as in `99.9`"
        ))
    }
}

impl Latency {
    fn from_expr(value: &Expr) -> syn::Result<Self> {
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value else {
            return Err(syn::Error::new_spanned(
                value,
                Self::rule_message(&value.to_token_stream().to_string()),
            ));
        };
        Self::from_literal(text).map_err(|rule| syn::Error::new_spanned(text, rule))
    }

    fn from_literal(text: &LitStr) -> Result<Self, String> {
        let text = text.value();
        let (duration, percent) = text.split_once('@').ok_or_else(|| Self::rule_message(&text))?;
        let nanos = parse_nanos(duration).ok_or_else(|| Self::rule_message(&text))?;
        if !is_decimal(percent) {
            return Err(Self::rule_message(&text));
        }
        let share = Share::from_digits(percent)?;
        Ok(Self { text, nanos, share })
    }

    fn rule_message(given: &str) -> String {
        format!(
            "`latency` takes a duration above 0 in `ms`, `s` or `m` and a percentage, not `{given}`; write \"2s@95\" \
             to promise that 95 % of the successful executions take 2 s at most"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_becomes_the_nearest_ratio() {
        for (percent, ratio) in
            [("99.9", 0.999), ("99.5", 0.995), ("99.99", 0.9999), ("95", 0.95), ("0.1", 0.001)]
        {
            assert_eq!(
                Share::from_digits(percent).unwrap().ratio.to_bits(),
                f64::to_bits(ratio),
                "{percent}"
            );
        }
    }
}

//! The option `budget(…)`: what a call of an agent may use, the calls inside it included. It is checked as it is parsed.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens as _;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, LitInt, Token};

use super::duration::parse_nanos;
use super::entry::Entry;
use super::slot::Slot;
use crate::diagnostics::{Diagnostics, find_nearest_name};

const USAGE: &str = "`budget(model_calls = 30, …)`";

/// The limits in the order of their documentation.
const LIMITS: [&str; 5] = ["cost", "tokens", "model_calls", "skill_calls", "duration"];

/// A budget, with at least one limit. Each is above 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    /// In billionths of a US dollar.
    pub(crate) cost: Slot<u64>,
    pub(crate) tokens: Slot<u64>,
    pub(crate) model_calls: Slot<u64>,
    pub(crate) skill_calls: Slot<u64>,
    /// In nanoseconds.
    pub(crate) duration: Slot<u64>,
}

impl Budget {
    /// Parses the list after the option's name.
    pub(crate) fn parse(name: &Ident, input: ParseStream<'_>, errors: &Diagnostics) -> syn::Result<Self> {
        if !input.peek(syn::token::Paren) {
            return Err(syn::Error::new(name.span(), format_args!("`budget` needs a list; write {USAGE}")));
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
            let limits = list_limits();
            errors.error(name, format_args!("a budget needs a limit: {limits}; write {USAGE}"));
        }
        let mut budget = Self::default();
        for Entry { name, value } in entries {
            match budget.set_limit(name, value, errors) {
                Ok(()) => {}
                Err(error) => errors.push(error),
            }
        }
        Ok(budget)
    }

    fn set_limit(&mut self, name: &Ident, value: &Expr, errors: &Diagnostics) -> syn::Result<()> {
        let given = name.to_string();
        let (slot, limit) = match given.as_str() {
            "cost" => (&mut self.cost, parse_cost(value)?),
            "tokens" => (&mut self.tokens, parse_count(value, &given, 200_000)?),
            "model_calls" => (&mut self.model_calls, parse_count(value, &given, 30)?),
            "skill_calls" => (&mut self.skill_calls, parse_count(value, &given, 100)?),
            "duration" => (&mut self.duration, parse_duration(value)?),
            _ => return Err(syn::Error::new(name.span(), unknown_limit_message(&given))),
        };
        slot.set(&given, name, limit, errors);
        Ok(())
    }
}

fn list_limits() -> String {
    format!("`{}`", LIMITS.join("`, `"))
}

fn unknown_limit_message(given: &str) -> String {
    match find_nearest_name(given, LIMITS.into_iter()) {
        Some(name) => format!("unknown limit `{given}`; did you mean `{name}`?"),
        None => format!("unknown limit `{given}`; expected {}", list_limits()),
    }
}

/// Parses a number of tokens or calls.
fn parse_count(value: &Expr, name: &str, example: u32) -> syn::Result<u64> {
    let number = match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.suffix().is_empty() => {
            LitInt::base10_parse::<u64>(number).ok()
        }
        _ => None,
    };
    let rule = match number {
        Some(0) => format!("a limit of 0 allows nothing; write a number above 0, as in `{name} = {example}`"),
        Some(number) => return Ok(number),
        None => {
            let given = value.to_token_stream();
            format!("`{name}` takes a whole number, not `{given}`; write one, as in `{name} = {example}`")
        }
    };
    Err(syn::Error::new_spanned(value, rule))
}

/// Parses an amount of dollars into billionths.
fn parse_cost(value: &Expr) -> syn::Result<u64> {
    let rule = |given: &str| {
        let rule = format!(
            "`cost` takes US dollars above 0 as text, with at most nine decimals, not `{given}`; write it as in \
             `cost = \"0.50\"`"
        );
        syn::Error::new_spanned(value, rule)
    };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value else {
        return Err(rule(&value.to_token_stream().to_string()));
    };
    parse_dollars(&text.value()).ok_or_else(|| rule(&text.value()))
}

fn parse_dollars(text: &str) -> Option<u64> {
    const MOST: u64 = 1_000_000_000_000_000;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(decimals) || decimals.len() > 9 {
        return None;
    }
    let nanos = format!("{whole}{decimals:0<9}").parse::<u64>().ok()?;
    (1..=MOST).contains(&nanos).then_some(nanos)
}

fn parse_duration(value: &Expr) -> syn::Result<u64> {
    let rule = |given: &str| {
        let rule = format!(
            "`duration` takes a duration above 0 in `ms`, `s`, `m` or `h` as text, not `{given}`; write it as in \
             `duration = \"5m\"`"
        );
        syn::Error::new_spanned(value, rule)
    };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value else {
        return Err(rule(&value.to_token_stream().to_string()));
    };
    let text = text.value();
    // Hours are no unit of a latency, so they are known here only.
    let hours = text.strip_suffix('h').and_then(|number| parse_nanos(&format!("{number}m"))?.checked_mul(60));
    parse_nanos(&text).or(hours).ok_or_else(|| rule(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact_to_the_nano() {
        assert_eq!(parse_dollars("0.50"), Some(500_000_000));
        assert_eq!(parse_dollars("12"), Some(12_000_000_000));
        assert_eq!(parse_dollars("0.000000001"), Some(1));
        for wrong in ["0", "0.0", "", ".5", "5.", "-1", "+1", "1e3", "$1", "1,5", "0.0000000001", "1000001"] {
            assert_eq!(parse_dollars(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_duration_may_be_in_hours() {
        let parse = |text: &str| parse_duration(&syn::parse_quote!(#text)).ok();
        assert_eq!(parse("5m"), Some(300_000_000_000));
        assert_eq!(parse("1.5h"), Some(5_400_000_000_000));
        for wrong in ["5", "0s", "h", "5d", "-1h", "5 m"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

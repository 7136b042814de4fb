//! The parser of each option's value. The table of options names them.
//!
//! A parser consumes its option's tokens even if the value is wrong, and notes that error: the next option is then read from its
//! own start. An `Err` means that the tokens could not be consumed; the caller then skips to the next comma.

use std::iter;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Token};

use super::budget::Budget;
use super::field::Field;
use super::objective::Objective;
use super::options::{Id, Options};
use super::record;
use super::slot::Slot;
use crate::diagnostics::Diagnostics;

/// The levels as the user writes them, and as the runtime's `Level` calls them.
const LEVELS: [(&str, &str); 5] =
    [("trace", "TRACE"), ("debug", "DEBUG"), ("info", "INFO"), ("warn", "WARN"), ("error", "ERROR")];

/// An option to be parsed.
pub(crate) struct Argument<'a> {
    pub(crate) name: &'a Ident,
    /// The tokens after the name, and those of the options that follow.
    pub(crate) input: ParseStream<'a>,
    pub(crate) errors: &'a Diagnostics,
}

impl Argument<'_> {
    /// Sets the option to its value.
    fn set<T>(&self, slot: &mut Slot<T>, value: T) {
        slot.set(&self.name.to_string(), self.name, value, self.errors);
    }

    /// Parses the value, from the `=` on.
    fn parse_value(&self, usage: &str) -> syn::Result<Expr> {
        let Self { name, input, .. } = self;
        if !input.peek(Token![=]) {
            return Err(syn::Error::new(name.span(), format_args!("`{name}` needs a value; write {usage}")));
        }
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new_spanned(
                equals,
                format_args!("`{name}` needs a value; write {usage}"),
            ));
        }
        // The error is reported at all tokens up to the next comma, since `syn` reports it at the first one that does not fit,
        // which may be the attribute's end.
        let ahead = input.fork();
        input.parse().map(ungroup_expr).map_err(|_| {
            let given: TokenStream = iter::from_fn(|| ahead.parse::<TokenTree>().ok())
                .take_while(|token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','))
                .collect();
            syn::Error::new_spanned(
                given,
                format_args!("the value of `{name}` is not an expression; write {usage}"),
            )
        })
    }

    /// Parses a literal or any other expression that gives a text.
    fn parse_text(&self, usage: &str) -> syn::Result<Id> {
        Ok(match self.parse_value(usage)? {
            Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => Id::Literal(literal),
            expr => Id::Expr(Box::new(expr)),
        })
    }

    fn parse_string(&self, usage: &str) -> syn::Result<LitStr> {
        match self.parse_value(usage)? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text),
            other => Err(syn::Error::new_spanned(
                other,
                format_args!("`{}` takes a string literal; write {usage}", self.name),
            )),
        }
    }
}

/// Unwraps the invisible group around a fragment of `macro_rules!`, such as an `$id:expr`, so that a literal in it is one.
fn ungroup_expr(mut expr: Expr) -> Expr {
    while let Expr::Group(group) = expr {
        expr = *group.expr;
    }
    expr
}

pub(crate) fn parse_id(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let id = argument.parse_text("`id = expr`")?;
    argument.set(&mut options.id, id);
    Ok(())
}

pub(crate) fn parse_provider(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let provider = argument.parse_text("`provider = \"openai\"`")?;
    argument.set(&mut options.provider, provider);
    Ok(())
}

pub(crate) fn parse_model(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let model = argument.parse_text("`model = expr`")?;
    argument.set(&mut options.model, model);
    Ok(())
}

pub(crate) fn parse_usage(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let usage = argument.parse_value("`usage = path`, where `path` is a `fn(&T) -> Option<Usage>`")?;
    argument.set(&mut options.usage, usage);
    Ok(())
}

pub(crate) fn parse_prefix(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let prefix: LitStr = argument.parse_string("`prefix = \"users\"`")?;
    if prefix.value().is_empty() {
        argument.errors.error(
            &prefix,
            "a prefix cannot be empty; leave `prefix` out to have the ids begin with the type",
        );
    }
    argument.set(&mut options.prefix, prefix);
    Ok(())
}

pub(crate) fn parse_operation(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let operation: LitStr = argument.parse_string("`operation = \"select\"`")?;
    if operation.value().is_empty() {
        argument.errors.error(
            &operation,
            "an operation cannot be empty; write \"select\", \"insert\" or a word of your own, or leave `operation` \
             out to have it read from the SQL",
        );
    }
    argument.set(&mut options.operation, operation);
    Ok(())
}

pub(crate) fn parse_model_operation(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let operation: LitStr = argument.parse_string("`operation = \"embeddings\"`")?;
    if operation.value().is_empty() {
        argument.errors.error(
            &operation,
            "an operation cannot be empty; write \"embeddings\", \"text_completion\" or a word of your own, or leave \
             `operation` out for \"chat\"",
        );
    }
    argument.set(&mut options.operation, operation);
    Ok(())
}

pub(crate) fn parse_level(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let given = argument.parse_string("`level = \"debug\"`")?;
    let text = given.value();
    if let Some((_, level)) = LEVELS.iter().find(|(level, _)| text.eq_ignore_ascii_case(level)) {
        argument.set(&mut options.level, level);
    } else {
        let expected = "expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\"";
        argument.errors.error(given, format_args!("unknown level \"{text}\"; {expected}"));
    }
    Ok(())
}

pub(crate) fn parse_error_if(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let predicate = argument.parse_value("`error_if = path`, where `path` is a `fn(&R) -> bool`")?;
    argument.set(&mut options.error_if, predicate);
    Ok(())
}

pub(crate) fn parse_ok_if(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let predicate = argument.parse_value("`ok_if = path`, where `path` is a `fn(&R) -> bool`")?;
    argument.set(&mut options.ok_if, predicate);
    Ok(())
}

pub(crate) fn parse_log_errors(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let expected = "expected `false`, `true`, \"warn\" or \"error\"";
    let given: Expr = argument.parse_value("`log_errors = false`")?;
    let level = match &given {
        Expr::Lit(ExprLit { lit: Lit::Bool(is_on), .. }) => Some(if is_on.value { "Error" } else { "Off" }),
        Expr::Lit(ExprLit { lit: Lit::Str(level), .. }) => match level.value().as_str() {
            "error" => Some("Error"),
            "warn" => Some("Warn"),
            _ => None,
        },
        _ => None,
    };
    match level {
        Some(level) => argument.set(&mut options.log_errors, level),
        None => argument
            .errors
            .error(&given, format_args!("`log_errors` cannot be `{}`; {expected}", given.to_token_stream())),
    }
    Ok(())
}

pub(crate) fn parse_stream(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    if argument.input.peek(Token![=]) {
        return Err(argument.input.error("`stream` takes no value; write `stream` alone, or leave it out"));
    }
    argument.set(&mut options.stream, ());
    Ok(())
}

pub(crate) fn parse_crate(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    match argument.parse_value("`crate = path::to::monitor_runtime`")? {
        Expr::Path(path) if path.qself.is_none() => argument.set(&mut options.krate, path.path),
        other => {
            argument.errors.error(other, "`crate` takes a path; write `crate = path::to::monitor_runtime`");
        }
    }
    Ok(())
}

pub(crate) fn parse_fields(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    if !argument.input.peek(syn::token::Paren) {
        return Err(syn::Error::new(
            argument.name.span(),
            "`fields` needs a list; write `fields(name = expr, …)`",
        ));
    }
    let content;
    syn::parenthesized!(content in argument.input);
    let fields = content.call(Punctuated::<Field, Token![,]>::parse_terminated);
    if let Err(error) = fields {
        // Tokens that stay unread would be a second error at the same place.
        content.parse::<TokenStream>()?;
        return Err(syn::Error::new(
            error.span(),
            "expected a field: `name`, `name = expr`, `name = %expr` or `name = ?expr`",
        ));
    }
    argument.set(&mut options.fields, fields?.into_iter().collect());
    Ok(())
}

pub(crate) fn parse_budget(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let budget = Budget::parse(argument.name, argument.input, argument.errors)?;
    argument.set(&mut options.budget, budget);
    Ok(())
}

pub(crate) fn parse_repeats(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    const USAGE: &str = "`repeats(query, limit)`";
    let Argument { name, input, errors } = argument;
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(
            name.span(),
            format_args!("`repeats` needs the arguments that it compares; write {USAGE}"),
        ));
    }
    let content;
    syn::parenthesized!(content in input);
    let compared = content.call(Punctuated::<Expr, Token![,]>::parse_terminated);
    if let Err(error) = compared {
        // Tokens that stay unread would be a second error at the same place.
        content.parse::<TokenStream>()?;
        return Err(syn::Error::new(error.span(), format_args!("expected an expression; write {USAGE}")));
    }
    let compared: Vec<_> = compared?.into_iter().map(ungroup_expr).collect();
    if compared.is_empty() {
        errors.error(name, format_args!("`repeats` compares no argument; name some, as in {USAGE}"));
    }
    argument.set(&mut options.repeats, compared);
    Ok(())
}

pub(crate) fn parse_record(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let recorded = record::parse(argument.name, argument.input, argument.errors)?;
    argument.set(&mut options.record, recorded);
    Ok(())
}

pub(crate) fn parse_objective(options: &mut Options, argument: &Argument<'_>) -> syn::Result<()> {
    let objective = Objective::parse(argument.name, argument.input, argument.errors)?;
    argument.set(&mut options.objective, objective);
    Ok(())
}

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

use super::field::Field;
use super::objective::Objective;
use super::options::{Id, Options};
use crate::diagnostics::Diagnostics;

/// The levels as the user writes them, and as the runtime's `Level` calls them.
const LEVELS: [(&str, &str); 5] =
    [("trace", "TRACE"), ("debug", "DEBUG"), ("info", "INFO"), ("warn", "WARN"), ("error", "ERROR")];

/// Parses the value after `name`, from the `=` on.
fn parse_value(name: &Ident, input: ParseStream<'_>, usage: &str) -> syn::Result<Expr> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(name.span(), format_args!("`{name}` needs a value; write {usage}")));
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new_spanned(equals, format_args!("`{name}` needs a value; write {usage}")));
    }
    // The error is reported at all tokens up to the next comma, since `syn` reports it at the first one that does not fit, which
    // may be the attribute's end.
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

/// Unwraps the invisible group around a fragment of `macro_rules!`, such as an `$id:expr`, so that a literal in it is one.
fn ungroup_expr(mut expr: Expr) -> Expr {
    while let Expr::Group(group) = expr {
        expr = *group.expr;
    }
    expr
}

pub(crate) fn parse_id(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let id = match parse_value(name, input, "`id = expr`")? {
        Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => Id::Literal(literal),
        expr => Id::Expr(Box::new(expr)),
    };
    options.id.set("id", name, id, errors);
    Ok(())
}

pub(crate) fn parse_operation(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let operation: LitStr = parse_string(name, input, "`operation = \"select\"`")?;
    if operation.value().is_empty() {
        errors.error(
            &operation,
            "an operation cannot be empty; write \"select\", \"insert\" or a word of your own, or leave `operation` \
             out to have it read from the SQL",
        );
    }
    options.operation.set("operation", name, operation, errors);
    Ok(())
}

pub(crate) fn parse_level(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let given = parse_string(name, input, "`level = \"debug\"`")?;
    let text = given.value();
    if let Some((_, level)) = LEVELS.iter().find(|(level, _)| text.eq_ignore_ascii_case(level)) {
        options.level.set("level", name, level, errors);
    } else {
        let expected = "expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\"";
        errors.error(given, format_args!("unknown level \"{text}\"; {expected}"));
    }
    Ok(())
}

pub(crate) fn parse_error_if(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let predicate = parse_value(name, input, "`error_if = path`, where `path` is a `fn(&R) -> bool`")?;
    options.error_if.set("error_if", name, predicate, errors);
    Ok(())
}

pub(crate) fn parse_ok_if(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let predicate = parse_value(name, input, "`ok_if = path`, where `path` is a `fn(&R) -> bool`")?;
    options.ok_if.set("ok_if", name, predicate, errors);
    Ok(())
}

pub(crate) fn parse_log_errors(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let expected = "expected `false`, `true`, \"warn\" or \"error\"";
    let given: Expr = parse_value(name, input, "`log_errors = false`")?;
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
        Some(level) => options.log_errors.set("log_errors", name, level, errors),
        None => errors
            .error(&given, format_args!("`log_errors` cannot be `{}`; {expected}", given.to_token_stream())),
    }
    Ok(())
}

pub(crate) fn parse_stream(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    if input.peek(Token![=]) {
        return Err(input.error("`stream` takes no value; write `stream` alone, or leave it out"));
    }
    options.stream.set("stream", name, (), errors);
    Ok(())
}

pub(crate) fn parse_crate(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    match parse_value(name, input, "`crate = path::to::monitor_runtime`")? {
        Expr::Path(path) if path.qself.is_none() => options.krate.set("crate", name, path.path, errors),
        other => errors.error(other, "`crate` takes a path; write `crate = path::to::monitor_runtime`"),
    }
    Ok(())
}

fn parse_string(name: &Ident, input: ParseStream<'_>, usage: &str) -> syn::Result<LitStr> {
    match parse_value(name, input, usage)? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text),
        other => Err(syn::Error::new_spanned(
            other,
            format_args!("`{name}` takes a string literal; write {usage}"),
        )),
    }
}

pub(crate) fn parse_fields(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(name.span(), "`fields` needs a list; write `fields(name = expr, …)`"));
    }
    let content;
    syn::parenthesized!(content in input);
    let fields = content.call(Punctuated::<Field, Token![,]>::parse_terminated);
    if let Err(error) = fields {
        // Tokens that stay unread would be a second error at the same place.
        content.parse::<TokenStream>()?;
        return Err(syn::Error::new(
            error.span(),
            "expected a field: `name`, `name = expr`, `name = %expr` or `name = ?expr`",
        ));
    }
    options.fields.set("fields", name, fields?.into_iter().collect(), errors);
    Ok(())
}

pub(crate) fn parse_objective(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let objective = Objective::parse(name, input, errors)?;
    options.objective.set("objective", name, objective, errors);
    Ok(())
}

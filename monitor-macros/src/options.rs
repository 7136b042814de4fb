//! The grammar of an attribute's arguments: one table, read by the parser and by its messages.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path, Token};

use crate::diagnostics::{Diagnostics, nearest};
use crate::kind::Kind;
use crate::slot::Slot;

/// An attribute's arguments as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) id: Slot<Id>,
    pub(crate) operation: Slot<LitStr>,
    pub(crate) fields: Slot<Vec<Field>>,
    pub(crate) level: Slot<&'static str>,
    pub(crate) error_if: Slot<Expr>,
    pub(crate) ok_if: Slot<Expr>,
    pub(crate) log_errors: Slot<&'static str>,
    pub(crate) stream: Slot<()>,
    pub(crate) krate: Slot<Path>,
}

/// Where the id comes from.
#[derive(Clone, Debug)]
pub(crate) enum Id {
    Literal(LitStr),
    Expr(Box<Expr>),
}

/// One of `fields(…)`.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) name_tokens: TokenStream,
    pub(crate) form: Form,
    pub(crate) value: Expr,
}

/// How a field's value is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Value,
    Display,
    Debug,
}

/// One row of the grammar.
struct Row {
    name: &'static str,
    kinds: &'static [Kind],
    usage: &'static str,
    parse: fn(&mut Options, &Ident, ParseStream<'_>, &Diagnostics) -> syn::Result<()>,
}

const GRAMMAR: &[Row] = &[
    Row { name: "id", kinds: Kind::ALL, usage: "`id = expr`", parse: parse_id },
    Row {
        name: "operation",
        kinds: &[Kind::Query],
        usage: "`operation = \"select\"`",
        parse: parse_operation,
    },
    Row { name: "fields", kinds: Kind::ALL, usage: "`fields(name = expr, …)`", parse: parse_fields },
    Row { name: "level", kinds: Kind::ALL, usage: "`level = \"debug\"`", parse: parse_level },
    Row { name: "error_if", kinds: Kind::ALL, usage: "`error_if = path`", parse: parse_error_if },
    Row { name: "ok_if", kinds: Kind::ALL, usage: "`ok_if = path`", parse: parse_ok_if },
    Row { name: "log_errors", kinds: Kind::ALL, usage: "`log_errors = false`", parse: parse_log_errors },
    Row { name: "stream", kinds: Kind::ALL, usage: "`stream`", parse: parse_stream },
    Row { name: "crate", kinds: Kind::ALL, usage: "`crate = path`", parse: parse_crate },
];

const LEVELS: [(&str, &str); 5] =
    [("trace", "TRACE"), ("debug", "DEBUG"), ("info", "INFO"), ("warn", "WARN"), ("error", "ERROR")];

impl Options {
    /// Parses all arguments; a wrong one is noted and skipped, so that the others are checked as well.
    pub(crate) fn parse(kind: Kind, arguments: TokenStream, errors: &Diagnostics) -> Self {
        let mut options = Self::default();
        let parser = |input: ParseStream<'_>| {
            let mut is_first = true;
            while !input.is_empty() {
                if let Err(error) = options.argument(kind, input, is_first, errors) {
                    errors.push(error);
                    skip_argument(input)?;
                }
                is_first = false;
                if !input.is_empty() {
                    if let Err(error) = input.parse::<Token![,]>() {
                        errors.push(syn::Error::new(error.span(), "expected `,` between two arguments"));
                        skip_argument(input)?;
                        input.parse::<Option<Token![,]>>()?;
                    }
                }
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(arguments) {
            errors.push(error);
        }
        options
    }

    fn argument(
        &mut self,
        kind: Kind,
        input: ParseStream<'_>,
        is_first: bool,
        errors: &Diagnostics,
    ) -> syn::Result<()> {
        if input.peek(Lit) {
            return self.literal(input.parse()?, is_first, errors);
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format_args!("expected an id or an option: {}", usages(kind))));
        }
        let name = input.call(Ident::parse_any)?;
        let Some(row) = GRAMMAR.iter().find(|row| name == row.name) else {
            return Err(syn::Error::new(name.span(), unknown(kind, &name.to_string())));
        };
        if !row.kinds.contains(&kind) {
            let only: Vec<_> = row.kinds.iter().map(|kind| format!("`{}`", kind.attribute())).collect();
            errors.error(&name, format_args!("`{name}` fits {} only; remove it here", only.join(", ")));
        }
        (row.parse)(self, &name, input, errors)
    }

    fn literal(&mut self, literal: Lit, is_first: bool, errors: &Diagnostics) -> syn::Result<()> {
        let Lit::Str(id) = literal else {
            return Err(syn::Error::new_spanned(literal, "an id is a string literal, such as \"planner\""));
        };
        if is_first {
            self.id.set("id", &id, Id::Literal(id.clone()), errors);
            Ok(())
        } else {
            Err(syn::Error::new_spanned(
                id,
                "a literal id comes first; write `id = \"…\"` in any other place",
            ))
        }
    }

    /// Takes over what a method's own attribute leaves open from the attribute on its block.
    pub(crate) fn or(&mut self, block: &Self) {
        self.operation.or(&block.operation);
        self.fields.or(&block.fields);
        self.level.or(&block.level);
        self.log_errors.or(&block.log_errors);
        self.krate.or(&block.krate);
        if self.error_if.get().is_none() && self.ok_if.get().is_none() {
            self.error_if.or(&block.error_if);
            self.ok_if.or(&block.ok_if);
        }
    }
}

fn unknown(kind: Kind, given: &str) -> String {
    let names = GRAMMAR.iter().filter(|row| row.kinds.contains(&kind)).map(|row| row.name);
    match nearest(given, names) {
        Some(name) => format!("unknown argument `{given}`; did you mean `{name}`?"),
        None => format!("unknown argument `{given}`; expected a literal id, {}", usages(kind)),
    }
}

/// What an attribute takes, in the order of the table.
fn usages(kind: Kind) -> String {
    let usages: Vec<_> =
        GRAMMAR.iter().filter(|row| row.kinds.contains(&kind)).map(|row| row.usage).collect();
    usages.join(", ")
}

/// Goes on to the next comma.
fn skip_argument(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// Parses the value after `name =`.
fn value<T: Parse>(name: &Ident, input: ParseStream<'_>, usage: &str) -> syn::Result<T> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(name.span(), format_args!("`{name}` needs a value: {usage}")));
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new_spanned(equals, format_args!("`{name}` needs a value: {usage}")));
    }
    input.parse()
}

fn parse_id(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let id = match value(name, input, "`id = expr`")? {
        Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => Id::Literal(literal),
        expr => Id::Expr(Box::new(expr)),
    };
    options.id.set("id", name, id, errors);
    Ok(())
}

fn parse_operation(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let operation: LitStr = string(name, input, "`operation = \"select\"`")?;
    if operation.value().is_empty() {
        errors.error(
            &operation,
            "an operation must not be empty; expected \"select\", \"insert\" or a word of yours",
        );
    }
    options.operation.set("operation", name, operation, errors);
    Ok(())
}

fn parse_level(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let given = string(name, input, "`level = \"debug\"`")?;
    let text = given.value();
    match LEVELS.iter().find(|(level, _)| text.eq_ignore_ascii_case(level)) {
        Some((_, level)) => options.level.set("level", name, level, errors),
        None => {
            let expected = "expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\"";
            errors.error(given, format_args!("unknown level \"{text}\"; {expected}"));
        }
    }
    Ok(())
}

fn parse_error_if(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let predicate = value(name, input, "`error_if = path`, a `fn(&R) -> bool`")?;
    options.error_if.set("error_if", name, predicate, errors);
    Ok(())
}

fn parse_ok_if(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let predicate = value(name, input, "`ok_if = path`, a `fn(&R) -> bool`")?;
    options.ok_if.set("ok_if", name, predicate, errors);
    Ok(())
}

fn parse_log_errors(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let expected = "expected `false`, `true`, \"warn\" or \"error\"";
    let given: Expr = value(name, input, "`log_errors = false`")?;
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

#[expect(clippy::unnecessary_wraps, reason = "the table holds parsers of one type")]
fn parse_stream(
    options: &mut Options,
    name: &Ident,
    _: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    options.stream.set("stream", name, (), errors);
    Ok(())
}

fn parse_crate(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let path = value(name, input, "`crate = path::to::monitor_runtime`")?;
    options.krate.set("crate", name, path, errors);
    Ok(())
}

fn string(name: &Ident, input: ParseStream<'_>, usage: &str) -> syn::Result<LitStr> {
    match value(name, input, usage)? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text),
        other => {
            Err(syn::Error::new_spanned(other, format_args!("`{name}` takes a string literal: {usage}")))
        }
    }
}

fn parse_fields(
    options: &mut Options,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &Diagnostics,
) -> syn::Result<()> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(name.span(), "`fields` needs a list: `fields(name = expr, …)`"));
    }
    let content;
    syn::parenthesized!(content in input);
    let fields = content.call(Punctuated::<Field, Token![,]>::parse_terminated)?;
    options.fields.set("fields", name, fields.into_iter().collect(), errors);
    Ok(())
}

impl Parse for Field {
    /// `name = expr`, `name = %expr`, `name = ?expr`, or a variable on its own: `name`, `%name`, `?name`.
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let shorthand = Form::parse(input)?;
        let path = Punctuated::<Ident, Token![.]>::parse_separated_nonempty_with(input, Ident::parse_any)?;
        let name = path.iter().map(|part| part.unraw().to_string()).collect::<Vec<_>>().join(".");
        let name_tokens = path.to_token_stream();
        if !input.peek(Token![=]) {
            let value = syn::parse2(name_tokens.clone())?;
            return Ok(Self { name, name_tokens, form: shorthand.unwrap_or(Form::Value), value });
        }
        input.parse::<Token![=]>()?;
        let form = Form::parse(input)?.or(shorthand).unwrap_or(Form::Value);
        Ok(Self { name, name_tokens, form, value: input.parse()? })
    }
}

impl Form {
    fn parse(input: ParseStream<'_>) -> syn::Result<Option<Self>> {
        if input.parse::<Option<Token![%]>>()?.is_some() {
            return Ok(Some(Self::Display));
        }
        Ok(input.parse::<Option<Token![?]>>()?.map(|_| Self::Debug))
    }
}

//! The grammar of an attribute's arguments: one table, which the parser and its error messages read.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, Lit, Token};

use super::arguments::{self, Argument};
use super::options::{Id, Options};
use crate::diagnostics::{Diagnostics, find_nearest_name};
use crate::kind::Kind;

/// One option: the attributes that take it, how to write it, and the parser of its value.
struct Row {
    name: &'static str,
    kinds: &'static [Kind],
    usage: &'static str,
    parse: fn(&mut Options, &Argument<'_>) -> syn::Result<()>,
}

const GRAMMAR: &[Row] = &[
    Row { name: "id", kinds: Kind::ALL, usage: "`id = expr`", parse: arguments::parse_id },
    Row { name: "prefix", kinds: Kind::ALL, usage: "`prefix = \"users\"`", parse: arguments::parse_prefix },
    Row {
        name: "operation",
        kinds: &[Kind::Query],
        usage: "`operation = \"select\"`",
        parse: arguments::parse_operation,
    },
    Row {
        name: "fields",
        kinds: Kind::ALL,
        usage: "`fields(name = expr, …)`",
        parse: arguments::parse_fields,
    },
    Row { name: "level", kinds: Kind::ALL, usage: "`level = \"debug\"`", parse: arguments::parse_level },
    Row { name: "error_if", kinds: Kind::ALL, usage: "`error_if = path`", parse: arguments::parse_error_if },
    Row { name: "ok_if", kinds: Kind::ALL, usage: "`ok_if = path`", parse: arguments::parse_ok_if },
    Row {
        name: "log_errors",
        kinds: Kind::ALL,
        usage: "`log_errors = false`",
        parse: arguments::parse_log_errors,
    },
    Row {
        name: "objective",
        kinds: &[Kind::Agent, Kind::Skill],
        usage: "`objective(success = 99.5, …)`",
        parse: arguments::parse_objective,
    },
    Row { name: "stream", kinds: Kind::ALL, usage: "`stream`", parse: arguments::parse_stream },
    Row { name: "crate", kinds: Kind::ALL, usage: "`crate = path`", parse: arguments::parse_crate },
];

/// Arguments of other crates' attributes, such as `tracing::instrument`, with advice on each.
const FOREIGN_ARGUMENTS: &[(&[&str], &str)] = &[
    (&["name"], "did you mean `id`?"),
    (&["properties", "variables", "labels"], "did you mean `fields`?"),
    (&["skip", "skip_all"], "remove it, since only the parameters that `fields(…)` names are recorded"),
    (&["err", "error"], "remove it, since an `Err` is logged by default; `log_errors = …` changes that"),
    (&["ret"], "remove it, and log the result inside the function"),
    (&["target"], "remove it, since the span's target is always the function's module"),
    (&["parent", "follows_from"], "remove it, since the span's parent is always the current span"),
    (&["enter_on_poll"], "remove it, since the span is entered at every poll"),
];

/// Parses all arguments. A wrong one is noted and skipped, so that the others are checked as well.
pub(crate) fn parse_options(kind: Kind, arguments: TokenStream, errors: &Diagnostics) -> Options {
    let mut options = Options::default();
    let parser = |input: ParseStream<'_>| {
        let mut is_first = true;
        while !input.is_empty() {
            if let Err(error) = parse_argument(&mut options, kind, input, is_first, errors) {
                errors.push(error);
                skip_argument(input)?;
            }
            is_first = false;
            if input.is_empty() {
                break;
            }
            if let Err(error) = input.parse::<Token![,]>() {
                errors.push(syn::Error::new(error.span(), "expected `,` between two arguments"));
                skip_argument(input)?;
                input.parse::<Option<Token![,]>>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(arguments) {
        errors.push(error);
    }
    options
}

fn parse_argument(
    options: &mut Options,
    kind: Kind,
    input: ParseStream<'_>,
    is_first: bool,
    errors: &Diagnostics,
) -> syn::Result<()> {
    if input.peek(Lit) {
        return parse_literal_id(options, input.parse()?, is_first, errors);
    }
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format_args!("expected an id or an option: {}", list_usages(kind))));
    }
    let name = input.call(Ident::parse_any)?;
    let Some(row) = GRAMMAR.iter().find(|row| name == row.name) else {
        return Err(syn::Error::new(name.span(), unknown_argument_message(kind, &name.to_string())));
    };
    if !row.kinds.contains(&kind) {
        let only: Vec<_> = row.kinds.iter().map(|kind| format!("`{}`", kind.attribute_name())).collect();
        errors.error(
            &name,
            format_args!("`{name}` is an option of {} only; remove it here", only.join(" and ")),
        );
    }
    (row.parse)(options, &Argument { name: &name, input, errors })
}

fn parse_literal_id(
    options: &mut Options,
    literal: Lit,
    is_first: bool,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let Lit::Str(id) = literal else {
        return Err(syn::Error::new_spanned(
            literal,
            "an id is text; write a string literal, such as \"planner\"",
        ));
    };
    if is_first {
        options.id.set("id", &id, Id::Literal(id.clone()), errors);
        Ok(())
    } else {
        Err(syn::Error::new_spanned(id, "a literal id comes first; write `id = \"…\"` anywhere else"))
    }
}

fn unknown_argument_message(kind: Kind, given: &str) -> String {
    let foreign = FOREIGN_ARGUMENTS.iter().find(|(names, _)| names.contains(&given));
    if let Some((_, advice)) = foreign {
        return format!("unknown argument `{given}`; {advice}");
    }
    let names = GRAMMAR.iter().filter(|row| row.kinds.contains(&kind)).map(|row| row.name);
    match find_nearest_name(given, names) {
        Some(name) => format!("unknown argument `{given}`; did you mean `{name}`?"),
        None => format!("unknown argument `{given}`; expected a literal id, {}", list_usages(kind)),
    }
}

/// Lists the options of an attribute in the order of the table.
fn list_usages(kind: Kind) -> String {
    let usages: Vec<_> =
        GRAMMAR.iter().filter(|row| row.kinds.contains(&kind)).map(|row| row.usage).collect();
    usages.join(", ")
}

/// Skips to the next comma, which stays.
fn skip_argument(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

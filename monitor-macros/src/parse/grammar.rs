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

/// The kinds whose id is a name of the user's own.
const NAMED: &[Kind] = &[Kind::Agent, Kind::Skill, Kind::Query];

/// A name may have several rows, for different kinds.
const GRAMMAR: &[Row] = &[
    Row { name: "id", kinds: NAMED, usage: "`id = expr`", parse: arguments::parse_id },
    Row { name: "prefix", kinds: NAMED, usage: "`prefix = \"users\"`", parse: arguments::parse_prefix },
    Row {
        name: "provider",
        kinds: &[Kind::Model],
        usage: "`provider = \"openai\"`",
        parse: arguments::parse_provider,
    },
    Row { name: "model", kinds: &[Kind::Model], usage: "`model = expr`", parse: arguments::parse_model },
    Row {
        name: "operation",
        kinds: &[Kind::Query],
        usage: "`operation = \"select\"`",
        parse: arguments::parse_operation,
    },
    Row {
        name: "operation",
        kinds: &[Kind::Model],
        usage: "`operation = \"embeddings\"`",
        parse: arguments::parse_model_operation,
    },
    Row { name: "usage", kinds: &[Kind::Model], usage: "`usage = path`", parse: arguments::parse_usage },
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
    Row {
        name: "budget",
        kinds: &[Kind::Agent],
        usage: "`budget(model_calls = 30, …)`",
        parse: arguments::parse_budget,
    },
    Row {
        name: "repeats",
        kinds: &[Kind::Skill, Kind::Model],
        usage: "`repeats(query, …)`",
        parse: arguments::parse_repeats,
    },
    Row {
        name: "record",
        kinds: Kind::ALL,
        usage: "`record(query, result)`",
        parse: arguments::parse_record,
    },
    Row { name: "stream", kinds: Kind::ALL, usage: "`stream`", parse: arguments::parse_stream },
    Row { name: "crate", kinds: Kind::ALL, usage: "`crate = path`", parse: arguments::parse_crate },
];

/// Arguments of other crates' attributes, such as `tracing::instrument`, with advice on each.
const FOREIGN_ARGUMENTS: &[(&[&str], &str)] = &[
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
        return parse_literal_id(options, kind, input.parse()?, is_first, errors);
    }
    if !input.peek(Ident::peek_any) {
        let (id, usages) = (kind.id_option(), list_usages(kind));
        let article = if id == "id" { "an" } else { "a" };
        return Err(input.error(format_args!("expected {article} {id} or an option: {usages}")));
    }
    let name = input.call(Ident::parse_any)?;
    let rows = || GRAMMAR.iter().filter(|row| name == row.name);
    let fitting = rows().find(|row| row.kinds.contains(&kind));
    let Some(row) = fitting.or_else(|| rows().next()) else {
        return Err(syn::Error::new(name.span(), unknown_argument_message(kind, &name.to_string())));
    };
    if fitting.is_none() {
        errors.error(&name, wrong_kind_message(kind, row.name));
    }
    (row.parse)(options, &Argument { name: &name, input, errors })
}

/// The message for an option of other attributes.
fn wrong_kind_message(kind: Kind, option: &str) -> String {
    if option == "id" {
        return format!(
            "`id` is not an option of `{}`; write `{} = …`",
            kind.attribute_name(),
            kind.id_option()
        );
    }
    let fits = |kind: Kind| GRAMMAR.iter().any(|row| row.name == option && row.kinds.contains(&kind));
    let fitting = Kind::ALL.iter().copied().filter(|kind| fits(*kind));
    let only: Vec<_> = fitting.map(|kind| format!("`{}`", kind.attribute_name())).collect();
    let only = match only.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => only.concat(),
    };
    format!("`{option}` is an option of {only} only; remove it here")
}

fn parse_literal_id(
    options: &mut Options,
    kind: Kind,
    literal: Lit,
    is_first: bool,
    errors: &Diagnostics,
) -> syn::Result<()> {
    let is_model = kind == Kind::Model;
    let Lit::Str(id) = literal else {
        let rule = if is_model {
            "a model is text; write a string literal, such as \"gpt-5\""
        } else {
            "an id is text; write a string literal, such as \"planner\""
        };
        return Err(syn::Error::new_spanned(literal, rule));
    };
    let name = kind.id_option();
    if is_first {
        let slot = if is_model { &mut options.model } else { &mut options.id };
        slot.set(name, &id, Id::Literal(id.clone()), errors);
        Ok(())
    } else {
        // It is set all the same, so that it is not reported as missing too.
        if is_model && options.model.get().is_none() {
            options.model.set(name, &id, Id::Literal(id.clone()), errors);
        }
        let rule = format!("a literal {name} comes first; write `{name} = \"…\"` anywhere else");
        Err(syn::Error::new_spanned(id, rule))
    }
}

fn unknown_argument_message(kind: Kind, given: &str) -> String {
    if given == "name" {
        return format!("unknown argument `name`; did you mean `{}`?", kind.id_option());
    }
    let foreign = FOREIGN_ARGUMENTS.iter().find(|(names, _)| names.contains(&given));
    if let Some((_, advice)) = foreign {
        return format!("unknown argument `{given}`; {advice}");
    }
    let names = GRAMMAR.iter().filter(|row| row.kinds.contains(&kind)).map(|row| row.name);
    if let Some(name) = find_nearest_name(given, names) {
        return format!("unknown argument `{given}`; did you mean `{name}`?");
    }
    let (id, usages) = (kind.id_option(), list_usages(kind));
    format!("unknown argument `{given}`; expected a literal {id}, {usages}")
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

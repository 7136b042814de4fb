//! A tracked function as meant: every argument checked against the function and given its default.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Expr, ReturnType, Signature, Type, visit_mut};

use super::operation::infer_operation;
use super::parameters::parameter_names;
use super::return_type;
use super::shape::Shape;
use crate::diagnostics::{Diagnostics, locate_at};
use crate::kind::Kind;
use crate::parse::field::Field;
use crate::parse::function::Function;
use crate::parse::objective::Objective;
use crate::parse::options::{Id, Options};

/// Longer ids would be recorded under the overflow value.
const MAX_ID_BYTES: usize = 256;

/// The validated model of one tracked function.
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    /// Where emitted code finds what it names.
    pub(crate) runtime: TokenStream,
    pub(crate) id: Id,
    /// What stands for the function where its id is an expression.
    pub(crate) default_id: String,
    pub(crate) operation: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) level: &'static str,
    pub(crate) outcome_rule: OutcomeRule,
    pub(crate) error_log: &'static str,
    pub(crate) objective: Option<Objective>,
    pub(crate) shape: Shape,
    /// The type that only the option `stream` says to be a stream, at the place of that option.
    pub(crate) declared_stream: Option<TokenStream>,
    /// The type that may be a stream, as a macro writes it.
    pub(crate) stream_macro: Option<Type>,
    /// The type of the body, `_` for what only the compiler can name; `None` where nothing can be said.
    pub(crate) body_type: Option<Type>,
    /// What its `impl Future` gives or its `impl Stream` yields.
    pub(crate) judged: JudgedType,
    /// It is declared to return `!`.
    pub(crate) diverges: bool,
}

/// What the return type says of the result.
pub(crate) enum JudgedType {
    Known(Type),
    /// With `_` for what only the compiler can name; all of it, where nothing is said.
    Partial(Type),
}

/// Who decides between success and error.
pub(crate) enum OutcomeRule {
    ByType,
    ErrorIf(Expr),
    OkIf(Expr),
}

impl Spec {
    /// Checks everything; each broken rule is noted, none stops the others.
    pub(crate) fn new(
        kind: Kind,
        options: &Options,
        function: &Function,
        type_name: Option<&str>,
        errors: &Diagnostics,
    ) -> Self {
        check_signature(function, errors);
        let name = function.signature.ident.unraw().to_string();
        let default_id = type_name.map_or_else(|| name.clone(), |type_name| format!("{type_name}::{name}"));
        let id = resolve_id(options, &default_id, function, errors);
        let fields = options.fields.get().cloned().unwrap_or_default();
        check_fields(kind, &fields, errors);
        check_shorthand_fields(&fields, &function.signature, errors);
        Self {
            kind,
            runtime: resolve_runtime(options),
            id,
            default_id,
            operation: resolve_operation(kind, options, function),
            fields,
            level: options.level.get().copied().unwrap_or("INFO"),
            outcome_rule: resolve_outcome_rule(options, errors),
            error_log: options.log_errors.get().copied().unwrap_or("Error"),
            objective: options.objective.get().cloned(),
            shape: resolve_shape(options, function, errors),
            declared_stream: resolve_declared_stream(options, &function.signature.output),
            stream_macro: resolve_stream_macro(&function.signature.output),
            body_type: resolve_body_type(&function.signature),
            judged: resolve_judged_type(&function.signature.output),
            diverges: matches!(&function.signature.output, ReturnType::Type(_, declared) if matches!(**declared, Type::Never(_))),
        }
    }
}

fn resolve_runtime(options: &Options) -> TokenStream {
    // At the path, where the compiler reports that there is no such thing in it.
    let given = options.krate.get().map(|path| quote_spanned!(path.span()=> #path::private));
    given.unwrap_or_else(|| quote!(::monitor_runtime::private))
}

fn check_signature(function: &Function, errors: &Diagnostics) {
    if let Some(constness) = &function.signature.constness {
        errors.error(
            constness,
            "a `const fn` cannot be tracked, since it may run at compile time; remove `const`, or, in a tracked impl \
             block, leave the method out with `#[track(skip)]`",
        );
    }
}

fn resolve_id(options: &Options, default_id: &str, function: &Function, errors: &Diagnostics) -> Id {
    let Some(id) = options.id.get() else {
        return Id::Literal(syn::LitStr::new(default_id, function.signature.ident.span()));
    };
    if let Id::Literal(literal) = id {
        let length = literal.value().len();
        if length == 0 {
            errors.error(literal, "an id cannot be empty; leave it out to use the function's name");
        } else if length > MAX_ID_BYTES {
            errors.error(
                literal,
                format_args!("an id has at most {MAX_ID_BYTES} bytes, and this one has {length}; shorten it"),
            );
        }
    }
    id.clone()
}

fn check_fields(kind: Kind, fields: &[Field], errors: &Diagnostics) {
    for (at, field) in fields.iter().enumerate() {
        let name = &field.name;
        if name == kind.id_field() {
            errors.error(
                &field.name_tokens,
                format_args!("the field `{name}` already holds the id; set the id with `id = …`, or give this field another name"),
            );
        } else if fields[..at].iter().any(|earlier| earlier.name == *name) {
            errors.error(&field.name_tokens, format_args!("duplicate field `{name}`; remove one of the two"));
        }
    }
}

/// Refuses a field that is neither given a value nor an argument of the function: elsewhere, that is how a field is declared empty.
fn check_shorthand_fields(fields: &[Field], signature: &Signature, errors: &Diagnostics) {
    let Some(arguments) = parameter_names(signature) else { return };
    for field in fields {
        let Some(variable) = field.shorthand_variable() else { continue };
        // A constant, or the receiver, of which the compiler itself reports that there is none.
        let is_argument = variable.starts_with(char::is_uppercase)
            || ["self", "super", "crate"].contains(&variable)
            || arguments.iter().any(|argument| argument == variable);
        if !is_argument {
            errors.error(
                &field.name_tokens,
                format_args!(
                    "`{variable}` is not a parameter of the function; write `{0} = expr`, or `{0} = tracing::field::Empty` \
                     for a field that is recorded later",
                    field.name,
                ),
            );
        }
    }
}

fn resolve_operation(kind: Kind, options: &Options, function: &Function) -> String {
    match (kind, options.operation.get()) {
        (Kind::Agent | Kind::Skill, _) => String::new(),
        (Kind::Query, Some(given)) => given.value(),
        (Kind::Query, None) => infer_operation(&function.body).to_owned(),
    }
}

fn resolve_outcome_rule(options: &Options, errors: &Diagnostics) -> OutcomeRule {
    if let (Some(_), Some(token)) = (options.error_if.get(), options.ok_if.token()) {
        errors.error(token, "`ok_if` and `error_if` cannot be combined; keep one of the two");
    }
    match (options.error_if.get(), options.ok_if.get()) {
        (Some(predicate), _) => OutcomeRule::ErrorIf(predicate.clone()),
        (None, Some(predicate)) => OutcomeRule::OkIf(predicate.clone()),
        (None, None) => OutcomeRule::ByType,
    }
}

fn resolve_shape(options: &Options, function: &Function, errors: &Diagnostics) -> Shape {
    let is_judged = options.error_if.get().is_some() || options.ok_if.get().is_some();
    let shape = Shape::of_function(function, options.stream.get().is_some(), is_judged);
    let gives_no_stream = matches!(
        shape,
        Shape::Value | Shape::InPlace | Shape::Guarded | Shape::Async | Shape::Future | Shape::IntoFuture
    );
    if let Some(token) = options.stream.token().filter(|_| gives_no_stream) {
        errors.error(
            token,
            "`stream` needs a function that returns a stream, alone or as the `Ok` of a `Result`; remove it here",
        );
    }
    if let Some(opaque) = return_type::find_boxed_opaque(&function.signature) {
        errors.error(
            opaque,
            "the end of an opaque future or stream in a box cannot be seen; return the `impl …` without the box, or \
             box it as `dyn`",
        );
    }
    shape
}

fn resolve_declared_stream(options: &Options, output: &ReturnType) -> Option<TokenStream> {
    let place = options.stream.token()?.span();
    let ReturnType::Type(_, declared) = output else { return None };
    Some(locate_at(place, return_type::find_stream_alias(declared)?))
}

fn resolve_stream_macro(output: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, declared) = output else { return None };
    return_type::find_stream_macro(declared).cloned()
}

/// The declared type with each `impl Trait` left for the compiler to infer.
fn resolve_body_type(signature: &Signature) -> Option<Type> {
    let declared = match &signature.output {
        ReturnType::Default => syn::parse_quote_spanned!(signature.ident.span()=> ()),
        ReturnType::Type(_, declared) => infer_opaque_parts((**declared).clone()),
    };
    (!matches!(declared, Type::Infer(_) | Type::Never(_))).then_some(declared)
}

fn resolve_judged_type(output: &ReturnType) -> JudgedType {
    let judged = match output {
        ReturnType::Default => None,
        ReturnType::Type(_, declared) => return_type::find_judged_type(declared),
    };
    match judged {
        Some(known) if !return_type::is_partly_inferred(&known) => JudgedType::Known(known),
        Some(partial) => JudgedType::Partial(infer_opaque_parts(partial)),
        None => JudgedType::Partial(syn::parse_quote!(_)),
    }
}

fn infer_opaque_parts(mut declared: Type) -> Type {
    visit_mut::VisitMut::visit_type_mut(&mut InferOpaque, &mut declared);
    declared
}

/// Puts `_` in the place of each `impl Trait`.
struct InferOpaque;
impl visit_mut::VisitMut for InferOpaque {
    fn visit_type_mut(&mut self, part: &mut Type) {
        if matches!(part, Type::ImplTrait(_)) {
            *part = syn::parse_quote!(_);
        } else {
            visit_mut::visit_type_mut(self, part);
        }
    }
}

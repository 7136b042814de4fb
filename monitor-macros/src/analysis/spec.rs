//! The model of a tracked function: every option checked against the function, and with its default.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ReturnType, Signature, Type};

use super::operation::infer_operation;
use super::parameters::parameter_names;
use super::provider::find_missed_provider;
use super::return_type;
use super::shape::{Needs, Shape};
use crate::diagnostics::{Diagnostics, find_nearest_name, locate_at};
use crate::kind::Kind;
use crate::parse::budget::Budget;
use crate::parse::field::Field;
use crate::parse::function::Function;
use crate::parse::objective::Objective;
use crate::parse::options::{Id, Options};
use crate::parse::record::{RESULT, Recorded};

/// The runtime counts a longer id under the overflow value, so a longer literal is a mistake.
const MAX_ID_BYTES: usize = 256;

/// The model or provider of calls whose expression gives an empty text.
const UNKNOWN: &str = "unknown";

/// The validated model of one tracked function.
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    /// The path of the runtime's module `private`, which has all that emitted code names.
    pub(crate) runtime: TokenStream,
    pub(crate) id: Id,
    /// The id of the function's site if `id` is an expression, and its calls' id if the expression gives no text.
    pub(crate) default_id: String,
    /// Empty if it is the default of the kind. That of a query is always set.
    pub(crate) operation: String,
    /// The provider, and the path that reads the usage. Only a model has them.
    pub(crate) model: Option<ModelSpec>,
    pub(crate) fields: Vec<Field>,
    /// The constant of `Level`.
    pub(crate) level: &'static str,
    pub(crate) outcome_rule: OutcomeRule,
    /// The variant of the runtime's `ErrorLog`.
    pub(crate) error_log: &'static str,
    pub(crate) objective: Option<Objective>,
    /// The budget, and the tokens of its option.
    pub(crate) budget: Option<(Budget, TokenStream)>,
    /// The expressions whose values are compared between the calls of a run.
    pub(crate) repeats: Vec<Expr>,
    /// The arguments, and the result, whose texts are kept with the run.
    pub(crate) record: Vec<Recorded>,
    pub(crate) shape: Shape,
    /// The type that is a stream only by the option `stream`. Its tokens are at that option, where the compiler reports that it is
    /// not one.
    pub(crate) declared_stream: Option<TokenStream>,
    /// The type macro that may expand to a stream.
    pub(crate) stream_macro: Option<Type>,
    /// The type of the body, with `_` for each `impl Trait`. `None` if nothing of it is known.
    pub(crate) body_type: Option<Type>,
    /// The type of the value that is judged, if the function returns an `impl Future` or `impl Stream`.
    pub(crate) judged: JudgedType,
    /// Whether the function returns `!`.
    pub(crate) diverges: bool,
}

/// The options that only a model has.
pub(crate) struct ModelSpec {
    pub(crate) provider: Id,
    /// The well-known name that a literal provider nearly is.
    pub(crate) missed_provider: Option<&'static str>,
    pub(crate) usage: Option<Expr>,
}

/// The output of a future or the item of a stream, as the return type names it.
pub(crate) enum JudgedType {
    Known(Type),
    /// With `_` for each part that the compiler infers, which is all of it if the return type does not name it.
    Partial(Type),
}

/// The rule that decides between success and error.
pub(crate) enum OutcomeRule {
    ByType,
    ErrorIf(Expr),
    OkIf(Expr),
}

impl Spec {
    /// Makes the model, and notes every mistake in `errors`. With any, the model is not to be emitted.
    ///
    /// `owner` precedes the method's name in its default id: the name of its type, after the prefix of its block if that has one.
    pub(crate) fn new(
        kind: Kind,
        options: &Options,
        function: &Function,
        owner: Option<&str>,
        errors: &Diagnostics,
    ) -> Self {
        check_signature(function, errors);
        if let Some(prefix) = options.prefix.token().filter(|_| kind != Kind::Model) {
            errors.error(prefix, "`prefix` is an option of an impl block; write the whole id here, as in `id = \"users::find\"`");
        }
        let name = function.signature.ident.unraw().to_string();
        let default_id = match kind {
            Kind::Model => UNKNOWN.to_owned(),
            _ => owner.map_or_else(|| name.clone(), |owner| format!("{owner}::{name}")),
        };
        let id = match kind {
            Kind::Model => resolve_model(options, function, errors),
            _ => resolve_id(options, &default_id, function, errors),
        };
        let fields = options.fields.get().cloned().unwrap_or_default();
        check_fields(kind, &fields, errors);
        check_shorthand_fields(&fields, &function.signature, errors);
        Self {
            kind,
            runtime: resolve_runtime(options),
            id,
            default_id,
            operation: resolve_operation(kind, options, function),
            model: (kind == Kind::Model).then(|| resolve_model_options(options, function, errors)),
            fields,
            level: options.level.get().copied().unwrap_or("INFO"),
            outcome_rule: resolve_outcome_rule(options, errors),
            error_log: options.log_errors.get().copied().unwrap_or("Error"),
            objective: options.objective.get().cloned(),
            budget: options.budget.get().cloned().zip(options.budget.token().cloned()),
            repeats: options.repeats.get().cloned().unwrap_or_default(),
            record: resolve_recorded(options, &function.signature, errors),
            shape: resolve_shape(kind, options, function, errors),
            declared_stream: resolve_declared_stream(options, &function.signature.output),
            stream_macro: resolve_stream_macro(&function.signature.output),
            body_type: resolve_body_type(&function.signature),
            judged: resolve_judged_type(&function.signature.output),
            diverges: returns_never(&function.signature.output),
        }
    }
}

fn returns_never(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, declared) if matches!(**declared, Type::Never(_)))
}

fn resolve_runtime(options: &Options) -> TokenStream {
    // The tokens are at the user's path, where the compiler reports that it has no such module.
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
        if default_id.len() > MAX_ID_BYTES {
            let length = default_id.len();
            errors.error(
                &function.signature.ident,
                format_args!("an id has at most {MAX_ID_BYTES} bytes, and `{default_id}` has {length}; set a shorter one"),
            );
        }
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

/// The model of the calls. There is no default: the function's name in its place would have no price.
fn resolve_model(options: &Options, function: &Function, errors: &Diagnostics) -> Id {
    let advice = "write it first, as in `\"gpt-5\"`, or as an expression, as in `model = self.model`";
    // An `id` is reported already; a second error for the missing model would be noise.
    resolve_label(options.model.get().or(options.id.get()), "model", advice, function, errors)
}

fn resolve_model_options(options: &Options, function: &Function, errors: &Diagnostics) -> ModelSpec {
    let advice = "write `provider = \"openai\"` or an expression";
    let provider = resolve_label(options.provider.get(), "provider", advice, function, errors);
    let missed_provider = match &provider {
        Id::Literal(literal) => find_missed_provider(&literal.value()),
        Id::Expr(_) => None,
    };
    ModelSpec { provider, missed_provider, usage: options.usage.get().cloned() }
}

/// Resolves a label that has to be set.
fn resolve_label(
    given: Option<&Id>,
    name: &str,
    advice: &str,
    function: &Function,
    errors: &Diagnostics,
) -> Id {
    let place = &function.signature.ident;
    let Some(id) = given else {
        errors.error(place, format_args!("a model call needs a {name}; {advice}"));
        return Id::Literal(syn::LitStr::new(UNKNOWN, place.span()));
    };
    if let Id::Literal(literal) = id {
        let length = literal.value().len();
        if length == 0 {
            errors.error(literal, format_args!("a {name} cannot be empty; {advice}"));
        } else if length > MAX_ID_BYTES {
            errors.error(
                literal,
                format_args!(
                    "a {name} has at most {MAX_ID_BYTES} bytes, and this one has {length}; shorten it"
                ),
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
                format_args!(
                    "the field `{name}` already holds the id; set the id with `{} = …`, or give this field another name",
                    kind.id_option(),
                ),
            );
        } else if fields[..at].iter().any(|earlier| earlier.name == *name) {
            errors.error(&field.name_tokens, format_args!("duplicate field `{name}`; remove one of the two"));
        }
    }
}

/// Refuses a shorthand field that is not a parameter. `tracing::instrument` takes such a field for one that is empty at first.
fn check_shorthand_fields(fields: &[Field], signature: &Signature, errors: &Diagnostics) {
    let Some(parameters) = parameter_names(signature) else { return };
    for field in fields {
        let Some(variable) = field.shorthand_variable() else { continue };
        // If a constant or a receiver does not exist, the compiler reports it.
        let exists = variable.starts_with(char::is_uppercase)
            || ["self", "super", "crate"].contains(&variable)
            || parameters.iter().any(|parameter| parameter == variable);
        if !exists {
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

/// Refuses a name that is neither a parameter nor the result.
fn resolve_recorded(options: &Options, signature: &Signature, errors: &Diagnostics) -> Vec<Recorded> {
    let recorded = options.record.get().cloned().unwrap_or_default();
    let Some(parameters) = parameter_names(signature) else { return recorded };
    for Recorded { name, .. } in &recorded {
        let given = name.unraw().to_string();
        let is_parameter = parameters.contains(&given);
        if given == RESULT && is_parameter {
            errors.error(name, "`result` is the returned value here; rename the parameter to record that");
        } else if given != RESULT && !is_parameter {
            errors.error(name, unknown_parameter_message(&given, &parameters));
        }
    }
    recorded
}

fn unknown_parameter_message(given: &str, parameters: &[String]) -> String {
    let known = || parameters.iter().map(String::as_str).chain([RESULT]);
    if let Some(name) = find_nearest_name(given, known()) {
        return format!("`{given}` is not a parameter of the function; did you mean `{name}`?");
    }
    let names: Vec<_> = known().map(|name| format!("`{name}`")).collect();
    let expected = match names.split_last() {
        Some((last, [])) => format!("{last} for the returned value"),
        Some((last, others)) => format!("{}, or {last} for the returned value", others.join(", ")),
        None => String::new(),
    };
    format!("`{given}` is not a parameter of the function; expected {expected}")
}

fn resolve_operation(kind: Kind, options: &Options, function: &Function) -> String {
    match (kind, options.operation.get()) {
        (Kind::Agent | Kind::Skill, _) => String::new(),
        (Kind::Query, Some(given)) => given.value(),
        (Kind::Query, None) => infer_operation(&function.body).to_owned(),
        (Kind::Model, given) => given.map(syn::LitStr::value).unwrap_or_default(),
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

fn resolve_shape(kind: Kind, options: &Options, function: &Function, errors: &Diagnostics) -> Shape {
    let needs = Needs {
        has_predicate: options.error_if.get().is_some() || options.ok_if.get().is_some(),
        reads_result: kind == Kind::Model
            || options.record.get().is_some_and(|recorded| recorded.iter().any(Recorded::is_result)),
    };
    let shape = Shape::of_function(function, options.stream.get().is_some(), needs);
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

/// The declared type, with each `impl Trait` left for the compiler to infer. `()` is at the function's name, where the compiler
/// reports that the body has a value.
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
    InferOpaque.visit_type_mut(&mut declared);
    declared
}

/// Replaces each `impl Trait` by `_`.
struct InferOpaque;

impl VisitMut for InferOpaque {
    fn visit_type_mut(&mut self, part: &mut Type) {
        if matches!(part, Type::ImplTrait(_)) {
            *part = syn::parse_quote!(_);
        } else {
            visit_mut::visit_type_mut(self, part);
        }
    }
}

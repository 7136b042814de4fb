//! What emitted code hands to the runtime around a body: how its call is entered, and how its result is judged.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use crate::diagnostics::locate_at;
use crate::field::{Field, RecordAs};
use crate::function::Function;
use crate::options::Id;
use crate::spec::{OutcomeRule, Spec};

/// The site of the function, entered under its id.
pub(crate) fn emit_entry(spec: &Spec, function: &Function) -> TokenStream {
    let Spec { kind, runtime, fields, .. } = spec;
    let kind = Ident::new(kind.runtime_variant(), Span::mixed_site());
    let name = function.signature.ident.unraw().to_string();
    let opening = emit_opening(runtime, fields);
    let (site_id, enter, arguments) = match &spec.id {
        Id::Literal(literal) if fields.is_empty() => (literal.to_token_stream(), quote!(enter_plain), None),
        Id::Literal(literal) => (literal.to_token_stream(), quote!(enter), Some(quote!(, #opening))),
        Id::Expr(id) => {
            // At the expression's own span, where the compiler reports that it is not `AsRef<str>`.
            let id = quote_spanned!(id.span()=> &(#id));
            (spec.default_id.to_token_stream(), quote!(enter_as), Some(quote!(, #id, #opening)))
        }
    };
    let settings = emit_settings(spec);
    quote!(#runtime::Site::#enter(#runtime::site!(#kind, #site_id, #name #settings) #arguments))
}

/// What of the site is not as of all functions of its kind.
fn emit_settings(spec: &Spec) -> TokenStream {
    let Spec { kind, runtime, operation, level, error_log, objective, fields, .. } = spec;
    let [error_log, level] = [*error_log, *level].map(|name| Ident::new(name, Span::mixed_site()));
    let (id_field, field_names) = (kind.id_field(), fields.iter().map(|field| &field.name));
    [
        (!operation.is_empty()).then(|| quote!(, operation = #operation)),
        (error_log != "Error").then(|| quote!(, log_errors = #runtime::ErrorLog::#error_log)),
        (level != "INFO").then(|| quote!(, level = #runtime::Level::#level)),
        objective.as_ref().map(|objective| {
            let objective = objective.emit(runtime);
            quote!(, objective = ::core::option::Option::Some(#objective))
        }),
        (!fields.is_empty()).then(|| quote!(, fields = &[#id_field #(, #field_names)*])),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How the span is opened when somebody listens; only then are the fields evaluated.
fn emit_opening(runtime: &TokenStream, fields: &[Field]) -> TokenStream {
    if fields.is_empty() {
        return quote!(#runtime::without_fields);
    }
    let opening = Ident::new("opening", Span::mixed_site());
    let values = fields.iter().map(|Field { record_as, value, .. }| match record_as {
        RecordAs::Value => quote_spanned!(value.span()=> &(#value)),
        RecordAs::Display => quote_spanned!(value.span()=> &#runtime::display(&&(#value))),
        RecordAs::Debug => quote_spanned!(value.span()=> &#runtime::debug(&&(#value))),
    });
    quote! {
        |#opening| #opening.span(&[
            #opening.id()
            #(, ::core::option::Option::Some(#runtime::value(#values)))*
        ])
    }
}

/// A closure from the result, by reference, to what it says of its call.
pub(crate) fn emit_judge(spec: &Spec) -> TokenStream {
    emit_judge_with(spec, &TokenStream::new())
}

/// The judge of a result whose type is said.
pub(crate) fn emit_typed_judge(spec: &Spec, declared: &Type) -> TokenStream {
    emit_judge_with(spec, &quote!(: &#declared))
}

fn emit_judge_with(spec: &Spec, declared: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let result = Ident::new("result", Span::mixed_site());
    let outcome = emit_outcome(spec, &quote!(#result)).map(|outcome| quote!(, #outcome));
    quote!(|#result #declared| #runtime::verdict!(#result #outcome))
}

/// The end of a call that is counted by what its result says.
pub(crate) fn emit_settle(spec: &Spec, call: &Ident, result: &Ident) -> TokenStream {
    let runtime = &spec.runtime;
    match emit_outcome(spec, &quote!(&#result)) {
        None => quote!(#runtime::read(&#result).monitor_settle(&#result, &mut #call);),
        Some(outcome) => {
            quote!(#runtime::settle(&mut #call, #outcome, #runtime::read(&#result).monitor_fault(&#result));)
        }
    }
}

/// What the result of a body that is in its place says of its call.
pub(crate) fn emit_verdict(spec: &Spec, result: &Ident) -> TokenStream {
    let runtime = &spec.runtime;
    match emit_outcome(spec, &quote!(&#result)) {
        None => quote!(#runtime::read(&#result).monitor_verdict(&#result)),
        Some(outcome) => quote! {
            #runtime::Verdict { outcome: #outcome, fault: #runtime::read(&#result).monitor_fault(&#result) }
        },
    }
}

/// How a call ended, where it is not the result's type that says so.
fn emit_outcome(spec: &Spec, result: &TokenStream) -> Option<TokenStream> {
    let runtime = &spec.runtime;
    let (decide, predicate) = match &spec.outcome_rule {
        OutcomeRule::ByType => return None,
        OutcomeRule::ErrorIf(predicate) => (quote!(error_if), predicate),
        OutcomeRule::OkIf(predicate) => (quote!(ok_if), predicate),
    };
    // Where the predicate is, as there the compiler reports that it is of another type.
    Some(locate_at(predicate.span(), quote!(#runtime::#decide(#result, #predicate))))
}

//! Emits the entry of a call: its site, with the settings and the id, and its span, with the fields.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use super::hygiene::mixed_site_ident;
use crate::analysis::spec::{ModelSpec, Spec};
use crate::diagnostics::locate_at;
use crate::parse::budget::Budget;
use crate::parse::field::{Field, RecordAs};
use crate::parse::function::Function;
use crate::parse::objective::{Latency, Objective, Share};
use crate::parse::options::Id;
use crate::parse::record::Recorded;

/// Emits the function's site, entered under the id.
pub(crate) fn emit_entry(spec: &Spec, function: &Function) -> TokenStream {
    let Spec { kind, runtime, fields, .. } = spec;
    let kind = mixed_site_ident(kind.settings_name());
    let name = function.signature.ident.unraw().to_string();
    let opening = emit_opening(runtime, fields);
    let (site_id, enter, arguments) = match &spec.id {
        Id::Literal(literal) if fields.is_empty() => (literal.to_token_stream(), quote!(enter_plain), None),
        Id::Literal(literal) => (literal.to_token_stream(), quote!(enter), Some(quote!(, #opening))),
        Id::Expr(id) => {
            // The tokens are at the expression, where the compiler reports that it is not `AsRef<str>`.
            let id = quote_spanned!(id.span()=> &(#id));
            (spec.default_id.to_token_stream(), quote!(enter_as), Some(quote!(, #id, #opening)))
        }
    };
    // Provider and model are looked up together, at each call unless both are literals.
    let (enter, arguments) = match spec.model.as_ref().map(|model| &model.provider) {
        Some(provider) if arguments.is_some() || matches!(provider, Id::Expr(_)) => {
            let provider = match provider {
                Id::Literal(literal) => quote!(#literal),
                Id::Expr(provider) => quote_spanned!(provider.span()=> &(#provider)),
            };
            let id = match &spec.id {
                Id::Literal(literal) => quote!(#literal),
                Id::Expr(id) => quote_spanned!(id.span()=> &(#id)),
            };
            (quote!(enter_of), Some(quote!(, #provider, #id, #opening)))
        }
        _ => (enter, arguments),
    };
    let settings = emit_settings(spec);
    let mut site = quote!(#runtime::site!(#kind, #site_id, #name #settings));
    if let Some((_, option)) = &spec.budget {
        // At the option, where the compiler reports that the runtime lacks the feature.
        let metered = locate_at(option.span(), quote!(#runtime::metered));
        site = quote!(#metered(#site));
    }
    let mut entry = quote!(#runtime::Site::#enter(#site #arguments));
    if spec.model.is_some() {
        entry = quote!(#runtime::of_model(#entry));
    }
    let entry = if spec.repeats.is_empty() { entry } else { emit_repeats(spec, &entry) };
    if spec.record.iter().all(Recorded::is_result) { entry } else { emit_record(spec, &entry) }
}

/// Emits the entry with the hash of the compared values. They are evaluated only if somebody listens to calls.
fn emit_repeats(spec: &Spec, entry: &TokenStream) -> TokenStream {
    let (runtime, hasher) = (&spec.runtime, mixed_site_ident("hasher"));
    // The tokens are at the expression, where the compiler reports that it has no hash.
    let added = spec.repeats.iter().map(|compared| quote_spanned!(compared.span()=> .with(&(#compared))));
    quote!(#runtime::repeats(#entry, |#hasher| #hasher #(#added)*))
}

/// Emits the entry with the texts of the recorded arguments. They are formatted only if somebody keeps them.
fn emit_record(spec: &Spec, entry: &TokenStream) -> TokenStream {
    let (runtime, contents) = (&spec.runtime, mixed_site_ident("contents"));
    let arguments = spec.record.iter().filter(|recorded| !recorded.is_result());
    // The tokens are at the name, where the compiler reports that the argument cannot be formatted.
    let added = arguments.map(|Recorded { name, is_displayed, most }| {
        let shown = name.unraw().to_string();
        if *is_displayed {
            quote_spanned!(name.span()=> .display(#shown, #most, &#name))
        } else {
            quote_spanned!(name.span()=> .debug(#shown, #most, &#name))
        }
    });
    quote!(#runtime::record(#entry, |#contents| #contents #(#added)*))
}

/// Emits the settings that differ from the defaults of the kind. The fewer there are, the less the compiler evaluates.
fn emit_settings(spec: &Spec) -> TokenStream {
    let Spec { kind, runtime, operation, model, level, error_log, objective, budget, fields, .. } = spec;
    let [error_log, level] = [*error_log, *level].map(mixed_site_ident);
    let (id_field, field_names) = (kind.id_field(), fields.iter().map(|field| &field.name));
    [
        (!operation.is_empty()).then(|| quote!(, operation = #operation)),
        model.as_ref().and_then(emit_provider).map(|provider| quote!(, provider = #provider)),
        (error_log != "Error").then(|| quote!(, log_errors = #runtime::ErrorLog::#error_log)),
        (level != "INFO").then(|| quote!(, level = #runtime::Level::#level)),
        objective.as_ref().map(|objective| {
            let objective = emit_objective(objective, runtime);
            quote!(, objective = ::core::option::Option::Some(#objective))
        }),
        budget.as_ref().map(|(budget, _)| {
            let budget = emit_budget(budget, runtime);
            quote!(, budget = ::core::option::Option::Some(#budget))
        }),
        (!fields.is_empty()).then(|| quote!(, fields = &[#id_field #(, #field_names)*])),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Emits a literal provider. One that nearly is a well-known name is a warning: on stable Rust, that of a deprecated item.
fn emit_provider(model: &ModelSpec) -> Option<TokenStream> {
    let Id::Literal(literal) = &model.provider else { return None };
    let Some(known) = model.missed_provider else { return Some(literal.to_token_stream()) };
    let name = Ident::new("PROVIDER", Span::mixed_site().located_at(literal.span()));
    let note = format!(
        "the conventions of OpenTelemetry name a provider `{known}`; write `\"{known}\"`, or put `#[allow(deprecated)]` \
         on the function if `{}` is another one",
        literal.value(),
    );
    Some(quote!({
        #[deprecated(note = #note)]
        const #name: &str = #literal;
        #name
    }))
}

/// Emits the objective as a constant.
fn emit_objective(objective: &Objective, runtime: &TokenStream) -> TokenStream {
    let share =
        |Share { percent, ratio }: &Share| quote!(#runtime::Share { percent: #percent, ratio: #ratio });
    let latency = |latency: &Latency| {
        let (Latency { text, nanos, .. }, share) = (latency, share(&latency.share));
        quote!(#runtime::Latency { text: #text, nanos: #nanos, share: #share })
    };
    let success = emit_option(objective.success.get().map(share));
    let latency = emit_option(objective.latency.get().map(latency));
    quote!(&#runtime::Objective { success: #success, latency: #latency })
}

/// Emits the budget as a constant, with 0 for each limit that is not set.
fn emit_budget(budget: &Budget, runtime: &TokenStream) -> TokenStream {
    let Budget { cost, tokens, model_calls, skill_calls, duration } = budget;
    let [cost, tokens, model_calls, skill_calls, duration] =
        [cost, tokens, model_calls, skill_calls, duration].map(|limit| limit.get().copied().unwrap_or(0));
    quote! {
        &#runtime::Budget {
            cost_nanos: #cost,
            tokens: #tokens,
            model_calls: #model_calls,
            skill_calls: #skill_calls,
            duration_nanos: #duration,
        }
    }
}

fn emit_option(value: Option<TokenStream>) -> TokenStream {
    let some = value.map(|value| quote!(::core::option::Option::Some(#value)));
    some.unwrap_or_else(|| quote!(::core::option::Option::None))
}

/// Emits a closure that opens the span. The runtime calls it only if the span is enabled, and only then are the fields evaluated.
fn emit_opening(runtime: &TokenStream, fields: &[Field]) -> TokenStream {
    if fields.is_empty() {
        return quote!(#runtime::without_fields);
    }
    let opening = mixed_site_ident("opening");
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

//! How the result of a call is judged.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::Type;
use syn::spanned::Spanned as _;

use crate::analysis::spec::{OutcomeRule, Spec};
use crate::diagnostics::locate_at;

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

//! Emits the verdict on a call: its outcome, and the error that is logged.
//!
//! By default, both come from the type of the result. With `error_if` or `ok_if`, the predicate decides the outcome, and the type
//! gives the error only.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Type;
use syn::spanned::Spanned as _;

use super::hygiene::mixed_site_ident;
use crate::analysis::spec::{OutcomeRule, Spec};
use crate::diagnostics::locate_at;

/// Emits the judge, a closure from the result, by reference, to the verdict.
pub(crate) fn emit_judge(spec: &Spec) -> TokenStream {
    emit_judge_with(spec, &TokenStream::new())
}

/// Emits the judge with the type of its argument.
pub(crate) fn emit_typed_judge(spec: &Spec, declared: &Type) -> TokenStream {
    emit_judge_with(spec, &quote!(: &#declared))
}

fn emit_judge_with(spec: &Spec, declared: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let result = mixed_site_ident("result");
    let outcome = emit_outcome(spec, &quote!(#result)).map(|outcome| quote!(, #outcome));
    quote!(|#result #declared| #runtime::verdict!(#result #outcome))
}

/// Emits the end of a call by its result.
pub(crate) fn emit_settle(spec: &Spec, call: &Ident, result: &Ident) -> TokenStream {
    let runtime = &spec.runtime;
    match emit_outcome(spec, &quote!(&#result)) {
        None => quote!(#runtime::classify(&#result).monitor_settle(&#result, &mut #call);),
        Some(outcome) => {
            quote!(#runtime::settle(&mut #call, #outcome, #runtime::classify(&#result).monitor_fault(&#result));)
        }
    }
}

/// Emits the verdict on the result of a body in place.
pub(crate) fn emit_verdict(spec: &Spec, result: &Ident) -> TokenStream {
    let runtime = &spec.runtime;
    match emit_outcome(spec, &quote!(&#result)) {
        None => quote!(#runtime::classify(&#result).monitor_classify(&#result)),
        Some(outcome) => quote! {
            #runtime::Verdict { outcome: #outcome, fault: #runtime::classify(&#result).monitor_fault(&#result) }
        },
    }
}

/// Emits the outcome by a predicate. `None` if the type of the result decides.
fn emit_outcome(spec: &Spec, result: &TokenStream) -> Option<TokenStream> {
    let runtime = &spec.runtime;
    let (decide, predicate) = match &spec.outcome_rule {
        OutcomeRule::ByType => return None,
        OutcomeRule::ErrorIf(predicate) => (quote!(error_if), predicate),
        OutcomeRule::OkIf(predicate) => (quote!(ok_if), predicate),
    };
    // The tokens are at the predicate, where the compiler reports that its type does not fit.
    Some(locate_at(predicate.span(), quote!(#runtime::#decide(#result, #predicate))))
}

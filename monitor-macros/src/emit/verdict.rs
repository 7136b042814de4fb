//! Emits the verdict on a call: its outcome, and the error that is logged.
//!
//! By default, both come from the type of the result. With `error_if` or `ok_if`, the predicate decides the outcome, and the type
//! gives the error only.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Type;
use syn::spanned::Spanned as _;

use super::hygiene::mixed_site_ident;
use crate::analysis::spec::{ModelSpec, OutcomeRule, Spec};
use crate::diagnostics::locate_at;
use crate::parse::record::Recorded;

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
    let verdict = emit_reported(spec, quote!(#runtime::verdict!(#result #outcome)), &quote!(#result));
    quote!(|#result #declared| #verdict)
}

/// Emits the end of a call by its result.
pub(crate) fn emit_settle(spec: &Spec, call: &Ident, result: &Ident) -> TokenStream {
    let runtime = &spec.runtime;
    if spec.model.is_some() || spec.record.iter().any(Recorded::is_result) {
        let verdict = emit_verdict(spec, result);
        return quote!(#runtime::settle_by(&mut #call, &#verdict););
    }
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
    let verdict = match emit_outcome(spec, &quote!(&#result)) {
        None => quote!(#runtime::classify(&#result).monitor_classify(&#result)),
        Some(outcome) => quote! {
            #runtime::Verdict { outcome: #outcome, fault: #runtime::classify(&#result).monitor_fault(&#result) }
        },
    };
    emit_reported(spec, verdict, &quote!(&#result))
}

/// Emits the verdict on a result, followed by the text of the result if it is recorded, and by the report of a model's usage.
///
/// The report is the last step before the call ends or goes on, so no other call can come between the two.
fn emit_reported(spec: &Spec, verdict: TokenStream, result: &TokenStream) -> TokenStream {
    let recorded = spec.record.iter().find(|recorded| recorded.is_result());
    let recorded = recorded.map(|recorded| emit_recorded_result(spec, recorded, result));
    let report = spec.model.as_ref().map(|model| emit_report(spec, model, result));
    if recorded.is_none() && report.is_none() {
        return verdict;
    }
    let name = mixed_site_ident("verdict");
    quote!({ let #name = #verdict; #recorded #report #name })
}

fn emit_recorded_result(spec: &Spec, recorded: &Recorded, result: &TokenStream) -> TokenStream {
    let (runtime, most) = (&spec.runtime, recorded.most);
    let record = if recorded.is_displayed { quote!(record_displayed_result) } else { quote!(record_result) };
    // The tokens are at the name, where the compiler reports that the result cannot be formatted.
    locate_at(recorded.name.span(), quote!(#runtime::#record(#result, #most);))
}

fn emit_report(spec: &Spec, model: &ModelSpec, result: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let Some(usage) = &model.usage else {
        return quote!(#runtime::report(#runtime::reply(#result).monitor_report(#result)););
    };
    // The tokens are at the path, where the compiler reports that its type does not fit.
    let value = quote!(#runtime::content(#result).monitor_content(#result));
    let report = locate_at(usage.span(), quote!(#runtime::usage_by(#value, #usage)));
    let of_error = emit_report_of_error(spec, result);
    quote!(#runtime::report(#report); #of_error)
}

/// Emits the report of an `Err`, which leaves none for an `Ok`.
fn emit_report_of_error(spec: &Spec, result: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    quote!(#runtime::report(#runtime::reply_of_error(#result).monitor_report(#result));)
}

/// Emits the judge of the `Err` of a function that returns a stream in a `Result`.
pub(crate) fn emit_judge_of_opening(spec: &Spec) -> TokenStream {
    let runtime = &spec.runtime;
    let [result, verdict] = ["result", "verdict"].map(mixed_site_ident);
    if spec.model.is_none() {
        return quote!(|#result| #runtime::verdict!(#result));
    }
    let report = emit_report_of_error(spec, &quote!(#result));
    quote!(|#result| { let #verdict = #runtime::verdict!(#result); #report #verdict })
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

//! Emits a tracked function.
//!
//! The body of a synchronous function becomes a closure (`emit_sync_call`), or stays in place (`emit_in_place`, `emit_guarded`). That
//! of an `async fn` becomes an `async` block, which the function awaits (`emit_async_call`). Each way enters the call first
//! (`emit_after_entry`), and ends with the result as the tail expression.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::body::{emit_body_after, emit_tail_body, wrap_in_braces};
use super::captures::{emit_captures, name_wildcards, rebind_mutable};
use super::entry::emit_entry;
use super::hygiene::mixed_site_ident;
use super::lifetimes::elide_lifetimes;
use super::verdict::{emit_judge, emit_judge_of_opening, emit_settle, emit_typed_judge, emit_verdict};
use crate::analysis::body::tail_may_hold_temporaries;
use crate::analysis::return_type::{StreamType, may_return_future, returns_opaque};
use crate::analysis::shape::Shape;
use crate::analysis::spec::{JudgedType, Spec};
use crate::parse::function::Function;

/// Emits the function as written, with its body handed to one call into the runtime.
pub(crate) fn emit_function(spec: &Spec, function: &Function) -> TokenStream {
    let mut function = function.clone();
    name_wildcards(&mut function.signature);
    let function = &function;
    let Function { attributes, visibility, defaultness, inner_attributes, .. } = function;
    let (signature, call) = if matches!(spec.shape, Shape::InPlace | Shape::Guarded) {
        (function.signature.clone(), emit_sync_call(spec, function, &TokenStream::new()))
    } else {
        let (signature, rebound) = rebind_mutable(&function.signature);
        let is_async = signature.asyncness.is_some();
        let call = if is_async { emit_async_call } else { emit_sync_call };
        (signature, call(spec, function, &rebound))
    };
    // A generic function cannot return `!` on stable Rust. The runtime returns an empty type, which a `match` without arms turns
    // into `!`.
    let call = if spec.diverges { quote!(match { #call } {}) } else { call };
    let braces = wrap_in_braces(function, quote!(#inner_attributes #call));
    quote!(#(#attributes)* #visibility #defaultness #signature #braces)
}

fn emit_sync_call(spec: &Spec, function: &Function, rebound: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let judge = emit_judge(spec);
    let body_type = emit_body_type(spec, function);
    let [entry, body] = ["entry", "body"].map(mixed_site_ident);
    let call = match spec.shape {
        Shape::Future | Shape::IntoFuture | Shape::Stream(StreamType { is_boxed: false, .. }) => {
            let (track, judge) = emit_typed_tracking(spec, function, judge);
            quote!(#track(#entry, #body, #judge))
        }
        Shape::Stream(_) => quote!(#runtime::track_boxed_stream(#entry, #body, #judge)),
        Shape::InPlace => return emit_in_place(spec, function),
        Shape::Guarded => return emit_guarded(spec, function),
        Shape::ByType => quote! {{
            use #runtime::returned::*;
            (&&&#runtime::Returned::by(&#body)).monitor_track(#entry, #body, #judge)
        }},
        Shape::TryStream(stream) => {
            let ends = emit_try_stream_ends(spec, stream);
            quote!(#runtime::track_opened(#entry, #body, #ends))
        }
        Shape::Value | Shape::Async | Shape::AsyncStream(_) => {
            quote!(#runtime::track(#entry, #body, #judge))
        }
    };
    let closure = emit_body_closure(spec, function, body_type.as_ref(), rebound);
    // The user wrote no closure, so lints about closures would be noise.
    let allow = quote!(#[allow(clippy::closure_returning_async_block, clippy::result_large_err)]);
    let tail = emit_tail_expression(spec, &call);
    emit_after_entry(
        spec,
        function,
        &TokenStream::new(),
        &quote!(#allow let #body = #runtime::once(#closure); #tail),
    )
}

/// The runtime's function for a declared future or stream, and the judge of its output or items.
///
/// The judge's argument needs a type ahead: the compiler checks it before it knows the body's type. A type that is known in full is
/// named by the judge alone, once, so that one that does not exist is one error. Else the function's type argument names it.
fn emit_typed_tracking(spec: &Spec, function: &Function, judge: TokenStream) -> (TokenStream, TokenStream) {
    let runtime = &spec.runtime;
    let is_future = matches!(spec.shape, Shape::Future | Shape::IntoFuture);
    let name = match (&spec.judged, spec.shape) {
        (_, Shape::IntoFuture) => "track_into_future",
        (JudgedType::Known(_), Shape::Future) => "track_typed_future",
        (JudgedType::Partial(_), Shape::Future) => "track_returned_future",
        (JudgedType::Known(_), _) => "track_typed_stream",
        (JudgedType::Partial(_), _) => "track_stream",
    };
    let name = mixed_site_ident(name);
    match &spec.judged {
        JudgedType::Known(judged) => {
            (quote!(#runtime::#name), emit_typed_judge(spec, &elide_lifetimes(&function.signature, judged)))
        }
        JudgedType::Partial(judged) => {
            let more = is_future.then(|| quote!(, _));
            (quote!(#runtime::#name::<#judged, _ #more>), judge)
        }
    }
}

/// Emits the body as a closure. It has the span of the user's `fn`: in errors about it, the compiler then names the variables.
fn emit_body_closure(
    spec: &Spec,
    function: &Function,
    body_type: Option<&TokenStream>,
    rebound: &TokenStream,
) -> TokenStream {
    let captures = emit_captures(function, &spec.runtime);
    let braces = emit_body_after(&quote!(#captures #rebound), function);
    let arrow = body_type.map(|body_type| quote!(-> #body_type));
    quote_spanned!(function.signature.fn_token.span=> move || #arrow #braces)
}

/// Emits the entry of the call, then `call`. The entry is a statement of its own, so what its expressions borrow ends there.
fn emit_after_entry(
    spec: &Spec,
    function: &Function,
    mutable: &TokenStream,
    call: &TokenStream,
) -> TokenStream {
    let runtime = &spec.runtime;
    let name = mixed_site_ident("entry");
    let entry = emit_entry(spec, function);
    let check = spec.declared_stream.as_ref().map(|declared| quote!(#runtime::is_stream::<#declared>();));
    quote!(#check let #mutable #name = #entry; #call)
}

/// Emits the function's value as its tail expression. A `return` would be wrong if another attribute moves the body into a block of
/// its own, such as an `async` block.
///
/// The `match` is there for its arm: `clippy::implicit_return` can be allowed on an arm, but not on an expression.
fn emit_tail_expression(spec: &Spec, call: &TokenStream) -> TokenStream {
    if spec.diverges {
        return call.clone();
    }
    let result = mixed_site_ident("result");
    quote!(match #call { #[allow(clippy::implicit_return)] #result => #result })
}

/// Emits the body in place, between the start and the end of its call.
fn emit_in_place(spec: &Spec, function: &Function) -> TokenStream {
    let runtime = &spec.runtime;
    let [entry, begun, result] = ["entry", "begun", "result"].map(mixed_site_ident);
    let annotation = emit_body_type(spec, function).map(|body_type| quote!(: #body_type));
    let body = wrap_in_braces(function, function.body.clone());
    let verdict = emit_verdict(spec, &result);
    let tail = emit_tail_expression(spec, &result.to_token_stream());
    // The body may be nothing but a panic, after which the end is unreachable. The guard's drop then ends the call.
    let call = quote! {
        let #begun = #runtime::begin(&mut #entry);
        let #result #annotation = match () { () => #body };
        #[allow(unreachable_code)]
        #begun.end(&#verdict);
        #tail
    };
    emit_after_entry(spec, function, &quote!(mut), &call)
}

/// Emits the body in place, under a guard that ends the call when it is dropped.
///
/// The temporaries of the tail expression have to be dropped before the guard. In an arm, they are in every edition. But lints see
/// less in an arm, and the bounds of an `impl Trait` do not reach it. So the body is an arm only if there may be temporaries.
fn emit_guarded(spec: &Spec, function: &Function) -> TokenStream {
    let runtime = &spec.runtime;
    let [entry, guard] = ["entry", "guard"].map(mixed_site_ident);
    let begun = quote!(#runtime::guard(&mut #entry));
    let call = if returns_opaque(&function.signature.output) || !tail_may_hold_temporaries(&function.body) {
        let body = emit_tail_body(function);
        quote!(let #guard = #begun; #body)
    } else {
        let body = wrap_in_braces(function, function.body.clone());
        quote!(match #begun { #[allow(clippy::implicit_return)] #guard => #body })
    };
    emit_after_entry(spec, function, &quote!(mut), &call)
}

fn emit_async_call(spec: &Spec, function: &Function, rebound: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let body_type = emit_body_type(spec, function);
    // Without this type on the result, the compiler would report lifetimes that are too short elsewhere than in the body.
    let annotation = body_type.as_ref().map(|body_type| quote!(: #body_type));
    let type_hint = body_type.map(|body_type| emit_unreached_return(&body_type, runtime));
    let captures = emit_captures(function, runtime);
    let braces = emit_body_after(&quote!(#captures #type_hint #rebound), function);
    let future = quote_spanned!(function.signature.fn_token.span=> async move #braces);
    let [entry, body, result] = ["entry", "body", "result"].map(mixed_site_ident);
    let (settle, value) = match spec.shape {
        Shape::AsyncStream(stream) if stream.is_in_result => {
            let ends = emit_try_stream_ends(spec, stream);
            (TokenStream::new(), quote!(#runtime::hand_on_ok(#entry, #result, #ends)))
        }
        Shape::AsyncStream(stream) => (TokenStream::new(), emit_hand_on(spec, stream, &entry, &result)),
        _ => (emit_settle(spec, &entry, &result), quote!(#result)),
    };
    let tail = emit_tail_expression(spec, &value);
    let allow =
        may_return_future(&function.signature.output).then(|| quote!(#[allow(clippy::async_yields_async)]));
    emit_after_entry(
        spec,
        function,
        &quote!(mut),
        &quote! {
            #allow let #body = #future;
            let #result #annotation = #runtime::track_pinned(&mut #entry, #runtime::pin!(#body)).await;
            #settle #tail
        },
    )
}

/// Emits a `return` that is never reached, which gives an `async` block its type before its body does.
///
/// Its value has the span of the declared type, where the compiler points if the body has another type. A variable at that span has
/// the user's hygiene, so its name is one that no user has.
fn emit_unreached_return(body_type: &TokenStream, runtime: &TokenStream) -> TokenStream {
    let value = Ident::new("monitor_never_returned", body_type.span());
    quote!(if false { let #value: #body_type = #runtime::never_returned(); return #value; })
}

/// Emits the transfer of a call to the stream that its function returns, in which it goes on.
fn emit_hand_on(spec: &Spec, stream: StreamType, call: &Ident, value: &Ident) -> TokenStream {
    let (runtime, judge) = (&spec.runtime, emit_judge(spec));
    let from_macro = spec.stream_macro.as_ref().map(quote::ToTokens::to_token_stream);
    match spec.declared_stream.as_ref().or(from_macro.as_ref()) {
        Some(stream_type) if stream.is_boxed => quote! {{
            use #runtime::handed::*;
            (&&#runtime::Returned::<#stream_type>::TYPE).monitor_hand_on(#call, #value, #judge)
        }},
        _ if stream.is_boxed => quote!(#runtime::hand_on_boxed(#call, #value, #judge)),
        _ => quote!(#runtime::hand_on(#call, #value, #judge)),
    }
}

/// Emits the two ends of a call that returns a stream in a `Result`: the verdict on an `Err`, and the transfer to the stream of
/// an `Ok`.
fn emit_try_stream_ends(spec: &Spec, stream: StreamType) -> TokenStream {
    let [entry, result] = ["entry", "result"].map(mixed_site_ident);
    let judge = emit_judge_of_opening(spec);
    let hand_on = emit_hand_on(spec, stream, &entry, &result);
    quote!(#judge, |#entry, #result| #hand_on)
}

/// Emits the type of the body: an empty type for `!`, else the declared type without needless lifetimes.
fn emit_body_type(spec: &Spec, function: &Function) -> Option<TokenStream> {
    let runtime = &spec.runtime;
    if spec.diverges {
        return Some(quote!(#runtime::Never));
    }
    let declared = spec.body_type.as_ref()?;
    Some(elide_lifetimes(&function.signature, declared).to_token_stream())
}

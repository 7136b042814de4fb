//! From an attribute and its item to the tokens that take the item's place.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::diagnostics::Diagnostics;
use crate::entry::{entry, judge, settled};
use crate::function::Function;
use crate::item::Item;
use crate::kind::Kind;
use crate::options::Options;
use crate::parameters::{captured_in_order, name_ignored, rebound};
use crate::refusal::{refused_expression, refused_in_body};
use crate::shape::{Shape, Stream, may_be_awaited};
use crate::spec::{Promise, Spec};

/// Expands one attribute. Where a rule is broken, the item comes back as it was, beside the errors.
pub(crate) fn attribute(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Diagnostics::default();
    let options = Options::parse(kind, arguments, &errors);
    let (tracked, untouched) = match Item::parse(&item) {
        Ok(Item::CutShort) => (item.clone(), item),
        Ok(Item::UnreadFunction) => (refused_in_body(item.clone()), item),
        // An error behind an expression would be read as a part of it.
        Ok(Item::Expression) if cfg!(feature = "off") => return item,
        Ok(Item::Expression) => return refused_expression(&item),
        Ok(Item::Function(function)) => {
            let spec = Spec::new(kind, &options, &function, None, &errors);
            (emit(&spec, &function), item)
        }
        Ok(Item::Block(block)) => {
            let tracked = block.track(kind, &options, &errors);
            (tracked, block.untracked())
        }
        Err(error) => {
            errors.push(error);
            (TokenStream::new(), item)
        }
    };
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        return quote!(#untouched #errors);
    }
    if cfg!(feature = "off") { untouched } else { tracked }
}

/// Emits a tracked function: the item as written, its body handed to one call into the runtime.
pub(crate) fn emit(spec: &Spec, function: &Function) -> TokenStream {
    let mut function = function.clone();
    name_ignored(&mut function.signature);
    let function = &function;
    let Function { attributes, visibility, defaultness, inner_attributes, .. } = function;
    let is_async = function.signature.asyncness.is_some();
    let (signature, rebound) = if is_async {
        rebound(&function.signature)
    } else {
        (function.signature.clone(), TokenStream::new())
    };
    let call = if is_async { async_call(spec, function, &rebound) } else { plain_call(spec, function) };
    // What cannot be returned is matched away, since no generic function can return `!` itself.
    let call = if spec.diverges { quote!(match { #call } {}) } else { call };
    let braces = within_braces(function, quote!(#inner_attributes #call));
    quote!(#(#attributes)* #visibility #defaultness #signature #braces)
}

/// Puts the tokens into the user's own braces: what holds them is the user's, to lints, coverage, editors and messages.
fn within_braces(function: &Function, tokens: TokenStream) -> Group {
    let mut braces = Group::new(Delimiter::Brace, tokens);
    braces.set_span(function.block.span());
    braces
}

/// The body behind statements of ours. It keeps a block of its own, so that an item which it begins with is no item after
/// statements.
///
/// Where it has statements, that block is the user's as well: it is their edition that says when the temporaries of its last
/// expression are dropped. Around a single expression, the compiler would call the user's braces unnecessary.
fn body_behind(ours: &TokenStream, function: &Function) -> Group {
    let body = function.body.clone();
    if ours.is_empty() {
        return within_braces(function, body);
    }
    let block = if has_statements(&body) {
        within_braces(function, body)
    } else {
        let mut block = Group::new(Delimiter::Brace, body);
        block.set_span(Span::mixed_site().located_at(function.block.span()));
        block
    };
    within_braces(function, quote!(#ours #block))
}

fn has_statements(body: &TokenStream) -> bool {
    body.clone().into_iter().any(|token| matches!(token, TokenTree::Punct(end) if end.as_char() == ';'))
}

fn plain_call(spec: &Spec, function: &Function) -> TokenStream {
    let runtime = &spec.runtime;
    let judge = judge(spec);
    let returned = returned(spec);
    let entry = Ident::new("entry", Span::mixed_site());
    let body = closure(function, returned.as_ref(), runtime);
    let call = match spec.shape {
        Shape::Future | Shape::IntoFuture | Shape::Stream(Stream { is_boxed: false, .. }) => {
            let track = promised_call(spec);
            quote!(#track(#entry, #body, #judge))
        }
        Shape::Stream(_) => quote!(#runtime::track_boxed_stream(#entry, #body, #judge)),
        Shape::InPlace => return in_place(spec, function, &judge),
        Shape::Guarded => return guarded(spec, function),
        Shape::ByType => quote! {{
            use #runtime::returned::*;
            (&&&#runtime::Returned::<#returned>::TYPE).monitor_track(#entry, #body, #judge)
        }},
        Shape::Opened(stream) => {
            let ends = opened_ends(spec, stream);
            quote!(#runtime::track_opened(#entry, #body, #ends))
        }
        Shape::Value | Shape::Async | Shape::AsyncStream(_) => {
            quote!(#runtime::track(#entry, #body, #judge))
        }
    };
    after_entry(spec, function, &TokenStream::new(), &ended(spec, &call))
}

/// The runtime's function for what is promised of a future or a stream, which is said ahead, since the judge is checked before
/// the compiler has worked the body's type out.
fn promised_call(spec: &Spec) -> TokenStream {
    let runtime = &spec.runtime;
    let (name, promised) = match (&spec.promised, spec.shape) {
        (Promise::Whole(promised) | Promise::InPart(promised), Shape::IntoFuture) => {
            ("track_into_future", promised)
        }
        (Promise::Whole(promised), Shape::Future) => ("track_promised_future", promised),
        (Promise::InPart(promised), Shape::Future) => ("track_returned_future", promised),
        (Promise::Whole(promised), _) => ("track_promised_stream", promised),
        (Promise::InPart(promised), _) => ("track_stream", promised),
    };
    let name = Ident::new(name, Span::mixed_site());
    let judge = matches!(spec.shape, Shape::Future | Shape::IntoFuture).then(|| quote!(, _));
    quote!(#runtime::#name::<#promised, _ #judge>)
}

/// The body as a closure. At the function's own `fn`, it is the user's: what the compiler says of it names the variables.
fn closure(function: &Function, returned: Option<&TokenStream>, runtime: &TokenStream) -> TokenStream {
    let braces = body_behind(&captured_in_order(function, runtime), function);
    let arrow = returned.map(|returned| quote!(-> #returned));
    quote_spanned!(function.signature.fn_token.span=> move || #arrow #braces)
}

/// The call behind the entry, whose own statement ends whatever its expressions borrow.
fn after_entry(spec: &Spec, function: &Function, mutable: &TokenStream, call: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let name = Ident::new("entry", Span::mixed_site());
    let entry = entry(spec, function);
    let check = spec.said_stream.as_ref().map(|said| quote!(#runtime::is_stream::<#said>();));
    let is_future_of_one =
        function.signature.asyncness.is_some() && may_be_awaited(&function.signature.output);
    let allowed = is_future_of_one.then(|| quote!(#[allow(clippy::async_yields_async)]));
    quote!(#check let #mutable #name = #entry; #allowed #call)
}

/// The end of the function: by a `return`, for people who ask their linter for one.
fn ended(spec: &Spec, call: &TokenStream) -> TokenStream {
    if spec.diverges { call.clone() } else { quote!(return #call;) }
}

/// The body where it is, between the two ends of its call.
fn in_place(spec: &Spec, function: &Function, judge: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let [begun, result] = ["begun", "result"].map(|name| Ident::new(name, Span::mixed_site()));
    let colon = returned(spec).map(|returned| quote!(: #returned));
    let (entry, body) = (entry(spec, function), within_braces(function, function.body.clone()));
    // The other branch keeps what follows reachable when the body is nothing but a panic.
    let ended = ended(spec, &quote!(#begun.end(#result, #judge)));
    quote! {{
        let #begun = #runtime::begin(#entry);
        let #result #colon = if true #body else { #runtime::never_returned() };
        #ended
    }}
}

/// The body as the function's own, under a guard.
fn guarded(spec: &Spec, function: &Function) -> TokenStream {
    let runtime = &spec.runtime;
    let guard = Ident::new("guard", Span::mixed_site());
    let (entry, body) = (entry(spec, function), &function.body);
    quote!(let #guard = #runtime::guard(#entry); #body)
}

fn async_call(spec: &Spec, function: &Function, rebound: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let returned = returned(spec);
    // Where the lifetimes in it do not hold, the compiler points into the body, as it would without the attribute.
    let colon = returned.as_ref().map(|returned| quote!(: #returned));
    let never = returned.map(|returned| never_reached_return(&returned, runtime));
    let captured = captured_in_order(function, runtime);
    let braces = body_behind(&quote!(#captured #never #rebound), function);
    let body = quote_spanned!(function.signature.fn_token.span=> async move #braces);
    let [entry, pinned, result] =
        ["entry", "body", "result"].map(|name| Ident::new(name, Span::mixed_site()));
    let (settled, given) = match spec.shape {
        Shape::AsyncStream(stream) if stream.is_in_result => {
            let ends = opened_ends(spec, stream);
            (TokenStream::new(), quote!(#runtime::hand_on_ok(#entry, #result, #ends)))
        }
        Shape::AsyncStream(stream) => (TokenStream::new(), hand_on(spec, stream, &entry, &result)),
        _ => (settled(spec, &entry, &result), quote!(#result)),
    };
    let ended = ended(spec, &given);
    after_entry(
        spec,
        function,
        &quote!(mut),
        &quote! {
            let #pinned = #body;
            let #result #colon = #runtime::across(&mut #entry, #runtime::pin!(#pinned)).await;
            #settled #ended
        },
    )
}

/// A return that is never reached, which tells an asynchronous block its type before its body does.
///
/// Its value is the declared type's to the compiler, which points there when the body does not fit. That takes a plain name,
/// so it is one that nobody else has.
fn never_reached_return(returned: &TokenStream, runtime: &TokenStream) -> TokenStream {
    let value = Ident::new("monitor_never_returned", returned.span());
    quote!(if false { let #value: #returned = #runtime::never_returned(); return #value; })
}

/// What a call does once there is a stream: it goes on in it.
fn hand_on(spec: &Spec, stream: Stream, call: &Ident, given: &Ident) -> TokenStream {
    let (runtime, judge) = (&spec.runtime, judge(spec));
    let hidden = spec.hidden_stream.as_ref().map(quote::ToTokens::to_token_stream);
    match spec.said_stream.as_ref().or(hidden.as_ref()) {
        Some(said) if stream.is_boxed => quote! {{
            use #runtime::handed::*;
            (&&#runtime::Returned::<#said>::TYPE).monitor_hand_on(#call, #given, #judge)
        }},
        _ if stream.is_boxed => quote!(#runtime::hand_on_boxed(#call, #given, #judge)),
        _ => quote!(#runtime::hand_on(#call, #given, #judge)),
    }
}

/// How the call of a function ends that gives a stream in a `Result`: by an `Err`, or in the stream of an `Ok`.
fn opened_ends(spec: &Spec, stream: Stream) -> TokenStream {
    let runtime = &spec.runtime;
    let [entry, result] = ["entry", "result"].map(|name| Ident::new(name, Span::mixed_site()));
    let tracked = hand_on(spec, stream, &entry, &result);
    quote!(|#result| #runtime::verdict!(#result), |#entry, #result| #tracked)
}

/// The type of the body as the runtime sees it.
fn returned(spec: &Spec) -> Option<TokenStream> {
    let runtime = &spec.runtime;
    if spec.diverges {
        return Some(quote!(#runtime::Never));
    }
    spec.returned.as_ref().map(quote::ToTokens::to_token_stream)
}

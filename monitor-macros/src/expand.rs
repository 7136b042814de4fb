//! From an attribute and its item to the tokens that take the item's place.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::Parse as _;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;

use crate::block::Block;
use crate::diagnostics::Diagnostics;
use crate::field::{Field, Form};
use crate::function::Function;
use crate::kind::Kind;
use crate::options::{Id, Options};
use crate::parameters::{captured_in_order, rebound};
use crate::shape::{Shape, Stream};
use crate::spec::{Judge, Spec};

/// Expands one attribute. Where a rule is broken, the item comes back as it was, beside the errors.
pub(crate) fn attribute(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Diagnostics::default();
    let options = Options::parse(kind, arguments, &errors);
    let (tracked, untouched) = match parse_item(&item) {
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

enum Item {
    Function(Box<Function>),
    Block(Box<Block>),
}

fn parse_item(item: &TokenStream) -> syn::Result<Item> {
    if Block::is_ahead(item) {
        return syn::parse2(item.clone()).map(|block| Item::Block(Box::new(block)));
    }
    let parser = |input: ParseStream<'_>| {
        let ahead = input.fork();
        let function = Function::parse(input).map_err(|_| not_trackable(&ahead))?;
        Ok(Item::Function(Box::new(function)))
    };
    parser.parse2(item.clone())
}

/// Why an item is neither a function with a body nor an impl block, at its first telling token.
fn not_trackable(item: ParseStream<'_>) -> syn::Error {
    let _ = item.call(syn::Attribute::parse_outer);
    let _ = item.parse::<syn::Visibility>();
    let ahead = item.fork();
    if let Ok(signature) = ahead.parse::<syn::Signature>() {
        return syn::Error::new_spanned(
            signature.ident,
            "a function without a body cannot be tracked; put the attribute on its implementations",
        );
    }
    item.error("expected a function or an impl block; put the attribute on one of these")
}

/// Emits a tracked function: the item as written, its body handed to one call into the runtime.
pub(crate) fn emit(spec: &Spec, function: &Function) -> TokenStream {
    let Function { attributes, visibility, defaultness, inner_attributes, .. } = function;
    let is_async = function.signature.asyncness.is_some();
    let (signature, rebound) = if is_async {
        rebound(&function.signature)
    } else {
        (function.signature.clone(), TokenStream::new())
    };
    let call = if is_async { async_call(spec, function, &rebound) } else { plain_call(spec, function) };
    // What cannot be returned is matched away, since no generic function can return `!` itself.
    let call = if spec.diverges { quote!(match #call {}) } else { call };
    // With the user's own braces the function is the user's, to lints, coverage and editors.
    let mut braces = Group::new(Delimiter::Brace, quote!(#inner_attributes #call));
    braces.set_span(function.block.span());
    quote!(#(#attributes)* #visibility #defaultness #signature #braces)
}

fn plain_call(spec: &Spec, function: &Function) -> TokenStream {
    let runtime = &spec.runtime;
    let judge = judge(spec);
    let returned = returned(spec);
    let entry = Ident::new("entry", Span::mixed_site());
    let body = {
        let (body, captured) = (&function.body, captured_in_order(function, runtime));
        let arrow = returned.as_ref().map(|returned| quote!(-> #returned));
        quote!(move || #arrow { #captured #body })
    };
    // Said ahead, since the judge is checked before the compiler has worked the body's type out.
    let promised = spec.promised.as_ref().map_or_else(|| quote!(_), quote::ToTokens::to_token_stream);
    let call = match spec.shape {
        Shape::Future => {
            quote!(#runtime::private::track_returned_future::<#promised, _, _>(#entry, #body, #judge))
        }
        Shape::Stream(Stream { is_boxed: false, .. }) => {
            quote!(#runtime::private::track_stream::<#promised, _>(#entry, #body, #judge))
        }
        Shape::Stream(_) => quote!(#runtime::private::track_boxed_stream(#entry, #body, #judge)),
        Shape::InPlace => return in_place(spec, function, &judge),
        Shape::Guarded => return guarded(spec, function),
        Shape::ByType => quote! {
            use #runtime::private::returned::*;
            (&&&#runtime::private::Returned::<#returned>::TYPE).monitor_track(#entry, #body, #judge)
        },
        Shape::Value | Shape::Async | Shape::AsyncStream(_) => {
            quote!(#runtime::private::track(#entry, #body, #judge))
        }
    };
    after_entry(spec, function, &call)
}

/// The call behind the entry, whose own statement ends whatever its expressions borrow.
fn after_entry(spec: &Spec, function: &Function, call: &TokenStream) -> TokenStream {
    let name = Ident::new("entry", Span::mixed_site());
    let entry = entry(spec, function);
    quote!({ let #name = #entry; #call })
}

/// The body where it is, between the two ends of its call.
fn in_place(spec: &Spec, function: &Function, judge: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    let [begun, result] = ["begun", "result"].map(|name| Ident::new(name, Span::mixed_site()));
    let colon = returned(spec).map(|returned| quote!(: #returned));
    let (entry, body) = (entry(spec, function), &function.body);
    // The other branch keeps what follows reachable when the body is nothing but a panic.
    quote! {{
        let #begun = #runtime::private::begin(#entry);
        let #result #colon = if true { #body } else { #runtime::private::never_returned() };
        #begun.end(#result, #judge)
    }}
}

/// The body as the function's own, under a guard.
fn guarded(spec: &Spec, function: &Function) -> TokenStream {
    let runtime = &spec.runtime;
    let guard = Ident::new("guard", Span::mixed_site());
    let (entry, body) = (entry(spec, function), &function.body);
    quote!(let #guard = #runtime::private::guard(#entry); #body)
}

fn async_call(spec: &Spec, function: &Function, rebound: &TokenStream) -> TokenStream {
    let runtime = &spec.runtime;
    // A return that is never reached tells the block its type before its body does.
    let returned = returned(spec).map(|returned| {
        quote_spanned!(returned.span()=> if false { return #runtime::private::never_returned::<#returned>(); })
    });
    let (judge, body) = (judge(spec), &function.body);
    let captured = captured_in_order(function, runtime);
    let body = quote!(async move { #captured #returned #rebound #body });
    let entry = Ident::new("entry", Span::mixed_site());
    let call = if let Shape::AsyncStream(stream) = spec.shape {
        let hand_on = hand_on(runtime, stream, &judge);
        quote!(#runtime::private::track_until_stream(#entry, #body, #hand_on).await)
    } else {
        quote!(#runtime::private::track_future(#entry, #body, #judge).await)
    };
    after_entry(spec, function, &call)
}

/// What an asynchronous function's call does once there is a stream: it goes on in it.
fn hand_on(runtime: &TokenStream, stream: Stream, judge: &TokenStream) -> TokenStream {
    let [call, result] = ["call", "result"].map(|name| Ident::new(name, Span::mixed_site()));
    let track = if stream.is_boxed { quote!(hand_on_boxed) } else { quote!(hand_on) };
    let hand_on = quote!(|#call, #result| #runtime::private::#track(#call, #result, #judge));
    if !stream.is_in_result {
        return hand_on;
    }
    quote! {
        |#call, #result| #runtime::private::hand_on_ok(
            #call, #result, |#result| #runtime::private::verdict!(#result), #hand_on
        )
    }
}

/// The type of the body as the runtime sees it.
fn returned(spec: &Spec) -> Option<TokenStream> {
    let runtime = &spec.runtime;
    if spec.diverges {
        return Some(quote!(#runtime::private::Never));
    }
    spec.returned.as_ref().map(quote::ToTokens::to_token_stream)
}

/// The site of the function, entered under its id.
fn entry(spec: &Spec, function: &Function) -> TokenStream {
    let Spec { kind, runtime, operation, level, error_log, fields, .. } = spec;
    let [kind_name, error_log, level] =
        [kind.variant(), *error_log, *level].map(|name| Ident::new(name, Span::mixed_site()));
    let name = function.signature.ident.unraw().to_string();
    let id_field = kind.id_field();
    let field_names = fields.iter().map(|field| &field.name);
    let fields = opening(runtime, fields);
    let (site_id, enter) = match &spec.id {
        Id::Literal(literal) => (literal.to_token_stream(), quote!(enter(#fields))),
        Id::Expr(id) => {
            // At the expression's own span, where the compiler reports that it is not `AsRef<str>`.
            let id = quote_spanned!(id.span()=> &(#id));
            (spec.default_id.to_token_stream(), quote!(enter_as(#id, #fields)))
        }
    };
    quote! {
        #runtime::private::site!(
            #kind_name, #site_id, #operation, #error_log, #level, #name, [#id_field #(, #field_names)*]
        ).#enter
    }
}

/// How the span is opened when somebody listens; only then are the fields evaluated.
fn opening(runtime: &TokenStream, fields: &[Field]) -> TokenStream {
    if fields.is_empty() {
        return quote!(#runtime::private::without_fields);
    }
    let opening = Ident::new("opening", Span::mixed_site());
    let values = fields.iter().map(|Field { form, value, .. }| match form {
        Form::Value => quote_spanned!(value.span()=> &(#value)),
        Form::Display => quote_spanned!(value.span()=> &#runtime::private::display(&(#value))),
        Form::Debug => quote_spanned!(value.span()=> &#runtime::private::debug(&(#value))),
    });
    quote! {
        |#opening| #opening.span(&[
            #opening.id()
            #(, ::core::option::Option::Some(#values as &dyn #runtime::private::Value))*
        ])
    }
}

fn judge(spec: &Spec) -> TokenStream {
    let runtime = &spec.runtime;
    let result = Ident::new("result", Span::mixed_site());
    match &spec.judge {
        Judge::ByType => quote!(|#result| #runtime::private::verdict!(#result)),
        Judge::ErrorIf(predicate) => quote! {
            |#result| #runtime::private::verdict!(#result, #runtime::private::error_if(#result, #predicate))
        },
        Judge::OkIf(predicate) => quote! {
            |#result| #runtime::private::verdict!(#result, #runtime::private::ok_if(#result, #predicate))
        },
    }
}

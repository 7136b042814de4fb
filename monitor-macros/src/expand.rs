//! From an attribute and its item to the tokens that take the item's place.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::parse::Parse as _;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;

use crate::block::Block;
use crate::diagnostics::Diagnostics;
use crate::function::Function;
use crate::kind::Kind;
use crate::options::{Field, Form, Id, Options};
use crate::parameters::captured_in_order;
use crate::spec::{Judge, Spec};

/// Expands one attribute. Where a rule is broken, the item comes back as it was, beside the errors.
pub(crate) fn attribute(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Diagnostics::default();
    let options = Options::parse(kind, arguments, &errors);
    let (tracked, untouched) = match parse_item(&item) {
        Ok(Item::Function(function)) => {
            let spec = Spec::new(kind, options, &function, None, &errors);
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
    let Function { attributes, visibility, defaultness, signature, inner_attributes, body, .. } = function;
    let Spec { runtime, returned, .. } = spec;
    let entry = entry(spec, function);
    let judge = judge(spec);
    let captured = captured_in_order(function, runtime);
    let call = if signature.asyncness.is_some() {
        // The return that is never reached tells the block its type before its body does.
        let returned = returned
            .as_ref()
            .map(|returned| quote!(if false { return #runtime::private::never_returned::<#returned>(); }));
        quote! {
            #runtime::private::track_future(#entry, async move { #captured #returned #body }, #judge).await
        }
    } else {
        let returned = returned.as_ref().map(|returned| quote!(-> #returned));
        quote!(#runtime::private::track(#entry, move || #returned { #captured #body }, #judge))
    };
    quote! {
        #(#attributes)* #visibility #defaultness #signature { #inner_attributes #call }
    }
}

/// The site of the function, entered under its id.
fn entry(spec: &Spec, function: &Function) -> TokenStream {
    let Spec { kind, runtime, operation, level, error_log, fields, .. } = spec;
    let [kind_name, error_log, level] =
        [kind.variant(), *error_log, *level].map(|name| Ident::new(name, Span::mixed_site()));
    let name = function.signature.ident.to_string();
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

//! What emitted code hands to the runtime around a body: how its call is entered, and how its result is judged.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::Expr;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use crate::diagnostics::located_at;
use crate::field::{Field, Form};
use crate::function::Function;
use crate::options::Id;
use crate::spec::{Judge, Spec};

/// The site of the function, entered under its id.
pub(crate) fn entry(spec: &Spec, function: &Function) -> TokenStream {
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
        #runtime::site!(
            #kind_name, #site_id, #operation, #error_log, #level, #name, [#id_field #(, #field_names)*]
        ).#enter
    }
}

/// How the span is opened when somebody listens; only then are the fields evaluated.
fn opening(runtime: &TokenStream, fields: &[Field]) -> TokenStream {
    if fields.is_empty() {
        return quote!(#runtime::without_fields);
    }
    let opening = Ident::new("opening", Span::mixed_site());
    let values = fields.iter().map(|Field { form, value, .. }| match form {
        Form::Value => quote_spanned!(value.span()=> &(#value)),
        Form::Display => quote_spanned!(value.span()=> &#runtime::display(&&(#value))),
        Form::Debug => quote_spanned!(value.span()=> &#runtime::debug(&&(#value))),
    });
    quote! {
        |#opening| #opening.span(&[
            #opening.id()
            #(, ::core::option::Option::Some(#runtime::value(#values)))*
        ])
    }
}

pub(crate) fn judge(spec: &Spec) -> TokenStream {
    let runtime = &spec.runtime;
    let result = Ident::new("result", Span::mixed_site());
    let by = |decide: &TokenStream, predicate: &Expr| {
        // Where the predicate is, as there the compiler reports that it is of another type.
        let call = quote!(#runtime::#decide(#result, #predicate));
        let outcome = located_at(predicate.span(), call);
        quote!(|#result| #runtime::verdict!(#result, #outcome))
    };
    match &spec.judge {
        Judge::ByType => quote!(|#result| #runtime::verdict!(#result)),
        Judge::ErrorIf(predicate) => by(&quote!(error_if), predicate),
        Judge::OkIf(predicate) => by(&quote!(ok_if), predicate),
    }
}

//! A function as written: its signature parsed, its body left as tokens.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, ReturnType, Signature, Type, Visibility};

/// A function with a body.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// `default`, in an impl that may be specialised.
    pub(crate) defaultness: TokenStream,
    pub(crate) signature: Signature,
    /// `#![…]` at the head of the body.
    pub(crate) inner_attributes: TokenStream,
    /// What follows them, between the braces.
    pub(crate) body: TokenStream,
    /// The braces with all that is in them.
    pub(crate) braces: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let defaultness = parse_defaultness(input)?;
        let mut signature: Signature = input.parse()?;
        // A `$t:ty` of `macro_rules!` comes in an invisible group, which says nothing of the type.
        if let ReturnType::Type(_, declared) = &mut signature.output {
            while let Type::Group(group) = &mut **declared {
                let named = group.elem.clone();
                *declared = named;
            }
        }
        let braces = parse_braces(input)?;
        let (inner_attributes, body) = split_inner_attributes(braces.stream());
        Ok(Self { attributes, visibility, defaultness, signature, inner_attributes, body, braces })
    }
}

impl Function {
    /// Whether the body ends in the middle of an expression: `self.`
    pub(crate) fn has_incomplete_body(&self) -> bool {
        let tokens: Vec<TokenTree> = self.body.clone().into_iter().collect();
        match &*tokens {
            // A range may end open.
            [.., TokenTree::Punct(before), TokenTree::Punct(last)] if last.as_char() == '.' => {
                before.as_char() != '.'
            }
            [.., TokenTree::Punct(last)] => !matches!(last.as_char(), ';' | '?' | '>'),
            _ => false,
        }
    }
}

/// The body's braces; a `$body:block` of `macro_rules!` comes in one more, invisible group.
fn parse_braces(input: ParseStream<'_>) -> syn::Result<Group> {
    match input.parse()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Ok(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => syn::parse2(group.stream()),
        other => Err(syn::Error::new_spanned(other, "expected a body")),
    }
}

/// `default` before a function is a keyword only there.
fn parse_defaultness(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let ahead = input.fork();
    match ahead.parse::<TokenTree>() {
        Ok(TokenTree::Ident(word)) if word == "default" && ahead.parse::<Signature>().is_ok() => {
            input.parse::<TokenTree>().map(TokenStream::from)
        }
        _ => Ok(TokenStream::new()),
    }
}

/// Splits a body into the `#![…]` at its head and what follows them.
pub(crate) fn split_inner_attributes(body: TokenStream) -> (TokenStream, TokenStream) {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    let mut attributes = 0;
    while let [TokenTree::Punct(hash), TokenTree::Punct(bang), TokenTree::Group(group), ..] =
        &tokens[attributes..]
    {
        if hash.as_char() != '#' || bang.as_char() != '!' || group.delimiter() != Delimiter::Bracket {
            break;
        }
        attributes += 3;
    }
    // A stream collected anew forgets that its invisible group came of a macro's variable, and the compiler then calls the
    // braces in it unnecessary.
    if attributes == 0 {
        return (TokenStream::new(), body);
    }
    let mut tokens = tokens.into_iter();
    (tokens.by_ref().take(attributes).collect(), tokens.collect())
}

//! A function as written, with its signature parsed and its body left as tokens.
//!
//! The body is not parsed: it may hold syntax that is newer than this crate, and tokens that are not rebuilt keep their spans.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, ReturnType, Signature, Type, Visibility};

/// A function with a body.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// The keyword `default` of a specializable method, or nothing.
    pub(crate) defaultness: TokenStream,
    pub(crate) signature: Signature,
    /// The `#![…]` at the start of the body, which have to stay the first tokens in it.
    pub(crate) inner_attributes: TokenStream,
    /// The tokens after them, up to the closing brace.
    pub(crate) body: TokenStream,
    /// The braces with everything in them.
    pub(crate) braces: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let defaultness = parse_defaultness(input)?;
        let mut signature: Signature = input.parse()?;
        // A `$t:ty` of `macro_rules!` comes in an invisible group. Without it, the type can be matched.
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
    /// Whether the body ends in the middle of an expression, as `self.` does while somebody is typing.
    pub(crate) fn has_incomplete_body(&self) -> bool {
        let tokens: Vec<TokenTree> = self.body.clone().into_iter().collect();
        match &*tokens {
            // `..` is complete: a range without an end.
            [.., TokenTree::Punct(before), TokenTree::Punct(last)] if last.as_char() == '.' => {
                before.as_char() != '.'
            }
            [.., TokenTree::Punct(last)] => !matches!(last.as_char(), ';' | '?' | '>'),
            _ => false,
        }
    }
}

/// Parses the body's braces. A `$body:block` of `macro_rules!` has an invisible group around them.
fn parse_braces(input: ParseStream<'_>) -> syn::Result<Group> {
    match input.parse()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Ok(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => syn::parse2(group.stream()),
        other => Err(syn::Error::new_spanned(other, "expected a body")),
    }
}

/// Parses `default` if a signature follows. Elsewhere the word is an identifier.
fn parse_defaultness(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let ahead = input.fork();
    match ahead.parse::<TokenTree>() {
        Ok(TokenTree::Ident(word)) if word == "default" && ahead.parse::<Signature>().is_ok() => {
            input.parse::<TokenTree>().map(TokenStream::from)
        }
        _ => Ok(TokenStream::new()),
    }
}

/// Splits a body into the `#![…]` at its start and the tokens after them.
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
    // The body is returned as it came: collected anew, an invisible group loses its origin, a variable of `macro_rules!`, and the
    // compiler then warns that the braces in it are unnecessary.
    if attributes == 0 {
        return (TokenStream::new(), body);
    }
    let mut tokens = tokens.into_iter();
    (tokens.by_ref().take(attributes).collect(), tokens.collect())
}

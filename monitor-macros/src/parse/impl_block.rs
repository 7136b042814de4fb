//! An impl block as written.
//!
//! Each member is parsed by itself: one that does not parse is kept as tokens, and those after it are still tracked.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, ImplItem, ImplItemMacro, ItemImpl, Token};

use super::function::Function;
use super::keyword::{is_keyword, parse_item_keyword};
use super::self_type::self_type_name;

/// An impl block as written.
#[derive(Debug)]
pub(crate) struct ImplBlock {
    /// The tokens before the braces.
    pub(crate) header: TokenStream,
    /// The prefix of its methods' ids. `None` if the header does not parse.
    pub(crate) type_name: Option<String>,
    pub(crate) braces: Group,
    pub(crate) inner_attributes: Vec<Attribute>,
    pub(crate) members: Vec<Member>,
}

#[derive(Debug)]
pub(crate) enum Member {
    Method(Box<Function>),
    /// A constant or a type.
    Other(TokenStream),
    /// A macro call, which may expand to methods.
    Macro(Box<ImplItemMacro>),
    /// A member that does not parse.
    Verbatim(Verbatim),
}

/// A member kept as tokens, without its attributes.
#[derive(Debug)]
pub(crate) struct Verbatim {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) rest: TokenStream,
}

impl ImplBlock {
    /// Whether the item is an impl block, by its keyword: the block may still not parse.
    pub(crate) fn starts_in(item: ParseStream<'_>) -> syn::Result<bool> {
        parse_item_keyword(item).map(|word| word == "impl")
    }
}

impl Parse for ImplBlock {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (header, braces) =
            split_header(input.parse()?).ok_or_else(|| input.error("expected the block's braces"))?;
        let type_name = parse_header(header.clone()).map(|block| self_type_name(&block)).ok();
        let (inner_attributes, members) = syn::parse::Parser::parse2(parse_members, braces.stream())?;
        Ok(Self { header, type_name, braces, inner_attributes, members })
    }
}

/// Splits an impl block into its header and its braces, which are the last ones: `impl Grid<{ N + 1 }> { … }` has others in its
/// header.
fn split_header(item: TokenStream) -> Option<(TokenStream, Group)> {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    loop {
        match tokens.pop()? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                return Some((tokens.into_iter().collect(), group));
            }
            // An `$item:item` of `macro_rules!` is in an invisible group.
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => tokens.extend(group.stream()),
            _ => return None,
        }
    }
}

fn parse_header(header: TokenStream) -> syn::Result<ItemImpl> {
    syn::parse2(quote!(#header {})).or_else(|error| {
        // `const impl` is unstable, and `syn` does not parse it.
        let mut tokens: Vec<TokenTree> = header.into_iter().collect();
        let constness = tokens.iter().position(|token| is_keyword(token, "const")).ok_or(error)?;
        tokens.remove(constness);
        syn::parse2(quote!(#(#tokens)* {}))
    })
}

fn parse_members(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Vec<Member>)> {
    let inner_attributes = input.call(Attribute::parse_inner)?;
    let mut members = Vec::new();
    while !input.is_empty() {
        members.push(input.parse()?);
    }
    Ok((inner_attributes, members))
}

impl Parse for Member {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.fork().parse::<Function>().is_ok() {
            return input.parse().map(|function| Self::Method(Box::new(function)));
        }
        if input.fork().parse::<ImplItem>().is_ok() {
            return Ok(match input.parse()? {
                ImplItem::Macro(call) => Self::Macro(Box::new(call)),
                other => Self::Other(other.to_token_stream()),
            });
        }
        let attributes = input.call(Attribute::parse_outer)?;
        let mut rest = TokenStream::new();
        while !input.is_empty() {
            let token: TokenTree = input.parse()?;
            let is_end = ends_member(&token, input);
            rest.extend([token]);
            if is_end {
                break;
            }
        }
        Ok(Self::Verbatim(Verbatim { attributes, rest }))
    }
}

/// Whether a member that does not parse ends with the token: with a `;`, or with the braces of its body.
fn ends_member(token: &TokenTree, behind: ParseStream<'_>) -> bool {
    match token {
        TokenTree::Punct(punct) => punct.as_char() == ';' && !behind.peek(Token![;]),
        // Braces in a type, as in `Grid<{ N }>`, are followed neither by the block's end nor by the first token of another member.
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            behind.is_empty()
                || behind.peek(Token![#])
                || behind.peek(syn::Ident::peek_any) && !behind.peek(Token![where])
        }
        _ => false,
    }
}

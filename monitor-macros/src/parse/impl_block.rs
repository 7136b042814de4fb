//! An impl block whose methods are tracked.

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
    /// Everything before the braces.
    pub(crate) header: TokenStream,
    /// None if the header does not parse.
    pub(crate) type_name: Option<String>,
    pub(crate) braces: Group,
    pub(crate) inner_attributes: Vec<Attribute>,
    pub(crate) members: Vec<Member>,
}

#[derive(Debug)]
pub(crate) enum Member {
    Method(Box<Function>),
    /// Constants and types.
    Other(TokenStream),
    /// A macro's call, which may write methods.
    Macro(Box<ImplItemMacro>),
    /// What does not parse.
    Verbatim(Verbatim),
}

/// A member as tokens, behind its attributes.
#[derive(Debug)]
pub(crate) struct Verbatim {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) rest: TokenStream,
}

impl ImplBlock {
    /// Whether the item is an impl block: `impl` is the word that says what it is.
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

/// Splits the block from what is before it. The block is the last group, since there may be braces in the header as well:
/// `impl Grid<{ N + 1 }>`.
fn split_header(item: TokenStream) -> Option<(TokenStream, Group)> {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    loop {
        match tokens.pop()? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                return Some((tokens.into_iter().collect(), group));
            }
            // An `$item:item` of `macro_rules!`.
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => tokens.extend(group.stream()),
            _ => return None,
        }
    }
}

fn parse_header(header: TokenStream) -> syn::Result<ItemImpl> {
    syn::parse2(quote!(#header {})).or_else(|error| {
        // `const impl`, which is unstable.
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

/// Whether a member that does not parse ends with the token: with its `;`, or with its body.
fn ends_member(token: &TokenTree, behind: ParseStream<'_>) -> bool {
    match token {
        TokenTree::Punct(punct) => punct.as_char() == ';' && !behind.peek(Token![;]),
        // In the middle, braces hold a constant: `Grid<{ N }>`, `[u8; { N }]`.
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            behind.is_empty()
                || behind.peek(Token![#])
                || behind.peek(syn::Ident::peek_any) && !behind.peek(Token![where])
        }
        _ => false,
    }
}

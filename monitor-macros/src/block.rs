//! An impl block whose methods are tracked.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, ImplItem, ImplItemMacro, ItemImpl, Meta, Token};

use crate::diagnostics::Diagnostics;
use crate::expand::emit_function;
use crate::function::Function;
use crate::item::{find_gen_fn_error, is_keyword, parse_item_keyword};
use crate::kind::Kind;
use crate::options::Options;
use crate::refusal::refuse_function;
use crate::self_type::self_type_name;
use crate::spec::Spec;

/// The attribute that speaks to the block's own.
const HELPER_ATTRIBUTE: &str = "track";

/// An impl block as written.
#[derive(Debug)]
pub(crate) struct ImplBlock {
    /// Everything before the braces.
    header: TokenStream,
    /// None if the header does not parse.
    type_name: Option<String>,
    braces: Group,
    inner_attributes: Vec<Attribute>,
    members: Vec<Member>,
}

#[derive(Debug)]
enum Member {
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
struct Verbatim {
    attributes: Vec<Attribute>,
    rest: TokenStream,
}

impl ImplBlock {
    /// Whether the item is an impl block: `impl` is the word that says what it is.
    pub(crate) fn starts_in(item: ParseStream<'_>) -> syn::Result<bool> {
        parse_item_keyword(item).map(|word| word == "impl")
    }

    /// Emits the block with its methods tracked.
    pub(crate) fn emit_tracked(&self, kind: Kind, options: &Options, errors: &Diagnostics) -> TokenStream {
        if let Some(id) = options.id.token() {
            errors.error(
                id,
                "an id on an impl block would be shared by all its methods; put `#[track(\"…\")]` on the method",
            );
        }
        if let Some(stream) = options.stream.token() {
            errors.error(
                stream,
                "`stream` on an impl block would speak of all its methods; put `#[track(stream)]` on the method",
            );
        }
        self.emit_with_members(|member| match member {
            Member::Method(method) => self.emit_tracked_method(kind, options, method, errors),
            Member::Other(tokens) => tokens.clone(),
            Member::Macro(call) => {
                check_macro_call(kind, call, errors);
                emit_untracked(member)
            }
            Member::Verbatim(verbatim) => verbatim.emit_refused(kind, errors),
        })
    }

    /// The block as written, without the attributes that only speak to ours.
    pub(crate) fn emit_untracked(&self) -> TokenStream {
        self.emit_with_members(emit_untracked)
    }

    fn emit_with_members(&self, emitted: impl Fn(&Member) -> TokenStream) -> TokenStream {
        let members = self.members.iter().map(emitted);
        let inner_attributes = &self.inner_attributes;
        let mut braces = Group::new(Delimiter::Brace, quote!(#(#inner_attributes)* #(#members)*));
        braces.set_span(self.braces.span());
        let header = &self.header;
        quote!(#header #braces)
    }

    fn emit_tracked_method(
        &self,
        kind: Kind,
        block: &Options,
        method: &Function,
        errors: &Diagnostics,
    ) -> TokenStream {
        let mut options = match Tracking::parse(kind, &method.attributes, errors) {
            Tracking::Skip => return emit_untracked_method(method),
            Tracking::Track(_) if method.has_incomplete_body() => return emit_untracked_method(method),
            Tracking::Track(options) => *options,
        };
        let Some(type_name) = &self.type_name else { return refuse_function(emit_untracked_method(method)) };
        options.inherit(block);
        let spec = Spec::new(kind, &options, method, Some(type_name), errors);
        emit_function(&spec, &strip_helper_attributes(method))
    }
}

/// What a method asks for.
enum Tracking {
    Skip,
    Track(Box<Options>),
}

impl Tracking {
    fn parse(kind: Kind, attributes: &[Attribute], errors: &Diagnostics) -> Self {
        if attributes.iter().any(is_tracking_attribute) {
            return Self::Skip;
        }
        let mut helpers = attributes.iter().filter(|attribute| is_helper_attribute(attribute));
        let Some(helper) = helpers.next() else { return Self::Track(Box::default()) };
        for second in helpers {
            errors.error(second, "duplicate `#[track(…)]`; write all options into one");
        }
        let arguments = match &helper.meta {
            Meta::List(list) => list.tokens.clone(),
            other => {
                errors.error(
                    other,
                    "`#[track]` needs `(skip)` or options: `#[track(skip)]`, `#[track(\"id\", …)]`",
                );
                return Self::Skip;
            }
        };
        if syn::parse2::<syn::Ident>(arguments.clone()).is_ok_and(|word| word == "skip") {
            return Self::Skip;
        }
        Self::Track(Box::new(Options::parse(kind, arguments, errors)))
    }
}

/// Whether the attribute is one of the three itself, by whatever path: such a method has its own.
fn is_tracking_attribute(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| Kind::ALL.iter().any(|kind| last.ident == kind.attribute_name()))
}

fn is_helper_attribute(attribute: &Attribute) -> bool {
    attribute.path().is_ident(HELPER_ATTRIBUTE)
}

/// Refuses a macro's call, whose methods cannot be seen, unless it is left out.
fn check_macro_call(kind: Kind, call: &ImplItemMacro, errors: &Diagnostics) {
    if let Tracking::Track(_) = Tracking::parse(kind, &call.attrs, errors) {
        errors.error(
            &call.mac.path,
            "the methods that a macro writes cannot be tracked from outside; put `#[track(skip)]` on its call, \
             and the attribute on the methods in the macro",
        );
    }
}

impl Verbatim {
    /// The member as written. Where it is a function, it does not compile, since it is not tracked.
    fn emit_refused(&self, kind: Kind, errors: &Diagnostics) -> TokenStream {
        let is_function = self.rest.clone().into_iter().any(|token| is_keyword(&token, "fn"));
        match (Tracking::parse(kind, &self.attributes, errors), find_gen_fn_error(&self.rest)) {
            (Tracking::Track(_), Some(error)) => errors.push(error),
            (Tracking::Track(_), None) if is_function => return refuse_function(self.emit_untracked()),
            _ => {}
        }
        self.emit_untracked()
    }

    fn emit_untracked(&self) -> TokenStream {
        let attributes = self.attributes.iter().filter(|attribute| !is_helper_attribute(attribute));
        let rest = &self.rest;
        quote!(#(#attributes)* #rest)
    }
}

fn emit_untracked(member: &Member) -> TokenStream {
    match member {
        Member::Method(method) => emit_untracked_method(method),
        Member::Other(tokens) => tokens.clone(),
        Member::Macro(call) => {
            let mut call = call.clone();
            call.attrs.retain(|attribute| !is_helper_attribute(attribute));
            call.to_token_stream()
        }
        Member::Verbatim(verbatim) => verbatim.emit_untracked(),
    }
}

fn emit_untracked_method(method: &Function) -> TokenStream {
    let Function { attributes, visibility, defaultness, signature, braces, .. } =
        strip_helper_attributes(method);
    quote!(#(#attributes)* #visibility #defaultness #signature #braces)
}

fn strip_helper_attributes(method: &Function) -> Function {
    let mut method = method.clone();
    method.attributes.retain(|attribute| !is_helper_attribute(attribute));
    method
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

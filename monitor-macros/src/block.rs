//! An impl block whose methods are tracked.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, ImplItem, ItemImpl, Meta, Path, Token, Type, TypeParamBound};

use crate::diagnostics::Diagnostics;
use crate::expand::emit;
use crate::function::Function;
use crate::kind::Kind;
use crate::options::Options;
use crate::spec::Spec;

/// The attribute that speaks to the block's own.
const HELPER: &str = "track";

/// An impl block as written.
#[derive(Debug)]
pub(crate) struct Block {
    /// Everything before the braces.
    header: TokenStream,
    type_name: String,
    braces: Group,
    inner_attributes: Vec<Attribute>,
    members: Vec<Member>,
}

#[derive(Debug)]
enum Member {
    Method(Box<Function>),
    Other(TokenStream),
}

impl Block {
    /// Whether the item is an impl block: `impl` stands before its first braces, and no `fn`.
    pub(crate) fn is_ahead(item: &TokenStream) -> bool {
        for token in item.clone() {
            match token {
                TokenTree::Ident(word) if word == "impl" => return true,
                TokenTree::Ident(word)
                    if ["fn", "struct", "enum", "trait", "mod"].iter().any(|other| word == other) =>
                {
                    return false;
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return false,
                _ => {}
            }
        }
        false
    }

    /// Emits the block with its methods tracked.
    pub(crate) fn track(&self, kind: Kind, options: &Options, errors: &Diagnostics) -> TokenStream {
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
        self.with_members(|method| self.track_method(kind, options, method, errors))
    }

    /// The block as written, without the attributes that only speak to ours.
    pub(crate) fn untracked(&self) -> TokenStream {
        self.with_members(untracked)
    }

    fn with_members(&self, method: impl Fn(&Function) -> TokenStream) -> TokenStream {
        let members = self.members.iter().map(|member| match member {
            Member::Method(function) => method(function),
            Member::Other(tokens) => tokens.clone(),
        });
        let inner_attributes = &self.inner_attributes;
        let mut braces = Group::new(Delimiter::Brace, quote!(#(#inner_attributes)* #(#members)*));
        braces.set_span(self.braces.span());
        let header = &self.header;
        quote!(#header #braces)
    }

    fn track_method(
        &self,
        kind: Kind,
        block: &Options,
        method: &Function,
        errors: &Diagnostics,
    ) -> TokenStream {
        let mut options = match Choice::of(kind, method, errors) {
            Choice::Skip => return untracked(method),
            Choice::Track(_) if method.is_cut_short() => return untracked(method),
            Choice::Track(options) => *options,
        };
        options.or(block);
        let spec = Spec::new(kind, &options, method, Some(&self.type_name), errors);
        emit(&spec, &without_helpers(method))
    }
}

/// What a method asks for.
enum Choice {
    Skip,
    Track(Box<Options>),
}

impl Choice {
    fn of(kind: Kind, method: &Function, errors: &Diagnostics) -> Self {
        if method.attributes.iter().any(is_tracking) {
            return Self::Skip;
        }
        let mut helpers = method.attributes.iter().filter(|attribute| attribute.path().is_ident(HELPER));
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
fn is_tracking(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| Kind::ALL.iter().any(|kind| last.ident == kind.attribute()))
}

fn untracked(method: &Function) -> TokenStream {
    let Function { attributes, visibility, defaultness, signature, block, .. } = without_helpers(method);
    quote!(#(#attributes)* #visibility #defaultness #signature #block)
}

fn without_helpers(method: &Function) -> Function {
    let Function { attributes, visibility, defaultness, signature, inner_attributes, body, block } = method;
    Function {
        attributes: attributes
            .iter()
            .filter(|attribute| !attribute.path().is_ident(HELPER))
            .cloned()
            .collect(),
        visibility: visibility.clone(),
        defaultness: defaultness.clone(),
        signature: signature.clone(),
        inner_attributes: inner_attributes.clone(),
        body: body.clone(),
        block: block.clone(),
    }
}

impl Parse for Block {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut header = TokenStream::new();
        let braces = loop {
            match input.parse()? {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break group,
                token => header.extend([token]),
            }
        };
        let empty: ItemImpl = syn::parse2(quote!(#header {}))?;
        let (inner_attributes, members) = syn::parse::Parser::parse2(parse_members, braces.stream())?;
        Ok(Self { header, type_name: type_name(&empty.self_ty), braces, inner_attributes, members })
    }
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
        if let Ok(other) = input.fork().parse::<ImplItem>() {
            input.parse::<ImplItem>()?;
            return Ok(Self::Other(other.to_token_stream()));
        }
        // Not Rust as we know it: the compiler says so itself, at the right place.
        let mut rest = TokenStream::new();
        while !input.is_empty() {
            let token: TokenTree = input.parse()?;
            let is_end = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ';');
            rest.extend([token]);
            if is_end && !input.peek(Token![;]) {
                break;
            }
        }
        Ok(Self::Other(rest))
    }
}

/// The type's name without path and generics.
fn type_name(self_type: &Type) -> String {
    match self_type {
        Type::Path(path) => last_name(&path.path),
        Type::Reference(reference) => type_name(&reference.elem),
        Type::Group(group) => type_name(&group.elem),
        Type::Paren(paren) => type_name(&paren.elem),
        Type::TraitObject(object) => object.bounds.iter().find_map(trait_name).unwrap_or_default(),
        other => other.to_token_stream().to_string().replace(' ', ""),
    }
}

fn trait_name(bound: &TypeParamBound) -> Option<String> {
    match bound {
        TypeParamBound::Trait(bound) => Some(last_name(&bound.path)),
        _ => None,
    }
}

fn last_name(path: &Path) -> String {
    path.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default()
}

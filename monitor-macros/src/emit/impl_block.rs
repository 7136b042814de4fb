//! Emits an impl block, with its methods tracked or as written.

use std::cell::Cell;

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::{GenericArgument, ImplItemMacro, PathArguments, ReturnType, Signature, Type, TypePath};

use super::function::emit_function;
use super::refusal::refuse_function;
use crate::analysis::spec::{ModelSpec, Spec};
use crate::diagnostics::Diagnostics;
use crate::kind::Kind;
use crate::parse::function::Function;
use crate::parse::impl_block::{ImplBlock, Member, Verbatim};
use crate::parse::keyword::{find_gen_fn_error, is_keyword};
use crate::parse::options::Options;
use crate::parse::track_attribute::{Tracking, is_track_attribute};

/// Emits the block with its methods tracked.
pub(crate) fn emit_impl_block(
    block: &ImplBlock,
    kind: Kind,
    options: &Options,
    errors: &Diagnostics,
) -> TokenStream {
    check_block_options(options, errors);
    let mut options = options.clone();
    let prefix = options.prefix.take();
    let owner = block.type_name.as_ref().map(|type_name| match &prefix {
        Some(prefix) => format!("{}::{type_name}", prefix.value()),
        None => type_name.clone(),
    });
    let methods = Methods { kind, owner, options, has_missed_provider: Cell::new(false) };
    emit_with_members(block, |member| match member {
        Member::Method(method) if is_left_out(method, block.type_name.as_deref()) => {
            emit_untracked_method(method)
        }
        Member::Method(method) => methods.emit(method, errors),
        Member::Other(tokens) => tokens.clone(),
        Member::Macro(call) => {
            check_macro_call(kind, call, errors);
            emit_untracked_member(member)
        }
        Member::Verbatim(verbatim) => emit_verbatim(kind, verbatim, errors),
    })
}

/// Emits the block as written, without the `#[track(…)]` attributes, which the compiler does not know.
pub(crate) fn emit_untracked_impl_block(block: &ImplBlock) -> TokenStream {
    emit_with_members(block, emit_untracked_member)
}

fn emit_with_members(block: &ImplBlock, emit_member: impl Fn(&Member) -> TokenStream) -> TokenStream {
    let ImplBlock { header, inner_attributes, members, .. } = block;
    let members = members.iter().map(emit_member);
    let mut braces = Group::new(Delimiter::Brace, quote!(#(#inner_attributes)* #(#members)*));
    braces.set_span(block.braces.span());
    quote!(#header #braces)
}

/// Refuses the options that only one method can have.
fn check_block_options(options: &Options, errors: &Diagnostics) {
    if let Some(id) = options.id.token() {
        errors.error(
            id,
            "an id on an impl block would be shared by all its methods; put `#[track(\"…\")]` on the method",
        );
    }
    if let Some(repeats) = options.repeats.token() {
        errors.error(
            repeats,
            "`repeats` on an impl block would apply to all its methods; put `#[track(repeats(…))]` on the method",
        );
    }
    if let Some(record) = options.record.token() {
        errors.error(
            record,
            "`record` on an impl block would apply to all its methods; put `#[track(record(…))]` on the method",
        );
    }
    if let Some(stream) = options.stream.token() {
        errors.error(
            stream,
            "`stream` on an impl block would apply to all its methods; put `#[track(stream)]` on the method",
        );
    }
}

/// Whether a method stays untracked: a `const fn` or a constructor, without a `#[track(…)]` of its own.
///
/// A `const fn` cannot be tracked. A constructor makes a value of the type and does none of its work. Nearly every block has one,
/// and it would count as a call of an agent.
fn is_left_out(method: &Function, type_name: Option<&str>) -> bool {
    let is_asked_for = method.attributes.iter().any(is_track_attribute);
    !is_asked_for && (method.signature.constness.is_some() || is_constructor(&method.signature, type_name))
}

/// Whether a function is a constructor by Rust's naming conventions: synchronous, without `self`, and returning the type, also
/// inside an `Option`, a `Result` or a pointer.
fn is_constructor(signature: &Signature, type_name: Option<&str>) -> bool {
    let name = signature.ident.unraw().to_string();
    let is_named = ["new", "default", "from", "try_from", "from_str"].contains(&name.as_str())
        || ["new_", "with_", "from_", "try_from_", "try_new"].iter().any(|front| name.starts_with(front));
    is_named
        && signature.asyncness.is_none()
        && signature.receiver().is_none()
        && matches!(&signature.output, ReturnType::Type(_, declared) if gives(declared, type_name))
}

/// Whether a type is the block's own type, alone or inside an `Option`, a `Result` or a pointer.
fn gives(declared: &Type, type_name: Option<&str>) -> bool {
    let Type::Path(TypePath { path, .. }) = declared else { return false };
    let Some(last) = path.segments.last() else { return false };
    let name = last.ident.unraw().to_string();
    if name == "Self" || Some(name.as_str()) == type_name {
        return true;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    let is_around = ["Option", "Result", "Box", "Rc", "Arc", "Pin"].contains(&name.as_str());
    is_around
        && matches!(arguments.args.first(), Some(GenericArgument::Type(inner)) if gives(inner, type_name))
}

/// The methods of a block, with all that it gives them.
struct Methods {
    kind: Kind,
    /// The name of the type, after the prefix. `None` if the header does not parse.
    owner: Option<String>,
    options: Options,
    /// Whether a method has warned of the block's provider.
    has_missed_provider: Cell<bool>,
}

impl Methods {
    fn emit(&self, method: &Function, errors: &Diagnostics) -> TokenStream {
        let mut options = match Tracking::parse(self.kind, &method.attributes, errors) {
            Tracking::Skip => return emit_untracked_method(method),
            Tracking::Track(_) if method.has_incomplete_body() => return emit_untracked_method(method),
            Tracking::Track(options) => *options,
        };
        // Without the type's name there is no id to count the method's calls under.
        let Some(owner) = &self.owner else { return refuse_function(emit_untracked_method(method)) };
        let inherits_provider = options.provider.get().is_none();
        options.inherit(&self.options);
        let mut spec = Spec::new(self.kind, &options, method, Some(owner), errors);
        if let Some(model) = spec.model.as_mut().filter(|_| inherits_provider) {
            self.warn_once(model);
        }
        emit_function(&spec, &without_track_attributes(method))
    }

    /// Leaves the warning of the block's provider to the first method: one literal is one mistake.
    fn warn_once(&self, model: &mut ModelSpec) {
        if model.missed_provider.is_some() && self.has_missed_provider.replace(true) {
            model.missed_provider = None;
        }
    }
}

/// Refuses a macro's call, whose methods cannot be seen, unless it is left out.
fn check_macro_call(kind: Kind, call: &ImplItemMacro, errors: &Diagnostics) {
    if let Tracking::Track(_) = Tracking::parse(kind, &call.attrs, errors) {
        errors.error(
            &call.mac.path,
            "the methods of a macro call cannot be tracked from outside; put `#[track(skip)]` on the call, and the \
             attribute on the methods in the macro",
        );
    }
}

/// Emits a member that does not parse: as written, or, where it is a function that should be tracked, such that it cannot be built.
fn emit_verbatim(kind: Kind, verbatim: &Verbatim, errors: &Diagnostics) -> TokenStream {
    let written = emit_untracked_verbatim(verbatim);
    let Tracking::Track(_) = Tracking::parse(kind, &verbatim.attributes, errors) else { return written };
    if let Some(error) = find_gen_fn_error(&verbatim.rest) {
        errors.push(error);
        return written;
    }
    let is_function = verbatim.rest.clone().into_iter().any(|token| is_keyword(&token, "fn"));
    if is_function { refuse_function(written) } else { written }
}

fn emit_untracked_member(member: &Member) -> TokenStream {
    match member {
        Member::Method(method) => emit_untracked_method(method),
        Member::Other(tokens) => tokens.clone(),
        Member::Macro(call) => {
            let mut call = call.clone();
            call.attrs.retain(|attribute| !is_track_attribute(attribute));
            call.to_token_stream()
        }
        Member::Verbatim(verbatim) => emit_untracked_verbatim(verbatim),
    }
}

fn emit_untracked_method(method: &Function) -> TokenStream {
    let Function { attributes, visibility, defaultness, signature, braces, .. } =
        without_track_attributes(method);
    quote!(#(#attributes)* #visibility #defaultness #signature #braces)
}

fn emit_untracked_verbatim(Verbatim { attributes, rest }: &Verbatim) -> TokenStream {
    let attributes = attributes.iter().filter(|attribute| !is_track_attribute(attribute));
    quote!(#(#attributes)* #rest)
}

fn without_track_attributes(method: &Function) -> Function {
    let mut method = method.clone();
    method.attributes.retain(|attribute| !is_track_attribute(attribute));
    method
}

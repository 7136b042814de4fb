//! Compares the emitted code of each main shape of a function with the files that the attributes' documentation shows.
//!
//! After a deliberate change, `EXPANSIONS=overwrite cargo test -p monitor-macros --lib` writes `expansions/*.emitted.rs` anew.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Attribute, Item, Meta};

use crate::expand;
use crate::kind::Kind;

/// The names of the files in `expansions/`.
const CASES: [&str; 6] = ["value", "asynchronous", "future", "boxed", "stream", "block"];

#[cfg(not(feature = "off"))]
#[test]
fn each_shape_is_emitted_as_documented() {
    for case in CASES {
        let kept = expansions_directory().join(format!("{case}.emitted.rs"));
        let emitted = run_rustfmt(&expand_case(case));
        if std::env::var_os("EXPANSIONS").is_some_and(|wish| wish == "overwrite") {
            fs::write(&kept, emitted).unwrap();
        } else {
            assert_eq!(emitted, fs::read_to_string(&kept).unwrap_or_default(), "{}", kept.display());
        }
    }
}

#[cfg(feature = "off")]
#[test]
fn with_off_each_item_comes_back_token_for_token() {
    for case in CASES {
        let written =
            parse_case(case).items.into_iter().filter(|item| !is_own_import(item)).map(|mut item| {
                attributes_of(&mut item).map(Vec::clear);
                remove_helper_attributes(&mut item);
                item.to_token_stream()
            });
        assert_eq!(expand_case(case).to_string(), written.collect::<TokenStream>().to_string());
    }
}

/// Removes each `#[track]`, which the attribute on the block removes as well.
#[cfg(feature = "off")]
fn remove_helper_attributes(item: &mut Item) {
    if let Item::Impl(block) = item {
        for member in &mut block.items {
            if let syn::ImplItem::Fn(method) = member {
                method.attrs.retain(|attribute| !attribute.path().is_ident("track"));
            }
        }
    }
}

fn expansions_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("expansions")
}

fn parse_case(case: &str) -> syn::File {
    syn::parse_file(&fs::read_to_string(expansions_directory().join(format!("{case}.rs"))).unwrap()).unwrap()
}

/// Expands the attributes of a file, and leaves their import out.
fn expand_case(case: &str) -> TokenStream {
    let items = parse_case(case).items.into_iter().filter(|item| !is_own_import(item));
    items
        .map(|mut item| match attributes_of(&mut item).and_then(Vec::pop) {
            Some(attribute) => expand::expand_attribute(
                kind_of(&attribute),
                arguments_of(&attribute),
                item.to_token_stream(),
            ),
            None => item.to_token_stream(),
        })
        .collect()
}

fn is_own_import(item: &Item) -> bool {
    matches!(item, Item::Use(import) if import.to_token_stream().to_string().contains("monitor_runtime"))
}

fn attributes_of(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    match item {
        Item::Fn(function) => Some(&mut function.attrs),
        Item::Impl(block) => Some(&mut block.attrs),
        _ => None,
    }
}

fn kind_of(attribute: &Attribute) -> Kind {
    let kinds = Kind::ALL.iter().copied();
    kinds.clone().find(|kind| attribute.path().is_ident(kind.attribute_name())).unwrap()
}

fn arguments_of(attribute: &Attribute) -> TokenStream {
    match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    }
}

/// Formats the tokens with `rustfmt`.
#[cfg(not(feature = "off"))]
fn run_rustfmt(tokens: &TokenStream) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=100"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    rustfmt.stdin.take().unwrap().write_all(tokens.to_string().as_bytes()).unwrap();
    let output = rustfmt.wait_with_output().unwrap();
    assert!(output.status.success(), "rustfmt cannot read what is emitted: {tokens}");
    String::from_utf8(output.stdout).unwrap()
}

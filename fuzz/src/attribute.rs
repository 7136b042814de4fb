//! An attribute with any arguments: it may refuse them, but it may not panic, lose the item or emit what is no Rust.

use proc_macro2::TokenStream;

use crate::expand;
use crate::kind::Kind;

/// What the attribute stands on; `ARGUMENTS` is where a method's own go.
const ITEMS: [&str; 6] = [
    "fn f(a: u8, b: &str) -> Result<u8, E> { g(a)?; Ok(a) }",
    "pub async fn f<'a, T: Send>(self: &'a Self, (a, mut b): (T, u8)) -> Option<&'a T> { b += 1; None }",
    "fn f() -> impl Stream<Item = Result<u8, E>> + Send { g() }",
    "unsafe extern \"C\" fn f(a: u8) -> ! { loop {} }",
    "struct S;",
    "impl S { #[track(ARGUMENTS)] fn f(&self) { \"SELECT 1\"; } const C: u8 = 1; }",
];

/// Recursion as deep as this is the compiler's to refuse, before it calls the attribute.
const DEEPEST: usize = 64;

/// Expands an attribute: the first byte says which and on what, the rest is its arguments.
///
/// # Panics
///
/// If what comes out breaks a promise.
pub fn arguments(input: &[u8]) {
    let Some((&choice, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if text.matches(['(', '[', '{', '<', '&', '*', '-', '!', '|', '=', '.', '?']).count() > DEEPEST {
        return;
    }
    let template = ITEMS[usize::from(choice) / 3 % ITEMS.len()];
    // The upper half is the model's, so that the kept inputs keep their kinds.
    let kind = if choice < 128 { Kind::ALL[usize::from(choice) % 3] } else { Kind::Model };
    let (Ok(given), Ok(item)) = (text.parse(), template.replace("ARGUMENTS", text).parse()) else { return };
    let is_in_block = template.contains("ARGUMENTS");
    let given = if is_in_block { TokenStream::new() } else { given };
    check(kind, given, &item, template);
}

fn check(kind: Kind, given: TokenStream, item: &TokenStream, template: &str) {
    let emitted = expand::expand_attribute(kind, given, item.clone()).to_string();
    let file = match syn::parse_str::<syn::File>(&emitted) {
        Ok(file) => file,
        // A method's arguments may be such that the block is none.
        Err(_) if syn::parse2::<syn::File>(item.clone()).is_err() => return,
        Err(error) => panic!("{error}: {emitted}"),
    };
    let errors = file.items.iter().filter(|item| matches!(item, syn::Item::Macro(_))).count();
    assert_eq!(file.items.len(), errors + 1, "the item and the errors: {emitted}");
    if errors > 0 && !template.contains("ARGUMENTS") {
        assert!(emitted.starts_with(&item.to_string()), "the item comes back as it was: {emitted}");
    }
}

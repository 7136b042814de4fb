//! Lints report the same on each line of these functions, with their attributes and without.
//!
//! The exceptions are marked by `lost` or `added`, and the guide names their lints.

#![warn(clippy::pedantic, clippy::nursery)]
#![warn(
    clippy::closure_returning_async_block,
    clippy::default_numeric_fallback,
    clippy::implicit_return,
    clippy::panic,
    clippy::panic_in_result_fn,
    clippy::shadow_reuse,
    clippy::unreachable,
    clippy::unwrap_used,
    clippy::unwrap_in_result
)]
#![allow(dead_code, clippy::missing_const_for_fn, clippy::needless_return)]

use std::fmt;
use std::future::ready;
use std::pin::Pin;

use monitor_runtime::{track_agent, track_query, track_skill};

fn main() {}

struct Limits(u8);

impl Default for Limits {
    #[track_skill]
    fn default() -> Self {
        Limits::default() // lost: clippy::implicit_return
    }
}

impl PartialEq for Limits {
    #[track_skill]
    fn eq(&self, other: &Self) -> bool {
        self == other
    }
}

impl fmt::Display for Limits {
    #[track_skill]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0) // lost: clippy::implicit_return
    }
}

#[track_agent]
impl Limits {
    fn recursive(&self, n: u8) -> u8 {
        self.recursive(n)
    }

    fn recursive_result(&self, n: u8) -> Result<u8, String> {
        self.recursive_result(n) // lost: clippy::implicit_return
    }

    fn unit(&self) {
        self.unit();
    }

    fn name<'a>(&'a self, other: &str) -> Result<&'a u8, String> { // lost: clippy::unnecessary_wraps
        let _ = other;
        Ok(&self.0) // lost: clippy::implicit_return
    }

    async fn later<'a>(&'a self) -> Result<&'a u8, String> {
        ready(()).await;
        Ok(&self.0)
    }
}

#[track_skill]
fn first_word<'a>(text: &'a str) -> &'a str {
    text.split(' ').next().unwrap_or(text) // lost: clippy::implicit_return
}

#[track_skill]
fn first_word_or_none<'a>(text: &'a str) -> Option<&'a str> {
    let word = text.split(' ').next()?;
    Some(word)
}

#[track_skill]
fn first_word_or_error<'a>(text: &'a str) -> Result<&'a str, String> {
    let word = text.split(' ').next().ok_or("empty")?;
    Ok(word)
}

#[track_skill]
async fn first_word_later<'a>(text: &'a str) -> &'a str {
    ready(()).await;
    text.split(' ').next().unwrap_or(text)
}

struct Word<'a>(&'a str);

#[track_skill]
fn first_word_of_its_own<'a>(text: &'a str) -> Word<'a> {
    Word(text)
}

#[track_skill]
fn first_word_promised<'a>(text: &'a str) -> impl Future<Output = &'a str> {
    ready(text)
}

#[track_skill]
fn first_word_boxed<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = &'a str> + 'a>> {
    Box::pin(ready(text))
}

#[expect(clippy::needless_lifetimes, clippy::boxed_local, reason = "fires as without the attribute")]
#[track_skill]
fn expected<'a>(text: &'a str, number: Box<u8>) -> &'a str {
    if *number == 1 { text } else { "" } // lost: clippy::implicit_return
}

#[track_skill]
fn boxed(number: Box<u8>) -> u8 {
    *number
}

#[track_skill]
fn boxed_result(number: Box<[u8; 4]>) -> Result<u8, String> { // lost: clippy::unnecessary_wraps
    Ok(number[0]) // lost: clippy::implicit_return
}

#[track_skill]
fn boxed_limits(limits: Box<Limits>) -> u8 { // lost: clippy::boxed_local // lost: clippy::needless_pass_by_value
    limits.0
}

#[track_skill]
fn by_value(text: String, list: Vec<String>) -> usize {
    text.len() + list.len() // lost: clippy::implicit_return
}

#[track_query]
fn by_value_result(text: String) -> Result<usize, String> { // lost: clippy::unnecessary_wraps
    Ok(text.len()) // lost: clippy::implicit_return
}

#[track_query]
fn by_value_early(text: String) -> usize {
    if text.is_empty() {
        return 1;
    }
    text.len() // lost: clippy::implicit_return
}

#[track_query]
fn by_value_failing(text: String) -> Result<usize, std::num::ParseIntError> { // lost: clippy::needless_pass_by_value
    let number: usize = text.parse()?;
    Ok(number)
}

#[track_skill]
fn limits_by_value(limits: Limits) -> u8 { // lost: clippy::needless_pass_by_value
    limits.0
}

#[track_agent]
async fn no_await(text: &str) -> usize {
    text.len() // lost: clippy::implicit_return
}

#[track_agent]
async fn no_await_failing(text: &str) -> Result<usize, std::num::ParseIntError> { // lost: clippy::unused_async
    let number: usize = text.parse()?;
    Ok(number)
}

#[track_agent]
fn future(number: u8) -> impl Future<Output = u8> { // lost: clippy::manual_async_fn
    async move { number }
}

#[track_agent]
fn future_behind_a_statement(number: u8) -> impl Future<Output = u8> {
    let number = number + 1;
    async move { number }
}

#[track_agent]
fn careless(mut n: u8) {
    n = 3;
}

#[track_agent]
fn careless_result(mut n: u8) -> Result<(), String> { // lost: clippy::unnecessary_wraps
    n = 3;
    Ok(()) // lost: clippy::implicit_return
}

#[track_agent]
fn careless_early(mut n: u8, mut text: String) -> Result<(), std::num::ParseIntError> {
    let _: u8 = "1".parse()?;
    n = 3;
    text = String::new();
    Ok(())
}

#[track_agent]
async fn careless_later(mut n: u8, mut text: String) { // lost: clippy::collection_is_never_read
    ready(()).await;
    n = 3;
    text = String::new();
}

#[track_skill]
fn large() -> Result<u8, [u8; 200]> { // lost: clippy::unnecessary_wraps
    Ok(1) // lost: clippy::implicit_return
}

#[track_skill]
fn large_early() -> Result<u8, [u8; 200]> {
    large()?;
    Ok(1)
}

#[track_skill]
async fn large_later() -> Result<u8, [u8; 200]> {
    ready(()).await;
    large()
}

#[track_skill]
fn number() -> i32 {
    let number = 1;
    number + 1
}

#[track_skill]
fn number_in_an_error() -> Result<i32, i32> {
    Err(-2) // lost: clippy::implicit_return // added: clippy::default_numeric_fallback
}

#[track_skill]
fn number_in_an_error_early(failing: bool) -> Result<i32, i32> {
    if failing {
        return Err(-3);
    }
    Err(-2) // added: clippy::default_numeric_fallback
}

#[track_skill]
async fn number_in_an_error_later() -> Result<i32, i32> {
    ready(()).await;
    Err(-2)
}

#[track_skill]
fn panics() -> u8 {
    panic!("always")
}

#[track_skill]
fn panics_in_a_result() -> Result<u8, String> {
    panic!("always")
}

#[track_skill]
fn never() -> ! {
    panic!("always")
}

#[track_skill]
fn unreachable_end() -> Result<u8, String> { // lost: clippy::unnecessary_wraps
    panic!("always");
    Ok(2) // lost: clippy::implicit_return
}

#[track_skill]
fn begins_with_an_item() -> u8 {
    fn one() -> u8 {
        1 // lost: clippy::implicit_return
    }
    one() // lost: clippy::implicit_return
}

#[track_skill]
fn begins_with_an_item_result() -> Result<u8, String> { // lost: clippy::unnecessary_wraps
    const ONE: u8 = 1;
    Ok(ONE) // lost: clippy::implicit_return
}

#[track_skill]
fn item_in_the_middle() -> u8 {
    let number = 1;
    fn one() -> u8 {
        1 // lost: clippy::implicit_return
    }
    number + one() // lost: clippy::implicit_return
}

#[track_skill]
fn binding() -> Result<u8, String> {
    let number = Ok(1);
    number // lost: clippy::implicit_return
}

#[track_skill]
fn wraps(number: u8) -> Result<u8, String> { // lost: clippy::unnecessary_wraps
    Ok(number) // lost: clippy::implicit_return
}

#[track_skill]
fn unit(number: &mut u8) -> () {
    *number = 1;
    ()
}

#[track_skill]
fn unwraps(number: Option<u8>) -> Result<u8, String> { // lost: clippy::unnecessary_wraps
    Ok(number.unwrap()) // lost: clippy::implicit_return
}

#[track_skill]
fn returns(number: u8) -> u8 {
    return number;
}

#[track_skill]
fn mutable(text: &mut String) -> usize {
    text.len()
}

#[track_skill]
fn mutable_result(text: &mut String) -> Result<usize, String> { // lost: clippy::unnecessary_wraps
    Ok(text.len()) // lost: clippy::implicit_return
}

#[track_skill]
fn larger(left: u8, right: u8) -> bool {
    left > right
}

#[track_skill]
fn length(text: &str) -> usize {
    return text.len();
}

#[track_agent]
fn sum(left: u32, right: u32) -> u32 {
    left + right
}

#[track_agent]
fn shadowed(text: &str) -> usize {
    let text = text.len();
    text
}

#[track_query]
fn identity(number: u64) -> u64 {
    number
}

#[track_agent]
impl Limits {
    fn consumed(self) -> u8 { // lost: clippy::unused_self
        1
    }
}

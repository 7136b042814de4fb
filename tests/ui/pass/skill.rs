//! `track_skill` on impl blocks, in scopes that shadow the names it uses.
#![deny(warnings)]
#![no_implicit_prelude]

mod core {}
mod std {}
mod tracing {}
#[allow(dead_code)]
struct Result;
#[allow(dead_code)]
struct Option;

use ::monitor_runtime::track_skill;

struct Tool<T>(T);

#[track_skill(level = "trace")]
impl<T: ::std::clone::Clone> Tool<T> {
    const LIMIT: u8 = 1;

    fn span(&self, result: u8, opening: u8) -> u8 {
        result + opening + Self::LIMIT
    }

    #[track(skip)]
    fn iter(&self) -> impl ::std::iter::Iterator<Item = T> + '_ {
        ::std::iter::once(::std::clone::Clone::clone(&self.0))
    }

    #[track("renamed", fields(result = 1, span = 2))]
    fn other(self) -> T {
        self.0
    }
}

fn main() {
    let tool = Tool(1_u8);
    ::std::assert_eq!(tool.span(1, 2), 4);
    ::std::assert_eq!(::std::iter::Iterator::count(tool.iter()), 1);
    ::std::assert_eq!(tool.other(), 1);
}

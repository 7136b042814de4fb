//! Functions that `macro_rules!` make, in part or whole.

use monitor_runtime::testing::Recording;
use monitor_runtime::{track_agent, track_query, track_skill};

use crate::function_shapes::{assert_ended, assert_succeeded};

#[test]
fn a_return_inside_a_macro_is_judged_like_any_other() {
    macro_rules! ensure {
        ($condition:expr) => {
            if !$condition {
                return Err("not ensured".to_owned());
            }
        };
    }

    #[track_caller]
    #[track_agent]
    fn ensures(holds: bool) -> Result<(), String> {
        ensure!(holds);
        Ok(())
    }

    let recording = Recording::start();
    ensures(true).unwrap();
    ensures(false).unwrap_err();
    assert_ended(&recording, "ensures", &["success", "error"]);
}

#[test]
fn fragments_of_a_macro_are_arguments_like_any_other() {
    macro_rules! query {
        ($name:ident, $operation:literal, $level:literal, $returned:ty, $body:expr) => {
            #[track_query(operation = $operation, level = $level)]
            fn $name() -> $returned {
                $body
            }
        };
    }

    query!(from_fragments, "purge", "debug", Result<u8, String>, Err("asked to".to_owned()));

    let recording = Recording::start();
    from_fragments().unwrap_err();
    let labels = [("query", "from_fragments"), ("operation", "purge"), ("status", "error")];
    assert_eq!(recording.value("db_queries_total", &labels), 1.0);
}

mod parts {
    use super::*;

    macro_rules! from_parts {
        ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($parameter:pat_param, $kind:ty);*) -> $returned:ty $body:block) => {
            #[track_agent]
            $(#[$attribute])*
            $visibility fn $name($($parameter: $kind),*) -> $returned $body
        };
    }

    from_parts!(
        #[inline]
        pub(super) fn of_parts(mut first, u8; (second, _), (u8, u8)) -> u8 {
            first += second;
            first
        }
    );

    macro_rules! borrowing {
        ($name:ident, $id:literal, $lifetime:lifetime, $parameter:ident, $of:expr) => {
            #[track_agent($id, fields($parameter = %$parameter))]
            pub(super) async fn $name<$lifetime>($parameter: &$lifetime str) -> (&$lifetime str, u8) {
                ($parameter, $of)
            }
        };
    }

    borrowing!(with_lifetime, "of_fragments", 'a, given, 1 + 1);

    macro_rules! whole {
        ($function:item) => {
            #[track_agent]
            $function
        };
    }

    whole!(
        pub(super) async fn of_an_item(number: u8) -> Result<u8, String> {
            Ok(number)
        }
    );

    macro_rules! tokens {
        ($($token:tt)*) => {
            #[track_agent]
            $($token)*
        };
    }

    tokens! {
        pub(super) fn of_tokens<T>(items: &[T]) -> Option<T>
        where
            T: Clone,
        {
            Some(items.first()?.clone())
        }
    }

    pub(super) struct Of<T>(pub(super) T);

    macro_rules! method {
        ($name:ident, $receiver:ident, $body:block) => {
            impl Of<u8> {
                #[track_agent]
                pub(super) fn $name(&$receiver) -> u8 $body
            }
        };
    }

    method!(of_a_receiver, self, { self.0 });

    macro_rules! block {
        ($kind:ty { $($member:item)* }) => {
            #[track_agent]
            impl Of<$kind> {
                $($member)*
            }
        };
    }

    block!(bool {
        pub(super) fn of_a_block(&self) -> bool {
            self.0
        }
    });
}

#[tokio::test]
async fn a_function_may_be_made_of_every_kind_of_fragment() {
    let recording = Recording::start();
    assert_eq!(parts::of_parts(1, (2, 0)), 3);
    assert_eq!(parts::with_lifetime("a").await, ("a", 2));
    assert_eq!(parts::of_an_item(1).await, Ok(1));
    assert_eq!(parts::of_tokens(&[1]), Some(1));
    assert_eq!(parts::Of(1).of_a_receiver(), 1);
    assert!(parts::Of(true).of_a_block());
    let agents = ["of_parts", "of_fragments", "of_an_item", "of_tokens", "of_a_receiver", "Of::of_a_block"];
    assert_succeeded(&recording, &agents);
}

#[tokio::test]
async fn the_type_of_a_future_may_be_a_fragment() {
    macro_rules! future {
        ($name:ident, $returned:ty, $body:expr) => {
            #[track_agent]
            fn $name() -> $returned {
                $body
            }
        };
    }

    future!(boxed_fragment, std::pin::Pin<Box<dyn Future<Output = u8>>>, Box::pin(async { 1 }));
    future!(opaque_fragment, impl Future<Output = u8>, async { 2 });

    let recording = Recording::start();
    drop((boxed_fragment(), opaque_fragment()));
    assert_eq!((boxed_fragment().await, opaque_fragment().await), (1, 2));
    assert_succeeded(&recording, &["boxed_fragment", "opaque_fragment"]);
}

#[test]
fn an_attribute_may_stand_behind_a_condition() {
    struct Tool;

    #[cfg_attr(all(), track_agent("conditional_agent"))]
    #[cfg_attr(any(), track_agent("never"))]
    fn function() {}

    #[cfg_attr(all(), track_skill)]
    impl Tool {
        #[cfg(not(any()))]
        fn present(&self) {
            let _ = self;
        }

        #[cfg(any())]
        fn absent(&self) -> NoSuchType {}
    }

    let recording = Recording::start();
    function();
    Tool.present();
    assert_ended(&recording, "conditional_agent", &["success"]);
    let labels = [("skill_id", "Tool::present"), ("status", "success")];
    assert_eq!(recording.value("skill_executions_total", &labels), 1.0);
}

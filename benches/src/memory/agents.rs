//! Agents with literal ids, so many that the other memory of the process is negligible.

use std::io;

use monitor_runtime::track_agent;

/// The intended outcome of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Success,
    Error,
    Panic,
    Cancelled,
}

pub(super) const ENDS: [End; 4] = [End::Success, End::Error, End::Panic, End::Cancelled];

/// The body of every agent.
async fn end_by(end: End) -> io::Result<()> {
    match end {
        End::Success => Ok(()),
        End::Error => Err(io::ErrorKind::Other.into()),
        End::Panic => panic!("as told"),
        End::Cancelled => std::future::pending().await,
    }
}

/// An agent `Type::method` for each of the types and methods.
macro_rules! agents {
    ([$($kind:ident)*] $methods:tt) => {
        /// Calls every agent once, with the outcome `end`.
        pub(super) fn call_all(end: End) {
            $($kind::call_all(end);)*
        }

        /// Number of agents.
        pub(super) const AGENTS: usize = [$($kind::AGENTS),*].len() * First::AGENTS;

        $(agents! { of $kind $methods })*
    };
    (of $kind:ident [$($method:ident)*]) => {
        struct $kind;

        #[track_agent(log_errors = false)]
        impl $kind {
            $(async fn $method(end: End) -> io::Result<()> {
                end_by(end).await
            })*
        }

        impl $kind {
            const AGENTS: usize = [$(stringify!($method)),*].len();

            fn call_all(end: End) {
                $(super::call($kind::$method(end));)*
            }
        }
    };
}

agents! {
    [
        First Second Third Fourth Fifth Sixth Seventh Eighth
        Ninth Tenth Eleventh Twelfth Thirteenth Fourteenth Fifteenth Sixteenth
    ]
    [
        m00 m01 m02 m03 m04 m05 m06 m07 m08 m09 m10 m11 m12 m13 m14 m15
        m16 m17 m18 m19 m20 m21 m22 m23 m24 m25 m26 m27 m28 m29 m30 m31
    ]
}

/// Another agent, called before the measurement.
#[track_agent("memory::warm_up", log_errors = false)]
pub(super) async fn warm_up(end: End) -> io::Result<()> {
    end_by(end).await
}

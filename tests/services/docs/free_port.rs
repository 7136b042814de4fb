//! Stands for `tokio` in a service that a page shows: the same, but that it listens on any free port and says on which.

use std::io;

pub(crate) use ::tokio::{main, runtime};

pub(crate) mod net {
    pub(crate) use super::TcpListener;
}

pub(crate) struct TcpListener;

impl TcpListener {
    pub(crate) async fn bind(wanted: &str) -> io::Result<::tokio::net::TcpListener> {
        assert_eq!(wanted, crate::docs::service::SHOWN_ADDRESS);
        let listener = ::tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        // The test harness has begun a line of its own.
        println!("\n{}{}", crate::docs::service::LISTENING, listener.local_addr()?);
        Ok(listener)
    }
}

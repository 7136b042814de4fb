//! The service's message once it is up: its address and the pages to open.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use monitor_runtime::Monitor;
use tracing::field;

use crate::indexer::Index;
use crate::listener::Address;

/// Writes the message to the log, and the address to standard error whatever the log level; a terminal gets more details.
pub(crate) fn say(address: Address, monitor: &Monitor, docs: &Path, index: &Index) {
    let Index { files, passages, .. } = index;
    let page = monitor.dashboard_url();
    tracing::info!(
        address = %address,
        ask = %format_args!("POST {address}/ask"),
        runs = %format_args!("{address}/runs"),
        ready = %format_args!("{address}/health/ready"),
        metrics = %format_args!("{address}/health/metrics"),
        page,
        admin = monitor.admin_address().map(|admin| field::display(format!("http://{admin}"))),
        docs = %docs.display(),
        files,
        passages,
        "listening"
    );
    let _ = writeln!(io::stderr(), "agent_service: listening on {address}");
    let page = page.unwrap_or_default();
    let _ = writeln!(io::stderr(), "agent_service: live page at {page}");
    if io::stderr().is_terminal() {
        let _ = write!(
            io::stderr(),
            "
It has read {files} files ({passages} passages) in {docs}.

  live     {page}
  ask      {address}, or curl -d '{{\"question\": \"what is a skill?\"}}' {address}/ask
  runs     {address}/runs
  health   {address}/health/ready
  metrics  {address}/health/metrics

Ctrl-C stops it.

",
            docs = docs.display(),
        );
    }
}

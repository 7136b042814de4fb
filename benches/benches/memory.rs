//! The resident memory of an agent with a literal id, called by sixteen threads.
//!
//! ```sh
//! cargo bench -p monitor-benches --bench memory
//! ```

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let bytes = monitor_benches::memory::bytes_per_series()?;
    println!("RATIO bytes_per_series {bytes:.0}");
    Ok(())
}

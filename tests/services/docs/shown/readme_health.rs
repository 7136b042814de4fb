use monitor_runtime::health::{CheckError, DatabaseCheck, DiskCheck, check_fn};
use monitor_runtime::{BuildError, Monitor};

fn monitor(pool: &sqlx::SqlitePool) -> Result<Monitor, BuildError> {
    let database = DatabaseCheck::new(pool.clone()); // answers within 5 s
    let disk = DiskCheck::new("/"); // more than 1 GB free
    let model = check_fn("model", async || Err::<(), _>(CheckError::new("model is loading")));
    Monitor::builder().service("notes", "1.4.2").check(database).check(disk).check(model).build()
}

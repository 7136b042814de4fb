use monitor_runtime::health::DatabaseCheck;
use monitor_runtime::{BuildError, Monitor};
use sea_orm::DatabaseConnection;

pub fn monitor(database: &DatabaseConnection) -> Result<Monitor, BuildError> {
    let pool = database.get_sqlite_connection_pool();
    Monitor::builder().check(DatabaseCheck::new(pool.clone())).pool("main", pool).build()
}

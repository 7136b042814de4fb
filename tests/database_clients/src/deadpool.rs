use deadpool_postgres::tokio_postgres::error::SqlState;
use deadpool_postgres::{Pool, PoolError};
use monitor_runtime::health::{CheckError, check_database};
use monitor_runtime::{BuildError, Monitor, PoolState};

async fn ping(pool: Pool) -> Result<(), CheckError> {
    let client = pool.get().await.map_err(refusal)?;
    client.simple_query("SELECT 1").await?;
    Ok(())
}

fn refusal(error: PoolError) -> CheckError {
    match &error {
        PoolError::Backend(reason) if reason.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => {
            CheckError::new("database out of connections").caused_by(error)
        }
        _ => error.into(),
    }
}

pub fn monitor(pool: &Pool) -> Result<Monitor, BuildError> {
    let pinged = pool.clone();
    let read = pool.clone();
    let state = move || {
        let status = read.status();
        PoolState::of_open(status.size, status.available, status.max_size)
    };
    let check = check_database("database", move || ping(pinged.clone())).pool_state(state.clone());
    Monitor::builder().check(check).pool_with("main", state).build()
}

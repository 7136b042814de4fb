//! The choice of the service's database.

use std::env::{self, VarError};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::ConnectOptions as _;
use sqlx::any::AnyConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokio::time::sleep;

/// Number of attempts to remove a temporary folder, and the pause between them.
const REMOVALS: u32 = 80;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(25);

/// A database to connect to.
pub(crate) struct Database {
    pub(crate) kind: Kind,
    /// Its address, without credentials.
    pub(crate) name: String,
    pub(crate) options: AnyConnectOptions,
    /// The same for the first connection, which creates a missing file. A later connection must not: it would replace a deleted
    /// database by an empty one.
    pub(crate) first: AnyConnectOptions,
    /// A folder on the disk that the service writes to.
    pub(crate) disk: PathBuf,
    /// Removed at the end, with the database in it.
    temporary: Option<TempDir>,
}

/// The databases that the service knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Database {
    /// Takes the SQLite file of `--db`, else the URL in `DATABASE_URL`, else a SQLite file that is removed with the service.
    pub(crate) fn choose(path: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = path {
            return Self::file(path).with_context(|| format!("--db is `{}`", path.display()));
        }
        match env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Self::at(&url),
            Ok(_) | Err(VarError::NotPresent) => Self::temporary(),
            Err(VarError::NotUnicode(_)) => bail!("DATABASE_URL is not UTF-8"),
        }
    }

    /// The database of a URL. No error shows the URL, which may contain a password.
    fn at(url: &str) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Self::sqlite(url).context("DATABASE_URL is no usable SQLite URL"),
            Some("postgres" | "postgresql") => {
                Self::postgres(url).context("DATABASE_URL is no usable PostgreSQL URL")
            }
            Some(scheme) if scheme.chars().all(char::is_alphanumeric) => {
                bail!("DATABASE_URL has the scheme `{scheme}`; expected postgres://… or sqlite://…")
            }
            _ => bail!("DATABASE_URL has no scheme; expected postgres://… or sqlite://…"),
        }
    }

    fn postgres(url: &str) -> anyhow::Result<Self> {
        let parsed = PgConnectOptions::from_str(url)?;
        let name = format!("{}:{}", parsed.get_host(), parsed.get_port());
        let options = AnyConnectOptions::from_str(url)?;
        // The database is on another disk; this one is for the service's other files.
        let first = options.clone();
        Ok(Self { kind: Kind::Postgres, name, options, first, disk: ".".into(), temporary: None })
    }

    fn sqlite(url: &str) -> anyhow::Result<Self> {
        if url.contains(":memory:") || url.contains("mode=memory") {
            bail!("a database in memory is not shared by the connections of a pool; name a file");
        }
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        if !["", "mode=rwc"].contains(&parameters) {
            bail!(
                "of parameters it takes only `mode=rwc`: the file is written to, and made if it is missing"
            );
        }
        Self::file(SqliteConnectOptions::from_str(url)?.get_filename())
    }

    /// Removes the temporary folder, if there is one.
    ///
    /// A connection that was being opened when the service was told to stop ends on its own thread, and may write until then.
    /// The removal is therefore retried.
    pub(crate) async fn remove(self) {
        let Some(folder) = self.temporary else { return };
        for _ in 0..REMOVALS {
            match fs::remove_dir_all(folder.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => sleep(BETWEEN_REMOVALS).await,
                _ => return,
            }
        }
    }

    fn temporary() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("agent_service-").tempdir();
        let folder =
            folder.with_context(|| format!("no folder for the database in {}", env::temp_dir().display()))?;
        let database = Self::file(&folder.path().join("agent_service.db"))?;
        Ok(Self { temporary: Some(folder), ..database })
    }

    fn file(path: &Path) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        let path = std::path::absolute(path)?;
        let disk = path.parent().context("expected the path of a file")?;
        let name = path.display().to_string();
        // The options make a round trip through a URL: its writer leaves `%` unchanged, and its reader decodes it.
        let in_url = path.to_str().context("the path is not UTF-8")?.replace('%', "%25");
        let options = SqliteConnectOptions::new().filename(in_url);
        let first = AnyConnectOptions::from_url(&options.clone().create_if_missing(true).to_url_lossy())?;
        let options = AnyConnectOptions::from_url(&options.to_url_lossy())?;
        Ok(Self { kind: Kind::Sqlite, name, options, first, disk: disk.to_owned(), temporary: None })
    }
}

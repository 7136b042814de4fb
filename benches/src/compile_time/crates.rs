//! The crates to build: the same functions, each time with another attribute.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(super) const PLAIN: &str = "functions";
pub(super) const TRACKED: &str = "tracked";
pub(super) const THEIRS: &str = "traced";
pub(super) const CRATES: [&str; 3] = [PLAIN, TRACKED, THEIRS];

/// The lock file resolves `*` to the versions that the benches use.
const FASTRACE: &str = r#"fastrace = { version = "*", features = ["enable"] }"#;

/// A workspace of the crates.
pub(super) struct Crates(PathBuf);

impl Crates {
    pub(super) fn write(directory: &Path, functions: usize) -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let runtime = root.join("monitor-runtime");
        let ours = format!(
            "monitor-runtime = {{ path = {:?}, default-features = false, features = [\"macros\"] }}",
            runtime.display().to_string()
        );
        let crates = Self(directory.to_owned());
        for (name, attribute, dependency) in [
            (PLAIN, "", ""),
            (TRACKED, "#[monitor_runtime::track_skill]\n", ours.as_str()),
            (THEIRS, "#[fastrace::trace]\n", FASTRACE),
        ] {
            crates.write_one(name, dependency, &source(attribute, functions))?;
        }
        fs::write(
            crates.0.join("Cargo.toml"),
            format!("[workspace]\nmembers = {CRATES:?}\nresolver = \"3\"\n"),
        )?;
        fs::copy(root.join("Cargo.lock"), crates.0.join("Cargo.lock"))?;
        Ok(crates)
    }

    fn write_one(&self, name: &str, dependency: &str, source: &str) -> io::Result<()> {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependency}\n"
        );
        fs::create_dir_all(self.0.join(name).join("src"))?;
        fs::write(self.0.join(name).join("Cargo.toml"), manifest)?;
        fs::write(self.source_of(name), source)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.0
    }

    /// Touches the crate, so that it has to be built again.
    pub(super) fn touch(&self, name: &str) -> io::Result<()> {
        File::options().write(true).open(self.source_of(name))?.set_modified(SystemTime::now())
    }

    fn source_of(&self, name: &str) -> PathBuf {
        self.0.join(name).join("src/lib.rs")
    }
}

/// The functions are in modules, as in a real crate: the compiler builds modules in parallel.
fn source(attribute: &str, functions: usize) -> String {
    let mut source = HEAD.to_owned();
    for number in 0..functions {
        if number % A_MODULE == 0 {
            let end = if number == 0 { "" } else { "}\n" };
            // A string takes whatever is written.
            let _ = write!(source, "{end}\npub mod part_{} {{\nuse super::*;\n", number / A_MODULE);
        }
        let function = FUNCTIONS[number % FUNCTIONS.len()].replace("NUMBER", &number.to_string());
        let _ = write!(source, "\n{attribute}{function}");
    }
    source.push_str("}\n");
    source
}

/// Number of functions in a module.
const A_MODULE: usize = 20;

const HEAD: &str = r#"use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

pub type Boxed<'a> = Pin<Box<dyn Future<Output = Result<String, SkillError>> + Send + 'a>>;

#[derive(Debug)]
pub enum SkillError {
    Io(io::Error),
    TooMany(usize),
}

impl fmt::Display for SkillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "no answer: {error}"),
            Self::TooMany(found) => write!(f, "too many: {found}"),
        }
    }
}

impl std::error::Error for SkillError {}

impl From<io::Error> for SkillError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[derive(Clone, Debug)]
pub struct Question {
    pub text: String,
    pub limit: usize,
}

pub async fn fetch(query: &str, limit: usize) -> Result<Vec<String>, io::Error> {
    std::future::ready(()).await;
    Ok(vec![query.to_owned(); limit])
}
"#;

/// Each function has a caller that boxes its future, as spawning does: an uncalled function is hardly compiled.
const FUNCTIONS: [&str; 3] = [
    r#"pub async fn search_NUMBER(query: &str, limit: usize) -> Result<String, SkillError> {
    let found = fetch(query, limit).await?;
    if found.len() > limit {
        return Err(SkillError::TooMany(found.len()));
    }
    Ok(found.join(", "))
}

pub fn boxed_NUMBER(query: &str) -> Boxed<'_> {
    Box::pin(search_NUMBER(query, NUMBER))
}
"#,
    r"pub async fn answer_NUMBER(question: Question) -> Result<String, SkillError> {
    let mut answer = String::new();
    for found in fetch(&question.text, question.limit).await? {
        answer.push_str(&found);
    }
    Ok(answer)
}

pub fn boxed_NUMBER(question: &Question) -> Boxed<'_> {
    Box::pin(answer_NUMBER(question.clone()))
}
",
    r#"pub async fn pick_NUMBER(query: String, among: &[Question]) -> Result<String, SkillError> {
    match among.iter().find(|question| question.text == query) {
        Some(question) => Ok(fetch(&question.text, 1).await?.concat()),
        None => Err(SkillError::TooMany(among.len())),
    }
}

pub fn boxed_NUMBER(among: &[Question]) -> Boxed<'_> {
    Box::pin(pick_NUMBER(String::from("NUMBER"), among))
}
"#,
];

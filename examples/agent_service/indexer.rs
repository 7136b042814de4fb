//! From a folder of Markdown files to passages in the store.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::markdown::{self, Passage};
use crate::store::Store;

/// What has been indexed.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) files: usize,
    pub(crate) passages: usize,
    /// The headings of the notes, each once.
    pub(crate) topics: Vec<String>,
}

/// Reads the folder's Markdown files, those in folders below it included, and puts their passages in the place of all that the
/// store had. Folders whose names begin with a dot are left out.
pub(crate) async fn index(folder: &Path, store: &Store) -> anyhow::Result<Index> {
    let files = markdown_files(folder)
        .with_context(|| format!("the notes in {} cannot be read", folder.display()))?;
    let mut passages = Vec::new();
    for file in &files {
        passages.extend(read(folder, file).with_context(|| format!("{} cannot be read", file.display()))?);
    }
    if passages.is_empty() {
        bail!("{} has no Markdown files (*.md) with text in them", folder.display());
    }
    store.replace_passages(&passages).await.context("the notes cannot be stored")?;
    Ok(Index { files: files.len(), passages: passages.len(), topics: topics(&passages) })
}

fn read(folder: &Path, file: &Path) -> io::Result<Vec<Passage>> {
    // PostgreSQL takes no text with a NUL in it.
    let text = String::from_utf8_lossy(&fs::read(file)?).replace('\0', "");
    let name = file.strip_prefix(folder).unwrap_or(file).to_string_lossy();
    Ok(markdown::passages(&name, &text))
}

/// The Markdown files in a folder and below it, sorted.
fn markdown_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            // A link to a file is followed, as Kubernetes mounts files by such; one to a folder could lead in circles.
            if entry.file_type()?.is_dir() {
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") && path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn topics(passages: &[Passage]) -> Vec<String> {
    let innermost = |passage: &Passage| passage.heading.rsplit(" > ").next().map(str::to_owned);
    passages.iter().filter_map(innermost).collect::<BTreeSet<_>>().into_iter().collect()
}

//! Indexes a folder of Markdown files into passages in the store.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::markdown::{self, Passage};
use crate::store::Store;

/// Maximum size in bytes of a file to index. People do not write longer ones.
const LONGEST_FILE: u64 = 2 * 1024 * 1024;

/// Number of files to read ahead.
const READ_AHEAD: usize = 16;

/// The result of indexing.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) files: usize,
    pub(crate) passages: usize,
    /// The headings of the notes, each once.
    pub(crate) topics: Vec<String>,
}

/// Reads the folder's Markdown files, including subfolders, and replaces all passages of the store by theirs. It skips folders
/// whose names begin with a dot, and files of more than [`LONGEST_FILE`] bytes.
///
/// # Cancel safety
///
/// If it is dropped before its end, it leaves the store unchanged, and reads at most one more file.
pub(crate) async fn index(folder: &Path, store: &Store) -> anyhow::Result<Index> {
    let (sender, mut receiver) = mpsc::channel(READ_AHEAD);
    let reading = spawn_blocking({
        let folder = folder.to_owned();
        move || read_folder(&folder, &sender)
    });
    let (mut files, mut passages) = (0, Vec::new());
    while let Some(file) = receiver.recv().await {
        files += 1;
        passages.extend(file);
    }
    reading.await??;
    if passages.is_empty() {
        bail!("{} has no Markdown files (*.md) with text in them", folder.display());
    }
    store.replace_passages(&passages).await.context("the notes cannot be stored")?;
    Ok(Index { files, passages: passages.len(), topics: topics(&passages) })
}

/// The passages of one file.
type Sender = mpsc::Sender<Vec<Passage>>;

/// Sends every file's passages until the receiver is gone.
fn read_folder(folder: &Path, sender: &Sender) -> anyhow::Result<()> {
    let files = markdown_files(folder, sender)
        .with_context(|| format!("the notes in {} cannot be read", folder.display()))?;
    for file in &files {
        let passages = read(folder, file).with_context(|| format!("{} cannot be read", file.display()))?;
        if passages.is_some_and(|passages| sender.blocking_send(passages).is_err()) {
            break;
        }
    }
    Ok(())
}

/// A file's passages, unless it is too long.
fn read(folder: &Path, file: &Path) -> io::Result<Option<Vec<Passage>>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LONGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE {
        tracing::warn!(file = %file.display(), most_bytes = LONGEST_FILE, "a file is too long, and left out");
        return Ok(None);
    }
    // PostgreSQL refuses text that contains a NUL.
    let text = String::from_utf8_lossy(&bytes).replace('\0', "");
    let name = file.strip_prefix(folder).unwrap_or(file).to_string_lossy();
    Ok(Some(markdown::passages(&name, &text)))
}

/// The Markdown files in a folder and below it, sorted; only some of them if the receiver is gone.
fn markdown_files(folder: &Path, sender: &Sender) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop().filter(|_| !sender.is_closed()) {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            // A link to a file is followed, as Kubernetes mounts files by links; a link to a folder could form a loop.
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

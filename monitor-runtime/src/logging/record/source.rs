//! Paths of source files as lines show them: without directories of the build machine.

use tracing::Metadata;

/// The directories in which cargo and rustc keep the code of other crates, and how many path segments to skip after
/// them.
const STORES: [(&[&str], usize); 3] =
    [(&["registry", "src"], 1), (&["git", "checkouts"], 2), (&["rustc"], 1)];

/// The directories with the code of a package.
const CODE: [&str; 4] = ["src", "tests", "examples", "benches"];

/// Shortens the path of a source file. A dependency's path begins with its package, `sqlx-core-0.8.6/src/logger.rs`;
/// other absolute paths begin with the package's code directory, `src/logger.rs`. A relative path, such as those of the
/// workspace, is unchanged.
pub(crate) fn path(file: &str) -> &str {
    if !is_absolute(file) {
        return file;
    }
    let parts: Vec<_> = parts(file).collect();
    let names: Vec<_> = parts.iter().map(|&(_, name)| name).collect();
    let stored = STORES.iter().find_map(|&(store, own)| {
        let at = names.windows(store.len()).rposition(|window| window == store)?;
        parts.get(at + store.len() + own)
    });
    let last = parts.last();
    let (at, _) =
        stored.or_else(|| parts.iter().find(|(_, name)| CODE.contains(name))).or(last).unwrap_or(&(0, ""));
    &file[*at..]
}

/// The place of an event in the source.
pub(crate) fn place<'a>(metadata: &Metadata<'a>) -> Option<(&'a str, u32)> {
    Some((path(metadata.file()?), metadata.line()?))
}

/// The file and line of an event that `tracing` has named after them because it has no name.
pub(crate) fn named_after<'a>(metadata: &Metadata<'a>) -> Option<(&'a str, u32)> {
    let (file, line) = (metadata.file()?, metadata.line()?);
    let place = metadata.name().strip_prefix("event ")?.strip_prefix(file)?.strip_prefix(':')?;
    (place.parse() == Ok(line)).then(|| (path(file), line))
}

fn is_absolute(file: &str) -> bool {
    file.starts_with(is_separator) || matches!(file.as_bytes(), [_, b':', b'/' | b'\\', ..])
}

fn is_separator(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// The segments of a path, each with its offset.
fn parts(file: &str) -> impl Iterator<Item = (usize, &str)> {
    let begin = |part: &str| part.as_ptr().addr() - file.as_ptr().addr();
    file.split(is_separator).filter(|part| !part.is_empty()).map(move |part| (begin(part), part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_workspace_is_shown_as_it_is() {
        for file in ["src/main.rs", "crates/notes/src/ask.rs", "crates\\notes\\src\\ask.rs", "main.rs", ""] {
            assert_eq!(path(file), file);
        }
    }

    #[test]
    fn a_path_of_another_crate_starts_with_the_name_of_the_crate() {
        for (file, shown) in [
            (
                "/home/src/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/sqlx-core-0.8.6/src/logger.rs",
                "sqlx-core-0.8.6/src/logger.rs",
            ),
            (
                "C:\\Users\\ci\\.cargo\\registry\\src\\index.crates.io-1949\\log-0.4.35\\src\\lib.rs",
                "log-0.4.35\\src\\lib.rs",
            ),
            ("/root/.cargo/registry/src/github.com-1ecc/odd-1.0.0/lib.rs", "odd-1.0.0/lib.rs"),
            ("/root/.cargo/git/checkouts/sqlx-6f1d/0a1b2c3/sqlx-core/src/lib.rs", "sqlx-core/src/lib.rs"),
            (
                "/rustc/4d91de4e48198da2e33413efdcd9cd2cc0c46688/library/core/src/option.rs",
                "library/core/src/option.rs",
            ),
        ] {
            assert_eq!(path(file), shown);
        }
    }

    #[test]
    fn no_directory_of_the_machine_that_built_it_is_shown() {
        for (file, shown) in [
            ("/home/alice/notes/src/ask.rs", "src/ask.rs"),
            ("/home/alice/notes/tests/ask.rs", "tests/ask.rs"),
            ("/home/alice/src/notes/main.rs", "src/notes/main.rs"),
            ("/home/alice/notes/target/debug/build/notes-1f/out/made.rs", "made.rs"),
            ("/rustc", "rustc"),
            ("/", "/"),
            ("C:\\Users\\alice\\notes\\src\\ask.rs", "src\\ask.rs"),
            ("\\\\build\\alice\\ask.rs", "ask.rs"),
        ] {
            assert_eq!(path(file), shown);
        }
    }
}

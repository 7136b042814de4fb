//! A package of its own, outside of this workspace, with what a page tells its readers to write.
//!
//! Doctests have all dependencies of this workspace at hand, so they cannot show that a page names those that it needs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::docs::page::{Block, Page, root};

#[test]
fn getting_started_compiles_in_a_new_package() {
    let page = Page::open("docs/getting_started.md");
    let package = NewPackage::with(&block(&page, "Depend on the crate", "toml"));
    package.write("src/main.rs", &block(&page, "Write a service", "rust"));
    package.write("examples/tested.rs", &block(&page, "Test your instrumented code", "rust"));
    package.write("examples/awaited.rs", &block(&page, "Test asynchronous code", "rust"));
    package.check();
}

#[test]
fn the_readme_compiles_in_a_new_package() {
    let page = Page::open("README.md");
    let package = NewPackage::with(&block(&page, "Add it to a package", "toml"));
    package.write("src/main.rs", &block(&page, "Track and serve", "rust"));
    package.check();
}

/// The text of the only block under that heading in that language.
fn block(page: &Page, heading: &str, language: &str) -> String {
    let is_it = |block: &Block| block.heading == heading && block.language == language;
    let found: Vec<_> = page.blocks().into_iter().filter(is_it).collect();
    let [block] = &*found else { panic!("one {language} block under {heading:?} is expected: {found:?}") };
    block.text.clone()
}

/// A folder `notes` beside a link `monitor` to this repository, which is where the pages expect both.
struct NewPackage(tempfile::TempDir);

impl NewPackage {
    /// Its manifest holds these tables as they are.
    fn with(dependencies: &str) -> Self {
        let package = Self(tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(root(), package.0.path().join("monitor")).unwrap();
        let head = "[package]\nname = \"notes\"\nversion = \"1.4.2\"\nedition = \"2024\"\n\n";
        let warnings = "\n[lints.rust]\nwarnings = \"deny\"\n";
        package.write("Cargo.toml", &format!("{head}{dependencies}{warnings}"));
        // The versions that all other tests run with.
        package.write("Cargo.lock", &fs::read_to_string(root().join("Cargo.lock")).unwrap());
        package
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.path().join("notes").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn check(&self) {
        // Built beside this workspace's own dependencies, with their profile, so that most are there already.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["check", "--quiet", "--all-targets"]).current_dir(self.0.path().join("notes"));
        cargo.env("CARGO_TARGET_DIR", target).env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

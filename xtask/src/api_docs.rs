//! The documentation of the API, as docs.rs builds it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::features;
use crate::instructions;
use crate::runner::Runner;

/// Shows features with a stable toolchain as well. Set for rustdoc alone: for Cargo as a whole it would rebuild every dependency.
const RUSTDOC: &str = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n";

/// The pages of the items that need no feature; every other page names the features of its item.
const CORE: [&str; 28] = [
    "context/struct.TraceContext.html",
    "enum.Outcome.html",
    "genai/enum.CostSource.html",
    "genai/enum.PricesError.html",
    "genai/fn.call.html",
    "genai/fn.set_pricing.html",
    "genai/struct.Cost.html",
    "genai/struct.CostSum.html",
    "genai/struct.OpenCall.html",
    "genai/struct.PriceDate.html",
    "genai/struct.PricedCall.html",
    "genai/struct.Prices.html",
    "genai/struct.PricesBuilder.html",
    "genai/struct.Rate.html",
    "genai/struct.Usage.html",
    "genai/struct.UsageSum.html",
    "genai/trait.ModelReply.html",
    "genai/trait.Pricing.html",
    "metrics/constant.CONTENT_TYPE.html",
    "metrics/enum.BucketError.html",
    "metrics/enum.MetricsError.html",
    "metrics/enum.NativeHistogramError.html",
    "metrics/fn.builder.html",
    "metrics/fn.registry.html",
    "metrics/fn.render.html",
    "metrics/struct.MetricsBuilder.html",
    "metrics/struct.NativeHistograms.html",
    "trait.Classify.html",
];

/// Builds it with warnings as errors; fails unless each item that needs a feature shows it.
pub(crate) fn check(runner: &Runner) -> Result {
    let metadata = features::metadata(runner)?;
    let target = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    let rustdoc = rustdoc(&target)?;
    let mut doc = runner.cargo(&["doc", "--workspace", "--no-deps"]);
    for package in instructions::PACKAGES {
        doc.args(["--exclude", package]);
    }
    runner.run(doc.env("RUSTDOC", &rustdoc).env("RUSTDOCFLAGS", "-D warnings --cfg docsrs"))?;
    let found = without_feature(&target.join("doc/monitor_runtime"))?;
    let text = || {
        format!(
            "the items that show no feature are {found:?}, and those that need none {CORE:?}, by {}",
            file!()
        )
    };
    (found == CORE).then_some(()).ok_or_else(|| Failure::Message(text()))
}

/// Writes a rustdoc into the target directory that accepts unstable options.
pub(crate) fn rustdoc(target: &Path) -> Result<PathBuf> {
    let rustdoc = target.join("rustdoc-as-docs-rs");
    fs::write(&rustdoc, RUSTDOC)?;
    fs::set_permissions(&rustdoc, Permissions::from_mode(0o755))?;
    Ok(rustdoc)
}

/// The pages of items, of all that the index has, that name no feature.
fn without_feature(folder: &Path) -> Result<Vec<String>> {
    let index = fs::read_to_string(folder.join("all.html"))?;
    let mut found = Vec::new();
    for page in pages(&index) {
        if !shows_feature(&fs::read_to_string(folder.join(page))?) {
            found.push(page.to_owned());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The links of an index that lead to items of its crate.
fn pages(index: &str) -> impl Iterator<Item = &str> {
    let links = index.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.filter(|link| {
        let name = link.rsplit('/').next().unwrap_or_default();
        // An item's page is `kind.Name.html`.
        !link.starts_with("..") && matches!(*name.split('.').collect::<Vec<_>>(), [_, _, "html"])
    })
}

/// Whether the head of a page, above the text, names a feature.
fn shows_feature(page: &str) -> bool {
    let content = page.split_once("id=\"main-content\"").map_or(page, |(_, content)| content);
    let head = content.split_once("class=\"docblock\"").map_or(content, |(head, _)| head);
    head.contains("class=\"stab portability\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_items_are_found() {
        let index = "<link href=\"../static.files/rustdoc.css\"><a href=\"index.html\">\
                     <a href=\"health/struct.Policy.html\">health::Policy</a> <a href=\"fn.init.html\">";
        assert_eq!(pages(index).collect::<Vec<_>>(), ["health/struct.Policy.html", "fn.init.html"]);
    }

    #[test]
    fn feature_counts_in_the_head_alone() {
        let note = "<span class=\"stab portability\">Available on <strong>crate feature <code>http</code></strong></span>";
        let page = |head: &str, text: &str| {
            format!("<nav></nav><section id=\"main-content\">{head}<div class=\"docblock\">{text}</div>")
        };
        assert!(shows_feature(&page(note, "")));
        assert!(!shows_feature(&page("", note)));
    }
}

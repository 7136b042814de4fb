//! Cuts Markdown into passages.

use crate::text::words;

/// Maximum size of a passage in bytes, short enough to be quoted whole. A longer section becomes several passages.
const LONGEST: usize = 1_500;

/// A part of a note that can be quoted.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Passage {
    /// The file's path below the notes' folder.
    pub(crate) file: String,
    /// The headings above it, the outermost first, joined by ` > `; the file's path if there are none.
    pub(crate) heading: String,
    /// Its Markdown.
    pub(crate) body: String,
}

impl Passage {
    /// Its headings and its text, for comparison with terms.
    pub(crate) fn in_full(&self) -> String {
        format!("{}\n{}", self.heading, self.body)
    }
}

/// Cuts a note into passages, by heading.
pub(crate) fn passages(file: &str, markdown: &str) -> Vec<Passage> {
    let mut reader = Reader::new(file);
    for line in markdown.lines() {
        reader.take(line.trim_end());
    }
    reader.end_section();
    reader.passages
}

/// State of the parser.
struct Reader<'a> {
    file: &'a str,
    passages: Vec<Passage>,
    /// The headings above the current line, with their levels.
    headings: Vec<(usize, String)>,
    /// The open section's complete blocks. A block is the text between two empty lines.
    blocks: Vec<String>,
    /// The open block's lines.
    block: Vec<&'a str>,
    /// The fence that ends the open code block. Lines inside it are never headings and never end a block.
    fence: Option<&'static str>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, passages: vec![], headings: vec![], blocks: vec![], block: vec![], fence: None }
    }

    fn take(&mut self, line: &'a str) {
        let fence = ["```", "~~~"].into_iter().find(|fence| line.trim_start().starts_with(fence));
        if self.fence.is_some() {
            self.block.push(line);
            self.fence = self.fence.filter(|open| fence != Some(open));
        } else if let Some((level, text)) = heading(line) {
            self.end_section();
            self.headings.retain(|(above, _)| *above < level);
            self.headings.push((level, text.to_owned()));
        } else if line.is_empty() {
            self.end_block();
        } else {
            self.block.push(line);
            self.fence = fence;
        }
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block).join("\n");
        // A block without a word, such as a horizontal rule, is skipped.
        if words(&block).next().is_some() {
            self.blocks.extend(pieces(&block).map(str::to_owned));
        }
    }

    fn end_section(&mut self) {
        self.end_block();
        let mut body = String::new();
        for block in std::mem::take(&mut self.blocks) {
            if !body.is_empty() && body.len() + block.len() > LONGEST {
                self.push(std::mem::take(&mut body));
            }
            if !body.is_empty() {
                body.push_str("\n\n");
            }
            body.push_str(&block);
        }
        if !body.is_empty() {
            self.push(body);
        }
    }

    fn push(&mut self, body: String) {
        let headings: Vec<_> = self.headings.iter().map(|(_, text)| text.as_str()).collect();
        let heading = if headings.is_empty() { self.file.to_owned() } else { headings.join(" > ") };
        self.passages.push(Passage { file: self.file.to_owned(), heading, body });
    }
}

/// A heading's level and text, if the line is one.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let text = line[level..].trim().trim_end_matches('#').trim_end();
    let is_heading = (1..=6).contains(&level) && line[level..].starts_with(' ') && !text.is_empty();
    is_heading.then_some((level, text))
}

/// A text in pieces of at most [`LONGEST`] bytes, cut between lines if possible.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let most = rest.floor_char_boundary(LONGEST);
        let end =
            if most == rest.len() { most } else { rest[..most].rfind('\n').map_or(most, |end| end + 1) };
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then(|| piece.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(markdown: &str) -> Vec<(String, String)> {
        passages("notes.md", markdown).into_iter().map(|passage| (passage.heading, passage.body)).collect()
    }

    fn section(heading: &str, body: &str) -> (String, String) {
        (heading.to_owned(), body.to_owned())
    }

    #[test]
    fn a_passage_stands_under_all_its_headings() {
        let note =
            "before\n# Tea\nLeaves.\n## Green\nCool water.\n### Sencha #\n70 °C.\n## Black\nBoiling.\n";
        assert_eq!(
            read(note),
            [
                section("notes.md", "before"),
                section("Tea", "Leaves."),
                section("Tea > Green", "Cool water."),
                section("Tea > Green > Sencha", "70 °C."),
                section("Tea > Black", "Boiling."),
            ]
        );
    }

    #[test]
    fn code_is_kept_as_it_is() {
        let code = "Then:\n\n```sh\n# no heading\n\nls\n```\n\n~~~\n```\n# none either\n~~~";
        assert_eq!(read(&format!("# A\n{code}\n# B\nend")), [section("A", code), section("B", "end")]);
    }

    #[test]
    fn lines_that_resemble_headings_are_text() {
        assert_eq!(read("#tag\n\n####### deep\n"), [section("notes.md", "#tag\n\n####### deep")]);
    }

    #[test]
    fn a_long_section_becomes_several_passages() {
        let paragraph = "ä".repeat(400);
        let passages = read(&format!("# Long\n{paragraph}\n\n{paragraph}\n\n{}", "ß".repeat(2_000)));
        let lengths: Vec<_> = passages.iter().map(|(_, body)| body.len()).collect();
        assert_eq!(lengths, [800, 800, 1_500, 1_500, 1_000]);
        assert!(passages.iter().all(|(heading, _)| heading == "Long"));
    }

    #[test]
    fn a_long_block_is_cut_between_lines() {
        let line = "x".repeat(600);
        let [two, one] = [format!("{line}\n{line}"), line];
        assert_eq!(read(&format!("{two}\n{one}")), [section("notes.md", &two), section("notes.md", &one)]);
    }

    #[test]
    fn an_empty_note_has_no_passages() {
        assert_eq!(read("\n# Only a heading\n\n---\n"), []);
    }
}

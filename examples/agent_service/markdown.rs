//! Markdown, cut into passages.

/// The most bytes of one passage; a longer section becomes several. Small enough to read, and far below what a database
/// takes as one text to search.
const LONGEST: usize = 4_000;

/// A part of a note that can be quoted.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Passage {
    /// The file's path below the notes' folder.
    pub(crate) file: String,
    /// The headings above it, the outermost first, joined by ` > `; the file's path where there are none.
    pub(crate) heading: String,
    /// Its blocks (paragraphs, list items, table rows, code), with an empty line between two.
    pub(crate) body: String,
}

impl Passage {
    /// Its blocks, as they are quoted.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &str> {
        self.body.split("\n\n")
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

/// What has been read so far.
struct Reader<'a> {
    file: &'a str,
    passages: Vec<Passage>,
    /// The headings above the current line, with their levels.
    headings: Vec<(usize, String)>,
    blocks: Vec<String>,
    /// The open block's lines.
    block: Vec<&'a str>,
    /// The fence that ends the open code block.
    fence: Option<&'static str>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, passages: vec![], headings: vec![], blocks: vec![], block: vec![], fence: None }
    }

    fn take<'l: 'a>(&mut self, line: &'l str) {
        if let Some(fence) = self.fence {
            self.code(line, fence);
        } else if let Some(fence) =
            ["```", "~~~"].into_iter().find(|fence| line.trim_start().starts_with(fence))
        {
            self.end_block();
            self.fence = Some(fence);
        } else if let Some((level, text)) = heading(line) {
            self.end_section();
            self.headings.retain(|(above, _)| *above < level);
            self.headings.push((level, text.to_owned()));
        } else {
            self.prose(line);
        }
    }

    fn code(&mut self, line: &'a str, fence: &str) {
        if line.trim_start().starts_with(fence) {
            self.fence = None;
            self.end_block();
        } else if !line.is_empty() {
            self.block.push(line);
        }
    }

    fn prose(&mut self, line: &'a str) {
        if line.is_empty() || begins_block(line) {
            self.end_block();
        }
        if !line.is_empty() && !is_rule(line) {
            self.block.push(line);
        }
    }

    fn end_block(&mut self) {
        if !self.block.is_empty() {
            let block = self.block.join("\n");
            self.blocks.extend(pieces(&block).map(str::to_owned));
            self.block.clear();
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

/// Whether the line is a list item or a table row, each of which can be quoted alone.
fn begins_block(line: &str) -> bool {
    let line = line.trim_start();
    let after_number = line.trim_start_matches(|char: char| char.is_ascii_digit());
    let is_numbered = after_number.len() < line.len() && after_number.starts_with(". ");
    is_numbered || line.starts_with('|') || ["- ", "* ", "+ "].iter().any(|bullet| line.starts_with(bullet))
}

/// Whether the line only draws one: a thematic break, or what stands below a table's head.
fn is_rule(line: &str) -> bool {
    line.contains("--") && line.bytes().all(|byte| b"|-: ".contains(&byte))
}

/// A text in pieces of at most [`LONGEST`] bytes.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(LONGEST));
        rest = after;
        (!piece.is_empty()).then_some(piece)
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
    fn paragraphs_items_rows_and_code_are_blocks() {
        let note = "# A\none\ntwo\n\n- three\n- four\n  more\n\n| five | six |\n| --- | --- |\n| 7 | 8 |\n\n```sh\n# no heading\n\nls\n```\n";
        let passages = passages("a.md", note);
        let blocks: Vec<_> = passages.iter().flat_map(Passage::blocks).collect();
        assert_eq!(
            blocks,
            ["one\ntwo", "- three", "- four\n  more", "| five | six |", "| 7 | 8 |", "# no heading\nls"]
        );
    }

    #[test]
    fn what_only_looks_like_a_heading_is_text() {
        assert_eq!(read("#tag\n\n####### deep\n\n#"), [section("notes.md", "#tag\n\n####### deep\n\n#")]);
    }

    #[test]
    fn a_long_section_becomes_several_passages() {
        let paragraph = "ä".repeat(1_500);
        let passages = read(&format!("# Long\n{paragraph}\n\n{paragraph}\n\n{}", "ß".repeat(5_000)));
        let lengths: Vec<_> = passages.iter().map(|(_, body)| body.len()).collect();
        assert_eq!(lengths, [3_000, 3_000, 4_000, 4_000, 2_000]);
        assert!(passages.iter().all(|(heading, _)| heading == "Long"));
    }

    #[test]
    fn an_empty_note_has_no_passages() {
        assert_eq!(read("\n# Only a heading\n\n---\n"), []);
    }
}

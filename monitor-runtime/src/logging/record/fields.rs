//! Rendered fields: a buffer of `,"key":value` sequences, and the offsets of each.
//!
//! ```text
//! bytes   ,"request_id":"7fe","len":4
//!         │           │      │    │  │
//!         start       key    │    key field
//!                            field of the first, start of the second
//!
//! ends    { key: 12, field: 19, rank: 0 }, { key: 24, field: 27, rank: RANKS }
//! ```
//!
//! `key` is the offset of the quote that closes the key, `field` the offset after the value. A field starts where the
//! previous one ended. All fields are thus copied into a line by one `memcpy`, and found without parsing. Invariants:
//!
//! * The keys of a line are unique: [`Fields::add`] renames a field whose key is taken. [`Fields::bind`] does not;
//!   there, `span_fields` keeps the last field of a key.
//! * The fields of a span are sorted by rank: the ids of [`LEADING`] in its order, then all others in the order in
//!   which they were bound.
//!
//! Keys are compared in rendered form, which is equivalent to comparing names, since escaping is injective.

use crate::json;

/// Ids that precede all other fields of a span, in this order, wherever they were bound.
const LEADING: [&str; 9] =
    ["request_id", "method", "endpoint", AGENT, PARENT_AGENT, "skill_id", "query", "trace_id", "span_id"];

/// The fields for the id of the innermost agent, and for the id of the agent that called it.
pub(crate) const AGENT: &str = "agent_id";
pub(crate) const PARENT_AGENT: &str = "parent_agent_id";

/// The rank of all other fields: the number of leading ids.
const RANKS: usize = LEADING.len();

/// The name of a field, before it is known whether the name is free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    /// How often `field.` is put before the name.
    prefixes: usize,
    name: &'a str,
    suffix: &'static str,
    /// The rendered name, if it needs neither prefix nor suffix.
    rendered: Option<&'a RenderedKey>,
}

impl<'a> Key<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        // `r#type = …` is only a way to write the name `type`.
        Self { prefixes: 0, name: name.strip_prefix("r#").unwrap_or(name), suffix: "", rendered: None }
    }

    /// The key of a field whose callsite has the rendered keys `keys`.
    #[inline]
    pub(crate) fn of(field: &tracing::field::Field, keys: &'a [RenderedKey]) -> Self {
        Self {
            rendered: keys.get(field.index()).filter(|rendered| rendered.is_free),
            ..Self::new(field.name())
        }
    }

    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// The key of an error's sources.
    pub(crate) fn chain(self) -> Self {
        Self { suffix: ".chain", rendered: None, ..self }
    }

    pub(crate) fn is_chain(&self) -> bool {
        !self.suffix.is_empty()
    }

    /// The same key with another name.
    pub(crate) fn renamed(self, name: &str) -> Key<'_> {
        Key { name: Key::new(name).name, rendered: None, ..self }
    }

    /// The index among the leading ids; [`RANKS`] for all other keys.
    fn rank(&self) -> usize {
        let is_whole = self.prefixes == 0 && self.suffix.is_empty();
        LEADING.iter().position(|id| is_whole && *id == self.name).unwrap_or(RANKS)
    }

    fn write(&self, out: &mut Vec<u8>) {
        for _ in 0..self.prefixes {
            out.extend_from_slice(b"field.");
        }
        json::write_escaped(out, self.name);
        if !self.suffix.is_empty() {
            out.extend_from_slice(self.suffix.as_bytes());
        }
    }
}

/// The name of a callsite's field, rendered once for all its lines.
#[derive(Debug)]
pub(crate) struct RenderedKey {
    /// `,"name":`
    bytes: Box<[u8]>,
    rank: usize,
    /// The key is none of the line's own keys, such as `level`.
    is_free: bool,
}

impl RenderedKey {
    pub(crate) fn new(name: &str) -> Self {
        let key = Key::new(name);
        let mut bytes = b",\"".to_vec();
        key.write(&mut bytes);
        let is_free = !is_line_key(&bytes[2..]);
        bytes.extend_from_slice(b"\":");
        Self { bytes: bytes.into(), rank: key.rank(), is_free }
    }

    /// The escaped key, without quotes.
    fn key(&self) -> &[u8] {
        &self.bytes[2..self.bytes.len() - 2]
    }
}

/// Rendered fields, in order.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    bytes: Vec<u8>,
    ends: Vec<FieldEnds>,
}

/// The end offsets of a field's key and of the whole field in `bytes`.
#[derive(Clone, Copy, Debug)]
struct FieldEnds {
    key: usize,
    field: usize,
    rank: usize,
}

/// One rendered field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    whole: &'a [u8],
    key: &'a [u8],
    rank: usize,
}

impl<'a> Field<'a> {
    /// The escaped key, without quotes.
    pub(crate) fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The whole field: `,"key":value`.
    #[cfg(feature = "runs")]
    pub(crate) fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The rendered value.
    pub(crate) fn value(&self) -> &'a [u8] {
        // After the comma, the quoted key and the colon.
        &self.whole[self.key.len() + 4..]
    }

    /// Whether the field's rank puts it before the other.
    pub(crate) fn ranks_before(&self, other: &Self) -> bool {
        self.rank < other.rank
    }
}

impl Fields {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Whether the ranks ascend strictly. Then each rank, and so each name, occurs at most once.
    pub(crate) fn is_in_order(&self) -> bool {
        self.ends.is_sorted_by(|before, after| before.rank < after.rank)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Removes all fields, and shrinks the buffers to `bytes` bytes at most.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        self.clear();
        self.bytes.shrink_to(bytes);
        self.ends.shrink_to(bytes / size_of::<FieldEnds>());
    }

    /// All fields in the form that lines contain.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends the end of the JSON object, of which the fields are the last part, and the line feed.
    pub(crate) fn end_object(&mut self) {
        self.bytes.extend_from_slice(b"}\n");
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let mut start = 0;
        self.ends.iter().map(move |ends| {
            let whole = &self.bytes[start..ends.field];
            let field = Field { whole, key: &whole[2..ends.key - start], rank: ends.rank };
            start = ends.field;
            field
        })
    }

    /// The value of a field, if it is a number or a text without escapes.
    pub(crate) fn plain(&self, key: &str) -> Option<&str> {
        let value = self.iter().find(|field| field.key() == key.as_bytes())?.value();
        let value = std::str::from_utf8(value).ok()?;
        let text = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(value);
        (!text.contains('\\')).then_some(text)
    }

    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.clear();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend_from_slice(&other.ends);
    }

    /// Appends `field` with a different value.
    pub(crate) fn copy_with(&mut self, field: &Field<'_>, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&field.whole[..field.key.len() + 4]);
        self.bytes.extend_from_slice(value);
        let key = start + 2 + field.key.len();
        self.ends.push(FieldEnds { key, field: self.bytes.len(), rank: field.rank });
    }

    /// Appends `field` under another key, which must be escaped and free.
    pub(crate) fn copy_under(&mut self, field: &Field<'_>, key: &[u8]) {
        self.bytes.extend_from_slice(b",\"");
        self.bytes.extend_from_slice(key);
        let end = self.bytes.len();
        self.bytes.extend_from_slice(b"\":");
        self.bytes.extend_from_slice(field.value());
        self.ends.push(FieldEnds { key: end, field: self.bytes.len(), rank: field.rank });
    }

    /// Appends `field`; its name must be free.
    #[inline]
    pub(crate) fn push_field(&mut self, field: &Field<'_>) {
        let key = self.bytes.len() + 2 + field.key.len();
        self.bytes.extend_from_slice(field.whole);
        self.ends.push(FieldEnds { key, field: self.bytes.len(), rank: field.rank });
    }

    /// Inserts `field` at its rank, after fields of equal rank. The fields must be sorted by rank.
    pub(crate) fn insert(&mut self, field: Field<'_>) {
        let at = self.ends.iter().take_while(|ends| ends.rank <= field.rank).count();
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before].field);
        let (moved, added) = (self.bytes.len(), field.whole.len());
        self.bytes.extend_from_slice(field.whole);
        if start < moved {
            self.bytes[start..].rotate_right(added);
            for ends in &mut self.ends[at..] {
                ends.key += added;
                ends.field += added;
            }
        }
        let ends = FieldEnds { key: start + 2 + field.key.len(), field: start + added, rank: field.rank };
        self.ends.insert(at, ends);
    }

    /// Overwrites the value of a field with one of equal length. Returns whether there was such a field.
    pub(crate) fn overwrite(&mut self, key: &[u8], value: &[u8]) -> bool {
        let mut start = 0;
        let at = self.ends.iter().find_map(|ends| {
            let own = std::mem::replace(&mut start, ends.field) + 2..ends.key;
            (self.bytes[own] == *key && ends.field - ends.key == value.len() + 2).then_some(ends.key + 2)
        });
        at.map(|at| self.bytes[at..at + value.len()].copy_from_slice(value)).is_some()
    }

    /// Removes all fields for which `is_gone` returns `true`.
    pub(crate) fn remove(&mut self, is_gone: impl Fn(&Field<'_>) -> bool) {
        if self.iter().any(|field| is_gone(&field)) {
            let mut kept = Self::default();
            for field in self.iter().filter(|field| !is_gone(field)) {
                kept.insert(field);
            }
            *self = kept;
        }
    }

    /// Appends a field of a span. Only the line's own keys are taken, since a name bound again replaces the earlier
    /// value.
    pub(crate) fn bind<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a> {
        if let Some(rendered) = key.rendered {
            self.push(rendered, rendered.rank, value);
            return key;
        }
        self.append(key, key.rank(), |_, key| is_line_key(key), value)
    }

    /// Appends a field of an event. All keys already on the line are taken.
    pub(crate) fn add<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a> {
        if let Some(rendered) = key.rendered.filter(|rendered| !self.has(rendered.key())) {
            self.push(rendered, RANKS, value);
            return key;
        }
        self.append(key, RANKS, |before, key| before.has(key) || is_line_key(key), value)
    }

    /// Appends a field; its name must be free.
    #[inline]
    fn push(&mut self, rendered: &RenderedKey, rank: usize, value: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(&rendered.bytes);
        let key = self.bytes.len() - 2;
        value(&mut self.bytes);
        self.ends.push(FieldEnds { key, field: self.bytes.len(), rank });
    }

    /// Appends a field, with `field.` before the name as often as needed to make it free. Returns the resulting key.
    fn append<'a>(
        &mut self,
        mut key: Key<'a>,
        rank: usize,
        is_taken: impl Fn(&Self, &[u8]) -> bool,
        value: impl FnOnce(&mut Vec<u8>),
    ) -> Key<'a> {
        self.bytes.extend_from_slice(b",\"");
        let start = self.bytes.len();
        key.write(&mut self.bytes);
        while is_taken(self, &self.bytes[start..]) {
            self.bytes.truncate(start);
            key.prefixes += 1;
            key.write(&mut self.bytes);
        }
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(b"\":");
        value(&mut self.bytes);
        self.ends.push(FieldEnds { key: key_end, field: self.bytes.len(), rank });
        key
    }

    /// Compares lengths first, which rules out nearly all keys.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        let mut start = 0;
        self.ends.iter().any(|ends| {
            let begins = start + 2;
            start = ends.field;
            ends.key - begins == key.len() && self.bytes[begins..ends.key] == *key
        })
    }
}

/// Whether this is one of the keys that every line begins with.
fn is_line_key(key: &[u8]) -> bool {
    matches!(key, b"timestamp" | b"level" | b"logger" | b"event")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(names: &[&str]) -> String {
        let mut fields = Fields::default();
        for (at, name) in names.iter().enumerate() {
            fields.add(Key::new(name), |out| out.extend_from_slice(at.to_string().as_bytes()));
        }
        String::from_utf8(fields.bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_name_that_is_taken_gets_a_prefix_until_it_is_free() {
        assert_eq!(added(&["a", "a", "a"]), r#","a":0,"field.a":1,"field.field.a":2"#);
        assert_eq!(added(&["field.a", "a", "a"]), r#","field.a":0,"a":1,"field.field.a":2"#);
    }

    #[test]
    fn the_names_of_the_line_itself_are_taken_from_the_start() {
        let line = added(&["timestamp", "level", "logger", "event", "message"]);
        assert_eq!(
            line,
            r#","field.timestamp":0,"field.level":1,"field.logger":2,"field.event":3,"message":4"#
        );
    }

    #[test]
    fn a_raw_identifier_is_named_without_its_mark() {
        assert_eq!(added(&["r#type", "type"]), r#","type":0,"field.type":1"#);
    }

    #[test]
    fn names_are_escaped_before_they_are_compared() {
        assert_eq!(added(&["a\"\n", "a\"\n"]), r#","a\"\n":0,"field.a\"\n":1"#);
    }

    #[test]
    fn the_key_of_an_errors_sources_follows_that_of_the_error() {
        let mut fields = Fields::default();
        fields.add(Key::new("error"), |out| out.push(b'0'));
        let key = fields.add(Key::new("error"), |out| out.push(b'1'));
        fields.add(key.chain(), |out| out.push(b'2'));
        assert_eq!(fields.bytes(), br#","error":0,"field.error":1,"field.error.chain":2"#);
    }

    #[test]
    fn an_inserted_field_moves_those_behind_it_whole() {
        let mut own = Fields::default();
        own.bind(Key::new("query"), |out| out.extend_from_slice(b"\"q\""));
        own.bind(Key::new("request_id"), |out| out.extend_from_slice(b"\"r\""));
        let mut all = Fields::default();
        own.iter().for_each(|field| all.insert(field));
        let fields: Vec<_> = all.iter().map(|field| (field.key(), field.value())).collect();
        assert_eq!(fields, [(&b"request_id"[..], &b"\"r\""[..]), (b"query", b"\"q\"")]);
    }
}

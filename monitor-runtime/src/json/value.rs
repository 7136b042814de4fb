//! Reads JSON into values: prices in a file, and answers of other processes.

use super::read_str;

/// The deepest nesting that is read.
const DEEPEST: usize = 16;

/// A JSON value. The members of an object are in their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The first place of a text that is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The place in the text, in bytes.
    pub(crate) at: usize,
    /// The form that was expected there.
    pub(crate) expected: &'static str,
}

impl Json {
    /// Reads a whole text.
    pub(crate) fn read(text: &str) -> Result<Self, Mistake> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.at < text.len() { Err(reader.expected("the end")) } else { Ok(value) }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn expected(&self, expected: &'static str) -> Mistake {
        Mistake { at: self.at, expected }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Skips the token if it is next.
    fn skip(&mut self, token: &str) -> bool {
        self.skip_space();
        let is_next = self.rest().starts_with(token);
        self.at += if is_next { token.len() } else { 0 };
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Json, Mistake> {
        self.skip_space();
        if depth > DEEPEST {
            return Err(self.expected("less nesting"));
        }
        let first = self.rest().bytes().next();
        match first {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.skip("true") => Ok(Json::Bool(true)),
            _ if self.skip("false") => Ok(Json::Bool(false)),
            _ if self.skip("null") => Ok(Json::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Mistake> {
        let mut members = Vec::new();
        self.skip("{");
        if self.skip("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            if !self.skip(":") {
                return Err(self.expected("`:`"));
            }
            members.push((name, self.value(depth + 1)?));
            if self.skip("}") {
                return Ok(Json::Object(members));
            }
            if !self.skip(",") {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, Mistake> {
        let mut values = Vec::new();
        self.skip("[");
        if self.skip("]") {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.skip("]") {
                return Ok(Json::List(values));
            }
            if !self.skip(",") {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Mistake> {
        let rest = self.rest();
        let inside = rest.strip_prefix('"').ok_or_else(|| self.expected("a string"))?;
        let mut is_escaped = false;
        let end = inside.bytes().position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        });
        let end = end.ok_or_else(|| self.expected("the end of the string"))? + 2;
        let text = read_str(&rest.as_bytes()[..end]).ok_or_else(|| self.expected("a string"))?;
        self.at += end;
        Ok(text)
    }

    fn number(&mut self) -> Result<Json, Mistake> {
        let rest = self.rest();
        let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let end = rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let number = rest[..end].parse().map_err(|_| self.expected("a number"))?;
        self.at += end;
        Ok(Json::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let read = Json::read(r#" {"a": [1.25, -2e3, true, null], "b\n": "\u00e4\"", "c": {}} "#).unwrap();
        let list = Json::List(vec![Json::Number(1.25), Json::Number(-2000.0), Json::Bool(true), Json::Null]);
        let members = [("a", list), ("b\n", Json::Text("ä\"".to_owned())), ("c", Json::Object(Vec::new()))];
        assert_eq!(read, Json::Object(members.map(|(name, value)| (name.to_owned(), value)).to_vec()));
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (text, at) in [
            ("", 0),
            ("{", 1),
            (r#"{"a" 1}"#, 5),
            (r#"{"a": 1,}"#, 8),
            ("[1 2]", 3),
            ("[1] 2", 4),
            (r#""open"#, 0),
            ("1.2.3", 0),
            ("nul", 0),
        ] {
            let Err(Mistake { at: found, .. }) = Json::read(text) else { panic!("{text}") };
            assert_eq!(found, at, "{text}");
        }
        assert!(Json::read(&"[".repeat(100_000)).is_err(), "and no overflow of the stack");
    }
}

//! From text to sections of entries (General Syntax Rules for INF Files).

use std::collections::BTreeMap;

use super::error::{InfError, InfProblem};
use super::{Entry, MAX_FIELD, MAX_SECTION_NAME, Section};

/// Sections by their names in lower case.
pub(super) type Sections = BTreeMap<String, Section>;

/// Reads the text; string tokens stay as they are.
pub(super) fn scan(text: &str) -> Result<Sections, InfError> {
    let mut scanner = Scanner {
        rest: text,
        line: 1,
        sections: Sections::new(),
        current: None,
    };
    while scanner.item()? {}
    Ok(scanner.sections)
}

struct Scanner<'a> {
    rest: &'a str,
    line: u32,
    sections: Sections,
    current: Option<String>,
}

impl Scanner<'_> {
    /// Reads a section's name or an entry; false at the end.
    fn item(&mut self) -> Result<bool, InfError> {
        let Some(next) = self.peek() else {
            return Ok(false);
        };
        match next {
            ';' => self.skip_comment(),
            '[' => self.section_name()?,
            next if next.is_whitespace() || next == '\0' => self.advance(next),
            _ => self.entry()?,
        }
        Ok(true)
    }

    fn section_name(&mut self) -> Result<(), InfError> {
        let inner = &self.rest[1..];
        let end = inner.find([']', '\n']).unwrap_or(inner.len());
        if !inner[end..].starts_with(']') {
            return Err(InfProblem::SectionNameNotClosed.at(self.line));
        }
        let name = inner[..end].trim();
        if name.chars().count() > MAX_SECTION_NAME {
            return Err(InfProblem::SectionNameTooLong.at(self.line));
        }
        let key = name.to_lowercase();
        let line = self.line;
        self.sections.entry(key.clone()).or_insert_with(|| Section {
            name: name.to_owned(),
            line,
            entries: vec![],
        });
        self.current = Some(key);
        self.rest = &inner[end + 1..];
        Ok(())
    }

    fn entry(&mut self) -> Result<(), InfError> {
        let line = self.line;
        let Some(section) = self.current.clone() else {
            return Err(InfProblem::OutsideOfSections.at(line));
        };
        let mut entry = Entry {
            line,
            key: None,
            values: vec![],
        };
        let mut field = Field::default();
        while let Some(next) = self.peek() {
            match next {
                '\n' => break,
                ';' => {
                    self.skip_comment();
                    break;
                }
                '"' => self.quoted(&mut field),
                '\\' => self.backslashes(&mut field),
                '%' => self.token(&mut field),
                ',' => {
                    self.advance(next);
                    entry.values.push(field.take(line)?);
                }
                '=' if entry.key.is_none() && entry.values.is_empty() => {
                    self.advance(next);
                    entry.key = Some(field.take(line)?);
                }
                next => {
                    self.advance(next);
                    field.push(next);
                }
            }
        }
        entry.values.push(field.take(line)?);
        if let Some(section) = self.sections.get_mut(&section) {
            section.entries.push(entry);
        }
        Ok(())
    }

    /// A quoted string keeps spaces, semicolons and commas; two quotation marks in it are one. It ends at the end of
    /// the line at the latest.
    fn quoted(&mut self, field: &mut Field) {
        self.advance('"');
        while let Some(next) = self.peek().filter(|next| *next != '\n') {
            self.advance(next);
            if next == '"' {
                if self.peek() != Some('"') {
                    return;
                }
                self.advance('"');
            }
            if next != '\r' {
                field.push_exactly(next);
            }
        }
    }

    /// Backslashes at the end of a line, before a comment too, continue it; elsewhere they are text.
    fn backslashes(&mut self, field: &mut Field) {
        let is_run = |c: char| c == '\\' || (c.is_whitespace() && c != '\n');
        let after = self.rest.trim_start_matches(is_run);
        let run = &self.rest[..self.rest.len() - after.len()];
        self.rest = after;
        match self.peek() {
            Some(';') => self.skip_comment(),
            Some('\n') | None => {}
            Some(_) => return run.chars().for_each(|c| field.push(c)),
        }
        while let Some(next) = self.peek().filter(|next| next.is_whitespace()) {
            let line_ended = next == '\n';
            self.advance(next);
            if line_ended {
                self.rest = self
                    .rest
                    .trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
                return;
            }
        }
    }

    /// A string token is taken as a whole, since its name may contain a semicolon or an equals sign.
    fn token(&mut self, field: &mut Field) {
        let inner = &self.rest[1..];
        let ends = |c: char| c == '%' || c == ',' || c == '"' || c.is_whitespace();
        let length = match inner.find(ends) {
            Some(end) if inner[end..].starts_with('%') => end + 2,
            _ => 1,
        };
        let (token, rest) = self.rest.split_at(length);
        token.chars().for_each(|c| field.push(c));
        self.rest = rest;
    }

    fn skip_comment(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn advance(&mut self, character: char) {
        self.rest = &self.rest[character.len_utf8()..];
        self.line = self.line.saturating_add(u32::from(character == '\n'));
    }
}

/// A value while it is read: spaces around it are dropped, those inside are kept.
#[derive(Default)]
struct Field {
    text: String,
    spaces: String,
    begun: bool,
}

impl Field {
    fn push(&mut self, character: char) {
        if !character.is_whitespace() && character != '\0' {
            self.push_exactly(character);
        } else if self.begun {
            self.spaces.push(character);
        }
    }

    fn push_exactly(&mut self, character: char) {
        self.begun = true;
        self.text.push_str(&self.spaces);
        self.spaces.clear();
        self.text.push(character);
    }

    fn take(&mut self, line: u32) -> Result<String, InfError> {
        let field = std::mem::take(self);
        if field.text.chars().count() >= MAX_FIELD {
            return Err(InfProblem::ValueTooLong.at(line));
        }
        Ok(field.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Vec<String> {
        let sections = scan(&format!("[a]\n{line}")).unwrap();
        let entries = &sections["a"].entries;
        assert_eq!(entries.len(), 1, "{line}: {entries:?}");
        entries[0].values.clone()
    }

    fn problem(text: &str) -> InfError {
        scan(text).unwrap_err()
    }

    #[test]
    fn repeated_sections_are_merged_whatever_their_case() {
        let sections = scan("[A]\nx=1\n[b]\ny=2\n[a]\nz=3").unwrap();
        let keys: Vec<_> = sections["a"]
            .entries
            .iter()
            .map(|entry| entry.key.as_deref())
            .collect();
        assert_eq!(keys, [Some("x"), Some("z")]);
        assert_eq!(sections["a"].name, "A");
        assert_eq!(sections["a"].entries[1].line, 6);
    }

    #[test]
    fn values_lose_the_spaces_around_them_and_keep_those_inside() {
        assert_eq!(values("k =  a b\t,,  c ; comment"), ["a b", "", "c"]);
        assert_eq!(
            values("k = \"  a;b,c  \" , \"say \"\"yes\"\"\""),
            ["  a;b,c  ", "say \"yes\""]
        );
        assert_eq!(values("k = x=y"), ["x=y"]);
        assert_eq!(values("only.sys,,,0x2"), ["only.sys", "", "", "0x2"]);
        assert_eq!(values("k = \"open\r\n"), ["open"]);
        assert_eq!(values("k ="), [""]);
    }

    #[test]
    fn a_backslash_at_the_end_continues_the_line_and_others_are_text() {
        assert_eq!(values("k = a, \\\r\n   b, \\ ; why\r\n c"), ["a", "b", "c"]);
        assert_eq!(values("k = \"dir\\\"\\\n,file"), ["dir\\", "file"]);
        assert_eq!(values("k = dir\\\\\n,file"), ["dir", "file"]);
        assert_eq!(values("k = PCI\\VEN_1&DEV_2"), ["PCI\\VEN_1&DEV_2"]);
        assert_eq!(values("k = \\x86\\ y"), ["\\x86\\ y"]);
        assert_eq!(values("k = a\\"), ["a"]);
        let after = scan("[a]\nk = 1 \\\n\nm = 2").unwrap();
        assert_eq!(after["a"].entries.len(), 2, "an empty line ends a continued one");
    }

    #[test]
    fn a_token_may_contain_a_semicolon() {
        assert_eq!(values("%a;b%=x,%c=d%"), ["x", "%c=d%"]);
        assert_eq!(values("k = 50% ; 100% sure"), ["50%"]);
    }

    #[test]
    fn errors_name_their_line() {
        assert_eq!(problem("; c\nstray"), InfProblem::OutsideOfSections.at(2));
        assert_eq!(problem("[a]\n\n[b\nc]"), InfProblem::SectionNameNotClosed.at(3));
        assert_eq!(
            problem(&format!("[{}]", "a".repeat(256))),
            InfProblem::SectionNameTooLong.at(1)
        );
        assert_eq!(
            problem(&format!("[a]\nk={}", "a".repeat(4096))),
            InfProblem::ValueTooLong.at(2)
        );
    }
}

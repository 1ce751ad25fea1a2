//! Elements of an answer file that we make, and how they are written.

use std::io;

use quick_xml::Writer;
use quick_xml::escape::partial_escape;
use quick_xml::events::BytesText;

use super::Error;

/// The namespace of answer files.
pub(super) const UNATTEND: &str = "urn:schemas-microsoft-com:unattend";
/// The namespace of the attributes of lists.
pub(super) const WCM: &str = "http://schemas.microsoft.com/WMIConfig/2002/State";

/// An element with what happens where the user's file has it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: &'static str,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) content: Content,
    pub(super) meets: Meets,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    Children(Vec<Element>),
}

/// What happens where the user's file has an element of this name too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meets {
    /// The two are merged if these attributes are equal.
    Merges(&'static [&'static str]),
    /// The file's stays.
    Yields,
    /// It is an item of a list: the file's stays if this child is equal, else both are there.
    Item(&'static str),
    /// It is a command: it runs after those of the file, and once.
    Command,
}

impl Element {
    /// A value.
    pub(super) fn text(name: &'static str, value: impl Into<String>) -> Self {
        Self::new(name, Content::Text(value.into()), Meets::Yields)
    }

    /// A group whose children are merged.
    pub(super) fn group(name: &'static str, children: Vec<Self>) -> Self {
        Self::new(name, Content::Children(children), Meets::Merges(&[]))
    }

    /// A group that counts as one value.
    pub(super) fn whole(name: &'static str, children: Vec<Self>) -> Self {
        Self::new(name, Content::Children(children), Meets::Yields)
    }

    fn new(name: &'static str, content: Content, meets: Meets) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            content,
            meets,
        }
    }

    pub(super) fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    pub(super) fn meets(mut self, meets: Meets) -> Self {
        self.meets = meets;
        self
    }

    pub(super) fn children(&self) -> &[Self] {
        match &self.content {
            Content::Children(children) => children,
            Content::Text(_) => &[],
        }
    }

    /// The text of a child.
    pub(super) fn child_text(&self, name: &str) -> Option<&str> {
        let child = self.children().iter().find(|child| child.name == name)?;
        match &child.content {
            Content::Text(text) => Some(text),
            Content::Children(_) => None,
        }
    }

    /// Whether the prefix `wcm` has to be known where it is put.
    pub(super) fn needs_wcm(&self) -> bool {
        let declares = self.attributes.iter().any(|(name, _)| *name == "xmlns:wcm");
        let uses = self.attributes.iter().any(|(name, _)| name.starts_with("wcm:"));
        !declares && (uses || self.children().iter().any(Self::needs_wcm))
    }

    /// Windows set-up accepts no empty value, and could not read, or not mean, control characters.
    pub(super) fn check(&self) -> Result<(), Error> {
        if let Content::Text(text) = &self.content {
            check_text(text).map_err(|why| Error::setting(self.name, why))?;
        }
        self.children().iter().try_for_each(Self::check)
    }

    /// The element as text, two blanks deeper at each level; `prefix` stands before every name.
    pub(super) fn write(&self, prefix: &str) -> Result<String, Error> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        self.write_to(&mut writer, prefix)
            .map_err(|why| Error::setting(self.name, why.to_string()))?;
        String::from_utf8(writer.into_inner()).map_err(|why| Error::setting(self.name, why.to_string()))
    }

    fn write_to(&self, writer: &mut Writer<Vec<u8>>, prefix: &str) -> io::Result<()> {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let element = writer
            .create_element(format!("{prefix}{}", self.name))
            .with_attributes(attributes);
        match &self.content {
            Content::Text(text) => {
                element.write_text_content(BytesText::from_escaped(partial_escape(text.as_str())))?
            }
            Content::Children(children) => element.write_inner_content(|inner| {
                children.iter().try_for_each(|one| one.write_to(inner, prefix))
            })?,
        };
        Ok(())
    }
}

fn check_text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("its value is empty, which Windows does not accept: leave the setting out".into());
    }
    match text
        .chars()
        .find(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
    {
        Some(bad) => Err(format!(
            "its value has the character U+{:04X} in it, which no answer file can have",
            u32::from(bad)
        )),
        None => Ok(()),
    }
}

//! The XML metadata of a WIM.

use roxmltree::{Document, Node, ParsingOptions};

use crate::xml_limits;

use super::info::{ImageInfo, InfoError, WindowsInfo};

/// The metadata of an ordinary WIM takes a few kilobytes: this many elements are an attack.
const MOST_NODES: u32 = 1_000_000;
const MOST_IMAGES: usize = 10_000;

/// Reads the images from the XML metadata, which is UTF-16LE with or without a byte order mark.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<ImageInfo>, InfoError> {
    let text = decode(bytes)?;
    let document = document(&text)?;
    let root = document.root_element();
    if root.tag_name().name() != "WIM" {
        return Err(InfoError::Xml(format!(
            "the root element is {} and not WIM",
            root.tag_name().name()
        )));
    }
    let nodes: Vec<Node> = root
        .children()
        .filter(|n| n.has_tag_name("IMAGE"))
        .take(MOST_IMAGES + 1)
        .collect();
    if nodes.len() > MOST_IMAGES {
        return Err(InfoError::Xml(format!("it names more than {MOST_IMAGES} images")));
    }
    let mut images = nodes.into_iter().map(image).collect::<Result<Vec<_>, _>>()?;
    images.sort_by_key(|image| image.index);
    match images
        .iter()
        .zip(1u32..)
        .find(|(image, expected)| image.index != *expected)
    {
        Some((image, expected)) => Err(InfoError::Index {
            found: image.index,
            expected,
        }),
        None => Ok(images),
    }
}

fn document(text: &str) -> Result<Document<'_>, InfoError> {
    if let Some(why) = xml_limits::excess(text) {
        return Err(InfoError::Xml(why));
    }
    let options = ParsingOptions {
        nodes_limit: MOST_NODES,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|e| InfoError::Xml(e.to_string()))
}

/// The same metadata, in which an image has that property; the one that it had is gone.
pub(super) fn with_property(text: &str, index: u32, name: &str, value: &str) -> Result<String, InfoError> {
    let document = document(text)?;
    let number = index.to_string();
    let is_meant = |node: &Node| node.has_tag_name("IMAGE") && node.attribute("INDEX") == Some(&number);
    let image = document.root_element().children().find(is_meant);
    let image = image.ok_or_else(|| InfoError::Xml(format!("it has no image {index}")))?;
    let element = format!("<{name}>{}</{name}>", escape(value));
    let place = match (child(image, name), image.last_child()) {
        (Some(before), _) => before.range(),
        (None, Some(last)) => last.range().end..last.range().end,
        (None, None) => return Err(InfoError::Xml(format!("image {index} is empty"))),
    };
    let mut text = text.to_owned();
    text.replace_range(place, &element);
    Ok(text)
}

fn escape(value: &str) -> String {
    value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// UTF-16LE with a byte order mark, as Windows writes it.
pub(super) fn encode(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

pub(super) fn decode(bytes: &[u8]) -> Result<String, InfoError> {
    if !bytes.len().is_multiple_of(2) {
        return Err(InfoError::Xml("its length is odd, so it is not UTF-16".into()));
    }
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    let text = text.map_err(|_| InfoError::Xml("it is not UTF-16".into()))?;
    Ok(text
        .trim_start_matches('\u{feff}')
        .trim_end_matches('\0')
        .to_owned())
}

fn image(node: Node) -> Result<ImageInfo, InfoError> {
    let index = node.attribute("INDEX").and_then(|value| value.parse().ok());
    Ok(ImageInfo {
        index: index.ok_or_else(|| InfoError::Xml("an image has no valid INDEX".into()))?,
        name: text(node, "NAME").unwrap_or_default(),
        description: text(node, "DESCRIPTION"),
        display_name: text(node, "DISPLAYNAME"),
        display_description: text(node, "DISPLAYDESCRIPTION"),
        flags: text(node, "FLAGS"),
        creator: text(node, "CREATOR"),
        version: text(node, "VERSION"),
        mount_point: text(node, "MOUNTPOINT"),
        total_bytes: number(node, "TOTALBYTES")?,
        hard_link_bytes: number(node, "HARDLINKBYTES")?,
        dir_count: number(node, "DIRCOUNT")?,
        file_count: number(node, "FILECOUNT")?,
        created: time(node, "CREATIONTIME"),
        modified: time(node, "LASTMODIFICATIONTIME"),
        windows: child(node, "WINDOWS").map(windows),
    })
}

fn windows(node: Node) -> WindowsInfo {
    let languages = child(node, "LANGUAGES");
    let version = child(node, "VERSION");
    WindowsInfo {
        arch: text(node, "ARCH").and_then(|value| value.parse().ok()),
        product_name: text(node, "PRODUCTNAME"),
        edition: text(node, "EDITIONID"),
        installation_type: text(node, "INSTALLATIONTYPE"),
        system_root: text(node, "SYSTEMROOT"),
        version: version.and_then(version_text),
        languages: languages.map(language_list).unwrap_or_default(),
        default_language: languages.and_then(|node| text(node, "DEFAULT")),
    }
}

fn language_list(node: Node) -> Vec<String> {
    let languages = node.children().filter(|child| child.has_tag_name("LANGUAGE"));
    languages
        .filter_map(|language| language.text())
        .map(|value| value.trim().to_owned())
        .collect()
}

/// `10.0.19041.1`: as many of the four numbers as are there.
fn version_text(node: Node) -> Option<String> {
    let numbers = ["MAJOR", "MINOR", "BUILD", "SPBUILD"];
    let parts: Vec<String> = numbers.into_iter().map_while(|name| text(node, name)).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text(node: Node, name: &str) -> Option<String> {
    let text = child(node, name)?.text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A missing number is 0: Microsoft's own tools leave some out.
fn number(node: Node, name: &str) -> Result<u64, InfoError> {
    match text(node, name) {
        None => Ok(0),
        Some(value) => value
            .parse()
            .map_err(|_| InfoError::Xml(format!("{name} is no number: {value}"))),
    }
}

/// A FILETIME: 100 ns since 1601, in two hexadecimal halves.
fn time(node: Node, name: &str) -> Option<u64> {
    let node = child(node, name)?;
    let half = |name| {
        let value = text(node, name)?;
        u32::from_str_radix(value.trim_start_matches("0x"), 16)
            .ok()
            .map(u64::from)
    };
    Some(half("HIGHPART")? << 32 | half("LOWPART")?)
}

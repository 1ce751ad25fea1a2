//! What the reader of XML has no limit for: it compares every attribute of an element with all others, and gives every element
//! with a namespace of its own a list of all namespaces around it.

/// No file of ours or of Windows comes near.
const MOST_ATTRIBUTES: usize = 500;
const MOST_NAMESPACES: usize = 500;

/// Why a text would take more time or memory than it is worth, before anything reads it.
pub fn excess(text: &str) -> Option<String> {
    if text.matches("xmlns").count() > MOST_NAMESPACES {
        return Some(format!("it names more than {MOST_NAMESPACES} namespaces"));
    }
    // No attribute has this sign in it, so none is counted for another element.
    let crowded = text.split('<').any(|tag| attributes(tag) > MOST_ATTRIBUTES);
    crowded.then(|| format!("an element has more than {MOST_ATTRIBUTES} attributes"))
}

/// At least as many as there are: signs of equality before a quotation mark.
fn attributes(tag: &str) -> usize {
    let values = tag.split('=').skip(1);
    values
        .filter(|value| value.trim_start().starts_with(['"', '\'']))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_common_is_not_too_much_and_a_banner_is_no_attribute() {
        let text = format!(
            "<!-- {} --><a xmlns=\"x\">{}</a>",
            "=".repeat(9000),
            "<b c = 'd'/>".repeat(9000)
        );
        assert_eq!(excess(&text), None);
        let crowded = |sign: &str| format!("<a {}/>", format!("b{sign}'' ").repeat(501));
        assert!(excess(&crowded("=")).unwrap().contains("500 attributes"));
        assert!(excess(&crowded(" \n= ")).is_some());
        assert!(
            excess(&"<a xmlns:b=''>".repeat(501))
                .unwrap()
                .contains("500 namespaces")
        );
    }
}

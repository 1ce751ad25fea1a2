//! The variables in a user's answer file.

use quick_xml::escape::escape;
use task_sequence::Variables;

use super::source::{Piece, pieces};

/// The text with its `%NAME%` replaced, so that it stays well-formed whatever the values are. Comments and
/// instructions keep theirs.
pub(super) fn expand(text: &str, variables: &Variables) -> String {
    let in_markup = mapped(variables, |value| escape(value).into_owned());
    // A value cannot end the section that it stands in.
    let in_cdata = mapped(variables, |value| value.replace("]]>", "]]]]><![CDATA[>"));
    let expanded = pieces(text).into_iter().map(|piece| match piece {
        Piece::Markup(markup) => in_markup.expand(markup),
        Piece::CData(section) => in_cdata.expand(section),
        Piece::Note(note) => note.to_owned(),
    });
    expanded.collect()
}

fn mapped(variables: &Variables, map: impl Fn(&str) -> String) -> Variables {
    let mut mapped = Variables::new();
    for (name, value, _) in variables.iter() {
        // The names were accepted once already.
        let _ = mapped.set_by_engine(name, map(value));
    }
    mapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_their_place_needs_it() {
        let mut variables = Variables::new();
        variables.set("Name", "<a> & \"b\" ]]>").unwrap();
        let text = "<?x %NAME%?><e a=\"%name%\">%NAME% 100% %other%<![CDATA[%NAME%]]><!-- %NAME% --></e>";
        let expanded = expand(text, &variables);
        assert_eq!(
            expanded,
            "<?x %NAME%?><e a=\"&lt;a&gt; &amp; &quot;b&quot; ]]&gt;\">&lt;a&gt; &amp; &quot;b&quot; ]]&gt; 100% %other%\
             <![CDATA[<a> & \"b\" ]]]]><![CDATA[>]]><!-- %NAME% --></e>"
        );
        let document = roxmltree::Document::parse(&expanded).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("a"), variables.get("Name"));
        let texts: String = root
            .children()
            .filter_map(|node| node.is_text().then(|| node.text()).flatten())
            .collect();
        assert_eq!(texts, "<a> & \"b\" ]]> 100% %other%<a> & \"b\" ]]>");
    }
}

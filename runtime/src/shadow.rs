//! Entries of `/etc/shadow` (shadow(5)).

/// The text with another password field for that user; unchanged when the user is not there.
pub fn set_password(text: &str, user: &str, field: &str) -> String {
    let edited = text.lines().map(|line| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields.first() == Some(&user) && fields.len() > 1 {
            fields[1] = field;
        }
        fields.join(":")
    });
    let mut text = edited.collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_that_user_changes() {
        let text = "root:*:1:0:99999:7:::\ndaemon:*:1::::::\n";
        assert_eq!(
            set_password(text, "root", "$6$x"),
            "root:$6$x:1:0:99999:7:::\ndaemon:*:1::::::\n"
        );
        assert_eq!(set_password(text, "nobody", "x"), text);
    }
}

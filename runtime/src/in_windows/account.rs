//! Programs that Windows runs as another account: how accounts are named, why one is refused, and what its programs get.

use std::collections::BTreeMap;
use std::iter::once;

use crate::platform::Command;

/// User and domain as a logon takes them. A name without a domain is the machine's own; `user@domain` has it in the name.
pub fn for_logon(name: &str) -> (&str, Option<&str>) {
    match name.split_once('\\') {
        Some((domain, user)) => (user, Some(domain)),
        None if name.contains('@') => (name, None),
        None => (name, Some(".")),
    }
}

/// The name as programs of Windows take it: `.\user` is only a logon's.
pub fn for_programs(name: &str) -> &str {
    name.strip_prefix(".\\").unwrap_or(name)
}

/// What Windows' error means to who has written the step (winerror.h).
pub fn explain(error: &std::io::Error) -> String {
    let reason = match error.raw_os_error().unwrap_or_default() {
        1311 => "no server of the domain can be reached: check the network",
        1314 | 1346 => {
            "only the service of the run may start programs as another account, and this run was begun in a command prompt: put a \
             `restart-computer` with target \"os\" before the step"
        }
        1326 => "the account is refused: check its name and password",
        1327 => {
            "the account may not log on like this: give it a password, and look at its hours and machines"
        }
        1330 | 1907 => "the password has to be changed before the account can log on",
        1331 => "the account is disabled",
        1355 => "the domain cannot be found: check its name, the addresses and the DNS servers",
        1385 => {
            "the account may log on neither at the machine nor as a batch job: give it one of these rights"
        }
        1793 => "the account has expired",
        1909 => "the account is locked, because of wrong passwords",
        _ => return error.to_string(),
    };
    format!("{reason} ({error})")
}

/// The environment of a program: the account's own with these variables, as Windows takes it, in the order of the names.
pub fn environment(own: Vec<String>, more: &BTreeMap<String, String>) -> Vec<u16> {
    let more = more.iter().map(|(name, value)| format!("{name}={value}"));
    let lines: BTreeMap<String, String> = own
        .into_iter()
        .chain(more)
        .map(|line| line.replace('\0', ""))
        .map(|line| (name(&line).to_uppercase(), line))
        .collect();
    let units = lines.values().flat_map(|line| line.encode_utf16().chain(once(0)));
    // Where there is nothing, the end has two zeros too.
    let end = if lines.is_empty() { vec![0, 0] } else { vec![0] };
    units.chain(end).collect()
}

/// Before the first `=` that does not begin the line: folders of drives are there by names like `=C:`.
fn name(line: &str) -> &str {
    let mut signs = line.match_indices('=').filter(|(at, _)| *at > 0);
    signs.next().map_or(line, |(at, _)| &line[..at])
}

/// Program and arguments in one line, from which a program takes them as they are here.
pub fn command_line(command: &Command) -> String {
    let words = once(&command.program).chain(&command.arguments);
    let mut line = words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    if !command.raw.is_empty() {
        line.push(' ');
        line.push_str(&command.raw);
    }
    line
}

/// In quotes where a program would else take it as several words, or as none.
pub fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"']) {
        return word.to_owned();
    }
    in_quotes(word)
}

/// Backslashes count double before a quote, and only there.
pub fn in_quotes(word: &str) -> String {
    let mut quoted = String::from('"');
    let mut backslashes = 0;
    for character in word.chars() {
        if character == '"' {
            quoted.push_str(&"\\".repeat(backslashes + 1));
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
        quoted.push(character);
    }
    quoted + &"\\".repeat(backslashes) + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_an_account_is_understood() {
        assert_eq!(for_logon(r"LAB\builder"), ("builder", Some("LAB")));
        assert_eq!(for_logon(r".\builder"), ("builder", Some(".")));
        assert_eq!(for_logon("builder"), ("builder", Some(".")));
        assert_eq!(for_logon("builder@lab.example"), ("builder@lab.example", None));
        assert_eq!(for_programs(r".\builder"), "builder");
        assert_eq!(for_programs(r"LAB\builder"), r"LAB\builder");
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        for (code, part) in [
            (1326, "check its name and password"),
            (1385, "give it one of these rights"),
            (1314, "restart-computer"),
            (1331, "disabled"),
        ] {
            let said = explain(&std::io::Error::from_raw_os_error(code));
            assert!(said.contains(part), "{said}");
        }
        let other = std::io::Error::from_raw_os_error(2);
        assert_eq!(explain(&other), other.to_string());
    }

    #[test]
    fn the_environment_is_the_accounts_with_the_variables_of_the_run() {
        let text = |own: &[&str], more: &[(&str, &str)]| {
            let own = own.iter().map(|line| (*line).to_owned()).collect();
            let more = more
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            String::from_utf16(&environment(own, &more.collect())).unwrap()
        };
        let own = ["USERNAME=builder", "Path=C:\\Windows", "=C:=C:\\", "A=1=2"];
        let more = [("PATH", "D:\\"), ("_SMSTSInWinPE", "false"), ("N", "a\0b")];
        assert_eq!(
            text(&own, &more),
            "=C:=C:\\\0A=1=2\0N=ab\0PATH=D:\\\0USERNAME=builder\0_SMSTSInWinPE=false\0\0"
        );
        assert_eq!(text(&[], &[]), "\0\0");
    }

    #[test]
    fn a_program_gets_its_arguments_as_they_are() {
        let line = |arguments: &[&str], raw: &str| {
            command_line(&Command {
                program: "cmd.exe".into(),
                arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
                raw: raw.into(),
                ..Command::default()
            })
        };
        assert_eq!(
            line(&["/d", "/c"], r#""say "it"""#),
            r#"cmd.exe /d /c "say "it"""#
        );
        assert_eq!(
            line(&["a b", "", r#"a"b"#, r"C:\a b\", r#"\\""#, r"C:\x\"], ""),
            r#"cmd.exe "a b" "" "a\"b" "C:\a b\\" "\\\\\"" C:\x\"#
        );
    }
}

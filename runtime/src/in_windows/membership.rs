//! Workgroups and domains, by the method that Windows offers in every edition
//! (`Win32_ComputerSystem.JoinDomainOrWorkgroup`).

use anyhow::bail;

use super::powershell::{self, quoted};
use crate::context::code_text;
use crate::platform::{Output, Processes, Result};

/// A domain to join.
#[derive(Clone, Default)]
pub struct Domain<'a> {
    /// Its name.
    pub name: &'a str,
    /// LDAP name of the organizational unit.
    pub unit: Option<&'a str>,
    /// `DOMAIN\user`.
    pub account: &'a str,
    /// Password of the account.
    pub password: &'a str,
}

/// Makes the machine a member of a workgroup; a domain is left. Gives whether that changed anything.
///
/// # Errors
/// When Windows refuses.
pub fn join_workgroup(
    processes: &(impl Processes + ?Sized),
    name: &str,
    domain: Option<&str>,
) -> Result<bool> {
    if domain.is_none() && workgroup(processes)?.eq_ignore_ascii_case(name) {
        return Ok(false);
    }
    if let Some(domain) = domain {
        let script = call("UnjoinDomainOrWorkgroup", "FUnjoinOptions = [uint32]0");
        judge(
            &format!("leaving the domain {domain}"),
            &powershell::run(processes, &script, None)?,
        )?;
    }
    let arguments = format!("Name = {}; FJoinOptions = [uint32]0", quoted(name));
    let output = powershell::run(processes, &call("JoinDomainOrWorkgroup", &arguments), None)?;
    judge(&format!("joining the workgroup {name}"), &output)?;
    Ok(true)
}

fn workgroup(processes: &(impl Processes + ?Sized)) -> Result<String> {
    property(processes, "Workgroup")
}

/// The full name of the domain that the machine is in.
fn domain(processes: &(impl Processes + ?Sized)) -> Result<String> {
    property(processes, "Domain")
}

fn property(processes: &(impl Processes + ?Sized), name: &str) -> Result<String> {
    let script = format!("(Get-CimInstance Win32_ComputerSystem).{name}");
    let output = powershell::run(processes, &script, None)?;
    Ok(output.stdout.trim().to_owned())
}

/// Makes the machine a member of a domain, with an account that is made for it. Gives whether that changed anything: Windows
/// refuses to join the domain that the machine is in, as it is after a cut behind the joining.
///
/// # Errors
/// When Windows or the domain refuses.
pub fn join_domain(
    processes: &(impl Processes + ?Sized),
    domain: &Domain<'_>,
    member_of: Option<&str>,
) -> Result<bool> {
    if let Some(short) = member_of {
        let is_that = |name: &str| name.eq_ignore_ascii_case(domain.name);
        if is_that(short) || is_that(&self::domain(processes)?) {
            return Ok(false);
        }
    }
    // NETSETUP_JOIN_DOMAIN and NETSETUP_ACCT_CREATE (lmjoin.h).
    let mut arguments = format!("Name = {}; FJoinOptions = [uint32]3", quoted(domain.name));
    if !domain.account.is_empty() {
        let (user, password) = (quoted(domain.account), quoted(domain.password));
        arguments.push_str(&format!("; UserName = {user}; Password = {password}"));
    }
    if let Some(unit) = domain.unit {
        arguments.push_str(&format!("; AccountOU = {}", quoted(unit)));
    }
    let output = powershell::run(processes, &call("JoinDomainOrWorkgroup", &arguments), None)?;
    judge(&format!("joining the domain {}", domain.name), &output)?;
    Ok(true)
}

fn call(method: &str, arguments: &str) -> String {
    format!(
        "$ErrorActionPreference = 'Stop'; exit (Get-CimInstance Win32_ComputerSystem | Invoke-CimMethod -MethodName \
         {method} -Arguments @{{ {arguments} }}).ReturnValue"
    )
}

fn judge(what: &str, output: &Output) -> Result<()> {
    if output.code == 0 {
        return Ok(());
    }
    let reason = match output.code {
        5 | 1326 => "; the account is refused: check its name and password",
        1355 => "; the domain cannot be found: check the addresses and the DNS servers",
        2224 => "; the domain has an account of that name already",
        2691 => "; the machine is a member of a domain",
        _ => "",
    };
    let said = output.stderr.lines().last().unwrap_or_default();
    bail!("{what} ended with {}{reason} {said}", code_text(output.code))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn a_domain_is_left_before_a_workgroup_is_joined() {
        let machine = Fake::default();
        assert!(join_workgroup(&machine, "O'LAB", Some("corp.example")).unwrap());
        let scripts: Vec<String> = machine.ran().iter().map(|command| text(&command.stdin)).collect();
        assert!(scripts[0].contains("UnjoinDomainOrWorkgroup"), "{scripts:?}");
        assert!(
            scripts[1].contains("Name = 'O''LAB'; FJoinOptions = [uint32]0"),
            "{scripts:?}"
        );
    }

    #[test]
    fn the_workgroup_that_the_machine_is_in_is_not_joined_again() {
        let machine = Fake::default().says("powershell.exe", "lab\r\n");
        assert!(!join_workgroup(&machine, "LAB", None).unwrap());
        assert_eq!(machine.ran().len(), 1);
        assert!(join_workgroup(&machine, "OTHER", None).unwrap());
        assert!(text(&machine.ran()[2].stdin).contains("Name = 'OTHER'"));
    }

    #[test]
    fn the_domain_that_the_machine_is_in_is_not_joined_again() {
        let domain = Domain {
            name: "corp.example",
            ..Domain::default()
        };
        let machine = Fake::default().says("powershell.exe", "CORP.example\r\n");
        assert!(!join_domain(&machine, &domain, Some("CORP")).unwrap());
        assert_eq!(machine.ran().len(), 1);
        let machine = Fake::default().says("powershell.exe", "other.example\r\n");
        assert!(join_domain(&machine, &domain, Some("OTHER")).unwrap());
        assert!(text(&machine.ran()[1].stdin).contains("Name = 'corp.example'"));
    }

    #[test]
    fn a_password_is_in_no_argument_and_a_refusal_says_what_to_do() {
        let machine = Fake::default().ends("powershell.exe", 1326, "");
        let domain = Domain {
            name: "corp.example",
            unit: Some("OU=Lab,DC=corp,DC=example"),
            account: r"CORP\joiner",
            password: "Canary-1",
        };
        let error = join_domain(&machine, &domain, None).unwrap_err().to_string();
        assert!(error.contains("check its name and password"), "{error}");
        let ran = machine.ran();
        assert!(!format!("{:?}", ran[0].arguments).contains("Canary"));
        assert!(
            text(&ran[0].stdin).contains("Password = 'Canary-1'; AccountOU = 'OU=Lab,DC=corp,DC=example'")
        );
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }
}

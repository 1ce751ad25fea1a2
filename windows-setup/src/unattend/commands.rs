//! What set-up does by commands, because no setting of an answer file says it.

use super::Error;
use super::network;
use super::settings::{Administrator, Licensing, Settings, SetupCommand};
use super::tree::{Element, Meets};
use crate::offline_registry::{CREATED_USER, FIRST_START};

/// Longer lines are refused by Windows.
const LONGEST_LINE: usize = 259;

/// The children of Microsoft-Windows-Deployment in `specialize`.
pub(super) fn specialize(settings: &Settings) -> Result<Vec<Element>, Error> {
    let mut all = Vec::new();
    all.extend(settings.administrator.as_ref().map(administrator));
    all.extend(settings.licensing.map(licensing).into_iter().flatten());
    if settings.hide_first_start {
        all.push(no_user_page());
    }
    all.extend(network::renames(settings)?);
    all.extend(settings.commands.iter().cloned());
    let numbered = (1_usize..)
        .zip(&all)
        .map(|(order, command)| element(order, command));
    let numbered: Vec<Element> = numbered.collect::<Result<_, _>>()?;
    Ok(if numbered.is_empty() {
        Vec::new()
    } else {
        vec![Element::group("RunSynchronous", numbered)]
    })
}

fn element(order: usize, command: &SetupCommand) -> Result<Element, Error> {
    let length = command.line.chars().count();
    if length > LONGEST_LINE {
        let why = format!(
            "the command \"{}\" has {length} characters: {LONGEST_LINE} are possible",
            command.description
        );
        return Err(Error::setting("commands", why));
    }
    let children = vec![
        Element::text("Order", order.to_string()),
        Element::text("Description", &command.description),
        Element::text("Path", &command.line),
    ];
    let element = Element::whole("RunSynchronousCommand", children).attribute("wcm:action", "add");
    Ok(element.meets(Meets::Command))
}

/// A command without variables of the user in it.
fn command(description: &str, line: impl Into<String>) -> SetupCommand {
    SetupCommand {
        description: description.to_owned(),
        line: line.into(),
    }
}

/// The account is found by its number, because its name is translated in many editions of Windows.
fn administrator(administrator: &Administrator) -> SetupCommand {
    let (description, disabled) = match administrator {
        Administrator::Enabled(_) => ("enable the built-in administrator", "$false"),
        Administrator::Disabled(_) => ("disable the built-in administrator", "$true"),
    };
    let script = format!(
        "Get-WmiObject Win32_UserAccount -Filter 'LocalAccount=True' | Where-Object {{$_.SID -like 'S-1-5-21-*-500'}} | \
         ForEach-Object {{$_.Disabled={disabled}; $_.Put()}}"
    );
    command(description, powershell(&script))
}

pub(super) fn powershell(script: &str) -> String {
    format!("powershell.exe -NoProfile -Command \"{script}\"")
}

/// No Windows that reads answer files in XML has a setting for it; the registry still has the mode.
fn licensing(licensing: Licensing) -> Vec<SetupCommand> {
    let set = |description: &str, value: &str, number: u32| {
        let key = r"HKLM\SYSTEM\CurrentControlSet\Services\LicenseInfo\FilePrint";
        command(
            description,
            format!("reg.exe add {key} /v {value} /t REG_DWORD /d {number} /f"),
        )
    };
    match licensing {
        Licensing::PerSeat => vec![set("licence per seat", "Mode", 0)],
        Licensing::PerServer(connections) => vec![
            set("licence per server", "Mode", 1),
            set("licensed connections", "ConcurrentLimit", connections),
        ],
    }
}

/// The first start asks for a user unless the answer file made one; this is how set-up remembers that.
fn no_user_page() -> SetupCommand {
    command(
        "pass over the page that asks for a user",
        format!(r"reg.exe add HKLM\SOFTWARE\{FIRST_START} /v {CREATED_USER} /t REG_DWORD /d 1 /f"),
    )
}

//! Which setting stands in which pass and component.

use super::network;
use super::settings::{Image, Settings};
use super::shell;
use super::tree::{Element, Meets, UNATTEND, WCM};
use super::{Error, commands};

/// The key of Microsoft's components.
const PUBLIC_KEY_TOKEN: &str = "31bf3856ad364e35";

/// The answer file as a tree. The order of the passes is that in which Windows runs them.
pub(super) fn tree(settings: &Settings, image: &Image) -> Result<Element, Error> {
    let passes = [
        (
            "offlineServicing",
            vec![("Microsoft-Windows-PnpCustomizationsNonWinPE", drivers(settings)?)],
        ),
        (
            "specialize",
            vec![
                ("Microsoft-Windows-Deployment", commands::specialize(settings)?),
                ("Microsoft-Windows-Shell-Setup", shell::specialize(settings)?),
                (
                    "Microsoft-Windows-SecureStartup-FilterDriver",
                    shell::encryption(settings, image),
                ),
                ("Microsoft-Windows-UnattendedJoin", network::membership(settings)?),
                ("Microsoft-Windows-TCPIP", network::addresses(settings)?),
                ("Microsoft-Windows-DNS-Client", network::names(settings)?),
                ("Microsoft-Windows-NetBT", network::netbios(settings)?),
            ],
        ),
        (
            "oobeSystem",
            vec![
                ("Microsoft-Windows-International-Core", shell::languages(settings)),
                (
                    "Microsoft-Windows-Shell-Setup",
                    shell::first_start(settings, image)?,
                ),
            ],
        ),
    ];
    let passes = passes
        .into_iter()
        .filter_map(|(name, components)| pass(name, components, image));
    let root = Element::group("unattend", passes.collect()).attribute("xmlns", UNATTEND);
    root.check()?;
    Ok(root)
}

type Component = (&'static str, Vec<Element>);

fn pass(name: &'static str, components: Vec<Component>, image: &Image) -> Option<Element> {
    let made = components
        .into_iter()
        .filter_map(|(name, children)| component(name, children, image));
    let made: Vec<Element> = made.collect();
    (!made.is_empty()).then(|| {
        Element::group("settings", made)
            .attribute("pass", name)
            .meets(Meets::Merges(&["pass"]))
    })
}

fn component(name: &'static str, children: Vec<Element>, image: &Image) -> Option<Element> {
    if children.is_empty() {
        return None;
    }
    let component = Element::group("component", children)
        .attribute("name", name)
        .attribute("processorArchitecture", image.architecture.as_str())
        .attribute("publicKeyToken", PUBLIC_KEY_TOKEN)
        .attribute("language", "neutral")
        .attribute("versionScope", "nonSxS")
        .attribute("xmlns:wcm", WCM);
    Some(component.meets(Meets::Merges(&["name", "processorArchitecture"])))
}

/// Longer paths are not possible here.
const LONGEST_PATH: usize = 259;

fn drivers(settings: &Settings) -> Result<Vec<Element>, Error> {
    let paths = settings.driver_paths.iter().enumerate().map(|(number, path)| {
        let length = path.chars().count();
        if length > LONGEST_PATH {
            let why =
                format!("the path of a driver package has {length} characters: {LONGEST_PATH} are possible");
            return Err(Error::setting("driver-paths", why));
        }
        let item = Element::whole("PathAndCredentials", vec![Element::text("Path", path)])
            .attribute("wcm:action", "add")
            // The file may number its own.
            .attribute("wcm:keyValue", format!("media-builder-{}", number + 1));
        Ok(item.meets(Meets::Item("Path")))
    });
    let paths: Vec<Element> = paths.collect::<Result<_, _>>()?;
    Ok(if paths.is_empty() {
        Vec::new()
    } else {
        vec![Element::group("DriverPaths", paths)]
    })
}

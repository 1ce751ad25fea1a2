//! Names, keys, languages, the administrator, encryption and the pages of the first start.

use base64ct::{Base64, Encoding};
use task_sequence::validate::{computer_name, product_key};

use super::Error;
use super::settings::{Administrator, Architecture, Image, Settings};
use super::time_zone;
use super::tree::Element;

fn value(name: &'static str, text: Option<&String>) -> Option<Element> {
    text.map(|text| Element::text(name, text))
}

fn zone(settings: &Settings) -> Result<Option<Element>, Error> {
    let zone = settings
        .time_zone
        .as_deref()
        .map(time_zone::in_windows)
        .transpose()?;
    Ok(zone.map(|zone| Element::text("TimeZone", zone)))
}

/// The children of Microsoft-Windows-Shell-Setup in `specialize`.
pub(super) fn specialize(settings: &Settings) -> Result<Vec<Element>, Error> {
    if let Some(name) = &settings.computer_name {
        computer_name(name).map_err(|why| Error::setting("computer-name", why))?;
    }
    let key = settings.product_key.as_ref().map(|key| key.expose().to_owned());
    if let Some(key) = &key {
        product_key(key).map_err(|why| Error::setting("product-key", why))?;
    }
    let children = [
        value("ComputerName", settings.computer_name.as_ref()),
        value("ProductKey", key.as_ref()),
        value(
            "RegisteredOrganization",
            settings.registered_organization.as_ref(),
        ),
        value("RegisteredOwner", settings.registered_user.as_ref()),
        zone(settings)?,
    ];
    Ok(children.into_iter().flatten().collect())
}

/// The setting that keeps Windows from encrypting its volume by itself.
pub const PREVENT_DEVICE_ENCRYPTION: &str = "PreventDeviceEncryption";
/// The first version that encrypts by itself, and has the setting.
const ENCRYPTS_SINCE: (u32, u32) = (6, 3);

/// The children of Microsoft-Windows-SecureStartup-FilterDriver.
pub(super) fn encryption(settings: &Settings, image: &Image) -> Vec<Element> {
    let prevents = settings.prevent_device_encryption && image.version >= ENCRYPTS_SINCE;
    // Of this component a Windows for x86 has other settings only.
    let known = prevents && image.architecture != Architecture::X86;
    let element = known.then(|| Element::text(PREVENT_DEVICE_ENCRYPTION, "true"));
    element.into_iter().collect()
}

/// The children of Microsoft-Windows-International-Core.
pub(super) fn languages(settings: &Settings) -> Vec<Element> {
    let languages = &settings.languages;
    let given = [
        ("InputLocale", &languages.input_locale),
        ("SystemLocale", &languages.system_locale),
        ("UILanguage", &languages.ui_language),
        ("UILanguageFallback", &languages.ui_language_fallback),
        ("UserLocale", &languages.user_locale),
    ];
    given
        .into_iter()
        .filter_map(|(name, text)| value(name, text.as_ref()))
        .collect()
}

/// The children of Microsoft-Windows-Shell-Setup in `oobeSystem`.
pub(super) fn first_start(settings: &Settings, image: &Image) -> Result<Vec<Element>, Error> {
    let pages = settings
        .hide_first_start
        .then(|| Element::group("OOBE", hidden_pages(image)));
    let accounts = settings.administrator.as_ref().map(accounts);
    // Once more: the first start sets its own default where this pass does not name one.
    Ok([pages, zone(settings)?, accounts].into_iter().flatten().collect())
}

fn accounts(administrator: &Administrator) -> Element {
    let (Administrator::Enabled(password) | Administrator::Disabled(password)) = administrator;
    let password = Element::whole(
        "AdministratorPassword",
        vec![
            Element::text("Value", encoded(password.expose())),
            Element::text("PlainText", "false"),
        ],
    );
    Element::group("UserAccounts", vec![password])
}

/// What Windows takes where `PlainText` is false: UTF-16 of the password and of the name of its element,
/// in base64. It hides nothing, but it carries every character.
fn encoded(password: &str) -> String {
    let text = format!("{password}AdministratorPassword");
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Base64::encode_string(&bytes)
}

/// Every page, with the first version that knows it.
const PAGES: &[(&str, (u32, u32))] = &[
    ("HideEULAPage", (6, 0)),
    ("HideWirelessSetupInOOBE", (6, 1)),
    ("HideLocalAccountScreen", (6, 2)),
    ("HideOEMRegistrationScreen", (6, 2)),
    ("HideOnlineAccountScreens", (6, 2)),
];

fn hidden_pages(image: &Image) -> Vec<Element> {
    let known = PAGES.iter().filter(|(_, since)| image.version >= *since);
    let mut pages: Vec<Element> = known.map(|(page, _)| Element::text(page, "true")).collect();
    if image.version < (6, 2) {
        // The page that asked for it is gone since Windows 8.
        pages.push(Element::text("NetworkLocation", "Work"));
    }
    // 3: nothing is switched on; updates and protection are the sequence's matter.
    pages.push(Element::text("ProtectYourPC", "3"));
    pages
}

//! The command line of `media-runtime`.

use runtime::pe;

fn main() -> anyhow::Result<()> {
    if pe::role() == pe::Role::BootImage {
        let environment = pe::start()?;
        pe::network::start(pe::command_line().network)?;
        pe::console::say(&format!("MEDIA-RUNTIME STARTED uefi={}", environment.uefi));
        pe::power::power_off()?;
    }
    Ok(())
}

//! What every way to the boot image tells its kernel: the media's own menu, and the one of the system that a run has set up.

use crate::manifest::Options;

/// What Debian's kernel does without, so that the media is found sooner: tests of all ciphers, on the processors that look for the
/// disks; waits for other processors, when modules are loaded and volumes mounted, that may take their time; zeros in memory that
/// the kernel takes for itself and fills anyway (programs get zeros in any case).
const SOONER: &str = "cryptomgr.notests rcupdate.rcu_expedited=1 init_on_alloc=0";

/// The kernel's command line. After a panic, which can be read for a while, the machine starts again and the run goes on.
pub fn boot_arguments(media_id: &str, options: &Options) -> String {
    let shell = if options.shell { " media.shell=1" } else { "" };
    format!(
        "media.id={media_id} console=tty0 console=ttyS0,115200 quiet panic=15 {SOONER}{shell} media.ip={}",
        options.network
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_named_and_a_shell_only_where_it_is_allowed() {
        let mut options = Options {
            network: "192.0.2.10/24,192.0.2.1".into(),
            ..Options::default()
        };
        let arguments = boot_arguments("7f3a", &options);
        assert!(
            arguments.contains("media.id=7f3a ") && arguments.ends_with(" media.ip=192.0.2.10/24,192.0.2.1")
        );
        assert!(!arguments.contains("shell"));
        options.shell = true;
        assert!(boot_arguments("7f3a", &options).contains(" media.shell=1 "));
    }
}

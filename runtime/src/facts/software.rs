//! What is installed in a Linux, by its packages.

use std::path::Path;

use anyhow::bail;
use task_sequence::condition::{SoftwareFact, VersionScheme};

use crate::platform::{Command, Platform, Result};

/// A list of installed packages.
struct Database {
    program: &'static str,
    arguments: &'static [&'static str],
    scheme: VersionScheme,
}

const DPKG: Database = Database {
    program: "dpkg-query",
    arguments: &["-W", "-f", "${Package}\t${Version}\t${db:Status-Status}\n"],
    scheme: VersionScheme::Debian,
};

/// What it lists is installed.
const RPM: Database = Database {
    program: "rpm",
    arguments: &["-qa", "--qf", "%{NAME}\t%{EVR}\tinstalled\n"],
    scheme: VersionScheme::Rpm,
};

/// Every installed package. A system of one kind may have the programs of the other, whose list is then empty.
///
/// # Errors
/// When a list cannot be read.
pub(super) fn all(platform: &dyn Platform) -> Result<Vec<SoftwareFact>> {
    let has = |program: &str| platform.exists(&Path::new("/usr/bin").join(program));
    let mut all = Vec::new();
    if has(RPM.program) {
        all.extend(RPM.list(platform)?);
    }
    if has(DPKG.program) || !has(RPM.program) {
        all.extend(DPKG.list(platform)?);
    }
    Ok(all)
}

impl Database {
    fn list(&self, platform: &dyn Platform) -> Result<Vec<SoftwareFact>> {
        let output = platform.run(&Command {
            program: self.program.into(),
            arguments: self.arguments.iter().map(|text| (*text).to_owned()).collect(),
            ..Command::default()
        })?;
        if output.code != 0 {
            bail!(
                "{} ended with {}: {}",
                self.program,
                output.code,
                output.stderr.trim()
            );
        }
        Ok(output.stdout.lines().filter_map(|line| self.fact(line)).collect())
    }

    fn fact(&self, line: &str) -> Option<SoftwareFact> {
        let mut fields = line.split('\t');
        let (name, version, status) = (fields.next()?, fields.next()?, fields.next()?);
        let fact = SoftwareFact {
            name: name.into(),
            version: version.into(),
            scheme: self.scheme,
            product_code: None,
        };
        (status == "installed").then_some(fact)
    }
}

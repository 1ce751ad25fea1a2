//! The choice between the two sets of boot files.

use thiserror::Error;

use super::database::Database;
use super::program::Program;

/// A set of boot files of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootFiles {
    /// `\Windows\Boot\EFI`, signed below the certificate of 2011.
    Pca2011,
    /// `\Windows\Boot\EFI_EX`, signed below the certificate of 2023.
    Ca2023,
}

impl BootFiles {
    /// Its boot manager, from the root of the volume.
    #[must_use]
    pub fn boot_manager(self) -> &'static str {
        match self {
            Self::Pca2011 => "Windows/Boot/EFI/bootmgfw.efi",
            Self::Ca2023 => "Windows/Boot/EFI_EX/bootmgfw_EX.efi",
        }
    }
}

/// What the firmware says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// Whether it refuses what it does not trust.
    pub secure_boot: bool,
    /// What it starts; nothing where it cannot be asked.
    pub db: Option<Database>,
    /// What it refuses.
    pub dbx: Database,
}

/// Which set, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The set.
    pub files: BootFiles,
    /// For the log.
    pub why: String,
}

/// Why no set starts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// The installation does not have what is asked for.
    #[error("the image has no {}, which is asked for", .0.boot_manager())]
    Missing(BootFiles),
    /// Secure Boot is on, and the firmware starts none of them.
    #[error(
        "Secure Boot is on and the firmware starts no boot manager of the image (signed: {signed}); it trusts: {trusted}. \
         Take an image with the boot files that it trusts, have the firmware's certificates updated, or switch Secure Boot off"
    )]
    Untrusted {
        /// Who has signed them.
        signed: String,
        /// Whom the firmware trusts.
        trusted: String,
    },
}

/// Chooses among the boot managers that an installation has, oldest first; one that is no program is nothing. Without a wish it is the first one that the
/// firmware starts, as bcdboot takes it; where the firmware starts any, or does not say what it starts, the first one.
///
/// # Errors
/// When the wanted one is missing, or Secure Boot would refuse what is left.
pub fn choose(
    wanted: Option<BootFiles>,
    there: &[(BootFiles, Option<Program>)],
    firmware: &Firmware,
) -> Result<Choice, Refused> {
    let fits = |files: BootFiles| wanted.is_none_or(|wanted| wanted == files);
    let candidates: Vec<_> = there.iter().filter(|(files, _)| fits(*files)).collect();
    let Some((first, _)) = candidates.first() else {
        return Err(Refused::Missing(wanted.unwrap_or(BootFiles::Pca2011)));
    };
    let chosen = |files, why: &str| {
        Ok(Choice {
            files,
            why: why.into(),
        })
    };
    let Some(db) = &firmware.db else {
        return chosen(*first, "the firmware does not say which ones it trusts");
    };
    let trusted = candidates.iter().find(|(_, program)| {
        let program = program.as_ref();
        program.is_some_and(|program| is_trusted(program, db, &firmware.dbx))
    });
    match trusted {
        Some((files, _)) if wanted.is_some() => {
            chosen(*files, "the sequence asks for it, and the firmware trusts it")
        }
        Some((files, _)) => chosen(*files, "the firmware trusts it"),
        None if !firmware.secure_boot => chosen(
            *first,
            "the firmware trusts none, which does not matter as long as Secure Boot is off",
        ),
        None if !db.is_understood() => {
            chosen(*first, "the firmware's list of what it trusts is not understood")
        }
        None => Err(Refused::Untrusted {
            signed: signed(&candidates),
            trusted: db.names().join(", "),
        }),
    }
}

/// UEFI: by its digest or a signature, and nothing of it revoked.
fn is_trusted(program: &Program, db: &Database, dbx: &Database) -> bool {
    let signatures = &program.signatures;
    let revoked = dbx.has_program(program) || signatures.iter().any(|one| dbx.revokes(one, db));
    !revoked && (db.has_program(program) || signatures.iter().any(|one| db.covers(one)))
}

fn signed(candidates: &[&(BootFiles, Option<Program>)]) -> String {
    let told = candidates.iter().map(|(files, program)| {
        let signers = program.as_ref().map_or_else(|| "nobody".into(), Program::signers);
        format!("{} by {signers}", files.boot_manager())
    });
    told.collect::<Vec<_>>().join("; ")
}

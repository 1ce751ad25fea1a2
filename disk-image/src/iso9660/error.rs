//! What can be wrong with a tree or with parameters.

/// Why no ISO image can be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name is longer than Joliet allows.
    #[error(
        "planning the ISO image: the name of \"{path}\" has {units} UTF-16 units and Joliet allows 64; shorten it, \
         or turn Joliet off"
    )]
    JolietNameTooLong {
        /// The file or folder.
        path: String,
        /// UTF-16 units of its name.
        units: usize,
    },
    /// A name has a character that Joliet does not allow.
    #[error(
        "planning the ISO image: the name of \"{path}\" contains {character:?}, which Joliet does not allow; \
         rename it, or turn Joliet off"
    )]
    JolietCharacter {
        /// The file or folder.
        path: String,
        /// The first such character.
        character: char,
    },
    /// A name ends in a way that Windows cannot open.
    #[error(
        "planning the ISO image: the name of \"{path}\" ends with a dot or a space, which Windows cannot open; \
         rename it, or turn Joliet off"
    )]
    JolietTrailing {
        /// The file or folder.
        path: String,
    },
    /// Two names differ in case only.
    #[error(
        "planning the ISO image: \"{path}\" and \"{other}\" differ only in case, which Windows cannot tell apart; \
         rename one, or turn Joliet off"
    )]
    JolietCollision {
        /// The second of the two.
        path: String,
        /// The first of the two.
        other: String,
    },
    /// A name is longer than Linux reads from Rock Ridge.
    #[error(
        "planning the ISO image: the name of \"{path}\" has {bytes} bytes and Linux reads at most 253 from an ISO \
         image; shorten it"
    )]
    NameTooLong {
        /// The file or folder.
        path: String,
        /// Bytes of its name.
        bytes: usize,
    },
    /// A name has a character that no reader of the image could show.
    #[error(
        "planning the ISO image: the name of \"{path}\" contains a \"/\" or a NUL, or is empty; rename it"
    )]
    NameInvalid {
        /// The file or folder.
        path: String,
    },
    /// A folder inside the 65536th folder or a later one.
    #[error(
        "planning the ISO image: folder \"{path}\" lies in a folder with a number above 65535, the most that a \
         path table can hold; pack folders into an archive"
    )]
    TooManyFolders {
        /// The folder.
        path: String,
    },
    /// The data does not fit in 32-bit sector numbers.
    #[error(
        "planning the ISO image: with \"{path}\" the image grows beyond 8 TiB, the most that ISO 9660 can address; \
         leave files out"
    )]
    TooLarge {
        /// What did not fit any more.
        path: String,
    },
    /// A parameter has a value that its field cannot hold.
    #[error("planning the ISO image: the {field} {value:?} must be {allowed}")]
    Field {
        /// Which parameter.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The date is beyond what a directory record can hold.
    #[error(
        "planning the ISO image: the timestamp {0} is after the year 2155, the last that ISO 9660 can hold"
    )]
    Timestamp(u64),
    /// The file that is to be the BIOS boot image is missing or unknown.
    #[error(
        "planning the ISO image: the BIOS boot image \"{0}\" is no file of the tree whose bytes are known; give the \
         bytes of GRUB's El Torito image"
    )]
    BiosImageFile(String),
    /// The BIOS boot image is not one of GRUB's.
    #[error(
        "planning the ISO image: the BIOS boot image has {0} bytes, too few for GRUB's El Torito image; make it with \
         grub-mkimage -O i386-pc-eltorito"
    )]
    BiosImageSize(usize),
    /// No BIOS loads a program of this size.
    #[error(
        "planning the ISO image: the BIOS boot program has {0} bytes, and a BIOS loads 1 to 623616; take etfsboot.com from \
         Windows' own media"
    )]
    BiosProgramSize(usize),
    /// The hybrid boot code is not one of GRUB's.
    #[error(
        "planning the ISO image: the hybrid boot code has {0} bytes instead of 512; take boot_hybrid.img from GRUB's \
         i386-pc folder"
    )]
    HybridSize(usize),
    /// Hybrid boot code without anything that it could start.
    #[error(
        "planning the ISO image: the hybrid boot code starts the BIOS boot image, and there is none; add it"
    )]
    HybridWithoutBios,
    /// The partition table could not be made.
    #[error("planning the ISO image: making the partition table: {0}")]
    PartitionTable(String),
}

//! Partition tables to write.

/// A partition to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartition {
    /// Number, from 1.
    pub number: u32,
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// What it is.
    pub role: Role,
    /// Name in a GPT.
    pub name: String,
    /// File system to make on it, if any.
    pub file_system: Option<String>,
    /// Label of that file system.
    pub label: String,
    /// Quick format.
    pub quick: bool,
    /// GPT unique GUID; on MBR derived from the signature.
    pub guid: String,
}

/// What a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// EFI system partition.
    Efi,
    /// GRUB's core image on a GPT of a BIOS machine.
    BiosBoot,
    /// The runtime's own small FAT32 partition on a BIOS machine.
    State,
    /// An ordinary volume of a Linux system.
    Linux,
    /// Linux swap.
    Swap,
    /// An ordinary volume of Windows.
    Data,
    /// Microsoft reserved.
    Msr,
    /// Windows recovery.
    Recovery,
    /// A volume that no system shows by itself.
    Hidden,
    /// MBR extended partition, which holds the logical ones.
    Extended,
}

/// Partitions that an MBR describes itself; the numbers of logical ones come behind them.
pub const MBR_ENTRIES: u32 = 4;

/// The table to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTable {
    /// GPT, else MBR.
    pub gpt: bool,
    /// GUID of the disk, or the MBR's signature as 8 hexadecimal digits.
    pub id: String,
    /// The partitions, ascending by start; the logical ones directly behind the extended one.
    pub partitions: Vec<NewPartition>,
}

impl NewTable {
    /// Whether a partition of it, as it was planned, lies in the extended one.
    pub fn is_logical(&self, partition: &NewPartition) -> bool {
        !self.gpt && partition.number > MBR_ENTRIES
    }
}

//! The types of steps: one file each, with its settings and what it declares about itself.

use std::fmt::Debug;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeTable;

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Resolve, ResolveError};
use crate::validate::Check;
use crate::variables::Variables;

mod capture_destination;
mod disk;
mod values;
mod volume;

pub use capture_destination::CaptureDestination;
pub use disk::{Bus, DiskSelector, FileSystem, Partition, PartitionKind, PartitionStyle};
pub use values::{JoinKind, VariableValue};
pub use volume::VolumeSelector;

/// Where a step may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In the boot image.
    Pe,
    /// In the installed system.
    Os,
    /// In both.
    Both,
    /// It starts in the boot image and ends in the installed system.
    PeToOs,
    /// It starts in the installed system and ends in the boot image.
    OsToPe,
}

impl Place {
    /// Whether the step can start in the boot image.
    pub fn starts_in_pe(self) -> bool {
        matches!(self, Self::Pe | Self::Both | Self::PeToOs)
    }

    /// Whether the step can start in the installed system.
    pub fn starts_in_os(self) -> bool {
        matches!(self, Self::Os | Self::Both | Self::OsToPe)
    }
}

/// What a type of step declares about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepType {
    /// The name in `type = "…"`.
    pub name: &'static str,
    /// The name that ConfigMgr's editor shows.
    pub title: &'static str,
    /// Where it may run.
    pub place: Place,
    /// What happens to it after a power cut, unless the sequence says otherwise.
    pub after_cut: AfterCut,
    /// Whether it erases data that was on a disk before.
    pub destructive: bool,
}

/// A setting that a ConfigMgr variable gives where the sequence does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariableMapping {
    /// The variable; a `#` in it stands for a number.
    pub variable: &'static str,
    /// The setting, in the spelling of a sequence.
    pub setting: String,
}

/// The options struct of a type of step.
pub(crate) trait StepOptions:
    Resolve + Serialize + DeserializeOwned + JsonSchema + Clone + PartialEq + Debug
{
    const TYPE: StepType;
    /// The variables that give a setting.
    const MAPPED: &'static [(&'static str, &'static str)];
    /// The numbered variables that give the parts of a setting.
    const NUMBERED: &'static [(&'static str, &'static str)] = &[];

    /// The packages that the step needs.
    fn packages(&self) -> Vec<&PackageId> {
        Vec::new()
    }

    /// Reports what can be proven wrong without a machine.
    fn check(&self, _check: &mut Check<'_>) {}
}

/// Reads the options of one type from the table of its step.
fn read<T: StepOptions>(table: Spanned<DeTable<'_>>) -> Result<T, toml::de::Error> {
    T::deserialize(toml::de::Deserializer::from(table))
}

macro_rules! step_types {
    ($($module:ident :: $type:ident),* $(,)?) => {
        $(mod $module; pub use $module::$type;)*

        /// What a step does: its type and the settings of that type.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "type", rename_all = "kebab-case")]
        // A sequence has some dozens of steps: indirection would cost more clarity than it saves memory.
        #[allow(clippy::large_enum_variant)]
        pub enum Action {
            $(#[doc = concat!("See [`", stringify!($type), "`].")] $type($type)),*
        }

        /// Every type of step, in the order of the documentation.
        pub const ALL: &[StepType] = &[$($type::TYPE),*];

        impl Action {
            /// What the type of this step declares about itself.
            pub fn kind(&self) -> &'static StepType {
                match self { $(Self::$type(_) => const { &$type::TYPE }),* }
            }

            /// Which ConfigMgr variables give which settings.
            pub fn variables(&self) -> Vec<VariableMapping> {
                variables_of(self.kind().name)
            }

            /// The packages that this step needs, as written.
            pub fn packages(&self) -> Vec<&PackageId> {
                match self { $(Self::$type(options) => options.packages()),* }
            }

            /// The same action with absent settings taken from variables and all texts expanded.
            pub fn resolve(&self, variables: &Variables) -> Result<Self, ResolveError> {
                let mut action = self.clone();
                match &mut action { $(Self::$type(options) => options.resolve(variables)?),* }
                Ok(action)
            }

            pub(crate) fn check(&self, check: &mut Check<'_>) {
                match self { $(Self::$type(options) => options.check(check)),* }
            }
        }

        $(impl From<$type> for Action {
            fn from(options: $type) -> Self {
                Self::$type(options)
            }
        })*

        /// Which ConfigMgr variables give which settings of a type of step.
        pub fn variables_of(type_name: &str) -> Vec<VariableMapping> {
            $(if type_name == $type::TYPE.name {
                return mappings(<$type as StepOptions>::MAPPED, <$type as StepOptions>::NUMBERED);
            })*
            Vec::new()
        }

        pub(crate) fn decode(type_name: &str, table: Spanned<DeTable<'_>>) -> Result<Action, toml::de::Error> {
            $(if type_name == $type::TYPE.name { return read::<$type>(table).map(Action::$type); })*
            Err(serde::de::Error::custom(format!("unknown step type `{type_name}`")))
        }

        /// The schema of the settings of each type.
        pub(crate) fn option_schemas(generator: &mut SchemaGenerator) -> Vec<(StepType, Schema)> {
            vec![$(($type::TYPE, <$type as JsonSchema>::json_schema(generator))),*]
        }
    };
}

step_types! {
    restart_computer::RestartComputer,
    format_and_partition_disk::FormatAndPartitionDisk,
    apply_operating_system_image::ApplyOperatingSystemImage,
    apply_data_image::ApplyDataImage,
    apply_os_settings::ApplyOsSettings,
    apply_network_settings::ApplyNetworkSettings,
    auto_apply_drivers::AutoApplyDrivers,
    apply_driver_package::ApplyDriverPackage,
    setup_os::SetupOs,
    install_updates::InstallUpdates,
    install_applications::InstallApplications,
    install_package::InstallPackage,
    join_domain_or_workgroup::JoinDomainOrWorkgroup,
    prepare_client_for_capture::PrepareClientForCapture,
    prepare_os_for_capture::PrepareOsForCapture,
    capture_operating_system_image::CaptureOperatingSystemImage,
    run_command_line::RunCommandLine,
    run_script::RunScript,
    set_variables::SetVariables,
    connect_to_network_folder::ConnectToNetworkFolder,
    check_readiness::CheckReadiness,
    run_task_sequence::RunTaskSequence,
}

pub use apply_network_settings::{Adapter, NetBios};
pub use apply_os_settings::{AdministratorState, Licensing};
pub use capture_operating_system_image::Compression;
pub use check_readiness::NetworkNeed;
pub use format_and_partition_disk::misplaced_partitions;
pub use install_updates::UpdateTarget;
pub use prepare_client_for_capture::ClientTreatment;
pub use restart_computer::RestartTarget;
pub use run_script::Interpreter;
pub use set_variables::{Rule, VariableMap};
pub use setup_os::BootFiles;

/// What the type of this name declares about itself.
pub fn find(type_name: &str) -> Option<&'static StepType> {
    ALL.iter().find(|kind| kind.name == type_name)
}

type Mapped = &'static [(&'static str, &'static str)];

fn mappings(mapped: Mapped, numbered: Mapped) -> Vec<VariableMapping> {
    let mapping = |(variable, setting): &(&'static str, &'static str)| VariableMapping {
        variable,
        setting: setting.replace('_', "-"),
    };
    mapped.iter().chain(numbered).map(mapping).collect()
}

//! What a task sequence is: steps, groups, conditions, variables, validation. No I/O.
//!
//! [`parse`] turns the text of a sequence into a [`TaskSequence`]; [`validate`] says what can be
//! proven wrong before a machine is touched; [`Condition::evaluate`] decides whether a node runs,
//! on facts that the runtime supplies; [`Action::resolve`] fills in and expands the settings of a
//! step just before it runs.

pub mod condition;
mod diagnostic;
mod embed;
mod hidden;
mod model;
mod package;
mod parse;
mod schema;
mod setting;
mod size;
pub mod steps;
mod time;
pub mod validate;
mod variables;

pub use condition::{Condition, Facts, Firmware};
pub use diagnostic::{Diagnostic, masked, plain, render, without_secrets};
pub use embed::{Embedded, embed};
pub use hidden::Hidden;
pub use model::{
    AfterCut, Common, Declared, EnabledStep, Group, Node, OperatingSystem, Retry, Step, TaskSequence,
};
pub use package::PackageId;
pub use parse::parse;
pub use schema::schema;
pub use setting::{FromText, Resolve, ResolveError, Secret, Setting, SettingError};
pub use size::{Extent, Size};
pub use steps::{Action, Place, StepType, VariableMapping};
pub use time::TimeSpan;
pub use validate::{
    Installation, MediaFacts, PackageFacts, PackageKind, Problem, Severity, SourceFile, known_variables,
    locate, referenced_packages, validate,
};
pub use variables::{MissingSecret, SetError, Variables};

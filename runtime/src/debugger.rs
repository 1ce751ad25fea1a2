//! `TSDebugMode`: before each step somebody at the machine says whether it runs.

use crate::platform::Result;
use crate::run::Run;

/// Whether this start of the program asks.
pub const VARIABLE: &str = "TSDebugMode";

/// What is to happen with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It runs.
    Run,
    /// It is left out.
    Skip,
    /// The run ends here.
    End,
}

/// Asks about the step that comes next, where the run is to be debugged.
///
/// # Errors
/// When a variable cannot be set.
pub fn before(run: &mut Run<'_>, name: &str) -> Result<Decision> {
    if !is_on(run) {
        return Ok(Decision::Run);
    }
    let mut question = format!(
        "\n{VARIABLE}: next is step \"{name}\"\n  Enter  runs it\n  s      leaves it out\n  v NAME shows a variable\n  \
         g      runs it and all that follows\n  q      ends the run\n> "
    );
    loop {
        let answer = match run.questions.operator().ask(&question, false) {
            Ok(answer) => answer,
            Err(error) => {
                run.log
                    .warning(format!("{VARIABLE}: step \"{name}\" runs: {error:#}"));
                return Ok(Decision::Run);
            }
        };
        match answer.trim() {
            "" => return Ok(Decision::Run),
            "s" => return Ok(Decision::Skip),
            "q" => return Ok(Decision::End),
            "g" => {
                run.variables.set(VARIABLE, "false")?;
                return Ok(Decision::Run);
            }
            other => question = format!("{}\n> ", shown(run, other)),
        }
    }
}

fn is_on(run: &Run<'_>) -> bool {
    let value = run.variables.get(VARIABLE).unwrap_or_default();
    ["true", "yes", "1"]
        .iter()
        .any(|on| value.eq_ignore_ascii_case(on))
}

/// The answer to `v NAME`; a secret is masked.
fn shown(run: &Run<'_>, command: &str) -> String {
    let Some(name) = command.strip_prefix("v ").map(str::trim) else {
        return "Enter, s, v NAME, g or q".to_owned();
    };
    match run.variables.get(name) {
        Some(value) => run.variables.mask(&format!("{name} = {value}")),
        None => format!("{name} has no value"),
    }
}

//! Restarts into the boot image or the installed system.

use std::time::Duration;

use media_format::event::Environment;
use task_sequence::steps::{RestartComputer, RestartTarget};

use super::Result;
use crate::context::Context;
use crate::engine::Outcome;

/// What a sequence allows; a variable may hold more.
const MOST: usize = 512;
/// How long a message stands for which the step says nothing else, and where nobody is expected at the machine.
const STANDS: Duration = Duration::from_secs(10);
const STANDS_UNATTENDED: Duration = Duration::from_secs(3);

pub(super) fn run(options: &RestartComputer, context: &mut Context<'_>) -> Result {
    if let Some(message) = &options.message {
        // Masked before it is cut: no mask knows the beginning of a secret.
        let message = shortened(&context.log.mask(message), context);
        context.log.info(format!("restart: {message}"));
        context.progress(&message, 0, 0);
        if let Err(error) = context.platform.tell(&message) {
            let why = format!("the message cannot be shown on the machine's screen: {error:#}");
            context.log.warning(why);
        }
    }
    if let Some(delay) = delay(options, context) {
        context.platform.sleep(delay);
    }
    let target = match options.target.unwrap_or(RestartTarget::Os) {
        RestartTarget::Pe => Environment::Pe,
        RestartTarget::Os => Environment::Os,
    };
    Ok(Outcome::RestartThenContinue(target))
}

fn delay(options: &RestartComputer, context: &Context<'_>) -> Option<Duration> {
    let usual = if context.media.manifest.options.unattended {
        STANDS_UNATTENDED
    } else {
        STANDS
    };
    let given = options.delay.get().map(|delay| delay.duration());
    given.or(options.message.is_some().then_some(usual))
}

/// Too long a message is no reason not to restart.
fn shortened(message: &str, context: &Context<'_>) -> String {
    let length = message.chars().count();
    if length > MOST {
        context.log.warning(format!(
            "the message of the restart has {length} characters; the first {MOST} are shown"
        ));
    }
    message.chars().take(MOST).collect()
}

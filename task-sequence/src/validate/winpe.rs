//! What Windows' own programs in a Windows PE cannot do, and the Linux PE can.

use super::{EnabledStep, Given, MediaFacts, Problem, error};
use crate::setting::Resolve;
use crate::steps::{Action, CaptureOperatingSystemImage, Compression};

pub(super) fn check(
    enabled: &[EnabledStep<'_>],
    media: &MediaFacts,
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    if !media.winpe {
        return;
    }
    for placed in enabled {
        if let Action::CaptureOperatingSystemImage(options) = &placed.step.action {
            for message in of_capture(options, given) {
                error(placed, message, problems);
            }
        }
    }
}

/// Said here, because the capture comes after the system was generalized.
fn of_capture(options: &CaptureOperatingSystemImage, given: &Given) -> Vec<String> {
    let mut found = Vec::new();
    let mut compression = options.compression.clone();
    let is_known = compression.resolve(given.values()).is_ok();
    if is_known && compression.get() == Some(&Compression::Lzms) {
        found.push(
            "`compression`: Windows PE captures by DISM, with `none`, `xpress` or `lzx`; for `lzms` use the Linux PE as the boot image"
                .to_owned(),
        );
    }
    let patterns = options
        .exclude
        .iter()
        .map(|pattern| given.values().expand(pattern));
    found.extend(patterns.filter(|pattern| !pattern.is_ascii()).map(|pattern| {
        format!(
            "`exclude`: Windows PE captures by DISM, whose list takes ASCII characters only, and not `{pattern}`; use the Linux PE as \
             the boot image"
        )
    }));
    found
}

//! Splits a WIM into parts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media_format::wim::protocol::{Split, Summary};

use crate::failure::Failure;
use crate::report::Report;
use crate::{flush, verify};

pub(crate) fn run(request: &Split, report: &Arc<Report>) -> Result<Summary, Failure> {
    let doing = format!(
        "splitting {} into {}",
        request.wim.display(),
        request.first.display()
    );
    verify::open(&request.wim, &[], report)?
        .split(&request.first, request.part_bytes)
        .map_err(|e| Failure::lib(doing, &e))?;
    let info = verify::read_info(&request.first)?;
    for number in 1..=info.total_parts {
        flush::file(&part(&request.first, number), report)?;
    }
    verify::summary(&request.first, info)
}

/// `NAME.swm`, `NAME2.swm`, `NAME3.swm`: what libwim, like DISM, calls the parts.
fn part(first: &Path, number: u16) -> PathBuf {
    if number == 1 {
        return first.to_owned();
    }
    let mut name: OsString = first.file_stem().unwrap_or_default().to_owned();
    name.push(format!("{number}."));
    name.push(first.extension().unwrap_or_default());
    first.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_called_as_dism_calls_them() {
        let first = Path::new("a/install.wim.swm");
        assert_eq!(part(first, 1), first);
        assert_eq!(part(first, 12), Path::new("a/install.wim12.swm"));
    }
}

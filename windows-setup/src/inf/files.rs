//! The files that an INF file copies, and where they lie in the package (INF CopyFiles directive, INF SourceDisksFiles
//! section, INF SourceDisksNames section, INF DestinationDirs section, INF CopyINF directive).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use media_format::drivers::Architecture;

use super::error::{InfError, InfProblem};
use super::{Entry, Inf, Section, beneath};

/// A file that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedFile {
    /// Path in the package.
    pub path: String,
    /// The cabinet file that it may be in.
    pub cabinet: Option<String>,
    /// Where it goes, with the folder's number.
    pub destination: String,
    /// Whether the INF says that it is on its media; other files may be Windows' own.
    pub listed: bool,
}

/// The files that sections copy, each source once. A list that does not exist is a warning, unless an included file
/// may have it.
///
/// # Errors
/// When a path leads out of the package.
pub fn copied_files(
    inf: &Inf,
    folder: &str,
    sections: &[&Section],
    architecture: Architecture,
    warnings: &mut Vec<String>,
) -> Result<Vec<CopiedFile>, InfError> {
    let disks = Disks::new(inf, architecture);
    let included = sections.iter().any(|section| section.entry("Include").is_some());
    let mut files: BTreeMap<String, CopiedFile> = BTreeMap::new();
    let mut add = |list: &str, source: &str, name: &str, line| {
        let destination = disks.destination(list, name);
        let file = disks.file(folder, source, destination, line)?;
        files.entry(file.path.to_lowercase()).or_insert(file);
        Ok::<(), InfError>(())
    };
    for (list, line) in lists(sections) {
        if let Some(name) = list.strip_prefix('@') {
            add("", name, name, line)?;
        } else if let Some(section) = inf.section(list) {
            for entry in section.entries.iter().filter(|entry| !name(entry).is_empty()) {
                let source = Some(entry.value(1)).filter(|source| !source.is_empty());
                add(list, source.unwrap_or(name(entry)), name(entry), entry.line)?;
            }
        } else if !included {
            let directive = "CopyFiles";
            let section = list.to_owned();
            warnings.push(
                InfProblem::NoSuchSection { directive, section }
                    .at(line)
                    .to_string(),
            );
        }
    }
    Ok(files.into_values().collect())
}

/// The first field of an entry, which in a list of files is its first value.
fn name(entry: &Entry) -> &str {
    entry.key.as_deref().unwrap_or(entry.value(0))
}

/// What `CopyFiles` names, each once with its first line.
fn lists<'a>(sections: &[&'a Section]) -> Vec<(&'a str, u32)> {
    let mut seen = BTreeSet::new();
    let entries = sections.iter().flat_map(|section| section.all("CopyFiles"));
    let named = entries.flat_map(|entry| entry.list().map(|list| (list, entry.line)));
    named
        .filter(|(list, _)| seen.insert(list.to_lowercase()))
        .collect()
}

/// The INF files that are imported together with this one; they lie beside it.
pub fn copied_infs(folder: &str, sections: &[&Section]) -> BTreeSet<String> {
    let entries = sections.iter().flat_map(|section| section.all("CopyINF"));
    let names = entries.flat_map(Entry::list);
    names.filter_map(|name| beneath(folder, &[name])).collect()
}

/// Where the INF's files lie and go.
struct Disks<'a> {
    files: HashMap<String, &'a Entry>,
    names: HashMap<String, &'a Entry>,
    destinations: HashMap<String, &'a Entry>,
}

impl<'a> Disks<'a> {
    fn new(inf: &'a Inf, architecture: Architecture) -> Self {
        let both = |name: &str| [format!("{name}.{architecture}"), name.to_owned()];
        Self {
            files: keyed(inf, &both("SourceDisksFiles")),
            names: keyed(inf, &both("SourceDisksNames")),
            destinations: keyed(inf, &["DestinationDirs".to_owned()]),
        }
    }

    fn file(
        &self,
        folder: &str,
        source: &str,
        destination: String,
        line: u32,
    ) -> Result<CopiedFile, InfError> {
        let listed = self.files.get(&source.to_lowercase());
        let disk = listed.and_then(|entry| self.names.get(&entry.value(0).to_lowercase()));
        let disk_folder = disk.map_or("", |disk| disk.value(3));
        let subfolder = listed.map_or("", |entry| entry.value(1));
        let leads_out = |path: &str| InfProblem::LeadsOut(path.to_owned()).at(line);
        let path = beneath(folder, &[disk_folder, subfolder, source])
            .ok_or_else(|| leads_out(&format!("{disk_folder}\\{subfolder}\\{source}")))?;
        let cabinet = disk.map(|disk| disk.value(1)).filter(|name| is_cabinet(name));
        let cabinet =
            cabinet.map(|name| beneath(folder, &[disk_folder, name]).ok_or_else(|| leads_out(name)));
        Ok(CopiedFile {
            path,
            cabinet: cabinet.transpose()?,
            destination,
            listed: listed.is_some(),
        })
    }

    fn destination(&self, list: &str, name: &str) -> String {
        let entry = self.destinations.get(&list.to_lowercase());
        let Some(entry) = entry.or_else(|| self.destinations.get("defaultdestdir")) else {
            return name.to_owned();
        };
        match (entry.value(0), entry.value(1).trim_matches('\\')) {
            (folder, "") => format!("%{folder}%\\{name}"),
            (folder, subfolder) => format!("%{folder}%\\{subfolder}\\{name}"),
        }
    }
}

fn is_cabinet(name: &str) -> bool {
    name.to_lowercase().ends_with(".cab")
}

/// The entries of several sections by their keys; the first one counts, which is that of the architecture.
fn keyed<'a>(inf: &'a Inf, sections: &[String]) -> HashMap<String, &'a Entry> {
    let mut found = HashMap::new();
    for entry in sections
        .iter()
        .filter_map(|name| inf.section(name))
        .flat_map(|section| &section.entries)
    {
        if let Some(key) = &entry.key {
            found.entry(key.to_lowercase()).or_insert(entry);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[Version]\nSignature=$Chicago$\n[I]\nCopyFiles=List,@Single.dll,Gone\nCopyFiles=list\nCopyINF=Other.inf\n\
        [List]\nNew.sys,old.sys,,2\nplain.sys\ncab.bin\nwindows.dll\n\
        [SourceDisksNames]\n1=Disk\n2=\"Cab\",data.cab,,\\Sub\n[SourceDisksNames.amd64]\n1=Disk,,,\\x64\n\
        [SourceDisksFiles]\nold.sys=1,\\wrong\nplain.sys=1\nSINGLE.DLL=1,deep\\er\ncab.bin=2\n[SourceDisksFiles.amd64]\nold.sys=1,drv,1234\n\
        [DestinationDirs]\nDefaultDestDir=11\nLIST=12,sub";

    fn files(text: &str, architecture: Architecture) -> Result<(Vec<CopiedFile>, Vec<String>), InfError> {
        let inf = Inf::parse(text.as_bytes()).unwrap();
        let sections = [inf.section("I").unwrap()];
        let mut warnings = vec![];
        let files = copied_files(&inf, "net", &sections, architecture, &mut warnings)?;
        Ok((files, warnings))
    }

    #[test]
    fn sources_come_from_the_sections_of_the_architecture_first() {
        let (found, warnings) = files(TEXT, Architecture::Amd64).unwrap();
        let pairs: Vec<_> = found
            .iter()
            .map(|file| (file.path.as_str(), file.destination.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("net/Sub/cab.bin", "%12%\\sub\\cab.bin"),
                ("net/windows.dll", "%12%\\sub\\windows.dll"),
                ("net/x64/deep/er/Single.dll", "%11%\\Single.dll"),
                ("net/x64/drv/old.sys", "%12%\\sub\\New.sys"),
                ("net/x64/plain.sys", "%12%\\sub\\plain.sys"),
            ]
        );
        assert_eq!(found[0].cabinet.as_deref(), Some("net/Sub/data.cab"));
        assert!(!found[1].listed && found[2].listed);
        assert_eq!(
            warnings,
            ["line 4: `CopyFiles` names the section [Gone], which does not exist"]
        );
        let (x86, _) = files(TEXT, Architecture::X86).unwrap();
        assert!(x86.iter().any(|file| file.path == "net/wrong/old.sys"));
    }

    #[test]
    fn a_path_out_of_the_package_is_an_error_with_its_line() {
        let text = TEXT.replace("\\x64", "..\\..\\x64");
        let error = files(&text, Architecture::Amd64).unwrap_err();
        assert!(
            matches!(error.problem, InfProblem::LeadsOut(_)) && error.line == 8,
            "{error}"
        );
    }

    #[test]
    fn copied_infs_lie_beside_the_inf() {
        let inf = Inf::parse(TEXT.as_bytes()).unwrap();
        let found = copied_infs("net", &[inf.section("I").unwrap()]);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["net/Other.inf"]);
    }
}

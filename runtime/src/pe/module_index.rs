//! depmod's indexes: which modules a name or a device's alias stands for, and what must be loaded before them.

use std::collections::HashMap;

/// The indexes of one kernel's modules.
#[derive(Debug, Default)]
pub(super) struct ModuleIndex {
    /// Module → its file and its dependencies' files, the first to load last.
    files: HashMap<String, Vec<String>>,
    /// Aliases with wildcards, by what stands before their first colon.
    patterns: HashMap<String, Vec<(String, String)>>,
    /// Aliases without a colon: names of file systems, ciphers, protocols.
    plain: HashMap<String, Vec<String>>,
    soft: HashMap<String, SoftDependencies>,
}

#[derive(Debug, Default)]
struct SoftDependencies {
    before: Vec<String>,
    after: Vec<String>,
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

fn name_of(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    normal(name.split(".ko").next().unwrap_or(name))
}

impl ModuleIndex {
    /// Reads modules.dep, modules.alias and modules.softdep.
    pub(super) fn parse(dep: &str, alias: &str, softdep: &str) -> Self {
        let mut index = Self::default();
        for line in dep.lines() {
            if let Some((file, needs)) = line.split_once(':') {
                let files = std::iter::once(file)
                    .chain(needs.split_whitespace())
                    .map(str::to_owned);
                index.files.insert(name_of(file), files.collect());
            }
        }
        for line in alias.lines().filter_map(|line| line.strip_prefix("alias ")) {
            if let Some((pattern, module)) = line.rsplit_once(' ') {
                index.add_alias(pattern, module);
            }
        }
        for line in softdep.lines().filter_map(|line| line.strip_prefix("softdep ")) {
            index.add_soft(line);
        }
        index
    }

    fn add_alias(&mut self, pattern: &str, module: &str) {
        match pattern.split_once(':') {
            Some((bus, _)) => {
                let entry = (pattern.to_owned(), module.to_owned());
                self.patterns.entry(bus.to_owned()).or_default().push(entry);
            }
            None => self
                .plain
                .entry(normal(pattern))
                .or_default()
                .push(module.to_owned()),
        }
    }

    fn add_soft(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let soft = self
            .soft
            .entry(normal(words.next().unwrap_or_default()))
            .or_default();
        let mut after = false;
        for word in words {
            match word {
                "pre:" => after = false,
                "post:" => after = true,
                name if after => soft.after.push(normal(name)),
                name => soft.before.push(normal(name)),
            }
        }
    }

    /// The modules that a module name or an alias stands for.
    pub(super) fn modules(&self, name: &str) -> Vec<String> {
        let plain = normal(name);
        if self.files.contains_key(&plain) {
            return vec![plain];
        }
        if let Some(modules) = self.plain.get(&plain) {
            return modules.clone();
        }
        let bus = name.split(':').next().unwrap_or_default();
        let patterns = self.patterns.get(bus).into_iter().flatten();
        let hits = patterns.filter(|(pattern, _)| matches(pattern.as_bytes(), name.as_bytes()));
        let mut modules: Vec<String> = hits.map(|(_, module)| module.clone()).collect();
        modules.dedup();
        modules
    }

    /// The files of a module and of all that must be there before it, in the order of loading.
    pub(super) fn load_order(&self, module: &str) -> Vec<&str> {
        let mut order = Vec::new();
        self.collect(&normal(module), &mut order, 0);
        order
    }

    fn collect<'a>(&'a self, module: &str, order: &mut Vec<&'a str>, depth: usize) {
        // Soft dependencies may form rings.
        const MAX_DEPTH: usize = 8;
        let Some(files) = self.files.get(module).filter(|_| depth < MAX_DEPTH) else {
            return;
        };
        let soft = self.soft.get(module);
        for name in soft.iter().flat_map(|soft| &soft.before) {
            self.collect(name, order, depth + 1);
        }
        for file in files.iter().rev() {
            if !order.contains(&file.as_str()) {
                order.push(file);
            }
        }
        for name in soft.iter().flat_map(|soft| &soft.after) {
            self.collect(name, order, depth + 1);
        }
    }
}

/// Shell patterns as modules use them: `*`, `?` and `[a-z]`; linear but for the last star.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[p..], text[t]),
            Some(&byte) if byte == text[t] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => (p, t) = (p + length, t + 1),
            (None, Some((at, from))) => {
                (p, t) = (at + 1, from + 1);
                star = Some((at, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// The length of a class like `[0-9A]` when it has the byte.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().position(|&b| b == b']')?;
    let mut inner = &pattern[1..end];
    while let Some(&first) = inner.first() {
        let (last, length) = match inner {
            [_, b'-', last, ..] => (*last, 3),
            _ => (first, 1),
        };
        if (first..=last).contains(&byte) {
            return Some(end + 1);
        }
        inner = &inner[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ModuleIndex {
        ModuleIndex::parse(
            "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko\nkernel/fs/jbd2/jbd2.ko:\n\
             kernel/lib/crc16.ko:\nkernel/drivers/usb/usb-storage.ko: kernel/scsi_mod.ko\nkernel/crypto/gcm.ko:\n",
            "# comment\nalias fs-ext4 ext4\nalias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* usb_storage\n\
             alias usb:v05E3p0702d00[0-9][0-3]* usb_storage\nalias crypto-gcm gcm\n",
            "# Soft dependencies\nsoftdep ext4 pre: crc16 post: gcm\n",
        )
    }

    #[test]
    fn names_and_aliases_lead_to_modules() {
        let index = sample();
        assert_eq!(index.modules("fs-ext4"), ["ext4"]);
        assert_eq!(index.modules("usb-storage"), ["usb_storage"]);
        assert_eq!(
            index.modules("usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip50in00"),
            ["usb_storage"]
        );
        assert!(index.modules("pci:v00008086").is_empty());
    }

    #[test]
    fn dependencies_come_first_and_soft_ones_are_followed() {
        let index = sample();
        let order = index.load_order("ext4");
        assert_eq!(
            order,
            [
                "kernel/lib/crc16.ko",
                "kernel/fs/jbd2/jbd2.ko",
                "kernel/fs/ext4/ext4.ko",
                "kernel/crypto/gcm.ko"
            ]
        );
        assert!(index.load_order("nothing").is_empty());
    }

    #[test]
    fn patterns_match_as_a_shell_does() {
        let is = |pattern: &str, text: &str| matches(pattern.as_bytes(), text.as_bytes());
        assert!(is(
            "pci:v*d*sv*sd*bc01sc06i01*",
            "pci:v00008086d00002922sv1AF4sd1100bc01sc06i01"
        ));
        assert!(!is("pci:v*bc01sc06i01*", "pci:v00008086bc01sc01i80"));
        assert!(is("d00[0-9A]?x*", "d00Abxyz") && is("*", "") && !is("a", "") && !is("", "a"));
        assert!(!is("d[0-9", "d1"), "an open class matches nothing");
    }
}

//! Hardware queries: the part of WQL that conditions use.
//!
//! `select * from CLASS [where EXPRESSION]`, with `=`, `<>`, `!=`, `<`, `<=`, `>`, `>=`, `like`,
//! `is null`, `is not null`, `and`, `or`, `not` and parentheses. Classes and properties that no
//! machine answers are errors when the query is read.

use super::compare::{Operator, compare_values, like_in_wql};
use super::facts::Row;
use crate::setting::nearest;

/// The classes that every machine answers, with their properties: what the firmware says, the network cards and the disks. It is
/// the same in the boot image and in the installed system; what a system says of itself, `operating-system` asks.
pub const CLASSES: &[(&str, &[&str])] = &[
    (
        "Win32_ComputerSystem",
        &[
            "Manufacturer",
            "Model",
            "Name",
            "SystemFamily",
            "SystemSKUNumber",
            "TotalPhysicalMemory",
            "NumberOfProcessors",
            "NumberOfLogicalProcessors",
        ],
    ),
    (
        "Win32_ComputerSystemProduct",
        &[
            "Vendor",
            "Name",
            "Version",
            "IdentifyingNumber",
            "UUID",
            "SKUNumber",
        ],
    ),
    (
        "Win32_BIOS",
        &[
            "Manufacturer",
            "SMBIOSBIOSVersion",
            "ReleaseDate",
            "SerialNumber",
            "SMBIOSMajorVersion",
            "SMBIOSMinorVersion",
        ],
    ),
    (
        "Win32_Processor",
        &[
            "Name",
            "Manufacturer",
            "NumberOfCores",
            "NumberOfLogicalProcessors",
            "MaxClockSpeed",
            "AddressWidth",
        ],
    ),
    (
        "Win32_BaseBoard",
        &["Manufacturer", "Product", "SerialNumber", "Version"],
    ),
    (
        "Win32_SystemEnclosure",
        &[
            "Manufacturer",
            "ChassisTypes",
            "SerialNumber",
            "SMBIOSAssetTag",
            "Version",
        ],
    ),
    (
        "Win32_PhysicalMemory",
        &[
            "Capacity",
            "Manufacturer",
            "PartNumber",
            "SerialNumber",
            "Speed",
            "DeviceLocator",
        ],
    ),
    (
        "Win32_NetworkAdapter",
        &["Name", "MACAddress", "NetEnabled", "AdapterType"],
    ),
    ("Win32_NetworkAdapterConfiguration", &["MACAddress"]),
    (
        "Win32_DiskDrive",
        &["Index", "Model", "SerialNumber", "Size", "InterfaceType"],
    ),
    ("Win32_Battery", &["Name", "DeviceID", "BatteryStatus"]),
    ("Win32_Tpm", &["SpecVersion"]),
];

const DEEPEST: usize = 64;

/// A query that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    text: String,
    class: &'static str,
    filter: Option<Filter>,
}

#[derive(Debug, Clone, PartialEq)]
enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare {
        property: &'static str,
        operator: Operator,
        value: String,
    },
    IsNull(&'static str),
}

impl Query {
    /// Reads a query; the error says what is wrong and what is possible.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("the query `{text}` is wrong: {why}");
        let mut reader = Reader {
            tokens: tokens(text).map_err(wrong)?,
            at: 0,
            properties: &[],
            depth: 0,
        };
        let (class, filter) = reader.query().map_err(wrong)?;
        Ok(Self {
            text: text.to_owned(),
            class,
            filter,
        })
    }

    /// The query as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The class, in the spelling of [`CLASSES`].
    pub fn class(&self) -> &'static str {
        self.class
    }

    /// Whether a row of the class fits; values are expanded with `expand` first.
    pub fn fits(&self, row: &Row, expand: &dyn Fn(&str) -> String) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.fits(row, expand))
    }
}

impl Filter {
    fn fits(&self, row: &Row, expand: &dyn Fn(&str) -> String) -> bool {
        match self {
            Self::And(left, right) => left.fits(row, expand) && right.fits(row, expand),
            Self::Or(left, right) => left.fits(row, expand) || right.fits(row, expand),
            Self::Not(inner) => !inner.fits(row, expand),
            Self::IsNull(property) => row.get(property).is_none(),
            Self::Compare {
                property,
                operator,
                value,
            } => row.get(property).is_some_and(|actual| {
                let wanted = expand(value);
                match operator {
                    Operator::Like => like_in_wql(actual, &wanted),
                    operator => compare_values(actual, *operator, &wanted),
                }
            }),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 11] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "*"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let (token, length) = if c == '"' || c == '\'' {
            quoted(rest, c)?
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            (Token::Symbol(symbol), symbol.len())
        } else {
            word(rest)?
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

/// A text in quotes; a backslash takes the special meaning from the character after it.
fn quoted(rest: &str, quote: char) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
            c if c == quote => return Ok((Token::Text(text), at + 1)),
            c => text.push(c),
        }
    }
    Err(format!("the text that begins with {rest} has no end"))
}

fn word(rest: &str) -> Result<(Token, usize), String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '%' | ':' | '\\');
    let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
    if length == 0 {
        return Err(format!(
            "`{}` is not expected",
            rest.chars().take(1).collect::<String>()
        ));
    }
    Ok((Token::Word(rest[..length].to_owned()), length))
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    properties: &'static [&'static str],
    depth: usize,
}

impl Reader {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let is =
            matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is);
        is
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(is);
        is
    }

    fn expect_keyword(&mut self, keyword: &str) -> Result<(), String> {
        if self.take_keyword(keyword) {
            Ok(())
        } else {
            Err(format!("`{keyword}` is expected"))
        }
    }

    fn query(&mut self) -> Result<(&'static str, Option<Filter>), String> {
        self.expect_keyword("select")?;
        let selected = self.selection()?;
        self.expect_keyword("from")?;
        let class = match self.next() {
            Some(Token::Word(word)) => known_class(&word)?,
            _ => return Err("the name of a class is expected after `from`".into()),
        };
        self.properties = class.1;
        for property in selected {
            self.known_property(&property)?;
        }
        let filter = if self.take_keyword("where") {
            Some(self.or()?)
        } else {
            None
        };
        match self.tokens.get(self.at) {
            None => Ok((class.0, filter)),
            Some(_) => Err("it goes on after its end".into()),
        }
    }

    /// The selected properties; none for a star.
    fn selection(&mut self) -> Result<Vec<String>, String> {
        if self.take_symbol("*") {
            return Ok(Vec::new());
        }
        let mut selected = Vec::new();
        loop {
            match self.next() {
                Some(Token::Word(word)) => selected.push(word),
                _ => return Err("`*` or the names of properties are expected after `select`".into()),
            }
            if !self.take_symbol(",") {
                return Ok(selected);
            }
        }
    }

    fn known_property(&self, word: &str) -> Result<&'static str, String> {
        let known = self
            .properties
            .iter()
            .find(|property| property.eq_ignore_ascii_case(word));
        known
            .copied()
            .ok_or_else(|| unknown("property", word, self.properties))
    }

    fn or(&mut self) -> Result<Filter, String> {
        let mut left = self.and()?;
        while self.take_keyword("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, String> {
        let mut left = self.not()?;
        while self.take_keyword("and") {
            left = Filter::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
        let filter = if self.take_keyword("not") {
            self.not().map(|inner| Filter::Not(Box::new(inner)))
        } else if self.take_symbol("(") {
            let inner = self.or()?;
            if self.take_symbol(")") {
                Ok(inner)
            } else {
                Err("a `)` is missing".into())
            }
        } else {
            self.comparison()
        };
        self.depth -= 1;
        filter
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        let property = match self.next() {
            Some(Token::Word(word)) => self.known_property(&word)?,
            _ => return Err("the name of a property is expected".into()),
        };
        if self.take_keyword("is") {
            let negated = self.take_keyword("not");
            self.expect_keyword("null")?;
            let is_null = Filter::IsNull(property);
            return Ok(if negated {
                Filter::Not(Box::new(is_null))
            } else {
                is_null
            });
        }
        let negated = self.take_keyword("not");
        let operator = self.operator()?;
        if negated && operator != Operator::Like {
            return Err("`like` is expected after `not`".into());
        }
        let value = match self.next() {
            Some(Token::Word(value) | Token::Text(value)) => value,
            _ => return Err(format!("a value to compare `{property}` with is expected")),
        };
        let compare = Filter::Compare {
            property,
            operator,
            value,
        };
        Ok(if negated {
            Filter::Not(Box::new(compare))
        } else {
            compare
        })
    }

    fn operator(&mut self) -> Result<Operator, String> {
        match self.next() {
            Some(Token::Symbol("=")) => Ok(Operator::Equals),
            Some(Token::Symbol("<>" | "!=")) => Ok(Operator::NotEquals),
            Some(Token::Symbol("<")) => Ok(Operator::Less),
            Some(Token::Symbol("<=")) => Ok(Operator::LessOrEqual),
            Some(Token::Symbol(">")) => Ok(Operator::Greater),
            Some(Token::Symbol(">=")) => Ok(Operator::GreaterOrEqual),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("like") => Ok(Operator::Like),
            _ => Err("one of =, <>, <, <=, >, >=, like and is is expected".into()),
        }
    }
}

fn known_class(word: &str) -> Result<&'static (&'static str, &'static [&'static str]), String> {
    let names: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
    CLASSES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .ok_or_else(|| unknown("class", word, &names))
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{word}`: did you mean `{near}`?"),
        None => format!("unknown {what} `{word}`: known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(query: &str, row: &[(&str, &str)]) -> bool {
        let row: Row = row.iter().copied().collect();
        Query::parse(query)
            .unwrap()
            .fits(&row, &|text| text.replace("%X%", "ten"))
    }

    const MACHINE: &[(&str, &str)] = &[
        ("Manufacturer", "Dell Inc."),
        ("Model", "Latitude 7420"),
        ("TotalPhysicalMemory", "17179869184"),
    ];

    #[test]
    fn comparisons_and_their_precedence() {
        let q = |filter: &str| {
            fits(
                &format!("select * from Win32_ComputerSystem where {filter}"),
                MACHINE,
            )
        };
        assert!(q("Manufacturer = 'dell inc.'"));
        assert!(q(
            "model like \"Latitude%\" and TotalPhysicalMemory >= 8000000000"
        ));
        assert!(q("Model = 'x' and Model = 'y' or Model like '%7420'"));
        assert!(!q("Model = 'x' and (Model = 'y' or Model like '%7420')"));
        assert!(q("not Model = 'x' and Model <> 'y'"));
        assert!(q("SystemFamily is null and Model is not null"));
        assert!(!q("SystemFamily <> 'x'"), "null compares with nothing");
        assert!(q("Model not like '*'"));
    }

    #[test]
    fn the_rest_of_the_grammar() {
        assert!(fits("SELECT Model, Name FROM win32_computersystem", MACHINE));
        assert!(fits(
            r"select * from Win32_Battery where DeviceID = '\\\\.\\D0'",
            &[("DeviceID", r"\\.\D0")]
        ));
        assert!(fits(
            "select * from Win32_Battery where Name = '%X%'",
            &[("Name", "TEN")]
        ));
    }

    #[test]
    fn mistakes_are_explained() {
        let why = |text: &str| Query::parse(text).unwrap_err();
        assert!(why("select * from Win32_ComputerSytem").contains("did you mean `Win32_ComputerSystem`?"));
        assert!(why("select Modl from Win32_ComputerSystem").contains("did you mean `Model`?"));
        assert!(why("select * from Win32_Battery where Nam = 'x'").contains("did you mean `Name`?"));
        assert!(why("select * from Win32_Battery where Name = 'x").contains("no end"));
        assert!(why("select * from Win32_Battery where (Name = 'x'").contains("`)`"));
        assert!(why("select * from Win32_Battery where Name ~ 'x'").contains("not expected"));
        assert!(why("select * from Win32_Battery order by Name").contains("goes on"));
        assert!(why("delete").contains("`select`"));
        let deep = format!(
            "select * from Win32_Battery where {}Name = 'x'",
            "not ".repeat(1000)
        );
        assert!(why(&deep).contains("nested"));
    }
}

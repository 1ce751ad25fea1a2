//! Hostile input for parsers: cases with a name, and mutations of valid input for as long as somebody asks for.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No input may keep a parser longer, in a build without optimization on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Address space of the tests: a length that somebody believed ends them.
const MEMORY: u64 = 4 << 30;
/// Mutations of each parser where no time is given.
const SHORT_RUN: u64 = 400;

/// What reads input of strangers.
#[derive(Clone, Copy)]
pub struct Parser {
    /// Its name.
    pub name: &'static str,
    /// Reads; an error is a refusal.
    pub read: fn(&[u8]) -> Result<(), String>,
}

/// A parser, and valid input for it.
pub type Seeded = (Parser, Vec<Vec<u8>>);

/// What must become of an input. Whatever it is, nothing panics and the end comes soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// An error.
    Refused,
    /// It is read: what is odd about it does no harm.
    Read,
    /// Either.
    Either,
}

/// An input.
pub struct Case {
    name: String,
    input: Vec<u8>,
    expected: Expected,
    /// Made from a valid one by [`cuts`] or [`extremes`].
    generated: bool,
}

/// An input that is to be refused.
pub fn refused(name: impl Into<String>, input: impl Into<Vec<u8>>) -> Case {
    case(name, input, Expected::Refused)
}

/// An input that is to be read.
pub fn read(name: impl Into<String>, input: impl Into<Vec<u8>>) -> Case {
    case(name, input, Expected::Read)
}

/// An input that may be read or refused.
pub fn either(name: impl Into<String>, input: impl Into<Vec<u8>>) -> Case {
    case(name, input, Expected::Either)
}

fn case(name: impl Into<String>, input: impl Into<Vec<u8>>, expected: Expected) -> Case {
    Case {
        name: name.into(),
        input: input.into(),
        expected,
        generated: false,
    }
}

/// The input cut off at these places, all to be refused.
pub fn cuts(input: &[u8], places: impl IntoIterator<Item = usize>) -> Vec<Case> {
    let cut = |place| Case {
        generated: true,
        ..refused(format!("cut off at {place}"), &input[..place])
    };
    places.into_iter().map(cut).collect()
}

/// The input with the number at each place, of that many bytes, set to the numbers that overflow; `mend` makes checksums fit
/// again.
pub fn extremes(input: &[u8], fields: &[(&str, usize, usize)], mend: impl Fn(&mut Vec<u8>)) -> Vec<Case> {
    const NUMBERS: [u64; 6] = [0, 1, i32::MAX as u64, u32::MAX as u64, i64::MAX as u64, u64::MAX];
    let mut cases = Vec::new();
    for (name, at, length) in fields {
        let mask = u64::MAX >> (64 - 8 * length);
        let numbers: BTreeSet<u64> = NUMBERS.iter().map(|number| number & mask).collect();
        for number in numbers {
            let mut changed = input.to_vec();
            changed[*at..at + length].copy_from_slice(&number.to_le_bytes()[..*length]);
            mend(&mut changed);
            cases.push(Case {
                generated: true,
                ..either(format!("{name} is {number:#x}"), changed)
            });
        }
    }
    cases
}

/// Limits the memory of this process, so that a parser that takes what a number in its input says fails.
pub fn limit_memory() {
    let limit = Rlimit {
        current: Some(MEMORY),
        ..getrlimit(Resource::As)
    };
    setrlimit(Resource::As, limit).unwrap();
}

/// Gives the parser each input and tells how many were made by hand.
///
/// # Panics
/// When something else becomes of an input than is to be, with the names of all of them.
pub fn check(parser: Parser, cases: Vec<Case>) -> usize {
    let count = cases.iter().filter(|case| !case.generated).count();
    let mut wrong = Vec::new();
    for Case {
        name,
        input,
        expected,
        ..
    } in cases
    {
        let found = match (in_time(parser, input), expected) {
            (Err(why), _) => why,
            (Ok(Ok(())), Expected::Refused) => "it was read, and is to be refused".into(),
            (Ok(Err(why)), Expected::Read) => format!("it was refused: {why}"),
            _ => continue,
        };
        wrong.push(format!("{}: {name}: {found}", parser.name));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    count
}

/// What the parser says, or that it panicked or came to no end.
fn in_time(parser: Parser, input: Vec<u8>) -> Result<Result<(), String>, String> {
    let thread = std::thread::spawn(move || (parser.read)(&input));
    let begin = Instant::now();
    while !thread.is_finished() {
        if begin.elapsed() > PATIENCE {
            return Err(format!("no end after {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    thread.join().map_err(|_| "it panicked".into())
}

/// Mutates the seeds of each parser: for `FUZZ_SECONDS` in all, or a few hundred times. The same `FUZZ_SEED` gives the same
/// inputs; `FUZZ_PARSER` and `FUZZ_NUMBER` name one of them.
///
/// # Panics
/// When an input does harm; it is in a file then.
pub fn fuzz(parsers: &[Seeded]) {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let only = env::var("FUZZ_PARSER").ok();
    let chosen = |parser: &Parser| only.as_deref().is_none_or(|only| only == parser.name);
    let chosen: Vec<_> = parsers.iter().filter(|(parser, _)| chosen(parser)).collect();
    let share = number("FUZZ_SECONDS")
        .map(|seconds| Duration::from_secs(seconds) / u32::try_from(chosen.len().max(1)).unwrap());
    for (parser, seeds) in chosen {
        match number("FUZZ_NUMBER") {
            Some(number) => {
                let input = mutated(*parser, seeds, seed, number);
                println!("{} is the input", write(*parser, number, &input).display());
                println!("{:?}", in_time(*parser, input));
            }
            None => run(*parser, seeds, seed, share),
        }
    }
}

fn run(parser: Parser, seeds: &[Vec<u8>], seed: u64, share: Option<Duration>) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // What ends the process leaves its number there.
    let place = folder().join(format!("{}.number", parser.name));
    let file = File::create(&place).unwrap();
    println!(
        "{}: seed {seed}; should this process end, {} has FUZZ_NUMBER",
        parser.name,
        place.display()
    );
    let begin = Instant::now();
    let goes_on = |number| share.map_or(number < SHORT_RUN, |share| begin.elapsed() < share);
    NUMBER.store(0, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            while goes_on(NUMBER.load(Ordering::SeqCst)) {
                let number = NUMBER.load(Ordering::SeqCst);
                file.write_all_at(format!("{number:20}\n").as_bytes(), 0).unwrap();
                let _either_is_right = (parser.read)(&mutated(parser, seeds, seed, number));
                NUMBER.store(number + 1, Ordering::SeqCst);
            }
        });
        let (mut last, mut since) = (0, Instant::now());
        while !work.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
            let number = NUMBER.load(Ordering::SeqCst);
            if number != last {
                (last, since) = (number, Instant::now());
            } else if since.elapsed() > PATIENCE {
                // A thread that has no end cannot be waited for.
                eprintln!("{}", harm(parser, seeds, seed, number, "has no end"));
                std::process::exit(1);
            }
        }
        let number = NUMBER.load(Ordering::SeqCst);
        assert!(
            work.join().is_ok(),
            "{}",
            harm(parser, seeds, seed, number, "panicked")
        );
        println!("{}: {number} inputs in {:?}", parser.name, begin.elapsed());
    });
}

/// Writes the input down and says how to repeat it.
fn harm(parser: Parser, seeds: &[Vec<u8>], seed: u64, number: u64, what: &str) -> String {
    let place = write(parser, number, &mutated(parser, seeds, seed, number));
    let name = parser.name;
    format!(
        "{name} {what} with the input in {}; again: make fuzz FUZZ_PARSER={name} FUZZ_SEED={seed} FUZZ_NUMBER={number}",
        place.display()
    )
}

fn write(parser: Parser, number: u64, input: &[u8]) -> PathBuf {
    let place = folder().join(format!("{}-{number}", parser.name));
    fs::write(&place, input).unwrap();
    place
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/hostile"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The input of that number: a seed with up to eight changes.
fn mutated(parser: Parser, seeds: &[Vec<u8>], seed: u64, number: u64) -> Vec<u8> {
    let name = parser
        .name
        .bytes()
        .fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let mut random = Random(seed ^ name << 20 ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        random.change(&mut input, seeds);
    }
    input
}

/// Numbers that only look random (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// A place in the input, rather where it is not zero.
    fn place(&mut self, input: &[u8]) -> usize {
        let places: Vec<usize> = (0..24).map(|_| self.below(input.len())).collect();
        let used = places
            .iter()
            .find(|place| input.get(**place).is_some_and(|byte| *byte != 0));
        *used.unwrap_or(&places[0])
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        if input.is_empty() {
            return input.extend(self.next().to_le_bytes());
        }
        let place = self.place(input);
        let length = self.below(64.min(input.len() - place)) + 1;
        match self.below(16) {
            0..4 => input[place] ^= 1 << self.below(8),
            4..6 => input[place] = self.next() as u8,
            6..10 => self.number(input, place),
            10 => input.truncate(place),
            11 => drop(input.drain(place..place + length)),
            12 => {
                let part = input[place..place + length].to_vec();
                let times = 1 << self.below(8);
                input.splice(place..place, part.repeat(times));
            }
            13 => {
                let part = input[place..place + length].to_vec();
                let to = self.below(input.len() - length + 1);
                input[to..to + length].copy_from_slice(&part);
            }
            14 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                let end = other.len().min(from + length);
                input.splice(place..place + length, other[from..end].iter().copied());
            }
            _ => {
                const SIGNS: &[u8] = b"<>[]{}()\"'\\/%&;,.:=#*?-+ \t\r\n\0";
                input[place] = SIGNS[self.below(SIGNS.len())];
            }
        }
    }

    /// A number that is likely to overflow, in one of the ways to write it.
    fn number(&mut self, input: &mut [u8], place: usize) {
        let near = (self.next() % 5).wrapping_sub(2);
        let number = [0, 1 << 7, 1 << 15, 1 << 31, 1 << 32, 1 << 63, input.len() as u64][self.below(7)];
        let number = u64::wrapping_add(number, near);
        let length = [1, 2, 4, 8][self.below(4)].min(input.len() - place);
        let bytes = match self.below(2) {
            0 => number.to_le_bytes()[..length].to_vec(),
            _ => number.to_be_bytes()[8 - length..].to_vec(),
        };
        input[place..place + length].copy_from_slice(&bytes);
    }
}

//! The targets on a stable compiler: every seed, and mutations of the seeds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tidegate_fuzz::TARGETS;

/// All seeds together, in bytes.
const CORPUS_MAX: usize = 200 << 10;

/// Mutations of the seeds of one target.
const MUTATIONS: usize = 3000;

/// Bytes that mean something to one target or another.
const TELLING: &[u8] = b"\0\xff{}[],:\"\\%/&=.-019aE \n";

/// The longest mutated input.
const LONGEST: usize = 4096;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(here().join(folder)).expect("the folder is there");
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.expect("readable").path())).collect()
}

/// Name and content of every seed of a target, in order.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("corpus/{target}");
    let mut files: Vec<PathBuf> =
        fs::read_dir(here().join(&folder)).expect(&folder).map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), fs::read(&path).expect("readable"))).collect()
}

#[test]
fn every_target_has_a_program_seeds_and_a_dictionary() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len());
    assert_eq!(names("targets/fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("dict"), targets);
    let manifest = fs::read_to_string(here().join("targets/Cargo.toml")).expect("a manifest");
    for target in &targets {
        assert!(manifest.contains(&format!("name = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"")), "{target}");
        assert!(!seeds(target).is_empty(), "{target}");
    }
}

#[test]
fn the_seeds_are_few() {
    let all: usize = TARGETS.iter().flat_map(|(name, _)| seeds(name)).map(|(_, seed)| seed.len()).sum();
    assert!(all <= CORPUS_MAX, "{all} bytes of seeds");
}

#[test]
fn the_properties_hold_for_every_seed() {
    let all = TARGETS.iter().map(|(name, target)| {
        let inputs = seeds(name).into_iter().map(|(_, seed)| seed);
        first_failure(name, *target, inputs)
    });
    assert_eq!(all.flatten().collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn the_properties_hold_for_mutations_of_the_seeds() {
    let all = TARGETS.iter().map(|(name, target)| {
        let seeds = seeds(name);
        let mut random = Random(0x7ed9_a7e5);
        let inputs = (0..MUTATIONS).map(|_| {
            let mut input = seeds[random.below(seeds.len())].1.clone();
            for _ in 0..=random.below(4) {
                let other = random.below(seeds.len());
                random.mutate(&mut input, &seeds[other].1);
            }
            input
        });
        first_failure(name, *target, inputs)
    });
    assert_eq!(all.flatten().collect::<Vec<_>>(), Vec::<String>::new());
}

/// The first input that a target fails on; its panic is in the test's output.
fn first_failure(name: &str, target: fn(&[u8]), mut inputs: impl Iterator<Item = Vec<u8>>) -> Option<String> {
    let fails = |input: &Vec<u8>| std::panic::catch_unwind(|| target(input)).is_err();
    inputs.find(fails).map(|input| format!("{name}: b\"{}\"", input.escape_ascii()))
}

/// SplitMix64: the same numbers every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// One change: a byte, a cut, a part doubled, or a part of `other` put in.
    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len() + 1);
        match self.below(6) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.next() as u8,
            2 => input.insert(at, TELLING[self.below(TELLING.len())]),
            3 => {
                let len = self.below(16).min(input.len() - at);
                input.drain(at..at + len);
            }
            4 => {
                let len = self.below(64).min(input.len() - at);
                let part = input[at..at + len].to_vec();
                input.splice(at..at, part);
            }
            _ => {
                let from = self.below(other.len() + 1);
                let to = (from + self.below(32)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
        }
        input.truncate(LONGEST);
    }
}

use super::{MapKey, among_few, among_many, by_sorting};
use crate::names::hash;
use crate::parse::output::Output;
use crate::schema::{Kind, TagBytes};

/// The keys as a parser would have written them.
fn write(texts: &[String]) -> (Vec<MapKey>, Output) {
    let mut out = Output::new(Vec::new(), 0, usize::MAX);
    let mut keys = Vec::new();
    for (json, text) in texts.iter().enumerate() {
        keys.push(MapKey { json, out: out.position() });
        out.len_prefixed(TagBytes::NONE, text.as_bytes()).expect("room");
    }
    (keys, out)
}

/// Names of 24 bytes with one hash, found by undoing its second step.
fn colliding(count: usize) -> Vec<String> {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    // The inverse modulo 2⁶⁴, by Newton's method.
    let mut inverse = 1u64;
    for _ in 0..6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(MULTIPLIER.wrapping_mul(inverse)));
    }
    let mut names = Vec::new();
    let mut first = 0u64;
    while names.len() < count {
        first += 1;
        let head = format!("{first:08x}");
        let word = u64::from_le_bytes(head.as_bytes().try_into().expect("eight"));
        let state = (24 ^ word).wrapping_mul(MULTIPLIER).rotate_left(29);
        let middle = state ^ 0x1234_5678_9abc_def0_u64.rotate_right(29).wrapping_mul(inverse);
        if let Ok(middle) = String::from_utf8(middle.to_le_bytes().to_vec()) {
            names.push(format!("{head}{middle}the tail"));
        }
    }
    names
}

#[test]
fn keys_that_collide_are_sorted() {
    let mut names = colliding(500);
    assert!(names.iter().all(|name| hash(name.as_bytes()) == hash(names[0].as_bytes())), "they do collide");
    names.reverse();
    let (mut keys, out) = write(&names);
    assert_eq!(among_many(&mut keys, &out, Kind::String, &mut Vec::new()), None);
    assert!(keys.windows(2).all(|pair| pair[0].json > pair[1].json), "so they have been sorted");
    names.push(names[250].clone());
    let (mut keys, out) = write(&names);
    assert_eq!(among_many(&mut keys, &out, Kind::String, &mut Vec::new()), Some(500));
}

#[test]
fn every_way_finds_the_second_key_and_only_that() {
    for count in 2..=8 {
        let names: Vec<String> = (0..count).map(|index| format!("key {index}")).collect();
        let (mut keys, out) = write(&names);
        assert_eq!(among_few(&keys, &out, Kind::String), None);
        assert_eq!(among_many(&mut keys, &out, Kind::String, &mut Vec::new()), None);
        assert_eq!(by_sorting(&mut keys, &out, Kind::String), None);
        for second in 1..count {
            for first in 0..second {
                let mut names = names.clone();
                names[second] = names[first].clone();
                let (mut keys, out) = write(&names);
                assert_eq!(among_few(&keys, &out, Kind::String), Some(second));
                assert_eq!(among_many(&mut keys, &out, Kind::String, &mut Vec::new()), Some(second));
                assert_eq!(by_sorting(&mut keys, &out, Kind::String), Some(second));
            }
        }
    }
}

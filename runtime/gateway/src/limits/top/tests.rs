use super::{PLACES, Refused, Top};
use tidegate_limit::Key;

fn refused(key: &str, times: u64, unsure: u64) -> Refused {
    Refused { key: key.to_owned(), times, unsure }
}

#[test]
fn who_is_refused_most_stands_first() {
    let top = Top::default();
    for key in [1, 2, 2, 3, 2, 3] {
        top.add(Key(key), || format!("k{key}"));
    }
    assert_eq!(top.list(), [refused("k2", 3, 0), refused("k3", 2, 0), refused("k1", 1, 0)]);
}

#[test]
fn who_is_refused_often_is_there_however_many_others_come() {
    let top = Top::default();
    for other in 0..100_000_u128 {
        top.add(Key(other + 10), || "other".to_owned());
        if other % 10 == 0 {
            top.add(Key(1), || "often".to_owned());
        }
    }
    let list = top.list();
    assert_eq!(list.len(), PLACES);
    let often = list.iter().find(|refused| refused.key == "often").expect("it is there");
    assert!(often.times >= 10_000 && often.times - often.unsure <= 10_000, "{often:?}");
    assert_eq!(list.iter().map(|refused| refused.times).sum::<u64>(), 110_000, "no refusal is lost");
}

#[test]
fn long_keys_are_shortened() {
    let top = Top::default();
    top.add(Key(1), || "é".repeat(1000));
    assert_eq!(top.list(), [refused(&format!("{}…", "é".repeat(64)), 1, 0)]);
}

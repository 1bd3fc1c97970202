use super::{DELETED, Event, KeyValue, Known, TooLarge};
use bytes::Bytes;
use tidegate_source::{Document, MAX_BYTES, Part, Revision};

fn pair(key: &'static str, value: &'static str) -> KeyValue {
    KeyValue { key: Bytes::from(key), value: Bytes::from(value), ..KeyValue::default() }
}

fn put(key: &'static str, value: &'static str) -> Event {
    Event { kind: 0, kv: Some(pair(key, value)) }
}

fn delete(key: &'static str) -> Event {
    Event { kind: DELETED, kv: Some(pair(key, "")) }
}

fn document(revision: &str, parts: &[(&str, &str)]) -> Document {
    let parts = parts.iter().map(|(name, text)| Part { name: (*name).into(), text: (*text).into() });
    Document { revision: Revision::new(revision), parts: parts.collect() }
}

#[test]
fn a_state_is_told_once_and_again_when_it_is_asked_for() {
    let mut known = Known::default();
    known.replace(vec![pair("/b", "2"), pair("/a", "1")], 7);
    let expected = document("7", &[("/a", "1"), ("/b", "2")]);
    assert_eq!(known.news(), Some(expected.clone()));
    assert_eq!(known.news(), None);
    known.tell_again();
    assert_eq!(known.news(), Some(expected));
}

#[test]
fn changes_of_one_answer_are_told_together_and_what_comes_to_the_same_is_not_told() {
    let mut known = Known::default();
    known.replace(vec![pair("/a", "1"), pair("/b", "2")], 7);
    known.news();
    assert_eq!(known.change(vec![put("/c", "3"), delete("/a"), put("/b", "4")], 8), Ok(()));
    assert_eq!(known.news(), Some(document("8", &[("/b", "4"), ("/c", "3")])));
    assert_eq!(known.change(vec![put("/c", "5"), put("/c", "3")], 10), Ok(()));
    assert_eq!(known.news(), None);
}

#[test]
fn a_state_without_keys_is_news_as_well() {
    let mut known = Known::default();
    assert_eq!(known.news(), Some(document("0", &[])));
    assert_eq!(known.news(), None);
}

#[test]
fn more_than_a_config_may_have_is_refused() {
    let mut known = Known::default();
    let half = Bytes::from(vec![b'#'; MAX_BYTES / 2 - 2]);
    let event = |key: &'static str, value: &Bytes| Event {
        kind: 0,
        kv: Some(KeyValue { key: Bytes::from(key), value: value.clone(), ..KeyValue::default() }),
    };
    assert_eq!(known.change(vec![event("/a", &half), event("/b", &half)], 2), Ok(()));
    assert_eq!(known.change(vec![event("/c", &Bytes::new())], 3), Err(TooLarge));
}

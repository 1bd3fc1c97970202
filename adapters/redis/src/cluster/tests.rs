//! Slots and tags.

use std::collections::HashSet;

use bytes::Bytes;
use tidegate_limit::Key;

use super::{Slots, crc, slot, tag};
use crate::resp::Value;

#[test]
fn slots_are_those_of_the_specification() {
    assert_eq!(crc(b"123456789"), 0x31c3);
    assert_eq!((tag(Key(0xab12)).as_str(), slot("{12}")), ("{12}", crc(b"12") % 16384));
    let slots: HashSet<u16> = (0..256).map(|key| slot(&tag(Key(key)))).collect();
    assert_eq!(slots.len(), 256, "no two tags meet in one slot");
}

#[test]
fn members_are_read_with_the_hosts_that_are_told() {
    let text = |text: &'static str| Value::Text(Bytes::from_static(text.as_bytes()));
    let range = |first, last, host, port| {
        let master = Value::List(vec![host, Value::Number(port), text("id")]);
        Value::List(vec![Value::Number(first), Value::Number(last), master])
    };
    let reply = Value::List(vec![
        range(0, 1, text("10.0.0.1"), 7000),
        range(2, 2, text("::1"), 7001),
        range(3, 99999, Value::Nothing, 7002),
    ]);
    assert_eq!(Slots::read(&reply, "seed"), None, "no such slot");
    let reply = Value::List(reply.list().map(|list| list[..2].to_vec()).unwrap_or_default());
    let slots = Slots::read(&reply, "seed").expect("slots");
    let members: Vec<_> = (0..4).map(|slot| slots.member(slot)).collect();
    assert_eq!(members, [Some("10.0.0.1:7000"), Some("10.0.0.1:7000"), Some("[::1]:7001"), None]);
    let reply = Value::List(vec![range(3, 3, Value::Nothing, 7002), range(4, 4, text(""), 7003)]);
    let slots = Slots::read(&reply, "seed").expect("slots");
    assert_eq!((slots.member(3), slots.member(4)), (Some("seed:7002"), Some("seed:7003")));
}

use super::{Kept, age};
use crate::generations::StateFolder;
use std::fs;
use std::time::{Duration, SystemTime};

fn time(unix: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix)
}

#[test]
fn what_was_told_last_is_read_with_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = Kept::new(StateFolder::open(folder.path()).expect("there"));
    assert_eq!(kept.load("shop").expect("nothing is fine"), None);
    for set in [&b"one"[..], b"two", b""] {
        kept.save("shop", set, time(1)).expect("saved");
        let (known, _) = kept.load("shop").expect("read").expect("there");
        assert_eq!(known, set);
    }
    // Told again, nothing is written but the time.
    let noon = time(1_800_000_000);
    kept.save("shop", b"", noon).expect("saved");
    assert_eq!(kept.load("shop").expect("read"), Some((Default::default(), noon)));
}

#[test]
fn upstreams_that_are_gone_are_forgotten_and_other_files_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = Kept::new(StateFolder::open(folder.path()).expect("there"));
    for upstream in ["shop", "..", "old"] {
        kept.save(upstream, b"x", time(1)).expect("saved");
    }
    for name in ["config.json", "schema-mine.txt"] {
        fs::write(folder.path().join(name), "").expect("written");
    }
    kept.retain(&["shop".into(), "..".into(), "new".into()]).expect("removed");
    let mut left: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    left.sort();
    assert_eq!(left, ["config.json", "schema-...pb", "schema-mine.txt", "schema-shop.pb"]);
}

#[test]
fn an_age_has_one_unit() {
    let ages = [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(|seconds| age(Duration::from_secs(seconds)));
    assert_eq!(ages, ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]);
}

use super::{BURST, EARNED_BY_REPLY, Flood, Frames, HEAD, PREFACE};
use std::time::Duration;
use tokio::time::advance;

const SETTINGS: u8 = 4;
const PING: u8 = 6;

fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
    let [_, _, high, mid, low] = (payload as u64).to_be_bytes()[3..] else { panic!("five bytes") };
    let mut bytes = vec![high, mid, low, kind, flags, 0, 0, 0, 1];
    assert_eq!(bytes.len(), HEAD);
    bytes.resize(HEAD + payload, 0xff);
    bytes
}

fn frames(max_resets: u32) -> Frames {
    let mut frames = Frames::new(max_resets);
    frames.read(&[0xff; PREFACE]);
    frames
}

#[tokio::test(start_paused = true)]
async fn each_part_that_is_incomplete_has_a_number_and_data_is_none() {
    let mut bytes = frame(SETTINGS, 0, 6);
    bytes.extend(frame(super::HEADERS, 0, 5));
    bytes.extend(frame(super::CONTINUATION, super::END_HEADERS, 3));
    bytes.extend(frame(super::DATA, 0, 4));
    let mut frames = frames(1);
    assert_eq!(frames.incomplete(), Some(0), "the first frame is waited for");
    let mut runs: Vec<(Option<u64>, usize)> = Vec::new();
    for byte in bytes {
        frames.read(&[byte]);
        match runs.last_mut() {
            Some((part, count)) if *part == frames.incomplete() => *count += 1,
            _ => runs.push((frames.incomplete(), 1)),
        }
    }
    // The head of SETTINGS; its payload; between the two; the head of HEADERS; the whole block; and so on.
    let want =
        [(Some(0), 8), (Some(2), 6), (None, 1), (Some(3), 8), (Some(4), 5 + 9 + 3), (None, 1), (Some(5), 8), (None, 5)];
    assert_eq!(runs, want);
}

#[tokio::test(start_paused = true)]
async fn frames_without_a_request_are_a_flood_beyond_the_burst() {
    let mut frames = frames(1);
    for _ in 0..BURST {
        frames.read(&frame(PING, 0, 8));
    }
    assert_eq!(frames.flood(), None);
    frames.read(&frame(PING, 0, 8));
    assert_eq!(frames.flood(), Some(Flood::Frames));
}

#[tokio::test(start_paused = true)]
async fn heads_that_are_too_large_are_a_flood_unless_requests_or_time_make_up_for_them() {
    let large = |frames: &mut Frames| {
        frames.read(&frame(super::HEADERS, super::END_HEADERS | super::END_STREAM, 5));
        frames.large_head();
    };
    let mut alone = frames(1);
    (0..11).for_each(|_| large(&mut alone));
    assert_eq!(alone.flood(), None);
    large(&mut alone);
    assert_eq!(alone.flood(), Some(Flood::Frames));
    let (mut shared, mut slow) = (frames(1), frames(1));
    for _ in 0..100 {
        large(&mut shared);
        (0..10).for_each(|_| {
            shared.read(&frame(super::HEADERS, super::END_HEADERS | super::END_STREAM, 5));
        });
        large(&mut slow);
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!((shared.flood(), slow.flood()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn what_answers_our_data_is_no_flood() {
    let mut frames = frames(1);
    for _ in 0..BURST {
        frames.sent_data();
        for _ in 0..EARNED_BY_REPLY {
            frames.read(&frame(PING, 0, 8));
        }
    }
    assert_eq!(frames.flood(), None);
}

#[tokio::test(start_paused = true)]
async fn time_forgives() {
    let mut frames = frames(5);
    for _ in 0..4 {
        for _ in 0..5 {
            frames.read(&frame(super::RST_STREAM, 0, 4));
        }
        advance(Duration::from_secs(10)).await;
    }
    assert_eq!(frames.flood(), None);
    for _ in 0..6 {
        frames.read(&frame(super::RST_STREAM, 0, 4));
    }
    assert_eq!(frames.flood(), Some(Flood::Resets));
}

#[tokio::test(start_paused = true)]
async fn data_counts_only_if_it_is_empty_and_not_the_last() {
    let mut frames = frames(1);
    for _ in 0..=BURST {
        frames.read(&frame(super::DATA, 0, 1));
        frames.read(&frame(super::DATA, super::END_STREAM, 0));
    }
    assert_eq!(frames.flood(), None);
    for _ in 0..=BURST {
        frames.read(&frame(super::DATA, 0, 0));
    }
    assert_eq!(frames.flood(), Some(Flood::Frames));
}

#[tokio::test(start_paused = true)]
async fn data_of_an_answered_stream_is_a_flood_beyond_its_window() {
    let mut frames = frames(1);
    frames.read(&frame(super::HEADERS, super::END_HEADERS, 5));
    frames.read(&frame(super::DATA, 0, 900));
    frames.answered(1, 1000);
    frames.read(&frame(super::DATA, 0, 1000));
    assert_eq!(frames.flood(), None, "it may have been under way");
    frames.read(&frame(super::DATA, 0, 1));
    assert_eq!(frames.flood(), Some(Flood::Window));
}

#[tokio::test(start_paused = true)]
async fn streams_that_have_ended_or_are_not_answered_may_send_what_the_library_lets_them() {
    let mut frames = frames(10);
    frames.read(&frame(super::HEADERS, super::END_HEADERS, 5));
    frames.read(&frame(super::DATA, 0, 10_000));
    frames.read(&frame(super::DATA, super::END_STREAM, 10_000));
    frames.answered(1, 0);
    assert!(frames.uploads.is_empty(), "{:?}", frames.uploads);
    for _ in 0..super::UPLOADS_MAX + 1 {
        frames.read(&frame(super::HEADERS, super::END_HEADERS, 5));
    }
    assert_eq!((frames.flood(), frames.uploads.len()), (None, super::UPLOADS_MAX));
    frames.read(&frame(super::RST_STREAM, 0, 4));
    assert!(frames.uploads.is_empty(), "{:?}", frames.uploads);
}

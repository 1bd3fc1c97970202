use super::{BURST, EARNED_BY_REPLY, Flood, Frames, HEAD, PREFACE};
use std::time::Duration;
use tokio::time::advance;

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
async fn a_block_is_open_from_its_first_byte_to_its_last_however_it_is_cut() {
    let mut bytes = frame(super::HEADERS, 0, 5);
    bytes.extend(frame(super::CONTINUATION, super::END_HEADERS, 3));
    let mut frames = frames(1);
    let open: Vec<bool> = bytes
        .iter()
        .map(|byte| {
            frames.read(&[*byte]);
            frames.in_block()
        })
        .collect();
    let want: Vec<bool> = (1..=bytes.len()).map(|at| (HEAD..bytes.len()).contains(&at)).collect();
    assert_eq!(open, want);
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

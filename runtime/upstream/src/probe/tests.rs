use super::{Config, Duration, Health, Probe, Ticks};
use crate::Keepalive;

fn config(keepalive: Option<(u64, u64)>, idle: Option<u64>) -> Config {
    let keepalive = keepalive.map(|(interval, timeout)| Keepalive {
        interval: Duration::from_millis(interval),
        timeout: Duration::from_millis(timeout),
    });
    let idle_timeout = idle.map(Duration::from_millis);
    Config { keepalive, idle_timeout, ..Config::new("test", vec![]) }
}

fn ticks(every: u64, ping_after: Option<u32>, dead_after: u32, idle_after: Option<u32>) -> Ticks {
    Ticks { every: Duration::from_millis(every), ping_after, dead_after, idle_after }
}

#[test]
fn timeouts_are_counted_in_ticks_of_half_the_shortest() {
    let cases = [
        (config(Some((30_000, 10_000)), Some(90_000)), ticks(5_000, Some(6), 2, Some(18))),
        (config(Some((1_000, 700)), Some(500)), ticks(250, Some(4), 3, Some(2))),
        (config(None, Some(60_000)), ticks(5_000, None, u32::MAX, Some(12))),
        (config(None, None), ticks(5_000, None, u32::MAX, None)),
        (config(Some((1, 1)), Some(1)), ticks(10, Some(1), 1, Some(1))),
    ];
    for (config, expected) in cases {
        assert_eq!(Ticks::new(&config), expected);
    }
}

#[test]
fn a_connection_is_idle_after_its_ticks_without_a_request_or_a_sound() {
    let ticks = ticks(1, None, u32::MAX, Some(3));
    let mut probe = Probe::new(None);
    let mut found = Vec::new();
    for (heard, busy) in [(false, false), (false, false), (true, false), (false, false), (false, true)] {
        found.push(probe.tick(ticks, heard, busy));
    }
    found.extend((0..3).map(|_| probe.tick(ticks, false, false)));
    let mut expected = [Health::Fine; 8];
    expected[7] = Health::Idle;
    assert_eq!(found, expected);
}

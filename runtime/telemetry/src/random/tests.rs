use super::{below, step, u64};

#[test]
fn the_generator_is_splitmix64() {
    // The first outputs of the reference implementation for seed 1234567.
    let mut state = 1_234_567;
    let outputs: Vec<u64> = (0..5)
        .map(|_| {
            let (next, bits) = step(state);
            state = next;
            bits
        })
        .collect();
    assert_eq!(
        outputs,
        [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ]
    );
}

#[test]
fn threads_draw_different_bits() {
    let mine: Vec<u64> = (0..4).map(|_| u64()).collect();
    let theirs = std::thread::spawn(|| (0..4).map(|_| u64()).collect::<Vec<u64>>()).join().unwrap();
    assert_ne!(mine, theirs);
}

#[test]
fn below_stays_below_and_reaches_every_value() {
    let mut seen = [false; 7];
    for _ in 0..1_000 {
        seen[usize::try_from(below(7)).unwrap()] = true;
    }
    assert_eq!((seen, below(0), below(1)), ([true; 7], 0, 0));
}

use tidegate_traffic::{Share, ShareError};

#[test]
fn shares_are_percentages() {
    let parse = |text: &str| text.parse::<Share>().map(|share| share.to_string());
    for (text, want) in [
        ("10%", "10%"),
        ("0%", "0%"),
        ("100%", "100%"),
        ("0.5%", "0.5%"),
        ("12.50%", "12.5%"),
        ("0.0000001%", "0.0000001%"),
    ] {
        assert_eq!(parse(text), Ok(want.to_owned()));
    }
    for text in ["10", "%", "-1%", "+1%", "1e1%", ".5%", "5.%", "", "ten%", "1.2.3%", " 1%"] {
        assert_eq!(parse(text), Err(ShareError::NoPercentage), "{text}");
    }
    for text in ["101%", "100.0000001%", "99999999999%"] {
        assert_eq!(parse(text), Err(ShareError::MoreThanAll), "{text}");
    }
    assert_eq!(parse("0.00000001%"), Err(ShareError::TooFine));
}

#[test]
fn a_share_takes_its_part_of_the_line_exactly() {
    let tenth: Share = Share::percent(10);
    let edge = u64::MAX / 10;
    assert_eq!(
        [tenth.takes(0), tenth.takes(edge), tenth.takes(edge + 1), tenth.takes(u64::MAX)],
        [true, true, false, false]
    );
    assert_eq!([Share::ALL.takes(u64::MAX), Share::NONE.takes(0)], [true, false]);
}

use super::ExpectedKey;

#[test]
fn matches_names_of_every_length_and_nothing_else() {
    for len in 1..40 {
        let text = format!("\"{}\":", "n".repeat(len));
        let key = ExpectedKey::new(text.as_bytes());
        let document = format!("{{{text}12345678901234567890");
        assert_eq!(key.end(document.as_bytes(), 1), Some(1 + text.len()));
        for place in 0..text.len() {
            let mut other = document.clone().into_bytes();
            other[1 + place] ^= 1;
            assert_eq!(key.end(&other, 1), None);
        }
        assert_eq!(key.end(document.as_bytes(), document.len()), None);
        assert_eq!(key.end(document.as_bytes(), document.len() + 1), None);
    }
}

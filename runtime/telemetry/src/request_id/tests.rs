use super::{MAX_LEN, RequestId, is_well_formed};

#[test]
fn an_id_is_a_uuid_of_version_7() {
    // RFC 9562, appendix A.6: the same time and random bits.
    let random = (0xcc3_u128 << 64) | 0x18c4_dc0c_0c07_398f;
    assert_eq!(RequestId::generate(0x017f_22e2_79b0, random).to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

#[test]
fn version_and_variant_hold_whatever_the_bits() {
    for random in [0, u128::MAX] {
        let id = RequestId::generate(u64::MAX, random);
        assert_eq!((&id.as_bytes()[14..15], id.as_str().len()), (&b"7"[..], 36));
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert!(is_well_formed(id.as_bytes()));
    }
}

#[test]
fn ids_sort_by_time() {
    assert!(RequestId::generate(1, u128::MAX).as_str() < RequestId::generate(2, 0).as_str());
}

#[test]
fn only_plain_short_ids_of_a_client_are_kept() {
    let cases: [(&[u8], bool); 9] = [
        (b"", false),
        (b"a", true),
        (b"A-z_0.9", true),
        (&[b'x'; MAX_LEN], true),
        (&[b'x'; MAX_LEN + 1], false),
        (b"a b", false),
        (b"a\nb", false),
        (b"\"quoted\"", false),
        ("ид".as_bytes(), false),
    ];
    assert_eq!(cases.map(|(id, _)| is_well_formed(id)), cases.map(|(_, expected)| expected));
}

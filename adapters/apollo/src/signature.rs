//! The signature of an app's access key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// What goes into `Authorization` after the app's id: HMAC-SHA1 over the time and the request's target.
///
/// Source: Apollo's `Signature` (apollo-core 2.4).
pub(crate) fn sign(secret: &str, timestamp: &str, target: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("invariant: a key of HMAC has any length");
    mac.update(timestamp.as_bytes());
    mac.update(b"\n");
    mac.update(target.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn the_signature_is_apollos() {
        // The case of Apollo's own test.
        let target = "/configs/100004458/default/application?ip=10.0.0.1";
        let signature = sign("df23df3f59884980844ff3dada30fa97", "1576478257344", target);
        assert_eq!(signature, "EoKyziXvKqzHgwx+ijDJwgVTDgE=");
    }
}

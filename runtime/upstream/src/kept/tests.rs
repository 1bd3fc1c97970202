use http::{HeaderValue, Method, Request, Version};

use super::Kept;

#[test]
fn what_was_kept_is_the_head_again() {
    let mut secret = HeaderValue::from_static("s");
    secret.set_sensitive(true);
    let request = Request::builder()
        .method(Method::POST)
        .uri("http://shop/shop.v1.Orders/Get")
        .version(Version::HTTP_2)
        .header("te", "trailers")
        .header("x-twice", "one")
        .header("authorization", secret)
        .header("x-twice", "two")
        .body(())
        .expect("a request");
    let (head, ()) = request.into_parts();
    let again = Kept::new(&head).head();
    let all = |head: &http::request::Parts| {
        let headers: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.clone(), value.clone(), value.is_sensitive())).collect();
        (head.method.clone(), head.uri.clone(), head.version, headers)
    };
    assert_eq!(all(&again), all(&head));
}

//! Which endpoint a call goes to.

use http::Request;
use tidegate_upstream::{Call, Config, RequestBody, Tried, Upstream};

use crate::support::{Asked, Server, ask, get};

/// A server that answers everything at once.
async fn ready() -> Server {
    Server::start(|asked: Asked| async move { asked.answer("pong") }).await
}

fn get_again(tried: &[&str]) -> Request<RequestBody> {
    let mut request = get("/");
    let mut all = Tried::new();
    tried.iter().for_each(|endpoint| all.add(endpoint));
    request.extensions_mut().insert(all);
    request
}

#[tokio::test]
async fn a_retry_goes_to_another_endpoint_if_there_is_one() {
    let (one, two) = (ready().await, ready().await);
    let upstream = Upstream::new(Config::new("test", vec![one.endpoint(), two.endpoint()]));
    let first = one.endpoint().to_string();
    for _ in 0..20 {
        let reply = upstream.call(get_again(&[&first]), None).await.unwrap();
        assert_eq!(reply.body().endpoint(), two.endpoint().to_string());
    }
    let second = two.endpoint().to_string();
    // Better one that was tried than none.
    assert_eq!(ask(&upstream, get_again(&[&first, &second])).await.unwrap().data, b"pong");
}

//! A limited service: an axum application that limits what only it knows, with the gateway's rules.
//!
//! ```console
//! $ cargo run -p tidegate-client --example limited
//! $ curl -i localhost:8089/orders -H 'x-user-id: alice' -d express     # twice, and then 429
//! $ curl -i localhost:8089/orders -H 'x-user-id: alice' -d standard    # five of all kinds
//! ```

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::time::Duration;
use tidegate_client::limit::{Algorithm, Limit, Rate, Source};
use tidegate_client::{LimitLayer, Limiter, LimiterError, Named, Protocol};
use tokio::net::TcpListener;

/// Five requests of a user at once, one more each second: known from the head.
fn per_user() -> Result<Limiter, LimiterError> {
    let bucket = Algorithm::TokenBucket { rate: Rate::per_second(1), burst: 5 };
    Limiter::builder().limit(Limit::new("per-user", vec![Source::Header("x-user-id".into())], bucket)).build()
}

/// Two express orders of a user in a minute: known when the order is read.
fn per_kind() -> Result<Limiter, Box<dyn std::error::Error>> {
    let window = Algorithm::SlidingWindow(Rate::new(2, Duration::from_secs(60))?);
    let key = vec![Source::Header("x-user-id".into()), Source::Field("kind".into())];
    Ok(Limiter::builder().limit(Limit::new("per-kind", key, window)).tell_always().build()?)
}

async fn order(State(limiter): State<Limiter>, headers: HeaderMap, kind: String) -> Response {
    let user = headers.get("x-user-id").and_then(|user| user.to_str().ok()).unwrap_or_default();
    let verdict = limiter.ask(&Named(&[("header:x-user-id", user), ("field:kind", &kind)])).await;
    if let Some(refused) = verdict.answer(Protocol::Http) {
        return refused.into_response();
    }
    let mut answer = format!("an order of kind {kind} for {user}\n").into_response();
    verdict.write(answer.headers_mut());
    answer
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let application = Router::new()
        .route("/orders", post(order))
        .layer(LimitLayer::new(Protocol::Http, per_user()?))
        .with_state(per_kind()?);
    let listener = TcpListener::bind("127.0.0.1:8089").await?;
    println!("orders are taken on http://{}/orders", listener.local_addr()?);
    axum::serve(listener, application).await?;
    Ok(())
}

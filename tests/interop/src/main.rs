//! `interop-tonic ADDRESS CASE`: one of gRPC's interoperability cases, with tonic as the client.
//!
//! **Owns** the cases as grpc/grpc's `doc/interop-test-descriptions.md` has them, and the messages that they use.
//!
//! **Does not** start a server or a gateway: `cargo xtask interop` does, and runs clients of other languages too.
//!
//! **Invariant**: it ends with 0 only if everything that the case asks for was seen.

mod calls;
mod cases;
mod messages;

use std::process::ExitCode;
use std::time::Duration;

/// What a case may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, case] = &arguments[..] else {
        eprintln!("usage: interop-tonic ADDRESS CASE");
        return ExitCode::from(2);
    };
    let outcome = match tokio::time::timeout(PATIENCE, cases::run(address, case)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(anyhow::anyhow!("not done after {PATIENCE:?}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{case}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

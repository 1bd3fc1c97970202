//! The cases, one function each.

use crate::calls::Client;
use crate::messages::{EchoStatus, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest, sizes, zeros};
use anyhow::{Result, bail, ensure};
use std::fmt::Debug;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};

const REQUESTS: [i32; 4] = [27_182, 8, 1828, 45_904];
const RESPONSES: [i32; 4] = [31_415, 9, 2653, 58_979];
const LARGE_REQUEST: usize = 271_828;
const LARGE_RESPONSE: i32 = 314_159;
/// A message that must come as it is, whatever its bytes.
const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

/// Runs the case of this name against a server or a gateway.
pub(crate) async fn run(address: &str, case: &str) -> Result<()> {
    let mut client = Client::connect(address).await?;
    match case {
        "empty_unary" => empty_unary(&mut client).await?,
        "large_unary" => large_unary(&mut client).await?,
        "client_streaming" => client_streaming(&mut client).await?,
        "server_streaming" => server_streaming(&mut client).await?,
        "ping_pong" => ping_pong(&mut client).await?,
        "empty_stream" => empty_stream(&mut client).await?,
        "timeout_on_sleeping_server" => timeout_on_sleeping_server(&mut client).await?,
        "cancel_after_begin" => cancel_after_begin(&mut client).await?,
        "cancel_after_first_response" => cancel_after_first_response(&mut client).await?,
        "status_code_and_message" => status(&mut client, "test status message").await?,
        "special_status_message" => special_status_message(&mut client).await?,
        "custom_metadata" => custom_metadata(&mut client).await?,
        "unimplemented_method" => unimplemented(&mut client, "/grpc.testing.TestService/UnimplementedCall").await?,
        "unimplemented_service" => {
            unimplemented(&mut client, "/grpc.testing.UnimplementedService/UnimplementedCall").await?;
        }
        _ => bail!("there is no such case"),
    }
    // Whatever it was, the connection goes on.
    empty_unary(&mut client).await
}

async fn empty_unary(client: &mut Client) -> Result<()> {
    client.empty("/grpc.testing.TestService/EmptyCall").await?;
    Ok(())
}

fn large() -> SimpleRequest {
    SimpleRequest { response_size: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST), response_status: None }
}

async fn large_unary(client: &mut Client) -> Result<()> {
    let response = client.unary_call(Request::new(large())).await?.into_inner();
    same("payload", &response.payload, &zeros(LARGE_RESPONSE as usize))
}

async fn client_streaming(client: &mut Client) -> Result<()> {
    let requests = REQUESTS.map(|size| StreamingInputCallRequest { payload: zeros(size as usize) });
    let response = client.streaming_input(tokio_stream::iter(requests)).await?.into_inner();
    same("size of all payloads", &response.aggregated_payload_size, &74_922)
}

async fn server_streaming(client: &mut Client) -> Result<()> {
    let request =
        StreamingOutputCallRequest { response_parameters: sizes(&RESPONSES), payload: None, response_status: None };
    let mut responses = client.streaming_output(request).await?;
    for size in RESPONSES {
        let response = responses.message().await?;
        same("payload", &response.and_then(|response| response.payload), &zeros(size as usize))?;
    }
    same("end", &responses.message().await?, &None)
}

fn ask(request: i32, response: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: sizes(&[response]),
        payload: zeros(request as usize),
        response_status: None,
    }
}

async fn ping_pong(client: &mut Client) -> Result<()> {
    let (sender, receiver) = mpsc::channel(1);
    // Servers may keep their headers until they have something to say.
    sender.send(ask(REQUESTS[0], RESPONSES[0])).await?;
    let mut responses = client.full_duplex(Request::new(ReceiverStream::new(receiver))).await?.into_inner();
    for (index, (request, response)) in REQUESTS.into_iter().zip(RESPONSES).enumerate() {
        if index > 0 {
            sender.send(ask(request, response)).await?;
        }
        let found = responses.message().await?.and_then(|response| response.payload);
        same("payload", &found, &zeros(response as usize))?;
    }
    drop(sender);
    same("end", &responses.message().await?, &None)
}

async fn empty_stream(client: &mut Client) -> Result<()> {
    let mut responses = client.full_duplex(Request::new(tokio_stream::empty())).await?.into_inner();
    same("end", &responses.message().await?, &None)
}

async fn timeout_on_sleeping_server(client: &mut Client) -> Result<()> {
    let (sender, receiver) = mpsc::channel(1);
    sender.send(ask(REQUESTS[0], RESPONSES[0])).await?;
    let mut request = Request::new(ReceiverStream::new(receiver));
    request.set_timeout(Duration::from_millis(1));
    let outcome = match client.full_duplex(request).await {
        // An answer that was faster than the deadline is one all the same.
        Ok(responses) => {
            let mut responses = responses.into_inner();
            let first = responses.message().await;
            if first.is_ok() { responses.message().await } else { first }
        }
        Err(status) => Err(status),
    };
    // tonic's own timer says CANCELLED; whoever is later than it is not heard.
    let code = outcome.map_err(|status| status.code()).err();
    ensure!(matches!(code, Some(Code::DeadlineExceeded | Code::Cancelled)), "code: {code:?}");
    Ok(())
}

/// tonic resets a stream whose future is dropped.
async fn cancel_after_begin(client: &mut Client) -> Result<()> {
    let (sender, receiver) = mpsc::channel::<StreamingInputCallRequest>(1);
    let call = client.streaming_input(ReceiverStream::new(receiver));
    let outcome = tokio::time::timeout(Duration::from_millis(50), call).await;
    ensure!(outcome.is_err(), "it was answered before a message was sent: {outcome:?}");
    // Its receiver goes with the stream.
    sender.closed().await;
    Ok(())
}

async fn cancel_after_first_response(client: &mut Client) -> Result<()> {
    let (sender, receiver) = mpsc::channel(1);
    sender.send(ask(REQUESTS[0], RESPONSES[0])).await?;
    let mut responses = client.full_duplex(Request::new(ReceiverStream::new(receiver))).await?.into_inner();
    let first = responses.message().await?.and_then(|response| response.payload);
    same("payload", &first, &zeros(RESPONSES[0] as usize))?;
    // tonic resets the stream once both of its halves are gone.
    drop((responses, sender));
    Ok(())
}

async fn status(client: &mut Client, message: &str) -> Result<()> {
    let echo = Some(EchoStatus { code: Code::Unknown as i32, message: message.to_owned() });
    let request = SimpleRequest { response_size: 0, payload: None, response_status: echo.clone() };
    let unary = client.unary_call(Request::new(request)).await;
    failed("unary call", unary, message)?;
    let request = StreamingOutputCallRequest { response_parameters: Vec::new(), payload: None, response_status: echo };
    let stream = match client.full_duplex(Request::new(tokio_stream::iter([request]))).await {
        Ok(responses) => responses.into_inner().message().await,
        Err(status) => Err(status),
    };
    failed("stream", stream, message)
}

async fn special_status_message(client: &mut Client) -> Result<()> {
    let echo = EchoStatus { code: Code::Unknown as i32, message: SPECIAL.to_owned() };
    let request = SimpleRequest { response_size: 0, payload: None, response_status: Some(echo) };
    failed("unary call", client.unary_call(Request::new(request)).await, SPECIAL)
}

fn failed<T: Debug>(what: &str, outcome: Result<T, Status>, message: &str) -> Result<()> {
    match outcome {
        Ok(response) => bail!("{what}: succeeded with {response:?}"),
        Err(status) => same(what, &(status.code(), status.message()), &(Code::Unknown, message)),
    }
}

const INITIAL: &str = "x-grpc-test-echo-initial";
const INITIAL_VALUE: &str = "test_initial_metadata_value";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
const TRAILING_VALUE: [u8; 3] = [0xab; 3];

fn with_metadata<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(INITIAL, MetadataValue::from_static(INITIAL_VALUE));
    request.metadata_mut().insert_bin(TRAILING, MetadataValue::from_bytes(&TRAILING_VALUE));
    request
}

async fn custom_metadata(client: &mut Client) -> Result<()> {
    let response = client.unary_call(with_metadata(large())).await?;
    // tonic puts both in one map.
    let metadata = response.metadata();
    let initial = metadata.get(INITIAL).map(|value| value.as_encoded_bytes().to_vec());
    same("initial metadata of a unary call", &initial, &Some(INITIAL_VALUE.as_bytes().to_vec()))?;
    let trailing = metadata.get_bin(TRAILING).and_then(|value| value.to_bytes().ok());
    same("trailing metadata of a unary call", &trailing.as_deref(), &Some(&TRAILING_VALUE[..]))?;

    let requests = tokio_stream::iter([ask(LARGE_REQUEST as i32, LARGE_RESPONSE)]);
    let response = client.full_duplex(with_metadata(requests)).await?;
    let initial = response.metadata().get(INITIAL).map(|value| value.as_encoded_bytes().to_vec());
    same("initial metadata of a stream", &initial, &Some(INITIAL_VALUE.as_bytes().to_vec()))?;
    let mut responses = response.into_inner();
    while responses.message().await?.is_some() {}
    let trailers = responses.trailers().await?.unwrap_or_default();
    let trailing = trailers.get_bin(TRAILING).and_then(|value| value.to_bytes().ok());
    same("trailing metadata of a stream", &trailing.as_deref(), &Some(&TRAILING_VALUE[..]))
}

async fn unimplemented(client: &mut Client, path: &'static str) -> Result<()> {
    let code = client.empty(path).await.map_err(|status| status.code()).err();
    same("code", &code, &Some(Code::Unimplemented))
}

/// Values are compared whole; large ones are not printed whole.
fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Result<()> {
    let short = |value: &T| format!("{value:?}").chars().take(200).collect::<String>();
    ensure!(found == expected, "{what}: {}, should be {}", short(found), short(expected));
    Ok(())
}

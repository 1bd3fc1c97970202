//! A config service that gives the same answers in the same order.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub(crate) struct Scripted {
    pub(crate) address: String,
    asked: mpsc::UnboundedReceiver<String>,
}

/// What a request is answered with.
pub(crate) struct Answer(Option<String>);

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        let length = body.len();
        Self(Some(format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")))
    }

    /// The connection ends instead.
    pub(crate) fn cut() -> Self {
        Self(None)
    }
}

impl Scripted {
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (tell, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for answer in answers {
                let (stream, _) = listener.accept().await.expect("a client");
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    stream.read_line(&mut head).await.expect("a request");
                }
                let _ = tell.send(head.split(' ').nth(1).unwrap_or_default().to_owned());
                if let Answer(Some(text)) = answer {
                    stream.write_all(text.as_bytes()).await.expect("it reads");
                }
            }
            // Whoever asks more waits.
            std::future::pending::<()>().await;
        });
        Self { address, asked }
    }

    /// What was asked for so far.
    pub(crate) fn asked(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }
}

//! A gRPC client as thin as can be: HTTP/2 on a unix socket, and whoever reads a stream decides when its window opens.

use std::path::Path;

use anyhow::{Context as _, bail};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::{
    RecvStream,
    client::{self, SendRequest},
};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::UnixStream;

/// Length of what stands before a message: a flag and the length.
pub(crate) const PREFIX: usize = 5;

/// One HTTP/2 connection to the service.
#[derive(Clone)]
pub(crate) struct Connection {
    requests: SendRequest<Bytes>,
}

impl Connection {
    /// Connects; each stream may have `window` bytes on the way, all together a megabyte or more.
    pub(crate) async fn open(socket: &Path, window: u32) -> anyhow::Result<Self> {
        const TOGETHER: u32 = 1 << 20;
        let stream = UnixStream::connect(socket).await?;
        let (requests, connection) = client::Builder::new()
            .initial_window_size(window)
            .initial_connection_window_size(TOGETHER.max(2 * window))
            .handshake(stream)
            .await?;
        tokio::spawn(async move {
            // The streams learn of its end.
            let _ = connection.await;
        });
        Ok(Self { requests })
    }

    /// One request, one answer.
    pub(crate) async fn unary<Answer: Message + Default>(
        &self,
        path: &str,
        request: &impl Message,
    ) -> anyhow::Result<Answer> {
        let mut answer = Whole::new(self.stream(path, request).await?);
        let message = answer.next().await?.context("no answer")?;
        // The status.
        answer.next().await?;
        Ok(Answer::decode(&*message)?)
    }

    /// One request; the messages of its answer come as bytes, each with its prefix.
    pub(crate) async fn stream(
        &self,
        path: &str,
        request: &impl Message,
    ) -> anyhow::Result<RecvStream> {
        let head = Request::post(format!("http://localhost/latscope.v1.{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut requests = self.requests.clone().ready().await?;
        let (answer, mut body) = requests.send_request(head, false)?;
        let mut bytes = BytesMut::new();
        bytes.put_u8(0);
        bytes.put_u32(request.encoded_len() as u32);
        request.encode(&mut bytes)?;
        body.send_data(bytes.freeze(), true)?;
        let (head, body) = answer.await?.into_parts();
        if body.is_end_stream() {
            check(Some(&head.headers))?;
        }
        Ok(body)
    }
}

/// Reads whole messages.
pub(crate) struct Whole {
    body: RecvStream,
    bytes: BytesMut,
}

impl Whole {
    pub(crate) fn new(body: RecvStream) -> Self {
        Self {
            body,
            bytes: BytesMut::new(),
        }
    }

    /// The next message; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<BytesMut>> {
        loop {
            if let Some([_, a, b, c, d]) = self.bytes.first_chunk::<PREFIX>() {
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                if self.bytes.len() >= PREFIX + length {
                    self.bytes.advance(PREFIX);
                    return Ok(Some(self.bytes.split_to(length)));
                }
            }
            let Some(data) = self.body.data().await else {
                check(self.body.trailers().await?.as_ref())?;
                return Ok(None);
            };
            let data = data?;
            self.body.flow_control().release_capacity(data.len())?;
            self.bytes.extend_from_slice(&data);
        }
    }
}

/// The status of a call, where its headers have one.
pub(crate) fn check(trailers: Option<&HeaderMap>) -> anyhow::Result<()> {
    let text = |name: &str| {
        trailers
            .and_then(|it| it.get(name))
            .map_or("", |it| it.to_str().unwrap_or_default())
    };
    match text("grpc-status") {
        "0" | "" => Ok(()),
        code => bail!("status {code}: {}", text("grpc-message")),
    }
}

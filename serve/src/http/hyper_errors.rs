//! Problem documents for requests that hyper rejects. hyper itself responds to a malformed request,
//! with a status line and no body. This wrapper replaces such a response with a problem document.
//!
//! Such a response is the last one on a connection. Responses of `oms` have the header
//! `x-request-id` (`server/middleware.rs`), so a write that contains only hyper's own headers is a
//! rejection by hyper.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use oms_engine::intake::Reply;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reply::status_problem;

/// Prefixes of the header lines in hyper's own responses.
const HYPER_HEADERS: [&str; 3] = ["connection: close", "content-length: 0", "date: "];

/// A connection that replaces hyper's own error responses with problem documents.
pub(crate) struct ReplaceErrors<S> {
    inner: S,
    /// The replacement for hyper's response. `written` counts the bytes that were sent.
    replacement: Vec<u8>,
    written: usize,
}

impl<S> ReplaceErrors<S> {
    pub(crate) const fn new(inner: S) -> Self {
        Self { inner, replacement: Vec::new(), written: 0 }
    }
}

impl<S: AsyncWrite + Unpin> ReplaceErrors<S> {
    /// Writes the rest of the replacement.
    fn poll_replacement(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.replacement.get(self.written..).filter(|rest| !rest.is_empty())
        {
            let count = ready!(Pin::new(&mut self.inner).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns the replacement for hyper's own error response, or `None` for other bytes.
fn replacement(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (line, lines) = text.strip_suffix("\r\n\r\n")?.split_once("\r\n")?;
    let (version, status) = line.split_once(' ')?;
    let status: u16 = status.get(..3)?.parse().ok()?;
    let known = |line: &str| HYPER_HEADERS.iter().any(|begin| line.starts_with(begin));
    let mut has_length = false;
    for line in lines.split("\r\n") {
        if !known(line) {
            return None;
        }
        has_length |= line == "content-length: 0";
    }
    if !has_length || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return None;
    }
    let reply = problem(StatusCode::from_u16(status).ok()?)?;
    let body = reply.body.to_string();
    let kept = lines.split("\r\n").filter(|line| *line != "content-length: 0");
    let kept: String = kept.map(|line| format!("{line}\r\n")).collect();
    let head = format!(
        "{line}\r\n{kept}content-type: {}\r\ncontent-length: {}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\r\n",
        reply.media_type(),
        body.len()
    );
    Some([head.into_bytes(), body.into_bytes()].concat())
}

fn problem(status: StatusCode) -> Option<Reply> {
    let detail = match status {
        StatusCode::BAD_REQUEST => "the request is not valid HTTP/1.1",
        StatusCode::URI_TOO_LONG => "the URL is too long",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "the request line and headers are larger than 32 KiB, or there are more than 64 headers"
        }
        _ => return None,
    };
    Some(status_problem(status).detailed(detail))
}

impl<S: AsyncRead + Unpin> AsyncRead for ReplaceErrors<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReplaceErrors<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_replacement(context))?;
        match replacement(bytes) {
            Some(replacement) => {
                (self.replacement, self.written) = (replacement, 0);
                Poll::Ready(Ok(bytes.len()))
            }
            None => Pin::new(&mut self.inner).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut pieces = slices.iter().filter(|slice| !slice.is_empty());
        if let (Some(piece), None) = (pieces.next(), pieces.next()) {
            return self.poll_write(context, piece);
        }
        ready!(self.poll_replacement(context))?;
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_replacement(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_replacement(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn only_a_complete_rejection_by_hyper_is_replaced() {
        let rejection = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sun, 29 Nov 2026 12:00:00 GMT\r\n\r\n";
        let replaced = String::from_utf8(replacement(rejection.as_bytes()).unwrap()).unwrap();
        let (head, body) = replaced.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with(
                "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ndate: "
            ),
            "{head}"
        );
        assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
        assert!(body.contains("\"status\":431"), "{body}");
        for other in [
            rejection.replace("431", "200"),
            rejection.replace("date:", "x-request-id: 1\r\ndate:"),
            rejection.replace("content-length: 0\r\n", ""),
            rejection.replace(": 0", ": 5"),
            format!("{rejection}x"),
            format!("x{rejection}"),
            rejection.trim_end().to_owned(),
            "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        ] {
            assert_eq!(replacement(other.as_bytes()), None, "{other}");
        }
    }

    #[tokio::test]
    async fn the_peer_receives_the_replacement_and_all_other_bytes_unchanged() {
        let (ours, mut peer) = tokio::io::duplex(4_096);
        let mut connection = ReplaceErrors::new(ours);
        let response = b"HTTP/1.1 200 OK\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n";
        let rejection =
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        connection.write_all(response).await.unwrap();
        connection.write_all(rejection).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut received = Vec::new();
        peer.read_to_end(&mut received).await.unwrap();
        let expected = [response.as_slice(), &replacement(rejection).unwrap()].concat();
        assert_eq!(String::from_utf8(received), String::from_utf8(expected));
    }
}

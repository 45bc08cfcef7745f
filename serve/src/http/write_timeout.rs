//! A connection with a write timeout: it fails if the peer reads nothing for too long. It also
//! records how long it waits for its peer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::connection_limit::IdleTime;

/// A connection with a write timeout.
pub(crate) struct WriteTimeout<S> {
    inner: S,
    timeout: Duration,
    /// Whether a write is blocked.
    is_blocked: bool,
    deadline: Pin<Box<Sleep>>,
    /// The time for which the connection waits for its peer.
    idle: Arc<IdleTime>,
}

impl<S> WriteTimeout<S> {
    pub(crate) fn new(inner: S, timeout: Duration, idle: Arc<IdleTime>) -> Self {
        Self { inner, timeout, is_blocked: false, deadline: Box::pin(sleep(timeout)), idle }
    }

    /// Returns the result of a write, or an error after the timeout.
    fn limit<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.is_blocked = false;
            return written;
        }
        if !self.is_blocked {
            self.is_blocked = true;
            self.idle.begin();
            self.deadline.as_mut().reset(Instant::now() + self.timeout);
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        match read {
            Poll::Ready(_) => self.idle.end(),
            Poll::Pending => self.idle.begin(),
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.idle.progress(written.is_ready());
        self.limit(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.idle.progress(written.is_ready());
        self.limit(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.limit(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.inner).poll_shutdown(context);
        self.limit(context, shut_down)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(80);

    fn connection() -> (WriteTimeout<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = duplex(4);
        (WriteTimeout::new(ours, TIMEOUT, Arc::new(IdleTime::start())), theirs)
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_fails_the_write_after_the_timeout() {
        let (mut connection, _peer) = connection();
        let begun = Instant::now();
        let error = connection.write_all(b"12345").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= TIMEOUT);
    }

    #[tokio::test]
    async fn each_byte_that_the_peer_reads_restarts_the_timeout() {
        let (mut connection, mut peer) = connection();
        let reads = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(TIMEOUT / 2).await;
                peer.read_u8().await.unwrap();
            }
            peer
        });
        let begun = Instant::now();
        connection.write_all(b"123456789").await.unwrap();
        assert!(begun.elapsed() >= 2 * TIMEOUT);
        let _peer = reads.await.unwrap();
    }

    #[tokio::test]
    async fn reading_has_no_timeout() {
        let (mut connection, mut peer) = connection();
        tokio::spawn(async move {
            tokio::time::sleep(2 * TIMEOUT).await;
            peer.write_u8(1).await.unwrap();
        });
        assert_eq!(connection.read_u8().await.unwrap(), 1);
    }
}

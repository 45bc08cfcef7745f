//! The TCP connection to a client. The code that reads and writes it shares it with handlers that
//! check whether the client has left.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The client of a request.
#[derive(Clone)]
pub(crate) struct Peer(Arc<TcpStream>);

impl Peer {
    /// Returns whether the client has closed its side of the connection, or the connection was
    /// lost. hyper notices neither while a response is being computed.
    pub(crate) fn is_disconnected(&self) -> bool {
        let left = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        let mut polled = [PollFd::new(&*self.0, left)];
        let no_wait = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&no_wait)).is_ok_and(|count| count > 0)
    }
}

/// The side of a connection that reads and writes.
pub(crate) struct Socket(Arc<TcpStream>);

/// Shares a connection between its I/O and the handlers.
pub(crate) fn share(stream: TcpStream) -> (Socket, Peer) {
    let stream = Arc::new(stream);
    (Socket(Arc::clone(&stream)), Peer(stream))
}

/// Repeats an operation whenever the socket is ready, until it no longer returns `WouldBlock`.
macro_rules! when_ready {
    ($ready:expr, $try:expr) => {
        loop {
            ready!($ready)?;
            match $try {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        when_ready!(self.0.poll_read_ready(context), self.0.try_read_buf(buffer).map(drop))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        when_ready!(self.0.poll_write_ready(context), self.0.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        when_ready!(self.0.poll_write_ready(context), self.0.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP socket has no buffer in this process.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(shutdown(&*self.0, Shutdown::Write)?))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_client_that_closes_its_side_is_disconnected() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await;
        let mut client = client.unwrap();
        let (mut socket, peer) = share(listener.accept().await.unwrap().0);
        client.write_all(b"one").await.unwrap();
        let mut bytes = [0; 3];
        socket.read_exact(&mut bytes).await.unwrap();
        assert_eq!((&bytes, peer.is_disconnected()), (b"one", false));
        socket.write_all(b"two").await.unwrap();
        client.read_exact(&mut bytes).await.unwrap();
        // Unread bytes do not hide the end of the stream.
        client.write_all(b"more").await.unwrap();
        client.shutdown().await.unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(5), async {
            while !peer.is_disconnected() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        assert_eq!(&bytes, b"two");
    }
}

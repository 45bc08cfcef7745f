//! Reads the server's replies, with limits. Until the connection is encrypted, an attacker on the
//! network can also send replies.

use std::io::ErrorKind;

use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::fault::Fault;

/// Maximum length of a line in bytes, including its end. RFC 5321, 4.5.3.1.5, allows 512; some
/// servers send longer lines.
const LINE_MAX: usize = 2_000;
/// Maximum number of lines of a reply. The reply to `EHLO` has one line for each extension.
const LINES_MAX: usize = 200;
const CLOSED: &str = "it closed the connection";

/// Reads one reply: lines with the same code, followed by a hyphen in all lines except the last
/// (RFC 5321, 4.2).
///
/// # Errors
/// Returns an error if the connection ends within the reply, or if the reply is invalid or exceeds
/// a limit.
pub(crate) async fn read(server: &mut (impl AsyncBufRead + Unpin)) -> Result<Response, Fault> {
    let mut reply = String::new();
    for _ in 0..LINES_MAX {
        let mut line = Vec::new();
        let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
        (&mut *server).take(most).read_until(b'\n', &mut line).await?;
        let Some(input) = line.strip_suffix(b"\n") else {
            return Err(match line.len() < LINE_MAX {
                true => std::io::Error::new(ErrorKind::UnexpectedEof, CLOSED).into(),
                false => Fault::NoReply,
            });
        };
        let input = String::from_utf8_lossy(input.strip_suffix(b"\r").unwrap_or(input));
        let (code, words) = input.split_at_checked(3).ok_or(Fault::NoReply)?;
        let (goes_on, words) = match words.strip_prefix('-') {
            Some(words) => (true, words),
            // A reply may consist of the code only.
            None if words.is_empty() => (false, words),
            None => (false, words.strip_prefix(' ').ok_or(Fault::NoReply)?),
        };
        reply.extend([code, if goes_on { "-" } else { " " }, words, "\r\n"]);
        if !goes_on {
            // Parsing also checks that all lines have the same valid code.
            return reply.parse().map_err(|_| Fault::NoReply);
        }
    }
    Err(Fault::NoReply)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(input: &[u8]) -> Result<(u16, Vec<String>), Fault> {
        let response = read(&mut &*input).await?;
        Ok((response.code().into(), response.message().map(str::to_owned).collect()))
    }

    #[tokio::test]
    async fn a_reply_ends_with_its_last_line() {
        let text = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        for (input, code, lines) in [
            (&b"220 mail.example.com\r\n"[..], 220, &["mail.example.com"][..]),
            (
                b"250-mail\r\n250-SIZE 1\r\n250 8BITMIME\r\nmore",
                250,
                &["mail", "SIZE 1", "8BITMIME"],
            ),
            (b"250\r\n", 250, &[""]),
            (b"250-\r\n250 \r\n", 250, &["", ""]),
            (b"421 bye\n", 421, &["bye"]),
            (b"550 caf\xe9\r\n", 550, &["caf\u{fffd}"]),
        ] {
            assert_eq!(of(input).await.ok(), Some((code, text(lines))), "{input:?}");
        }
    }

    #[tokio::test]
    async fn an_invalid_reply_is_an_error() {
        for input in [
            &b"hello\r\n"[..],
            b"25\r\n",
            b"\r\n",
            b"250?x\r\n",
            b"999 x\r\n",
            b"250-a\r\n251 b\r\n",
        ] {
            assert!(matches!(of(input).await, Err(Fault::NoReply)), "{input:?}");
        }
        for input in [&b""[..], b"250", b"250-a\r\n", b"250-a\r\n250 b"] {
            assert!(matches!(of(input).await, Err(Fault::Lost(_))), "{input:?}");
        }
    }

    #[tokio::test]
    async fn long_lines_and_long_replies_are_errors() {
        let line = [&b"250 "[..], &vec![b'x'; LINE_MAX - 6], b"\r\n"].concat();
        assert!(of(&line).await.is_ok());
        let lines = |count| [b"250-X\r\n".repeat(count), b"250 X\r\n".to_vec()].concat();
        assert!(of(&lines(LINES_MAX - 1)).await.is_ok());
        let endless = vec![b'x'; 10 * LINE_MAX];
        for (input, most) in [
            (endless, LINE_MAX),
            ([&b"250-"[..], &vec![b'x'; LINE_MAX]].concat(), LINE_MAX),
            (lines(100_000), LINES_MAX * b"250-X\r\n".len()),
        ] {
            let mut rest = &*input;
            assert!(matches!(read(&mut rest).await, Err(Fault::NoReply)));
            assert_eq!(input.len() - rest.len(), most);
        }
    }
}

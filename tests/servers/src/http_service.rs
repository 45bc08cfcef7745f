//! An HTTP/1.1 service whose answers, delays and faults a test scripts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the service does after it has read a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// It answers.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// It answers after a delay.
    Late(Duration, Box<Self>),
    /// It closes the connection without an answer.
    Drop,
    /// It sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// It sends these bytes, and then the same chunk again and again, with a pause in between.
    Endless(Vec<u8>, Vec<u8>, Duration),
}

impl Reply {
    /// Returns an answer with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self::Answer(status, headers, body.to_string().into_bytes())
    }

    /// Returns an answer without a body.
    pub const fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }
}

type Handler = dyn Fn(&Received) -> Reply + Send + Sync;

/// A service on a port of this machine. It lives as long as the process.
pub struct HttpService {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl HttpService {
    /// Starts a service.
    ///
    /// # Errors
    /// Returns an error if no port is free.
    pub fn start(
        handler: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let (log, handler): (_, Arc<Handler>) = (Arc::clone(&received), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, handler) = (Arc::clone(&log), Arc::clone(&handler));
                std::thread::spawn(move || serve(&stream, &log, &*handler).ok());
            }
        });
        Ok(Self { address, received })
    }

    /// Returns the address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Serves the requests of a connection.
fn serve(stream: &TcpStream, log: &Mutex<Vec<Received>>, handler: &Handler) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut reader)? {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        if !answer(stream, handler(&request))? {
            return stream.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

/// Reads a request. Returns `None` at the end of the connection.
fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Received { method, target, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok());
    request.body.resize(length.unwrap_or(0), 0);
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// Carries out a reply. Returns whether the connection stays open.
fn answer(mut stream: &TcpStream, reply: Reply) -> std::io::Result<bool> {
    match reply {
        Reply::Answer(status, headers, body) => {
            let mut head =
                format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("\r\n");
            stream.write_all(&[head.into_bytes(), body].concat())?;
            Ok(true)
        }
        Reply::Late(delay, reply) => {
            std::thread::sleep(delay);
            answer(stream, *reply)
        }
        Reply::Drop => Ok(false),
        Reply::Raw(bytes) => {
            stream.write_all(&bytes)?;
            Ok(false)
        }
        Reply::Endless(start, chunk, pause) => {
            stream.write_all(&start)?;
            loop {
                stream.write_all(&chunk)?;
                std::thread::sleep(pause);
            }
        }
    }
}

//! Requests over a bare connection: what is sent is what the test says.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::documented;
use super::tls::Secured;

/// A request, as it will be written.
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Call {
    pub fn new(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { method, path, headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("content-length", &length)
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// A request for a socket.
    pub fn upgrade() -> Self {
        Self::new("GET", "/v1/socket")
            .header("upgrade", "websocket")
            .header("connection", "Upgrade")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "barterline.v1.json")
    }

    /// Sends it on a connection of its own and reads until the server closes.
    pub fn send(self, to: SocketAddr) -> Answer {
        let (method, path) = (self.method.clone(), self.path.clone());
        let answer = raw(to, &self.into_bytes(to));
        documented::check(&method, &path, &answer);
        answer
    }

    /// The same, under TLS.
    pub fn send_secured(self, to: &Secured) -> Answer {
        exchange(to.connect(), &self.into_bytes(to.at))
    }

    /// What is sent.
    pub fn into_bytes(self, to: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {to}\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("connection: close\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Sends bytes as they are; reads until the server closes.
pub fn raw(to: SocketAddr, bytes: &[u8]) -> Answer {
    let stream = TcpStream::connect(to).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    exchange(stream, bytes)
}

/// Sends bytes as they are, to a server that closes without a word.
pub fn is_not_heard(to: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(to).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert_eq!(String::from_utf8_lossy(&answer), "");
}

fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Answer {
    // A server that refuses early may have closed already: its answer counts.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(ended.is_ok() || !answer.is_empty(), "no answer: {ended:?}");
    Answer::parse(&answer)
}

impl Answer {
    fn parse(answer: &[u8]) -> Self {
        let end =
            answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head and a body");
        let (head, bytes) = (String::from_utf8_lossy(&answer[..end]), answer[end + 4..].to_vec());
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.and_then(|status| status.parse().ok()).expect("a status"),
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON, not {:?}", self.body))
    }

    /// Takes an answer of this status only.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Takes a problem of this status and code only.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let mut problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        // Like in no other: taken away, so that answers can be compared.
        let id = problem.as_object_mut().and_then(|fields| fields.remove("request_id"));
        assert_eq!(id.as_ref().and_then(Value::as_str), Some(&*self.headers["x-request-id"]));
        problem
    }
}

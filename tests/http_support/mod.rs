//! A small HTTP/1.1 server, with TLS or without, that answers as a test tells it and remembers what it was asked; and the
//! certificates for it: right, of a foreign authority, expired, for another name.
//!
//! It keeps connections alive like a real one. What surprises people: a server that is killed closes its port, so that
//! later connections are refused, as with a machine whose service died.
#![allow(dead_code)] // each test binary uses a part of it

pub mod bmc;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// Names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What to do with a request.
pub enum Answer {
    /// Status, further headers, body.
    Reply(u16, Vec<(String, String)>, String),
    /// Take the request and say nothing for ten seconds.
    Hang,
    /// The head and half of the body of this one, then the end.
    Half(String),
    /// Close the connection without a word.
    Close,
}

impl Answer {
    pub fn json(value: &Value) -> Self {
        Self::Reply(200, Vec::new(), value.to_string())
    }
    pub fn status(status: u16) -> Self {
        Self::Reply(status, Vec::new(), String::new())
    }
}

type Handler = dyn Fn(&Seen) -> Answer + Send + Sync;

/// A server on loopback.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<usize>>,
    dead: Arc<AtomicBool>,
}

impl Server {
    /// Starts a server; with a configuration, it speaks TLS.
    pub fn start(
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            scheme: if tls.is_some() { "https" } else { "http" },
            seen: Arc::default(),
            connections: Arc::default(),
            dead: Arc::default(),
        };
        let handler: Arc<Handler> = Arc::new(handler);
        let (seen, connections, dead) =
            (Arc::clone(&server.seen), Arc::clone(&server.connections), Arc::clone(&server.dead));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), false) = (stream, dead.load(Ordering::SeqCst)) else { return };
                *connections.lock().unwrap() += 1;
                let (tls, handler, seen, dead) =
                    (tls.clone(), Arc::clone(&handler), Arc::clone(&seen), Arc::clone(&dead));
                std::thread::spawn(move || {
                    // A client that goes away is none of the server's troubles.
                    let _ = converse(stream, tls, &*handler, &seen, &dead);
                });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
    pub fn authority(&self) -> String {
        self.address.to_string()
    }
    /// Everything it was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
    /// How often a method was used on a path.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.method == method && seen.path == path).count()
    }
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
    /// Ends all conversations and closes the port.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn converse(
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    handler: &Handler,
    seen: &Mutex<Vec<Seen>>,
    dead: &AtomicBool,
) -> std::io::Result<()> {
    match tls {
        None => {
            let other = stream.try_clone()?;
            serve(BufReader::new(stream), other, handler, seen, dead)
        }
        Some(config) => {
            let connection = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
            let shared = Shared(Arc::new(Mutex::new(rustls::StreamOwned::new(connection, stream))));
            serve(BufReader::new(shared.clone()), shared, handler, seen, dead)
        }
    }
}

/// One TLS stream for reading and writing in turn.
#[derive(Clone)]
struct Shared(Arc<Mutex<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>>);

impl Read for Shared {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().read(bytes)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.lock().unwrap().flush()
    }
}

fn serve(
    mut input: impl BufRead,
    mut output: impl Write,
    handler: &Handler,
    seen: &Mutex<Vec<Seen>>,
    dead: &AtomicBool,
) -> std::io::Result<()> {
    while let Some(request) = read_request(&mut input)? {
        if dead.load(Ordering::SeqCst) {
            return Ok(());
        }
        seen.lock().unwrap().push(request.clone());
        let (status, headers, body, sent) = match handler(&request) {
            Answer::Reply(status, headers, body) => {
                let length = body.len();
                (status, headers, body, length)
            }
            Answer::Half(body) => {
                let half = body.len() / 2;
                (200, Vec::new(), body, half)
            }
            Answer::Hang => {
                std::thread::sleep(Duration::from_secs(10));
                return Ok(());
            }
            Answer::Close => return Ok(()),
        };
        write!(output, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len())?;
        for (name, value) in headers {
            write!(output, "{name}: {value}\r\n")?;
        }
        output.write_all(b"\r\n")?;
        output.write_all(&body.as_bytes()[..sent])?;
        output.flush()?;
        if sent < body.len() {
            return Ok(());
        }
    }
    Ok(())
}

fn read_request(input: &mut impl BufRead) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(Seen { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() }))
}

/// What a server's certificate is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Papers {
    Right,
    Expired,
    OtherName,
}

/// An authority, with the PEM file that clients are given.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub file: tempfile::NamedTempFile,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        Self { issuer, file }
    }

    /// A server's configuration with a certificate of this authority.
    pub fn papers(&self, papers: Papers) -> Arc<rustls::ServerConfig> {
        let name = if papers == Papers::OtherName { "bmc.example" } else { "127.0.0.1" };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::ExplicitNoCa;
        if papers == Papers::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        config(certificate.der().clone(), &key)
    }
}

/// A server's configuration with a certificate that vouches for itself, and its PEM text.
pub fn self_signed(is_authority: bool) -> (Arc<rustls::ServerConfig>, String) {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (config(certificate.der().clone(), &key), certificate.pem())
}

fn config(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key.into()).unwrap())
}

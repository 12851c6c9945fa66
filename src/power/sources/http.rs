//! A small HTTP client for meters, plugs and servers: the only file that says `ureq`.
//!
//! Each source has a [`Client`] of its own, for one origin, with a connection that is kept alive. A request ends within the
//! client's time limit, whatever the server does; an answer has a largest size. What surprises people: redirects are
//! followed within the same origin only, because credentials go along; proxies of the environment are not used; and an
//! error never holds the query of an address, in which some devices expect a password.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Timeout};

use super::login::{Digest, Login, basic};
use crate::units::Seconds;

/// Longest time for connecting, within the limit of the whole request.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Largest answer that is read: a thousand times what a power reading takes.
const LARGEST_ANSWER: u64 = 4 << 20;
/// Redirects that are followed within the same origin.
const MOST_REDIRECTS: u32 = 3;
/// Time for a request while the program ends.
const FAREWELL_LIMIT: Duration = Duration::from_millis(1500);

/// Where a service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// `https://host:port`, without a path.
    pub(crate) origin: String,
    /// Host and port alone.
    pub(crate) authority: String,
    /// Path, empty or beginning with `/`, without a slash at its end.
    pub(crate) path: String,
}

impl Address {
    /// Reads `host`, `host:port` or a URL; `scheme` is what a bare host means.
    pub(crate) fn parse(text: &str, scheme: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or((scheme, text));
        if !["http", "https"].contains(&scheme) {
            return Err(format!("`{scheme}` is neither http nor https"));
        }
        if rest.contains(['?', '#', '@', ' ']) {
            return Err("an address is a host with an optional port and path: no user, query or fragment".to_owned());
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !authority.ends_with(']'));
        let port_is_right = port.is_none_or(|(_, port)| port.parse::<u16>().is_ok());
        if authority.is_empty() || authority.starts_with(':') || !port_is_right {
            return Err(format!("`{text}` names no host and port"));
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { origin: format!("{scheme}://{authority}"), authority: authority.to_owned(), path })
    }

    /// True if what is sent can be read on its way.
    pub(crate) fn is_open(&self) -> bool {
        self.origin.starts_with("http://")
    }
}

/// How a server's certificate is checked, and how long a request may take.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    /// Certificates of the authorities to trust instead of the public ones, as PEM text.
    pub(crate) authorities: Option<Vec<u8>>,
    /// Accept any certificate.
    pub(crate) insecure: bool,
    /// Limit of a whole request.
    pub(crate) limit: Seconds,
}

/// How requests are signed.
enum Signature {
    None,
    Header(&'static str, String),
    Digest { login: Login, challenge: Option<Digest> },
}

/// Speaks with one origin.
pub(crate) struct Client {
    agent: Agent,
    origin: String,
    signature: Signature,
}

/// An answer, whatever its status.
pub(crate) struct Reply {
    /// Status code.
    pub(crate) status: u16,
    /// Body as text.
    pub(crate) body: String,
    headers: Vec<(String, String)>,
}

impl Reply {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What went wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No connection.
    Unreachable(String),
    /// The limit passed; what was waited for.
    Slow(&'static str, Duration),
    /// Signed by nobody who is trusted.
    UnknownAuthority,
    /// An authority's own certificate where a server's should be.
    AuthorityAsServer,
    /// Out of date.
    Expired,
    /// Made out to another name.
    OtherName,
    /// Another fault of TLS.
    Tls(String),
    /// The answer broke off or is no HTTP.
    Broken(String),
    /// The answer is too long.
    TooLong,
    /// The server sends us elsewhere.
    Redirect(String),
    /// A status that is no success.
    Status(u16, String),
    /// The answer is not JSON.
    NotJson(String),
}

/// A request that failed: what was asked, and why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Address without its query.
    pub(crate) asked: String,
    /// The fault.
    pub(crate) cause: Cause,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.asked)?;
        match &self.cause {
            Cause::Unreachable(why) => write!(f, "no connection ({why})"),
            Cause::Slow(what, limit) => write!(f, "no {what} within {:.1} s", limit.as_secs_f64()),
            Cause::UnknownAuthority => f.write_str("the certificate is signed by no known authority (self-signed?)"),
            Cause::AuthorityAsServer => f.write_str("the server shows an authority's certificate as its own"),
            Cause::Expired => f.write_str("the certificate has expired (or this machine's date is wrong)"),
            Cause::OtherName => f.write_str("the certificate is made out to another name than this host"),
            Cause::Tls(why) => write!(f, "no secure connection ({why})"),
            Cause::Broken(why) => write!(f, "the answer broke off or is not HTTP ({why})"),
            Cause::TooLong => write!(f, "the answer is longer than {LARGEST_ANSWER} bytes"),
            Cause::Redirect(target) => write!(f, "redirects to {target}, where credentials are not sent"),
            Cause::Status(401, _) => f.write_str("401: user and password are missing or wrong"),
            Cause::Status(403, _) => f.write_str("403: this user may not read it"),
            Cause::Status(code, said) if said.is_empty() => write!(f, "the server answered with status {code}"),
            Cause::Status(code, said) => write!(f, "the server answered with status {code}: {said}"),
            Cause::NotJson(why) => write!(f, "the answer is not JSON ({why})"),
        }
    }
}

impl Failure {
    /// Status of the answer, if there was one.
    pub(crate) fn status(&self) -> Option<u16> {
        if let Cause::Status(code, _) = self.cause { Some(code) } else { None }
    }

    /// What to do about it, for a kind of source.
    pub(crate) fn remedy(&self, kind: &str) -> String {
        let variables = format!("WATTMARK_{}_USER and WATTMARK_{}_PASSWORD", kind.to_uppercase(), kind.to_uppercase());
        match &self.cause {
            Cause::Unreachable(_) | Cause::Slow("connection", _) => {
                "check host, port and network, and that the service runs".to_owned()
            }
            Cause::Slow(..) => "try again, or allow more time with timeout=SECONDS".to_owned(),
            Cause::UnknownAuthority => {
                "name the authority's certificate with ca=FILE (PEM), or accept any certificate with \
                                        insecure=yes (or --insecure for all sources)"
                    .to_owned()
            }
            Cause::AuthorityAsServer | Cause::OtherName | Cause::Tls(_) => {
                "install a certificate made out to this host, or accept any with insecure=yes (or --insecure)"
                    .to_owned()
            }
            Cause::Expired => {
                "renew the certificate on the device, or accept any with insecure=yes (or --insecure)".to_owned()
            }
            Cause::Redirect(target) => format!("name {target} itself, if you trust it"),
            Cause::Status(401, _) => {
                format!("set {variables}, or write both into a file and name it with credentials=FILE")
            }
            Cause::Status(403, _) => "give this user the right to read sensors, or use another".to_owned(),
            Cause::Status(404, _) => "check the address: there is no such thing on this server".to_owned(),
            Cause::Broken(_) | Cause::TooLong | Cause::Status(..) | Cause::NotJson(_) => {
                format!("check that this is the address of such a service (docs/sources/{kind}.md)")
            }
        }
    }
}

impl Client {
    /// A client for one origin. Nothing is sent yet.
    pub(crate) fn new(address: &Address, trust: &Trust) -> Result<Self, String> {
        let mut tls = TlsConfig::builder().disable_verification(trust.insecure);
        if let Some(pem) = &trust.authorities {
            let mut certificates = Vec::new();
            for item in parse_pem(pem) {
                if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
                    certificates.push(certificate);
                }
            }
            if certificates.is_empty() {
                return Err("it holds no certificate in PEM form".to_owned());
            }
            tls = tls.root_certs(RootCerts::Specific(Arc::new(certificates)));
        }
        let limit = Duration::from_secs_f64(trust.limit.get());
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(limit))
            .timeout_connect(Some(limit.min(CONNECT_LIMIT)))
            .user_agent(concat!("wattmark/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, origin: address.origin.clone(), signature: Signature::None })
    }

    /// Signs the requests to come: a token as bearer, a user by name and password in clear.
    pub(crate) fn sign(&mut self, login: &Login) {
        self.signature = match login {
            Login::None => Signature::None,
            Login::Token(token) => Signature::Header("authorization", format!("Bearer {token}")),
            Login::Password { user, password } => Signature::Header("authorization", basic(user, password)),
        };
    }

    /// Signs the requests to come by digest, once the server has sent its challenge.
    pub(crate) fn sign_by_digest(&mut self, login: Login) {
        self.signature = Signature::Digest { login, challenge: None };
    }

    /// Signs the requests to come with a header of the service's own.
    pub(crate) fn sign_with(&mut self, header: &'static str, value: String) {
        self.signature = Signature::Header(header, value);
    }

    /// Fetches JSON.
    pub(crate) fn get_json(&mut self, path: &str) -> Result<serde_json::Value, Failure> {
        let reply = self.get(path)?;
        if !(200..300).contains(&reply.status) {
            return Err(self.failure(path, Cause::Status(reply.status, String::new())));
        }
        serde_json::from_str(&reply.body).map_err(|error| self.failure(path, Cause::NotJson(error.to_string())))
    }

    /// Fetches a path with its query.
    pub(crate) fn get(&mut self, path: &str) -> Result<Reply, Failure> {
        let mut path = path.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let reply = self.get_signed(&path)?;
            let target = reply.header("location").filter(|_| (300..400).contains(&reply.status));
            let Some(target) = target else { return Ok(reply) };
            let within = target.strip_prefix(&self.origin).unwrap_or(target);
            if !within.starts_with('/') || within.starts_with("//") {
                let shown = target.split('?').next().unwrap_or_default().to_owned();
                return Err(self.failure(&path, Cause::Redirect(shown)));
            }
            path = within.to_owned();
        }
        Err(self.failure(&path, Cause::Redirect("itself, again and again".to_owned())))
    }

    fn get_signed(&mut self, path: &str) -> Result<Reply, Failure> {
        let reply = self.get_once(path)?;
        let Signature::Digest { login: Login::Password { .. }, challenge } = &mut self.signature else {
            return Ok(reply);
        };
        let asked = reply.header("www-authenticate").filter(|_| reply.status == 401).and_then(Digest::parse);
        // The challenge of an answer to a signed request is fresh where the one before had run out.
        let Some(asked) = asked.filter(|asked| challenge.as_ref().is_none_or(|known| !known.is_same(asked))) else {
            return Ok(reply);
        };
        *challenge = Some(asked);
        self.get_once(path)
    }

    fn get_once(&mut self, path: &str) -> Result<Reply, Failure> {
        let start = Instant::now();
        let first = self.send("GET", path, None, None);
        match first {
            // A connection that was kept alive and closed meanwhile fails at once; a new one may do.
            Err(Failure { cause: Cause::Broken(_), .. }) if start.elapsed() < Duration::from_millis(100) => {
                self.send("GET", path, None, None)
            }
            other => other,
        }
    }

    /// Sends a JSON body.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> Result<Reply, Failure> {
        self.send("POST", path, Some(body), None)
    }

    /// Deletes a resource, in little time: this is how a program takes its leave.
    pub(crate) fn delete(&mut self, path: &str) -> Result<Reply, Failure> {
        self.send("DELETE", path, None, Some(FAREWELL_LIMIT))
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&str>,
        limit: Option<Duration>,
    ) -> Result<Reply, Failure> {
        let url = format!("{}{path}", self.origin);
        let signature = match &mut self.signature {
            Signature::None | Signature::Digest { challenge: None, .. } => None,
            Signature::Header(name, value) => Some((*name, value.clone())),
            Signature::Digest { login, challenge: Some(challenge) } => {
                Some(("authorization", challenge.answer(login, method, path)))
            }
        };
        let mut request = ureq::http::Request::builder().method(method).uri(url).header("accept", "application/json");
        if let Some((name, value)) = signature {
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let refused = |error: &dyn fmt::Display| self.failure(path, Cause::Broken(error.to_string()));
        let request = request.body(body.unwrap_or_default().to_owned()).map_err(|error| refused(&error))?;
        let mut configured = self.agent.configure_request(request);
        if let Some(limit) = limit {
            configured = configured.timeout_global(Some(limit));
        }
        let answer = self.agent.run(configured.build()).and_then(read);
        answer.map_err(|error| self.failure(path, cause(&error, limit.unwrap_or(self.limit()))))
    }

    fn limit(&self) -> Duration {
        self.agent.config().timeouts().global.unwrap_or(CONNECT_LIMIT)
    }

    /// A failure of a request for a path.
    pub(crate) fn failure(&self, path: &str, cause: Cause) -> Failure {
        let shown = path.split('?').next().unwrap_or_default();
        Failure { asked: format!("{}{shown}", self.origin), cause }
    }
}

fn read(mut answer: ureq::http::Response<Body>) -> Result<Reply, ureq::Error> {
    let kept = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = answer.headers().iter().filter_map(kept).collect();
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(LARGEST_ANSWER).lossy_utf8(true).read_to_string()?;
    Ok(Reply { status, body, headers })
}

/// Sorts an error by what a user can do about it.
fn cause(error: &ureq::Error, limit: Duration) -> Cause {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            Cause::Slow("connection", limit.min(CONNECT_LIMIT))
        }
        ureq::Error::Timeout(_) => Cause::Slow("whole answer", limit),
        ureq::Error::HostNotFound => Cause::Unreachable("no such host".to_owned()),
        ureq::Error::ConnectionFailed => Cause::Unreachable("refused".to_owned()),
        ureq::Error::BodyExceedsLimit(_) => Cause::TooLong,
        ureq::Error::Io(error) => of_io(error),
        ureq::Error::Rustls(error) => of_certificate(&error.to_string()),
        ureq::Error::Tls(why) => Cause::Tls((*why).to_owned()),
        other => Cause::Broken(other.to_string()),
    }
}

fn of_io(error: &std::io::Error) -> Cause {
    use std::io::ErrorKind;
    let text = error.to_string();
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            Cause::Unreachable(text)
        }
        ErrorKind::InvalidData if text.contains("certificate") => of_certificate(&text),
        ErrorKind::InvalidData => Cause::Tls(text),
        _ if text.contains("lookup address") => Cause::Unreachable("no such host".to_owned()),
        _ => Cause::Broken(text),
    }
}

/// The words are those of rustls 0.23; tests with real certificates hold them fast.
fn of_certificate(text: &str) -> Cause {
    // A bad signature is what a foreign authority of the same name looks like: makers give all their boards one name.
    if text.contains("UnknownIssuer") || text.contains("BadSignature") {
        Cause::UnknownAuthority
    } else if text.contains("xpired") {
        Cause::Expired
    } else if text.contains("not valid for name") || text.contains("NotValidForName") {
        Cause::OtherName
    } else if text.contains("CaUsedAsEndEntity") {
        Cause::AuthorityAsServer
    } else {
        Cause::Tls(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_or_a_url_without_a_user_or_a_query() {
        let parse = |text: &str| Address::parse(text, "https");
        let bare = parse("bmc7").unwrap();
        assert_eq!((bare.origin.as_str(), bare.path.as_str()), ("https://bmc7", ""));
        let whole = parse("http://10.0.0.3:8080/redfish/v1/").unwrap();
        assert_eq!((whole.origin.as_str(), whole.path.as_str()), ("http://10.0.0.3:8080", "/redfish/v1"));
        assert!(whole.is_open() && !bare.is_open());
        assert_eq!(parse("[fe80::1]:443").unwrap().authority, "[fe80::1]:443");
        for wrong in
            ["", "ftp://x", "https://", "http://host:port", "https://u:p@host", "host?password=x", "https:///x"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_an_error_says_never_holds_the_query() {
        let address = Address::parse("10.0.0.9", "http").unwrap();
        let trust = Trust { authorities: None, insecure: false, limit: Seconds::new(1.0) };
        let client = Client::new(&address, &trust).unwrap();
        let failure = client.failure("/cm?user=admin&password=hunter2", Cause::Status(401, String::new()));
        let said = format!("{failure} {failure:?} {}", failure.remedy("tasmota"));
        assert!(!said.contains("hunter2") && said.contains("http://10.0.0.9/cm: 401"), "{said}");
        assert!(said.contains("WATTMARK_TASMOTA_PASSWORD"), "{said}");
    }
}

//! A conversation with a BMC: logging in, asking, logging out.
//!
//! What the resources mean is `tree`'s affair. What surprises people: BMCs have a handful of sessions, and a session that
//! is not closed is lost until it times out. So it is closed when this is dropped, also after a failed start; and where
//! no session is to be had, each request carries user and password instead.

use serde_json::{Value, json};

use super::super::http::{Cause, Failure};
use super::super::login::Login;
use super::super::web::{Trouble, Web, shorten};

/// The root of every Redfish service (DSP0266).
pub(super) const ROOT: &str = "/redfish/v1/";
/// Where sessions are made when the root does not say it.
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// A service with whom we are logged in, if it wants that.
pub(super) struct Bmc {
    pub(super) web: Web,
    /// The service root.
    pub(super) root: Value,
    sessions: String,
    /// The session to close.
    session: Option<String>,
    by_session: bool,
    caveat: String,
}

impl Bmc {
    /// Reads the root, which is open to all, and logs in.
    pub(super) fn connect(mut web: Web) -> Result<Self, Trouble> {
        let by_session = match web.options.text("auth") {
            None | Some("session") => true,
            Some("basic") => false,
            Some(other) => return Err(web.wrong(format!("auth `{other}` is neither session nor basic"))),
        };
        let root = web.client.get_json(ROOT).map_err(|failure| web.failed(&failure))?;
        if root.get("Chassis").is_none() && root.get("RedfishVersion").is_none() {
            let why = format!("{}{ROOT} answers, but not as a Redfish service root", web.address.origin);
            return Err(Trouble::new(why, "check the address of the BMC"));
        }
        let sessions = root.pointer("/Links/Sessions/@odata.id").and_then(Value::as_str).unwrap_or(SESSIONS).to_owned();
        let caveat = web.caveat.clone();
        let mut bmc = Self { web, root, sessions, session: None, by_session, caveat };
        match &bmc.web.login {
            Login::None => {}
            Login::Token(_) => {
                return Err(Trouble::new(
                    "the credentials hold a token; Redfish needs a user and a password",
                    "write user and password into two lines",
                ));
            }
            Login::Password { .. } if by_session => bmc.log_in()?,
            Login::Password { .. } => bmc.sign_each_request(),
        }
        Ok(bmc)
    }

    fn sign_each_request(&mut self) {
        let login = self.web.login.clone();
        self.web.client.sign(&login);
        self.by_session = false;
    }

    fn log_in(&mut self) -> Result<(), Trouble> {
        let Login::Password { user, password } = &self.web.login else { return Ok(()) };
        let body = json!({ "UserName": user, "Password": password }).to_string();
        let reply = self.web.client.post(&self.sessions, &body).map_err(|failure| self.web.failed(&failure))?;
        match reply.status {
            200..300 => {
                let Some(token) = reply.header("x-auth-token").map(str::to_owned) else {
                    let why = format!("{}{} gave a session without a token", self.web.address.origin, self.sessions);
                    return Err(Trouble::new(why, "use auth=basic"));
                };
                let location = reply.header("location").map(str::to_owned);
                let body: Option<Value> = serde_json::from_str(&reply.body).ok();
                let own = body.as_ref().and_then(|body| body.get("@odata.id")).and_then(Value::as_str);
                let path = location.as_deref().or(own).unwrap_or_default();
                let path = path.strip_prefix(&self.web.address.origin).unwrap_or(path);
                self.session = path.starts_with('/').then(|| path.to_owned());
                self.web.client.sign_with("x-auth-token", token);
                Ok(())
            }
            401 | 403 => {
                Err(self.web.failed(&self.web.client.failure(&self.sessions, Cause::Status(401, String::new()))))
            }
            // No session service, or no session left: most services answer 503, some 400.
            400 | 404 | 405 | 501 | 503 => {
                let said = message(&reply.body);
                self.caveat
                    .push_str(&format!("; no session to be had ({}{said}), so each request logs in", reply.status));
                self.sign_each_request();
                Ok(())
            }
            status => {
                let failure = self.web.client.failure(&self.sessions, Cause::Status(status, message(&reply.body)));
                Err(self.web.failed(&failure))
            }
        }
    }

    /// Fetches a resource. A session that has run out is renewed once.
    pub(super) fn get(&mut self, path: &str) -> Result<Value, Failure> {
        match self.web.client.get_json(path) {
            Err(failure) if failure.status() == Some(401) && self.session.is_some() => {
                self.session = None;
                match self.log_in() {
                    Ok(()) => self.web.client.get_json(path),
                    Err(_) => Err(failure),
                }
            }
            other => other,
        }
    }

    /// Host and port.
    pub(super) fn authority(&self) -> &str {
        &self.web.address.authority
    }

    /// What a reader of the record must know of the connection.
    pub(super) fn caveat(&self) -> &str {
        &self.caveat
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // A session that cannot be closed times out by itself; nobody is left to be told.
            let _ = self.web.client.delete(&session);
        }
    }
}

/// The message of a Redfish error, ready to print behind a status; nothing if there is none.
fn message(body: &str) -> String {
    let answer: Option<Value> = serde_json::from_str(body).ok();
    let text = answer.as_ref().and_then(|answer| {
        let extended = answer.pointer("/error/@Message.ExtendedInfo/0/MessageId");
        extended.or_else(|| answer.pointer("/error/code")).and_then(Value::as_str)
    });
    text.map_or_else(String::new, |text| format!(" {}", shorten(text)))
}

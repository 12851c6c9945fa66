//! User names, passwords and tokens for services over HTTP: where they come from, and how a request shows them.
//!
//! They come from the environment or from a file, never from the command line, which the record keeps. What surprises
//! people: nothing here can be printed; [`Login`] shows itself as `***` even to a debugger.

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::power::Obstacle;

/// What a service is told about us.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// Nothing.
    None,
    /// Name and password.
    Password {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// A token in place of both.
    Token(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::None { "nobody" } else { "***" })
    }
}

impl Login {
    /// From `WATTMARK_<KIND>_USER` and `_PASSWORD`, or `_TOKEN`.
    pub(crate) fn from_environment(kind: &str) -> Self {
        Self::from_variables(kind, |name| std::env::var(name).ok())
    }

    fn from_variables(kind: &str, read: impl Fn(&str) -> Option<String>) -> Self {
        let read =
            |what: &str| read(&format!("WATTMARK_{}_{what}", kind.to_uppercase())).filter(|text| !text.is_empty());
        match (read("USER"), read("PASSWORD"), read("TOKEN")) {
            (Some(user), Some(password), _) => Self::Password { user, password },
            // The firmwares of plugs know no other name. Elsewhere a guessed one might lock an account.
            (None, Some(password), _) if ["shelly", "tasmota"].contains(&kind) => {
                Self::Password { user: "admin".to_owned(), password }
            }
            (_, None, Some(token)) => Self::Token(token),
            _ => Self::None,
        }
    }

    /// From a file: two lines, or `user:password`, or a token alone. Says so where others can read the file.
    pub(crate) fn from_file(path: &Path) -> Result<(Self, Option<Obstacle>), String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let login = match (lines.next(), lines.next(), lines.next()) {
            (Some(user), Some(password), None) => {
                Self::Password { user: user.to_owned(), password: password.to_owned() }
            }
            (Some(line), None, None) => match line.split_once(':') {
                Some((user, password)) => Self::Password { user: user.to_owned(), password: password.to_owned() },
                None => Self::Token(line.to_owned()),
            },
            _ => return Err(format!("{} holds neither two lines nor one", path.display())),
        };
        Ok((login, open_to_others(path)))
    }
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<Obstacle> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| Obstacle {
        what: format!("credentials file {}", path.display()),
        why: format!("other users of this machine can read it (mode {mode:03o})"),
        remedy: format!("chmod 600 {}", path.display()),
    })
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> Option<Obstacle> {
    None
}

/// The header of HTTP's basic scheme (RFC 7617).
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for position in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * position)) as usize & 63];
            text.push(if position <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// A server's challenge of HTTP's digest scheme with SHA-256 (RFC 7616), and how often it was answered.
pub(crate) struct Digest {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    answered: u32,
}

impl Digest {
    /// Reads the header `www-authenticate`; `None` for other schemes and for MD5.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let fields = header.trim().strip_prefix("Digest ")?;
        let field = |name: &str| {
            let mut parts = fields.split(',').filter_map(|part| part.trim().split_once('='));
            parts
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim_matches('"').to_owned())
        };
        let fits = field("algorithm").is_some_and(|name| name.eq_ignore_ascii_case("SHA-256"));
        let fresh = Self { realm: field("realm")?, nonce: field("nonce")?, opaque: field("opaque"), answered: 0 };
        fits.then_some(fresh)
    }

    /// True if another challenge asks the same again, which means that the answer was wrong.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.nonce == other.nonce
    }

    /// The header `authorization` for a request.
    pub(crate) fn answer(&mut self, login: &Login, method: &str, uri: &str) -> String {
        let Login::Password { user, password } = login else { return String::new() };
        self.answered += 1;
        // Not a secret: it only has to differ from one run to the next.
        let own = format!("{:016x}", std::hash::RandomState::new().build_hasher().finish());
        self.answer_with(user, password, method, uri, &own)
    }

    fn answer_with(&self, user: &str, password: &str, method: &str, uri: &str, own: &str) -> String {
        let Self { realm, nonce, .. } = self;
        let count = format!("{:08x}", self.answered);
        let who = hash(&format!("{user}:{realm}:{password}"));
        let what = hash(&format!("{method}:{uri}"));
        let response = hash(&format!("{who}:{nonce}:{count}:{own}:auth:{what}"));
        let opaque = self.opaque.as_ref().map_or_else(String::new, |opaque| format!(", opaque=\"{opaque}\""));
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm=SHA-256, qop=auth, \
             nc={count}, cnonce=\"{own}\", response=\"{response}\"{opaque}"
        )
    }
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> Login {
        Login::Password { user: user.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn the_basic_scheme_encodes_as_its_standard_shows() {
        // The example of RFC 7617, section 2.
        assert_eq!(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(["", "f", "fo", "foo"].map(|text| base64(text.as_bytes())), ["", "Zg==", "Zm8=", "Zm9v"]);
    }

    #[test]
    fn the_digest_scheme_answers_as_its_standard_shows() {
        // The example of RFC 7616, section 3.9.1, with SHA-256.
        let mut challenge = Digest::parse(
            "Digest realm=\"http-auth@example.org\", qop=\"auth\", algorithm=SHA-256, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        )
        .unwrap();
        challenge.answered = 1;
        let own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let answer = challenge.answer_with("Mufasa", "Circle of Life", "GET", "/dir/index.html", own);
        assert!(answer.contains("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"), "{answer}");
        assert!(Digest::parse("Digest realm=\"a\", nonce=\"b\", algorithm=MD5").is_none());
        assert!(Digest::parse("Basic realm=\"a\"").is_none());
    }

    #[test]
    fn variables_and_files_give_the_same_login_and_none_shows_it() {
        let set = |name: &str| match name {
            "WATTMARK_REDFISH_USER" => Some("root".to_owned()),
            "WATTMARK_REDFISH_PASSWORD" => Some("hunter2".to_owned()),
            "WATTMARK_PROMETHEUS_TOKEN" => Some("abc".to_owned()),
            _ => None,
        };
        assert_eq!(Login::from_variables("redfish", set), password("root", "hunter2"));
        assert_eq!(Login::from_variables("prometheus", set), Login::Token("abc".to_owned()));
        assert_eq!(Login::from_variables("shelly", set), Login::None);
        let password_alone = |name: &str| name.ends_with("PASSWORD").then(|| "hunter2".to_owned());
        assert_eq!(Login::from_variables("tasmota", password_alone), password("admin", "hunter2"));
        assert_eq!(Login::from_variables("redfish", password_alone), Login::None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        for (text, expected) in [
            ("root\nhunter2\n", password("root", "hunter2")),
            ("root:hunter:2\n", password("root", "hunter:2")),
            ("abc\n", Login::Token("abc".to_owned())),
        ] {
            std::fs::write(&path, text).unwrap();
            let (login, _) = Login::from_file(&path).unwrap();
            assert_eq!(login, expected);
            assert_eq!(format!("{login:?}"), "***");
        }
        std::fs::write(&path, "a\nb\nc\n").unwrap();
        assert!(Login::from_file(&path).is_err() && Login::from_file(&folder.path().join("none")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_told_with_the_cure() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        std::fs::write(&path, "root:hunter2").unwrap();
        for (mode, told) in [(0o644, true), (0o600, false), (0o640, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let warning = Login::from_file(&path).unwrap().1;
            assert_eq!(warning.is_some(), told, "{mode:o}");
            if let Some(warning) = warning {
                assert!(warning.remedy.starts_with("chmod 600") && !format!("{warning:?}").contains("hunter2"));
            }
        }
    }
}

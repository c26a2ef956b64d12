//! An identity provider: metadata and keys over HTTP, and tokens signed by them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value as Json, json};

use super::{Folder, foreign};

/// A provider whose keys can be exchanged, and that can be down.
pub(crate) struct IdentityProvider {
    pub(crate) issuer: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    keys: Vec<Json>,
    is_down: bool,
    /// Paths of the requests so far.
    requests: Vec<String>,
}

/// A key that signs tokens.
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
}

impl SigningKey {
    /// Makes a key for an algorithm.
    pub(crate) fn new(folder: &Folder, id: &str, algorithm: Algorithm) -> Self {
        let [pem, der] = ["pem", "der"].map(|ending| folder.file(&format!("{id}.{ending}")).display().to_string());
        let kind: &[&str] = match algorithm {
            Algorithm::ES256 => &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Algorithm::ES384 => &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            Algorithm::EdDSA => &["ED25519"],
            _ => &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        };
        foreign("openssl", &[&["genpkey", "-out", &pem, "-algorithm"], kind].concat());
        let is_rsa = kind[0] == "RSA";
        let form: &[&str] = if is_rsa { &["rsa", "-traditional"] } else { &["pkcs8", "-topk8", "-nocrypt"] };
        foreign("openssl", &[form, &["-in", &pem, "-outform", "DER", "-out", &der]].concat());
        let der = std::fs::read(der).expect("a key");
        let key = match algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_der(&der),
            Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_der(&der),
            _ => EncodingKey::from_rsa_der(&der),
        };
        Self { id: id.to_owned(), algorithm, key }
    }

    /// Its public half as a JSON Web Key.
    pub(crate) fn public(&self) -> Json {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a key");
        jwk.common.key_id = Some(self.id.clone());
        let mut jwk = serde_json::to_value(jwk).expect("a key");
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token of these claims.
    pub(crate) fn sign(&self, claims: &Json) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).expect("a token")
    }
}

impl IdentityProvider {
    pub(crate) fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let issuer = format!("http://{}/realms/county", listener.local_addr().expect("an address"));
        let state = Arc::<Mutex<State>>::default();
        let (served, own) = (state.clone(), issuer.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &own, &served);
            }
        });
        let provider = Self { issuer, state };
        provider.publish(keys.iter().map(|key| key.public()).collect());
        provider
    }

    /// Exchanges the keys.
    pub(crate) fn publish(&self, keys: Vec<Json>) {
        self.state.lock().expect("a state").keys = keys;
    }

    /// Lets it close all connections without an answer, or answer again.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.state.lock().expect("a state").is_down = is_down;
    }

    /// How often the keys were requested.
    pub(crate) fn key_requests(&self) -> usize {
        self.state.lock().expect("a state").requests.iter().filter(|path| path.ends_with("/certs")).count()
    }

    /// The section of the configuration that trusts it.
    pub(crate) fn config(&self, more: &str) -> String {
        format!("[oidc]\nissuer = \"{}\"\naudience = \"onemap\"\n{more}", self.issuer)
    }

    /// Claims of a user that are valid for five minutes, with these changes; `null` removes a claim.
    pub(crate) fn claims(&self, changes: &Json) -> Json {
        let now = now();
        let mut claims = json!({
            "iss": self.issuer, "aud": ["account", "onemap"], "sub": "5f0c", "preferred_username": "王值班",
            "iat": now, "nbf": now - 5, "exp": now + 300, "onemap_role": "viewer",
        });
        let own = claims.as_object_mut().expect("claims");
        for (name, value) in changes.as_object().expect("changes") {
            own.insert(name.clone(), value.clone());
        }
        own.retain(|_, value| !value.is_null());
        claims
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(now.as_secs()).expect("a time")
}

fn answer(mut stream: TcpStream, issuer: &str, state: &Mutex<State>) {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut state = state.lock().expect("a state");
    state.requests.push(path.clone());
    if state.is_down {
        return;
    }
    let (status, body) = match path.as_str() {
        "/realms/county/.well-known/openid-configuration" => {
            ("200 OK", json!({"issuer": issuer, "jwks_uri": format!("{issuer}/certs")}).to_string())
        }
        "/realms/county/certs" => ("200 OK", json!({"keys": state.keys}).to_string()),
        _ => ("404 Not Found", String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

//! Tokens of an identity provider: what each role sees, which tokens are refused, exchanged keys, outages.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value as Json, json};

use super::{account, get, machine_token, send};
use crate::support::identity_provider::{IdentityProvider, SigningKey, now};
use crate::support::{Folder, Reply, Server, await_that, foreign, run};

const SESSION: &str = "/api/session";
const SHELTERS: &str = "/ogc/collections/shelters/items";

/// A server that trusts a provider with one key.
fn trusting(algorithm: Algorithm, more: &str) -> (Folder, SigningKey, IdentityProvider, Server) {
    let folder = Folder::new();
    let key = SigningKey::new(&folder, "first", algorithm);
    let provider = IdentityProvider::start(&[&key]);
    folder.write("onemap.toml", provider.config(more));
    let server = Server::start(&folder, &["--access-log"]);
    (folder, key, provider, server)
}

/// Type and failed check of a refusal, which has the header that RFC 6750 requires.
fn refused(reply: &Reply) -> (u16, String) {
    assert!(reply.header("www-authenticate").contains("error=\"invalid_token\""), "{:?}", reply.headers);
    let problem = reply.json();
    assert_eq!(problem["type"], "urn:problem-type:onemap:invalid-token", "{problem}");
    assert!(problem["accepted"].is_string(), "{problem}");
    (reply.status, problem["check"].as_str().expect("a check").to_owned())
}

#[test]
fn a_token_of_each_role_sees_what_the_role_sees() {
    let (folder, key, provider, server) = trusting(Algorithm::RS256, "");
    for role in ["public", "viewer", "editor", "dispatcher", "admin"] {
        let own = account(&folder, role, &["--role", role]);
        let token = key.sign(&provider.claims(&json!({"onemap_role": role})));
        await_that("the account works", || get(&server, &own, SESSION).status == 200);
        let session = get(&server, &token, SESSION).json();
        assert_eq!((&session["role"], &session["name"]), (&json!(role), &json!("王值班")));
        assert_eq!(session["writable_layers"], get(&server, &own, SESSION).json()["writable_layers"], "{role}");
        for path in ["/ogc/collections?f=json", "/ogc/collections/pipelines/items?limit=5", "/api/audit", "/metrics"] {
            let (theirs, ours) = (get(&server, &token, path), get(&server, &own, path));
            assert_eq!(theirs.status, ours.status, "{role} {path}");
            if path.starts_with("/ogc") {
                assert_eq!(theirs.json()["numberMatched"], ours.json()["numberMatched"], "{role} {path}");
                let count = |reply: &Reply| reply.json()["collections"].as_array().map(Vec::len);
                assert_eq!(count(&theirs), count(&ours), "{role} {path}");
            }
        }
        assert!(!server.log().contains(&token), "a token is in the log");
    }
    // QGIS sends it as the password of HTTP Basic.
    let token = key.sign(&provider.claims(&json!({})));
    let basic = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("qgis:{token}")));
    assert_eq!(server.get_with(SESSION, ("Authorization", &basic)).json()["role"], "viewer");
    assert_eq!(
        get(&server, &machine_token(&folder), SESSION).json()["role"],
        "admin",
        "the token of the machine works"
    );
}

#[test]
fn others_see_what_is_public_once_a_provider_is_trusted() {
    let (folder, _, provider, server) = trusting(Algorithm::ES256, "");
    assert_eq!(get(&server, "", SESSION).json()["role"], "public");
    drop(server);
    let output = run(&folder, &["check"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}");
    for line in [
        &format!("identity provider\t{}, audience onemap, keys as the issuer states", provider.issuer),
        "its claims\tname preferred_username, role onemap_role",
        "callers without credentials\tpublic",
        "keys of the identity provider\t1",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    provider.set_down(true);
    assert_eq!(run(&folder, &["check"]).status.code(), Some(1));
}

#[test]
fn every_accepted_algorithm_works() {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let folder = Folder::new();
    let all = [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA];
    let keys: Vec<SigningKey> = all.iter().map(|own| SigningKey::new(&folder, &format!("{own:?}"), *own)).collect();
    let provider = IdentityProvider::start(&keys.iter().collect::<Vec<_>>());
    folder.write("onemap.toml", provider.config(&format!("jwks_url = \"{}/certs\"\n", provider.issuer)));
    let server = Server::start(&folder, &[]);
    for key in &keys {
        assert_eq!(
            get(&server, &key.sign(&provider.claims(&json!({}))), SESSION).json()["role"],
            "viewer",
            "{}",
            key.id
        );
    }
    assert_eq!(provider.key_requests(), 1);
}

#[test]
fn an_editor_writes_in_its_divisions_and_layers_only() {
    let rules = "region = \"onemap_region\"\nlayers = \"groups.layers\"\n";
    let (_folder, key, provider, server) = trusting(Algorithm::ES256, rules);
    let token = |region: &Json, layers: &Json| {
        let claims = json!({"onemap_role": "editor", "onemap_region": region, "groups": {"layers": layers}});
        key.sign(&provider.claims(&claims))
    };
    let county = token(&json!("*"), &json!(["*"]));
    let id = |township: &str| {
        let path = format!("{SHELTERS}?limit=1&filter=region_code%20LIKE%20%27{township}%25%27");
        get(&server, &county, &path).json()["features"][0]["id"].as_str().expect("a shelter").to_owned()
    };
    let (own, other) = (id("350124101"), id("350124102"));
    let patch = |token: &str, id: &str| {
        send(&server, token, "PATCH", &format!("{SHELTERS}/{id}"), r#"{"properties": {"status": "full"}}"#).status
    };
    for region in [json!("350124101"), json!(["350124101", "350124103"]), json!(350_124_101)] {
        let township = token(&region, &json!(["shelters"]));
        assert_eq!((patch(&township, &own), patch(&township, &other)), (204, 403), "{region}");
        assert_eq!(get(&server, &township, SESSION).json()["writable_layers"], json!(["shelters"]));
    }
    assert_eq!(patch(&county, &other), 204);
    assert_eq!(patch(&token(&json!("350124101"), &json!(["teams"])), &own), 403);
    // Who is limited by a claim that is absent or malformed must not write everything.
    for (region, layers, statement) in [
        (Json::Null, json!(["shelters"]), "onemap_region"),
        (json!([]), json!(["shelters"]), "onemap_region"),
        (json!("梅溪镇"), json!(["shelters"]), "onemap_region"),
        (json!("350124101"), Json::Null, "groups.layers"),
    ] {
        let reply = get(&server, &token(&region, &layers), SESSION);
        assert_eq!((reply.status, &reply.json()["parameter"]), (403, &json!(statement)), "{region} {layers}");
    }
    let audit = get(&server, &key.sign(&provider.claims(&json!({"onemap_role": "admin"}))), "/api/audit");
    let entries = String::from_utf8_lossy(&audit.body).into_owned();
    assert!(entries.contains("王值班") && entries.contains("oidc:5f0c"), "{entries}");
}

#[test]
fn roles_come_from_a_path_and_a_mapping_and_nothing_else() {
    let rules =
        "role = \"realm_access.roles\"\n[oidc.roles]\n\"county duty\" = \"dispatcher\"\n\"everybody\" = \"viewer\"\n";
    let (_folder, key, provider, server) = trusting(Algorithm::ES256, rules);
    let session =
        |roles: &Json| get(&server, &key.sign(&provider.claims(&json!({"realm_access": {"roles": roles}}))), SESSION);
    assert_eq!(session(&json!(["everybody", "offline_access", "county duty"])).json()["role"], "dispatcher");
    assert_eq!(session(&json!("everybody")).json()["role"], "viewer");
    for wrong in [json!(["admin"]), json!([]), json!({"everybody": true}), Json::Null] {
        let reply = session(&wrong);
        let problem = reply.json();
        assert_eq!((reply.status, &problem["type"]), (403, &json!("urn:problem-type:onemap:no-grant")), "{problem}");
        assert_eq!(problem["parameter"], "realm_access.roles");
        assert_eq!(problem["accepted"], "county duty, everybody");
    }
    // Without permission, what is public is not shown either: nobody would notice what is missing.
    let token = key.sign(&provider.claims(&json!({})));
    assert_eq!(get(&server, &token, "/ogc/collections").status, 403);
}

#[test]
fn tokens_that_fail_a_check_are_refused() {
    let (folder, key, provider, server) = trusting(Algorithm::RS256, "");
    let stranger = SigningKey { id: key.id.clone(), ..SigningKey::new(&folder, "stranger", Algorithm::RS256) };
    let signed = |changes: &Json| key.sign(&provider.claims(changes));
    let valid = signed(&json!({}));
    assert_eq!(get(&server, &valid, SESSION).status, 200);
    let parts: Vec<&str> = valid.split('.').collect();
    let encoded = |text: &Json| BASE64_URL_SAFE_NO_PAD.encode(text.to_string());
    let admin = encoded(&provider.claims(&json!({"onemap_role": "admin"})));
    // The public key as the secret of HMAC, in the forms in which an attacker has it.
    let [private, public] = ["first.pem", "public.pem"].map(|name| folder.file(name).display().to_string());
    foreign("openssl", &["rsa", "-in", &private, "-pubout", "-out", &public]);
    let confused = |secret: &[u8]| {
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, &provider.claims(&json!({})), &EncodingKey::from_secret(secret)).expect("a token")
    };
    let pem = std::fs::read(folder.file("public.pem")).expect("a key");
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(key.public()["n"].as_str().expect("a modulus")).expect("a modulus");
    let none = encoded(&json!({"alg": "none", "typ": "JWT", "kid": key.id}));
    let critical = encoded(&json!({"alg": "RS256", "kid": key.id, "crit": ["b64"], "b64": false}));
    let at = now();
    for (name, token, check) in [
        ("expired", signed(&json!({"exp": at - 120})), "exp"),
        ("not yet valid", signed(&json!({"nbf": at + 600})), "nbf"),
        ("no end", signed(&json!({"exp": null})), "claims"),
        ("an end that is text", signed(&json!({"exp": "tomorrow"})), "claims"),
        ("no subject", signed(&json!({"sub": null})), "claims"),
        ("foreign issuer", signed(&json!({"iss": "https://evil.example/realms/county"})), "iss"),
        ("no issuer", signed(&json!({"iss": null})), "claims"),
        ("wrong audience", signed(&json!({"aud": ["account"]})), "aud"),
        ("no audience", signed(&json!({"aud": null})), "claims"),
        ("no signature", format!("{none}.{admin}."), "algorithm"),
        ("no signature, with one", format!("{none}.{admin}.{}", parts[2]), "algorithm"),
        ("key confusion by PEM", confused(&pem), "algorithm"),
        ("key confusion by modulus", confused(&modulus), "algorithm"),
        (
            "another algorithm of the key",
            {
                let other = SigningKey::new(&folder, "second", Algorithm::RS512);
                SigningKey { id: key.id.clone(), ..other }.sign(&provider.claims(&json!({})))
            },
            "algorithm",
        ),
        ("critical extension", format!("{critical}.{}.{}", parts[1], parts[2]), "format"),
        ("truncated payload", valid[..valid.len() / 2].to_owned(), "format"),
        ("no text", "x".to_owned(), "format"),
        ("four parts", format!("{valid}.x"), "format"),
        ("too long", format!("{}.{}.{}", parts[0], "A".repeat(20_000), parts[2]), "format"),
        ("cut base64", valid[..valid.len() - 1].to_owned(), "format"),
        ("truncated signature", valid[..valid.len() - parts[2].len() % 4 - 4].to_owned(), "signature"),
        ("tampered payload", format!("{}.{admin}.{}", parts[0], parts[2]), "signature"),
        ("another key of this id", stranger.sign(&provider.claims(&json!({}))), "signature"),
    ] {
        let reply = get(&server, &token, SESSION);
        assert_eq!(refused(&reply), (401, check.to_owned()), "{name}");
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(!text.contains(parts[2]) && !server.log().contains(parts[2]), "{name}: a token is repeated");
    }
    // The clocks of two machines differ.
    for skewed in [json!({"exp": at - 30}), json!({"nbf": at + 30})] {
        assert_eq!(get(&server, &signed(&skewed), SESSION).status, 200, "{skewed}");
    }
    assert_eq!(get(&server, &valid, SESSION).status, 200);
}

#[test]
fn forged_tokens_are_counted_and_those_that_the_provider_signed_are_not() {
    let (_folder, key, provider, server) = trusting(Algorithm::ES256, "");
    let remote = |token: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("Authorization", authorization.as_str()), ("X-Forwarded-For", "10.1.1.1")];
        server.send("GET", SESSION, &headers, "").status
    };
    // A board that is left on shows an expired token for days.
    let expired = key.sign(&provider.claims(&json!({"exp": now() - 120})));
    assert!((0..30).all(|_| remote(&expired) == 401));
    let forged: Vec<u16> = (0..30).map(|_| remote(&format!("{expired}AAAA"))).collect();
    assert_eq!((forged[0], forged[29]), (401, 429));
}

#[test]
fn an_exchanged_key_is_fetched_once_in_a_minute() {
    let (folder, first, provider, server) = trusting(Algorithm::ES256, "");
    let (second, third) =
        (SigningKey::new(&folder, "second", Algorithm::EdDSA), SigningKey::new(&folder, "third", Algorithm::ES256));
    let claims = provider.claims(&json!({}));
    assert_eq!(get(&server, &first.sign(&claims), SESSION).status, 200);
    assert_eq!(provider.key_requests(), 1);
    provider.publish(vec![second.public()]);
    assert_eq!(get(&server, &second.sign(&claims), SESSION).status, 200, "the new key is accepted at once");
    assert_eq!(refused(&get(&server, &first.sign(&claims), SESSION)), (401, "key".to_owned()));
    // Anybody can send unknown keys; they cause no more requests to the provider.
    for _ in 0..3 {
        assert_eq!(refused(&get(&server, &third.sign(&claims), SESSION)), (401, "key".to_owned()));
    }
    assert_eq!(provider.key_requests(), 2);
}

#[test]
fn a_token_that_was_verified_ends_with_its_key_and_its_time() {
    let (folder, first, provider, server) = trusting(Algorithm::ES256, "");
    // Within the tolerance for clocks, for two more seconds.
    let ending = first.sign(&provider.claims(&json!({"exp": now() - 58})));
    let token = first.sign(&provider.claims(&json!({"onemap_role": "editor"})));
    for own in [&ending, &token, &ending, &token] {
        assert_eq!(get(&server, own, SESSION).status, 200);
    }
    // A token that differs in one character is another one.
    let forged = format!("{}{}", &token[..token.len() - 2], if token.ends_with("AA") { "BA" } else { "AA" });
    assert_eq!(refused(&get(&server, &forged, SESSION)), (401, "signature".to_owned()));
    await_that("the token ends", || get(&server, &ending, SESSION).status == 401);
    assert_eq!(refused(&get(&server, &ending, SESSION)), (401, "exp".to_owned()));
    let second = SigningKey::new(&folder, "second", Algorithm::ES256);
    provider.publish(vec![second.public()]);
    assert_eq!(get(&server, &second.sign(&provider.claims(&json!({}))), SESSION).status, 200);
    assert_eq!(refused(&get(&server, &token, SESSION)), (401, "key".to_owned()));
}

#[test]
fn metrics_tell_whether_the_provider_answers() {
    let (folder, key, provider, server) = trusting(Algorithm::ES256, "");
    let metric = |name: &str| {
        let admin = machine_token(&folder);
        let text = String::from_utf8(get(&server, &admin, "/metrics").body).expect("text");
        let line = text.lines().find(|line| line.starts_with(&format!("onemap_identity_provider_{name}{{issuer=")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).expect("a metric")
    };
    assert_eq!(get(&server, &key.sign(&provider.claims(&json!({}))), SESSION).status, 200);
    assert_eq!((metric("up"), metric("failures_total")), (1.0, 0.0));
    assert!((0.0..60.0).contains(&metric("keys_age_seconds")));
    provider.set_down(true);
    // A token with an unknown key has the keys fetched.
    let unknown = SigningKey::new(&folder, "second", Algorithm::ES256);
    assert_eq!(get(&server, &unknown.sign(&provider.claims(&json!({}))), SESSION).status, 503);
    await_that("it is down", || metric("up") == 0.0);
    assert!(metric("failures_total") >= 1.0 && metric("keys_age_seconds") >= 0.0);
}

#[test]
fn keys_that_are_not_for_signatures_are_left_out() {
    let folder = Folder::new();
    let [signing, encryption] = ["signing", "encryption"].map(|id| SigningKey::new(&folder, id, Algorithm::RS256));
    let provider = IdentityProvider::start(&[&signing]);
    let mut for_encryption = encryption.public();
    for_encryption["use"] = json!("enc");
    provider.publish(vec![
        json!({"kty": "future", "kid": "x"}),
        json!({"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}),
        for_encryption,
        signing.public(),
    ]);
    folder.write("onemap.toml", provider.config(""));
    let server = Server::start(&folder, &[]);
    let claims = provider.claims(&json!({}));
    assert_eq!(get(&server, &signing.sign(&claims), SESSION).status, 200);
    assert_eq!(server.get("/health/ready").json()["identity_provider"]["keys"], 1);
    assert_eq!(refused(&get(&server, &encryption.sign(&claims), SESSION)), (401, "key".to_owned()));
    let header = Header { kid: Some("secret".to_owned()), ..Header::new(Algorithm::HS256) };
    let symmetric = encode(&header, &claims, &EncodingKey::from_secret(b"secret")).expect("a token");
    assert_eq!(refused(&get(&server, &symmetric, SESSION)), (401, "algorithm".to_owned()));
}

#[test]
fn a_provider_that_is_down_costs_nobody_the_sign_in() {
    let folder = Folder::new();
    let key = SigningKey::new(&folder, "first", Algorithm::ES256);
    let provider = IdentityProvider::start(&[&key]);
    provider.set_down(true);
    let own = account(&folder, "值班员", &["--role", "viewer"]);
    folder.write("onemap.toml", provider.config(""));
    let server = Server::start(&folder, &[]);
    let claims = provider.claims(&json!({}));
    let reply = get(&server, &key.sign(&claims), SESSION);
    assert_eq!((reply.status, reply.header("retry-after")), (503, "5"));
    assert_eq!(reply.json()["type"], "urn:problem-type:onemap:identity-provider");
    let status = || server.get("/health/ready").json()["identity_provider"].clone();
    await_that("the failure is shown", || status()["is_failing"] == true);
    assert_eq!(server.get("/health/ready").json()["status"], "ready");
    assert_eq!(get(&server, &own, SESSION).status, 200, "accounts work");
    assert_eq!(get(&server, "", SESSION).status, 200);
    provider.set_down(false);
    await_that("the keys arrive", || get(&server, &key.sign(&claims), SESSION).status == 200);
    assert_eq!((&status()["is_failing"], &status()["keys"]), (&json!(false), &json!(1)));
    provider.set_down(true);
    let unknown = SigningKey::new(&folder, "second", Algorithm::ES256);
    // It may be by a key that the provider has had since.
    assert_eq!(get(&server, &unknown.sign(&claims), SESSION).status, 503);
    await_that("the failure is shown", || status()["is_failing"] == true);
    assert_eq!(get(&server, &key.sign(&claims), SESSION).status, 200, "the keys that were fetched work on");
    // The first one may have been logged before the server listened.
    let logged = || server.log().matches("cannot be fetched").count();
    await_that("the failure is logged", || logged() >= 1);
    assert!(logged() <= 2, "each failure is logged once");
}

#[test]
fn a_browser_signs_in_with_a_token() {
    let (_folder, key, provider, server) = trusting(Algorithm::ES256, "");
    let sign_in = |token: &str| {
        let body = json!({"secret": token}).to_string();
        server.send("POST", SESSION, &[("Content-Type", "application/json")], &body)
    };
    let reply = sign_in(&key.sign(&provider.claims(&json!({"onemap_role": "editor"}))));
    assert_eq!((reply.status, &reply.json()["role"]), (200, &json!("editor")));
    let cookie = reply.header("set-cookie").to_owned();
    let age = cookie.split("Max-Age=").nth(1).and_then(|rest| rest.split(';').next()).expect("an age");
    assert!((200..=300).contains(&age.parse::<u32>().expect("seconds")), "{cookie}");
    let value = cookie.split(';').next().expect("a value");
    assert_eq!(server.get_with(SESSION, ("Cookie", value)).json()["name"], "王值班");
    assert_eq!(refused(&sign_in(&key.sign(&provider.claims(&json!({"exp": now() - 120}))))), (401, "exp".to_owned()));
    let long = sign_in(&key.sign(&provider.claims(&json!({"groups": "g".repeat(4_000)}))));
    assert_eq!((long.status, &long.json()["parameter"]), (400, &json!("secret")));
    // Notices are sent after the caller has signed out, so they need an account.
    let dispatcher = key.sign(&provider.claims(&json!({"onemap_role": "dispatcher"})));
    let reply = send(&server, &dispatcher, "POST", "/api/subscriptions", "{}");
    assert_eq!((reply.status, &reply.json()["type"]), (403, &json!("urn:problem-type:onemap:needs-account")));
}

#[test]
fn a_section_with_a_mistake_is_refused() {
    let folder = Folder::new();
    let own = "[oidc]\nissuer = \"https://sso.example/realms/county\"\naudience = \"onemap\"\n";
    for (text, reason) in [
        (own.replace("https", "http"), "accepted: https"),
        (own.replace("https://sso.example/realms/county", "county"), "is no URL"),
        (own.replace("\"onemap\"", "\"\""), "audience is empty"),
        (format!("{own}jwks_url = \"http://sso.example/certs\"\n"), "oidc.jwks_url"),
        (format!("{own}colour = 1\n"), "unknown field"),
        (format!("{own}[oidc.roles]\n\"duty\" = \"chief\"\n"), "unknown variant"),
        (format!("{own}ca_file = \"none.pem\"\n"), "none.pem"),
    ] {
        folder.write("onemap.toml", text.as_str());
        let output = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains(reason), "{text}: {printed}");
    }
}

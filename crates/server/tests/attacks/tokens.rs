//! Tokens that somebody made.

use crate::{
    setup::Target,
    wire::{ask, ask_with},
};

/// base64url without padding.
fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let padded = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
        let number = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for place in 0..=group.len() {
            text.push(char::from(ALPHABET[(number >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

const CLAIMS: &str = r#"{"sub":"nacos","exp":9999999999}"#;

fn forgeries(good: &str) -> Vec<String> {
    let parts: Vec<&str> = good.split('.').collect();
    let [head, claims, signature] = parts[..] else { panic!("three parts") };
    let with_head = |json: &str| format!("{}.{}.{signature}", encode(json.as_bytes()), claims);
    let unsigned =
        |json: &str| format!("{}.{}.", encode(json.as_bytes()), encode(CLAIMS.as_bytes()));
    vec![
        // Signed with the default keys that were published for other servers of this kind: not with ours.
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJuYWNvcyIsImV4cCI6OTk5OTk5OTk5OX0.\
            -isk56R8NfioHVYmpj4oz92nUteNBCN3HRd0-Hfk76g"
            .to_owned(),
        unsigned(r#"{"alg":"none"}"#),
        unsigned(r#"{"alg":"None"}"#),
        unsigned(r#"{"alg":"nOnE","typ":"JWT"}"#),
        unsigned(r#"{"alg":"HS256"}"#),
        unsigned(r#"{"alg":""}"#),
        unsigned("{}"),
        with_head(r#"{"alg":"none"}"#),
        with_head(r#"{"alg":"RS256"}"#),
        with_head(r#"{"alg":"HS512"}"#),
        with_head(r#"{"alg":"HS256","kid":"/dev/null"}"#),
        with_head(r#"{"alg":"HS256","jku":"http://10.0.0.1/"}"#),
        with_head(r#"{"alg":"HS256","jwk":{"kty":"oct","k":""}}"#),
        format!("{head}.{}.{signature}", encode(CLAIMS.as_bytes())),
        format!("{head}.{claims}"),
        format!("{head}.{claims}."),
        format!(".{claims}.{signature}"),
        format!("{head}..{signature}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}="),
        good[..good.len() - 1].to_owned(),
        good.to_uppercase(),
        "AUTH_DISABLED".to_owned(),
        "null".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "a".repeat(10_000),
    ]
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let target = Target::start().await;
    target.publish("secret", "s").await;
    let path = "/nacos/v1/cs/configs?group=g&dataId=secret";
    for token in forgeries(&target.token) {
        for headers in [
            format!("accessToken: {token}\r\n"),
            format!("authorization: Bearer {token}\r\n"),
            format!("authorization: bearer {token}\r\naccessToken: {token}\r\n"),
        ] {
            let reply = ask_with(target.api, "GET", path, &headers, "").await;
            assert_eq!(reply.status, 403, "{token:.60}: {}", reply.text());
            assert!(!reply.text().contains(&token[..token.len().min(20)]) || token.len() < 5);
        }
        let reply = ask(target.api, "GET", &format!("{path}&accessToken={token}"), "").await;
        assert_eq!(reply.status, 403, "{token:.60}");
        let own = format!("authorization: Bearer {token}\r\n");
        let reply = ask_with(target.api, "GET", "/v1/configs", &own, "").await;
        assert!([401, 403].contains(&reply.status), "{}", reply.status);
    }
    // The real one opens it: what was refused was the token.
    assert_eq!(target.config("secret").await.status, 200);
    target.unharmed().await;
}

#[tokio::test]
async fn headers_of_servers_open_nothing() {
    let target = Target::start().await;
    target.publish("secret", "s").await;
    for headers in [
        "user-agent: Nacos-Server\r\n",
        "user-agent: Nacos-Server/2.5.1\r\n",
        "serverIdentity: security\r\n",
        "user-agent: Nacos-Server\r\nserverIdentity: security\r\n",
        "x-forwarded-for: 127.0.0.1\r\nx-real-ip: 127.0.0.1\r\n",
        "x-forwarded-user: nacos\r\nx-remote-user: nacos\r\n",
        "x-original-url: /nacos/v1/console/health/liveness\r\nx-rewrite-url: /livez\r\n",
        "x-http-method-override: GET\r\n",
    ] {
        for (verb, path) in [
            ("GET", "/nacos/v1/cs/configs?group=g&dataId=secret"),
            ("POST", "/nacos/v1/cs/configs?group=g&dataId=stolen&content=x"),
            ("POST", "/nacos/v1/auth/users?username=thief&password=thief"),
            ("POST", "/nacos/v1/auth/users/admin?password=stolen"),
            ("GET", "/nacos/v1/auth/users?pageNo=1&pageSize=9"),
            ("GET", "/v1/configs"),
        ] {
            let reply = ask_with(target.api, verb, path, headers, "").await;
            assert!(reply.status >= 400, "{} {verb} {path} {headers}", reply.status);
        }
    }
    assert_eq!(target.config("stolen").await.status, 404);
    target.unharmed().await;
}

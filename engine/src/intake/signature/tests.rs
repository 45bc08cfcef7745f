//! Signatures with examples that the senders publish.

use serde_json::json;

use super::*;

/// The time of the example of Standard Webhooks.
const NOW: i64 = 1_614_265_330;

fn verifier(section: serde_json::Value, secrets: &[&str]) -> SignatureVerifier {
    let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    SignatureVerifier::new(&section_of(section), &secrets).unwrap()
}

fn section_of(mut section: serde_json::Value) -> VerifySection {
    section["secret"] = json!({ "secret": "NAME" });
    serde_json::from_value(section).unwrap()
}

fn verifies(
    verifier: &SignatureVerifier,
    headers: &[(&str, &str)],
    body: &[u8],
    second: i64,
) -> bool {
    let find = |name: &str| {
        let mut found = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| *value)
    };
    let now = Timestamp::from_second(second).unwrap();
    let is_valid = verifier.verify(&find, body, now);
    assert!(!is_valid || verifier.has_signature(&find, now));
    is_valid
}

#[test]
fn the_example_of_github_is_valid() {
    // docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
    let verifier = verifier(json!({ "scheme": "github" }), &["It's a Secret to Everybody"]);
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let of = |signature: &str, body: &[u8]| {
        verifies(&verifier, &[("X-Hub-Signature-256", signature)], body, NOW)
    };
    assert!(of(signature, b"Hello, World!"));
    assert!(!of(signature, b"Hello, World?"));
    assert!(!of(signature, b""));
    assert!(!of(signature.trim_start_matches("sha256="), b"Hello, World!"));
    for wrong in ["", "sha256=", "sha256=7571", "sha1=757107ea", "sha256=sha256=757107ea"] {
        assert!(!of(wrong, b"Hello, World!"), "{wrong}");
    }
    assert!(!verifies(&verifier, &[], b"Hello, World!", NOW));
}

#[test]
fn the_example_of_standard_webhooks_is_valid() {
    // The example of the libraries at github.com/standard-webhooks/standard-webhooks.
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let body = br#"{"test": 2432232314}"#;
    let headers = |signature| {
        [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ]
    };
    let verifier = |secrets: &[&str]| verifier(json!({ "scheme": "standard-webhooks" }), secrets);
    let one = verifier(&[secret]);
    assert!(verifies(&one, &headers(signature), body, NOW));
    let plain = verifier(&[secret.trim_start_matches("whsec_")]);
    assert!(verifies(&plain, &headers(signature), body, NOW));
    // The tolerance is five minutes in both directions.
    assert!(verifies(&one, &headers(signature), body, NOW + 300));
    assert!(verifies(&one, &headers(signature), body, NOW - 300));
    assert!(!verifies(&one, &headers(signature), body, NOW + 301));
    assert!(!verifies(&one, &headers(signature), body, NOW - 301));
    let other = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let several = format!("{other} v1a,{other} {signature}");
    assert!(verifies(&one, &headers(&several), body, NOW));
    assert!(verifies(&verifier(&["AAAA", secret]), &headers(signature), body, NOW));
    assert!(!verifies(&verifier(&["AAAA"]), &headers(signature), body, NOW));
    assert!(!verifies(&one, &headers(other), body, NOW));
    let version = signature.replace("v1,", "v2,");
    assert!(!verifies(&one, &headers(&version), body, NOW));
    let many = format!("{} {signature}", vec![other; SIGNATURES_MAX].join(" "));
    assert!(!verifies(&one, &headers(&many), body, NOW), "the number of signatures is limited");
    for missing in 0..3 {
        let mut headers = headers(signature).to_vec();
        headers.remove(missing);
        assert!(!verifies(&one, &headers, body, NOW), "{missing}");
    }
    for wrong in ["", "-1614265330", "+1614265330", "1614265330.0", "99999999999999999999999"] {
        let mut headers = headers(signature);
        headers[1].1 = wrong;
        assert!(!verifies(&one, &headers, body, NOW), "{wrong}");
    }
}

#[test]
fn a_header_of_stripe_has_one_recent_timestamp() {
    // Stripe publishes no example together with its secret, so Python computed this signature.
    let verifier = verifier(json!({ "scheme": "stripe" }), &["whsec_test_secret"]);
    let digits = STRIPE_EXAMPLE;
    let body = br#"{"id": "evt_test_webhook", "object": "event"}"#;
    let of =
        |header: &str, second| verifies(&verifier, &[("stripe-signature", header)], body, second);
    assert!(of(&format!("t=1614265330,v1={digits}"), NOW + 300));
    assert!(of(&format!("t=1614265330, v1={}, v0=x,v1={digits}", "0".repeat(64)), NOW));
    assert!(!of(&format!("t=1614265330,v1={digits}"), NOW + 301));
    assert!(!of(&format!("t=1614265330,v1={digits}"), NOW - 301));
    assert!(!of(&format!("t=1614265331,v1={digits}"), NOW));
    assert!(!of(&format!("t=1614265330,t=1614265330,v1={digits}"), NOW));
    assert!(!of(&format!("t=1614265330,v0={digits}"), NOW));
    assert!(!of(&format!("v1={digits}"), NOW));
    for wrong in ["", "t=", "=,=,=", "t=1614265330", "t=1614265330,v1=", "t=1614265330,v1=é"] {
        assert!(!of(wrong, NOW), "{wrong}");
    }
}

/// `hmac.new(b"whsec_test_secret", b"1614265330." + body, "sha256").hexdigest()`.
const STRIPE_EXAMPLE: &str = "64776382e3b272a50ff9d6821bb74452794757d5dd79f1b091f36be25190d080";

#[test]
fn the_keys_of_hmac_describe_the_header() {
    // RFC 4231, test case 2.
    let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    let body = b"what do ya want for nothing?";
    for (encoding, prefix, signature) in
        [("hex", "sig=", hex), ("base64", "", base64), ("hex", "", &hex.to_uppercase())]
    {
        let section = json!({ "scheme": "hmac", "header": "X-Signature", "encoding": encoding, "prefix": prefix });
        let verifier = verifier(section, &["Jefe"]);
        let value = format!("{prefix}{signature}");
        assert!(verifies(&verifier, &[("x-signature", &value)], body, NOW), "{value}");
        assert!(!verifies(&verifier, &[("x-signature", &format!(" {value}"))], body, NOW));
        assert!(!verifies(&verifier, &[("x-signature", &format!("{value}="))], body, NOW));
    }
}

#[test]
fn the_signature_of_an_empty_body_is_valid() {
    let section = json!({ "scheme": "hmac", "header": "X-Signature", "encoding": "hex" });
    // FIPS 198-1 with the key "key" and an empty message.
    let signature = "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0";
    let verifier = verifier(section, &["key"]);
    assert!(verifies(&verifier, &[("x-signature", signature)], b"", NOW));
    assert!(!verifies(&verifier, &[("x-signature", signature)], b" ", NOW));
}

#[test]
fn secrets_that_cannot_be_used_are_rejected_and_never_shown() {
    let new = |scheme: &str, secrets: &[&str]| {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        SignatureVerifier::new(&section_of(json!({ "scheme": scheme })), &secrets)
    };
    assert_eq!(new("shopify", &["a", ""]).err(), Some((1, InvalidSecret::Empty)));
    assert_eq!(new("standard-webhooks", &["whsec_"]).err(), Some((0, InvalidSecret::Empty)));
    assert_eq!(new("standard-webhooks", &["se cret"]).err(), Some((0, InvalidSecret::Base64)));
    let shown = format!("{:?}", new("shopify", &["hush"]).unwrap());
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn only_woocommerce_sends_a_ping() {
    let form = "application/x-www-form-urlencoded";
    let may_be = |scheme: &str, headers: &[(&str, &str)]| {
        let find = |name: &str| {
            let mut found = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| *value)
        };
        verifier(json!({ "scheme": scheme }), &["a"]).may_be_ping(&find)
    };
    assert!(may_be("woocommerce", &[("content-type", form)]));
    assert!(!may_be("shopify", &[("content-type", form)]));
    assert!(!may_be("woocommerce", &[("content-type", "application/json")]));
    let signed = [("content-type", form), ("x-wc-webhook-signature", "")];
    assert!(!may_be("woocommerce", &signed));
    for (body, expected) in [
        (&b"webhook_id=7"[..], true),
        (b"webhook_id=18446744073709551615", true),
        (b"webhook_id=", false),
        (b"webhook_id=7&a=b", false),
        (b"webhook_id=-7", false),
        (b"webhook_id=111111111111111111111", false),
        (b"", false),
    ] {
        assert_eq!(SignatureVerifier::is_ping(body), expected, "{body:?}");
    }
}

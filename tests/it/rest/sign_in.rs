//! /v1/sign-in and /v1/accounts/me/identities: in at an outer provider, and back

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::second_factor::turned_on;
use crate::support::provider::{CLIENT, Key, Provider, back, query, seconds, unsigned};
use crate::support::{Answer, Call, Person, World};

const PAGE: &str = "https://shop.example/signed-in";
const APP: &str = "shop.example.app:/signed-in?from=provider";
/// What a program keeps to itself.
const KEPT: &str = "kept-kept-kept-kept-kept-kept-kept-kept-kept-kept";
const IDENTITIES: &str = "/v1/accounts/me/identities";

/// Settings of a server that knows a provider.
pub fn settings(provider: &Provider, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let issuer = provider.issuer();
    let listed = format!("{PAGE} {APP}");
    let all = [
        ("BARTERLINE_SIGN_IN__PUBLIC_URL", "http://localhost:9"),
        ("BARTERLINE_SIGN_IN__RETURN_TO", listed.as_str()),
        ("BARTERLINE_PROVIDERS__ACME__ISSUER", issuer.as_str()),
        ("BARTERLINE_PROVIDERS__ACME__CLIENT_ID", CLIENT.0),
        ("BARTERLINE_PROVIDERS__ACME__CLIENT_SECRET", CLIENT.1),
        ("BARTERLINE_PROVIDERS__ACME__LABEL", "Acme ID"),
        ("BARTERLINE_PROVIDERS__OTHER__ISSUER", issuer.as_str()),
        ("BARTERLINE_PROVIDERS__OTHER__CLIENT_ID", CLIENT.0),
        ("BARTERLINE_ACCOUNTS__VERIFY_EMAIL", "false"),
    ];
    let all = all.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    all.collect()
}

fn started(
    start: impl FnOnce(&[(&str, &str)]) -> World,
    more: &[(&str, &str)],
) -> (World, Provider) {
    let provider = Provider::new();
    let settings = settings(&provider, more);
    let settings: Vec<_> = settings.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
    (start(&settings), provider)
}

fn shop() -> (World, Provider) {
    started(World::with_settings, &[])
}

fn way(return_to: &str) -> Value {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(KEPT));
    json!({ "challenge": challenge, "return_to": return_to })
}

/// Where somebody goes who signs in.
fn begun(world: &World) -> String {
    let begun = world.post("/v1/sign-in/acme", &way(PAGE)).expect(200).json();
    begun["url"].as_str().expect("an address").to_owned()
}

/// What the program hears of who comes back by this path.
fn came_back(world: &World, path: &str) -> String {
    let answer = world.get(path).expect(303);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    assert_eq!(answer.body, "");
    answer.headers["location"].clone()
}

/// What came back of a way on which nothing went wrong.
fn code(location: &str) -> String {
    let (address, _) = location.split_once("code=").expect("a code");
    assert_eq!(address, format!("{PAGE}?"));
    query(location)["code"].clone()
}

#[track_caller]
fn failed(location: &str, word: &str) {
    assert_eq!(location, format!("{PAGE}?error={word}"));
}

/// What an identity says of somebody who has confirmed their address.
fn verified(world: &World, name: &str) -> Value {
    json!({ "email": world.email(name), "email_verified": true, "name": name })
}

/// Where mail to somebody goes.
fn at(world: &World, name: &str) -> String {
    world.email(name).to_lowercase()
}

/// What somebody is called at the provider: like nobody on another server with the same store.
fn subject(world: &World, name: &str) -> String {
    format!("subject of {}", world.email(name))
}

/// The code of somebody who goes to the provider and comes back.
fn went(world: &World, provider: &Provider, name: &str) -> String {
    let path = provider.consent(&begun(world), &subject(world, name), &verified(world, name));
    code(&came_back(world, &path))
}

fn redeem(world: &World, code: &str) -> Answer {
    redeem_with(world, code, &json!({}))
}

fn redeem_with(world: &World, code: &str, more: &Value) -> Answer {
    let mut body = json!({ "code": code, "verifier": KEPT });
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    world.post("/v1/sign-in/redeem", &body)
}

/// Somebody who signed in.
fn person(answer: Answer) -> Person {
    let session = answer.expect(201).json();
    let text = |key: &str| session[key].as_str().expect("a string").to_owned();
    Person { id: text("user"), token: text("access_token"), refresh_token: text("refresh_token") }
}

fn me(world: &World, person: &Person) -> Answer {
    world.call(Call::new("GET", "/v1/accounts/me").token(&person.token))
}

fn identities(world: &World, person: &Person) -> Vec<Value> {
    let answer = world.call(Call::new("GET", IDENTITIES).token(&person.token)).expect(200).json();
    answer["identities"].as_array().expect("identities").clone()
}

fn post(world: &World, person: &Person, path: &str, body: &Value) -> Answer {
    world.call(Call::new("POST", path).token(&person.token).json(body))
}

fn begin_link(world: &World, person: &Person, password: &str) -> Answer {
    let mut body = way(PAGE);
    body["password"] = json!(password);
    post(world, person, &format!("{IDENTITIES}/acme"), &body)
}

/// What links an identity to the account of who began it.
fn link_code(world: &World, provider: &Provider, person: &Person, name: &str) -> String {
    let begun = begin_link(world, person, "correct horse").expect(200).json();
    let url = begun["url"].as_str().expect("an address");
    let path = provider.consent(url, &subject(world, name), &verified(world, name));
    code(&came_back(world, &path))
}

fn link(world: &World, person: &Person, code: &str) -> Answer {
    post(world, person, IDENTITIES, &json!({ "code": code, "verifier": KEPT }))
}

/// Makes a token of claims.
type Forge<'a> = Box<dyn Fn(&Value) -> String + 'a>;

#[test]
fn somebody_signs_up_at_a_provider_and_comes_in_again() {
    let (world, provider) = started(World::logged, &[]);
    let listed = world.get("/v1/sign-in").expect(200).json();
    let (acme, other) = (
        json!({ "name": "acme", "label": "Acme ID" }),
        json!({ "name": "other", "label": "other" }),
    );
    assert_eq!(listed, json!({ "providers": [acme, other] }));
    let first = went(&world, &provider, "ana");
    let ana = person(redeem(&world, &first));
    let account = me(&world, &ana).expect(200).json();
    assert_eq!(account["name"], "ana");
    let [identity] = &identities(&world, &ana)[..] else { panic!("one identity") };
    assert_eq!(identity["provider"], "acme");
    assert_eq!(identity["issuer"], provider.issuer());
    assert_eq!(identity.get("subject"), None, "it is not kept");
    let again = went(&world, &provider, "ana");
    assert_eq!(person(redeem(&world, &again)).id, ana.id);
    // Her refresh token is like any other.
    let body = json!({ "refresh_token": ana.refresh_token });
    world.post("/v1/sessions/refresh", &body).expect(200);
    // What the provider publishes was asked for once.
    assert_eq!(
        (provider.asked("/.well-known/openid-configuration"), provider.asked("/keys")),
        (1, 1)
    );
    world.until_logged("\"signed in\"");
    for secret in [&*world.email("ana"), CLIENT.1, KEPT, &first, "code-0", &subject(&world, "ana")]
    {
        assert!(!world.log().contains(secret), "{secret}");
    }
}

#[test]
fn an_app_is_opened_as_a_page_is() {
    let (world, provider) = shop();
    let begun = world.post("/v1/sign-in/acme", &way(APP)).expect(200).json();
    let url = begun["url"].as_str().expect("an address");
    let path = provider.consent(url, &subject(&world, "ana"), &verified(&world, "ana"));
    let location = came_back(&world, &path);
    let code = location.strip_prefix(&format!("{APP}&code=")).expect("a code");
    let named = json!({ "name": "phone", "display_name": "Ana A." });
    let ana = person(redeem_with(&world, code, &named));
    assert_eq!(me(&world, &ana).expect(200).json()["name"], "Ana A.");
    let sessions =
        world.call(Call::new("GET", "/v1/sessions").token(&ana.token)).expect(200).json();
    assert_eq!(sessions["sessions"][0]["name"], "phone");
}

#[test]
fn a_page_of_ours_gets_the_refresh_token_in_a_cookie() {
    let origin = "https://shop.example";
    let (world, provider) =
        started(World::with_settings, &[("BARTERLINE_SERVER__ORIGINS", origin)]);
    let code = went(&world, &provider, "ana");
    let body = json!({ "code": code, "verifier": KEPT, "cookie": true });
    let call =
        |origin: &str| Call::new("POST", "/v1/sign-in/redeem").header("origin", origin).json(&body);
    world.call(call("https://evil.example")).problem(403, "origin.forbidden");
    let answer = world.call(call(origin)).expect(201);
    assert!(answer.headers["set-cookie"].starts_with("__Host-barterline-refresh="));
    assert!(answer.json()["refresh_token"].is_null());
}

#[test]
fn what_came_back_is_good_once_and_with_what_was_kept() {
    let (world, provider) = shop();
    let code = went(&world, &provider, "ana");
    let refused =
        |body: Value| world.post("/v1/sign-in/redeem", &body).problem(422, "code.invalid");
    for verifier in ["", "x", &"x".repeat(43), &"x".repeat(129)] {
        refused(json!({ "code": code, "verifier": verifier }));
    }
    for wrong in ["", "x", &code[..code.len() - 2], &code.replace("local", "public")] {
        refused(json!({ "code": wrong, "verifier": KEPT }));
    }
    // Nor is what brings somebody back what says who they are.
    let state = query(&begun(&world))["state"].clone();
    refused(json!({ "code": state, "verifier": KEPT }));
    let ana = person(redeem(&world, &code));
    redeem(&world, &code).problem(422, "code.invalid");
    // A way to sign in links nothing.
    world.register("bob").expect(201);
    let bob = world.log_in("bob");
    link(&world, &bob, &went(&world, &provider, "bob")).problem(422, "code.invalid");
    me(&world, &ana).expect(200);
}

#[test]
fn nobody_comes_back_by_a_way_that_is_not_ours() {
    let (world, provider) = shop();
    let url = begun(&world);
    let path = provider.consent(&url, &subject(&world, "ana"), &verified(&world, "ana"));
    for wrong in [
        "/v1/sign-in/acme/callback".to_owned(),
        "/v1/sign-in/acme/callback?state=x&code=y".to_owned(),
        "/v1/sign-in/acme/callback?error=access_denied".to_owned(),
        path.replace("state=v4", "state=v3"),
        // The way to another provider.
        path.replace("/acme/", "/other/"),
    ] {
        let answer = world.get(&wrong);
        assert!(!answer.headers.contains_key("location"), "{wrong}");
        answer.problem(400, "sign_in.state_invalid");
    }
    world.get(&path.replace("/acme/", "/nobody/")).problem(404, "sign_in.provider_not_found");
    code(&came_back(&world, &path));
    // The provider's code is good once.
    failed(&came_back(&world, &path), "provider_refused");
}

#[test]
fn nobody_is_sent_where_the_list_does_not_lead() {
    let (world, _provider) = shop();
    for elsewhere in ["https://evil.example/", "", "https://shop.example/signed-in/", "/signed-in"]
    {
        world.post("/v1/sign-in/acme", &way(elsewhere)).problem(422, "sign_in.return_refused");
    }
    for challenge in ["", "x", KEPT] {
        let body = json!({ "challenge": challenge, "return_to": PAGE });
        world.post("/v1/sign-in/acme", &body).problem(422, "sign_in.challenge_invalid");
    }
    world.post("/v1/sign-in/nobody", &way(PAGE)).problem(404, "sign_in.provider_not_found");
}

#[test]
fn a_provider_says_no() {
    let (world, provider) = shop();
    for (said, word) in [
        (&[("error", "access_denied")][..], "denied"),
        (&[("error", "temporarily_unavailable")], "provider_unavailable"),
        (&[("error", "https://evil.example")], "provider_refused"),
        (&[("code", "of nobody")], "provider_refused"),
        (&[], "provider_refused"),
    ] {
        failed(&came_back(&world, &back(&begun(&world), said)), word);
    }
    // Another provider's answer (mix-up).
    let url = begun(&world);
    let path = provider.consent(&url, &subject(&world, "ana"), &verified(&world, "ana"));
    let issuer = provider.issuer().replace(':', "%3A").replace('/', "%2F");
    assert!(path.contains(&issuer), "{path}");
    failed(
        &came_back(&world, &path.replace(&issuer, "https%3A%2F%2Fevil.example")),
        "provider_refused",
    );
}

#[test]
fn an_id_token_proves_nothing_but_what_was_asked_for() {
    let (world, provider) = shop();
    let claims = |url: &str, more: Value| {
        let mut claims = verified(&world, "ana");
        for (name, value) in more.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        provider.claims(url, &subject(&world, "ana"), &claims)
    };
    for wrong in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": format!("{}/", provider.issuer()) }),
        json!({ "aud": "another" }),
        json!({ "aud": [] }),
        json!({ "aud": [CLIENT.0, "another"] }),
        json!({ "azp": "another" }),
        json!({ "exp": seconds(-120) }),
        json!({ "exp": null }),
        json!({ "iat": seconds(600) }),
        json!({ "sub": "" }),
        json!({ "sub": "x".repeat(256) }),
        json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
    ] {
        let url = begun(&world);
        let token = provider.sign(&claims(&url, wrong.clone()));
        let location = came_back(&world, &provider.consent_with(&url, token));
        assert_eq!(location, format!("{PAGE}?error=provider_refused"), "{wrong}");
    }
    let stranger = Key::new("first");
    let forged: [Forge<'_>; 6] = [
        Box::new(unsigned),
        Box::new(|claims| provider.with_key(|key| key.sign_with_what_is_public(claims))),
        Box::new(|claims| stranger.sign(claims)),
        Box::new(|claims| provider.sign(claims) + "A"),
        Box::new(|_| "no.token.atall".to_owned()),
        Box::new(|claims| {
            let header = json!({ "alg": "ES256", "kid": "first", "crit": ["exp"] });
            provider.with_key(|key| key.sign_as(&header, claims))
        }),
    ];
    for (n, forge) in forged.iter().enumerate() {
        let url = begun(&world);
        let token = forge(&claims(&url, json!({})));
        let location = came_back(&world, &provider.consent_with(&url, token));
        assert_eq!(location, format!("{PAGE}?error=provider_refused"), "{n}");
    }
    let url = begun(&world);
    let token = provider.sign(&claims(&url, json!({ "azp": CLIENT.0, "aud": [CLIENT.0] })));
    redeem(&world, &code(&came_back(&world, &provider.consent_with(&url, token)))).expect(201);
}

#[test]
fn a_provider_that_is_down_is_said_to_be() {
    let (world, provider) = shop();
    provider.set_down(true);
    let answer = world.post("/v1/sign-in/acme", &way(PAGE));
    assert!(answer.headers.contains_key("retry-after"));
    answer.problem(503, "sign_in.provider_unavailable");
    provider.set_down(false);
    let url = begun(&world);
    let path = provider.consent(&url, &subject(&world, "ana"), &verified(&world, "ana"));
    provider.set_down(true);
    failed(&came_back(&world, &path), "provider_unavailable");
    // Where to go is known still.
    begun(&world);
    provider.set_down(false);
    redeem(&world, &code(&came_back(&world, &path))).expect(201);
}

#[test]
fn a_provider_is_who_the_settings_say() {
    let provider = Provider::new();
    // The same under another name than it gives itself.
    let issuer = format!("http://localhost:{}", provider.at.port());
    let settings = settings(&provider, &[("BARTERLINE_PROVIDERS__ACME__ISSUER", &issuer)]);
    let settings: Vec<_> = settings.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
    let world = World::with_settings(&settings);
    world.post("/v1/sign-in/acme", &way(PAGE)).problem(503, "sign_in.provider_unavailable");
    assert_eq!(provider.asked("/keys"), 0);
}

#[test]
fn a_key_that_is_new_is_asked_for_and_not_all_the_time() {
    let (world, provider) = shop();
    redeem(&world, &went(&world, &provider, "ana")).expect(201);
    provider.change_key(Key::edwards("second"));
    redeem(&world, &went(&world, &provider, "ana")).expect(201);
    assert_eq!(provider.asked("/keys"), 2);
    provider.change_key(Key::new("third"));
    for _ in 0..3 {
        let path =
            provider.consent(&begun(&world), &subject(&world, "ana"), &verified(&world, "ana"));
        failed(&came_back(&world, &path), "provider_refused");
    }
    assert_eq!(provider.asked("/keys"), 2, "once a minute");
}

#[test]
fn an_address_alone_opens_no_account() {
    let (world, provider) = shop();
    let ana = world.person("ana");
    let code = went(&world, &provider, "ana");
    redeem(&world, &code).problem(409, "sign_in.account_exists");
    assert_eq!(identities(&world, &ana), Vec::<Value>::new());
    // What nobody has confirmed makes no account, and opens none.
    provider.tell(json!({ "sub": subject(&world, "ana"), "email": world.email("ana") }));
    for unconfirmed in [
        json!({}),
        json!({ "email": world.email("ana") }),
        json!({ "email": world.email("ana"), "email_verified": false }),
        json!({ "email": "none", "email_verified": true }),
    ] {
        let path = provider.consent(&begun(&world), &subject(&world, "ana"), &unconfirmed);
        let code = self::code(&came_back(&world, &path));
        redeem(&world, &code).problem(403, "sign_in.email_unverified");
    }
}

#[test]
fn a_provider_is_asked_once_more_for_an_address() {
    let (world, provider) = shop();
    let mut told = verified(&world, "ana");
    told["sub"] = json!("somebody else");
    provider.tell(told.clone());
    let path = provider.consent(&begun(&world), &subject(&world, "ana"), &json!({}));
    failed(&came_back(&world, &path), "provider_refused");
    told["sub"] = json!(subject(&world, "ana"));
    provider.tell(told);
    let path = provider.consent(&begun(&world), &subject(&world, "ana"), &json!({}));
    let ana = person(redeem(&world, &code(&came_back(&world, &path))));
    assert_eq!(me(&world, &ana).expect(200).json()["name"], "ana");
}

#[test]
fn a_provider_may_make_no_accounts() {
    let closed = [("BARTERLINE_PROVIDERS__ACME__SIGN_UP", "false")];
    let (world, provider) = started(World::with_settings, &closed);
    redeem(&world, &went(&world, &provider, "ana")).problem(403, "sign_in.closed");
    let ana = world.person("ana");
    let code = link_code(&world, &provider, &ana, "ana");
    link(&world, &ana, &code).expect(201);
    assert_eq!(person(redeem(&world, &went(&world, &provider, "ana"))).id, ana.id);
}

#[test]
fn an_identity_is_linked_and_unlinked_by_who_knows_the_password() {
    let (world, provider) = started(World::mailing, &[]);
    let (ana, bob) = (world.person("ana"), world.person("bob"));
    begin_link(&world, &ana, "wrong horse").problem(403, "password.wrong");
    let body = json!({ "password": "correct horse", "challenge": "x", "return_to": PAGE });
    post(&world, &ana, &format!("{IDENTITIES}/acme"), &body)
        .problem(422, "sign_in.challenge_invalid");
    let code = link_code(&world, &provider, &ana, "ana");
    // For who began it, and for nobody's log-in.
    link(&world, &bob, &code).problem(422, "code.invalid");
    redeem(&world, &code).problem(422, "code.invalid");
    let linked = link(&world, &ana, &code).expect(201).json();
    assert_eq!(json!(identities(&world, &ana)), json!([linked]));
    link(&world, &ana, &code).problem(422, "code.invalid");
    assert!(world.mail_to(&at(&world, "ana")).text.contains("without your password"));
    let signed_in = person(redeem(&world, &went(&world, &provider, "ana")));
    assert_eq!(signed_in.id, ana.id);
    let code = link_code(&world, &provider, &bob, "ana");
    link(&world, &bob, &code).problem(409, "identity.taken");

    let end = format!("{IDENTITIES}/{}/end", linked["id"].as_str().expect("an id"));
    let proof = json!({ "password": "correct horse" });
    post(&world, &ana, &end, &json!({ "password": "wrong horse" })).problem(403, "password.wrong");
    post(&world, &bob, &end, &proof).problem(404, "identity.not_found");
    post(&world, &ana, &end, &proof).expect(204);
    post(&world, &ana, &end, &proof).problem(404, "identity.not_found");
    assert_eq!(identities(&world, &ana), Vec::<Value>::new());
    // Who came in by it is out.
    me(&world, &ana).expect(200);
    me(&world, &signed_in).problem(401, "token.invalid");
    redeem(&world, &went(&world, &provider, "ana")).problem(409, "sign_in.account_exists");
    assert!(world.mail_after(1, &at(&world, "ana")).text.contains("no longer be entered"));
    let noted: Vec<_> = world.noted(&ana.id).into_iter().map(|(_, action, _)| action).collect();
    for action in ["identity.link", "identity.unlink"] {
        assert!(noted.iter().any(|noted| noted == action), "{noted:?}");
    }
}

#[test]
fn who_has_no_password_loses_no_last_way_in_and_sets_one_by_mail() {
    let (world, provider) = started(World::mailing, &[]);
    let ana = person(redeem(&world, &went(&world, &provider, "ana")));
    // Whose address it is hears of the account that was made by it.
    let told = world.mail_to(&at(&world, "ana"));
    assert!(told.head.contains("Subject: Another way to sign in"), "{told:?}");
    let id = identities(&world, &ana)[0]["id"].as_str().expect("an id").to_owned();
    let end = format!("{IDENTITIES}/{id}/end");
    let proof = json!({ "password": "correct horse" });
    for path in [&end, "/v1/accounts/me/erasure", "/v1/accounts/me/second-factor"] {
        post(&world, &ana, path, &proof).problem(403, "password.none");
    }
    let body = json!({ "email": world.email("ana"), "password": "correct horse" });
    world.post("/v1/sessions", &body).problem(401, "login.failed");
    world.post("/v1/accounts/password-resets", &json!({ "email": world.email("ana") })).expect(202);
    let code = world.mail_after(1, &at(&world, "ana")).secret("reset");
    let body = json!({ "code": code, "password": "correct horse" });
    world.post("/v1/accounts/password-resets/confirm", &body).expect(204);
    let ana = world.log_in("ana");
    post(&world, &ana, &end, &proof).expect(204);
}

#[test]
fn a_second_factor_is_asked_for_whoever_vouches() {
    let (world, provider) = shop();
    let ana = world.person("ana");
    let code = link_code(&world, &provider, &ana, "ana");
    link(&world, &ana, &code).expect(201);
    let (_, paper) = turned_on(&world, &ana);
    let code = went(&world, &provider, "ana");
    redeem(&world, &code).problem(401, "login.code_required");
    let with = |second_factor: &str| {
        redeem_with(&world, &code, &json!({ "second_factor_code": second_factor }))
    };
    with("000000").problem(403, "second_factor.code_wrong");
    // None of that has used it up.
    assert_eq!(person(with(&paper[0])).id, ana.id);
    with(&paper[1]).problem(422, "code.invalid");
}

#[test]
fn who_is_kept_out_or_gone_does_not_come_in() {
    let (world, provider) = shop();
    let ana = world.person("ana");
    let code = link_code(&world, &provider, &ana, "ana");
    link(&world, &ana, &code).expect(201);
    world.staff("PUT", &format!("/accounts/{}/suspension", ana.id)).expect(204);
    let code = went(&world, &provider, "ana");
    redeem(&world, &code).problem(403, "account.suspended");
    world.staff("DELETE", &format!("/accounts/{}/suspension", ana.id)).expect(204);
    let ana = person(redeem(&world, &code));
    let proof = json!({ "password": "correct horse" });
    let archive = post(&world, &ana, "/v1/accounts/me/archive", &proof).expect(200).body;
    assert!(archive.lines().any(|line| line.contains("\"line\":\"identity\"")), "{archive}");
    let done = post(&world, &ana, "/v1/accounts/me/erasure", &proof).expect(200).json();
    assert_eq!(done["done"], true);
    // Nobody they were before.
    let anew = person(redeem(&world, &went(&world, &provider, "ana")));
    assert_ne!(anew.id, ana.id);
}

#[test]
fn log_ins_elsewhere_count_as_log_ins() {
    let few =
        [("BARTERLINE_LIMITS__LOG_INS_PER_MINUTE", "1"), ("BARTERLINE_LIMITS__LOG_INS_BURST", "3")];
    let (world, _provider) = started(World::with_settings, &few);
    world.post("/v1/sign-in/nobody", &way(PAGE)).problem(404, "sign_in.provider_not_found");
    world.get("/v1/sign-in/acme/callback").problem(400, "sign_in.state_invalid");
    redeem(&world, "x").problem(422, "code.invalid");
    let told = [
        world.post("/v1/sign-in/acme", &way(PAGE)),
        world.get("/v1/sign-in/acme/callback"),
        redeem(&world, "x"),
        world.post("/v1/sessions/exchange", &json!({ "token": "x" })),
    ];
    for told in told {
        assert_eq!(told.problem(429, "rate.limited")["scope"], "log_ins");
    }
}

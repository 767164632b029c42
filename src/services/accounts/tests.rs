use std::net::Ipv4Addr;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use async_trait::async_trait;
use barterline_domain::account::{ApiKeyName, Locale, Scope};
use barterline_domain::clock::ManualClock;
use barterline_domain::ids::MediaId;
use barterline_storage::accounts::ProfileChange;
use barterline_storage::codes::CodePurpose;
use barterline_storage::credentials::Replaced;
use barterline_storage::embedded::accounts::EmbeddedAccounts;
use barterline_storage::embedded::api_keys::EmbeddedApiKeys;
use barterline_storage::embedded::audit::EmbeddedAudit;
use barterline_storage::embedded::codes::EmbeddedCodes;
use barterline_storage::embedded::credentials::EmbeddedCredentials;
use barterline_storage::embedded::engine::Engine;
use barterline_storage::embedded::identities::EmbeddedIdentities;
use barterline_storage::embedded::sessions::EmbeddedSessions;
use barterline_storage::identities::{Identity, Linked};
use barterline_storage::sessions::REPEATED_FOR;
use data_encoding::BASE32_NOPAD;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::broadcast::error::TryRecvError;
use tokio_util::sync::CancellationToken;
use totp_rs::{Builder, Totp};

use super::load_test::LOAD_TEST_LIFETIME;
use super::*;
use crate::adapters::breached_passwords::BreachedPasswords;
use crate::adapters::openid::{Issuer, OpenIdError, Person, Vouched};
use crate::auth::keyring::Keyring;
use crate::auth::sealed::Purpose;
use crate::ids::{Ids, SystemIds};
use crate::mail::{self, Courier, Folder, Letter, Stationery, Transport};
use crate::telemetry::metrics::MailMetrics;

const DAY: Duration = Duration::from_hours(24);
const LIFETIMES: Lifetimes = Lifetimes {
    idle: Duration::from_hours(30 * 24),
    whole: Duration::from_hours(100 * 24),
    code_steps: 1,
};

pub(super) struct World {
    pub(super) accounts: Accounts,
    clock: Arc<ManualClock>,
    pub(super) engine: Engine,
    tokens: Tokens,
    _dir: TempDir,
}

pub(super) fn world() -> World {
    let dir = TempDir::new().expect("a directory");
    let engine = Engine::open(&dir.path().join("main.redb")).expect("a file");
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let tokens = Tokens::new(Keyring::generate());
    let accounts = process(&engine, &clock, &tokens);
    World { accounts, clock, engine, tokens, _dir: dir }
}

/// A server's rules, as they are after a start.
fn process(engine: &Engine, clock: &Arc<ManualClock>, tokens: &Tokens) -> Accounts {
    process_with(engine, clock, tokens, None)
}

fn process_with(
    engine: &Engine,
    clock: &Arc<ManualClock>,
    tokens: &Tokens,
    mailing: Option<Mailing>,
) -> Accounts {
    let rules = PasswordRules { score_min: 3, words: Vec::new(), breached: None };
    Accounts::new(Parts { mailing, ..parts(engine, clock, tokens, rules) })
}

fn process_by(
    engine: &Engine,
    clock: &Arc<ManualClock>,
    tokens: &Tokens,
    rules: PasswordRules,
) -> Accounts {
    Accounts::new(parts(engine, clock, tokens, rules))
}

fn parts(
    engine: &Engine,
    clock: &Arc<ManualClock>,
    tokens: &Tokens,
    password_rules: PasswordRules,
) -> Parts {
    Parts {
        credentials: Arc::new(EmbeddedCredentials(engine.clone())),
        codes: Arc::new(EmbeddedCodes(engine.clone())),
        identities: Arc::new(EmbeddedIdentities(engine.clone())),
        accounts: Arc::new(EmbeddedAccounts(engine.clone())),
        sessions: Arc::new(EmbeddedSessions(engine.clone())),
        api_keys: Arc::new(EmbeddedApiKeys(engine.clone())),
        tokens: tokens.clone(),
        // All processes of a world have the same.
        data_keys: Arc::new(DataKeys::generate(&Same)),
        site: String::new(),
        lifetimes: LIFETIMES,
        factor_rule: FactorRule::Optional,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ids: Arc::new(SystemIds),
        hashing: PasswordHashing::new(2, 8).expect("threads"),
        password_rules,
        limits: Arc::new(Limits::none()),
        audit: AuditLog::new(
            Arc::new(EmbeddedAudit(engine.clone())),
            Arc::clone(clock) as Arc<dyn Clock>,
        ),
        addresses: Addresses::Network,
        mailing: None,
        cluster: None,
        sign_ins: SignIns::default(),
        avatars: Arc::new(NoAvatars),
    }
}

/// The same, with mail as files in a directory, which is sent by who runs the courier.
fn mailing(world: &World, dir: &TempDir) -> (Accounts, Courier, Waiting) {
    let (errands, waiting) = Errands::open();
    let link = "https://shop.example/account".to_owned();
    let (mailer, courier) = mail::open(mail::Parts {
        stationery: Stationery::new("us@shop.example", link).expect("a sender"),
        transport: Transport::File(Folder::open(dir.path()).expect("a directory")),
        clock: Arc::clone(&world.clock) as Arc<dyn Clock>,
        ids: Arc::new(SystemIds),
        metrics: MailMetrics::default(),
    });
    let mailing = Some(Mailing { mailer, errands, verify_email: true });
    let accounts = process_with(&world.engine, &world.clock, &world.tokens, mailing);
    (accounts, courier, waiting)
}

/// Not random.
struct Same;

impl Ids for Same {
    fn secret(&self) -> [u8; 32] {
        std::array::from_fn(|at| at as u8 ^ 0x5a)
    }
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.org")).expect("an address")
}

fn password(text: &str) -> Password {
    Password::parse(text.to_owned()).expect("a password")
}

fn shown(text: &str) -> Shown {
    Shown { password: password(text), code: None }
}

impl World {
    async fn register(&self, name: &str) -> Result<Account, RegisterError> {
        let registration = Registration {
            email: email(name),
            password: password("correct horse"),
            name: DisplayName::parse(name).expect("a name"),
        };
        self.accounts.register(registration).await
    }

    async fn log_in(&self, name: &str, text: &str) -> Result<LogIn, LogInError> {
        let here = Ipv4Addr::LOCALHOST.into();
        self.accounts.log_in(&email(name), shown(text), Device::default(), here).await
    }

    /// Somebody registered and logged in.
    async fn person(&self, name: &str) -> LogIn {
        self.register(name).await.expect("an account");
        self.log_in(name, "correct horse").await.expect("a log-in")
    }
}

#[tokio::test]
async fn who_registers_logs_in_and_is_recognised() {
    let world = world();
    let account = world.register("ana").await.expect("an account");
    let log_in = world.log_in("ana", "correct horse").await.expect("a log-in");
    assert_eq!(log_in.user, account.id);
    let principal = world.accounts.authenticate(&log_in.access_token).await.expect("ana");
    assert_eq!((principal.user, principal.session()), (account.id, Ok(log_in.session)));
    assert_eq!(principal.roles, [AccountRole::User]);
    assert_eq!(principal.expires_at, log_in.access_expires_at);
    assert_eq!(world.accounts.profile(account.id).await.expect("a read"), Some(account));
}

#[tokio::test]
async fn an_address_is_one_persons() {
    let world = world();
    world.register("ana").await.expect("an account");
    let again = world.register("ana").await;
    assert!(matches!(again, Err(RegisterError::EmailTaken)), "{again:?}");
    let (first, second) = tokio::join!(world.register("bea"), world.register("bea"));
    assert!(first.is_ok() ^ second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test]
async fn unknown_address_and_wrong_password_are_one_answer() {
    let world = world();
    world.register("ana").await.expect("an account");
    let wrong = world.log_in("ana", "battery staple").await.expect_err("no log-in");
    let unknown = world.log_in("bea", "correct horse").await.expect_err("no log-in");
    assert!(matches!(wrong, LogInError::Failed), "{wrong:?}");
    assert!(matches!(unknown, LogInError::Failed), "{unknown:?}");
    assert_eq!(wrong.to_string(), unknown.to_string());
}

#[tokio::test]
async fn a_hash_of_earlier_parameters_is_made_anew_at_the_next_log_in() {
    let world = world();
    let ana = world.person("ana").await.user;
    let credentials = &world.accounts.0.credentials;
    let found = async || credentials.find_by_user(ana).await.expect("a read").expect("ana");
    let params = argon2::Params::new(8_192, 1, 1, None).expect("parameters");
    let earlier = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let earlier = earlier.hash_password(b"correct horse").expect("a hash").to_string();
    assert!(earlier.contains("m=8192,t=1"), "{earlier}");
    let dated = Credential { password_hash: Some(earlier.clone()), ..found().await };
    let replaced = credentials.replace(&found().await, dated).await.expect("a write");
    assert_eq!(replaced, Replaced::Done);
    world.log_in("ana", "battery staple").await.expect_err("no log-in");
    assert_eq!(
        found().await.password_hash.as_deref(),
        Some(&*earlier),
        "who knows it not renews nothing"
    );
    world.log_in("ana", "correct horse").await.expect("a log-in");
    let renewed = found().await.password_hash.expect("a hash");
    assert!(!PasswordHashing::is_dated(&renewed), "{renewed}");
    world.log_in("ana", "correct horse").await.expect("a log-in by the new one");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_the_session_goes_on() {
    let world = world();
    let first = world.person("ana").await;
    world.clock.advance(LIFETIME);
    let stale = world.accounts.authenticate(&first.access_token).await;
    assert!(matches!(stale, Err(AuthError::Token(TokenError::Expired))), "{stale:?}");
    let second = world.accounts.refresh(&first.refresh_token).await.expect("a refresh");
    assert_eq!((second.user, second.session), (first.user, first.session));
    assert!(second.refresh_expires_at > first.refresh_expires_at);
    assert!(world.accounts.authenticate(&second.access_token).await.is_ok());
    assert!(world.accounts.refresh(&second.refresh_token).await.is_ok());
}

#[tokio::test]
async fn a_used_refresh_token_ends_the_session_for_everybody() {
    let world = world();
    let (ana, bea) = (world.person("ana").await, world.person("bea").await);
    let mut revocations = world.accounts.revocations();
    let next = world.accounts.refresh(&ana.refresh_token).await.expect("a refresh");
    assert!(matches!(revocations.try_recv(), Err(TryRecvError::Empty)));
    // Its answer may have been lost.
    let again = world.accounts.refresh(&ana.refresh_token).await.expect("the same again");
    assert_eq!(again.refresh_token, next.refresh_token);
    assert!(matches!(revocations.try_recv(), Err(TryRecvError::Empty)));
    world.clock.advance(REPEATED_FOR);
    let reused = world.accounts.refresh(&ana.refresh_token).await;
    assert!(matches!(reused, Err(RefreshError::Invalid)), "{reused:?}");
    let revoked = revocations.try_recv().expect("a revocation");
    assert_eq!(revoked, Revoked::Session { user: ana.user, session: ana.session });
    assert!(world.accounts.refresh(&next.refresh_token).await.is_err());
    let over = world.accounts.authenticate(&next.access_token).await;
    assert!(matches!(over, Err(AuthError::Revoked)), "{over:?}");
    assert!(world.accounts.authenticate(&bea.access_token).await.is_ok());
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends() {
    let world = world();
    let log_in = world.person("ana").await;
    world.clock.advance(LIFETIMES.idle);
    assert!(world.accounts.refresh(&log_in.refresh_token).await.is_err());
}

#[tokio::test]
async fn a_session_that_is_always_used_ends_as_well() {
    let world = world();
    let log_in = world.person("ana").await;
    let (mut token, end) = (log_in.refresh_token, world.clock.now().plus(LIFETIMES.whole));
    for days in [20, 20, 20, 20, 19] {
        world.clock.advance(DAY * days);
        let renewed = world.accounts.refresh(&token).await.expect("a refresh");
        assert!(renewed.refresh_expires_at <= end);
        token = renewed.refresh_token;
    }
    world.clock.advance(DAY);
    let over = world.accounts.refresh(&token).await;
    assert!(matches!(over, Err(RefreshError::Invalid)), "{over:?}");
}

#[tokio::test]
async fn a_session_from_when_they_lasted_longer_ends_with_the_next_refresh() {
    let world = world();
    let log_in = world.person("ana").await;
    world.clock.advance(DAY * 2);
    let lifetimes = Lifetimes { idle: DAY, whole: DAY, ..LIFETIMES };
    let parts = parts(&world.engine, &world.clock, &world.tokens, PasswordRules::default());
    let accounts = Accounts::new(Parts { lifetimes, ..parts });
    let over = accounts.refresh(&log_in.refresh_token).await;
    assert!(matches!(over, Err(RefreshError::Invalid)), "{over:?}");
}

#[tokio::test]
async fn a_list_of_leaked_passwords_that_cannot_be_read_lets_none_through() {
    struct Unreadable;
    #[async_trait]
    impl BreachedPasswords for Unreadable {
        async fn contains(&self, _: &[u8]) -> std::io::Result<bool> {
            Err(std::io::Error::other("a broken disk"))
        }
    }
    let world = world();
    let rules = PasswordRules { breached: Some(Arc::new(Unreadable)), ..PasswordRules::default() };
    let accounts = process_by(&world.engine, &world.clock, &world.tokens, rules);
    let password = Password::parse("correct horse".to_owned()).expect("a password");
    let refused = accounts.choose(password, &[]).await;
    assert!(matches!(refused, Err(ChoiceError::Unchecked)), "{refused:?}");
}

#[tokio::test]
async fn no_password_is_made_of_words_of_this_place() {
    let world = world();
    let words = vec!["Gartenzwerg".to_owned(), "Kleinkleckersdorf".to_owned()];
    let rules = PasswordRules { score_min: 3, words, breached: None };
    let accounts = process_by(&world.engine, &world.clock, &world.tokens, rules);
    for (password, is_taken) in
        [("Gartenzwerg1", false), ("kleinkleckersdorf", false), ("Dorfteich-Mondrakete", true)]
    {
        let password = Password::parse(password.to_owned()).expect("a password");
        let chosen = accounts.choose(password, &[]).await;
        assert_eq!(chosen.is_ok(), is_taken, "{chosen:?}");
    }
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let world = world();
    let good = world.person("ana").await.refresh_token;
    let other_secret = format!("{}{}", &good[..good.len() - 4], "AAAA");
    let mut wrong = vec![String::new(), "x".repeat(1 << 16), "é".repeat(32), "!".repeat(64)];
    wrong.extend([format!("{good}A"), good[1..].to_owned(), "A".repeat(64)]);
    for token in wrong {
        let refused = world.accounts.refresh(&token).await;
        assert!(matches!(refused, Err(RefreshError::Invalid)), "{token:.70}: {refused:?}");
    }
    assert!(world.accounts.refresh(&good).await.is_ok(), "nonsense ends no session");
    assert!(world.accounts.refresh(&other_secret).await.is_err());
}

#[tokio::test]
async fn logging_out_ends_the_tokens_here_and_after_a_restart() {
    let world = world();
    let (gone, stays) = (world.person("ana").await, world.person("bea").await);
    let mut revocations = world.accounts.revocations();
    let principal = world.accounts.authenticate(&gone.access_token).await.expect("ana");
    for _ in 0..2 {
        world.accounts.log_out(&principal).await.expect("a log-out");
    }
    let (user, session) = (gone.user, gone.session);
    let revoked = revocations.try_recv().expect("a revocation");
    assert_eq!(revoked, Revoked::Session { user, session });
    let restarted = process(&world.engine, &world.clock, &world.tokens);
    for accounts in [&world.accounts, &restarted] {
        let over = accounts.authenticate(&gone.access_token).await;
        assert!(matches!(over, Err(AuthError::Revoked)), "{over:?}");
        assert!(accounts.refresh(&gone.refresh_token).await.is_err());
        assert!(accounts.authenticate(&stays.access_token).await.is_ok());
    }
}

#[tokio::test]
async fn load_tests_get_accounts_for_a_day() {
    let world = world();
    let opened = world.accounts.open_for_load(20).await.expect("accounts");
    assert_eq!(opened.len(), 20);
    let second = Duration::from_secs(1);
    world.clock.advance(LOAD_TEST_LIFETIME.saturating_sub(second));
    for (user, token) in &opened {
        let principal = world.accounts.authenticate(token).await.expect("a principal");
        assert_eq!(principal.user, *user);
    }
    world.clock.advance(second);
    assert!(world.accounts.authenticate(&opened[0].1).await.is_err());
    assert!(world.accounts.open_for_load(0).await.expect("none").is_empty());
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_registration_is_confirmed_within_a_day() {
    let world = world();
    let hash = world.accounts.0.hashing.hash(password("correct horse")).await.expect("a turn");
    let name = DisplayName::parse("Ana").expect("a name");
    let claims = registration::Sealed::new(&email("ana"), &name, hash);
    let (now, lifetime) = (world.clock.now(), registration::TOKEN_LIFETIME);
    let token = world.accounts.0.sealing.seal(Purpose::Registration, claims, now, lifetime);
    let confirm = async |at: Timestamp| {
        let there = process(&world.engine, &Arc::new(ManualClock::at(at)), &world.tokens);
        let (token, password) = (token.clone(), password("correct horse"));
        there.confirm(Confirmation { token, password }, Ipv4Addr::LOCALHOST.into()).await
    };
    let late = confirm(now.plus(lifetime)).await;
    assert!(matches!(late, Err(ConfirmError::Token)), "{late:?}");
    let account = confirm(now.plus(lifetime.saturating_sub(MINUTE))).await.expect("in time");
    let credential = world.accounts.0.credentials.find_by_user(account.id).await.expect("a read");
    let verified = credential.and_then(|credential| credential.email_verified_at);
    assert_eq!(verified, Some(account.created_at));
}

#[tokio::test]
async fn a_mailed_code_is_good_for_ten_minutes_and_shows_whose_the_address_is() {
    let world = world();
    let account = world.register("ana").await.expect("an account");
    let kept = world.accounts.sealed_email(account.id, &email("ana"));
    let code = async || {
        let purpose = CodePurpose::ResetPassword;
        world.accounts.fresh_code(account.id, kept.clone(), purpose).await.expect("a code")
    };
    let reset = async |code: &str| {
        let here = Ipv4Addr::LOCALHOST.into();
        let new = password("battery staple");
        world.accounts.reset_password(code, new, here, Language::English).await
    };
    let (first, second) = (code().await, code().await);
    world.clock.advance(9 * MINUTE);
    reset(&first).await.expect("in time");
    let credential = world.accounts.0.credentials.find_by_user(account.id).await.expect("a read");
    assert_eq!(credential.expect("ana's").email_verified_at, Some(world.clock.now()));
    let other = reset(&second).await;
    assert!(matches!(other, Err(CodeError::Invalid)), "of before the change: {other:?}");
    let third = code().await;
    world.clock.advance(10 * MINUTE);
    let late = reset(&third).await;
    assert!(matches!(late, Err(CodeError::Invalid)), "{late:?}");
    let moving = CodePurpose::ChangeEmail;
    let fourth = world.accounts.fresh_code(account.id, kept.clone(), moving).await.expect("a code");
    let other = reset(&fourth).await;
    assert!(matches!(other, Err(CodeError::Invalid)), "for something else: {other:?}");
}

#[tokio::test]
async fn a_code_is_good_for_its_own_time_alone_where_clocks_are_granted_nothing() {
    let mut world = world();
    let lifetimes = Lifetimes { code_steps: 0, ..LIFETIMES };
    let parts = parts(&world.engine, &world.clock, &world.tokens, PasswordRules::default());
    world.accounts = Accounts::new(Parts { lifetimes, ..parts });
    let ana = world.person("ana").await;
    let (totp, principal) = program(&world, &ana).await;
    let (here, english) = (Ipv4Addr::LOCALHOST.into(), Language::English);
    let first = code(&world, &totp);
    let on = world.accounts.confirm_second_factor(&principal, &first, here, english).await;
    on.expect("codes for paper");
    let log_in = async |code: &str| {
        let shown = Shown { password: password("correct horse"), code: Some(code.to_owned()) };
        world.accounts.log_in(&email("ana"), shown, Device::default(), here).await
    };
    // To the beginning of the next step but one.
    let step = 30_000;
    let rest = step - world.clock.now().as_millis() % step;
    world.clock.advance(Duration::from_millis(rest + step));
    let present = code(&world, &totp);
    world.clock.advance(Duration::from_millis(step));
    let late = log_in(&present).await;
    assert!(matches!(late, Err(LogInError::Code(FactorCodeError::Wrong))), "{late:?}");
    let present = code(&world, &totp);
    world.clock.advance(Duration::from_millis(step - 1));
    log_in(&present).await.expect("to its end");
}

#[tokio::test]
async fn who_has_no_password_ends_other_log_ins_from_one_that_has_just_begun() {
    let world = world();
    let (name, roles) = (DisplayName::parse("Ana").expect("a name"), vec![AccountRole::User]);
    let appointment = Appointment { email: email("ana"), password: None, name, roles };
    let account = world.accounts.appoint(appointment).await.expect("an account").account;
    let here = Ipv4Addr::LOCALHOST.into();
    let begin = async || {
        let end = world.clock.now().plus(DAY);
        let now = world.clock.now();
        let log_in = world.accounts.begin_session(&account, Device::default(), now, end).await;
        let token = log_in.expect("a session").access_token;
        world.accounts.verify(&token).expect("a principal")
    };
    let (early, other) = (begin().await, begin().await);
    world.clock.advance(10 * MINUTE);
    let late = world.accounts.end_other_sessions(&early, None, here).await;
    assert!(matches!(late, Err(SessionError::PasswordRequired)), "{late:?}");
    let other = other.session().expect("a log-in");
    let late = world.accounts.end_session(&early, other, None, here).await;
    assert!(matches!(late, Err(SessionError::PasswordRequired)), "{late:?}");
    // Nor is the account taken along or erased by it.
    let late = world.accounts.begin_archive(&early, None, here).await;
    assert!(matches!(late, Err(SessionError::PasswordRequired)), "{late:?}");
    let late = world.accounts.begin_erasure(&early, None, here, Language::English).await;
    assert!(matches!(late, Err(SessionError::PasswordRequired)), "{late:?}");
    let fresh = begin().await;
    world.accounts.begin_archive(&fresh, None, here).await.expect("an archive");
    world.accounts.end_session(&fresh, other, None, here).await.expect("an end");
    let ended = world.accounts.end_other_sessions(&fresh, None, here).await.expect("an end");
    assert_eq!(ended, 1);
}

#[tokio::test]
async fn a_key_ends_when_it_was_said_to() {
    let world = world();
    let ana = world.person("ana").await;
    let principal = world.accounts.authenticate(&ana.access_token).await.expect("ana");
    let name = ApiKeyName::parse("robot").expect("a name");
    let ends = world.clock.now().plus(MINUTE * 10);
    let new = NewKey { name, scopes: vec![Scope::ReadChats], expires_at: Some(ends) };
    let (here, english) = (Ipv4Addr::LOCALHOST.into(), Language::English);
    let made = world.accounts.make_key(&principal, new, shown("correct horse"), here, english);
    let (key, secret) = made.await.expect("a key");
    let robot = world.accounts.authenticate(&secret).await.expect("a robot");
    assert_eq!((robot.user, robot.expires_at), (ana.user, ends));
    world.clock.advance(MINUTE * 10);
    let late = world.accounts.authenticate(&secret).await;
    assert!(matches!(late, Err(AuthError::Token(TokenError::Expired))), "{late:?}");
    let standing = world.accounts.admits(robot.bearer()).await;
    assert!(matches!(standing, Err(AuthError::Token(TokenError::Expired))), "{standing:?}");
    assert_eq!(end_of(&key), ends);
}

#[tokio::test]
async fn who_knew_the_password_before_it_was_changed_shows_a_code_in_vain() {
    let world = world();
    let ana = world.person("ana").await;
    let (totp, principal) = program(&world, &ana).await;
    let (here, english) = (Ipv4Addr::LOCALHOST.into(), Language::English);
    let first = code(&world, &totp);
    let confirmed = world.accounts.confirm_second_factor(&principal, &first, here, english).await;
    let paper = confirmed.expect("codes for paper");
    // As a log-in read it, before it waited for its turn to hash.
    let credentials = &world.accounts.0.credentials;
    let before = credentials.find_by_user(ana.user).await.expect("a read").expect("ana's");
    world.clock.advance(MINUTE);
    let present = Shown { password: password("correct horse"), code: Some(paper[1].clone()) };
    let new = NewPassword { present, new: password("battery staple") };
    world.accounts.change_password(&principal, new, here, english).await.expect("a change");
    let late = world.accounts.use_code(before, &paper[0], here).await;
    assert!(matches!(late, Err(FactorCodeError::Changed)), "{late:?}");
}

/// A program that makes codes, as its owner sets it up.
async fn program(world: &World, ana: &LogIn) -> (Totp, Principal) {
    let here = Ipv4Addr::LOCALHOST.into();
    let principal = world.accounts.authenticate(&ana.access_token).await.expect("ana");
    let begun = world.accounts.begin_second_factor(&principal, password("correct horse"), here);
    let secret = BASE32_NOPAD.decode(begun.await.expect("a secret").secret.as_bytes());
    let totp = Builder::new().with_secret(secret.expect("base32")).build().expect("a program");
    (totp, principal)
}

fn code(world: &World, totp: &Totp) -> String {
    totp.generate(world.clock.now().as_millis() / 1_000).to_string()
}

#[tokio::test]
async fn each_code_of_a_second_factor_counts_once_however_many_come_at_once() {
    const STEP: Duration = Duration::from_secs(30);

    let world = world();
    let ana = world.person("ana").await;
    let (totp, principal) = program(&world, &ana).await;
    let here = Ipv4Addr::LOCALHOST.into();
    let english = Language::English;
    // Before it is confirmed, nothing is asked for.
    world.log_in("ana", "correct horse").await.expect("a log-in");
    let confirm = async |code: &str| {
        world.accounts.confirm_second_factor(&principal, code, here, english).await
    };
    assert!(confirm("123 456").await.is_err());
    let first = code(&world, &totp);
    let paper = confirm(&first).await.expect("codes for paper");
    assert_eq!(paper.len(), 10);
    let log_in = async |code: Option<&str>| {
        let shown = Shown { password: password("correct horse"), code: code.map(str::to_owned) };
        world.accounts.log_in(&email("ana"), shown, Device::default(), here).await
    };
    let wrong = |log_in: Result<LogIn, LogInError>| {
        assert!(matches!(log_in, Err(LogInError::Code(FactorCodeError::Wrong))), "{log_in:?}");
    };
    let asked = log_in(None).await;
    assert!(matches!(asked, Err(LogInError::CodeRequired)), "{asked:?}");
    wrong(log_in(Some(&first)).await);
    world.clock.advance(STEP);
    let second = code(&world, &totp);
    let (one, two) = tokio::join!(log_in(Some(&second)), log_in(Some(&second)));
    assert!(one.is_ok() ^ two.is_ok(), "{one:?} {two:?}");
    // Clocks differ by a step at most, and no code of before the last one counts.
    world.clock.advance(STEP * 3);
    let late = code(&world, &totp);
    world.clock.advance(STEP);
    log_in(Some(&late)).await.expect("a step late");
    world.clock.advance(STEP * 2);
    let too_late = code(&world, &totp);
    world.clock.advance(STEP * 2);
    wrong(log_in(Some(&too_late)).await);
    // On paper: once each, however they are written.
    let (one, two) = tokio::join!(log_in(Some(&paper[0])), log_in(Some(&paper[0])));
    assert!(one.is_ok() ^ two.is_ok(), "{one:?} {two:?}");
    log_in(Some(&paper[1].replace('-', " ").to_uppercase())).await.expect("a log-in");
    let left = world.accounts.second_factor(&principal).await.expect("a read");
    assert_eq!(left, FactorStanding { on: true, recovery_codes: 8 });
    // A wrong password is told before any code.
    let shown = Shown { password: password("battery staple"), code: Some(paper[2].clone()) };
    let failed = world.accounts.log_in(&email("ana"), shown, Device::default(), here).await;
    assert!(matches!(failed, Err(LogInError::Failed)), "{failed:?}");
    log_in(Some(&paper[2])).await.expect("it was not used up");
}

#[tokio::test]
async fn a_secret_that_was_put_in_anothers_place_makes_no_codes() {
    let world = world();
    let (ana, bea) = (world.person("ana").await, world.person("bea").await);
    let (totp, principal) = program(&world, &ana).await;
    program(&world, &bea).await;
    let credentials = &world.accounts.0.credentials;
    let find = async |user| credentials.find_by_user(user).await.expect("a read").expect("one");
    let (hers, other) = (find(ana.user).await, find(bea.user).await);
    let swapped = Credential { second_factor: hers.second_factor, ..other.clone() };
    credentials.replace(&other, swapped).await.expect("a write");
    let here = Ipv4Addr::LOCALHOST.into();
    let bea = world.accounts.authenticate(&bea.access_token).await.expect("bea");
    let confirm = async |who: &Principal| {
        let code = code(&world, &totp);
        world.accounts.confirm_second_factor(who, &code, here, Language::English).await
    };
    let refused = confirm(&bea).await;
    let unopened = matches!(refused, Err(FactorError::Code(FactorCodeError::Unopened(_))));
    assert!(unopened, "{refused:?}");
    assert!(confirm(&principal).await.is_ok());
}

#[tokio::test]
async fn people_are_written_to_in_the_language_that_they_chose() {
    let (world, dir) = (world(), TempDir::new().expect("a directory"));
    let account = world.register("ana").await.expect("an account");
    let locale = Some(Some(Locale::parse("de-CH").expect("a tag")));
    let change = ProfileChange { locale, ..ProfileChange::default() };
    world.accounts.0.accounts.change(account.id, change).await.expect("a change");
    let (accounts, courier, _waiting) = mailing(&world, &dir);
    let letter = Letter::PasswordChanged;
    let kept = accounts.sealed_email(account.id, &email("ana"));
    accounts.write_to(account.id, kept, Language::English, letter).await;
    // Who is to stop at once still sends what is there.
    let stop = CancellationToken::new();
    stop.cancel();
    courier.run(stop).await;
    let mails: Vec<_> = std::fs::read_dir(dir.path()).expect("a directory").collect();
    let [Ok(mail)] = &mails[..] else { panic!("{mails:?}") };
    let mail = std::fs::read_to_string(mail.path()).expect("a mail");
    assert!(mail.contains("Das Passwort deines Kontos"), "{mail}");
}

/// Has every picture, and notes what it is asked. That takes so long.
struct Album {
    clock: Arc<ManualClock>,
    takes: Duration,
    asked: Mutex<Vec<(&'static str, MediaId)>>,
}

#[async_trait]
impl Avatars for Album {
    async fn claim(&self, _: UserId, picture: MediaId, _: Timestamp) -> Result<(), ProfileError> {
        self.clock.advance(self.takes);
        self.asked.lock().push(("claim", picture));
        Ok(())
    }

    async fn doubt(&self, picture: MediaId, _: Timestamp) -> Result<(), StoreError> {
        self.asked.lock().push(("doubt", picture));
        Ok(())
    }
}

impl World {
    /// The same accounts, with pictures.
    fn with_pictures(&self, takes: Duration) -> (Accounts, Arc<Album>) {
        let clock = Arc::clone(&self.clock);
        let album = Arc::new(Album { clock, takes, asked: Mutex::default() });
        let rules = PasswordRules { score_min: 3, words: Vec::new(), breached: None };
        let parts = parts(&self.engine, &self.clock, &self.tokens, rules);
        let avatars = Arc::clone(&album) as Arc<dyn Avatars>;
        (Accounts::new(Parts { avatars, ..parts }), album)
    }
}

#[tokio::test]
async fn a_picture_is_claimed_before_it_is_shown_and_doubted_before_it_is_not() {
    let world = world();
    let account = world.register("ana").await.expect("an account");
    let (accounts, album) = world.with_pictures(Duration::ZERO);
    let [first, second] = [1, 2].map(|n| MediaId::from_bytes([n; 16]));
    let show = async |avatar| {
        let change = ProfileChange { avatar: Some(avatar), ..ProfileChange::default() };
        let changed = accounts.change_profile(Bearer::served(account.id), change).await;
        (changed.expect("a change").avatar, std::mem::take(&mut *album.asked.lock()))
    };
    assert_eq!(show(Some(first)).await, (Some(first), vec![("claim", first)]));
    let swapped = vec![("claim", second), ("doubt", first)];
    assert_eq!(show(Some(second)).await, (Some(second), swapped));
    assert_eq!(show(Some(second)).await, (Some(second), vec![("claim", second)]));
    assert_eq!(show(None).await, (None, vec![("doubt", second)]));
    assert_eq!(show(None).await, (None, vec![]));

    // Too late: it may have ended by now.
    let (slow, _) = world.with_pictures(NAMED_WITHIN);
    let change = ProfileChange { avatar: Some(Some(first)), ..ProfileChange::default() };
    let late = slow.change_profile(Bearer::served(account.id), change.clone()).await;
    assert!(matches!(late, Err(ProfileError::Store(_))), "{late:?}");
    let none = world.accounts.change_profile(Bearer::served(account.id), change).await;
    assert!(matches!(none, Err(ProfileError::AvatarNotFound)), "{none:?}");
    assert_eq!(world.accounts.profile(account.id).await.expect("a read"), Some(account));
}

#[tokio::test]
async fn whoever_asks_for_too_much_mail_at_once_is_told() {
    let (world, dir) = (world(), TempDir::new().expect("a directory"));
    let (accounts, _courier, _waiting) = mailing(&world, &dir);
    let here = Ipv4Addr::LOCALHOST.into();
    let mut asked = Ok(());
    for _ in 0..10_000 {
        asked = asked.and(accounts.ask_for_reset(email("nobody"), here, Language::English).await);
    }
    assert_eq!(asked, Err(AskError::Busy));
}

#[tokio::test]
async fn an_erased_account_lets_nobody_in_and_its_last_step_is_made_up_for() {
    let world = world();
    let log_in = world.person("ana").await;
    // Cut off between the profile and the address.
    let accounts = &world.accounts.0.accounts;
    accounts.erase(log_in.user, world.clock.now()).await.expect("an erasure");
    let authenticated = world.accounts.authenticate(&log_in.access_token).await;
    assert!(matches!(authenticated, Err(AuthError::Revoked)), "{authenticated:?}");
    let refreshed = world.accounts.refresh(&log_in.refresh_token).await;
    assert!(matches!(refreshed, Err(RefreshError::Invalid)), "{refreshed:?}");
    let wrong = world.log_in("ana", "battery staple").await;
    assert!(matches!(wrong, Err(LogInError::Failed)), "{wrong:?}");
    let credentials = &world.accounts.0.credentials;
    let left = credentials.find_by_user(log_in.user).await.expect("a read");
    assert!(left.is_some(), "a guess changes nothing");
    let again = world.log_in("ana", "correct horse").await;
    assert!(matches!(again, Err(LogInError::Failed)), "{again:?}");
    assert_eq!(credentials.find_by_user(log_in.user).await.expect("a read"), None);
    world.register("ana").await.expect("the address is free");
}

/// Vouches for Ana, whatever it is shown.
struct Vouching;

#[async_trait]
impl Issuer for Vouching {
    async fn person(&self, _: &str, now: Timestamp) -> Result<Vouched, OpenIdError> {
        let (issuer, subject) = (self.issuer().to_owned(), "ana".to_owned());
        let person = Person { issuer, subject, email: None, name: None };
        Ok(Vouched { person, at: Some(now), until: now.plus(DAY) })
    }

    fn issuer(&self) -> &'static str {
        "https://id.example"
    }
}

impl World {
    /// The same accounts, to which an issuer brings people along.
    fn with_issuer(&self) -> Accounts {
        let rules = PasswordRules { score_min: 3, words: Vec::new(), breached: None };
        let parts = parts(&self.engine, &self.clock, &self.tokens, rules);
        let (name, issuer) = ("own".to_owned(), Arc::new(Vouching));
        let issuers = vec![NamedIssuer { name, sign_up: true, issuer }];
        let sign_ins = SignIns { issuers, ..SignIns::default() };
        Accounts::new(Parts { sign_ins, ..parts })
    }
}

#[tokio::test]
async fn whom_an_issuer_names_stays_gone_until_they_come_themselves() {
    let world = world();
    let accounts = world.with_issuer();
    let named = async || accounts.known_as("own", "ana", None).await.expect("an answer");
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let token =
        format!("{}.{}.", part(r#"{"alg": "ES256"}"#), part(r#"{"iss": "https://id.example"}"#));
    let come = async || {
        let here = Ipv4Addr::LOCALHOST.into();
        let came = accounts.exchange(&token, None, Device::default(), here).await;
        came.expect("a log-in").user
    };
    let first = named().await.expect("an account");
    assert_eq!(come().await, first);
    let elsewhere = Identity {
        user: first,
        key: [7; 32],
        issuer: "https://login.example".to_owned(),
        provider: "example".to_owned(),
        linked_at: Timestamp::default(),
    };
    let identities = &accounts.0.identities;
    let linked = identities.insert(elsewhere.clone()).await.expect("a write");
    assert_eq!(linked, Linked::Done);

    accounts.forget_account(first).await.expect("an erasure");
    assert_eq!(identities.find(elsewhere.key).await.expect("a read"), None, "of a provider");
    assert_eq!(named().await, Some(first), "nobody is made anew");
    let second = come().await;
    assert_ne!(second, first);
    assert_eq!(named().await, Some(second));
    assert_eq!(come().await, second);

    // Whose account was begun in vain has not left.
    accounts.undo_account(second).await.expect("a removal");
    assert_eq!(accounts.named_by("own", "ana").await.expect("a read"), None);
}

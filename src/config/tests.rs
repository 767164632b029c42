use super::*;

fn load(
    file: &str,
    environment: &[(&str, &str)],
    flags: Vec<Assignment>,
) -> Result<Settings, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("barterline.toml");
    std::fs::write(&path, file).expect("the file is written");
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let sources = Sources { file: Some(path.clone()), environment: environment.collect(), flags };
    Settings::load(&sources)
        .map_err(|mistakes| mistakes.to_string().replace(&path.display().to_string(), "FILE"))
}

#[test]
fn the_stronger_source_wins() {
    let file = "[server]\nlisten = '127.0.0.1:1'\nheader_timeout_ms = 500\n[log]\nlevel = 'warn'";
    let environment = [
        ("BARTERLINE_SERVER__LISTEN", "127.0.0.1:2"),
        ("BARTERLINE_SERVER__REQUEST_TIMEOUT_MS", "700"),
        ("BARTERLINE_DATA", "/srv/x"),
    ];
    let flags = vec![Assignment::flag("--listen", "server", "listen", "127.0.0.1:3")];
    let settings = load(file, &environment, flags).expect("sound settings");
    assert_eq!(settings.server.listen.map(|address| address.port()), Some(3));
    assert_eq!(settings.server.header_timeout_ms, 500);
    assert_eq!(settings.server.request_timeout_ms, 700);
    assert_eq!(settings.storage.data.to_str(), Some("/srv/x"));
    assert_eq!(settings.log.level, "warn");
}

#[test]
fn every_mistake_is_named_at_once() {
    let file = "[server]\nlistne = 1\nheader_timeout_ms = 1\n[sever]\nlisten = 'x'\n\
                [log]\nlevel = 'a=b=c'";
    let environment = [("BARTERLINE_SERVER__ADMIN_LISTEN", "here"), ("BARTERLINE_NONSENSE", "1")];
    let mistakes = load(file, &environment, Vec::new()).expect_err("mistakes");
    let mut lines: Vec<_> = mistakes.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "FILE: `log.level` cannot be \"a=b=c\"; allowed: error, warn, info, debug, trace, or directives such as info,barterline::gateway=debug",
            "FILE: `server.header_timeout_ms` cannot be 1; allowed: 100 to 600000",
            "FILE: there is no section `sever`; there are server, storage, scylla, scylla_roles, keys, redis, socket, chat, listings, search, media, limits, accounts, mail, sign_in, providers.NAME, issuers.NAME, sources.NAME, log",
            "FILE: there is no setting `server.listne`",
            "there is no setting for the variable BARTERLINE_NONSENSE; they read \
             BARTERLINE_SECTION__KEY",
            "variable BARTERLINE_SERVER__ADMIN_LISTEN: `server.admin_listen` cannot be \"here\"; allowed: \
             ADDRESS:PORT",
        ]
    );
}

#[test]
fn a_broken_file_is_named_without_its_text() {
    let mistake = load("[server]\nx = 'hunter2", &[], Vec::new()).expect_err("a mistake");
    assert!(mistake.starts_with("FILE, line 2: "), "{mistake}");
    assert!(!mistake.contains("hunter2"), "{mistake}");
    let mistake = load("listen = 1", &[], Vec::new()).expect_err("a mistake");
    assert!(mistake.contains("`listen` stands outside"), "{mistake}");
}

#[test]
fn a_redis_is_described_without_its_log_in() {
    for url in
        ["redis://127.0.0.1:6379/0", "rediss://redis.internal", "redis+unix:///run/redis.sock", ""]
    {
        assert!(load("", &[("BARTERLINE_REDIS__URL", url)], Vec::new()).is_ok(), "{url}");
    }
    for url in [
        "redis://user:hunter2@127.0.0.1",
        "redis://127.0.0.1?password=hunter2",
        "rediss://redis.internal#insecure",
        "http://127.0.0.1",
        "redis://",
    ] {
        let mistake = load("", &[("BARTERLINE_REDIS__URL", url)], Vec::new());
        let mistake = mistake.expect_err("a mistake");
        assert!(mistake.contains("`redis.url` cannot be"), "{mistake}");
        assert!(!mistake.contains("hunter2"), "{mistake}");
    }
    let url = ("BARTERLINE_REDIS__URL", "redis://127.0.0.1");
    for (environment, part) in [
        (vec![url, ("BARTERLINE_REDIS__USER", "server")], "needs `redis.password`"),
        (vec![("BARTERLINE_REDIS__PASSWORD", "hunter2")], "for `redis.url`, which is not set"),
    ] {
        let mistake = load("", &environment, Vec::new()).expect_err("a mistake");
        assert!(mistake.contains(part) && !mistake.contains("hunter2"), "{mistake}");
    }
}

#[test]
fn two_listeners_need_two_ports() {
    let same = [("BARTERLINE_LISTEN", "127.0.0.1:8081")];
    let mistake = load("", &same, Vec::new()).expect_err("a mistake");
    assert!(mistake.contains("both 127.0.0.1:8081"), "{mistake}");
    let any = [("BARTERLINE_LISTEN", "127.0.0.1:0"), ("BARTERLINE_ADMIN_LISTEN", "127.0.0.1:0")];
    assert!(load("", &any, Vec::new()).is_ok());
}

#[test]
fn a_role_of_a_keyspace_stands_beside_the_common_one() {
    let [user, role, password] = [
        ("BARTERLINE_SCYLLA__USER", "shop"),
        ("BARTERLINE_SCYLLA_ROLES__CREDENTIALS", "keeper"),
        ("BARTERLINE_SCYLLA_ROLES__CREDENTIALS_PASSWORD", "hunter2"),
    ];
    let settings = load("", &[user, role, password], Vec::new()).expect("sound settings");
    assert!(!settings.to_toml().contains("hunter2"), "a password was printed");
    let mistake = load("", &[user, password], Vec::new()).expect_err("a mistake");
    assert!(mistake.contains("needs `scylla_roles.credentials` as well"), "{mistake}");
    let mistake = load("", &[role, password], Vec::new()).expect_err("a mistake");
    assert!(mistake.contains("needs `scylla.user` as well"), "{mistake}");
}

#[test]
fn tls_to_the_database_begins_with_whom_to_trust() {
    let [ca, name, certificate, key] = [
        ("BARTERLINE_SCYLLA__TLS_CA", "ca.pem"),
        ("BARTERLINE_SCYLLA__TLS_NAME", "database.example"),
        ("BARTERLINE_SCYLLA__TLS_CERTIFICATE", "us.pem"),
        ("BARTERLINE_SCYLLA__TLS_KEY", "us.key"),
    ];
    assert!(load("", &[ca], Vec::new()).is_ok());
    assert!(load("", &[ca, name, certificate, key], Vec::new()).is_ok());
    for (some, missing) in [
        (&[name][..], "`scylla.tls_name` needs `scylla.tls_ca`"),
        (&[certificate, key], "`scylla.tls_certificate` needs `scylla.tls_ca`"),
        (&[ca, certificate], "set both or none"),
        (&[ca, key], "set both or none"),
    ] {
        let mistake = load("", some, Vec::new()).expect_err("a mistake");
        assert!(mistake.contains(missing), "{mistake}");
    }
}

#[test]
fn tls_is_set_as_a_whole_or_not_at_all() {
    let (listen, files) = (
        ("BARTERLINE_TLS_LISTEN", "127.0.0.1:8443"),
        [("BARTERLINE_TLS_CERTIFICATE", "chain.pem"), ("BARTERLINE_TLS_KEY", "key.pem")],
    );
    let settings = load("", &[listen, files[0], files[1]], Vec::new()).expect("sound settings");
    assert_eq!(settings.server.tls_listen.map(|address| address.port()), Some(8443));
    assert_eq!(load(&settings.to_toml(), &[], Vec::new()), Ok(settings));
    let mistake = load("", &[listen], Vec::new()).expect_err("mistakes");
    for key in ["`server.tls_certificate`", "`server.tls_key`"] {
        assert!(mistake.contains(&format!("needs {key}")), "{mistake}");
    }
    let mistake = load("", &files, Vec::new()).expect_err("mistakes");
    assert_eq!(mistake.matches("is for `server.tls_listen`").count(), 2, "{mistake}");
    let same = ("BARTERLINE_LISTEN", "127.0.0.1:8443");
    let mistake = load("", &[listen, files[0], files[1], same], Vec::new()).expect_err("a mistake");
    assert!(mistake.contains("`server.listen` and `server.tls_listen` are both"), "{mistake}");
    let shut = ("BARTERLINE_LISTEN", "");
    let settings = load("", &[listen, files[0], files[1], shut], Vec::new());
    assert_eq!(settings.expect("sound settings").server.listen, None);
    let mistake = load("", &[shut], Vec::new()).expect_err("a mistake");
    assert!(mistake.contains("nobody could connect"), "{mistake}");
}

#[test]
fn the_cluster_is_described_without_contradiction() {
    let file = "[scylla]\ncontact_points = 'db1:9042 [::1]:9043'\nuser = 'ana'\n\
                password = 'hunter2'\ndatacenter = 'east'\nreplication = 'west:1 east:3'";
    let settings = load(file, &[], Vec::new()).expect("sound settings");
    assert_eq!(settings.scylla.contact_points(), ["db1:9042", "[::1]:9043"]);
    assert_eq!(settings.scylla.copies(), [("west".to_owned(), 1), ("east".to_owned(), 3)]);
    assert_eq!(settings.scylla.password.expose(), "hunter2");
    for printed in [settings.to_toml(), format!("{settings:?}")] {
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    for (wrong, said) in [
        ("contact_points = 'db1'", "HOST:PORT"),
        ("contact_points = ''", "HOST:PORT"),
        ("replication = 'east'", "DATACENTER:COPIES"),
        ("replication = \"it's:3\"", "DATACENTER:COPIES"),
        ("replication = 'east:0'", "1 to 15 copies"),
        ("consistency = 'one'", "quorum or local_quorum"),
        ("keyspace_prefix = 'x; DROP'", "a letter first"),
        ("datacenter = 'east'", "give it copies"),
        ("password = 'hunter2'", "needs `scylla.user`"),
    ] {
        let mistake = load(&format!("[scylla]\n{wrong}"), &[], Vec::new()).expect_err("a mistake");
        assert!(mistake.contains(said) && !mistake.contains("hunter2"), "{mistake}");
    }
}

#[test]
fn proxies_and_origins_are_written_as_they_are_meant() {
    let file = "[server]\ntrusted_proxies = '10.1.2.3/8, 192.0.2.1 2001:db8::/32'\n\
                origins = 'https://shop.example http://localhost:5173 capacitor://localhost'";
    let settings = load(file, &[], Vec::new()).expect("sound settings");
    let networks: Vec<_> =
        settings.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]);
    assert_eq!(settings.server.origins().len(), 3);
    assert_eq!(load(&settings.to_toml(), &[], Vec::new()), Ok(settings));
    for (wrong, said) in [
        ("trusted_proxies = '10.0.0.0/33'", "10.0.0.0/8"),
        ("trusted_proxies = 'proxy.example'", "10.0.0.0/8"),
        ("trusted_proxy_header = 'x-real-ip'", "x-forwarded-for or forwarded"),
        ("origins = '*'", "like https://shop.example"),
        ("origins = 'null'", "like https://shop.example"),
        ("origins = 'shop.example'", "like https://shop.example"),
        ("origins = 'https://shop.example/'", "like https://shop.example"),
        ("origins = 'https://Shop.example'", "like https://shop.example"),
        ("origins = 'https://shop.example:443'", "like https://shop.example"),
        ("proxy_protocol = true", "needs `server.trusted_proxies` as well"),
    ] {
        let mistake = load(&format!("[server]\n{wrong}"), &[], Vec::new()).expect_err("a mistake");
        assert!(mistake.contains(said), "{wrong}: {mistake}");
    }
}

#[test]
fn media_is_described_without_contradiction() {
    for sound in [
        "",
        "directory = '/srv/files'",
        "store = 's3'\nbucket = 'files'",
        "store = 's3'\nbucket = 'files'\nregion = 'auto'\nendpoint = 'http://127.0.0.1:9000'\n\
         allow_http = true\naccess_key = 'us'\nsecret_key = 'hunter2'",
        "store = 'gcs'\nbucket = 'files'\nservice_account = '/etc/gcs.json'",
        "store = 'azure'\nbucket = 'files'\naccount = 'shop'\nsecret_key = 'hunter2'",
        "scanner = '127.0.0.1:3310'",
        "scanner = 'unix:/run/clamd.sock'",
    ] {
        let settings = load(&format!("[media]\n{sound}"), &[], Vec::new()).expect("sound settings");
        for printed in [settings.to_toml(), format!("{settings:?}")] {
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
    for (wrong, said) in [
        ("store = 'floppy'", "directory or s3 or gcs or azure"),
        ("store = 's3'", "needs `media.bucket`"),
        ("store = 'gcs'", "needs `media.bucket`"),
        ("store = 'azure'\nbucket = 'files'", "needs `media.account`"),
        ("store = 's3'\nbucket = 'files'\nsecret_key = 'hunter2'", "set both or none"),
        ("store = 's3'\nbucket = 'files'\naccess_key = 'us'", "set both or none"),
        ("bucket = 'files'", "`media.bucket` is for `media.store` = s3 or gcs or azure"),
        ("secret_key = 'hunter2'", "`media.secret_key` is for"),
        ("store = 's3'\nbucket = 'files'\ndirectory = '/srv'", "`media.directory` is for"),
        ("store = 's3'\nbucket = 'files'\nendpoint = 'http://x'", "needs `media.allow_http`"),
        ("endpoint = 'https://us:hunter2@x'", "like https://"),
        ("endpoint = 'x'", "like https://"),
        ("bucket = 'a b'", "a name"),
        ("scanner = 'clamd'", "HOST:PORT"),
        ("scanner = 'clamd:0'", "HOST:PORT"),
        ("scanner = 'unix:clamd'", "HOST:PORT"),
        ("picture_mib = 0", "1 to 100"),
    ] {
        let mistake = load(&format!("[media]\n{wrong}"), &[], Vec::new()).expect_err("a mistake");
        assert!(mistake.contains(said) && !mistake.contains("hunter2"), "{wrong}: {mistake}");
    }
}

#[test]
fn an_outer_search_engine_is_described_without_contradiction() {
    let outer =
        |rest: &str| load(&format!("[search]\nengine = 'opensearch'\n{rest}"), &[], Vec::new());
    for sound in [
        "url = 'https://search.example:9200/path'\nuser = 'ana'\npassword = 'hunter2'",
        "url = 'http://127.0.0.1:9200'",
        "url = 'http://search.internal:9200'\nallow_http = true",
    ] {
        let search = outer(sound).expect(sound).search;
        assert!(search.is_outer(), "{sound}");
        assert_eq!(search.login().is_some(), !search.user.is_empty());
    }
    for (wrong, mistake) in [
        ("", "needs `search.url`"),
        ("url = 'http://search.internal:9200'", "needs `search.allow_http`"),
        ("url = 'https://ana:hunter2@search.example'", "`search.url` cannot be"),
        ("url = 'https://search.example/?pretty'", "`search.url` cannot be"),
        ("url = 'https://search.example'\nuser = 'ana'", "set both or none"),
        ("url = 'https://search.example'\nindex = '*'", "`search.index` cannot be"),
    ] {
        let mistakes = outer(wrong).expect_err(wrong);
        assert!(mistakes.contains(mistake) && !mistakes.contains("hunter2"), "{wrong}: {mistakes}");
    }
    let inner = load("[search]\nurl = 'https://search.example'", &[], Vec::new());
    let mistakes = inner.expect_err("of no use");
    assert!(mistakes.contains("`search.url` is for `search.engine` = opensearch"), "{mistakes}");
}

#[test]
fn mail_is_described_without_contradiction() {
    let file =
        |more: &str| format!("[mail]\ntransport = 'smtp'\nfrom = 'Shop <us@shop.example>'\n{more}");
    let sound = "link = 'https://shop.example/me?a=b'\nhost = 'mail.example'\nuser = 'us'\n\
                 password = 'hunter2'";
    let settings = load(&file(sound), &[], Vec::new()).expect("sound settings");
    assert!(!settings.to_toml().contains("hunter2"), "a password was printed");
    let local = "link = 'shop://me'\nhost = '127.0.0.1'\nsecurity = 'none'";
    assert!(load(&file(local), &[], Vec::new()).is_ok());
    for (wrong, said) in [
        ("host = 'mail.example'", "needs `mail.link`"),
        ("link = 'https://shop.example'", "needs `mail.host`"),
        ("security = 'none'\nhost = 'mail.example'", "for a relay on this machine"),
        ("user = 'us'", "set both or none"),
        ("password = 'hunter2'", "set both or none"),
        ("link = 'https://shop.example/#me'", "without `#`"),
        ("link = '/me'", "without `#`"),
        ("link = 'https://shop.example/\"'", "without `#`"),
        ("security = 'ssl'", "tls or starttls or none"),
        ("port = 0", "1 to 65535"),
    ] {
        let mistake = load(&file(wrong), &[], Vec::new()).expect_err("a mistake");
        assert!(mistake.contains(said) && !mistake.contains("hunter2"), "{wrong}: {mistake}");
    }
    let mistake = load("[mail]\ntransport = 'pigeon'", &[], Vec::new()).expect_err("a mistake");
    assert!(mistake.contains("none or file or smtp"), "{mistake}");
    let file = "[mail]\ntransport = 'file'\nfrom = 'nobody'";
    let mistake = load(file, &[], Vec::new()).expect_err("mistakes");
    for said in ["like Shop <no-reply@shop.example>", "`mail.directory`", "`mail.link`"] {
        assert!(mistake.contains(said), "{mistake}");
    }
}

const SIGN_IN: &str = "[sign_in]\npublic_url = 'https://api.shop.example'\n\
    return_to = 'https://shop.example/signed-in shop.example.app:/signed-in'\n";
const PROVIDER: &str = "[providers.acme]\nissuer = 'https://id.example'\nclient_id = 'shop'\n";
const ISSUER: &str = "[issuers.own]\nissuer = 'https://own.example/'\naudience = 'market'\n";

#[test]
fn providers_are_as_many_as_are_named() {
    let file = format!("{SIGN_IN}{PROVIDER}[providers.other_one]\nissuer = 'https://b.example'\n");
    let environment = [
        ("BARTERLINE_PROVIDERS__OTHER_ONE__CLIENT_ID", "shop"),
        ("BARTERLINE_PROVIDERS__OTHER_ONE__CLIENT_SECRET", "hunter2"),
        ("BARTERLINE_ISSUERS__OWN__ISSUER", "http://localhost:8000/"),
        ("BARTERLINE_ISSUERS__OWN__AUDIENCE", "market"),
    ];
    let settings = load(&file, &environment, Vec::new()).expect("sound settings");
    assert_eq!(settings.providers.keys().collect::<Vec<_>>(), ["acme", "other_one"]);
    assert_eq!(settings.providers["other_one"].client_secret.expose(), "hunter2");
    assert_eq!(settings.providers["acme"].scopes(), ["email", "profile"]);
    assert_eq!(settings.issuers["own"].algorithms(), ["RS256", "PS256", "ES256", "EdDSA"]);
    assert_eq!(settings.sign_in.return_to().len(), 2);
    let printed = settings.to_toml();
    assert!(printed.contains("[providers.other_one]") && !printed.contains("hunter2"), "{printed}");
    let again = load(&printed, &environment[1..2], Vec::new());
    assert_eq!(again, Ok(settings));
}

#[test]
fn providers_are_described_without_contradiction() {
    for (wrong, said) in [
        (PROVIDER.to_owned(), "`sign_in.public_url`"),
        (format!("{SIGN_IN}[providers.acme]\nissuer = 'https://id.example'"), "`client_id`"),
        (format!("{SIGN_IN}[providers.acme]\nclient_id = 'x'"), "`issuer`"),
        (format!("{SIGN_IN}[providers.acme]\nissuer = 'http://id.example'"), "https://"),
        (format!("{SIGN_IN}[providers.acme]\nissuer = 'https://id.example/?a=b'"), "https://"),
        (format!("{SIGN_IN}[providers.acme]\nscopes = 'a\"b'"), "scopes"),
        (format!("{SIGN_IN}[providers.acme]\nkey = 'x'"), "no setting `providers.acme.key`"),
        (format!("{SIGN_IN}[providers.Acme]\nissuer = 'x'"), "there is no section"),
        (format!("{SIGN_IN}[sign_in.acme]\nissuer = 'x'"), "there is no section `sign_in.acme`"),
        ("[issuers.own]\nissuer = 'https://own.example'".to_owned(), "`audience`"),
        (format!("{ISSUER}algorithms = 'HS256'"), "RS256"),
        (format!("{ISSUER}algorithms = 'none'"), "RS256"),
        (format!("{ISSUER}algorithms = ''"), "RS256"),
        (format!("{ISSUER}{}", ISSUER.replace("own]", "two]")), "two of `issuers`"),
        ("[sign_in]\nreturn_to = 'https://shop.example/#x'".to_owned(), "like https://"),
        ("[sign_in]\nreturn_to = 'http://shop.example/'".to_owned(), "like https://"),
        ("[sign_in]\nreturn_to = 'javascript:alert(1)'".to_owned(), "like https://"),
        ("[sign_in]\npublic_url = 'https://shop.example/'".to_owned(), "like https://"),
    ] {
        let mistake = load(&wrong, &[], Vec::new()).expect_err("a mistake");
        assert!(mistake.contains(said), "{wrong}: {mistake}");
    }
}

#[test]
fn sources_are_described_without_contradiction() {
    let long = "hunter2 and some more words";
    let shop = format!("[sources.shop]\nsecret = '{long}'\n");
    let pulled = "pull_url = 'https://shop.example/things/{id}'\npull_token = 'hunter2'\n";
    let file = format!("{ISSUER}{shop}{pulled}issuer = 'own'");
    let settings = load(&file, &[], Vec::new()).expect("sound settings");
    let source = &settings.sources["shop"];
    assert_eq!(source.webhook_key(), Some(long.as_bytes().to_vec()));
    assert_eq!(source.pull_address(), Some(("https://shop.example/things/", "")));
    assert_eq!(source.issuer(), Some("own"));
    for printed in [settings.to_toml(), format!("{settings:?}")] {
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    for (wrong, said) in [
        ("[sources.shop]\n".to_owned() + "fresh_for_s = 1", "needs `secret` or `pull_url`"),
        (format!("[sources.shop]\n{pulled}secret = 'hunter2'"), "24 bytes"),
        (format!("{shop}pull_token = 'hunter2'"), "for `sources.shop.pull_url`"),
        (format!("{shop}pull_token = 'hunter2 x'"), "without spaces"),
        (format!("{shop}pull_url = 'https://shop.example/things'"), "`{id}` once"),
        (format!("{shop}issuer = 'own'"), "names `issuers.own`"),
        (format!("{shop}{}", shop.replace("shop]", "two]")), "give each its own"),
        (format!("{shop}fresh_for_s = 86401"), "0 to 86400"),
        (shop.replace("shop]", "Shop]"), "there is no section"),
    ] {
        let mistake = load(&wrong, &[], Vec::new()).expect_err("a mistake");
        assert!(mistake.contains(said) && !mistake.contains("hunter2"), "{wrong}: {mistake}");
    }
}

#[test]
fn what_is_printed_can_be_read_again() {
    let settings = load("[server]\nconnections_max = 99", &[], Vec::new()).expect("settings");
    let again = load(&settings.to_toml(), &[], Vec::new());
    assert_eq!(again, Ok(settings));
    assert_eq!(load(&Settings::reference(), &[], Vec::new()), Ok(Settings::default()));
}

#[test]
fn the_reference_is_what_docs_say() {
    let written = include_str!("../../docs/config.toml");
    assert_eq!(
        written,
        Settings::reference(),
        "run `barterline config --reference > docs/config.toml`"
    );
}

#[test]
fn secrets_are_known_by_their_names() {
    for key in ["api_key", "smtp_password", "secret", "admin_token", "master_before"] {
        assert!(is_secret(key), "{key}");
        assert_eq!(quoted(key, &Value::String("hunter2".to_owned())), REDACTED);
    }
    for key in ["listen", "heartbeat_ms", "keyboard", "tls_key"] {
        assert!(!is_secret(key), "{key}");
    }
}

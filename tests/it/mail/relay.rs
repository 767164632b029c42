//! Mail by SMTP, to a relay of the test's own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::at;
use crate::support::World;
use crate::support::mailbox::Mail;
use crate::support::tls::Certificate;

/// What a relay heard: who a mail was for, and the mail, if it took it.
type Heard = (String, Option<String>);

/// A relay that gives the first conversations' recipients these answers, and takes what comes behind,
/// but for those whose boxes are `full`.
fn relay(answers: &'static [&'static str], tls: Option<ServerConfig>) -> (String, Receiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let (tell, heard) = channel();
    let tls = tls.map(Arc::new);
    thread::spawn(move || {
        let mut answers = answers.iter();
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let answer = answers.next().unwrap_or(&"250 yes");
            let Some(config) = &tls else {
                converse(stream, answer, &tell);
                continue;
            };
            let connection = ServerConnection::new(Arc::clone(config)).expect("a connection");
            converse(StreamOwned::new(connection, stream), answer, &tell);
        }
    });
    (port, heard)
}

/// One conversation, to its end.
fn converse(stream: impl Read + Write, answer: &str, tell: &Sender<Heard>) {
    let mut stream = BufReader::new(stream);
    let mut reply = "220 relay.example".to_owned();
    let mut to = String::new();
    loop {
        let said = stream.get_mut().write_all(format!("{reply}\r\n").as_bytes());
        if said.is_err() || stream.get_mut().flush().is_err() {
            return;
        }
        let Some(line) = line(&mut stream) else { return };
        reply = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-relay.example\r\n250 AUTH PLAIN".to_owned(),
            "AUTH" => {
                let _ = tell.send((line, None));
                "235 welcome".to_owned()
            }
            "RCPT" => {
                let answer = if line.contains("full") { "451 later" } else { answer };
                to = line;
                if !answer.starts_with("250") {
                    let _ = tell.send((to.clone(), None));
                }
                answer.to_owned()
            }
            "DATA" => "354 go on".to_owned(),
            // The mail, after 354.
            _ if reply.starts_with("354") => {
                let mut mail = String::new();
                let mut next = Some(line);
                while let Some(line) = next.filter(|line| line != ".") {
                    mail.push_str(line.strip_prefix('.').unwrap_or(&line));
                    mail.push_str("\r\n");
                    next = self::line(&mut stream);
                }
                let _ = tell.send((to.clone(), Some(mail)));
                "250 taken".to_owned()
            }
            _ => "250 yes".to_owned(),
        };
    }
}

fn line(stream: &mut BufReader<impl Read>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

fn mailing_to(port: &str, security: &str, more: &[(&str, &str)]) -> World {
    let settings = [
        ("BARTERLINE_MAIL__TRANSPORT", "smtp"),
        ("BARTERLINE_MAIL__HOST", "localhost"),
        ("BARTERLINE_MAIL__PORT", port),
        ("BARTERLINE_MAIL__SECURITY", security),
    ];
    World::mailing(&[&settings[..], more].concat())
}

fn next(heard: &Receiver<Heard>) -> Heard {
    heard.recv_timeout(Duration::from_secs(20)).expect("a mail")
}

#[test]
fn a_relay_that_is_busy_is_asked_again() {
    let (port, heard) = relay(&["451 later"], None);
    let world = mailing_to(&port, "none", &[]);
    world.register("ana").expect(202);
    let email = at(&world, "ana");
    assert_eq!(next(&heard), (format!("RCPT TO:<{email}>"), None));
    let (to, mail) = next(&heard);
    assert_eq!(to, format!("RCPT TO:<{email}>"));
    let mail = Mail::parse(&mail.expect("a mail"));
    assert!(mail.secret("confirm").starts_with("v4.local."), "{mail:?}");
    assert!(!world.log().contains(&email));
}

#[test]
fn a_mail_that_is_refused_is_told_without_saying_whose() {
    let (port, heard) = relay(&["550 no ana here"], None);
    let world = mailing_to(&port, "none", &[]);
    world.register("ana").expect(202);
    assert_eq!(next(&heard).1, None);
    world.until_logged("a mail was not sent");
    let log = world.log();
    assert!(log.contains("the relay answered 550"), "{log}");
    assert!(!log.contains("no ana here") && !log.contains(&at(&world, "ana")), "{log}");
    // The next is for somebody else, and goes.
    world.register("bob").expect(202);
    let (to, mail) = next(&heard);
    assert_eq!((to, mail.is_some()), (format!("RCPT TO:<{}>", at(&world, "bob")), true));
}

#[test]
fn mails_that_wait_hold_up_no_others() {
    let (port, heard) = relay(&[], None);
    let world = mailing_to(&port, "none", &[("BARTERLINE_LIMITS__ENABLED", "false")]);
    // As many as there are connections to the relay, and one more.
    for n in 0..17 {
        world.register(&format!("full{n}")).expect(202);
        assert_eq!(next(&heard).1, None);
    }
    world.register("ana").expect(202);
    let mut taken = std::iter::repeat_with(|| next(&heard)).filter(|(_, mail)| mail.is_some());
    let (to, _) = taken.next().expect("a mail");
    assert_eq!(to, format!("RCPT TO:<{}>", at(&world, "ana")));
}

#[test]
fn a_relay_is_logged_in_to_where_the_operator_says_by_what() {
    let dir = TempDir::new().expect("a directory");
    let shown = Certificate::of("localhost");
    let authorities = dir.path().join("authorities.pem");
    fs::write(&authorities, shown.chain_pem()).expect("a file");
    let (port, heard) = relay(&[], Some(shown.shown()));
    let more = [
        ("SSL_CERT_FILE", authorities.to_str().expect("UTF-8")),
        ("BARTERLINE_MAIL__USER", "shop"),
        ("BARTERLINE_MAIL__PASSWORD", "told to nobody"),
    ];
    let world = mailing_to(&port, "tls", &more);
    world.register("ana").expect(202);
    // RFC 4616: no name to act as, the name, the password.
    let proof = STANDARD.encode("\0shop\0told to nobody");
    assert_eq!(next(&heard), (format!("AUTH PLAIN {proof}"), None));
    assert!(next(&heard).1.is_some());
    let log = world.log();
    assert!(!log.contains("told to nobody") && !log.contains(&proof), "{log}");
}

#[test]
fn a_relay_that_cannot_prove_who_it_is_hears_no_mail() {
    let dir = TempDir::new().expect("a directory");
    let [ours, other] = [(); 2].map(|()| Certificate::of("localhost"));
    let authorities = dir.path().join("authorities.pem");
    fs::write(&authorities, ours.chain_pem()).expect("a file");
    // By default the authorities are the system's; the environment names others.
    let trusted = [("SSL_CERT_FILE", authorities.to_str().expect("UTF-8"))];

    let (port, heard) = relay(&[], Some(ours.shown()));
    let world = mailing_to(&port, "tls", &trusted);
    world.register("ana").expect(202);
    assert!(next(&heard).1.is_some());

    let (port, silent) = relay(&[], Some(other.shown()));
    let world = mailing_to(&port, "tls", &trusted);
    world.register("ana").expect(202);
    world.until_logged("a mail is tried again");
    assert!(silent.try_recv().is_err());

    let (port, silent) = relay(&[], None);
    let world = mailing_to(&port, "starttls", &trusted);
    world.register("ana").expect(202);
    world.until_logged("a mail is tried again");
    assert!(silent.try_recv().is_err(), "without TLS nothing is said");
}

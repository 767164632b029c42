//! Mail to people.

use std::net::IpAddr;
use std::path::PathBuf;

use lettre::message::Mailbox;

use super::section::{Allowed, Any, Secret, Word, section};

section! {
    /// Mail to people: to confirm an address, to set a new password, to tell of changes.
    pub struct Mail = "mail" {
        /// How mail leaves: not at all (then nobody confirms an address or resets a password), as
        /// files, which is for development and tests, or by a relay.
        transport: String = "none".to_owned(), Word(&["none", "file", "smtp"]);
        /// Where `file` puts mails, one `.eml` each. Made if it is missing, for this user alone.
        directory: Option<PathBuf> = None, Any("a directory, or \"\" without `file`");
        /// The relay.
        host: String = String::new(), Any("a name or an address, or \"\" without `smtp`");
        /// The relay's port: mostly 465 with `tls`, 587 with `starttls`.
        port: u64 = 465, 1..=65_535;
        /// How what is said to the relay is protected. `none` is for a relay on this machine.
        security: String = "tls".to_owned(), Word(&["tls", "starttls", "none"]);
        /// The name by which the server logs in to the relay.
        user: String = String::new(), Any("a name, or \"\" if the relay does not ask");
        /// Its password. Better in `BARTERLINE_MAIL__PASSWORD` than in a file.
        password: Secret = Secret::default(), Any("a text, never shown");
        /// Whom mail is from. The name, or else the domain, is what mails call this place.
        from: String = String::new(), Sender;
        /// The page of your program that takes what mails carry, behind `#`, where no server and no
        /// log sees it: `#confirm=TOKEN`, `#reset=CODE` or `#email=CODE`.
        link: String = String::new(), Page;
    }
}

impl Mail {
    /// Whether there is mail at all.
    pub fn is_on(&self) -> bool {
        self.transport != "none"
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let transport = self.transport.as_str();
        let needed = [
            ("directory", transport == "file" && self.directory.is_none()),
            ("host", transport == "smtp" && self.host.is_empty()),
            ("from", self.is_on() && self.from.is_empty()),
            ("link", self.is_on() && self.link.is_empty()),
        ];
        for (key, _) in needed.into_iter().filter(|(_, missing)| *missing) {
            mistakes.push(format!("`mail.transport` = \"{transport}\" needs `mail.{key}` as well"));
        }
        if transport == "smtp" && self.security == "none" && !is_loopback(&self.host) {
            mistakes.push(
                "`mail.security` = \"none\" is for a relay on this machine: choose \"tls\" or \
                 \"starttls\""
                    .to_owned(),
            );
        }
        if self.user.is_empty() != self.password.is_empty() {
            mistakes.push("`mail.user` and `mail.password`: set both or none".to_owned());
        }
        mistakes
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Somebody's address, with or without a name.
struct Sender;

impl Allowed<String> for Sender {
    fn allows(&self, value: &String) -> bool {
        value.is_empty() || value.parse::<Mailbox>().is_ok()
    }

    fn describe(&self) -> String {
        "like Shop <no-reply@shop.example>, or \"\" without mail".to_owned()
    }
}

/// A page of the web or of a program, without a fragment of its own.
struct Page;

impl Allowed<String> for Page {
    fn allows(&self, value: &String) -> bool {
        let is_clean = |c: char| c.is_ascii_graphic() && !"#\"<>\\^`{|}".contains(c);
        let has_place = |(scheme, place): (&str, &str)| !scheme.is_empty() && !place.is_empty();
        value.is_empty()
            || value.chars().all(is_clean) && value.split_once("://").is_some_and(has_place)
    }

    fn describe(&self) -> String {
        "like https://shop.example/account, without `#`, or \"\" without mail".to_owned()
    }
}

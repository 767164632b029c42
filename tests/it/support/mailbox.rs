//! What a server mailed, as files.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::World;

/// A mail, read.
#[derive(Debug)]
pub struct Mail {
    pub head: String,
    pub text: String,
    pub html: String,
}

impl World {
    /// Where a server of [`World::mailing`] puts its mails.
    pub fn mail_directory(&self) -> PathBuf {
        self.data().with_file_name("mail")
    }

    /// All mails to somebody, the first sent first.
    pub fn mails_to(&self, email: &str) -> Vec<Mail> {
        let to = format!("\r\nTo: {email}\r\n");
        let mails = files(&self.mail_directory()).into_iter();
        let mails = mails.map(|file| Mail::parse(&fs::read_to_string(file).expect("a mail")));
        mails.filter(|mail| mail.head.contains(&to)).collect()
    }

    /// Waits for the next mail to somebody who got so many.
    pub fn mail_after(&self, got: usize, email: &str) -> Mail {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let mut mails = self.mails_to(email);
            if mails.len() > got {
                return mails.swap_remove(got);
            }
            assert!(Instant::now() < patience, "only {got} mails to {email}");
            thread::yield_now();
        }
    }

    /// Waits for the first mail to somebody.
    pub fn mail_to(&self, email: &str) -> Mail {
        self.mail_after(0, email)
    }
}

/// The mails that are whole, in the order of their names.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("a file"));
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    files
}

impl Mail {
    /// Reads a mail of two parts, as text and as a page.
    pub fn parse(mail: &str) -> Self {
        let (head, body) = mail.split_once("\r\n\r\n").expect("a head and a body");
        let boundary = head.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next());
        let boundary = format!("--{}", boundary.expect("a boundary"));
        let parts: Vec<_> = body.split(&boundary).skip(1).take(2).collect();
        let [text, html] = parts[..] else { panic!("two parts, not {body:?}") };
        let read = |part: &str, kind: &str| {
            let (head, body) = part.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(kind) && head.contains("quoted-printable"), "{head}");
            decode(body)
        };
        let (text, html) = (read(text, "text/plain"), read(html, "text/html"));
        Self { head: format!("\r\n{head}\r\n"), text, html }
    }

    /// What its link carries for this purpose: in the page as well, and by itself.
    #[track_caller]
    pub fn secret(&self, purpose: &str) -> String {
        let link = format!("https://shop.example/account#{purpose}=");
        let (_, rest) = self.text.split_once(&link).unwrap_or_else(|| panic!("{link} in {self:?}"));
        let secret = rest.lines().next().expect("a line").to_owned();
        assert!(self.html.contains(&format!("href=\"{link}{secret}\"")), "{}", self.html);
        assert!(self.text.lines().any(|line| line == secret), "{}", self.text);
        secret
    }
}

/// RFC 2045, section 6.7.
fn decode(encoded: &str) -> String {
    let joined = encoded.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == b'=' {
            let (digits, behind) = behind.split_at(2);
            let digits = str::from_utf8(digits).expect("digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("digits"));
            rest = behind;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("text").replace("\r\n", "\n")
}

//! Writes a letter out: from whom, to whom, as text and as a page.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use barterline_domain::clock::Timestamp;
use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};

use super::Mail;
use super::letter::Letter;

/// Around the body of each page.
const LAYOUT: &str = include_str!("templates/layout.html");

/// Nobody's address.
#[derive(Debug, thiserror::Error)]
#[error("`mail.from` is no address")]
pub struct InvalidSender;

/// This address cannot be written into a mail.
#[derive(Debug, thiserror::Error)]
#[error("the address cannot be written into a mail")]
pub(super) struct Unwritable;

/// What all mails have in common.
pub struct Stationery {
    from: Mailbox,
    /// What mails call this place.
    site: String,
    /// The page that takes what mails carry.
    link: String,
}

/// A mail as it leaves.
pub(super) struct Written {
    /// Its own name.
    pub id: uuid::Uuid,
    /// For the relay.
    pub envelope: Envelope,
    /// In the format of RFC 5322.
    pub bytes: Vec<u8>,
}

/// The values of a template by their names.
type Values<'a> = [(&'a str, &'a str)];

impl Stationery {
    /// Mails from `from` (`Shop <no-reply@shop.example>`) whose links lead to the page `link`.
    pub fn new(from: &str, link: String) -> Result<Self, InvalidSender> {
        let from: Mailbox = from.parse().map_err(|_| InvalidSender)?;
        let site = from.name.clone().unwrap_or_else(|| from.email.domain().to_owned());
        Ok(Self { from, site, link })
    }

    /// Writes a mail under a name of its own.
    pub(super) fn write(
        &self,
        mail: &Mail,
        id: [u8; 16],
        now: Timestamp,
    ) -> Result<Written, Unwritable> {
        let id = uuid::Uuid::from_bytes(id);
        let to = mail.to.as_str().parse().map_err(|_| Unwritable)?;
        let Texts { subject, text, html } = self.texts(mail);
        let part = |content_type, text: String| {
            // As it can be read by anybody, whatever the length of a line.
            let encoding = ContentTransferEncoding::QuotedPrintable;
            let body = Body::new_with_encoding(text, encoding).map_err(|_| Unwritable)?;
            Ok(SinglePart::builder().header(content_type).body(body))
        };
        let parts = MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, text)?)
            .singlepart(part(ContentType::TEXT_HTML, html)?);
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .date(UNIX_EPOCH + Duration::from_millis(now.as_millis()))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // Nobody's holiday answers a program (RFC 3834, section 5).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(parts)
            .map_err(|_| Unwritable)?;
        let envelope = message.envelope().clone();
        Ok(Written { id, envelope, bytes: message.formatted() })
    }

    fn texts(&self, mail: &Mail) -> Texts {
        let (fragment, token) = match mail.letter.secret() {
            Some((purpose, secret)) => (format!("#{purpose}={secret}"), secret),
            None => (String::new(), ""),
        };
        let link = format!("{}{fragment}", self.link);
        let (old, new) = match &mail.letter {
            Letter::EmailChanged { old, new } => (old.as_str(), new.as_str()),
            _ => ("", ""),
        };
        let values =
            [("site", &*self.site), ("link", &*link), ("token", token), ("old", old), ("new", new)];
        let template = mail.letter.template(mail.language);
        let (subject, text) = template.text.split_once("\n\n").unwrap_or_default();
        let body = fill(template.html, &values, &escape);
        let language = mail.language.tag();
        let layout = [("language", language), ("body", &*body)];
        Texts {
            subject: fill(subject, &values, &as_it_is),
            text: fill(text, &values, &as_it_is),
            html: fill(LAYOUT, &layout, &as_it_is),
        }
    }
}

struct Texts {
    subject: String,
    text: String,
    html: String,
}

/// Puts values in the place of their names (`{{ link }}`). What a value holds is not looked at again.
fn fill<'a>(
    template: &'a str,
    values: &Values<'a>,
    write: &dyn Fn(&'a str) -> Cow<'a, str>,
) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}").unwrap_or((after, ""));
        let value = values.iter().find(|(known, _)| *known == name.trim());
        filled.push_str(before);
        filled.push_str(&write(value.map_or("", |(_, value)| value)));
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

fn as_it_is(value: &str) -> Cow<'_, str> {
    Cow::Borrowed(value)
}

/// Text that is text in a page, between tags and within quotes.
fn escape(value: &str) -> Cow<'_, str> {
    if !value.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len() + 16);
    for c in value.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use barterline_domain::account::Email;

    use super::*;
    use crate::mail::Language;

    fn email(text: &str) -> Email {
        Email::parse(text).expect("an address")
    }

    fn letters() -> Vec<Letter> {
        let secret = || "s3cret".to_owned();
        let (old, new) = (email("old@example.org"), email("<b>&'@example.org"));
        vec![
            Letter::Confirm { token: secret() },
            Letter::Taken,
            Letter::Reset { code: secret() },
            Letter::PasswordChanged,
            Letter::ChangeEmail { code: secret() },
            Letter::FactorOn,
            Letter::FactorOff,
            Letter::RecoveryCodes,
            Letter::KeyMade,
            Letter::Erasure,
            Letter::EmailChanged { old, new },
        ]
    }

    fn stationery() -> Stationery {
        let from = "\"A & B\" <no-reply@shop.example>";
        Stationery::new(from, "https://shop.example/me?a=1&b=2".to_owned()).expect("a sender")
    }

    #[test]
    fn every_letter_is_whole_in_every_language() {
        for language in Language::ALL {
            for letter in letters() {
                let mail = Mail { to: email("ana@example.org"), language, letter };
                let Texts { subject, text, html } = stationery().texts(&mail);
                assert!(!subject.is_empty() && !subject.contains('\n'), "{subject}");
                for whole in [&subject, &text, &html] {
                    assert!(!whole.contains("{{") && !whole.contains("}}"), "{whole}");
                }
                assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
                let template = mail.letter.template(language);
                for named in names_of(template.text).chain(names_of(template.html)) {
                    assert!(["site", "link", "token", "old", "new"].contains(&named), "{named}");
                }
                if let Some((purpose, secret)) = mail.letter.secret() {
                    let link = format!("/me?a=1&b=2#{purpose}={secret}");
                    assert!(text.contains(&link), "{text}");
                    assert!(html.contains(&*escape(&link)), "{html}");
                    assert_eq!(text.matches(secret).count(), 2, "in the link and by itself");
                }
                assert!(stationery().write(&mail, [7; 16], Timestamp::from_millis(1)).is_ok());
            }
        }
    }

    fn names_of(template: &str) -> impl Iterator<Item = &str> {
        template.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
    }

    #[test]
    fn a_value_is_text_in_a_page_and_no_template() {
        let [.., letter] = &letters()[..] else { panic!("letters") };
        let Letter::EmailChanged { old, new } = letter else { panic!("the last") };
        let letter = Letter::EmailChanged { old: old.clone(), new: new.clone() };
        let mail = Mail { to: email("ana@example.org"), language: Language::English, letter };
        let Texts { text, html, .. } = stationery().texts(&mail);
        assert!(text.contains("<b>&'@example.org") && text.contains("A & B"), "{text}");
        assert!(html.contains("&lt;b&gt;&amp;&#39;@example.org"), "{html}");
        assert!(html.contains("A &amp; B") && !html.contains("<b>"), "{html}");
        let filled = fill("{{ a }}-{{b}}", &[("a", "{{b}}"), ("b", "x")], &as_it_is);
        assert_eq!(filled, "{{b}}-x");
    }

    #[test]
    fn what_is_no_address_is_not_written() {
        assert!(Stationery::new("nobody", String::new()).is_err());
        let to = email("a,b@example.org");
        let mail = Mail { to, language: Language::English, letter: Letter::Taken };
        assert!(stationery().write(&mail, [7; 16], Timestamp::from_millis(1)).is_err());
    }
}

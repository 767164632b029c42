//! Something to look at: two accounts, some listings, and a conversation about one of them.
//!
//! A seeding that was cut short is taken up at the next start: each step finds what it made before
//! (accounts by their passwords, listings by their titles, messages by their ids), and the file that
//! says "done" is written last.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context;
use barterline_domain::account::{DisplayName, Email, Password};
use barterline_domain::bearer::Bearer;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, ListingId, UserId};
use barterline_domain::listing::ListingText;
use barterline_domain::money::{Currency, Money};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::ids::{Ids as _, SystemIds};
use crate::rest::Rest;
use crate::services::accounts::{Device, RegisterError, Registration, Shown};
use crate::services::chats::Send;
use crate::services::listings::Offer;

/// Where the seeding takes place.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// There when everything is.
const DONE_FILE: &str = "demo-seeded";
/// What the passwords follow from, 32 random bytes: a seeding that goes on has the same.
const SECRET_FILE: &str = "demo-secret";

const LISTINGS: &[(&str, &str, u64)] = &[
    ("Touring bicycle, 56 cm", "Steel frame, new chain, a scratch on the fork.", 24_000),
    ("Oak desk", "160 by 80 cm. Two people needed to carry it.", 9_500),
    ("Field recorder", "With case and two microphones.", 13_000),
];

const CONVERSATION: &[(Speaker, &str)] = &[
    (Speaker::Bea, "Hello Sam, is the bicycle still for sale?"),
    (Speaker::Sam, "It is. I have had it for three years; the chain is new."),
    (Speaker::Bea, "How bad is the scratch on the fork?"),
    (Speaker::Sam, "Two centimetres, only the paint. I can send a picture."),
    (Speaker::Bea, "No need. Would you take 220 if I came for it on Saturday?"),
];

#[derive(Clone, Copy)]
enum Speaker {
    Sam,
    Bea,
}

/// Seeds once. The passwords are drawn, and printed.
pub async fn seed(rest: &Rest, data: &Path) -> anyhow::Result<()> {
    let done = data.join(DONE_FILE);
    if fs::exists(&done).with_context(|| done.display().to_string())? {
        tracing::info!("the demo was seeded at an earlier start");
        return Ok(());
    }
    let secret = secret(&data.join(SECRET_FILE))?;
    let sam = account(rest, &secret, "sam@demo.example", "Sam").await?;
    let bea = account(rest, &secret, "bea@demo.example", "Bea").await?;
    let listing = listings(rest, sam).await?;
    let chat = rest.chats.open(Bearer::served(bea), listing).await?.row.chat.id;
    for (n, (speaker, words)) in (1..).zip(CONVERSATION) {
        let user = match speaker {
            Speaker::Sam => sam,
            Speaker::Bea => bea,
        };
        say(rest, user, chat, n, words).await?;
    }
    fs::write(&done, "").with_context(|| done.display().to_string())?;
    tracing::info!(%chat, %listing, "demo: Bea and Sam talk about Sam's bicycle");
    Ok(())
}

/// The secret of this seeding, drawn by the first start that came so far.
fn secret(path: &Path) -> anyhow::Result<[u8; 32]> {
    let place = || path.display().to_string();
    match fs::read(path) {
        // Fewer bytes: cut short before anything followed from them.
        Ok(bytes) if bytes.len() == 32 => return Ok(bytes.try_into().unwrap_or_default()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(place),
    }
    let secret = SystemIds.secret();
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(place)?;
    file.write_all(&secret).and_then(|()| file.sync_all()).with_context(place)?;
    Ok(secret)
}

/// Finds or makes an account. Its password is printed either way: it may not have been before.
async fn account(rest: &Rest, secret: &[u8], email: &str, name: &str) -> anyhow::Result<UserId> {
    let drawn = Sha256::new().chain_update(secret).chain_update(email).finalize();
    let drawn = URL_SAFE_NO_PAD.encode(&drawn[..12]);
    let address = Email::parse(email)?;
    let registration = Registration {
        email: address.clone(),
        password: Password::parse(drawn.clone())?,
        name: DisplayName::parse(name)?,
    };
    let user = match rest.accounts.register(registration).await {
        Ok(account) => account.id,
        Err(RegisterError::EmailTaken) => {
            let shown = Shown { password: Password::parse(drawn.clone())?, code: None };
            let log_in = rest.accounts.log_in(&address, shown, Device::default(), HERE).await;
            log_in
                .with_context(|| format!("{email} is somebody else's: start without --demo"))?
                .user
        }
        Err(error) => return Err(error.into()),
    };
    // For the person at the terminal; the log may go elsewhere.
    eprintln!("demo account: {email}, password {drawn}");
    Ok(user)
}

/// Finds or makes the listings; gives the first.
async fn listings(rest: &Rest, seller: UserId) -> anyhow::Result<ListingId> {
    let made = rest.listings.list_by_seller(None, seller, None, 100).await?;
    let made = made.map_or_else(Vec::new, |page| page.listings);
    let mut first = None;
    for (title, description, minor) in LISTINGS {
        let known = made.iter().find(|made| made.text.title() == *title);
        let listing = if let Some(known) = known {
            known.id
        } else {
            let text = ListingText::parse(title, (*description).to_owned())?;
            let price = Money { minor: *minor, currency: Currency::parse("EUR")? };
            rest.listings.create(Bearer::served(seller), Offer::plain(text, price)).await?.id
        };
        first.get_or_insert(listing);
    }
    first.context("no listings to seed")
}

/// Says a line, unless it was said.
async fn say(rest: &Rest, user: UserId, chat: ChatId, n: u8, words: &str) -> anyhow::Result<()> {
    // The same for line `n` whenever it is said, so that the second time is a retry of the first.
    let mut id = *b"barterline demo\0";
    id[15] = n;
    let send = Send {
        id: ClientId::from_bytes(id),
        base: Some(Seq::ZERO),
        kind: "text".to_owned(),
        text: Some(words.to_owned()),
        reply: None,
        target: None,
        reaction: None,
        media: None,
        data: None,
    };
    rest.chats.send_and_wait(Bearer::served(user), chat, send).await?;
    Ok(())
}

//! Something to look at: two accounts, some listings, and a chat between them.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use barterline_domain::account::{DisplayName, Email, Password};
use barterline_domain::ids::UserId;
use barterline_domain::listing::ListingText;
use barterline_domain::money::{Currency, Money};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::{Ids as _, SystemIds};
use crate::rest::Rest;
use crate::services::accounts::Registration;

const LISTINGS: &[(&str, &str, u64)] = &[
    ("Touring bicycle, 56 cm", "Steel frame, new chain, a scratch on the fork.", 24_000),
    ("Oak desk", "160 by 80 cm. Two people needed to carry it.", 9_500),
    ("Field recorder", "With case and two microphones.", 13_000),
];

/// Seeds once: a file in the data directory remembers it. The passwords are drawn, and printed.
pub async fn seed(rest: &Rest, data: &Path) -> anyhow::Result<()> {
    let marker = data.join("demo-seeded");
    // Made before the first account: a seeding that was cut short must not stop every later start.
    match std::fs::File::create_new(&marker) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            tracing::info!("the demo was seeded at an earlier start");
            return Ok(());
        }
        Err(error) => return Err(error).context(marker.display().to_string()),
    }
    let seller = register(rest, "sam@demo.example", "Sam").await?;
    let buyer = register(rest, "bea@demo.example", "Bea").await?;
    let mut first = None;
    for (title, description, minor) in LISTINGS {
        let text = ListingText::parse(title, (*description).to_owned())?;
        let price = Money { minor: *minor, currency: Currency::parse("EUR")? };
        let listing = rest.listings.create(seller, text, price).await?;
        first.get_or_insert(listing.id);
    }
    let listing = first.context("no listings to seed")?;
    let chat = rest.chats.open(buyer, listing).await?.row.chat.id;
    tracing::info!(%chat, %listing, "demo: Bea has opened a chat on Sam's bicycle");
    Ok(())
}

async fn register(rest: &Rest, email: &str, name: &str) -> anyhow::Result<UserId> {
    let password = URL_SAFE_NO_PAD.encode(&SystemIds.secret()[..12]);
    let registration = Registration {
        email: Email::parse(email)?,
        password: Password::parse(password.clone())?,
        name: DisplayName::parse(name)?,
    };
    let account = rest.accounts.register(registration).await?;
    // For the person at the terminal, once; the log may go elsewhere.
    eprintln!("demo account: {email}, password {password}");
    Ok(account.id)
}

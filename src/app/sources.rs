//! Catalogues of others, put together by the settings.

use std::sync::Arc;

use barterline_domain::clock::Clock;
use barterline_domain::listing::external::SourceName;

use crate::adapters::sources::{HttpSource, Puller};
use crate::config::{self, Settings};
use crate::rest::sources::item;
use crate::services::accounts::Accounts;
use crate::services::listings::Listings;
use crate::services::sources::{Parts, Source, Sources};

/// Every system that the settings name. Asks nobody yet.
pub(super) fn open(
    settings: &Settings,
    accounts: &Accounts,
    listings: &Listings,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Sources> {
    let sources =
        settings.sources.iter().map(|(name, it)| Ok((SourceName::parse(name)?, source(it)?)));
    Ok(Sources::new(Parts {
        sources: sources.collect::<anyhow::Result<_>>()?,
        listings: listings.clone(),
        sellers: Arc::new(accounts.clone()),
        read: item::read,
        clock,
    }))
}

fn source(settings: &config::ListingSource) -> anyhow::Result<Source> {
    let token = settings.pull_token.expose();
    let pull = settings.pull_address().map(|address| {
        Ok::<_, anyhow::Error>(Arc::new(HttpSource::new(address, token)?) as Arc<dyn Puller>)
    });
    Ok(Source {
        webhook_key: settings.webhook_key(),
        pull: pull.transpose()?,
        fresh_for: settings.fresh_for(),
        issuer: settings.issuer().map(str::to_owned),
    })
}

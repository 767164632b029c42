//! What is done behind answers, and mailed: put together by the settings.

use std::sync::Arc;

use anyhow::Context as _;
use barterline_domain::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::config::{self, Settings};
use crate::ids::Ids;
use crate::mail::{self, Courier, Transport};
use crate::services::accounts::{Accounts, Errands, Mailing, Waiting};
use crate::telemetry::metrics::MailMetrics;

/// What is to be done, and who carries it out.
pub struct Post {
    waiting: Waiting,
    courier: Courier,
}

impl Post {
    /// Works until `stop`, and then for a few seconds on what is there.
    pub async fn run(self, accounts: Accounts, stop: CancellationToken) {
        let Self { waiting, courier } = self;
        // The courier goes last: errands end in mails.
        let done = CancellationToken::new();
        let errands = async {
            accounts.run_errands(waiting, stop).await;
            done.cancel();
        };
        tokio::join!(errands, courier.run(done.clone()));
    }
}

/// How mail leaves by the settings, which agree with each other. Both `None`: not at all.
pub(super) fn open(
    settings: &Settings,
    admin: &Admin,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> anyhow::Result<(Option<Mailing>, Option<Post>)> {
    let Some(transport) = transport(&settings.mail)? else { return Ok((None, None)) };
    let metrics = MailMetrics::default();
    admin.register(|registry| metrics.register(registry));
    let stationery = mail::Stationery::new(&settings.mail.from, settings.mail.link.clone())?;
    let (clock, ids) = (Arc::clone(clock), Arc::clone(ids));
    let (mailer, courier) = mail::open(mail::Parts { stationery, transport, clock, ids, metrics });
    let (errands, waiting) = Errands::open();
    let verify_email = settings.accounts.verify_email;
    Ok((Some(Mailing { mailer, errands, verify_email }), Some(Post { waiting, courier })))
}

fn transport(settings: &config::Mail) -> anyhow::Result<Option<Transport>> {
    Ok(match (settings.transport.as_str(), &settings.directory) {
        ("file", Some(directory)) => {
            let folder = mail::Folder::open(directory);
            Some(Transport::File(folder.with_context(|| directory.display().to_string())?))
        }
        ("smtp", _) => {
            let security = match settings.security.as_str() {
                "starttls" => mail::Security::StartTls,
                "none" => mail::Security::None,
                _ => mail::Security::Tls,
            };
            let log_in = (settings.user.clone(), settings.password.expose().to_owned());
            Some(Transport::Smtp(mail::Relay::new(mail::RelaySettings {
                host: settings.host.clone(),
                port: u16::try_from(settings.port)?,
                security,
                log_in: Some(log_in).filter(|(user, _)| !user.is_empty()),
            })?))
        }
        _ => None,
    })
}

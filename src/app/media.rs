//! Files, put together by the settings.

use std::sync::Arc;

use barterline_domain::clock::Clock;
use barterline_media::Limits as Bounds;
use barterline_storage::media::MediaStore;

use crate::adapters::blobs::{AzurePlace, Blobs, DirectoryPlace, GcsPlace, Place, S3Place};
use crate::adapters::scanner::{Clamd, Scanner};
use crate::auth::sealed::Sealing;
use crate::config;
use crate::data_dir::DataDir;
use crate::ids::Ids;
use crate::limits::Limits;
use crate::services::accounts::UserDirectory;
use crate::services::chats::Chats;
use crate::services::listings::ListingReader;
use crate::services::media::pictures::Pictures;
use crate::services::media::{self, Media, Rules};

/// What files need beside their bytes.
pub(super) struct Parts {
    pub store: Arc<dyn MediaStore>,
    pub chats: Chats,
    pub listings: Arc<dyn ListingReader>,
    pub users: Arc<dyn UserDirectory>,
    pub limits: Arc<Limits>,
    pub links: Sealing,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

/// Files by the settings, which agree with each other.
pub(super) fn open(
    settings: &config::Media,
    data: &DataDir,
    parts: Parts,
) -> anyhow::Result<Media> {
    let Parts { store, chats, listings, users, limits, links, clock, ids } = parts;
    Ok(Media::new(media::Parts {
        store,
        blobs: Blobs::open(place(settings, data))?,
        scanner: scanner(settings)?,
        chats,
        listings,
        users,
        limits,
        links,
        pictures: Pictures::new(settings.workers)?,
        clock,
        ids,
        rules: Rules { bounds: bounds(settings), unfinished_max: settings.unfinished_max },
    }))
}

fn bounds(settings: &config::Media) -> Bounds {
    Bounds {
        picture_bytes: settings.picture_bytes(),
        video_bytes: settings.video_bytes(),
        audio_bytes: settings.audio_bytes(),
        document_bytes: settings.document_bytes(),
        pixels: settings.pixels_max(),
    }
}

fn scanner(settings: &config::Media) -> anyhow::Result<Option<Arc<dyn Scanner>>> {
    let Some(place) = settings.scanner() else { return Ok(None) };
    Ok(Some(Arc::new(Clamd::at(place)?)))
}

fn place(settings: &config::Media, data: &DataDir) -> Place {
    let (bucket, endpoint) = (settings.bucket.clone(), settings.endpoint());
    let allow_http = settings.allow_http;
    match settings.store.as_str() {
        "s3" => Place::S3(S3Place {
            bucket,
            region: settings.region.clone(),
            endpoint,
            keys: settings.keys(),
            allow_http,
        }),
        "gcs" => Place::Gcs(GcsPlace {
            bucket,
            endpoint,
            service_account: settings.service_account.clone(),
            allow_http,
        }),
        "azure" => {
            let key = Some(settings.secret_key.expose().to_owned()).filter(|key| !key.is_empty());
            let account = settings.account.clone();
            Place::Azure(AzurePlace { container: bucket, account, endpoint, key, allow_http })
        }
        _ => Place::Directory(DirectoryPlace {
            path: settings.directory(data.path()),
            keep_free: settings.keep_free_mib << 20,
        }),
    }
}

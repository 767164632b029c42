//! Rows of files. Those of the first version know of chats alone; they are read, and written anew as their
//! files change.

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, ListingId, MediaId, UserId};
use barterline_domain::media::{
    Content, FileName, Holder, Media, Picture, Purpose, Refusal, Shown, Size, State,
};
use serde::{Deserialize, Serialize};

use super::bytes::Malformed;
use super::rows::{Bytes, Row, get_as, put_as};

/// Every file is for a chat.
const CHATS_ALONE: u8 = 1;
const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct MediaV2 {
    id: MediaId,
    owner: UserId,
    purpose: PurposeV2,
    name: String,
    declared: u64,
    created: Timestamp,
    version: u64,
    state: StateV1,
    shown: Option<ShownV2>,
}

#[derive(Serialize, Deserialize)]
enum PurposeV2 {
    Chat(ChatId),
    Listing,
    Avatar,
}

#[derive(Serialize, Deserialize)]
struct ShownV2(HolderV2, Timestamp);

#[derive(Serialize, Deserialize)]
enum HolderV2 {
    Message(ClientId, Seq),
    Listing(ListingId),
    Profile,
}

#[derive(Deserialize)]
struct MediaV1 {
    id: MediaId,
    owner: UserId,
    chat: ChatId,
    name: String,
    declared: u64,
    created: Timestamp,
    version: u64,
    state: StateV1,
    shown: Option<ShownV1>,
}

#[derive(Deserialize)]
struct ShownV1(ClientId, Seq, Timestamp);

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Waiting,
    Received,
    Ready(ContentV1),
    Refused(u8),
    Ending,
}

#[derive(Serialize, Deserialize)]
struct ContentV1(String, u64, Bytes, Vec<PictureV1>);

#[derive(Serialize, Deserialize)]
struct PictureV1(u8, u32, u32, u64);

const SIZES: [Size; 3] = [Size::Full, Size::Medium, Size::Thumb];

const fn size_number(size: Size) -> u8 {
    match size {
        Size::Full => 0,
        Size::Medium => 1,
        Size::Thumb => 2,
    }
}

const REFUSALS: [Refusal; 5] = [
    Refusal::Unsupported,
    Refusal::Damaged,
    Refusal::TooLarge,
    Refusal::TooManyPixels,
    Refusal::Infected,
];

const fn refusal_number(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::Unsupported => 0,
        Refusal::Damaged => 1,
        Refusal::TooLarge => 2,
        Refusal::TooManyPixels => 3,
        Refusal::Infected => 4,
    }
}

impl ContentV1 {
    fn of(content: &Content) -> Self {
        let pictures = content.pictures.iter().map(|picture| {
            let Picture { size, width, height, bytes } = *picture;
            PictureV1(size_number(size), width, height, bytes)
        });
        let digest = Bytes(content.digest.to_vec());
        Self(content.media_type.clone(), content.bytes, digest, pictures.collect())
    }

    fn read(self) -> Result<Content, Malformed> {
        let Self(media_type, bytes, Bytes(digest), pictures) = self;
        let digest = digest.try_into().map_err(|_| Malformed)?;
        let pictures = pictures.into_iter().map(|PictureV1(number, width, height, bytes)| {
            let size = SIZES.into_iter().find(|size| size_number(*size) == number);
            Ok(Picture { size: size.ok_or(Malformed)?, width, height, bytes })
        });
        let pictures = pictures.collect::<Result<Vec<_>, Malformed>>()?;
        Ok(Content { media_type, bytes, digest, pictures })
    }
}

impl StateV1 {
    fn of(state: &State) -> Self {
        match state {
            State::Waiting => Self::Waiting,
            State::Received => Self::Received,
            State::Ready(content) => Self::Ready(ContentV1::of(content)),
            State::Refused(refusal) => Self::Refused(refusal_number(*refusal)),
            State::Ending => Self::Ending,
        }
    }

    fn read(self) -> Result<State, Malformed> {
        Ok(match self {
            Self::Waiting => State::Waiting,
            Self::Received => State::Received,
            Self::Ready(content) => State::Ready(content.read()?),
            Self::Refused(number) => {
                let refusal = REFUSALS.into_iter().find(|it| refusal_number(*it) == number);
                State::Refused(refusal.ok_or(Malformed)?)
            }
            Self::Ending => State::Ending,
        })
    }
}

impl PurposeV2 {
    const fn of(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Chat(chat) => Self::Chat(chat),
            Purpose::Listing => Self::Listing,
            Purpose::Avatar => Self::Avatar,
        }
    }

    const fn read(&self) -> Purpose {
        match self {
            Self::Chat(chat) => Purpose::Chat(*chat),
            Self::Listing => Purpose::Listing,
            Self::Avatar => Purpose::Avatar,
        }
    }
}

impl ShownV2 {
    const fn of(Shown { by, at }: Shown) -> Self {
        let by = match by {
            Holder::Message { id, above } => HolderV2::Message(id, above),
            Holder::Listing(listing) => HolderV2::Listing(listing),
            Holder::Profile => HolderV2::Profile,
        };
        Self(by, at)
    }

    const fn read(&self) -> Shown {
        let Self(by, at) = self;
        let by = match by {
            HolderV2::Message(id, above) => Holder::Message { id: *id, above: *above },
            HolderV2::Listing(listing) => Holder::Listing(*listing),
            HolderV2::Profile => Holder::Profile,
        };
        Shown { by, at: *at }
    }
}

impl From<MediaV1> for MediaV2 {
    fn from(row: MediaV1) -> Self {
        let MediaV1 { id, owner, chat, name, declared, created, version, state, shown } = row;
        let purpose = PurposeV2::Chat(chat);
        let shown = shown.map(|ShownV1(by, above, at)| ShownV2(HolderV2::Message(by, above), at));
        Self { id, owner, purpose, name, declared, created, version, state, shown }
    }
}

impl Row for Media {
    fn to_bytes(&self) -> Vec<u8> {
        let row = MediaV2 {
            id: self.id,
            owner: self.owner,
            purpose: PurposeV2::of(self.purpose),
            name: self.name.as_str().to_owned(),
            declared: self.declared,
            created: self.created,
            version: self.version,
            state: StateV1::of(&self.state),
            shown: self.shown.map(ShownV2::of),
        };
        put_as(VERSION, &row)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let row = match bytes.first() {
            Some(&CHATS_ALONE) => MediaV2::from(get_as::<MediaV1>(CHATS_ALONE, bytes)?),
            _ => get_as::<MediaV2>(VERSION, bytes)?,
        };
        Ok(Self {
            id: row.id,
            owner: row.owner,
            purpose: row.purpose.read(),
            name: FileName::of(&row.name),
            declared: row.declared,
            created: row.created,
            version: row.version,
            state: row.state.read()?,
            shown: row.shown.as_ref().map(ShownV2::read),
        })
    }
}

//! How values that are written otherwise than their fields look in JSON, for the OpenAPI document of
//! whoever shows them; structs and enums say it by a derive of their own. With the feature `openapi`.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::catalogue::attribute::AttributeKey;
use crate::catalogue::category::CategoryId;
use crate::clock::Timestamp;
use crate::event::Seq;
use crate::ids::{
    ApiKeyId, ChatId, ClientId, DeviceId, IdentityId, ListingId, MediaId, ReportId, SavedSearchId,
    SessionId, UserId,
};
use crate::money::Currency;

/// An id has one spelling ([`crate::ids`]).
const ID: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

macro_rules! schemas {
    ($($name:ident: $schema:expr, $description:literal;)+) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.description(Some($description)).build().into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+};
}

schemas! {
    UserId: id(), "A person or program with an account.";
    ListingId: id(), "A listing.";
    SavedSearchId: id(), "A search that somebody keeps.";
    ChatId: id(), "A conversation of one buyer about one listing.";
    DeviceId: id(), "One installation of a client program, which makes it once and keeps it.";
    SessionId: id(), "One log-in of one account.";
    ClientId: id(), "The client's name for one message, made when it was composed.";
    ReportId: id(), "A report to staff.";
    MediaId: id(), "A picture, sound or film that was uploaded.";
    ApiKeyId: id(), "A key of a program or device.";
    IdentityId: id(), "An identity at an outer provider, by which somebody signs in.";
    Timestamp: whole(), "Milliseconds since 1970, UTC.";
    Seq: whole().maximum(Some(Seq::MAX.0 as usize)),
        "An event's number in its chat: 1, 2, 3 … without a gap. 0 is the place before the first.";
    CategoryId: text("^[a-z0-9-]{1,40}(/[a-z0-9-]{1,40}){0,3}$"),
        "A kind of things, and where it stands among the others.";
    AttributeKey: text("^[a-z0-9_-]{1,40}$"), "What an attribute or a choice is called.";
    Currency: text("^[A-Z]{3}$"), "A currency that people pay with, by its ISO 4217 code.";
}

fn id() -> ObjectBuilder {
    text(ID).format(Some(SchemaFormat::Custom("uuid".to_owned())))
}

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

fn whole() -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).minimum(Some(0_usize))
}

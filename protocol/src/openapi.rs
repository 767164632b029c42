//! How a cursor looks in JSON, for the OpenAPI document of whoever answers with one. With the feature
//! `openapi`.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::cursor::{CURSOR_BYTES_MAX, Cursor};

impl PartialSchema for Cursor {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9_-]*$"))
            // Four characters for three bytes.
            .max_length(Some(CURSOR_BYTES_MAX.div_ceil(3) * 4))
            .description(Some(
                "How far a client has heard of its inbox; opaque, to be given back.",
            ));
        schema.build().into()
    }
}

impl ToSchema for Cursor {
    fn name() -> Cow<'static, str> {
        "Cursor".into()
    }
}

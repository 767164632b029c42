//! What uploaded files are, by their bytes, and what is made of pictures.
//!
//! Bytes in, bytes and numbers out: no store, no HTTP, no async. Nothing a stranger sends is believed,
//! neither its name nor what it says of its own size.
//!
//! | file | |
//! |---|---|
//! | `kind` | which of the kinds that are taken, by how a file begins |
//! | `limits` | how large one of each family may be |
//! | `image` | pictures decoded and made anew, in several sizes, with nothing but pixels in them |
//! | `range` | which part of a file a request asks for |

pub mod image;
pub mod kind;
pub mod limits;
pub mod range;

pub use crate::image::{Encoded, ImageError, re_encode};
pub use crate::kind::{Family, HEAD_BYTES, Kind};
pub use crate::limits::Limits;
pub use crate::range::Unsatisfiable;

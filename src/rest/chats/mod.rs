//! `/v1/chats`. Rows and events have the shape they have on sockets.

pub mod events;
pub mod list;
pub mod mark;
pub mod open;
pub mod read;
pub mod report;
pub mod send;
pub mod unread;

//! `/v1/sync`: the stream of a socket, for clients that ask for it piece by piece.

pub mod poll;

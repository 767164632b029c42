//! /v1/socket, as docs/protocol.md promises it.

mod bad_input;
mod resume;
mod sending;
mod talk;
mod tokens;

//! /v1/socket, as docs/protocol.md promises it.

mod bad_input;
mod drain;
mod flow;
mod heartbeat;
mod limits;
mod messages;
mod people;
mod resume;
mod sending;
mod talk;
mod tokens;

//! The harness: an outsider who loads a server like real clients, injures it, and checks every
//! stream. It speaks the protocol and never links the server.
//!
//! In reading order: `scenario` is what is played and how it becomes a `report`; `engine` plays the
//! participants; `checker` judges what they saw; `fault` starts and kills the server; `wire` and
//! `ws` are what goes over the sockets; `corpus` is what people say.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a harness computes figures for people: counts become floats and back all day"
)]

pub mod cli;
pub mod scenario;

pub mod report;
mod summary;

mod engine;
mod message;
mod wire;
pub mod ws;

mod checker;
mod latency;
mod probe;

mod fault;

mod admin;
mod corpus;
mod http;
mod progress;

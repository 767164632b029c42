//! The Barterline server.
//!
//! From the outside in: [`cli`] and [`lifecycle`] start and stop the house that [`app`] builds.
//! [`listener`] takes connections, [`rest`] and [`admin`] speak HTTP and hold no rules;
//! [`services`] hold them all. An arrow never turns back: services know no edge, and [`config`]
//! and [`telemetry`] look at nobody.

pub mod cli;
pub mod lifecycle;

pub mod app;
pub mod config;
pub mod data_dir;
pub mod demo;
pub mod load_test;

pub mod admin;
pub mod listener;
pub mod rest;
pub mod wire;

pub mod services;

pub mod auth;

pub mod clock;
pub mod ids;
pub mod readiness;
pub mod telemetry;

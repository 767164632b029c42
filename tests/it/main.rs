//! The real binary through its public doors: one process for each test that needs its own, port 0,
//! a data directory that goes with it.

mod support;

mod config;
mod data;
mod defences;
mod health;
mod keys;
mod mail;
mod privacy;
mod rest;
mod socket;
mod start;
mod tls;

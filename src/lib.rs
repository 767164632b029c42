//! Barterline's server. ARCHITECTURE.md is the map; the modules stand here in the order of a first
//! reading, from the way in to the ground.

pub mod app;
pub mod cli;
pub mod config;
pub mod data;
pub mod data_dir;
pub mod demo;
pub mod keys;
pub mod lifecycle;
pub mod listener;
pub mod listings;
pub mod schema;
pub mod search;

pub mod admin;
pub mod gateway;
pub mod rest;
pub mod wire;

pub mod services;

pub mod adapters;
pub mod auth;
pub mod cluster;
pub mod hub;
pub mod limits;
pub mod mail;

pub mod clock;
pub mod fault;
pub mod ids;
pub mod telemetry;

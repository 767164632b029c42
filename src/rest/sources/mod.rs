//! `/v1/sources/{source}/listings`: things for sale that other systems keep. docs/catalogues.md

pub mod item;
pub mod read;
pub mod receive;

//! vifd
pub mod admin;
pub mod config;
pub mod model;
pub mod ops;
pub mod plan;
pub mod source;
pub mod store;
pub mod telemetry;

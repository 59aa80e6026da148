//! vifd

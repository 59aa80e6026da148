//! Tests against the running kernel, each in network namespaces of its own. They need root, `nft`
//! and `ip`; what is missing fails the test and says what to install.

mod batch;
mod conntrack;
mod expressions;
mod generated;
mod namespace;
mod probe;
mod ruleset;

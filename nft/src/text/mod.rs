//! Readable forms of rules and rulesets: [`bytecode`] is the instruction list, [`list`] is close to
//! `nft list`, [`json`] is the schema of `nft -j`.

pub mod bytecode;

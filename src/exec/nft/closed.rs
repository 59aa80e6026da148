//! The table that closes filtered ports while vifd's own tables are not what they should be.

use ::nft::batch::Batch;
use ::nft::chain::{Chain, Policy, hook};
use ::nft::data::Register;
use ::nft::element::Element;
use ::nft::expr::MetaKey;
use ::nft::expr::build::{drop, lookup, meta};
use ::nft::message::Family;
use ::nft::name::{Bytes, Name};
use ::nft::rule::Rule;
use ::nft::ruleset::TableState;
use ::nft::set::{DataType, Set};
use ::nft::table::Table;

/// Its name.
pub(super) const NAME: &str = "vifd_closed";

/// A table that drops everything from and to these devices.
pub(super) fn table(devices: impl Iterator<Item = Bytes>) -> TableState {
    let mut table = TableState::new(Family::BRIDGE, Table::new(NAME));
    let set = table.add_set(Set::new(NAME, "devices", &[DataType::IFNAME]));
    set.elements = devices.map(Element::key).collect();
    for (chain, number, key) in [
        ("before", hook::PREROUTING, MetaKey::IIFNAME),
        ("after", hook::POSTROUTING, MetaKey::OIFNAME),
    ] {
        table.add_chain(Chain::base(NAME, chain, number, -500, Policy::ACCEPT));
        let rule = vec![
            meta(key, Register::R1),
            lookup("devices", Register::R1),
            drop(),
        ];
        table.add_rule(
            Rule::new(NAME, chain, rule).commented("closed until vifd's tables stand again"),
        );
    }
    table
}

/// Appends the removal of the table, which stands.
pub(super) fn open(batch: &mut Batch) {
    batch.delete_table(Family::BRIDGE, &Name::from(NAME));
}

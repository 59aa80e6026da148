//! What is promised, one situation each, with real packets.

mod addresses;
mod changes;
mod drill;
mod icmpv6;
mod services;
mod streams;

/// Situations for a driver.
macro_rules! situations {
    ($driver:ident = $value:expr, [$($module:ident :: $name:ident),* $(,)?]) => {
        mod $driver {
            use anyhow::Result;

            $(#[test]
            fn $name() -> Result<()> {
                super::$module::$name($value)
            })*
        }
    };
}

situations! {
    openflow = crate::bed::Driver::OpenFlow, [
        addresses::equal_addresses_on_two_networks_are_kept_apart,
        addresses::a_connection_on_another_network_opens_nothing,
        addresses::arp_and_neighbours_are_held_to_own_addresses,
        addresses::pairs_of_prefixes_and_of_everything,
        addresses::a_port_asks_for_an_address_before_it_has_one,
        addresses::no_port_is_a_dhcp_server_or_a_router,
        addresses::link_local_addresses,
        addresses::tagged_frames_do_not_leave,
        services::packets_between_two_ports_meet_both_sets_of_rules,
        services::a_reset_tells_that_nobody_listens,
        services::what_is_refused_opens_nothing_the_other_way,
        services::icmp_type_and_code_zero,
        icmpv6::an_echo_request_leaves_without_a_rule_and_is_answered,
        icmpv6::what_belongs_to_no_connection_leaves_too,
        icmpv6::little_leaves_without_an_address,
        icmpv6::no_router_advertisement_leaves,
        services::protocols_by_number,
        services::the_whole_range_of_ports,
        services::fragments_are_judged_as_a_whole,
        services::fragments_where_nothing_is_tracked,
        changes::a_member_that_leaves_takes_only_its_connections,
        changes::a_rule_that_goes_stops_a_running_stream,
        changes::connections_of_a_port_are_not_its_successors,
        changes::port_security_off_and_on,
        changes::stateful_and_stateless,
        streams::what_a_change_forbids_stops_and_its_neighbour_goes_on,
        streams::a_port_that_is_deleted_takes_its_streams_and_no_others,
    ]
}

situations! {
    nft = crate::bed::Driver::Nft, [
        addresses::equal_addresses_on_two_networks_are_kept_apart,
        addresses::a_connection_on_another_network_opens_nothing,
        addresses::arp_and_neighbours_are_held_to_own_addresses,
        addresses::pairs_of_prefixes_and_of_everything,
        addresses::a_port_asks_for_an_address_before_it_has_one,
        addresses::no_port_is_a_dhcp_server_or_a_router,
        addresses::link_local_addresses,
        addresses::tagged_frames_do_not_leave,
        services::packets_between_two_ports_meet_both_sets_of_rules,
        services::a_reset_tells_that_nobody_listens,
        services::what_is_refused_opens_nothing_the_other_way,
        services::icmp_type_and_code_zero,
        icmpv6::an_echo_request_leaves_without_a_rule_and_is_answered,
        icmpv6::what_belongs_to_no_connection_leaves_too,
        icmpv6::little_leaves_without_an_address,
        icmpv6::no_router_advertisement_leaves,
        services::protocols_by_number,
        services::the_whole_range_of_ports,
        services::fragments_are_judged_as_a_whole,
        services::fragments_where_nothing_is_tracked,
        changes::a_member_that_leaves_takes_only_its_connections,
        changes::a_rule_that_goes_stops_a_running_stream,
        changes::connections_of_a_port_are_not_its_successors,
        changes::port_security_off_and_on,
        changes::stateful_and_stateless,
        streams::what_a_change_forbids_stops_and_its_neighbour_goes_on,
        streams::a_port_that_is_deleted_takes_its_streams_and_no_others,
    ]
}

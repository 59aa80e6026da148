//! The table of all match fields (`meta-flow.h` of Open vSwitch).
//!
//! Owns one row per field and the reverse lookup made from it at compile time; knows nothing of
//! values. Rows up to `COOKIE` are stored in matches and stand in the order in which Open vSwitch
//! writes them; rows after it are aliases. Columns: index, constant, name, second name, bytes,
//! significant bits, mask rule, access, prerequisite, text format, wire names as class, number,
//! name and first OpenFlow minor version. `tests/vectors.rs` holds it.

use super::field::{Access, FieldId, FieldInfo, Format, HeaderClass, HeaderSpec, MaskRule, Prereq};

/// Marks an unused slot of [`HEADER_LOOKUP`].
pub(super) const NO_FIELD: u8 = 255;

macro_rules! fields {
    ($($index:literal $id:ident $name:literal $alias:literal $bytes:literal $bits:literal
       $mask:ident $access:ident $prereq:ident $format:ident
       [$($class:ident $number:literal $hname:literal $since:literal),*];)*) => {
        impl FieldId {
            $(#[doc = concat!("`", $name, "`")] pub const $id: FieldId = FieldId($index);)*
        }

        pub(super) static FIELDS: [FieldInfo; 0 $(+ { let _ = $index; 1 })*] = [$(FieldInfo {
            name: $name,
            alias: $alias,
            bytes: $bytes,
            bits: $bits,
            mask: MaskRule::$mask,
            access: Access::$access,
            prereq: Prereq::$prereq,
            format: Format::$format,
            headers: &[$(HeaderSpec {
                class: HeaderClass::$class,
                number: $number,
                name: $hname,
                since_minor: $since,
            },)*],
        },)*];

        /// Field index by header class and number.
        #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
        pub(super) static HEADER_LOOKUP: [[u8; 128]; 8] = {
            let mut table = [[NO_FIELD; 128]; 8];
            // The cookie shares its number with MPLS TTL, which stands first.
            $($(if table[HeaderClass::$class as usize][$number] == NO_FIELD {
                table[HeaderClass::$class as usize][$number] = $index;
            })*)*
            table
        };
    };
}

fields! {
      0 PACKET_TYPE "packet_type" "" 4 32 No Ro None PacketType [Oxm 44 "OXM_OF_PACKET_TYPE" 5];
      1 DP_HASH "dp_hash" "" 4 32 Bitwise Ro None Hex [Nxm1 35 "NXM_NX_DP_HASH" 0, NxEt 0 "NXOXM_ET_DP_HASH" 0];
      2 RECIRC_ID "recirc_id" "" 4 32 No Ro None Decimal [Nxm1 36 "NXM_NX_RECIRC_ID" 0];
      3 CONJ_ID "conj_id" "" 4 32 No Ro None Decimal [Nxm1 37 "NXM_NX_CONJ_ID" 0];
      4 IN_PORT "in_port" "" 2 16 No Rw None Port [Nxm0 0 "NXM_OF_IN_PORT" 0];
      5 ACTSET_OUTPUT "actset_output" "" 4 32 No Ro None Port [OnfEt 43 "ONFOXM_ET_ACTSET_OUTPUT" 3, Oxm 43 "OXM_OF_ACTSET_OUTPUT" 5];
      6 ETH_SRC "eth_src" "dl_src" 6 48 Bitwise Rw Ethernet Mac [Nxm0 2 "NXM_OF_ETH_SRC" 0, Oxm 4 "OXM_OF_ETH_SRC" 2];
      7 ETH_DST "eth_dst" "dl_dst" 6 48 Bitwise Rw Ethernet Mac [Nxm0 1 "NXM_OF_ETH_DST" 0, Oxm 3 "OXM_OF_ETH_DST" 2];
      8 ETH_TYPE "eth_type" "dl_type" 2 16 No Ro Ethernet Hex [Nxm0 3 "NXM_OF_ETH_TYPE" 0, Oxm 5 "OXM_OF_ETH_TYPE" 2];
      9 VLAN_TCI "vlan_tci" "" 2 16 Bitwise Rw Ethernet Hex [Nxm0 4 "NXM_OF_VLAN_TCI" 0];
     10 MPLS_TC "mpls_tc" "" 1 3 No Rw Mpls Decimal [Oxm 35 "OXM_OF_MPLS_TC" 2];
     11 MPLS_BOS "mpls_bos" "" 1 1 No Ro Mpls Decimal [Oxm 36 "OXM_OF_MPLS_BOS" 3];
     12 MPLS_TTL "mpls_ttl" "" 1 8 No Rw Mpls Decimal [Nxm1 30 "NXM_NX_MPLS_TTL" 0];
     13 MPLS_LABEL "mpls_label" "" 4 20 No Rw Mpls Decimal [Oxm 34 "OXM_OF_MPLS_LABEL" 2];
     14 IP_SRC "ip_src" "nw_src" 4 32 Bitwise Rw Ipv4 Ipv4 [Nxm0 7 "NXM_OF_IP_SRC" 0, Oxm 11 "OXM_OF_IPV4_SRC" 2];
     15 IP_DST "ip_dst" "nw_dst" 4 32 Bitwise Rw Ipv4 Ipv4 [Nxm0 8 "NXM_OF_IP_DST" 0, Oxm 12 "OXM_OF_IPV4_DST" 2];
     16 IPV6_SRC "ipv6_src" "" 16 128 Bitwise Rw Ipv6 Ipv6 [Nxm1 19 "NXM_NX_IPV6_SRC" 0, Oxm 26 "OXM_OF_IPV6_SRC" 2];
     17 IPV6_DST "ipv6_dst" "" 16 128 Bitwise Rw Ipv6 Ipv6 [Nxm1 20 "NXM_NX_IPV6_DST" 0, Oxm 27 "OXM_OF_IPV6_DST" 2];
     18 IP_FRAG "ip_frag" "nw_frag" 1 2 Bitwise Ro IpAny Frag [Nxm1 26 "NXM_NX_IP_FRAG" 0];
     19 NW_TOS "nw_tos" "" 1 8 No Rw IpAny Decimal [Nxm0 5 "NXM_OF_IP_TOS" 0];
     20 NW_ECN "nw_ecn" "ip_ecn" 1 2 No Rw IpAny Decimal [Nxm1 28 "NXM_NX_IP_ECN" 0, Oxm 9 "OXM_OF_IP_ECN" 2];
     21 NW_TTL "nw_ttl" "" 1 8 No Rw IpAny Decimal [Nxm1 29 "NXM_NX_IP_TTL" 0];
     22 IPV6_LABEL "ipv6_label" "" 4 20 Bitwise Rw Ipv6 Hex [Nxm1 27 "NXM_NX_IPV6_LABEL" 0, Oxm 28 "OXM_OF_IPV6_FLABEL" 2];
     23 NW_PROTO "nw_proto" "ip_proto" 1 8 No Ro IpAny Decimal [Nxm0 6 "NXM_OF_IP_PROTO" 0, Oxm 10 "OXM_OF_IP_PROTO" 2];
     24 TCP_SRC "tcp_src" "tp_src" 2 16 Bitwise Rw Tcp Decimal [Nxm0 9 "NXM_OF_TCP_SRC" 0, Oxm 13 "OXM_OF_TCP_SRC" 2];
     25 TCP_DST "tcp_dst" "tp_dst" 2 16 Bitwise Rw Tcp Decimal [Nxm0 10 "NXM_OF_TCP_DST" 0, Oxm 14 "OXM_OF_TCP_DST" 2];
     26 TCP_FLAGS "tcp_flags" "" 2 12 Bitwise Ro Tcp TcpFlags [Nxm1 34 "NXM_NX_TCP_FLAGS" 0, OnfEt 42 "ONFOXM_ET_TCP_FLAGS" 3, Oxm 42 "OXM_OF_TCP_FLAGS" 5];
     27 UDP_SRC "udp_src" "" 2 16 Bitwise Rw Udp Decimal [Nxm0 11 "NXM_OF_UDP_SRC" 0, Oxm 15 "OXM_OF_UDP_SRC" 2];
     28 UDP_DST "udp_dst" "" 2 16 Bitwise Rw Udp Decimal [Nxm0 12 "NXM_OF_UDP_DST" 0, Oxm 16 "OXM_OF_UDP_DST" 2];
     29 SCTP_SRC "sctp_src" "" 2 16 Bitwise Rw Sctp Decimal [Oxm 17 "OXM_OF_SCTP_SRC" 2];
     30 SCTP_DST "sctp_dst" "" 2 16 Bitwise Rw Sctp Decimal [Oxm 18 "OXM_OF_SCTP_DST" 2];
     31 ICMP_TYPE "icmp_type" "" 1 8 No Rw Icmpv4 Decimal [Nxm0 13 "NXM_OF_ICMP_TYPE" 0, Oxm 19 "OXM_OF_ICMPV4_TYPE" 2];
     32 ICMP_CODE "icmp_code" "" 1 8 No Rw Icmpv4 Decimal [Nxm0 14 "NXM_OF_ICMP_CODE" 0, Oxm 20 "OXM_OF_ICMPV4_CODE" 2];
     33 ICMPV6_TYPE "icmpv6_type" "" 1 8 No Rw Icmpv6 Decimal [Nxm1 21 "NXM_NX_ICMPV6_TYPE" 0, Oxm 29 "OXM_OF_ICMPV6_TYPE" 2];
     34 ICMPV6_CODE "icmpv6_code" "" 1 8 No Rw Icmpv6 Decimal [Nxm1 22 "NXM_NX_ICMPV6_CODE" 0, Oxm 30 "OXM_OF_ICMPV6_CODE" 2];
     35 ND_RESERVED "nd_reserved" "" 4 32 No Rw Nd Decimal [Eric 1 "ERICOXM_OF_ICMPV6_ND_RESERVED" 0];
     36 ND_TARGET "nd_target" "" 16 128 Bitwise Rw Nd Ipv6 [Nxm1 23 "NXM_NX_ND_TARGET" 0, Oxm 31 "OXM_OF_IPV6_ND_TARGET" 2];
     37 ND_OPTIONS_TYPE "nd_options_type" "" 1 8 No Rw Nd Decimal [Eric 2 "ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE" 0];
     38 ND_SLL "nd_sll" "" 6 48 Bitwise Rw NdSolicit Mac [Nxm1 24 "NXM_NX_ND_SLL" 0, Oxm 32 "OXM_OF_IPV6_ND_SLL" 2];
     39 ND_TLL "nd_tll" "" 6 48 Bitwise Rw NdAdvert Mac [Nxm1 25 "NXM_NX_ND_TLL" 0, Oxm 33 "OXM_OF_IPV6_ND_TLL" 2];
     40 ARP_OP "arp_op" "" 2 16 No Rw Arp Decimal [Nxm0 15 "NXM_OF_ARP_OP" 0, Oxm 21 "OXM_OF_ARP_OP" 2];
     41 ARP_SPA "arp_spa" "" 4 32 Bitwise Rw Arp Ipv4 [Nxm0 16 "NXM_OF_ARP_SPA" 0, Oxm 22 "OXM_OF_ARP_SPA" 2];
     42 ARP_TPA "arp_tpa" "" 4 32 Bitwise Rw Arp Ipv4 [Nxm0 17 "NXM_OF_ARP_TPA" 0, Oxm 23 "OXM_OF_ARP_TPA" 2];
     43 ARP_SHA "arp_sha" "" 6 48 Bitwise Rw Arp Mac [Nxm1 17 "NXM_NX_ARP_SHA" 0, Oxm 24 "OXM_OF_ARP_SHA" 2];
     44 ARP_THA "arp_tha" "" 6 48 Bitwise Rw Arp Mac [Nxm1 18 "NXM_NX_ARP_THA" 0, Oxm 25 "OXM_OF_ARP_THA" 2];
     45 TUN_ID "tun_id" "tunnel_id" 8 64 Bitwise Rw None Hex [Nxm1 16 "NXM_NX_TUN_ID" 0, Oxm 38 "OXM_OF_TUNNEL_ID" 3];
     46 TUN_FLAGS "tun_flags" "" 2 1 Bitwise Rw None TunFlags [Nxm1 104 "NXM_NX_TUN_FLAGS" 0];
     47 TUN_SRC "tun_src" "" 4 32 Bitwise Rw None Ipv4 [Nxm1 31 "NXM_NX_TUN_IPV4_SRC" 0];
     48 TUN_DST "tun_dst" "" 4 32 Bitwise Rw None Ipv4 [Nxm1 32 "NXM_NX_TUN_IPV4_DST" 0];
     49 TUN_IPV6_SRC "tun_ipv6_src" "" 16 128 Bitwise Rw None Ipv6 [Nxm1 109 "NXM_NX_TUN_IPV6_SRC" 0];
     50 TUN_IPV6_DST "tun_ipv6_dst" "" 16 128 Bitwise Rw None Ipv6 [Nxm1 110 "NXM_NX_TUN_IPV6_DST" 0];
     51 TUN_GBP_ID "tun_gbp_id" "" 2 16 Bitwise Rw None Decimal [Nxm1 38 "NXM_NX_TUN_GBP_ID" 0];
     52 TUN_GBP_FLAGS "tun_gbp_flags" "" 1 8 Bitwise Rw None Hex [Nxm1 39 "NXM_NX_TUN_GBP_FLAGS" 0];
     53 TUN_METADATA0 "tun_metadata0" "" 124 992 Bitwise Rw None Hex [Nxm1 40 "NXM_NX_TUN_METADATA0" 0];
     54 TUN_METADATA1 "tun_metadata1" "" 124 992 Bitwise Rw None Hex [Nxm1 41 "NXM_NX_TUN_METADATA1" 0];
     55 TUN_METADATA2 "tun_metadata2" "" 124 992 Bitwise Rw None Hex [Nxm1 42 "NXM_NX_TUN_METADATA2" 0];
     56 TUN_METADATA3 "tun_metadata3" "" 124 992 Bitwise Rw None Hex [Nxm1 43 "NXM_NX_TUN_METADATA3" 0];
     57 TUN_METADATA4 "tun_metadata4" "" 124 992 Bitwise Rw None Hex [Nxm1 44 "NXM_NX_TUN_METADATA4" 0];
     58 TUN_METADATA5 "tun_metadata5" "" 124 992 Bitwise Rw None Hex [Nxm1 45 "NXM_NX_TUN_METADATA5" 0];
     59 TUN_METADATA6 "tun_metadata6" "" 124 992 Bitwise Rw None Hex [Nxm1 46 "NXM_NX_TUN_METADATA6" 0];
     60 TUN_METADATA7 "tun_metadata7" "" 124 992 Bitwise Rw None Hex [Nxm1 47 "NXM_NX_TUN_METADATA7" 0];
     61 TUN_METADATA8 "tun_metadata8" "" 124 992 Bitwise Rw None Hex [Nxm1 48 "NXM_NX_TUN_METADATA8" 0];
     62 TUN_METADATA9 "tun_metadata9" "" 124 992 Bitwise Rw None Hex [Nxm1 49 "NXM_NX_TUN_METADATA9" 0];
     63 TUN_METADATA10 "tun_metadata10" "" 124 992 Bitwise Rw None Hex [Nxm1 50 "NXM_NX_TUN_METADATA10" 0];
     64 TUN_METADATA11 "tun_metadata11" "" 124 992 Bitwise Rw None Hex [Nxm1 51 "NXM_NX_TUN_METADATA11" 0];
     65 TUN_METADATA12 "tun_metadata12" "" 124 992 Bitwise Rw None Hex [Nxm1 52 "NXM_NX_TUN_METADATA12" 0];
     66 TUN_METADATA13 "tun_metadata13" "" 124 992 Bitwise Rw None Hex [Nxm1 53 "NXM_NX_TUN_METADATA13" 0];
     67 TUN_METADATA14 "tun_metadata14" "" 124 992 Bitwise Rw None Hex [Nxm1 54 "NXM_NX_TUN_METADATA14" 0];
     68 TUN_METADATA15 "tun_metadata15" "" 124 992 Bitwise Rw None Hex [Nxm1 55 "NXM_NX_TUN_METADATA15" 0];
     69 TUN_METADATA16 "tun_metadata16" "" 124 992 Bitwise Rw None Hex [Nxm1 56 "NXM_NX_TUN_METADATA16" 0];
     70 TUN_METADATA17 "tun_metadata17" "" 124 992 Bitwise Rw None Hex [Nxm1 57 "NXM_NX_TUN_METADATA17" 0];
     71 TUN_METADATA18 "tun_metadata18" "" 124 992 Bitwise Rw None Hex [Nxm1 58 "NXM_NX_TUN_METADATA18" 0];
     72 TUN_METADATA19 "tun_metadata19" "" 124 992 Bitwise Rw None Hex [Nxm1 59 "NXM_NX_TUN_METADATA19" 0];
     73 TUN_METADATA20 "tun_metadata20" "" 124 992 Bitwise Rw None Hex [Nxm1 60 "NXM_NX_TUN_METADATA20" 0];
     74 TUN_METADATA21 "tun_metadata21" "" 124 992 Bitwise Rw None Hex [Nxm1 61 "NXM_NX_TUN_METADATA21" 0];
     75 TUN_METADATA22 "tun_metadata22" "" 124 992 Bitwise Rw None Hex [Nxm1 62 "NXM_NX_TUN_METADATA22" 0];
     76 TUN_METADATA23 "tun_metadata23" "" 124 992 Bitwise Rw None Hex [Nxm1 63 "NXM_NX_TUN_METADATA23" 0];
     77 TUN_METADATA24 "tun_metadata24" "" 124 992 Bitwise Rw None Hex [Nxm1 64 "NXM_NX_TUN_METADATA24" 0];
     78 TUN_METADATA25 "tun_metadata25" "" 124 992 Bitwise Rw None Hex [Nxm1 65 "NXM_NX_TUN_METADATA25" 0];
     79 TUN_METADATA26 "tun_metadata26" "" 124 992 Bitwise Rw None Hex [Nxm1 66 "NXM_NX_TUN_METADATA26" 0];
     80 TUN_METADATA27 "tun_metadata27" "" 124 992 Bitwise Rw None Hex [Nxm1 67 "NXM_NX_TUN_METADATA27" 0];
     81 TUN_METADATA28 "tun_metadata28" "" 124 992 Bitwise Rw None Hex [Nxm1 68 "NXM_NX_TUN_METADATA28" 0];
     82 TUN_METADATA29 "tun_metadata29" "" 124 992 Bitwise Rw None Hex [Nxm1 69 "NXM_NX_TUN_METADATA29" 0];
     83 TUN_METADATA30 "tun_metadata30" "" 124 992 Bitwise Rw None Hex [Nxm1 70 "NXM_NX_TUN_METADATA30" 0];
     84 TUN_METADATA31 "tun_metadata31" "" 124 992 Bitwise Rw None Hex [Nxm1 71 "NXM_NX_TUN_METADATA31" 0];
     85 TUN_METADATA32 "tun_metadata32" "" 124 992 Bitwise Rw None Hex [Nxm1 72 "NXM_NX_TUN_METADATA32" 0];
     86 TUN_METADATA33 "tun_metadata33" "" 124 992 Bitwise Rw None Hex [Nxm1 73 "NXM_NX_TUN_METADATA33" 0];
     87 TUN_METADATA34 "tun_metadata34" "" 124 992 Bitwise Rw None Hex [Nxm1 74 "NXM_NX_TUN_METADATA34" 0];
     88 TUN_METADATA35 "tun_metadata35" "" 124 992 Bitwise Rw None Hex [Nxm1 75 "NXM_NX_TUN_METADATA35" 0];
     89 TUN_METADATA36 "tun_metadata36" "" 124 992 Bitwise Rw None Hex [Nxm1 76 "NXM_NX_TUN_METADATA36" 0];
     90 TUN_METADATA37 "tun_metadata37" "" 124 992 Bitwise Rw None Hex [Nxm1 77 "NXM_NX_TUN_METADATA37" 0];
     91 TUN_METADATA38 "tun_metadata38" "" 124 992 Bitwise Rw None Hex [Nxm1 78 "NXM_NX_TUN_METADATA38" 0];
     92 TUN_METADATA39 "tun_metadata39" "" 124 992 Bitwise Rw None Hex [Nxm1 79 "NXM_NX_TUN_METADATA39" 0];
     93 TUN_METADATA40 "tun_metadata40" "" 124 992 Bitwise Rw None Hex [Nxm1 80 "NXM_NX_TUN_METADATA40" 0];
     94 TUN_METADATA41 "tun_metadata41" "" 124 992 Bitwise Rw None Hex [Nxm1 81 "NXM_NX_TUN_METADATA41" 0];
     95 TUN_METADATA42 "tun_metadata42" "" 124 992 Bitwise Rw None Hex [Nxm1 82 "NXM_NX_TUN_METADATA42" 0];
     96 TUN_METADATA43 "tun_metadata43" "" 124 992 Bitwise Rw None Hex [Nxm1 83 "NXM_NX_TUN_METADATA43" 0];
     97 TUN_METADATA44 "tun_metadata44" "" 124 992 Bitwise Rw None Hex [Nxm1 84 "NXM_NX_TUN_METADATA44" 0];
     98 TUN_METADATA45 "tun_metadata45" "" 124 992 Bitwise Rw None Hex [Nxm1 85 "NXM_NX_TUN_METADATA45" 0];
     99 TUN_METADATA46 "tun_metadata46" "" 124 992 Bitwise Rw None Hex [Nxm1 86 "NXM_NX_TUN_METADATA46" 0];
    100 TUN_METADATA47 "tun_metadata47" "" 124 992 Bitwise Rw None Hex [Nxm1 87 "NXM_NX_TUN_METADATA47" 0];
    101 TUN_METADATA48 "tun_metadata48" "" 124 992 Bitwise Rw None Hex [Nxm1 88 "NXM_NX_TUN_METADATA48" 0];
    102 TUN_METADATA49 "tun_metadata49" "" 124 992 Bitwise Rw None Hex [Nxm1 89 "NXM_NX_TUN_METADATA49" 0];
    103 TUN_METADATA50 "tun_metadata50" "" 124 992 Bitwise Rw None Hex [Nxm1 90 "NXM_NX_TUN_METADATA50" 0];
    104 TUN_METADATA51 "tun_metadata51" "" 124 992 Bitwise Rw None Hex [Nxm1 91 "NXM_NX_TUN_METADATA51" 0];
    105 TUN_METADATA52 "tun_metadata52" "" 124 992 Bitwise Rw None Hex [Nxm1 92 "NXM_NX_TUN_METADATA52" 0];
    106 TUN_METADATA53 "tun_metadata53" "" 124 992 Bitwise Rw None Hex [Nxm1 93 "NXM_NX_TUN_METADATA53" 0];
    107 TUN_METADATA54 "tun_metadata54" "" 124 992 Bitwise Rw None Hex [Nxm1 94 "NXM_NX_TUN_METADATA54" 0];
    108 TUN_METADATA55 "tun_metadata55" "" 124 992 Bitwise Rw None Hex [Nxm1 95 "NXM_NX_TUN_METADATA55" 0];
    109 TUN_METADATA56 "tun_metadata56" "" 124 992 Bitwise Rw None Hex [Nxm1 96 "NXM_NX_TUN_METADATA56" 0];
    110 TUN_METADATA57 "tun_metadata57" "" 124 992 Bitwise Rw None Hex [Nxm1 97 "NXM_NX_TUN_METADATA57" 0];
    111 TUN_METADATA58 "tun_metadata58" "" 124 992 Bitwise Rw None Hex [Nxm1 98 "NXM_NX_TUN_METADATA58" 0];
    112 TUN_METADATA59 "tun_metadata59" "" 124 992 Bitwise Rw None Hex [Nxm1 99 "NXM_NX_TUN_METADATA59" 0];
    113 TUN_METADATA60 "tun_metadata60" "" 124 992 Bitwise Rw None Hex [Nxm1 100 "NXM_NX_TUN_METADATA60" 0];
    114 TUN_METADATA61 "tun_metadata61" "" 124 992 Bitwise Rw None Hex [Nxm1 101 "NXM_NX_TUN_METADATA61" 0];
    115 TUN_METADATA62 "tun_metadata62" "" 124 992 Bitwise Rw None Hex [Nxm1 102 "NXM_NX_TUN_METADATA62" 0];
    116 TUN_METADATA63 "tun_metadata63" "" 124 992 Bitwise Rw None Hex [Nxm1 103 "NXM_NX_TUN_METADATA63" 0];
    117 TUN_ERSPAN_IDX "tun_erspan_idx" "" 4 20 Bitwise Rw None Hex [NxEt 11 "NXOXM_ET_ERSPAN_IDX" 0];
    118 TUN_ERSPAN_VER "tun_erspan_ver" "" 1 4 Bitwise Rw None Decimal [NxEt 12 "NXOXM_ET_ERSPAN_VER" 0];
    119 TUN_ERSPAN_DIR "tun_erspan_dir" "" 1 1 Bitwise Rw None Decimal [NxEt 13 "NXOXM_ET_ERSPAN_DIR" 0];
    120 TUN_ERSPAN_HWID "tun_erspan_hwid" "" 1 6 Bitwise Rw None Hex [NxEt 14 "NXOXM_ET_ERSPAN_HWID" 0];
    121 TUN_GTPU_FLAGS "tun_gtpu_flags" "" 1 8 Bitwise Ro None Hex [NxEt 15 "NXOXM_ET_GTPU_FLAGS" 0];
    122 TUN_GTPU_MSGTYPE "tun_gtpu_msgtype" "" 1 8 Bitwise Ro None Decimal [NxEt 16 "NXOXM_ET_GTPU_MSGTYPE" 0];
    123 NSH_FLAGS "nsh_flags" "" 1 8 Bitwise Rw Nsh Decimal [Nsh 1 "NXOXM_NSH_FLAGS" 0];
    124 NSH_TTL "nsh_ttl" "" 1 8 No Rw Nsh Decimal [Nsh 10 "NXOXM_NSH_TTL" 0];
    125 NSH_MDTYPE "nsh_mdtype" "" 1 8 No Ro Nsh Decimal [Nsh 2 "NXOXM_NSH_MDTYPE" 0];
    126 NSH_NP "nsh_np" "" 1 8 No Ro Nsh Decimal [Nsh 3 "NXOXM_NSH_NP" 0];
    127 NSH_SPI "nsh_spi" "nsp" 4 24 No Rw Nsh Hex [Nsh 4 "NXOXM_NSH_SPI" 0];
    128 NSH_SI "nsh_si" "nsi" 1 8 No Rw Nsh Decimal [Nsh 5 "NXOXM_NSH_SI" 0];
    129 NSH_C1 "nsh_c1" "nshc1" 4 32 Bitwise Rw Nsh Hex [Nsh 6 "NXOXM_NSH_C1" 0];
    130 NSH_C2 "nsh_c2" "nshc2" 4 32 Bitwise Rw Nsh Hex [Nsh 7 "NXOXM_NSH_C2" 0];
    131 NSH_C3 "nsh_c3" "nshc3" 4 32 Bitwise Rw Nsh Hex [Nsh 8 "NXOXM_NSH_C3" 0];
    132 NSH_C4 "nsh_c4" "nshc4" 4 32 Bitwise Rw Nsh Hex [Nsh 9 "NXOXM_NSH_C4" 0];
    133 REG0 "reg0" "" 4 32 Bitwise Rw None Hex [Nxm1 0 "NXM_NX_REG0" 0];
    134 REG1 "reg1" "" 4 32 Bitwise Rw None Hex [Nxm1 1 "NXM_NX_REG1" 0];
    135 REG2 "reg2" "" 4 32 Bitwise Rw None Hex [Nxm1 2 "NXM_NX_REG2" 0];
    136 REG3 "reg3" "" 4 32 Bitwise Rw None Hex [Nxm1 3 "NXM_NX_REG3" 0];
    137 REG4 "reg4" "" 4 32 Bitwise Rw None Hex [Nxm1 4 "NXM_NX_REG4" 0];
    138 REG5 "reg5" "" 4 32 Bitwise Rw None Hex [Nxm1 5 "NXM_NX_REG5" 0];
    139 REG6 "reg6" "" 4 32 Bitwise Rw None Hex [Nxm1 6 "NXM_NX_REG6" 0];
    140 REG7 "reg7" "" 4 32 Bitwise Rw None Hex [Nxm1 7 "NXM_NX_REG7" 0];
    141 REG8 "reg8" "" 4 32 Bitwise Rw None Hex [Nxm1 8 "NXM_NX_REG8" 0];
    142 REG9 "reg9" "" 4 32 Bitwise Rw None Hex [Nxm1 9 "NXM_NX_REG9" 0];
    143 REG10 "reg10" "" 4 32 Bitwise Rw None Hex [Nxm1 10 "NXM_NX_REG10" 0];
    144 REG11 "reg11" "" 4 32 Bitwise Rw None Hex [Nxm1 11 "NXM_NX_REG11" 0];
    145 REG12 "reg12" "" 4 32 Bitwise Rw None Hex [Nxm1 12 "NXM_NX_REG12" 0];
    146 REG13 "reg13" "" 4 32 Bitwise Rw None Hex [Nxm1 13 "NXM_NX_REG13" 0];
    147 REG14 "reg14" "" 4 32 Bitwise Rw None Hex [Nxm1 14 "NXM_NX_REG14" 0];
    148 REG15 "reg15" "" 4 32 Bitwise Rw None Hex [Nxm1 15 "NXM_NX_REG15" 0];
    149 REG16 "reg16" "" 4 32 Bitwise Rw None Hex [NxEt 17 "NXOXM_ET_REG16" 0];
    150 REG17 "reg17" "" 4 32 Bitwise Rw None Hex [NxEt 18 "NXOXM_ET_REG17" 0];
    151 REG18 "reg18" "" 4 32 Bitwise Rw None Hex [NxEt 19 "NXOXM_ET_REG18" 0];
    152 REG19 "reg19" "" 4 32 Bitwise Rw None Hex [NxEt 20 "NXOXM_ET_REG19" 0];
    153 REG20 "reg20" "" 4 32 Bitwise Rw None Hex [NxEt 21 "NXOXM_ET_REG20" 0];
    154 REG21 "reg21" "" 4 32 Bitwise Rw None Hex [NxEt 22 "NXOXM_ET_REG21" 0];
    155 REG22 "reg22" "" 4 32 Bitwise Rw None Hex [NxEt 23 "NXOXM_ET_REG22" 0];
    156 REG23 "reg23" "" 4 32 Bitwise Rw None Hex [NxEt 24 "NXOXM_ET_REG23" 0];
    157 REG24 "reg24" "" 4 32 Bitwise Rw None Hex [NxEt 25 "NXOXM_ET_REG24" 0];
    158 REG25 "reg25" "" 4 32 Bitwise Rw None Hex [NxEt 26 "NXOXM_ET_REG25" 0];
    159 REG26 "reg26" "" 4 32 Bitwise Rw None Hex [NxEt 27 "NXOXM_ET_REG26" 0];
    160 REG27 "reg27" "" 4 32 Bitwise Rw None Hex [NxEt 28 "NXOXM_ET_REG27" 0];
    161 REG28 "reg28" "" 4 32 Bitwise Rw None Hex [NxEt 29 "NXOXM_ET_REG28" 0];
    162 REG29 "reg29" "" 4 32 Bitwise Rw None Hex [NxEt 30 "NXOXM_ET_REG29" 0];
    163 REG30 "reg30" "" 4 32 Bitwise Rw None Hex [NxEt 31 "NXOXM_ET_REG30" 0];
    164 REG31 "reg31" "" 4 32 Bitwise Rw None Hex [NxEt 32 "NXOXM_ET_REG31" 0];
    165 PKT_MARK "pkt_mark" "" 4 32 Bitwise Rw None Hex [Nxm1 33 "NXM_NX_PKT_MARK" 0];
    166 CT_STATE "ct_state" "" 4 32 Bitwise Ro None CtState [Nxm1 105 "NXM_NX_CT_STATE" 0];
    167 CT_ZONE "ct_zone" "" 2 16 No Ro None Hex [Nxm1 106 "NXM_NX_CT_ZONE" 0];
    168 CT_MARK "ct_mark" "" 4 32 Bitwise Rw None Hex [Nxm1 107 "NXM_NX_CT_MARK" 0];
    169 CT_LABEL "ct_label" "" 16 128 Bitwise Rw None Hex [Nxm1 108 "NXM_NX_CT_LABEL" 0];
    170 CT_NW_SRC "ct_nw_src" "" 4 32 Bitwise Ro Ct Ipv4 [Nxm1 120 "NXM_NX_CT_NW_SRC" 0];
    171 CT_IPV6_SRC "ct_ipv6_src" "" 16 128 Bitwise Ro Ct Ipv6 [Nxm1 122 "NXM_NX_CT_IPV6_SRC" 0];
    172 CT_NW_DST "ct_nw_dst" "" 4 32 Bitwise Ro Ct Ipv4 [Nxm1 121 "NXM_NX_CT_NW_DST" 0];
    173 CT_IPV6_DST "ct_ipv6_dst" "" 16 128 Bitwise Ro Ct Ipv6 [Nxm1 123 "NXM_NX_CT_IPV6_DST" 0];
    174 CT_NW_PROTO "ct_nw_proto" "" 1 8 No Ro Ct Decimal [Nxm1 119 "NXM_NX_CT_NW_PROTO" 0];
    175 CT_TP_SRC "ct_tp_src" "" 2 16 Bitwise Ro Ct Decimal [Nxm1 124 "NXM_NX_CT_TP_SRC" 0];
    176 CT_TP_DST "ct_tp_dst" "" 2 16 Bitwise Ro Ct Decimal [Nxm1 125 "NXM_NX_CT_TP_DST" 0];
    177 METADATA "metadata" "" 8 64 Bitwise Rw None Hex [Oxm 2 "OXM_OF_METADATA" 2];
    178 COOKIE "cookie" "" 8 64 Bitwise Ro None Hex [Nxm1 30 "NXM_NX_COOKIE" 0];
    179 IN_PORT_OXM "in_port_oxm" "" 4 32 No Rw None Port [Oxm 0 "OXM_OF_IN_PORT" 2];
    180 VLAN_VID "vlan_vid" "" 2 12 Bitwise Rw Ethernet Decimal [Oxm 6 "OXM_OF_VLAN_VID" 2];
    181 VLAN_PCP "vlan_pcp" "" 1 3 No Rw VlanVid Decimal [Oxm 7 "OXM_OF_VLAN_PCP" 2];
    182 DL_VLAN "dl_vlan" "" 2 12 No Rw Ethernet Decimal [];
    183 DL_VLAN_PCP "dl_vlan_pcp" "" 1 3 No Rw Ethernet Decimal [];
    184 IP_DSCP "ip_dscp" "" 1 6 No Rw IpAny Decimal [Oxm 8 "OXM_OF_IP_DSCP" 2];
    185 TUN_TTL "tun_ttl" "" 1 8 No Ro None Decimal [];
    186 TUN_TOS "tun_tos" "" 1 8 No Ro None Decimal [];
    187 SKB_PRIORITY "skb_priority" "" 4 32 No Ro None Hex [];
    188 XREG0 "xreg0" "" 8 64 Bitwise Rw None Hex [PktReg 0 "OXM_OF_PKT_REG0" 3];
    189 XREG1 "xreg1" "" 8 64 Bitwise Rw None Hex [PktReg 1 "OXM_OF_PKT_REG1" 3];
    190 XREG2 "xreg2" "" 8 64 Bitwise Rw None Hex [PktReg 2 "OXM_OF_PKT_REG2" 3];
    191 XREG3 "xreg3" "" 8 64 Bitwise Rw None Hex [PktReg 3 "OXM_OF_PKT_REG3" 3];
    192 XREG4 "xreg4" "" 8 64 Bitwise Rw None Hex [PktReg 4 "OXM_OF_PKT_REG4" 3];
    193 XREG5 "xreg5" "" 8 64 Bitwise Rw None Hex [PktReg 5 "OXM_OF_PKT_REG5" 3];
    194 XREG6 "xreg6" "" 8 64 Bitwise Rw None Hex [PktReg 6 "OXM_OF_PKT_REG6" 3];
    195 XREG7 "xreg7" "" 8 64 Bitwise Rw None Hex [PktReg 7 "OXM_OF_PKT_REG7" 3];
    196 XREG8 "xreg8" "" 8 64 Bitwise Rw None Hex [PktReg 8 "OXM_OF_PKT_REG8" 3];
    197 XREG9 "xreg9" "" 8 64 Bitwise Rw None Hex [PktReg 9 "OXM_OF_PKT_REG9" 3];
    198 XREG10 "xreg10" "" 8 64 Bitwise Rw None Hex [PktReg 10 "OXM_OF_PKT_REG10" 3];
    199 XREG11 "xreg11" "" 8 64 Bitwise Rw None Hex [PktReg 11 "OXM_OF_PKT_REG11" 3];
    200 XREG12 "xreg12" "" 8 64 Bitwise Rw None Hex [PktReg 12 "OXM_OF_PKT_REG12" 3];
    201 XREG13 "xreg13" "" 8 64 Bitwise Rw None Hex [PktReg 13 "OXM_OF_PKT_REG13" 3];
    202 XREG14 "xreg14" "" 8 64 Bitwise Rw None Hex [PktReg 14 "OXM_OF_PKT_REG14" 3];
    203 XREG15 "xreg15" "" 8 64 Bitwise Rw None Hex [PktReg 15 "OXM_OF_PKT_REG15" 3];
    204 XXREG0 "xxreg0" "" 16 128 Bitwise Rw None Hex [Nxm1 111 "NXM_NX_XXREG0" 0];
    205 XXREG1 "xxreg1" "" 16 128 Bitwise Rw None Hex [Nxm1 112 "NXM_NX_XXREG1" 0];
    206 XXREG2 "xxreg2" "" 16 128 Bitwise Rw None Hex [Nxm1 113 "NXM_NX_XXREG2" 0];
    207 XXREG3 "xxreg3" "" 16 128 Bitwise Rw None Hex [Nxm1 114 "NXM_NX_XXREG3" 0];
    208 XXREG4 "xxreg4" "" 16 128 Bitwise Rw None Hex [NxEt 33 "NXOXM_ET_XXREG4" 0];
    209 XXREG5 "xxreg5" "" 16 128 Bitwise Rw None Hex [NxEt 34 "NXOXM_ET_XXREG5" 0];
    210 XXREG6 "xxreg6" "" 16 128 Bitwise Rw None Hex [NxEt 35 "NXOXM_ET_XXREG6" 0];
    211 XXREG7 "xxreg7" "" 16 128 Bitwise Rw None Hex [NxEt 36 "NXOXM_ET_XXREG7" 0];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_count_up() {
        for (i, f) in FieldId::all().enumerate() {
            assert_eq!(usize::from(f.0), i, "{f}");
        }
        assert!(FieldId::COOKIE < FieldId::IN_PORT_OXM);
    }
}

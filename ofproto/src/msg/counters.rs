//! Descriptions and counters that are plain records: switch, tables, ports, IPFIX
//! (OF1.0 §5.3.5).

use super::port::FixedStr;
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError};
use crate::ports::Port;

/// `OFPST_DESC` reply, 1056 bytes.
///
/// ```text
///  0             256        512        768      800         1056
/// +-------------+----------+----------+--------+-----------+
/// | manufacturer| hardware | software | serial | datapath  |
/// +-------------+----------+----------+--------+-----------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DescStats {
    /// Manufacturer.
    pub manufacturer: FixedStr<256>,
    /// Hardware.
    pub hardware: FixedStr<256>,
    /// Software.
    pub software: FixedStr<256>,
    /// Serial number.
    pub serial: FixedStr<32>,
    /// Datapath, for people.
    pub datapath: FixedStr<256>,
}

impl Codec for DescStats {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(&self.manufacturer.0);
        w.bytes(&self.hardware.0);
        w.bytes(&self.software.0);
        w.bytes(&self.serial.0);
        w.bytes(&self.datapath.0);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(DescStats {
            manufacturer: FixedStr(r.array("manufacturer")?),
            hardware: FixedStr(r.array("hardware")?),
            software: FixedStr(r.array("software")?),
            serial: FixedStr(r.array("serial number")?),
            datapath: FixedStr(r.array("datapath description")?),
        })
    }
}

/// Counters of a table (`ofp_table_stats`, OF1.0 §5.3.5, 64 bytes).
///
/// ```text
///  0    1     4      36          40    44       48        56        64
/// +----+-----+------+-----------+-----+--------+---------+---------+
/// | id | pad | name | wildcards | max | active | lookups | matches |
/// +----+-----+------+-----------+-----+--------+---------+---------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableStats {
    /// Number.
    pub table: u8,
    /// Name.
    pub name: FixedStr<32>,
    /// Wildcards it supports, [`crate::matching::wildcards`].
    pub wildcards: u32,
    /// Most flows.
    pub max_entries: u32,
    /// Flows now.
    pub active: u32,
    /// Packets looked up.
    pub lookups: u64,
    /// Packets that matched.
    pub matches: u64,
}

impl Codec for TableStats {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u8(self.table);
        w.zeros(3);
        w.bytes(&self.name.0);
        w.u32(self.wildcards);
        w.u32(self.max_entries);
        w.u32(self.active);
        w.u64(self.lookups);
        w.u64(self.matches);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let table = r.u8("table")?;
        r.skip(3, "pad")?;
        Ok(TableStats {
            table,
            name: FixedStr(r.array("table name")?),
            wildcards: r.u32("wildcards")?,
            max_entries: r.u32("max entries")?,
            active: r.u32("active count")?,
            lookups: r.u64("lookups")?,
            matches: r.u64("matches")?,
        })
    }
}

/// Counters of a port (`ofp_port_stats`, OF1.0 §5.3.5, 104 bytes). All ones means not known.
///
/// ```text
///  0      2     8                                             104
/// +------+-----+---------------------------------------------+
/// | port | pad | twelve 64-bit counters in the order below   |
/// +------+-----+---------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "the counters of ofp_port_stats by their standard names"
)]
pub struct PortStats {
    pub port: Port,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_frame_err: u64,
    pub rx_over_err: u64,
    pub rx_crc_err: u64,
    pub collisions: u64,
}

impl Codec for PortStats {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.port.0);
        w.zeros(6);
        for v in [
            self.rx_packets,
            self.tx_packets,
            self.rx_bytes,
            self.tx_bytes,
            self.rx_dropped,
            self.tx_dropped,
            self.rx_errors,
            self.tx_errors,
            self.rx_frame_err,
            self.rx_over_err,
            self.rx_crc_err,
            self.collisions,
        ] {
            w.u64(v);
        }
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let port = Port(r.u16("port")?);
        r.skip(6, "pad")?;
        Ok(PortStats {
            port,
            rx_packets: r.u64("rx packets")?,
            tx_packets: r.u64("tx packets")?,
            rx_bytes: r.u64("rx bytes")?,
            tx_bytes: r.u64("tx bytes")?,
            rx_dropped: r.u64("rx dropped")?,
            tx_dropped: r.u64("tx dropped")?,
            rx_errors: r.u64("rx errors")?,
            tx_errors: r.u64("tx errors")?,
            rx_frame_err: r.u64("rx frame errors")?,
            rx_over_err: r.u64("rx overruns")?,
            rx_crc_err: r.u64("rx crc errors")?,
            collisions: r.u64("collisions")?,
        })
    }
}

/// Counters of an IPFIX exporter (`nx_ipfix_stats_reply`, 88 bytes).
///
/// ```text
///  0                                          80              84    88
/// +------------------------------------------+---------------+-----+
/// | ten 64-bit counters in the order below   | collector set | pad |
/// +------------------------------------------+---------------+-----+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(
    missing_docs,
    reason = "the counters of nx_ipfix_stats_reply by their names"
)]
pub struct IpfixStats {
    pub total_flows: u64,
    pub current_flows: u64,
    pub packets: u64,
    pub ipv4_packets: u64,
    pub ipv6_packets: u64,
    pub error_packets: u64,
    pub ipv4_error_packets: u64,
    pub ipv6_error_packets: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub collector_set_id: u32,
}

impl Codec for IpfixStats {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        for v in [
            self.total_flows,
            self.current_flows,
            self.packets,
            self.ipv4_packets,
            self.ipv6_packets,
            self.error_packets,
            self.ipv4_error_packets,
            self.ipv6_error_packets,
            self.tx_packets,
            self.tx_errors,
        ] {
            w.u64(v);
        }
        w.u32(self.collector_set_id);
        w.zeros(4);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let s = IpfixStats {
            total_flows: r.u64("total flows")?,
            current_flows: r.u64("current flows")?,
            packets: r.u64("packets")?,
            ipv4_packets: r.u64("ipv4 packets")?,
            ipv6_packets: r.u64("ipv6 packets")?,
            error_packets: r.u64("error packets")?,
            ipv4_error_packets: r.u64("ipv4 error packets")?,
            ipv6_error_packets: r.u64("ipv6 error packets")?,
            tx_packets: r.u64("tx packets")?,
            tx_errors: r.u64("tx errors")?,
            collector_set_id: r.u32("collector set")?,
        };
        r.skip(4, "pad")?;
        Ok(s)
    }
}

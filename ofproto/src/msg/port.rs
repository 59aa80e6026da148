//! Ports: description, status, modification (OF1.0 §5.2.1, §5.3.4, §5.4.3).

use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;
use crate::ports::Port;

/// A fixed-size, NUL-padded string as it is on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FixedStr<const N: usize>(pub [u8; N]);

impl<const N: usize> FixedStr<N> {
    /// The first `N` bytes of `s`, NUL-padded.
    #[must_use]
    pub fn new(s: &str) -> Self {
        let mut bytes = [0; N];
        bytes.iter_mut().zip(s.bytes()).for_each(|(b, c)| *b = c);
        FixedStr(bytes)
    }

    /// The bytes before the first NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|b| *b == 0).next().unwrap_or(&[])
    }

    /// The text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn to_text(self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

impl<const N: usize> core::fmt::Debug for FixedStr<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}", self.to_text())
    }
}

/// A port (`ofp_phy_port`, 48 bytes).
///
/// ```text
///  0      2    8      24      28     32    36          40         44     48
/// +------+----+------+-------+------+-----+-----------+----------+------+
/// | port | mac| name | config| state| curr| advertised| supported| peer |
/// +------+----+------+-------+------+-----+-----------+----------+------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PhyPort {
    /// Number.
    pub port_no: Port,
    /// MAC address.
    pub hw_addr: [u8; 6],
    /// Name.
    pub name: FixedStr<16>,
    /// Bits of `enum ofp_port_config`.
    pub config: u32,
    /// Bits of `enum ofp_port_state`; bit 0 is link down.
    pub state: u32,
    /// Link features now, bits of `enum ofp_port_features`.
    pub curr: u32,
    /// Features advertised to the peer.
    pub advertised: u32,
    /// Features the port has.
    pub supported: u32,
    /// Features the peer advertises.
    pub peer: u32,
}

impl Codec for PhyPort {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.port_no.0);
        w.bytes(&self.hw_addr);
        w.bytes(&self.name.0);
        w.u32(self.config);
        w.u32(self.state);
        w.u32(self.curr);
        w.u32(self.advertised);
        w.u32(self.supported);
        w.u32(self.peer);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(PhyPort {
            port_no: Port(r.u16("port number")?),
            hw_addr: r.array("port address")?,
            name: FixedStr(r.array("port name")?),
            config: r.u32("port config")?,
            state: r.u32("port state")?,
            curr: r.u32("port features")?,
            advertised: r.u32("port features")?,
            supported: r.u32("port features")?,
            peer: r.u32("port features")?,
        })
    }
}

open_numbers! {
    /// Why a port status is sent (`enum ofp_port_reason`).
    PortReason: u8 {
        /// It is new.
        ADD = 0,
        /// It is gone.
        DELETE = 1,
        /// It changed.
        MODIFY = 2,
    }
}

/// `OFPT_PORT_STATUS`, 64 bytes.
///
/// ```text
///  8        9     16        64
/// +--------+-----+---------+
/// | reason | pad | phy_port|
/// +--------+-----+---------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortStatus {
    /// Why.
    pub reason: PortReason,
    /// The port as it is now, or as it was.
    pub port: PhyPort,
}

impl Codec for PortStatus {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u8(self.reason.0);
        w.zeros(7);
        self.port.encode(w)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let reason = PortReason(r.u8("port reason")?);
        if reason.name().is_none() {
            return Err(r.error(OfpError::NXBRC_BAD_REASON, "port reason"));
        }
        r.skip(7, "pad")?;
        Ok(PortStatus {
            reason,
            port: PhyPort::decode(r)?,
        })
    }
}

/// `OFPT_PORT_MOD`, 32 bytes.
///
/// ```text
///  8      10   16       20     24          28    32
/// +------+----+--------+------+-----------+-----+
/// | port | mac| config | mask | advertise | pad |
/// +------+----+--------+------+-----------+-----+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortMod {
    /// The port.
    pub port_no: Port,
    /// Its MAC address, as a check.
    pub hw_addr: [u8; 6],
    /// New configuration bits.
    pub config: u32,
    /// Which of them to change.
    pub mask: u32,
    /// Features to advertise, 0 for no change.
    pub advertise: u32,
}

impl Codec for PortMod {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.port_no.0);
        w.bytes(&self.hw_addr);
        w.u32(self.config);
        w.u32(self.mask);
        w.u32(self.advertise);
        w.zeros(4);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let m = PortMod {
            port_no: Port(r.u16("port number")?),
            hw_addr: r.array("port address")?,
            config: r.u32("port config")?,
            mask: r.u32("port mask")?,
            advertise: r.u32("port features")?,
        };
        r.skip(4, "pad")?;
        Ok(m)
    }
}

//! Messages that open and keep a connection: hello, error, features, configuration
//! (OF1.0 §5.3.1, §5.3.2, §5.4.4, §5.5).

use super::port::PhyPort;
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, ErrorCode, OfpError};
use crate::header::{MsgType, NX_VENDOR, OfHeader, Version};

/// `OFPT_HELLO`. The body is kept as it came; [`Hello::versions`] reads it.
///
/// ```text
///  8      10       12
/// +------+--------+------------- - -
/// | type | length | bitmap words      one element; type 1 is the version bitmap
/// +------+--------+------------- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Hello {
    /// Everything after the header.
    pub body: Box<[u8]>,
}

impl Hello {
    /// The versions on offer as a bitmap (bit n is version n), given the header's version, and
    /// whether the body was well-formed and held nothing else than what was understood.
    #[must_use]
    pub fn versions(&self, header: Version) -> (u32, bool) {
        let default = 2u32
            .checked_shl(u32::from(header.0))
            .map_or(u32::MAX, |v| v.wrapping_sub(1))
            & !1;
        let mut ok = true;
        let mut bitmap = 0;
        let mut r = Reader::new(&self.body);
        while !r.is_empty() {
            let Ok((kind, element)) = Self::element(&mut r) else {
                ok = false;
                break;
            };
            // Versions above 31, in further words, are nobody's.
            let whole = kind == 1 && element.len().is_multiple_of(4);
            let word = element.first_chunk().filter(|_| whole);
            match word.map_or(0, |word| u32::from_be_bytes(*word) & !1) {
                0 => ok = false,
                word => bitmap = word,
            }
        }
        (if bitmap == 0 { default } else { bitmap }, ok)
    }

    fn element<'a>(r: &mut Reader<'a>) -> Result<(u16, &'a [u8]), DecodeError> {
        let kind = r.u16("hello element")?;
        let len = usize::from(r.u16("hello element length")?);
        let data = len
            .checked_sub(4)
            .ok_or(r.error(OfpError::OFPBRC_BAD_LEN, "hello element"))?;
        let data = r.take(data, "hello element")?;
        r.skip(crate::codec::padding8(len), "hello padding")?;
        Ok((kind, data))
    }
}

/// `OFPT_ERROR`: a message was refused.
///
/// ```text
///  8       10      12                                12       16      18      20
/// +-------+-------+------ - -    vendor errors:     +--------+-------+-------+------ - -
/// | type  | code  | data         type 0xb0c2, code 0| vendor | type  | code  | data
/// +-------+-------+------ - -                       +--------+-------+-------+------ - -
/// ```
///
/// `data` is the refused message, whole from Open vSwitch, at least 64 bytes of it by the
/// standard. Names are in [`OfpError`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ErrorMsg {
    /// Which error.
    pub code: ErrorCode,
    /// Usually the start of the message at fault.
    pub data: Box<[u8]>,
}

/// Type of vendor errors before OpenFlow 1.2.
const NX_ERROR_MARK: u16 = 0xb0c2;
/// Type of experimenter errors from OpenFlow 1.2 on.
const EXPERIMENTER: u16 = 0xffff;

impl ErrorMsg {
    /// The error as sent in `version`, with the offending message. Errors without an encoding
    /// there become `NXBRC_UNENCODABLE_ERROR`, as from Open vSwitch.
    #[must_use]
    pub fn new(error: OfpError, version: Version, data: &[u8]) -> Self {
        let fallback = ErrorCode {
            vendor: NX_VENDOR,
            error_type: 1,
            code: 521,
        };
        let code = error
            .code(version)
            .or(OfpError::NXBRC_UNENCODABLE_ERROR.code(version))
            .unwrap_or(fallback);
        ErrorMsg {
            code,
            data: data.into(),
        }
    }

    /// The name, if the registry has one.
    #[must_use]
    pub fn error(&self, version: Version) -> Option<OfpError> {
        OfpError::from_code(version, self.code)
    }

    /// The whole message in `version`: errors have the same shape in all versions, so this works
    /// beyond 1.0.
    ///
    /// # Errors
    /// When `data` is too long for one message.
    pub fn to_message(&self, version: Version, xid: u32) -> Result<Vec<u8>, EncodeError> {
        let mut buf = Vec::new();
        let mut w = Writer::new(&mut buf);
        OfHeader {
            version,
            msg_type: MsgType::ERROR,
            length: 0,
            xid,
        }
        .encode(&mut w)?;
        self.encode_body(version, &mut w);
        w.patch_len(2, 0, "message")?;
        Ok(buf)
    }

    /// Reads a whole error message of any version.
    ///
    /// # Errors
    /// When it is not an error message or cut short.
    pub fn from_message(bytes: &[u8]) -> Result<(OfHeader, Self), DecodeError> {
        let mut r = Reader::new(bytes);
        let header = OfHeader::decode(&mut r)?;
        if header.msg_type != MsgType::ERROR {
            return Err(DecodeError::new(
                OfpError::OFPBRC_BAD_TYPE,
                "error message",
                1,
            ));
        }
        if usize::from(header.length) != bytes.len() {
            let e = DecodeError::new(OfpError::OFPBRC_BAD_LEN, "message length", 2);
            return Err(e.wanted(usize::from(header.length), bytes.len()));
        }
        let error = Self::decode_body(header.version, &mut r)?;
        Ok((header, error))
    }

    pub(crate) fn encode_body(&self, version: Version, w: &mut Writer<'_>) {
        let ErrorCode {
            vendor,
            error_type,
            code,
        } = self.code;
        if vendor == 0 {
            w.u16(error_type);
            w.u16(code);
        } else if version < Version::OF12 {
            w.u16(NX_ERROR_MARK);
            w.u16(0);
            w.u32(vendor);
            w.u16(error_type);
            w.u16(code);
        } else {
            w.u16(EXPERIMENTER);
            w.u16(code);
            w.u32(vendor);
        }
        w.bytes(&self.data);
    }

    pub(crate) fn decode_body(version: Version, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let error_type = r.u16("error type")?;
        let code = r.u16("error code")?;
        let code = if error_type == NX_ERROR_MARK && code == 0 && version < Version::OF12 {
            let vendor = r.u32("error vendor")?;
            if vendor == 0 {
                return Err(r.error(OfpError::OFPBRC_BAD_LEN, "error vendor"));
            }
            ErrorCode {
                vendor,
                error_type: r.u16("error type")?,
                code: r.u16("error code")?,
            }
        } else if error_type == EXPERIMENTER && version >= Version::OF12 {
            let vendor = r.u32("error experimenter")?;
            if vendor == 0 {
                return Err(r.error(OfpError::OFPBRC_BAD_LEN, "error experimenter"));
            }
            ErrorCode {
                vendor,
                error_type: 0,
                code,
            }
        } else {
            ErrorCode {
                vendor: 0,
                error_type,
                code,
            }
        };
        Ok(ErrorMsg {
            code,
            data: r.rest().into(),
        })
    }
}

/// `OFPT_FEATURES_REPLY`: who the switch is (`ofp_switch_features`, 32 bytes and ports).
///
/// ```text
///  8      16          20        21   24             28        32
/// +------+-----------+---------+----+--------------+---------+------ - -
/// | dpid | n_buffers | n_tables| pad| capabilities | actions | ports
/// +------+-----------+---------+----+--------------+---------+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SwitchFeatures {
    /// Datapath id; the low 48 bits are usually a MAC address.
    pub datapath_id: u64,
    /// Packets the switch can buffer.
    pub n_buffers: u32,
    /// Number of tables.
    pub n_tables: u8,
    /// Bits of `enum ofp_capabilities`.
    pub capabilities: u32,
    /// Bit n is set if action type n is supported.
    pub actions: u32,
    /// The ports, as many as fit in one message.
    pub ports: Vec<PhyPort>,
}

impl Codec for SwitchFeatures {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u64(self.datapath_id);
        w.u32(self.n_buffers);
        w.u8(self.n_tables);
        w.zeros(3);
        w.u32(self.capabilities);
        w.u32(self.actions);
        self.ports.iter().try_for_each(|p| p.encode(w))
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let datapath_id = r.u64("datapath id")?;
        let n_buffers = r.u32("n_buffers")?;
        let n_tables = r.u8("n_tables")?;
        r.skip(3, "pad")?;
        Ok(SwitchFeatures {
            datapath_id,
            n_buffers,
            n_tables,
            capabilities: r.u32("capabilities")?,
            actions: r.u32("actions")?,
            ports: super::decode_list(r)?,
        })
    }
}

/// `OFPT_GET_CONFIG_REPLY` and `OFPT_SET_CONFIG`.
///
/// ```text
///  8       10              12
/// +-------+---------------+
/// | flags | miss_send_len |
/// +-------+---------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SwitchConfig {
    /// What to do with IP fragments: 0 normal, 1 drop, 2 reassemble, 3 Nicira's match mode; bit 2
    /// reports invalid TTLs.
    pub flags: u16,
    /// Bytes of a missed packet to send up; non-zero enables asynchronous messages on a
    /// management connection.
    pub miss_send_len: u16,
}

impl SwitchConfig {
    /// The bits of `flags` that exist.
    pub const FLAGS: u16 = 7;
}

impl Codec for SwitchConfig {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.flags);
        w.u16(self.miss_send_len);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(SwitchConfig {
            flags: r.u16("flags")?,
            miss_send_len: r.u16("miss_send_len")?,
        })
    }
}

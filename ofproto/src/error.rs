//! Everything that can go wrong: [`DecodeError`], [`EncodeError`], and the registry [`OfpError`] of
//! all error names with their wire encodings.
//!
//! A decode error carries the OpenFlow error that a switch would send back for the same bytes,
//! because that is the vocabulary the protocol has for faults. The registry knows how each name is
//! spelled on the wire in every version:
//!
//! ```
//! use ofproto::error::{ErrorCode, OfpError};
//! use ofproto::header::Version;
//!
//! let wire = OfpError::OFPBMC_BAD_PREREQ.code(Version::OF10).unwrap();
//! assert_eq!(wire, ErrorCode { vendor: 0x2320, error_type: 1, code: 260 });
//! assert_eq!(OfpError::from_code(Version::OF10, wire), Some(OfpError::OFPBMC_BAD_PREREQ));
//! assert_eq!(OfpError::OFPBMC_BAD_PREREQ.name(), "OFPBMC_BAD_PREREQ");
//! ```
//!
//! `tests/vectors.rs` holds the registry against recorded errors. The message that carries an
//! error is [`crate::msg::ErrorMsg`].

use core::fmt;

use crate::header::{NX_VENDOR, ONF_VENDOR, Version};

/// Bytes that are not a valid encoding.
///
/// Small, `Copy` and comparable: the error a switch would answer with, what was being read, where
/// it started, and for lengths how much was wanted and there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecodeError {
    code: OfpError,
    what: &'static str,
    offset: u32,
    wanted: u32,
    had: u32,
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl DecodeError {
    /// An error while reading `what`, which starts at byte `offset`.
    #[must_use]
    pub fn new(code: OfpError, what: &'static str, offset: usize) -> Self {
        DecodeError {
            code,
            what,
            offset: small(offset),
            wanted: 0,
            had: 0,
        }
    }

    /// Adds the length that was needed and the length that was there, in bytes.
    #[must_use]
    pub fn wanted(mut self, wanted: usize, had: usize) -> Self {
        self.wanted = small(wanted);
        self.had = small(had);
        self
    }

    /// The OpenFlow error that fits.
    #[must_use]
    pub fn code(&self) -> OfpError {
        self.code
    }

    /// What was being read.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// Byte offset from the start of the slice given to the decoder.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset as usize
    }

    /// Wanted and present lengths, when the error is about a length.
    #[must_use]
    pub fn lengths(&self) -> Option<(usize, usize)> {
        (self.wanted != 0 || self.had != 0).then_some((self.wanted as usize, self.had as usize))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} at byte {}", self.code, self.what, self.offset)?;
        if let Some((wanted, had)) = self.lengths() {
            write!(f, " (wanted {wanted}, had {had})")?;
        }
        Ok(())
    }
}

impl core::error::Error for DecodeError {}

/// A value that has no encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EncodeError {
    /// A part outgrew its 16-bit length, or a message 65 535 bytes.
    TooLong {
        /// The part.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// The protocol version has no form for this value.
    Unsupported {
        /// What has no form.
        what: &'static str,
    },
    /// The value breaks a rule of the protocol; a switch would answer with `code`.
    Invalid {
        /// The error a switch would send.
        code: OfpError,
        /// The part at fault.
        what: &'static str,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TooLong { what, len } => write!(f, "{what} is too long ({len} bytes)"),
            EncodeError::Unsupported { what } => {
                write!(f, "{what} has no form in this protocol version")
            }
            EncodeError::Invalid { code, what } => write!(f, "{code} in {what}"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// An error's identity on the wire.
///
/// `vendor` 0 means a standard error. For Nicira errors before OpenFlow 1.2 type and code sit
/// behind the type 0xb0c2 marker; from 1.2 on `error_type` is 0 and only `code` is sent, with type
/// 0xffff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode {
    /// 0, [`NX_VENDOR`] or [`ONF_VENDOR`].
    pub vendor: u32,
    /// Error type.
    pub error_type: u16,
    /// Code within the type.
    pub code: u16,
}

struct Encoding {
    vendor: u32,
    first: u8,
    last: u8,
    error_type: u16,
    code: u16,
}

macro_rules! vendor {
    (Std) => {
        0
    };
    (Nx) => {
        NX_VENDOR
    };
    (Onf) => {
        ONF_VENDOR
    };
}

macro_rules! errors {
    ($($name:ident [$($kind:ident $first:literal $last:literal $ty:literal $code:literal),*];)*) => {
        /// Every error name, with its encodings per version (`ofp-errors.h` of Open vSwitch).
        ///
        /// The standard names begin with `OFP`, Nicira's with `NX`. A name without an encoding in a
        /// version cannot be sent there.
        #[allow(non_camel_case_types, missing_docs, reason = "names are the documentation")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum OfpError { $($name,)* }

        impl OfpError {
            /// All errors, in registry order.
            pub const ALL: &'static [OfpError] = &[$(OfpError::$name,)*];

            /// The name used by Open vSwitch.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(OfpError::$name => stringify!($name),)* }
            }

            fn encodings(self) -> &'static [Encoding] {
                match self {
                    $(OfpError::$name => &[$(Encoding {
                        vendor: vendor!($kind), first: $first, last: $last,
                        error_type: $ty, code: $code,
                    },)*],)*
                }
            }
        }
    };
}

impl OfpError {
    /// The wire identity of this error in `version`, if it has one there.
    #[must_use]
    pub fn code(self, version: Version) -> Option<ErrorCode> {
        let minor = version.0.checked_sub(1)?;
        let e = self
            .encodings()
            .iter()
            .find(|e| (e.first..=e.last).contains(&minor))?;
        Some(ErrorCode {
            vendor: e.vendor,
            error_type: e.error_type,
            code: e.code,
        })
    }

    /// The error with this wire identity in `version`. Where two names share one, the older.
    #[must_use]
    pub fn from_code(version: Version, code: ErrorCode) -> Option<OfpError> {
        OfpError::ALL
            .iter()
            .copied()
            .find(|e| e.code(version) == Some(code))
    }

    /// The error called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<OfpError> {
        OfpError::ALL.iter().copied().find(|e| e.name() == name)
    }
}

impl fmt::Debug for OfpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for OfpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// Name [kind first-minor last-minor type code, ...]; minor 0 is OpenFlow 1.0.
errors! {
    OFPHFC_INCOMPATIBLE [Std 0 5 0 0];
    OFPHFC_EPERM [Std 0 5 0 1];
    OFPBRC_BAD_VERSION [Std 0 5 1 0];
    OFPBRC_BAD_TYPE [Std 0 5 1 1];
    OFPBRC_BAD_STAT [Std 0 5 1 2];
    OFPBRC_BAD_VENDOR [Std 0 5 1 3];
    OFPBRC_BAD_SUBTYPE [Std 0 5 1 4];
    OFPBRC_EPERM [Std 0 5 1 5];
    OFPBRC_BAD_LEN [Std 0 5 1 6];
    OFPBRC_BUFFER_EMPTY [Std 0 5 1 7];
    OFPBRC_BUFFER_UNKNOWN [Std 0 5 1 8];
    OFPBRC_BAD_TABLE_ID [Nx 0 0 1 512, Std 1 5 1 9];
    OFPBRC_IS_SECONDARY [Std 0 1 1 5, Std 2 5 1 10];
    OFPBRC_BAD_PORT [Nx 0 1 1 514, Std 2 5 1 11];
    OFPBRC_BAD_PACKET [Std 2 5 1 12];
    OFPBRC_MULTIPART_BUFFER_OVERFLOW [Std 3 5 1 13];
    OFPBRC_MULTIPART_REQUEST_TIMEOUT [Onf 3 3 0 2640, Std 4 5 1 14];
    OFPBRC_MULTIPART_REPLY_TIMEOUT [Onf 3 3 0 2641, Std 4 5 1 15];
    OFPBRC_MULTIPART_BAD_SCHED [Std 5 5 1 16];
    OFPBRC_PIPELINE_FIELDS_ONLY [Std 5 5 1 17];
    OFPBRC_UNKNOWN [Std 5 5 1 18];
    NXBRC_NXM_INVALID [Nx 0 1 1 256, Nx 2 5 0 2];
    NXBRC_NXM_BAD_TYPE [Nx 0 1 1 257, Nx 2 5 0 3];
    NXBRC_MUST_BE_ZERO [Nx 0 1 1 515, Nx 2 5 0 4];
    NXBRC_BAD_REASON [Nx 0 1 1 516, Nx 2 5 0 5];
    NXBRC_FM_BAD_EVENT [Nx 0 1 1 520, Nx 2 5 0 9];
    NXBRC_UNENCODABLE_ERROR [Nx 0 1 1 521, Nx 2 5 0 10];
    OFPBAC_BAD_TYPE [Std 0 5 2 0];
    OFPBAC_BAD_LEN [Std 0 5 2 1];
    OFPBAC_BAD_VENDOR [Std 0 5 2 2];
    OFPBAC_BAD_VENDOR_TYPE [Std 0 5 2 3];
    OFPBAC_BAD_OUT_PORT [Std 0 5 2 4];
    OFPBAC_BAD_ARGUMENT [Std 0 5 2 5];
    OFPBAC_EPERM [Std 0 5 2 6];
    OFPBAC_TOO_MANY [Std 0 5 2 7];
    OFPBAC_BAD_QUEUE [Std 0 5 2 8];
    OFPBAC_BAD_OUT_GROUP [Nx 0 0 2 9, Std 1 5 2 9];
    OFPBAC_MATCH_INCONSISTENT [Nx 0 0 1 522, Std 1 5 2 10];
    OFPBAC_UNSUPPORTED_ORDER [Std 1 5 2 11];
    OFPBAC_BAD_TAG [Std 1 5 2 12];
    OFPBAC_BAD_SET_TYPE [Nx 0 1 1 523, Std 2 5 2 13];
    OFPBAC_BAD_SET_LEN [Nx 0 1 1 524, Std 2 5 2 14];
    OFPBAC_BAD_SET_ARGUMENT [Nx 0 1 1 525, Std 2 5 2 15];
    OFPBAC_BAD_SET_MASK [Onf 3 4 0 4250, Std 5 5 2 16];
    OFPBAC_BAD_METER [Std 5 5 2 17];
    NXBAC_MUST_BE_ZERO [Nx 0 1 2 256, Nx 2 5 0 11];
    NXBAC_BAD_CONJUNCTION [Nx 0 1 2 526, Nx 2 5 0 15];
    NXBAC_BAD_HEADER_TYPE [Nx 3 5 0 39];
    NXBAC_UNKNOWN_ED_PROP [Nx 3 5 0 40];
    NXBAC_BAD_ED_PROP [Nx 3 5 0 41];
    NXBAC_CT_DATAPATH_SUPPORT [Nx 0 1 1 265, Nx 2 5 0 42];
    OFPBIC_UNKNOWN_INST [Std 1 5 3 0];
    OFPBIC_UNSUP_INST [Nx 0 0 2 257, Std 1 5 3 1];
    OFPBIC_BAD_TABLE_ID [Std 1 5 3 2];
    OFPBIC_UNSUP_METADATA [Std 1 5 3 3];
    OFPBIC_UNSUP_METADATA_MASK [Std 1 5 3 4];
    OFPBIC_BAD_EXPERIMENTER [Std 1 5 3 5];
    OFPBIC_BAD_EXP_TYPE [Std 1 1 3 5, Std 2 5 3 6];
    OFPBIC_BAD_LEN [Std 2 5 3 7];
    OFPBIC_EPERM [Std 2 5 3 8];
    OFPBIC_DUP_INST [Nx 1 1 3 256, Onf 2 3 0 2600, Std 4 5 3 9];
    OFPBMC_BAD_TYPE [Std 1 5 4 0];
    OFPBMC_BAD_LEN [Std 1 5 4 1];
    OFPBMC_BAD_TAG [Std 1 5 4 2];
    OFPBMC_BAD_DL_ADDR_MASK [Std 1 5 4 3];
    OFPBMC_BAD_NW_ADDR_MASK [Std 1 5 4 4];
    OFPBMC_BAD_WILDCARDS [Nx 0 0 1 262, Std 1 5 4 5];
    OFPBMC_BAD_FIELD [Nx 0 0 0 263, Std 1 5 4 6];
    OFPBMC_BAD_VALUE [Nx 0 0 1 258, Std 1 5 4 7];
    OFPBMC_BAD_MASK [Nx 0 1 1 259, Std 2 5 4 8];
    OFPBMC_BAD_PREREQ [Nx 0 1 1 260, Std 2 5 4 9];
    OFPBMC_DUP_FIELD [Nx 0 1 1 261, Std 2 5 4 10];
    OFPBMC_EPERM [Std 2 5 4 11];
    NXBMC_CT_DATAPATH_SUPPORT [Nx 0 1 1 264, Nx 2 5 0 43];
    OFPFMFC_UNKNOWN [Std 1 5 5 0];
    OFPFMFC_TABLE_FULL [Std 0 0 3 0, Std 1 5 5 1];
    OFPFMFC_BAD_TABLE_ID [Std 1 5 5 2];
    OFPFMFC_OVERLAP [Std 0 0 3 1, Std 1 5 5 3];
    OFPFMFC_EPERM [Std 0 0 3 2, Std 1 5 5 4];
    OFPFMFC_BAD_TIMEOUT [Std 1 5 5 5];
    OFPFMFC_BAD_EMERG_TIMEOUT [Std 0 0 3 3];
    OFPFMFC_BAD_COMMAND [Std 0 0 3 4, Std 1 5 5 6];
    OFPFMFC_BAD_FLAGS [Nx 0 0 3 258, Nx 1 1 5 258, Std 2 5 5 7];
    OFPFMFC_CANT_SYNC [Std 4 5 5 8];
    OFPFMFC_BAD_PRIORITY [Onf 3 3 0 2360, Std 4 5 5 9];
    OFPFMFC_IS_SYNC [Std 4 5 5 10];
    OFPFMFC_UNSUPPORTED [Std 0 0 3 5];
    NXFMFC_HARDWARE [Nx 0 1 5 256, Nx 2 5 0 12];
    NXFMFC_BAD_TABLE_ID [Nx 0 1 5 257, Nx 2 5 0 13];
    NXFMFC_INVALID_TLV_FIELD [Nx 0 1 1 536, Nx 2 5 0 37];
    OFPGMFC_GROUP_EXISTS [Nx 0 0 6 0, Std 1 5 6 0];
    OFPGMFC_INVALID_GROUP [Nx 0 0 6 1, Std 1 5 6 1];
    OFPGMFC_WEIGHT_UNSUPPORTED [Nx 0 0 6 2, Std 1 5 6 2];
    OFPGMFC_OUT_OF_GROUPS [Nx 0 0 6 3, Std 1 5 6 3];
    OFPGMFC_OUT_OF_BUCKETS [Nx 0 0 6 4, Std 1 5 6 4];
    OFPGMFC_CHAINING_UNSUPPORTED [Nx 0 0 6 5, Std 1 5 6 5];
    OFPGMFC_WATCH_UNSUPPORTED [Nx 0 0 6 6, Std 1 5 6 6];
    OFPGMFC_LOOP [Nx 0 0 6 7, Std 1 5 6 7];
    OFPGMFC_UNKNOWN_GROUP [Nx 0 0 6 8, Std 1 5 6 8];
    OFPGMFC_CHAINED_GROUP [Nx 0 1 6 9, Std 2 5 6 9];
    OFPGMFC_BAD_TYPE [Nx 0 1 6 10, Std 2 5 6 10];
    OFPGMFC_BAD_COMMAND [Nx 0 1 6 11, Std 2 5 6 11];
    OFPGMFC_BAD_BUCKET [Nx 0 1 6 12, Std 2 5 6 12];
    OFPGMFC_BAD_WATCH [Nx 0 1 6 13, Std 2 5 6 13];
    OFPGMFC_EPERM [Nx 0 1 6 14, Std 2 5 6 14];
    OFPGMFC_UNKNOWN_BUCKET [Nx 0 4 6 15, Std 5 5 6 15];
    OFPGMFC_BUCKET_EXISTS [Nx 0 4 6 16, Std 5 5 6 16];
    OFPPMFC_BAD_PORT [Std 0 0 4 0, Std 1 5 7 0];
    OFPPMFC_BAD_HW_ADDR [Std 0 0 4 1, Std 1 5 7 1];
    OFPPMFC_BAD_CONFIG [Std 1 5 7 2];
    OFPPMFC_BAD_ADVERTISE [Std 1 5 7 3];
    OFPPMFC_EPERM [Std 2 5 7 4];
    OFPTMFC_BAD_TABLE [Std 1 5 8 0];
    OFPTMFC_BAD_CONFIG [Std 1 5 8 1];
    OFPTMFC_EPERM [Std 2 5 8 2];
    OFPQOFC_BAD_PORT [Std 0 0 5 0, Std 1 5 9 0];
    OFPQOFC_BAD_QUEUE [Std 0 0 5 1, Std 1 5 9 1];
    OFPQOFC_EPERM [Std 0 0 5 2, Std 1 5 9 2];
    NXQOFC_QUEUE_ERROR [Nx 4 5 0 23];
    OFPSCFC_BAD_FLAGS [Std 1 5 10 0];
    OFPSCFC_BAD_LEN [Std 1 5 10 1];
    OFPSCFC_EPERM [Std 2 5 10 2];
    OFPRRFC_STALE [Std 2 5 11 0];
    OFPRRFC_UNSUP [Std 2 5 11 1];
    OFPRRFC_BAD_ROLE [Nx 0 1 1 513, Std 2 5 11 2];
    OFPRRFC_ID_UNSUP [Std 5 5 11 3];
    OFPRRFC_ID_IN_USE [Std 5 5 11 4];
    OFPMMFC_UNKNOWN [Std 3 5 12 0];
    OFPMMFC_METER_EXISTS [Std 3 5 12 1];
    OFPMMFC_INVALID_METER [Std 3 5 12 2];
    OFPMMFC_UNKNOWN_METER [Std 3 5 12 3];
    OFPMMFC_BAD_COMMAND [Std 3 5 12 4];
    OFPMMFC_BAD_FLAGS [Std 3 5 12 5];
    OFPMMFC_BAD_RATE [Std 3 5 12 6];
    OFPMMFC_BAD_BURST [Std 3 5 12 7];
    OFPMMFC_BAD_BAND [Std 3 5 12 8];
    OFPMMFC_BAD_BAND_VALUE [Std 3 5 12 9];
    OFPMMFC_OUT_OF_METERS [Std 3 5 12 10];
    OFPMMFC_OUT_OF_BANDS [Std 3 5 12 11];
    OFPTFFC_BAD_TABLE [Std 3 5 13 0];
    OFPTFFC_BAD_METADATA [Std 3 5 13 1];
    OFPTFFC_EPERM [Std 3 5 13 5];
    OFPTFFC_BAD_CAPA [Std 5 5 13 6];
    OFPTFFC_BAD_MAX_ENT [Std 5 5 13 7];
    OFPTFFC_BAD_FEATURES [Std 5 5 13 8];
    OFPTFFC_BAD_COMMAND [Std 5 5 13 9];
    OFPTFFC_TOO_MANY [Std 5 5 13 10];
    NXTFFC_DUP_TABLE [Nx 3 5 0 44];
    OFPBPC_BAD_TYPE [Nx 0 1 13 2, Nx 2 2 0 25, Std 3 3 13 2, Std 4 5 14 0];
    OFPBPC_BAD_LEN [Nx 0 1 13 3, Nx 2 2 0 26, Std 3 3 13 3, Std 4 5 14 1];
    OFPBPC_BAD_VALUE [Nx 0 1 13 4, Nx 2 2 0 27, Std 3 3 13 4, Std 4 5 14 2];
    OFPBPC_TOO_MANY [Nx 0 1 14 3, Nx 2 2 0 28, Onf 3 3 0 4443, Std 4 5 14 3];
    OFPBPC_DUP_TYPE [Nx 0 1 14 4, Nx 2 2 0 29, Onf 3 3 0 4444, Std 4 5 14 4];
    OFPBPC_BAD_EXPERIMENTER [Nx 0 1 14 5, Nx 2 2 0 30, Onf 3 3 0 4445, Std 4 5 14 5];
    OFPBPC_BAD_EXP_TYPE [Nx 0 1 14 6, Nx 2 2 0 31, Onf 3 3 0 4446, Std 4 5 14 6];
    OFPBPC_BAD_EXP_VALUE [Nx 0 1 14 7, Nx 2 2 0 32, Onf 3 3 0 4447, Std 4 5 14 7];
    OFPBPC_EPERM [Nx 0 1 14 8, Nx 2 2 0 33, Onf 3 3 0 4448, Std 4 5 14 8];
    OFPACFC_INVALID [Onf 3 3 0 2370, Std 4 5 15 0];
    OFPACFC_UNSUPPORTED [Onf 3 3 0 2371, Std 4 5 15 1];
    OFPACFC_EPERM [Onf 3 3 0 2372, Std 4 5 15 2];
    OFPBFC_UNKNOWN [Onf 3 3 0 2300, Std 4 5 17 0];
    OFPBFC_EPERM [Onf 3 3 0 2301, Std 4 5 17 1];
    OFPBFC_BAD_ID [Onf 3 3 0 2302, Std 4 5 17 2];
    OFPBFC_BUNDLE_EXIST [Onf 3 3 0 2303, Std 4 5 17 3];
    OFPBFC_BUNDLE_CLOSED [Onf 3 3 0 2304, Std 4 5 17 4];
    OFPBFC_OUT_OF_BUNDLES [Onf 3 3 0 2305, Std 4 5 17 5];
    OFPBFC_BAD_TYPE [Onf 3 3 0 2306, Std 4 5 17 6];
    OFPBFC_BAD_FLAGS [Onf 3 3 0 2307, Std 4 5 17 7];
    OFPBFC_MSG_BAD_LEN [Onf 3 3 0 2308, Std 4 5 17 8];
    OFPBFC_MSG_BAD_XID [Onf 3 3 0 2309, Std 4 5 17 9];
    OFPBFC_MSG_UNSUP [Onf 3 3 0 2310, Std 4 5 17 10];
    OFPBFC_MSG_CONFLICT [Onf 3 3 0 2311, Std 4 5 17 11];
    OFPBFC_MSG_TOO_MANY [Onf 3 3 0 2312, Std 4 5 17 12];
    OFPBFC_MSG_FAILED [Onf 3 3 0 2313, Std 4 5 17 13];
    OFPBFC_TIMEOUT [Onf 3 3 0 2314, Std 4 5 17 14];
    OFPBFC_BUNDLE_IN_PROGRESS [Onf 3 3 0 2315, Std 4 5 17 15];
    OFPBFC_SCHED_NOT_SUPPORTED [Std 5 5 17 16];
    OFPBFC_SCHED_FUTURE [Std 5 5 17 17];
    OFPBFC_SCHED_PAST [Std 5 5 17 18];
    OFPBFC_BAD_VERSION [Nx 4 5 0 22];
    OFPMOFC_UNKNOWN [Std 4 5 16 0];
    OFPMOFC_MONITOR_EXISTS [Nx 0 1 1 517, Nx 2 3 0 6, Std 4 5 16 1];
    OFPMOFC_INVALID_MONITOR [Std 4 5 16 2];
    OFPMOFC_UNKNOWN_MONITOR [Nx 0 1 1 519, Nx 2 3 0 8, Std 4 5 16 3];
    OFPMOFC_BAD_COMMAND [Std 4 5 16 4];
    OFPMOFC_BAD_FLAGS [Nx 0 1 1 518, Nx 2 3 0 7, Std 4 5 16 5];
    OFPMOFC_BAD_TABLE_ID [Std 4 5 16 6];
    OFPMOFC_BAD_OUT [Std 4 5 16 7];
    NXTTMFC_BAD_COMMAND [Nx 0 1 1 527, Nx 2 5 0 16];
    NXTTMFC_BAD_OPT_LEN [Nx 0 1 1 528, Nx 2 5 0 17];
    NXTTMFC_BAD_FIELD_IDX [Nx 0 1 1 529, Nx 2 5 0 18];
    NXTTMFC_TABLE_FULL [Nx 0 1 1 530, Nx 2 5 0 19];
    NXTTMFC_ALREADY_MAPPED [Nx 0 1 1 531, Nx 2 5 0 20];
    NXTTMFC_DUP_ENTRY [Nx 0 1 1 532, Nx 2 5 0 21];
    NXTTMFC_INVALID_TLV_DEL [Nx 0 1 1 537, Nx 2 5 0 38];
    NXR_NOT_SUPPORTED [Nx 0 1 1 533, Nx 2 5 0 34];
    NXR_STALE [Nx 0 1 1 534, Nx 2 5 0 35];
    NXST_NOT_CONFIGURED [Nx 0 1 1 535, Nx 2 5 0 36];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encodable_error_decodes_to_a_name_with_the_same_code() {
        for minor in 1..=6 {
            let version = Version(minor);
            for e in OfpError::ALL {
                if let Some(code) = e.code(version) {
                    let back = OfpError::from_code(version, code).unwrap();
                    assert_eq!(back.code(version), Some(code), "{e} in {version:?}");
                }
                assert_eq!(OfpError::from_name(e.name()), Some(*e));
            }
        }
    }

    #[test]
    fn display_names_place_and_lengths() {
        let e = DecodeError::new(OfpError::OFPBRC_BAD_LEN, "cookie", 24).wanted(8, 3);
        assert_eq!(
            e.to_string(),
            "OFPBRC_BAD_LEN in cookie at byte 24 (wanted 8, had 3)"
        );
        assert_eq!(core::mem::size_of::<DecodeError>(), 32);
    }
}

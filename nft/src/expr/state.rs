//! Expressions that keep state: counters and limits.

use crate::attr::{attributes, flags, registry};
pub use crate::chain::Counts as Counter;

registry! {
    /// What a limit counts (`enum nft_limit_type`).
    pub struct LimitType(u32) {
        /// Packets.
        PACKETS = 0 "packets",
        /// Bytes.
        BYTES = 1 "bytes",
    }
}

flags! {
    /// Flag of limits and connection limits.
    pub struct Invert(u32) {
        /// Match what exceeds the limit.
        OVER = 0x1 "over",
    }
}

attributes! {
    /// Limit a rate (`enum nft_limit_attributes`).
    pub struct Limit "limit" pad(6) {
        /// Packets or bytes per unit.
        1 => rate: u64,
        /// Unit in seconds.
        2 => unit: u64,
        /// Burst in packets or bytes; the kernel's default is 5 packets, 0 bytes.
        3 => burst: u32 = zero,
        /// Packets or bytes.
        4 => kind: LimitType = zero,
        /// Flags.
        5 => flags: Invert = zero,
    }
}

flags! {
    /// Quota flags (`enum nft_quota_flags`).
    pub struct QuotaFlags(u32) {
        /// Match what exceeds the quota.
        OVER = 0x1 "over",
        /// Is used up; from the kernel only.
        DEPLETED = 0x2 "depleted",
    }
}

attributes! {
    /// Limit bytes in total (`enum nft_quota_attributes`).
    pub struct Quota "quota" pad(3) {
        /// Bytes.
        1 => bytes: u64,
        /// Flags.
        2 => flags: QuotaFlags = zero,
        /// Bytes used up.
        4 => consumed: u64 = zero,
    }
}

impl Quota {
    /// The part that user space decides.
    #[must_use]
    pub fn intended(&self) -> Self {
        Self {
            consumed: 0,
            flags: self.flags.without(QuotaFlags::DEPLETED),
            ..self.clone()
        }
    }
}

attributes! {
    /// Limit connections (`enum nft_connlimit_attributes`).
    pub struct ConnLimit "connlimit" {
        /// Connections.
        1 => count: u32,
        /// Flags.
        2 => flags: Invert = zero,
    }
}

attributes! {
    /// Remember the last use (`enum nft_last_attributes`).
    pub struct Last "last" pad(3) {
        /// 1 if ever used; from the kernel only.
        1 => set: u32 = zero,
        /// Milliseconds since; from the kernel only.
        2 => milliseconds: u64 = zero,
    }
}

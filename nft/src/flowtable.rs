//! Flowtables (`enum nft_flowtable_attributes`).

use crate::attr::{attributes, flags};
use crate::name::Name;

flags! {
    /// Flowtable flags (`enum nft_flowtable_flags`).
    pub struct FlowtableFlags(u32) {
        /// Offload to hardware.
        HW_OFFLOAD = 0x1 "offload",
        /// Count packets and bytes.
        COUNTER = 0x2 "counter",
    }
}

attributes! {
    /// Where a flowtable is attached (`enum nft_flowtable_hook_attributes`).
    pub struct FlowtableHook "flowtable-hook" {
        /// Hook number: 0, ingress.
        1 => number: Option<u32>,
        /// Priority.
        2 => priority: Option<i32>,
        /// Devices.
        3 => devices: Option<Vec<Name>>,
    }
}

attributes! {
    /// A flowtable: a fast path for established connections between devices.
    pub struct Flowtable "flowtable" pad(6) {
        /// Table.
        1 => table: Name,
        /// Name; absent when all are asked for.
        2 => name: Option<Name>,
        /// Attachment.
        3 => hook: Option<FlowtableHook>,
        /// Number of references; from the kernel only.
        4 => used: Option<u32>,
        /// Handle; from the kernel only.
        5 => handle: Option<u64>,
        /// Flags.
        7 => flags: FlowtableFlags = zero,
    }
}

impl Flowtable {
    /// A flowtable at ingress of some devices.
    pub fn new(
        table: impl Into<Name>,
        name: impl Into<Name>,
        priority: i32,
        devices: Vec<Name>,
    ) -> Self {
        let hook = FlowtableHook {
            number: Some(0),
            priority: Some(priority),
            devices: Some(devices),
            ..FlowtableHook::default()
        };
        Self {
            table: table.into(),
            name: Some(name.into()),
            hook: Some(hook),
            ..Self::default()
        }
    }

    /// The part that user space decides.
    #[must_use]
    pub fn intended(&self) -> Self {
        Self {
            used: None,
            handle: None,
            ..self.clone()
        }
    }
}

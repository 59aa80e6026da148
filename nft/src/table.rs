//! Tables (`enum nft_table_attributes`).

use crate::attr::{attributes, flags};
use crate::name::Name;
use crate::userdata::UserData;

flags! {
    /// Table flags (`enum nft_table_flags`).
    pub struct TableFlags(u32) {
        /// Base chains are not registered with their hooks.
        DORMANT = 0x1 "dormant",
        /// Only the creating socket may change the table; it goes with the socket.
        OWNER = 0x2 "owner",
        /// With owner: the table outlives the socket and can be adopted by another.
        PERSIST = 0x4 "persist",
    }
}

attributes! {
    /// A table. The family is in the message's header.
    pub struct Table "table" pad(5) {
        /// Name, unique in its family.
        1 => name: Name,
        /// Dormant, owner, persist.
        2 => flags: TableFlags = zero,
        /// Number of objects in it; from the kernel only.
        3 => used: Option<u32>,
        /// Handle; from the kernel only.
        4 => handle: Option<u64>,
        /// Free data of user space, for example a comment.
        6 => userdata: Option<UserData>,
        /// Port id of the owning socket; from the kernel only.
        7 => owner: Option<u32>,
    }
}

impl Table {
    /// A table without flags.
    pub fn new(name: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A table that only the socket that makes it may change, and that stays when that socket closes
    /// (Linux 6.9). The next socket that writes it the same way adopts it, with all that is in it. See
    /// [`crate::probe::Feature::TablePersist`].
    pub fn owned(name: impl Into<Name>) -> Self {
        Self {
            flags: TableFlags::OWNER.with(TableFlags::PERSIST),
            ..Self::new(name)
        }
    }

    /// The part that user space decides.
    #[must_use]
    pub fn intended(&self) -> Self {
        Self {
            used: None,
            handle: None,
            owner: None,
            ..self.clone()
        }
    }
}

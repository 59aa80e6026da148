//! Network devices of the host that vifd answers for.

/// What a VIF's device should be. The device itself is the plugger's: it is never created or deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkState {
    /// MTU in bytes.
    pub mtu: u32,
    /// `IFF_UP`.
    pub up: bool,
}

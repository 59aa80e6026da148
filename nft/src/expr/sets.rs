//! Expressions that read or write sets.

use crate::attr::{attributes, flags, registry};
use crate::data::Register;
use crate::name::Name;

use super::Expr;

flags! {
    /// Lookup flags (`enum nft_lookup_flags`).
    pub struct LookupFlags(u32) {
        /// Go on if the key is absent.
        INVERT = 0x1 "invert",
    }
}

attributes! {
    /// Look up a key; in maps load what is found (`enum nft_lookup_attributes`).
    pub struct Lookup "lookup" {
        /// Set; `__set%d` or `__map%d` for anonymous ones.
        1 => set: Name,
        /// Id of a set of the same batch.
        4 => set_id: Option<u32>,
        /// Key.
        2 => sreg: Register,
        /// Destination in maps; [`Register::VERDICT`] in verdict maps.
        3 => dreg: Option<Register>,
        /// Flags.
        5 => flags: LookupFlags = zero,
    }
}

registry! {
    /// What to do with the element (`enum nft_dynset_ops`).
    pub struct DynSetOp(u32) {
        /// Add if absent.
        ADD = 0 "add",
        /// Add or renew its timeout.
        UPDATE = 1 "update",
        /// Remove.
        DELETE = 2 "delete",
    }
}

flags! {
    /// Dynset flags (`enum nft_dynset_flags`).
    pub struct DynSetFlags(u32) {
        /// Invert the result.
        INVERT = 0x1 "invert",
        /// Expressions are a list.
        EXPR = 0x2 "expr",
    }
}

attributes! {
    /// Change a set from a packet (`enum nft_dynset_attributes`).
    pub struct DynSet "dynset" pad(8) {
        /// Set.
        1 => set: Name,
        /// Id of a set of the same batch.
        2 => set_id: Option<u32>,
        /// Operation.
        3 => op: DynSetOp,
        /// Key.
        4 => sreg_key: Register,
        /// Data, for maps.
        5 => sreg_data: Option<Register>,
        /// Timeout in milliseconds.
        6 => timeout: Option<u64>,
        /// State of the element, for example a limit.
        7 => expr: Option<Box<Expr>>,
        /// Flags.
        9 => flags: DynSetFlags = zero,
        /// Several states.
        10 => exprs: Option<Vec<Expr>>,
    }
}

impl DynSet {
    /// The part that user space decides. The kernel reports a single state in the short form, no
    /// timeout as 0, and never the flag that several states need when they are written.
    #[must_use]
    pub fn intended(&self) -> Self {
        let mut dynset = self.clone();
        dynset.timeout = dynset.timeout.filter(|&timeout| timeout != 0);
        dynset.expr = dynset.expr.map(|expr| Box::new(expr.intended()));
        let many = dynset.exprs.take();
        dynset.exprs = many.map(|list| list.iter().map(Expr::intended).collect());
        if let Some([one]) = dynset.exprs.as_deref() {
            dynset.expr = Some(Box::new(one.clone()));
            dynset.exprs = None;
        }
        dynset.flags = match dynset.exprs {
            None => dynset.flags.without(DynSetFlags::EXPR),
            Some(_) => dynset.flags.with(DynSetFlags::EXPR),
        };
        dynset
    }
}

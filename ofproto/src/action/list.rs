//! [`ActionList`]: the container and its entry points for encoding and decoding.

use core::ops::Deref;

use smallvec::SmallVec;

use super::Action;
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};

/// How deep `ct` and `clone` may nest, counting the outermost list. Open vSwitch stops at 16.
pub const MAX_DEPTH: u8 = 16;

/// Actions in order. Short lists need no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionList(SmallVec<[Action; 4]>);

impl ActionList {
    /// The empty list: drop.
    #[must_use]
    pub fn new() -> Self {
        ActionList::default()
    }

    /// Appends an action.
    pub fn push(&mut self, action: Action) {
        self.0.push(action);
    }

    /// Decodes all of `r` as the actions of a flow, refusing what a switch refuses without knowing
    /// the match: unknown actions, and what [`ActionList::verify`] finds.
    ///
    /// # Errors
    /// As for decoding, `OFPBAC_BAD_TYPE`, `OFPBAC_BAD_VENDOR` or `OFPBAC_BAD_VENDOR_TYPE` for
    /// actions that are not known, and as for [`ActionList::verify`].
    pub fn decode_strict(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_checked(r, ActionList::verify)
    }

    /// The same for a list that is no flow's, as in a packet-out or group bucket.
    ///
    /// # Errors
    /// As for [`ActionList::decode_strict`], and as for [`ActionList::verify_plain`].
    pub fn decode_strict_plain(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_checked(r, ActionList::verify_plain)
    }

    fn decode_checked(
        r: &mut Reader<'_>,
        check: impl Fn(&Self) -> Result<(), OfpError>,
    ) -> Result<Self, DecodeError> {
        let at = r.offset();
        let list = ActionList::decode(r)?;
        list.refuse_unknown()
            .and_then(|()| check(&list))
            .map_err(|code| DecodeError::new(code, "action", at))?;
        Ok(list)
    }

    pub(crate) fn decode_nested(r: &mut Reader<'_>, depth: u8) -> Result<Self, DecodeError> {
        if !r.remaining().is_multiple_of(8) {
            return Err(r.error(OfpError::OFPBRC_BAD_LEN, "length of actions"));
        }
        let mut list = ActionList::new();
        while !r.is_empty() {
            match Action::decode_at(r, depth) {
                Ok(action) => list.push(action),
                // A switch stops at the first action it does not know.
                Err(error) => {
                    return Err(match list.refuse_unknown() {
                        Ok(()) => error,
                        Err(code) => DecodeError::new(code, "action", error.offset()),
                    });
                }
            }
        }
        Ok(list)
    }

    pub(crate) fn encode_nested(&self, w: &mut Writer<'_>, depth: u8) -> Result<(), EncodeError> {
        self.iter().try_for_each(|a| a.encode_at(w, depth))
    }
}

impl Codec for ActionList {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.encode_nested(w, 1)
    }

    /// Reads actions until `r` is empty.
    #[inline]
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_nested(r, 1)
    }
}

impl Deref for ActionList {
    type Target = [Action];

    fn deref(&self) -> &[Action] {
        &self.0
    }
}

impl FromIterator<Action> for ActionList {
    fn from_iter<I: IntoIterator<Item = Action>>(iter: I) -> Self {
        ActionList(iter.into_iter().collect())
    }
}

impl Extend<Action> for ActionList {
    fn extend<I: IntoIterator<Item = Action>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl From<Vec<Action>> for ActionList {
    fn from(actions: Vec<Action>) -> Self {
        ActionList(actions.into())
    }
}

impl<const N: usize> From<[Action; N]> for ActionList {
    fn from(actions: [Action; N]) -> Self {
        actions.into_iter().collect()
    }
}

impl IntoIterator for ActionList {
    type Item = Action;
    type IntoIter = smallvec::IntoIter<[Action; 4]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ActionList {
    type Item = &'a Action;
    type IntoIter = core::slice::Iter<'a, Action>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

//! Reading an object that may hold certain members and no others.

use crate::error::{DecodeError, Fault};
use crate::json::{Json, Object, Str};
use crate::value::is_id;

/// The members of an object with a record of which ones have been asked for.
pub(super) struct Members<'a> {
    what: &'static str,
    object: &'a Object,
    used: core::cell::RefCell<Vec<&'static str>>,
}

impl<'a> Members<'a> {
    pub(super) fn new(what: &'static str, json: &'a Json) -> Result<Self, DecodeError> {
        let object = json
            .as_object()
            .ok_or(DecodeError::expected(what, "an object"))?;
        Ok(Self {
            what,
            object,
            used: core::cell::RefCell::default(),
        })
    }

    pub(super) fn optional(&self, name: &'static str) -> Option<&'a Json> {
        self.used.borrow_mut().push(name);
        self.object.get(name)
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&'a Json, DecodeError> {
        self.optional(name)
            .ok_or(DecodeError::new(self.what, Fault::Missing(name)))
    }

    pub(super) fn object(&self, name: &'static str) -> Result<&'a Object, DecodeError> {
        self.required(name)?
            .as_object()
            .ok_or(DecodeError::expected(self.what, "an object"))
    }

    pub(super) fn id(&self, name: &'static str) -> Result<Str, DecodeError> {
        match self.required(name)? {
            Json::String(s) if is_id(s) => Ok(s.clone()),
            _ => Err(DecodeError::expected(self.what, "an <id>")),
        }
    }

    pub(super) fn boolean(&self, name: &'static str, default: bool) -> Result<bool, DecodeError> {
        match self.optional(name) {
            None => Ok(default),
            Some(json) => json
                .as_bool()
                .ok_or(DecodeError::expected(self.what, "a boolean member")),
        }
    }

    /// Refuses members nobody asked for.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        let used = self.used.borrow();
        if self.object.iter().all(|(name, _)| used.contains(&&**name)) {
            return Ok(());
        }
        Err(DecodeError::new(self.what, Fault::Unknown))
    }
}

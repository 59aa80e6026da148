//! Set elements (`enum nft_set_elem_attributes`) and lists of them.

use crate::attr::{attributes, flags};
use crate::data::Data;
use crate::expr::Expr;
use crate::name::{Bytes, Name};
use crate::userdata::UserData;
use crate::wire::{Writer, align};

flags! {
    /// Element flags (`enum nft_set_elem_flags`).
    pub struct ElementFlags(u32) {
        /// Ends the interval that the previous element starts.
        INTERVAL_END = 0x1 "end",
        /// Matches what no other element matches.
        CATCHALL = 0x2 "catchall",
    }
}

attributes! {
    /// One element.
    pub struct Element "element" pad(8) {
        /// Key, or start of the interval.
        1 => key: Option<Data>,
        /// Last key of the interval, inclusive; only in interval concatenations.
        10 => key_end: Option<Data>,
        /// Data of maps.
        2 => data: Option<Data>,
        /// Flags.
        3 => flags: ElementFlags = zero,
        /// Timeout in milliseconds.
        4 => timeout: Option<u64>,
        /// Milliseconds until it expires; from the kernel, or when restoring.
        5 => expiration: Option<u64>,
        /// Free data of user space, for example a comment.
        6 => userdata: Option<UserData>,
        /// State such as a counter.
        7 => expr: Option<Box<Expr>>,
        /// Name of the object of an object map.
        9 => object: Option<Name>,
        /// Several states.
        11 => exprs: Option<Vec<Expr>>,
    }
}

impl Element {
    /// An element of a set.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self {
            key: Some(Data::Value(key.into())),
            ..Self::default()
        }
    }

    /// An element of a map.
    pub fn pair(key: impl Into<Bytes>, data: impl Into<Data>) -> Self {
        Self {
            data: Some(data.into()),
            ..Self::key(key)
        }
    }

    /// The end marker of an interval: the first key after it.
    pub fn end(key: impl Into<Bytes>) -> Self {
        Self {
            flags: ElementFlags::INTERVAL_END,
            ..Self::key(key)
        }
    }

    /// The element that matches what no other matches.
    pub fn catchall() -> Self {
        Self {
            flags: ElementFlags::CATCHALL,
            ..Self::default()
        }
    }

    /// The same as an inclusive interval of a concatenation.
    #[must_use]
    pub fn until(mut self, end: impl Into<Bytes>) -> Self {
        self.key_end = Some(Data::Value(end.into()));
        self
    }

    /// What identifies the element in its set.
    pub fn identity(&self) -> (Option<&Data>, Option<&Data>, ElementFlags) {
        (self.key.as_ref(), self.key_end.as_ref(), self.flags)
    }

    /// The part that user space decides: no expiration, no counter values.
    #[must_use]
    pub fn intended(&self) -> Self {
        Self {
            expiration: None,
            expr: self.expr.as_ref().map(|e| Box::new(e.intended())),
            exprs: self
                .exprs
                .as_ref()
                .map(|list| list.iter().map(Expr::intended).collect()),
            ..self.clone()
        }
    }

    /// What a delete request needs: key, key end and flags.
    #[must_use]
    pub fn to_delete(&self) -> Self {
        Self {
            key: self.key.clone(),
            key_end: self.key_end.clone(),
            flags: self.flags,
            ..Self::default()
        }
    }
}

/// A plain element that borrows its parts: what lists of hundreds of thousands are made of.
///
/// Written as the [`Element`] with the same parts.
///
/// ```
/// use nft::batch::Batch;
/// use nft::element::ElementRef;
/// use nft::message::Family;
///
/// let keys: Vec<[u8; 4]> = (0..100_000_u32).map(u32::to_be_bytes).collect();
/// let mut batch = Batch::new();
/// let list = keys.iter().map(|key| ElementRef { key, data: None, comment: None });
/// batch.add_element_refs(Family::INET, &"t".into(), &"members".into(), list);
/// assert!(batch.byte_len() > 100_000 * 16);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ElementRef<'a> {
    /// Key.
    pub key: &'a [u8],
    /// Data of maps.
    pub data: Option<&'a [u8]>,
    /// A comment; longer text than 253 bytes is cut.
    pub comment: Option<&'a str>,
}

/// Bytes of an attribute's header.
const HEADER: usize = 4;

impl ElementRef<'_> {
    /// Appends the attribute of a list of elements.
    pub(crate) fn encode(&self, w: &mut Writer) {
        let value = |bytes: &[u8]| align(HEADER.saturating_add(bytes.len()));
        let nest = |bytes: &[u8]| HEADER.saturating_add(value(bytes));
        let user = self.comment.map(UserData::comment);
        let data = self.data.map_or(0, nest);
        let note = user.as_ref().map_or(0, |user| value(user.0.as_slice()));
        let whole = HEADER.saturating_add(nest(self.key));
        w.header(1, true, whole.saturating_add(data).saturating_add(note));
        for (kind, bytes) in [(1, Some(self.key)), (2, self.data)] {
            if let Some(bytes) = bytes {
                w.header(kind, true, nest(bytes));
                w.header(1, false, HEADER.saturating_add(bytes.len()));
                w.put(bytes);
                w.pad();
            }
        }
        if let Some(user) = user {
            let bytes = user.0.as_slice();
            w.header(6, false, HEADER.saturating_add(bytes.len()));
            w.put(bytes);
            w.pad();
        }
    }
}

/// The two elements of a half-open interval of a plain interval set: `first` up to and including
/// `last`. An interval that reaches the highest key has no end marker.
pub fn interval(first: &[u8], last: &[u8]) -> Vec<Element> {
    let mut elements = vec![Element::key(first)];
    let mut after = last.to_vec();
    let carried_out = after.iter_mut().rev().all(|byte| {
        *byte = byte.wrapping_add(1);
        *byte == 0
    });
    if !carried_out {
        elements.push(Element::end(after));
    }
    elements
}

attributes! {
    /// Elements of one set (`enum nft_set_elem_list_attributes`).
    pub struct Elements "elements" {
        /// Table.
        1 => table: Name,
        /// Set.
        2 => set: Name,
        /// The set's id, for sets of the same batch.
        4 => set_id: Option<u32>,
        /// The elements; absent deletes or dumps all.
        3 => elements: Option<Vec<Element>>,
    }
}

impl Elements {
    /// Elements of a named set.
    pub fn new(table: impl Into<Name>, set: impl Into<Name>, elements: Vec<Element>) -> Self {
        Self {
            table: table.into(),
            set: set.into(),
            elements: Some(elements),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_borrowed_element_is_written_as_an_owned_one() {
        use crate::attr::Value;
        let comments = [None, Some(""), Some("x"), Some(&*"long".repeat(100))];
        for len in 0..40 {
            let key: Vec<u8> = (0..len).collect();
            for data in [None, Some(&key[..key.len() / 2])] {
                for comment in comments {
                    let mut owned = Element::key(key.as_slice());
                    owned.data = data.map(|data| Data::Value(data.into()));
                    owned.userdata = comment.map(UserData::comment);
                    let borrowed = ElementRef {
                        key: &key,
                        data,
                        comment,
                    };
                    let (mut a, mut b) = (Writer::new(), Writer::new());
                    a.attribute(1, true, |w| owned.encode(w));
                    borrowed.encode(&mut b);
                    assert_eq!(a.bytes(), b.bytes(), "{borrowed:?}");
                }
            }
        }
    }

    #[test]
    fn interval_end_is_exclusive() {
        let both = interval(&[10, 0, 0, 0], &[10, 255, 255, 255]);
        assert_eq!(
            both,
            [Element::key([10, 0, 0, 0]), Element::end([11, 0, 0, 0])]
        );
    }

    #[test]
    fn interval_to_the_top_has_no_end() {
        assert_eq!(interval(&[128], &[255]).len(), 1);
    }
}

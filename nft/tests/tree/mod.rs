//! Messages as trees of attributes, for comparison where order and defaults are free.

use nft::wire::Reader;

/// Attributes by number.
#[derive(Debug, PartialEq)]
pub enum Tree {
    Leaf(Vec<u8>),
    Nest(Vec<(u16, Tree)>),
}

/// The attributes of a message in the order of their numbers, which is free on the wire. Numbers
/// that are zero are left out: `nft` writes some that hold the default, and this crate does not.
pub fn tree(mut payload: Reader<'_>) -> Tree {
    payload.take(4, "nfgenmsg").unwrap();
    nest(payload)
}

fn nest(mut r: Reader<'_>) -> Tree {
    let mut list = Vec::new();
    while let Some(mut a) = r.attribute().unwrap() {
        if a.nested {
            list.push((a.kind, nest(a.value)));
            continue;
        }
        let bytes = a.value.rest();
        let zero = matches!(bytes.len(), 1 | 2 | 4 | 8) && bytes.iter().all(|byte| *byte == 0);
        if !zero {
            // The name of a helper comes without its NUL from libnftnl.
            let text = bytes
                .strip_suffix(&[0])
                .filter(|t| t.iter().all(u8::is_ascii_graphic));
            list.push((a.kind, Tree::Leaf(text.unwrap_or(bytes).to_vec())));
        }
    }
    // libnftnl numbers the elements of a set from 1; the kernel ignores the number.
    let numbered = list
        .iter()
        .zip(1..)
        .all(|(item, n)| item.0 == n && matches!(item.1, Tree::Nest(_)));
    if numbered {
        list.iter_mut().for_each(|item| item.0 = 1);
    }
    list.sort_by_key(|item| item.0);
    Tree::Nest(list)
}

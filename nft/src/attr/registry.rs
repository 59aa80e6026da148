//! Open number spaces: a newtype over the wire integer, with named constants and text names.

/// `registry! { pub struct Name(u32) { CONST = 1 "text", } }`
macro_rules! registry {
    ($(#[$doc:meta])* pub struct $name:ident($int:ident) {
        $( $(#[$cdoc:meta])* $konst:ident = $value:literal $text:literal, )*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $int);

        impl $name {
            $( $(#[$cdoc])* pub const $konst: Self = Self($value); )*

            /// The name used in saved text, if the number has one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $value => Some($text), )*
                    _ => None,
                }
            }
        }

        impl $crate::attr::Value for $name {
            fn encode(&self, w: &mut $crate::wire::Writer) {
                $crate::attr::Value::encode(&self.0, w);
            }
            fn decode(r: $crate::wire::Reader<'_>) -> Result<Self, $crate::error::DecodeError> {
                r.exactly(stringify!($name)).map(|b| Self($int::from_be_bytes(b)))
            }
        }

        impl $crate::saved::Saved for $name {
            fn save(&self, out: &mut String) {
                match self.name() {
                    Some(name) => out.push_str(name),
                    None => $crate::saved::Saved::save(&self.0, out),
                }
            }
            fn restore(
                cursor: &mut $crate::saved::Cursor<'_>,
            ) -> Result<Self, $crate::error::DecodeError> {
                $( if cursor.word($text) { return Ok(Self($value)); } )*
                $crate::saved::restore_named(cursor, stringify!($name)).map(Self)
            }
        }
    };
}
pub(crate) use registry;

/// `flags! { pub struct Name(u32) { CONST = 1 "text", } }`
macro_rules! flags {
    ($(#[$doc:meta])* pub struct $name:ident($int:ident) {
        $( $(#[$cdoc:meta])* $konst:ident = $value:literal $text:literal, )*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $int);

        impl $name {
            $( $(#[$cdoc])* pub const $konst: Self = Self($value); )*
            /// No bit set.
            pub const NONE: Self = Self(0);

            /// Whether all bits of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Both sets of bits.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Without the bits of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Names of the set bits that have one.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                [$( ($value, $text), )*]
                    .into_iter()
                    .filter(move |(bit, _)| self.0 & bit == *bit)
                    .map(|(_, text)| text)
            }
        }

        impl $crate::attr::Value for $name {
            fn encode(&self, w: &mut $crate::wire::Writer) {
                $crate::attr::Value::encode(&self.0, w);
            }
            fn decode(r: $crate::wire::Reader<'_>) -> Result<Self, $crate::error::DecodeError> {
                r.exactly(stringify!($name)).map(|b| Self($int::from_be_bytes(b)))
            }
        }

        impl $crate::saved::Saved for $name {
            fn save(&self, out: &mut String) {
                let mut left = self.0;
                let mut first = true;
                $( if left & $value == $value {
                    if !first { out.push('|'); }
                    first = false;
                    out.push_str($text);
                    left &= !$value;
                } )*
                if left != 0 || first {
                    if !first { out.push('|'); }
                    $crate::saved::Saved::save(&left, out);
                }
            }
            fn restore(
                cursor: &mut $crate::saved::Cursor<'_>,
            ) -> Result<Self, $crate::error::DecodeError> {
                let mut bits: $int = 0;
                loop {
                    let named: Option<$int> = 'named: {
                        $( if cursor.word($text) { break 'named Some($value); } )*
                        None
                    };
                    bits |= match named {
                        Some(bit) => bit,
                        None => $crate::saved::restore_named(cursor, stringify!($name))?,
                    };
                    if !cursor.eat('|') {
                        return Ok(Self(bits));
                    }
                }
            }
        }
    };
}
pub(crate) use flags;

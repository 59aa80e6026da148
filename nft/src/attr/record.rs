//! A struct from one annotated table: attribute number, field name, type.

/// `attributes! { pub struct Name "label" { 1 => field: Type, 2 => flags: u32 = zero, } }`
///
/// A plain type is required, `Option` optional, `= zero` optional with the type's default, which is
/// then not written. `pad(N)` names the alignment attribute the kernel inserts, which is dropped.
macro_rules! attributes {
    (
        $(#[$doc:meta])*
        pub struct $name:ident $label:literal $(pad($pad:literal))? {
            $( $(#[$fdoc:meta])* $kind:literal => $field:ident : $ty:ty $(= $zero:ident)?, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name {
            $( $(#[$fdoc])* pub $field: $ty, )*
            /// Attributes this crate has no name for, kept as they came.
            pub other: $crate::attr::Unknown,
        }

        impl $crate::attr::Value for $name {
            const NESTED: bool = true;

            fn encode(&self, w: &mut $crate::wire::Writer) {
                $( $crate::attr::attributes!(@put w, self, $kind, $field, $ty $(, $zero)?); )*
                self.other.encode(w);
            }

            fn decode(r: $crate::wire::Reader<'_>) -> Result<Self, $crate::error::DecodeError> {
                #[allow(unused_mut, reason = "a struct without attributes assigns none")]
                let mut r = r.nest($label)?;
                let whole = r;
                $( let mut $field: Option<$ty> = None; )*
                let mut other = $crate::attr::Unknown::default();
                while let Some(a) = r.attribute()? {
                    match a.kind {
                        $( $kind => $field = Some($crate::attr::Field::present(
                            $crate::attr::Value::decode(a.value)?)), )*
                        $( $pad => {} )?
                        kind => {
                            let mut value = a.value;
                            other.0.push($crate::attr::UnknownAttribute {
                                kind,
                                nested: a.nested,
                                payload: value.rest().to_vec(),
                            });
                        }
                    }
                }
                let _ = whole;
                Ok(Self {
                    $( $field: $crate::attr::attributes!(
                        @get $field, $ty, whole, concat!($label, ".", stringify!($field))
                        $(, $zero)?), )*
                    other,
                })
            }

            fn schema() -> $crate::attr::Schema {
                $crate::attr::Schema::Record(&[
                    $( ($kind, stringify!($field),
                        <<$ty as $crate::attr::Field>::Inner as $crate::attr::Value>::schema), )*
                ])
            }
        }

        impl $crate::saved::Saved for $name {
            fn save(&self, out: &mut String) {
                out.push('{');
                $( $crate::attr::attributes!(@save out, self, $field, $ty $(, $zero)?); )*
                $crate::saved::save_unknown(&self.other, out);
                out.push('}');
            }

            fn restore(
                cursor: &mut $crate::saved::Cursor<'_>,
            ) -> Result<Self, $crate::error::DecodeError> {
                let start = cursor.enter($label)?;
                $( let mut $field: Option<$ty> = None; )*
                let mut other = $crate::attr::Unknown::default();
                while !cursor.leave('}') {
                    $( if cursor.key(stringify!($field)) {
                        $field = Some($crate::attr::Field::present(
                            $crate::saved::Saved::restore(cursor)?));
                        continue;
                    } )*
                    other.0.push($crate::saved::restore_unknown(cursor, $label)?);
                }
                let _ = start;
                Ok(Self {
                    $( $field: $crate::attr::attributes!(
                        @get $field, $ty, start, concat!($label, ".", stringify!($field))
                        $(, $zero)?), )*
                    other,
                })
            }
        }
    };

    (@put $w:ident, $self:ident, $kind:literal, $field:ident, $ty:ty) => {
        $crate::attr::put($w, $kind, &$self.$field)
    };
    (@put $w:ident, $self:ident, $kind:literal, $field:ident, $ty:ty, zero) => {
        if $self.$field != <$ty>::default() {
            $crate::attr::put($w, $kind, &$self.$field);
        }
    };
    (@save $out:ident, $self:ident, $field:ident, $ty:ty) => {
        $crate::saved::save_field($out, stringify!($field), &$self.$field)
    };
    (@save $out:ident, $self:ident, $field:ident, $ty:ty, zero) => {
        if $self.$field != <$ty>::default() {
            $crate::saved::save_field($out, stringify!($field), &$self.$field);
        }
    };
    (@get $field:ident, $ty:ty, $at:ident, $what:expr) => {
        match $field.or_else(<$ty as $crate::attr::Field>::absent) {
            Some(value) => value,
            None => return Err($at.error($what, $crate::error::Fault::Missing)),
        }
    };
    (@get $field:ident, $ty:ty, $at:ident, $what:expr, zero) => {
        $field.unwrap_or_default()
    };
}
pub(crate) use attributes;

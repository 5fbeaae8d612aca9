//! What an operator is besides its inputs, as plain values: for identities, for tuning files, and for reports.

use std::fmt;

/// A value of an attribute.
///
/// ```
/// use convgpu::custom::{Attribute, AttributeValue};
///
/// assert_eq!([2usize, 3].value(), AttributeValue::List(vec![AttributeValue::Integer(2), AttributeValue::Integer(3)]));
/// assert_eq!(Some(0.5f32).value().to_string(), "0.5");
/// assert_eq!(None::<bool>.value().to_string(), "none");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// No value.
    None,
    /// Yes or no.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A float; one of 32 bits is widened, which changes nothing.
    Float(f64),
    /// The name of a choice.
    Text(String),
    /// Several values.
    List(Vec<AttributeValue>),
}

/// What can be the value of an attribute.
pub trait Attribute {
    /// The value.
    fn value(&self) -> AttributeValue;
}

macro_rules! values {
    ($($type:ty => $make:expr),+ $(,)?) => {$(
        impl Attribute for $type {
            fn value(&self) -> AttributeValue {
                $make((*self).into())
            }
        }
    )+};
}
values! {
    bool => AttributeValue::Bool, i64 => AttributeValue::Integer, i32 => AttributeValue::Integer, u32 => AttributeValue::Integer,
    f32 => AttributeValue::Float, f64 => AttributeValue::Float,
}

impl Attribute for str {
    fn value(&self) -> AttributeValue {
        AttributeValue::Text(self.to_owned())
    }
}

impl Attribute for usize {
    fn value(&self) -> AttributeValue {
        AttributeValue::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl<T: Attribute + ?Sized> Attribute for &T {
    fn value(&self) -> AttributeValue {
        T::value(self)
    }
}

impl<T: Attribute> Attribute for Option<T> {
    fn value(&self) -> AttributeValue {
        self.as_ref().map_or(AttributeValue::None, T::value)
    }
}

impl<T: Attribute> Attribute for [T] {
    fn value(&self) -> AttributeValue {
        AttributeValue::List(self.iter().map(T::value).collect())
    }
}

impl<T: Attribute> Attribute for Vec<T> {
    fn value(&self) -> AttributeValue {
        self[..].value()
    }
}

impl<T: Attribute, const N: usize> Attribute for [T; N] {
    fn value(&self) -> AttributeValue {
        self[..].value()
    }
}

impl AttributeValue {
    /// One of several forms, by its name and what it has.
    pub(crate) fn form(name: &str, parts: Vec<AttributeValue>) -> AttributeValue {
        let name = AttributeValue::Text(name.to_owned());
        if parts.is_empty() { name } else { AttributeValue::List([vec![name], parts].concat()) }
    }
}

/// Declares an enum whose forms are values by their names, or makes a struct with all its fields a value.
///
/// With a prefix, shaders know the forms by numbers (`attr::Codes`). With `named`, every form has another name for people.
macro_rules! attribute {
    ($(#[$note:meta])* $vis:vis enum $type:ident, $prefix:literal, named $forms:tt) => {
        $crate::attr::attribute!($(#[$note])* $vis enum $type, $prefix $forms);
        $crate::attr::attribute!(@names $type $forms);
    };
    ($(#[$note:meta])* $vis:vis enum $type:ident, $prefix:literal $forms:tt) => {
        $crate::attr::attribute!($(#[$note])* $vis enum $type $forms);
        $crate::attr::attribute!(@codes $type $prefix $forms);
    };
    ($(#[$note:meta])* $vis:vis enum $type:ident {$(
        $(#[$form_note:meta])*
        $form:ident
        $(($part:ident: $part_type:ty))?
        $({ $($(#[$field_note:meta])* $field:ident: $field_type:ty),+ $(,)? })?
        $(= $name:literal)?
    ),+ $(,)?}) => {
        $(#[$note])*
        $vis enum $type {$(
            $(#[$form_note])*
            $form $(($part_type))? $({ $($(#[$field_note])* $field: $field_type),+ })?
        ),+}

        impl $crate::attr::Attribute for $type {
            fn value(&self) -> $crate::attr::AttributeValue {
                match self {$(
                    Self::$form $(($part))? $({ $($field),+ })? => $crate::attr::AttributeValue::form(
                        stringify!($form),
                        vec![
                            $($crate::attr::Attribute::value($part))?
                            $($($crate::attr::Attribute::value($field)),+)?
                        ],
                    ),
                )+}
            }
        }
    };
    (@codes $type:ident $prefix:literal {$(
        $(#[$note:meta])* $form:ident $(($($part:tt)+))? $({ $($field:tt)+ })? $(= $name:literal)?
    ),+ $(,)?}) => {
        impl $crate::attr::Coded for $type {
            const CODES: $crate::attr::Codes =
                $crate::attr::Codes { prefix: $prefix, members: &[$(stringify!($form)),+] };
            fn member(&self) -> &'static str {
                match self {$(
                    Self::$form { .. } => stringify!($form),
                )+}
            }
        }
    };
    (@names $type:ident {$(
        $(#[$note:meta])* $form:ident $({ $($field:tt)+ })? = $name:literal
    ),+ $(,)?}) => {
        impl $type {
            /// The lower-case name.
            pub fn name(self) -> &'static str {
                match self {$(
                    Self::$form { .. } => $name,
                )+}
            }
        }
    };
    (struct $type:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::attr::Attribute for $type {
            fn value(&self) -> $crate::attr::AttributeValue {
                let Self { $($field),+ } = self;
                $crate::attr::AttributeValue::List(vec![$($crate::attr::Attribute::value($field)),+])
            }
        }
    };
}
pub(crate) use attribute;

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttributeValue::None => f.write_str("none"),
            AttributeValue::Bool(yes) => yes.fmt(f),
            AttributeValue::Integer(n) => n.fmt(f),
            AttributeValue::Float(x) => x.fmt(f),
            AttributeValue::Text(text) => text.fmt(f),
            AttributeValue::List(all) => {
                f.write_str("[")?;
                for (k, value) in all.iter().enumerate() {
                    f.write_str(if k > 0 { ", " } else { "" })?;
                    value.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}

/// The attributes of an operator, by name.
///
/// ```
/// use convgpu::custom::Attributes;
///
/// let attributes = Attributes::new().with("axis", 1usize).with("scale", 0.5f32);
/// assert_eq!(attributes.to_string(), "axis = 1, scale = 0.5");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Vec<(&'static str, AttributeValue)>);

impl Attributes {
    /// None.
    pub fn new() -> Attributes {
        Attributes::default()
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Attribute) -> Attributes {
        self.0.push((name, value.value()));
        self
    }

    /// Adds the attributes of a part.
    pub(crate) fn and(mut self, part: Attributes) -> Attributes {
        self.0.extend(part.0);
        self
    }

    /// Names and values, in the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name} = {value}", if k > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

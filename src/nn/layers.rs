//! Macros that declare layers.

/// Layers without state. The arguments of `new` and the options, each with its default and a setter, are the fields; from them
/// `|layer, graph, x| ..` makes the nodes. A layer whose `new` takes nothing is `Default`.
macro_rules! layers {
    ($(
        $(#[$doc:meta])*
        $layer:ident {
            $(#[$new:meta])*
            new($($given:ident: $given_type:ty),*);
            $($(#[$about:meta])* $option:ident: $type:ty = $default:expr;)*
        } |$self:ident, $graph:ident, $x:ident| $build:expr;
    )+) => {$(
        $(#[$doc])*
        ///
        #[doc = concat!("It is [torch.nn.", stringify!($layer), "](https://docs.pytorch.org/docs/stable/generated/torch.nn.", stringify!($layer), ".html).")]
        #[derive(Clone, Copy, Debug)]
        pub struct $layer {
            $($given: $given_type,)*
            $($option: $type,)*
        }

        impl $layer {
            $(#[$new])*
            pub fn new($($given: $given_type),*) -> $layer {
                $layer { $($given,)* $($option: $default,)* }
            }
            $(
                $(#[$about])*
                #[must_use]
                pub fn $option(mut self, $option: $type) -> $layer {
                    self.$option = $option;
                    self
                }
            )*
        }

        $crate::nn::layers::default!($layer, $($given)*);

        impl $crate::nn::Module for $layer {
            fn build(
                &self,
                b: &mut $crate::nn::Builder<'_>,
                $x: $crate::graph::ValueId,
            ) -> $crate::error::Result<$crate::graph::ValueId> {
                let ($self, $graph) = (self, &mut *b.graph);
                $build
            }
        }
    )+};
}
pub(super) use layers;

/// `Default` of a layer whose `new` takes nothing.
macro_rules! default {
    ($layer:ident,) => {
        impl Default for $layer {
            fn default() -> $layer {
                $layer::new()
            }
        }
    };
    ($layer:ident, $($given:ident)+) => {};
}
pub(super) use default;

/// In an `impl Module`: its slots are those of this field.
macro_rules! slots_of {
    ($field:tt) => {
        fn slots(&self) -> Vec<(String, &$crate::nn::Slot)> {
            self.$field.slots()
        }
        fn slots_mut(&mut self) -> Vec<(String, &mut $crate::nn::Slot)> {
            self.$field.slots_mut()
        }
    };
}
pub(super) use slots_of;

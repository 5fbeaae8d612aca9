//! Kernels as plain data: a name, a text, and what the host decides of it. Nothing here touches a device.

use super::bindings::{self, Element};
use super::pieces::{EPILOGUE4, Piece};
use crate::attr::Codes;
use crate::shape::Precision;

/// A WGSL compute kernel.
///
/// The contract of every kernel: the entry point is `main`; in `@group(0)`, binding 0 is a uniform struct of 4-byte
/// scalars (the params), then come the read-only inputs, then the `read_write` outputs; at most 8 storage buffers in all groups.
///
/// A kernel of a program's own always runs with the run-time checks of the shader translator: an index out of range
/// reads or writes nothing outside its bindings.
///
/// ```
/// use convgpu::custom::Kernel;
///
/// static NEGATE: Kernel = Kernel::new("negate", "
///     struct Params { count: u32 }
///     @group(0) @binding(0) var<uniform> p: Params;
///     @group(0) @binding(1) var<storage, read> x: array<f32>;
///     @group(0) @binding(2) var<storage, read_write> y: array<f32>;
///     @compute @workgroup_size(64)
///     fn main(@builtin(global_invocation_id) id: vec3<u32>) {
///         if id.x < p.count { y[id.x] = -x[id.x]; }
///     }");
/// assert_eq!(NEGATE.name(), "negate");
/// ```
#[derive(Debug)]
pub struct Kernel {
    /// The name in tables and errors: that of the file, or of problem and engine.
    pub(crate) name: &'static str,
    /// Its path in `shaders/`, without `.wgsl`.
    file: &'static str,
    /// The contents of the file.
    pub(crate) source: &'static str,
    /// Shared files, appended after the main text so that its line numbers do not change.
    pieces: &'static [Piece],
    /// What `Stored` is in f32, if the text has that type: the prelude declares it.
    stored: Option<&'static str>,
    /// What the storage bindings hold: those of group 0, then those of the epilogue.
    bindings: &'static [Element],
    /// The enums whose members its own text names: the prelude declares them, and those of its pieces.
    codes: &'static [Codes],
    /// Whether it is a file of `shaders/`, whose params the prelude binds as `p`.
    built_in: bool,
    /// Types and constants that the prelude declares beside.
    declares: &'static str,
    /// Sizes that the prelude declares, because overrides cannot be sizes of arrays, and their values unless a launch sets
    /// others.
    consts: &'static [(&'static str, u32)],
}

/// How much of a launch's grid a dispatch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grid {
    /// All of it.
    Whole,
    /// Some of it: a uniform has the number of the first workgroup. The prelude declares it, since an override would leave the
    /// binding of a whole grid in the text that browsers compile.
    Part,
}

impl Grid {
    /// The declaration of `first_group`, which engines add to the number of a workgroup.
    fn declaration(self) -> String {
        match self {
            Grid::Whole => "const first_group = 0u; ".to_owned(),
            Grid::Part => format!("@group(0) @binding({FIRST_GROUP}) var<uniform> first_group: u32; "),
        }
    }
}

/// The binding of `first_group` in group 0, after the eight storage buffers that WebGPU allows.
pub const FIRST_GROUP: u32 = 9;

/// Declares a kernel of `shaders/` with the pieces that its text uses, its engine last: `kernel!("pool2d", POOL2D, FLAT)`, or
/// `kernel!("gemm_subgroup8", "problem/gemm", .., SUBGROUP8)` where its file has another name.
macro_rules! kernel {
    ($name:literal, $file:literal $(, $piece:expr)*) => {
        $crate::gpu::kernel::Kernel::built_in(
            [$name, $file],
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $file, ".wgsl")),
            &[$($piece),*],
        )
    };
    ($name:literal $(, $piece:expr)*) => {
        $crate::gpu::kernel::kernel!($name, $name $(, $piece)*)
    };
}
pub(crate) use kernel;

impl Kernel {
    /// A kernel of a program's own: `name` is used in tables and errors, `source` is the whole WGSL text.
    pub const fn new(name: &'static str, source: &'static str) -> Kernel {
        Kernel {
            name,
            file: name,
            source,
            pieces: &[],
            stored: None,
            bindings: &[],
            codes: &[],
            built_in: false,
            declares: "",
            consts: &[],
        }
    }

    /// A file of `shaders/`, with the kernel's name first.
    pub(crate) const fn built_in(
        [name, file]: [&'static str; 2],
        source: &'static str,
        pieces: &'static [Piece],
    ) -> Kernel {
        Kernel { file, pieces, built_in: true, bindings: bindings::of(name), ..Kernel::new(name, source) }
    }

    /// It stores floats as `Stored`: f32, or f16. `Written` is the type of results, which are f32 where they are sums that
    /// another launch rounds.
    pub(crate) const fn floats(self) -> Kernel {
        Kernel { stored: Some("f32"), ..self }
    }

    /// It moves elements of any type of 4 bytes by their bits: `Stored` and `Wide` are u32. For floats of 16 bits they are
    /// f16 and f32.
    pub(crate) const fn bits(self) -> Kernel {
        Kernel { stored: Some("u32"), ..self }
    }

    /// It computes with one value of row-major tensors at a time (`shaders/shared/channels.wgsl`, `shared/apart.wgsl`).
    pub(crate) const fn by_values(self) -> Kernel {
        self.declares(
            "alias Element = f32; alias Value = f32; alias Word = u32; const LANE = 0u; const CHANNELS_LAST = false; ",
        )
    }

    /// It computes with blocks of four channels of channels-last tensors (`shaders/shared/channels.wgsl`).
    pub(crate) const fn by_blocks(self) -> Kernel {
        self.floats().declares(
            "alias Element = vec4<Stored>; alias Value = vec4<f32>; alias Word = vec4<u32>; \
             const LANE = vec4<u32>(0u, 1u, 2u, 3u); const CHANNELS_LAST = true; ",
        )
    }

    /// Its text needs these declarations.
    pub(crate) const fn declares(self, declares: &'static str) -> Kernel {
        Kernel { declares, ..self }
    }

    /// It has these sizes.
    pub(crate) const fn sizes(self, consts: &'static [(&'static str, u32)]) -> Kernel {
        Kernel { consts, ..self }
    }

    /// Its own text names the members of these enums.
    pub(crate) const fn codes(self, codes: &'static [Codes]) -> Kernel {
        Kernel { codes, ..self }
    }

    /// The name in tables and errors.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The paths in `shaders/`, without `.wgsl`, of the files that its text consists of.
    pub fn files(&self) -> Vec<&'static str> {
        let pieces = self.all_pieces();
        std::iter::once(self.file).chain(pieces.iter().map(|piece| piece.name)).collect()
    }

    /// The complete text that the device compiles, with these sizes. In [`Precision::F16`] `Stored` is `f16`.
    pub fn wgsl(&self, consts: &[(&'static str, u32)], precision: Precision) -> String {
        self.text(consts, precision, false, Grid::Whole)
    }

    /// As [`Kernel::wgsl`], for a launch that writes sums, where `Written` is `f32` also in [`Precision::F16`], or for a part of
    /// its grid.
    pub fn text(&self, consts: &[(&'static str, u32)], precision: Precision, sums: bool, grid: Grid) -> String {
        let mut text = self.prelude(consts, precision, sums);
        if self.built_in {
            text += &grid.declaration();
        }
        text.push_str(self.source);
        for piece in self.all_pieces() {
            text.push_str(piece.source);
        }
        text
    }

    /// What the host declares. It is on the first line of the text, so that line numbers are those of the file.
    fn prelude(&self, consts: &[(&'static str, u32)], precision: Precision, sums: bool) -> String {
        let mut out = String::new();
        let params = if self.built_in { "@group(0) @binding(0) var<uniform> p: Params; " } else { "" };
        if let Some(wide) = self.stored {
            let (enable, stored, wide) = match precision {
                Precision::F32 => ("", wide, wide),
                Precision::F16 => ("enable f16; ", "f16", "f32"),
            };
            let written = if sums { "f32" } else { stored };
            out += &format!("{enable}alias Stored = {stored}; alias Written = {written}; alias Wide = {wide}; ");
        } else if self.writes_into_slots() {
            out += "alias Stored = f32; alias Written = f32; ";
        }
        out += self.declares;
        out += params;
        let pieces = self.all_pieces();
        let codes = self.codes.iter().chain(pieces.iter().flat_map(|piece| piece.codes));
        codes.for_each(|codes| codes.declare(&mut out));
        for (name, unless_set) in self.consts {
            let value = consts.iter().find(|(set, _)| set == name).map_or(unless_set, |(_, value)| value);
            out += &format!("const {name} = {value}u; ");
        }
        out
    }

    /// The pieces that the text consists of beside its own file, each once.
    pub(crate) fn all_pieces(&self) -> Vec<Piece> {
        let mut all = vec![];
        self.pieces.iter().for_each(|piece| piece.collect(&mut all));
        all
    }

    /// Whether it stores its result by blocks of four channels, at the place that the epilogue names, which may be part of
    /// a larger tensor.
    pub(crate) fn writes_into_slots(&self) -> bool {
        self.all_pieces().iter().any(|piece| piece.name == EPILOGUE4.name)
    }

    /// Whether it is a file of `shaders/`.
    pub(super) fn is_built_in(&self) -> bool {
        self.built_in
    }

    /// Whether its text has workgroup memory.
    pub(super) fn has_workgroup_memory(&self) -> bool {
        let has = |source: &str| source.contains("var<workgroup>");
        has(self.source) || self.all_pieces().iter().any(|piece| has(piece.source))
    }

    /// Whether a size of this name is set by launches.
    pub(crate) fn has_const(&self, name: &str) -> bool {
        self.consts.iter().any(|(known, _)| *known == name)
    }

    /// Whether elements of the storage bindings are `Stored`: of group 0 from binding 1 on, then of the epilogue.
    pub fn stored(&self) -> Vec<bool> {
        self.stored_by(false)
    }

    /// As [`Kernel::stored`], for a launch that writes sums or not.
    pub(crate) fn stored_by(&self, sums: bool) -> Vec<bool> {
        let is_stored = |element: &Element| match element {
            Element::Stored => true,
            Element::Written => !sums,
            Element::Other => false,
        };
        self.bindings.iter().map(is_stored).collect()
    }
}

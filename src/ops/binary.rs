//! Element-wise functions of two tensors under NumPy's broadcasting rule ([`BinaryKind`] lists them).

use super::broadcast::{Access, Operand};
use super::strided::Walk;
use super::{Bounds, Op, Site, Variant, built_in, expect_inputs};
use crate::attr::{BinaryKind, Coded};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::{self, BINARY, FLAT, STREAM};
use crate::parallel;
use crate::reference::elements;
use crate::shape::{DType, Desc, Layout, broadcast};
use crate::tensor::{Data, Elements, Tensor, for_each_type};

static BLOCKS: Kernel = kernel!("binary", BINARY, STREAM).bits().codes(&[Access::CODES]);
static STRIDED: Kernel = kernel!("binary_strided", BINARY, pieces::STRIDED, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&BLOCKS, &STRIDED];

/// `y = f(a, b)`, both of one type, broadcast as
/// <https://docs.pytorch.org/docs/stable/notes/broadcasting.html>. Comparisons give booleans.
///
/// Integers wrap in the bits of their type: an i64 in 64 on the reference, in 32 on a device, which reports it. An i64 shifted
/// out of its bits is an error on both, as it may stand for an unsigned number of 64 bits.
#[derive(Clone, Debug)]
pub struct Binary(pub BinaryKind);

impl Binary {
    fn result_type(&self, dtype: DType) -> Option<DType> {
        let kind = self.0;
        match dtype {
            DType::Bool if kind.is_logical() || kind == BinaryKind::Equal => Some(DType::Bool),
            DType::Bool => None,
            DType::F16 | DType::BF16 => None,
            _ if kind.is_of_bits() && dtype.is_float() => None,
            _ if kind == BinaryKind::Prelu && !dtype.is_float() => None,
            _ if kind.is_comparison() => Some(DType::Bool),
            other => Some(other),
        }
    }
}

impl Op for Binary {
    built_in!((kind));
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 2..=2)?;
        let (a, b) = (&inputs[0], &inputs[1]);
        if a.dtype != b.dtype {
            return Err(Error::shape(format!("both inputs must be of one type, are {} and {}", a.dtype, b.dtype)));
        }
        let Some(dtype) = self.result_type(a.dtype) else {
            return Err(Error::unsupported(format!("{} of {}", self.name(), a.dtype)));
        };
        Ok(vec![Desc::new(broadcast(&a.shape, &b.shape)?, dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = broadcast(inputs[0].shape(), inputs[1].shape())?;
        let (a, b) = (elements::broadcast(&inputs[0], &shape), elements::broadcast(&inputs[1], &shape));
        if self.0 == BinaryKind::ShiftLeft {
            keeps_all(&a, &b)?;
        }
        Ok(vec![Tensor::of(shape, evaluate(self.0, &a, &b))])
    }
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        if !inputs[0].dtype().is_float() {
            return Ok(Some(crate::bound::exact(outputs)));
        }
        let y = &outputs[0];
        let (a, b) = (elements::broadcast(&inputs[0], y.shape()), elements::broadcast(&inputs[1], y.shape()));
        let (a, b, y) = (a.to_f64s(), b.to_f64s(), y.to_f64s());
        Ok(Some(vec![parallel::collect(y.len(), |i| self.0.bound(a[i], b[i], y[i]) as f32)]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        launches(site, self.0, &site.inputs[1].shape)
    }
    fn flops(&self, _: &[Desc], outputs: &[Desc]) -> u64 {
        outputs[0].numel() as u64
    }
}

/// An error if an i64 that is shifted to the left does not fit its 64 bits.
fn keeps_all(a: &Tensor, by: &Tensor) -> Result<()> {
    let (Data::I64(a), Data::I64(by)) = (a.data(), by.data()) else { return Ok(()) };
    let lost = |(&a, &by): (&i64, &i64)| {
        let kept = BinaryKind::ShiftLeft.integer(a, by);
        BinaryKind::ShiftRight.integer(kept, by) != a
    };
    match a.iter().zip(by.iter()).find(|&pair| lost(pair)) {
        Some((a, by)) => {
            Err(Error::unsupported(format!("{a} shifted to the left by {by} exceeds the 64 bits of an i64")))
        }
        None => Ok(()),
    }
}

/// The function of two tensors of one shape.
fn evaluate(kind: BinaryKind, a: &Tensor, b: &Tensor) -> Data {
    fn values<T: Elements>(kind: BinaryKind, a: &[T], b: &Tensor) -> Data {
        let b = T::shared(b.data()).expect("the shape rule checked the types");
        if kind.is_comparison() {
            return parallel::collect(a.len(), |i| kind.compare(a[i].partial_cmp(&b[i]))).into();
        }
        T::wrap(parallel::collect(a.len(), |i| match T::TYPE {
            DType::Bool => T::of_integer(kind.logical(a[i].integer() != 0, b[i].integer() != 0).into()),
            dtype if dtype.is_float() => T::of_number(kind.float(a[i].number(), b[i].number())),
            _ => T::of_integer(kind.integer(a[i].integer(), b[i].integer())),
        }))
    }
    for_each_type!(a.data(), v => values(kind, v, b))
}

/// The launches of a function of input 0 and of input 1 seen as `b_shape`.
pub(super) fn launches(site: &Site<'_>, kind: BinaryKind, b_shape: &[usize]) -> Result<Vec<Variant>> {
    let to = &site.outputs[0].shape;
    let channels_last = (0..2).any(|i| site.inputs[i].shape == *to && site.is_channels_last(i));
    let mut layouts = [Layout::RowMajor, Layout::ChannelsLast];
    if channels_last {
        layouts.reverse();
    }
    let mut out: Vec<_> = layouts.iter().filter_map(|&l| blocks(site, kind, b_shape, l)).collect();
    match strided(site, kind, b_shape) {
        Ok(variant) => out.push(variant),
        Err(e) if out.is_empty() => return Err(e),
        Err(_) => {}
    }
    Ok(out)
}

fn specialised(launch: Launch, site: &Site<'_>, kind: BinaryKind) -> Launch {
    launch
        .set("OP", kind.code())
        .set("TYPE", site.inputs[0].dtype.code())
        .reads([Arg::Input(0), Arg::Input(1)])
        .writes([Arg::Output(0)])
}

fn blocks(site: &Site<'_>, kind: BinaryKind, b_shape: &[usize], layout: Layout) -> Option<Variant> {
    let y = &site.outputs[0];
    if y.numel() == 0 || (layout == Layout::ChannelsLast && y.rank() < 2) {
        return None;
    }
    let a = Operand::new(&site.inputs[0].shape, &y.shape, layout)?;
    let b = Operand::new(b_shape, &y.shape, layout)?;
    let (c, c4) = match layout {
        Layout::RowMajor => (0, 1),
        Layout::ChannelsLast => (y.shape[1], y.shape[1].div_ceil(4)),
    };
    let count4 = y.bytes(layout) / 16;
    let launch = specialised(Launch::stream(&BLOCKS, count4, params!(count4, c, c4)), site, kind);
    let launch = launch.set("PADDED", u8::from(!c.is_multiple_of(4)));
    let launch = a.attach(launch, "A_ACCESS", "a_step", "a_period");
    let launch = b.attach(launch, "B_ACCESS", "b_step", "b_period");
    let mut variant = Variant::in_layout(site, layout, vec![launch]);
    variant.inputs = vec![a.layout, b.layout];
    Some(variant)
}

fn strided(site: &Site<'_>, kind: BinaryKind, b_shape: &[usize]) -> Result<Variant> {
    let y = &site.outputs[0];
    let walk = Walk::broadcast(&y.shape, &[&site.inputs[0].shape, b_shape]);
    let params = walk.params(y.numel(), 0)?;
    let launch = Launch::flat(&STRIDED, y.numel(), params).set("RANK", walk.rank() as u32);
    Ok(Variant::row_major(site, vec![specialised(launch, site, kind)]))
}

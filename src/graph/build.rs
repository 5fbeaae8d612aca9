//! The layers as methods of [`Graph`], PyTorch's options and semantics: each adds the nodes it takes.
//!
//! `nn` and `functional` are thin covers over these; a program that builds a network by hand calls them itself.

use super::{Graph, ValueId};
use crate::error::{Error, Result};
use crate::ops::conv2d::Conv2d;
use crate::ops::reshape::Reshape;
use crate::ops::unary::{Activation, Unary};
use crate::options::{Conv1dOptions, Conv2dOptions, Padding, PaddingMode};

impl Graph {
    /// A name for the next node of this kind: the scope, the kind, a running number.
    fn next_name(&self, kind: &str) -> String {
        format!("{}{kind}_{}", self.scope, self.nodes.len())
    }

    /// Nodes added from here on have names that start with `scope`.
    pub fn set_scope(&mut self, scope: impl Into<String>) {
        self.scope = scope.into();
    }

    /// Applies an operator of one output under a name of its own.
    pub fn layer(&mut self, op: impl crate::ops::Op + 'static, inputs: &[ValueId]) -> Result<ValueId> {
        let name = self.next_name(op.name());
        self.apply(name, op, inputs)
    }

    /// `[n, ic, h, w]` with a weight `[oc, ic / groups, kh, kw]` to `[n, oc, oh, ow]`; the bias is `[oc]`.
    pub fn conv2d(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>, o: &Conv2dOptions) -> Result<ValueId> {
        let [_, _, kh, kw] = self.shape(w)[..] else {
            return Err(Error::shape(format!("the weight {:?} of conv2d must have rank 4", self.shape(w))));
        };
        let sides = o.padding.sides([kh, kw], o.stride.0, o.dilation.0)?;
        let (x, padding) = match o.padding_mode {
            PaddingMode::Zeros => (x, sides),
            mode => (self.pad2d(x, mode, sides)?, [0; 4]),
        };
        let op = Conv2d { stride: o.stride.0, padding, dilation: o.dilation.0, groups: o.groups };
        self.layer(op, &[&[x, w], bias.as_slice()].concat())
    }

    /// `[n, ic, l]` with a weight `[oc, ic / groups, k]` to `[n, oc, ol]`: `conv2d` of height 1.
    pub fn conv1d(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>, o: &Conv1dOptions) -> Result<ValueId> {
        let (&[n, ic, l], &[oc, icg, k]) = (self.shape(x), self.shape(w)) else {
            let (x, w) = (self.shape(x), self.shape(w));
            return Err(Error::shape(format!("conv1d takes [n, ic, l] and [oc, ic / groups, k], not {x:?} and {w:?}")));
        };
        let x = self.reshape(x, [n, ic, 1, l])?;
        let w = self.reshape(w, [oc, icg, 1, k])?;
        let options = Conv2dOptions {
            stride: [1, o.stride].into(),
            padding: Padding::Sides([0, 0, o.padding, o.padding]),
            dilation: [1, o.dilation].into(),
            groups: o.groups,
            padding_mode: PaddingMode::Zeros,
        };
        let y = self.conv2d(x, w, bias, &options)?;
        let [n, c, _, l] = self.shape(y)[..] else { unreachable!("conv2d gives rank 4") };
        self.reshape(y, vec![n, c, l])
    }

    /// `[.., in]` with a weight `[out, in]` to `[.., out]`; the bias is `[out]`. A convolution of a 1x1 image.
    pub fn linear(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>) -> Result<ValueId> {
        let (lead, features) = match self.shape(x).split_last() {
            Some((&features, lead)) => (lead.to_vec(), features),
            None => return Err(Error::shape("linear takes [.., in], not a scalar")),
        };
        let [out, inner] = self.shape(w)[..] else {
            return Err(Error::shape(format!("the weight {:?} of linear must be [out, in]", self.shape(w))));
        };
        if inner != features {
            let text = format!(
                "linear of {:?} with a weight {:?}: {features} features for {inner}",
                self.shape(x),
                [out, inner]
            );
            return Err(Error::shape(text));
        }
        let rows = lead.iter().product();
        let x = self.reshape(x, vec![rows, features, 1, 1])?;
        let w = self.reshape(w, vec![out, inner, 1, 1])?;
        let y = self.conv2d(x, w, bias, &Conv2dOptions::default())?;
        self.reshape(y, [lead, vec![out]].concat())
    }

    fn pad2d(&mut self, _: ValueId, mode: PaddingMode, _: [usize; 4]) -> Result<ValueId> {
        Err(Error::unsupported(format!("padding mode {mode:?}")))
    }

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: ValueId, shape: impl Into<Vec<usize>>) -> Result<ValueId> {
        let shape = shape.into();
        if self.shape(x) == shape {
            return Ok(x);
        }
        if let Some(tensor) = self.constant_of(x) {
            let (name, tensor) = (self.values[x.0].name.clone(), tensor.reshape(shape)?);
            return self.constant(name, tensor);
        }
        self.layer(Reshape { shape }, &[x])
    }

    /// Axes `start..=end` become one; negative axes count from the end.
    pub fn flatten(&mut self, x: ValueId, start: i64, end: i64) -> Result<ValueId> {
        let shape = self.shape(x).to_vec();
        if shape.is_empty() {
            return self.reshape(x, [1]);
        }
        let (start, end) = (crate::shape::axis(start, shape.len())?, crate::shape::axis(end, shape.len())?);
        if start > end {
            return Err(Error::argument(format!("flatten from axis {start} to axis {end}")));
        }
        let middle = shape[start..=end].iter().product();
        self.reshape(x, [&shape[..start], &[middle], &shape[end + 1..]].concat())
    }

    /// A function of every element.
    pub fn activation(&mut self, x: ValueId, f: Activation) -> Result<ValueId> {
        self.layer(Unary(f), &[x])
    }
}

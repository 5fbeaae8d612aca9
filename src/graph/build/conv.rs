//! Convolutions and matrix products.

use crate::attr::{PadMode, Pads, Window};
use crate::error::{Error, Result};
use crate::graph::deform::DeformConv;
use crate::graph::volume::{Conv3d, ConvTranspose3d};
use crate::graph::{Graph, ValueId};
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::det::Det;
use crate::ops::matmul::MatMul;
use crate::options::{
    Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions, DeformConv2dOptions,
    PaddingMode, Pair, Triple,
};

/// The limit of a convolution's own padding.
const MOST_PADDING: usize = 65_535;

impl Graph {
    /// `[n, ic, h, w]` with a weight `[oc, ic / groups, kh, kw]` to `[n, oc, oh, ow]`; the bias is `[oc]`.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options.
    pub fn conv2d(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>, o: Conv2dOptions) -> Result<ValueId> {
        let [_, _, kh, kw] = self.dims(w)?[..] else {
            return Err(Error::shape(format!("the weight {:?} of conv2d must have rank 4", self.shape(w))));
        };
        let pads = o.padding.pads([kh, kw], o.stride.0, o.dilation.0)?;
        let (x, padding) = self.bordered(x, pads, o.padding_mode)?;
        let op = Conv2d { stride: o.stride.0, padding, dilation: o.dilation.0, groups: o.groups };
        self.layer(op, &[&[x, w], bias.as_slice()].concat())
    }

    /// `[n, ic, l]` with a weight `[oc, ic / groups, k]` to `[n, oc, ol]`; the bias is `[oc]`. It is [`Graph::conv2d`] of
    /// images of one row.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options.
    pub fn conv1d(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>, o: Conv1dOptions) -> Result<ValueId> {
        let (&[n, ic, l], &[oc, icg, k]) = (self.dims(x)?, self.dims(w)?) else {
            let (x, w) = (self.shape(x), self.shape(w));
            return Err(Error::shape(format!("conv1d takes [n, ic, l] and [oc, ic / groups, k], not {x:?} and {w:?}")));
        };
        let x = self.reshape(x, [n, ic, 1, l])?;
        let w = self.reshape(w, [oc, icg, 1, k])?;
        let options = Conv2dOptions {
            stride: Pair([1, o.stride]),
            padding: o.padding.of_one_row(),
            dilation: Pair([1, o.dilation]),
            groups: o.groups,
            padding_mode: o.padding_mode,
        };
        // `conv2d` refuses padding 'same' with a stride along either axis, so there is no check here.
        let y = self.conv2d(x, w, bias, options)?;
        let [n, c, _, l] = self.shape(y)[..] else { unreachable!("conv2d gives rank 4") };
        self.reshape(y, [n, c, l])
    }

    /// `[n, ic, d, h, w]` with a weight `[oc, ic / groups, kd, kh, kw]` to `[n, oc, od, oh, ow]`; the bias is `[oc]`. It is
    /// one [`Graph::conv2d`]: of slices, to whose channels a kernel of several slices adds the taps along the depth.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options.
    pub fn conv3d(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>, o: Conv3dOptions) -> Result<ValueId> {
        let [_, _, kd, kh, kw] = self.dims(w)?[..] else {
            return Err(Error::shape(format!("the weight {:?} of conv3d must have rank 5", self.shape(w))));
        };
        let (Triple(stride), Triple(dilation)) = (o.stride, o.dilation);
        let pads = o.padding.pads([kd, kh, kw], stride, dilation)?;
        let (x, padding) = self.bordered(x, pads, o.padding_mode)?;
        Conv3d { stride, padding, dilation, groups: o.groups }.apply(self, &x, &w, bias.as_ref())
    }

    /// The input of a convolution with a border that the convolution itself cannot make, and what that still pads.
    fn bordered<const AXES: usize>(
        &mut self,
        x: ValueId,
        pads: Pads<usize, AXES>,
        mode: PaddingMode,
    ) -> Result<(ValueId, Pads<usize, AXES>)> {
        let Some(mode) = border(mode) else { return Ok((x, pads)) };
        if pads.as_flattened().iter().any(|&n| n > MOST_PADDING) {
            return Err(Error::argument(format!("padding {pads:?} must be at most {MOST_PADDING}")));
        }
        let sides: Vec<_> = pads.iter().rev().flatten().map(|&n| n as i64).collect();
        Ok((self.pad(x, &sides, mode)?, [[0; 2]; AXES]))
    }

    /// `[n, ic, h, w]` with a weight `[ic, oc / groups, kh, kw]` to `[n, oc, oh, ow]`; the bias is `[oc]`.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options; the output padding is not smaller than stride or dilation.
    pub fn conv_transpose2d(
        &mut self,
        x: ValueId,
        w: ValueId,
        bias: Option<ValueId>,
        o: ConvTranspose2dOptions,
    ) -> Result<ValueId> {
        let Pair([py, px]) = o.padding;
        let Pair(extra) = o.output_padding;
        less_than_a_step(extra, o.stride.0, o.dilation.0)?;
        let op = ConvTranspose2d {
            stride: o.stride.0,
            padding: [[py; 2], [px; 2]],
            output_padding: extra,
            dilation: o.dilation.0,
            groups: o.groups,
        };
        self.layer(op, &[&[x, w], bias.as_slice()].concat())
    }

    /// `[n, ic, d, h, w]` with a weight `[ic, oc / groups, kd, kh, kw]` to `[n, oc, od, oh, ow]`; the bias is `[oc]`. It is one
    /// [`Graph::conv_transpose2d`]: of slices, to whose channels a kernel of several slices adds the taps along the depth.
    ///
    /// # Errors
    /// The shapes do not fit each other or the options; the output padding is not smaller than stride or dilation.
    pub fn conv_transpose3d(
        &mut self,
        x: ValueId,
        w: ValueId,
        bias: Option<ValueId>,
        o: ConvTranspose3dOptions,
    ) -> Result<ValueId> {
        let (Triple(stride), Triple(dilation), Triple(output_padding)) = (o.stride, o.dilation, o.output_padding);
        less_than_a_step(output_padding, stride, dilation)?;
        let padding = o.padding.0.map(|n| [n; 2]);
        let op = ConvTranspose3d { stride, padding, output_padding, dilation, groups: o.groups };
        op.apply(self, &x, &w, bias.as_ref())
    }

    /// A convolution whose taps are moved by offsets `[n, groups kh kw 2, oh, ow]` (vertical, horizontal), and multiplied by a
    /// mask
    /// `[n, groups kh kw, oh, ow]`. The weight's shape tells the groups of channels, that of the offsets the groups of these.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn deform_conv2d(
        &mut self,
        x: ValueId,
        offset: ValueId,
        weight: ValueId,
        bias: Option<ValueId>,
        mask: Option<ValueId>,
        o: DeformConv2dOptions,
    ) -> Result<ValueId> {
        let [image, kernel, offsets] = [self.dims(x)?, self.dims(weight)?, self.dims(offset)?].map(<[usize]>::to_vec);
        let (&[_, ic, _, _], &[_, icg, kh, kw], &[_, entries, _, _]) = (&image[..], &kernel[..], &offsets[..]) else {
            return Err(Error::shape(format!(
                "an image, offsets and a weight have four axes: {image:?}, {offsets:?}, {kernel:?}"
            )));
        };
        let Some(moved) = kh.checked_mul(kw).and_then(|taps| taps.checked_mul(2)).filter(|n| *n > 0 && icg > 0) else {
            return Err(Error::shape(format!("a weight {kernel:?} has no taps")));
        };
        if !entries.is_multiple_of(moved) {
            return Err(Error::shape(format!("{entries} offsets are not two for each of {kh} x {kw} taps")));
        }
        let window = Window {
            kernel: [kh, kw],
            stride: o.stride.0,
            padding: o.padding.0.map(|n| [n, n]),
            dilation: o.dilation.0,
        };
        let conv = DeformConv { window, groups: ic / icg, offset_groups: entries / moved };
        conv.apply(self, [&x, &weight, &offset], mask.as_ref(), bias.as_ref())
    }

    /// The determinants `[..]` of square matrices `[.., n, n]`.
    ///
    /// # Errors
    /// The matrices are not square, or have more than 32 rows.
    pub fn det(&mut self, x: ValueId) -> Result<ValueId> {
        self.layer(Det, &[x])
    }

    /// `[.., in]` with a weight `[out, in]` to `[.., out]`; the bias is `[out]`. It is a convolution of images of one
    /// pixel.
    ///
    /// # Errors
    /// The shapes do not fit each other.
    pub fn linear(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>) -> Result<ValueId> {
        let (lead, features) = match self.dims(x)?.split_last() {
            Some((&features, lead)) => (lead.to_vec(), features),
            None => return Err(Error::shape("linear takes [.., in], not a scalar")),
        };
        let [out, inner] = self.dims(w)?[..] else {
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
        let x = self.reshape(x, [rows, features, 1, 1])?;
        let w = self.reshape(w, [out, inner, 1, 1])?;
        let y = self.conv2d(x, w, bias, Conv2dOptions::new())?;
        self.reshape(y, [lead, vec![out]].concat())
    }

    /// The product of `[.., m, k]` and `[.., k, n]`: `[.., m, n]`, the leading axes broadcast. An operand of one axis
    /// is a row vector on the left and a column vector on the right.
    ///
    /// # Errors
    /// The shapes do not fit each other.
    pub fn matmul(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        self.layer(MatMul, &[a, b])
    }
}

/// An error if what is added to the result of a transposed convolution is not less than the step along each axis.
fn less_than_a_step<const AXES: usize>(
    extra: [usize; AXES],
    stride: [usize; AXES],
    dilation: [usize; AXES],
) -> Result<()> {
    match (0..AXES).any(|a| extra[a] >= stride[a].max(dilation[a])) {
        true => {
            Err(Error::argument(format!("output_padding {extra:?} must be smaller than the stride or the dilation")))
        }
        false => Ok(()),
    }
}

/// The mode of `pad` for a border that the convolution itself cannot make.
fn border(mode: PaddingMode) -> Option<PadMode> {
    match mode {
        PaddingMode::Zeros => None,
        PaddingMode::Reflect => Some(PadMode::Reflect),
        PaddingMode::Replicate => Some(PadMode::Replicate),
        PaddingMode::Circular => Some(PadMode::Circular),
    }
}

//! The options of a case, under PyTorch's names.

#![expect(missing_docs, reason = "the functions are named after the types that they give")]

use std::fmt;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::functional::{
    Approximate, AvgPool2dOptions, AvgPool3dOptions, GridSampleMode, GridSampleOptions, GridSamplePadding,
    InterpolateMode, InterpolateOptions, LpPool2dOptions, LpPool3dOptions, MaxPool2dOptions, MaxPool3dOptions,
    MaxUnpool2dOptions, Padding, PaddingMode, RoiAlignOptions,
};

/// The options of a case. Each is an error if it is not there or of another type.
#[derive(Clone, Debug)]
pub struct Params {
    of: String,
    values: Value,
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.of, self.values)
    }
}

impl Params {
    /// Of this function or layer.
    pub fn new(of: &str, values: Value) -> Params {
        Params { of: of.to_owned(), values }
    }

    pub fn wrong(&self, name: &str) -> Error {
        Error::argument(format!("{}: {name} in {}", self.of, self.values))
    }

    /// All of them.
    pub fn json(&self) -> &Value {
        &self.values
    }

    /// The value of a name that may be absent, as null is.
    pub fn value(&self, name: &str) -> &Value {
        &self.values[name]
    }

    fn some(&self, name: &str) -> Option<&Value> {
        Some(self.value(name)).filter(|v| !v.is_null())
    }

    pub fn usize(&self, name: &str) -> Result<usize> {
        self.value(name).as_u64().map(|v| v as usize).ok_or_else(|| self.wrong(name))
    }

    pub fn i64(&self, name: &str) -> Result<i64> {
        self.value(name).as_i64().ok_or_else(|| self.wrong(name))
    }

    pub fn bool(&self, name: &str) -> Result<bool> {
        self.value(name).as_bool().ok_or_else(|| self.wrong(name))
    }

    pub fn str(&self, name: &str) -> Result<&str> {
        self.value(name).as_str().ok_or_else(|| self.wrong(name))
    }

    /// A number, which as an infinity is a string in the file.
    pub fn f32(&self, name: &str) -> Result<f32> {
        let value = self.value(name);
        let number = value.as_str().map_or_else(|| value.as_f64(), |text| text.parse().ok());
        number.map(|v| v as f32).ok_or_else(|| self.wrong(name))
    }

    /// A number, or none.
    pub fn f32_or_none(&self, name: &str) -> Result<Option<f32>> {
        self.some(name).map(|_| self.f32(name)).transpose()
    }

    /// A list of numbers.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        let list = self.value(name).as_array().and_then(|list| list.iter().map(Value::as_i64).collect());
        list.ok_or_else(|| self.wrong(name))
    }

    pub fn sizes(&self, name: &str) -> Result<Vec<usize>> {
        self.integers(name)?.into_iter().map(|v| v.try_into().map_err(|_| self.wrong(name))).collect()
    }

    pub fn pair(&self, name: &str) -> Result<[usize; 2]> {
        self.sizes(name)?.try_into().map_err(|_| self.wrong(name))
    }

    pub fn triple(&self, name: &str) -> Result<[usize; 3]> {
        self.sizes(name)?.try_into().map_err(|_| self.wrong(name))
    }

    pub fn sides(&self, name: &str) -> Result<[i64; 4]> {
        self.integers(name)?.try_into().map_err(|_| self.wrong(name))
    }

    /// The axes of a reduction; none is all.
    pub fn axes(&self, name: &str) -> Result<Vec<i64>> {
        if self.value(name).is_null() { Ok(vec![]) } else { self.integers(name) }
    }

    /// "same", "valid", or sides.
    fn padding<const SIDES: usize>(&self, sides: impl FnOnce() -> Result<Padding<SIDES>>) -> Result<Padding<SIDES>> {
        match self.value("padding").as_str() {
            Some("same") => Ok(Padding::Same),
            Some("valid") => Ok(Padding::Valid),
            Some(_) => Err(self.wrong("padding")),
            None => sides(),
        }
    }

    /// Of an image: one number per axis, or one per side.
    pub fn image_padding(&self) -> Result<Padding> {
        self.padding(|| match self.sizes("padding")?[..] {
            [y, x] => Ok([y, x].into()),
            [top, bottom, left, right] => Ok([top, bottom, left, right].into()),
            _ => Err(self.wrong("padding")),
        })
    }

    /// Of a volume: one number per axis, or one per side.
    pub fn volume_padding(&self) -> Result<Padding<6>> {
        self.padding(|| match self.sizes("padding")?[..] {
            [z, y, x] => Ok([z, y, x].into()),
            [front, back, top, bottom, left, right] => Ok([front, back, top, bottom, left, right].into()),
            _ => Err(self.wrong("padding")),
        })
    }

    /// Of a signal: a number, or one per side.
    pub fn signal_padding(&self) -> Result<Padding<2>> {
        self.padding(|| match self.usize("padding") {
            Ok(n) => Ok(n.into()),
            Err(_) => Ok(Padding::Sides(self.pair("padding")?)),
        })
    }

    pub fn padding_mode(&self, name: &str) -> Result<PaddingMode> {
        Ok(match self.str(name)? {
            "zeros" => PaddingMode::Zeros,
            "reflect" => PaddingMode::Reflect,
            "replicate" => PaddingMode::Replicate,
            "circular" => PaddingMode::Circular,
            _ => return Err(self.wrong(name)),
        })
    }

    pub fn approximate(&self, name: &str) -> Result<Approximate> {
        match self.str(name)? {
            "none" => Ok(Approximate::None),
            "tanh" => Ok(Approximate::Tanh),
            _ => Err(self.wrong(name)),
        }
    }

    fn interpolate_mode(&self, name: &str) -> Result<InterpolateMode> {
        Ok(match self.str(name)? {
            "nearest" => InterpolateMode::Nearest,
            "nearest-exact" => InterpolateMode::NearestExact,
            "bilinear" => InterpolateMode::Bilinear,
            "trilinear" => InterpolateMode::Trilinear,
            "bicubic" => InterpolateMode::Bicubic,
            _ => return Err(self.wrong(name)),
        })
    }

    pub fn max_pool(&self) -> Result<MaxPool2dOptions> {
        let o = MaxPool2dOptions::new().padding(self.pair("padding")?).dilation(self.pair("dilation")?);
        let o = o.ceil_mode(self.bool("ceil_mode")?);
        Ok(if self.some("stride").is_none() { o } else { o.stride(self.pair("stride")?) })
    }

    pub fn avg_pool(&self) -> Result<AvgPool2dOptions> {
        let o = AvgPool2dOptions::new().padding(self.pair("padding")?).ceil_mode(self.bool("ceil_mode")?);
        let o = o.count_include_pad(self.bool("count_include_pad")?);
        let divisor = self.some("divisor_override").map(|_| self.usize("divisor_override")).transpose()?;
        let o = o.divisor_override(divisor);
        Ok(if self.some("stride").is_none() { o } else { o.stride(self.pair("stride")?) })
    }

    pub fn max_pool3d(&self) -> Result<MaxPool3dOptions> {
        let o = MaxPool3dOptions::new().padding(self.triple("padding")?).dilation(self.triple("dilation")?);
        let o = o.ceil_mode(self.bool("ceil_mode")?);
        Ok(if self.some("stride").is_none() { o } else { o.stride(self.triple("stride")?) })
    }

    pub fn avg_pool3d(&self) -> Result<AvgPool3dOptions> {
        let o = AvgPool3dOptions::new().padding(self.triple("padding")?).ceil_mode(self.bool("ceil_mode")?);
        let o = o.count_include_pad(self.bool("count_include_pad")?);
        let divisor = self.some("divisor_override").map(|_| self.usize("divisor_override")).transpose()?;
        let o = o.divisor_override(divisor);
        Ok(if self.some("stride").is_none() { o } else { o.stride(self.triple("stride")?) })
    }

    pub fn lp_pool(&self) -> Result<LpPool2dOptions> {
        let o = LpPool2dOptions::new().ceil_mode(self.bool("ceil_mode")?);
        Ok(if self.some("stride").is_none() { o } else { o.stride(self.pair("stride")?) })
    }

    pub fn lp_pool3d(&self) -> Result<LpPool3dOptions> {
        let o = LpPool3dOptions::new().ceil_mode(self.bool("ceil_mode")?);
        Ok(if self.some("stride").is_none() { o } else { o.stride(self.triple("stride")?) })
    }

    pub fn interpolate(&self) -> Result<InterpolateOptions> {
        let mut o = InterpolateOptions::new().mode(self.interpolate_mode("mode")?);
        if self.some("size").is_some() {
            o = match self.pair("size") {
                Ok(size) => o.size(size),
                Err(_) => o.size(self.triple("size")?),
            };
        }
        if let Some(factors) = self.value("scale_factor").as_array() {
            let factors: Option<Vec<f64>> = factors.iter().map(Value::as_f64).collect();
            let factors = factors.ok_or_else(|| self.wrong("scale_factor"))?;
            o = match factors[..] {
                [y, x] => o.scale_factor([y, x]),
                [z, y, x] => o.scale_factor([z, y, x]),
                _ => return Err(self.wrong("scale_factor")),
            };
        }
        if let Some(align) = self.value("align_corners").as_bool() {
            o = o.align_corners(align);
        }
        if let Some(recompute) = self.value("recompute_scale_factor").as_bool() {
            o = o.recompute_scale_factor(recompute);
        }
        Ok(o)
    }

    pub fn grid_sample_mode(&self, name: &str) -> Result<GridSampleMode> {
        Ok(match self.str(name)? {
            "bilinear" => GridSampleMode::Bilinear,
            "nearest" => GridSampleMode::Nearest,
            "bicubic" => GridSampleMode::Bicubic,
            _ => return Err(self.wrong(name)),
        })
    }

    pub fn grid_sample_padding(&self, name: &str) -> Result<GridSamplePadding> {
        Ok(match self.str(name)? {
            "zeros" => GridSamplePadding::Zeros,
            "border" => GridSamplePadding::Border,
            "reflection" => GridSamplePadding::Reflection,
            _ => return Err(self.wrong(name)),
        })
    }

    pub fn grid_sample(&self) -> Result<GridSampleOptions> {
        let o = GridSampleOptions::new().mode(self.grid_sample_mode("mode")?);
        let o = o.padding_mode(self.grid_sample_padding("padding_mode")?);
        Ok(o.align_corners(self.bool("align_corners")?))
    }

    pub fn max_unpool2d(&self) -> Result<MaxUnpool2dOptions> {
        let o = MaxUnpool2dOptions::new().padding(self.pair("padding")?);
        let o = if self.some("stride").is_none() { o } else { o.stride(self.pair("stride")?) };
        Ok(if self.some("output_size").is_none() { o } else { o.output_size(self.pair("output_size")?) })
    }

    pub fn roi_align(&self) -> Result<RoiAlignOptions> {
        let o = RoiAlignOptions::new().spatial_scale(self.f32("spatial_scale")?).aligned(self.bool("aligned")?);
        // -1, PyTorch's default, stands for none.
        Ok(usize::try_from(self.i64("sampling_ratio")?).map_or(o, |samples| o.sampling_ratio(samples)))
    }

    /// The layers of a Sequential: name, constructor, options.
    pub fn layers(&self) -> Result<Vec<(String, String, Params)>> {
        let list = self.value("layers").as_array().ok_or_else(|| self.wrong("layers"))?;
        let text = |layer: &Value, name: &str| layer[name].as_str().map(str::to_owned).ok_or_else(|| self.wrong(name));
        let of = |layer| {
            let op = text(layer, "op")?;
            Ok((text(layer, "name")?, op.clone(), Params::new(&op, layer["params"].clone())))
        };
        list.iter().map(of).collect()
    }
}

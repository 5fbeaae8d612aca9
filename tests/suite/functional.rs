//! Compares every case of the family `functional` with the public function of its name: on the reference and on the
//! test device, within the bounds of the operators that ran (`traced`).

use std::collections::HashSet;

use convgpu::functional::*;
use convgpu::nn::{Module, Upsample};
use convgpu::{Device, DeviceTensor, Result, Tensor};
use serde_json::Value;

use crate::support::{Case, device, golden};
use crate::traced::{check, check_all, in_order};

/// A case with its parameters and, on a device, its tensors.
struct Call<'a> {
    case: &'a Case,
    device: &'a Device,
}

pub fn padding_mode(name: &str) -> PaddingMode {
    match name {
        "zeros" => PaddingMode::Zeros,
        "reflect" => PaddingMode::Reflect,
        "replicate" => PaddingMode::Replicate,
        "circular" => PaddingMode::Circular,
        other => panic!("{other}"),
    }
}

pub fn interpolate_mode(name: &str) -> InterpolateMode {
    match name {
        "nearest" => InterpolateMode::Nearest,
        "nearest-exact" => InterpolateMode::NearestExact,
        "bilinear" => InterpolateMode::Bilinear,
        "bicubic" => InterpolateMode::Bicubic,
        other => panic!("{other}"),
    }
}

pub fn approximate(name: &str) -> Approximate {
    match name {
        "none" => Approximate::None,
        "tanh" => Approximate::Tanh,
        other => panic!("{other}"),
    }
}

pub fn number(v: &Value) -> f32 {
    match v.as_str() {
        Some("inf") => f32::INFINITY,
        Some("-inf") => f32::NEG_INFINITY,
        _ => v.as_f64().unwrap_or_else(|| panic!("{v}")) as f32,
    }
}

pub fn pair(v: &Value) -> [usize; 2] {
    let list = v.as_array().unwrap_or_else(|| panic!("{v}"));
    let list: Vec<usize> = list.iter().map(|v| v.as_u64().unwrap() as usize).collect();
    list.try_into().unwrap()
}

/// The padding of an image: 'same', 'valid', one number per axis, or one per side.
pub fn image_padding(v: &Value) -> Padding {
    padding(v, |v| match sizes(v)[..] {
        [y, x] => [y, x].into(),
        [top, bottom, left, right] => [top, bottom, left, right].into(),
        _ => panic!("{v}"),
    })
}

/// The padding of a signal: 'same', 'valid', a number, or one per side.
pub fn signal_padding(v: &Value) -> Padding<2> {
    padding(v, |v| match v.as_u64() {
        Some(n) => (n as usize).into(),
        None => Padding::Sides(pair(v)),
    })
}

pub fn integers(v: &Value) -> Vec<i64> {
    v.as_array().unwrap_or_else(|| panic!("{v}")).iter().map(|v| v.as_i64().unwrap()).collect()
}

fn sizes(v: &Value) -> Vec<usize> {
    integers(v).into_iter().map(|v| v.try_into().unwrap()).collect()
}

/// "same", "valid", or the result of `other` for a number or a list.
fn padding<const SIDES: usize>(v: &Value, other: impl FnOnce(&Value) -> Padding<SIDES>) -> Padding<SIDES> {
    match v.as_str() {
        Some("same") => Padding::Same,
        Some("valid") => Padding::Valid,
        Some(other) => panic!("{other}"),
        None => other(v),
    }
}

pub fn max_pool_options(p: &Value) -> MaxPool2dOptions {
    let o = MaxPool2dOptions::new().padding(pair(&p["padding"])).dilation(pair(&p["dilation"]));
    let o = o.ceil_mode(p["ceil_mode"].as_bool().unwrap());
    if p["stride"].is_null() { o } else { o.stride(pair(&p["stride"])) }
}

pub fn avg_pool_options(p: &Value) -> AvgPool2dOptions {
    let o = AvgPool2dOptions::new().padding(pair(&p["padding"])).ceil_mode(p["ceil_mode"].as_bool().unwrap());
    let o = o.count_include_pad(p["count_include_pad"].as_bool().unwrap());
    let o = o.divisor_override(p["divisor_override"].as_u64().map(|n| n as usize));
    if p["stride"].is_null() { o } else { o.stride(pair(&p["stride"])) }
}

pub fn lp_pool_options(p: &Value) -> LpPool2dOptions {
    let o = LpPool2dOptions::new().ceil_mode(p["ceil_mode"].as_bool().unwrap());
    if p["stride"].is_null() { o } else { o.stride(pair(&p["stride"])) }
}

pub fn interpolate_options(p: &Value) -> InterpolateOptions {
    let mut o = InterpolateOptions::new().mode(interpolate_mode(p["mode"].as_str().unwrap()));
    if !p["size"].is_null() {
        o = o.size(pair(&p["size"]));
    }
    if let Some(f) = p["scale_factor"].as_array() {
        o = o.scale_factor([f[0].as_f64().unwrap(), f[1].as_f64().unwrap()]);
    }
    if let Some(align) = p["align_corners"].as_bool() {
        o = o.align_corners(align);
    }
    if let Some(recompute) = p["recompute_scale_factor"].as_bool() {
        o = o.recompute_scale_factor(recompute);
    }
    o
}

impl Call<'_> {
    fn p(&self, name: &str) -> &Value {
        let value = &self.case.params[name];
        assert!(self.case.params.as_object().unwrap().contains_key(name), "{name} in {}", self.case.params);
        value
    }
    fn f32(&self, name: &str) -> f32 {
        number(self.p(name))
    }
    fn usize(&self, name: &str) -> usize {
        self.p(name).as_u64().unwrap() as usize
    }
    fn i64(&self, name: &str) -> i64 {
        self.p(name).as_i64().unwrap()
    }
    fn bool(&self, name: &str) -> bool {
        self.p(name).as_bool().unwrap()
    }
    fn str(&self, name: &str) -> &str {
        self.p(name).as_str().unwrap()
    }
    /// The axes of a reduction; null is all.
    fn dims(&self) -> Vec<i64> {
        let dim = self.p("dim");
        if dim.is_null() { vec![] } else { integers(dim) }
    }
    fn optional(&self, role: &str) -> Option<DeviceTensor> {
        let t = self.case.get(role)?;
        let boolean = role == "condition" || self.case.params["input_dtype"].as_str() == Some("bool");
        let t = match boolean {
            true => Tensor::new(t.shape(), t.to_f64s().iter().map(|&v| v != 0.0).collect::<Vec<_>>()).unwrap(),
            false => t.clone(),
        };
        Some(t.to_device(self.device).unwrap())
    }
    fn t(&self, role: &str) -> DeviceTensor {
        self.optional(role).unwrap_or_else(|| panic!("{role} of {}", self.case.op))
    }

    /// The outputs of the function, in the order of the case.
    fn run(&self) -> Result<Vec<DeviceTensor>> {
        let x = || self.t("x");
        let ab = |f: fn(&DeviceTensor, &DeviceTensor) -> Result<DeviceTensor>| f(&self.t("a"), &self.t("b"));
        let (weight, bias) = (|| self.t("weight"), self.optional("bias"));
        let bias = bias.as_ref();
        let reduce =
            |f: fn(&DeviceTensor, &[i64], bool) -> Result<DeviceTensor>| f(&x(), &self.dims(), self.bool("keepdim"));
        let scale = self.optional("weight");
        let scale = scale.as_ref();
        let one = match self.case.op.as_str() {
            "conv1d" => {
                let o = Conv1dOptions::new().stride(self.usize("stride")).padding(signal_padding(self.p("padding")));
                let o = o.dilation(self.usize("dilation")).groups(self.usize("groups"));
                // The oldest cases have no mode: they are padded by zeros.
                let mode = self.case.params["padding_mode"].as_str().unwrap_or("zeros");
                conv1d(&x(), &weight(), bias, o.padding_mode(padding_mode(mode)))
            }
            "conv2d" => {
                let o = Conv2dOptions::new().stride(pair(self.p("stride"))).dilation(pair(self.p("dilation")));
                let o = o.padding(image_padding(self.p("padding"))).groups(self.usize("groups"));
                conv2d(&x(), &weight(), bias, o.padding_mode(padding_mode(self.str("padding_mode"))))
            }
            "conv_transpose2d" => {
                let o = ConvTranspose2dOptions::new().stride(pair(self.p("stride"))).padding(pair(self.p("padding")));
                let o = o.output_padding(pair(self.p("output_padding"))).dilation(pair(self.p("dilation")));
                conv_transpose2d(&x(), &weight(), bias, o.groups(self.usize("groups")))
            }
            "linear" => linear(&x(), &weight(), bias),
            "matmul" => ab(matmul),
            "max_pool2d" => {
                let (values, indices) =
                    max_pool2d_with_indices(&x(), pair(self.p("kernel_size")), max_pool_options(&self.case.params))?;
                return Ok(vec![values, indices]);
            }
            "avg_pool2d" => avg_pool2d(&x(), pair(self.p("kernel_size")), avg_pool_options(&self.case.params)),
            "lp_pool2d" => {
                let kernel = pair(self.p("kernel_size"));
                lp_pool2d(&x(), self.f32("norm_type"), kernel, lp_pool_options(&self.case.params))
            }
            "adaptive_avg_pool2d" => adaptive_avg_pool2d(&x(), pair(self.p("output_size"))),
            "adaptive_max_pool2d" => adaptive_max_pool2d(&x(), pair(self.p("output_size"))),
            "interpolate" => interpolate(&x(), interpolate_options(&self.case.params)),
            "pad" => {
                let value = self.p("value");
                let mode = match self.str("mode") {
                    "constant" => PadMode::Constant(if value.is_null() { 0.0 } else { number(value) }),
                    "reflect" => PadMode::Reflect,
                    "replicate" => PadMode::Replicate,
                    "circular" => PadMode::Circular,
                    other => panic!("{other}"),
                };
                pad(&x(), &integers(self.p("pad")), mode)
            }
            "pixel_shuffle" => pixel_shuffle(&x(), self.usize("upscale_factor")),
            "pixel_unshuffle" => pixel_unshuffle(&x(), self.usize("downscale_factor")),
            "batch_norm" => {
                let [mean, var] = ["running_mean", "running_var"].map(|role| self.t(role));
                batch_norm(&x(), &mean, &var, scale, bias, self.f32("eps"))
            }
            "batch_norm_training" => {
                let [mean, var] = ["running_mean", "running_var"].map(|role| self.optional(role));
                let (momentum, eps) = (self.f32("momentum"), self.f32("eps"));
                let (y, new) = batch_norm_training(&x(), mean.as_ref(), var.as_ref(), scale, bias, momentum, eps)?;
                return Ok([y].into_iter().chain(new.into_iter().flatten()).collect());
            }
            "layer_norm" => layer_norm(&x(), &sizes(self.p("normalized_shape")), scale, bias, self.f32("eps")),
            "group_norm" => group_norm(&x(), self.usize("num_groups"), scale, bias, self.f32("eps")),
            "instance_norm" => instance_norm(&x(), scale, bias, self.f32("eps")),
            "local_response_norm" => {
                let [alpha, beta, k] = ["alpha", "beta", "k"].map(|name| self.f32(name));
                local_response_norm(&x(), self.usize("size"), alpha, beta, k)
            }
            "normalize" => normalize(&x(), self.f32("p"), self.i64("dim"), self.f32("eps")),
            "softmax" => softmax(&x(), self.i64("dim")),
            "log_softmax" => log_softmax(&x(), self.i64("dim")),
            "relu" => relu(&x()),
            "relu6" => relu6(&x()),
            "leaky_relu" => leaky_relu(&x(), self.f32("negative_slope")),
            "elu" => elu(&x(), self.f32("alpha")),
            "selu" => selu(&x()),
            "celu" => celu(&x(), self.f32("alpha")),
            "gelu" => gelu(&x(), approximate(self.str("approximate"))),
            "sigmoid" => sigmoid(&x()),
            "tanh" => tanh(&x()),
            "hardsigmoid" => hardsigmoid(&x()),
            "hardswish" => hardswish(&x()),
            "silu" => silu(&x()),
            "mish" => mish(&x()),
            "softplus" => softplus(&x(), self.f32("beta"), self.f32("threshold")),
            "softsign" => softsign(&x()),
            "threshold" => threshold(&x(), self.f32("threshold"), self.f32("value")),
            "clamp" => {
                let [min, max] = ["min", "max"].map(|n| Some(self.p(n)).filter(|v| !v.is_null()).map(number));
                clamp(&x(), min, max)
            }
            "exp" => exp(&x()),
            "log" => log(&x()),
            "sqrt" => sqrt(&x()),
            "reciprocal" => reciprocal(&x()),
            "abs" => abs(&x()),
            "neg" => neg(&x()),
            "floor" => floor(&x()),
            "ceil" => ceil(&x()),
            "round" => round(&x()),
            "sign" => sign(&x()),
            "erf" => erf(&x()),
            "sin" => sin(&x()),
            "cos" => cos(&x()),
            "prelu" => prelu(&x(), &weight()),
            "add" => ab(add),
            "sub" => ab(sub),
            "mul" => ab(mul),
            "div" => ab(div),
            "maximum" => ab(maximum),
            "minimum" => ab(minimum),
            "pow" => ab(pow),
            "remainder" => ab(remainder),
            "fmod" => ab(fmod),
            "eq" => ab(eq),
            "lt" => ab(lt),
            "gt" => ab(gt),
            "le" => ab(le),
            "ge" => ab(ge),
            "logical_and" => ab(logical_and),
            "logical_or" => ab(logical_or),
            "logical_xor" => ab(logical_xor),
            "where" => where_(&self.t("condition"), &self.t("a"), &self.t("b")),
            "sum" => reduce(sum),
            "mean" => reduce(mean),
            "amax" => reduce(amax),
            "amin" => reduce(amin),
            "prod" => reduce(prod),
            "logsumexp" => reduce(logsumexp),
            "norm" => norm(&x(), self.f32("p"), &self.dims(), self.bool("keepdim")),
            "argmax" => argmax(&x(), self.p("dim").as_i64(), self.bool("keepdim")),
            "argmin" => argmin(&x(), self.p("dim").as_i64(), self.bool("keepdim")),
            "topk" => {
                let (values, indices) = topk(&x(), self.usize("k"), self.i64("dim"), self.bool("largest"))?;
                return Ok(vec![values, indices]);
            }
            "cat" => {
                let parts: Vec<_> = self.case.inputs.iter().map(|role| self.t(role)).collect();
                cat(&parts.iter().collect::<Vec<_>>(), self.i64("dim"))
            }
            "split" => {
                let parts = self.p("sizes");
                let each = || SplitSizes::Each(self.usize("sizes"));
                let parts = parts.as_array().map_or_else(each, |_| SplitSizes::Sections(sizes(parts)));
                return split(&x(), parts, self.i64("dim"));
            }
            "narrow" => narrow(&x(), self.i64("dim"), self.i64("start"), self.usize("length")),
            "index_select" => index_select(&x(), self.i64("dim"), &self.t("index")),
            "expand" => expand(&x(), &integers(self.p("size"))),
            "tile" => tile(&x(), &sizes(self.p("dims"))),
            "permute" => permute(&x(), &integers(self.p("dims"))),
            "transpose" => transpose(&x(), self.i64("dim0"), self.i64("dim1")),
            "flatten" => flatten(&x(), self.i64("start_dim"), self.i64("end_dim")),
            "reshape" => reshape(&x(), &integers(self.p("shape"))),
            other => panic!("no function {other}"),
        };
        Ok(vec![one?])
    }
}

#[test]
fn every_case_against_pytorch() {
    let cases = golden("functional");
    let functions: HashSet<&str> = cases.iter().map(|c| c.op.as_str()).collect();
    assert_eq!((cases.len(), functions.len()), (2671, 92));
    check_all(&cases, |case, device| {
        check(|| Call { case, device }.run(), &in_order(case.outputs.iter().map(|role| case.get(role).unwrap())))
    });
}

/// Scale factors that f32 rounds, in every mode: through the function and through the layer.
#[test]
fn every_scale_factor_against_pytorch() {
    let cases = golden("interpolate");
    assert_eq!(cases.len(), 156);
    check_all(&cases, |case, device| {
        let (x, o) = (case.get("x").unwrap().to_device(device).unwrap(), interpolate_options(&case.params));
        let factor = case.params["scale_factor"].as_array().unwrap().iter().map(|f| f.as_f64().unwrap());
        let layer = Upsample::new()
            .scale_factor(<[f64; 2]>::try_from(factor.collect::<Vec<_>>()).unwrap())
            .mode(interpolate_mode(case.params["mode"].as_str().unwrap()))
            .align_corners(case.params["align_corners"].as_bool() == Some(true))
            .recompute_scale_factor(case.params["recompute_scale_factor"].as_bool().unwrap());
        let out = case.get("out").unwrap();
        check(|| Ok(vec![interpolate(&x, o)?]), &in_order([out]))?;
        check(|| Ok(vec![layer.forward(&x)?]), &[("out".to_owned(), out)])
    });
}

/// The values of `max_pool2d_with_indices` are those of `max_pool2d`.
#[test]
fn max_pooling_without_indices() {
    let cases: Vec<_> = golden("functional").into_iter().filter(|c| c.op == "max_pool2d").collect();
    assert_eq!(cases.len(), 70);
    check_all(&cases, |case, device| {
        let x = case.get("x").unwrap().to_device(device).unwrap();
        let f = || Ok(vec![max_pool2d(&x, pair(&case.params["kernel_size"]), max_pool_options(&case.params))?]);
        check(f, &in_order([case.get("out").unwrap()]))
    });
}

fn tensor(shape: &[usize], values: &[f32]) -> DeviceTensor {
    Tensor::new(shape, values.to_vec()).unwrap().to_device(device()).unwrap()
}

/// Orders that PyTorch's cases do not have, computed by hand.
#[test]
fn norms_of_any_order() {
    let x = tensor(&[2, 3], &[3.0, 0.0, -4.0, 1.0, -2.0, 2.0]);
    for (p, wanted) in [
        (f32::INFINITY, [4.0, 2.0]),
        (f32::NEG_INFINITY, [0.0, 1.0]),
        (0.0, [2.0, 3.0]),
        (3.0, [91.0f32.cbrt(), 17.0f32.cbrt()]),
        (0.5, [(3.0f32.sqrt() + 2.0).powi(2), (1.0 + 2.0 * 2.0f32.sqrt()).powi(2)]),
    ] {
        let y = norm(&x, p, &[1], false).unwrap().to_host().unwrap();
        let off = |(a, e): (&f32, f32)| (a - e).abs() > 1e-5 * e;
        assert!(!y.as_f32().unwrap().iter().zip(wanted).any(off), "{p}: {y:?} for {wanted:?}");
    }
    // The cubes 1, 8, -27 and -1 add up to -19, which has no root in PyTorch's power; -1 + 8 has one.
    let x = tensor(&[1, 1, 2, 2], &[1.0, 2.0, -3.0, -1.0]);
    let y = lp_pool2d(&x, 3.0, 2, LpPool2dOptions::new()).unwrap().to_host().unwrap();
    assert!(y.as_f32().unwrap()[0].is_nan(), "{y:?}");
    let x = tensor(&[1, 1, 1, 2], &[-1.0, 2.0]);
    let y = lp_pool2d(&x, 3.0, [1, 2], LpPool2dOptions::new()).unwrap().to_host().unwrap();
    assert!((y.as_f32().unwrap()[0] - 7.0f32.cbrt()).abs() < 1e-5, "{y:?}");
}

/// Invalid arguments give an error on every device, before anything runs.
#[test]
fn arguments_that_cannot_be() {
    use convgpu::ErrorKind::{Argument, Shape, Unsupported};
    let x = tensor(&[1, 2, 4, 4], &[0.5; 32]);
    let flat = tensor(&[6], &[0.5; 6]);
    let w = tensor(&[2, 2, 3, 3], &[0.5; 36]);
    let whole = Tensor::new([6], vec![1i32; 6]).unwrap().to_device(device()).unwrap();
    let conv = |o: Conv2dOptions| conv2d(&x, &w, None, o).err();
    let resized = |o: InterpolateOptions| interpolate(&x, o).err();
    for (what, error, kind) in [
        ("a kernel larger than the image", conv(Conv2dOptions::new().dilation(2)), Shape),
        ("'same' with a stride", conv(Conv2dOptions::new().stride(2).padding(Padding::Same)), Argument),
        ("groups that do not fit", conv(Conv2dOptions::new().groups(2)), Shape),
        ("padding over half the window", max_pool2d(&x, 2, MaxPool2dOptions::new().padding(2)).err(), Argument),
        ("no order", lp_pool2d(&x, 0.0, 2, LpPool2dOptions::new()).err(), Argument),
        ("neither size nor factor", resized(InterpolateOptions::new()), Argument),
        (
            "no factor to compute anew",
            resized(InterpolateOptions::new().size(3).recompute_scale_factor(true)),
            Argument,
        ),
        ("both", resized(InterpolateOptions::new().size(3).scale_factor(2.0)), Argument),
        ("corners of nearest", resized(InterpolateOptions::new().size(3).align_corners(true)), Argument),
        ("half a pair", pad(&x, &[1], PadMode::Reflect).err(), Argument),
        ("more axes than there are", pad(&flat, &[0; 4], PadMode::Reflect).err(), Argument),
        (
            "one running statistic",
            { batch_norm_training(&x, Some(&flat), None, None, None, 0.1, 1e-5).err() },
            Argument,
        ),
        ("another normalized shape", layer_norm(&x, &[3], None, None, 1e-5).err(), Shape),
        ("no normalized shape", layer_norm(&x, &[], None, None, 1e-5).err(), Shape),
        ("slopes of another axis", prelu(&x, &tensor(&[4], &[0.5; 4])).err(), Shape),
        ("a mean of integers", mean(&whole, &[], false).err(), Unsupported),
        ("two types", add(&flat, &whole).err(), Shape),
        ("an axis twice", sum(&x, &[1, -3], false).err(), Argument),
        ("an axis outside", softmax(&x, 4).err(), Argument),
        ("NaN as an order", norm(&x, f32::NAN, &[], false).err(), Argument),
        ("parts that do not add up", split(&flat, [2, 3], 0).err(), Shape),
        ("parts of nothing", split(&flat, 0, 0).err(), Argument),
        ("entries outside", narrow(&flat, 0, 4, 3).err(), Argument),
        ("a start outside", narrow(&flat, 0, -7, 1).err(), Argument),
        ("indices of two axes", index_select(&x, 1, &whole.reshape([2, 3]).unwrap()).err(), Shape),
        ("a new axis as it is", expand(&flat, &[-1, 6]).err(), Argument),
        ("an axis that is not 1", expand(&flat, &[12]).err(), Shape),
        ("two extents open", reshape(&flat, &[-1, -1]).err(), Shape),
        ("another count", reshape(&flat, &[4, -1]).err(), Shape),
        ("the end before the start", flatten(&x, 2, 1).err(), Argument),
        ("no tensors", cat(&[], 0).err(), Argument),
    ] {
        let e = error.unwrap_or_else(|| panic!("{what} is not an error"));
        assert_eq!(e.kind(), kind, "{what}: {e}");
    }
}

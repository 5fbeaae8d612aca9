//! PyTorch's answers (`tests/golden/README.md`): every case that is one operator here meets that operator's reference and its kernels.
//!
//! How an operator's cases are read is in the operator's own file. This file lists the functions that read them, and
//! checks that none is left out: it is a failure if the operator of a case is unknown, if no kernel was compared with a
//! case, or if a tensor of a case was not read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use convgpu::Tensor;
use convgpu::internals::conformance::Kind;
use convgpu::internals::ops::top_k::TopK;

use crate::support::{Case, check_golden, golden, golden_folder, packed_folder};
use crate::{
    adaptive_pool2d, batch_norm, binary, concat, conv_transpose2d, conv1d, conv2d, det, fold, gather, grid_sample,
    group_norm, layer_norm, local_response_norm, matmul, max_unpool, movement, normalize, pad, pixel_shuffle, pool2d,
    prelu, reduce, resize, roi_align, roi_pool, select, sine, softmax, top_k, trigonometry, unary,
};

/// The function that compares the cases of this name with an operator.
fn check_of(op: &str) -> Option<fn(&Case)> {
    Some(match op {
        "conv1d" => conv1d::pytorch,
        "conv2d" => conv2d::pytorch,
        "conv_transpose2d" => conv_transpose2d::pytorch,
        "det" => det::pytorch,
        "linear" => matmul::pytorch_linear,
        "matmul" => matmul::pytorch_matmul,
        "max_pool2d" => pool2d::pytorch_max,
        "max_unpool2d" => max_unpool::pytorch,
        "fold" => fold::pytorch,
        "avg_pool2d" => pool2d::pytorch_avg,
        "lp_pool2d" => pool2d::pytorch_lp,
        "adaptive_avg_pool2d" | "adaptive_max_pool2d" => adaptive_pool2d::pytorch,
        "interpolate" => resize::pytorch,
        "grid_sample" => grid_sample::pytorch,
        "roi_align" => roi_align::pytorch,
        "roi_pool" => roi_pool::pytorch,
        "pixel_shuffle" | "pixel_unshuffle" => pixel_shuffle::pytorch,
        "pad2d" | "pad" => pad::pytorch,
        "batch_norm" | "batch_norm_training" => batch_norm::pytorch,
        "layer_norm" => layer_norm::pytorch,
        "group_norm" | "instance_norm" => group_norm::pytorch,
        "local_response_norm" => local_response_norm::pytorch,
        "normalize" => normalize::pytorch,
        "softmax" | "log_softmax" => softmax::pytorch,
        "relu"
        | "relu6"
        | "leaky_relu"
        | "elu"
        | "selu"
        | "celu"
        | "gelu"
        | "gelu_tanh"
        | "sigmoid"
        | "tanh"
        | "hardsigmoid"
        | "hardswish"
        | "silu"
        | "mish"
        | "softplus"
        | "softsign"
        | "threshold"
        | "clamp"
        | "fake_quantize_per_tensor_affine"
        | "exp"
        | "log"
        | "sqrt"
        | "reciprocal"
        | "abs"
        | "neg"
        | "floor"
        | "ceil"
        | "round"
        | "sign"
        | "erf" => unary::pytorch,
        "sin" | "cos" => sine::pytorch,
        "tan" | "asin" | "acos" | "atan" | "sinh" | "cosh" | "asinh" | "acosh" | "atanh" => trigonometry::pytorch,
        "prelu" => prelu::pytorch,
        "add"
        | "sub"
        | "mul"
        | "div"
        | "maximum"
        | "minimum"
        | "pow"
        | "remainder"
        | "fmod"
        | "eq"
        | "lt"
        | "gt"
        | "le"
        | "ge"
        | "logical_and"
        | "logical_or"
        | "logical_xor"
        | "bitwise_and"
        | "bitwise_or"
        | "bitwise_xor"
        | "bitwise_left_shift"
        | "bitwise_right_shift" => binary::pytorch,
        "bitwise_not" => binary::pytorch_not,
        "where" => select::pytorch,
        "sum" | "mean" | "amax" | "amin" | "prod" | "norm" | "logsumexp" => reduce::pytorch_reduce,
        "argmax" | "argmin" => reduce::pytorch_arg,
        "topk" => top_k::pytorch,
        "concat" | "cat" => concat::pytorch_cat,
        "split" => concat::pytorch_split,
        "narrow" => movement::pytorch_narrow,
        "index_select" => gather::pytorch,
        "expand" => movement::pytorch_expand,
        "tile" => movement::pytorch_tile,
        "permute" | "transpose" => movement::pytorch_permute,
        "flatten" | "reshape" => movement::pytorch_reshape,
        _ => return None,
    })
}

/// The errors that `check` finds in a case, and the parts of the case that it does not use.
fn complaints(case: &Case, check: Option<fn(&Case)>) -> Vec<String> {
    let Some(check) = check else { return vec![format!("case {} {}: no operator is known for it", case.id, case.op)] };
    match catch_unwind(AssertUnwindSafe(|| check(case))) {
        Ok(()) => case.neglected().iter().map(|text| format!("case {} {}: {text}", case.id, case.op)).collect(),
        Err(panic) => {
            vec![panic.downcast_ref::<String>().cloned().unwrap_or_else(|| format!("case {} panics", case.id))]
        }
    }
}

/// Checks these cases, and their number.
fn check_all(family: &str, cases: &[Case], count: usize) {
    let wrong: Vec<_> = cases.iter().flat_map(|case| complaints(case, check_of(&case.op))).collect();
    assert!(wrong.is_empty(), "{family}:\n{}", wrong.join("\n"));
    assert_eq!(cases.len(), count, "{family}");
}

macro_rules! families {
    ($($name:ident $count:literal)*) => {
        /// The families of operators.
        const FAMILIES: &[&str] = &[$(stringify!($name)),*];
        mod family {
            $(#[test]
            fn $name() {
                super::check_all(stringify!($name), &super::golden(stringify!($name)), $count);
            })*
        }
    };
}

families! {
    activation 46
    adaptive_pool2d 10
    conv1d 4
    conv2d 29
    conv_transpose2d 12
    elementwise 29
    linear 7
    norm 33
    pool2d 42
    upsample2d 34
}

fn largest(x: &Tensor) -> f64 {
    x.to_f64s().into_iter().fold(0.0, |a, v| a.max(v.abs()))
}

/// Whether a case of `functional` is several operators here, under one name in the functional layer alone.
fn is_composed(case: &Case) -> bool {
    let order = |name: &str, known: &[u64]| case.params[name].as_u64().is_some_and(|p| known.contains(&p));
    match case.op.as_str() {
        // x / max(norm, eps); the operator is x / norm.
        "normalize" => !order("p", &[1, 2]) || case.f32("eps") > 1e-6 || largest(case.tensor("x")) < 1e-6,
        "norm" => !order("p", &[1, 2]),
        "affine_grid"
        | "conv3d"
        | "conv_transpose3d"
        | "deform_conv2d"
        | "lp_pool3d"
        | "adaptive_avg_pool3d"
        | "adaptive_max_pool3d"
        | "max_pool3d"
        | "avg_pool3d"
        | "scaled_dot_product_attention" => true,
        "interpolate" => case.tensor("x").shape().len() == 5,
        // Integers take functions of two.
        "relu" | "relu6" | "clamp" | "abs" | "neg" | "floor" | "ceil" | "round" | "sign" => {
            case.tensor("x").dtype().is_integer()
        }
        "lp_pool2d" => !order("norm_type", &[1, 2, 3, 4]),
        _ => false,
    }
}

#[test]
fn functional() {
    let (composed, cases): (Vec<_>, Vec<_>) = golden("functional").into_iter().partition(is_composed);
    check_all("functional", &cases, 3131);
    assert_eq!(composed.len(), 299);
}

/// Files for other tests: networks, the grids of resampling, pixels, and boxes.
const OTHERS: [&str; 5] = ["interpolate", "network", "onnx_resize", "pixels", "vision"];

#[test]
fn every_file_has_a_test() {
    let there = |folder: String| {
        let files = std::fs::read_dir(folder).unwrap();
        let mut there: Vec<_> = files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        there.retain(|name| name.contains(".safetensors"));
        there.sort();
        there
    };
    let mut known: Vec<_> = FAMILIES.iter().chain(&OTHERS).map(|name| format!("{name}.safetensors")).collect();
    known.sort();
    assert_eq!(there(golden_folder()), known);
    assert_eq!(there(packed_folder()), Kind::ALL.map(|kind| format!("{}.safetensors.gz", kind.name())));
}

#[test]
fn a_case_left_out_is_seen() {
    let all = |family: &str, op: &str, check: Option<fn(&Case)>| {
        let cases = golden(family).into_iter().filter(|case| case.op == op);
        cases.flat_map(|case| complaints(&case, check)).collect::<Vec<_>>()
    };
    let first = |case: &Case| {
        if case.id == "000" {
            unary::pytorch(case)
        }
    };
    let of_relu = ["x was not read", "out was not read", "no kernel was compared with it"];
    assert_eq!(all("activation", "relu", Some(first)), of_relu.map(|text| format!("case 001 relu: {text}")));
    let values_alone = |case: &Case| {
        let axis = case.axis("dim", case.tensor("x").shape().len());
        let op = TopK { axis, k: case.usize("k"), smallest: !case.bool("largest") };
        check_golden(case, op, &case.input_tensors(), &[case.tensor("values").clone()]);
    };
    let of_top_k = all("functional", "topk", Some(values_alone));
    assert!(of_top_k.len() == 34 && of_top_k.iter().all(|text| text.ends_with("indices was not read")), "{of_top_k:?}");
    assert_eq!(all("activation", "prelu", None).len(), 1);
    assert!(check_of("no such operator").is_none());
}

/// A case with one number changed slightly.
fn flipped(case: &Case, role: &str) -> Case {
    let x = case.tensor(role);
    let mut values = x.as_f32().unwrap().to_vec();
    values[1] += 1e-5 * (1.0 + values[1].abs());
    case.with(role, Tensor::new(x.shape(), values).unwrap())
}

#[test]
fn a_changed_number_is_seen() {
    for (family, op, role) in
        [("conv2d", "conv2d", "out"), ("norm", "batch_norm", "new_running_var"), ("activation", "exp", "out")]
    {
        let case = golden(family).into_iter().find(|case| case.op == op).unwrap();
        assert!(complaints(&case, check_of(op)).is_empty());
        let seen = complaints(&flipped(&case, role), check_of(op));
        assert!(seen.len() == 1 && seen[0].contains("the reference against PyTorch: 1 of"), "{seen:?}");
    }
}

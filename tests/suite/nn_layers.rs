//! Single layers and functions against PyTorch, their options, and what they refuse.

use crate::nn::{assert_close, devices};
use crate::support::{Rng, device, golden};
use crate::traced::check;
use convgpu::functional::{self as f, Conv1dOptions, Conv2dOptions, Padding, PaddingMode};
use convgpu::nn::{self, Module, StateDict};
use convgpu::{Device, ErrorKind, Tensor};

#[test]
fn batch_norm_modules_against_pytorch() {
    let mut ran = 0;
    for case in golden("norm").into_iter().filter(|c| c.op == "batch_norm") {
        for device in devices() {
            let x = case.get("x").unwrap();
            let c = x.shape()[1];
            let momentum = case.params["momentum"].as_f64().map(|m| m as f32);
            macro_rules! module {
                ($layer:ident) => {{
                    let m = nn::$layer::new(c).eps(case.f32("eps")).momentum(momentum);
                    let m = m.affine(case.bool("affine")).track_running_stats(case.bool("track_running_stats"));
                    Box::new(m) as Box<dyn Module>
                }};
            }
            let mut net = if x.shape().len() == 4 { module!(BatchNorm2d) } else { module!(BatchNorm1d) };
            net.set_training(case.bool("training"));
            for (name, slot) in net.slots_mut() {
                if let Some(t) = case.get(&name) {
                    slot.set(t.clone());
                }
            }
            let x = x.to_device(&device).unwrap();
            for _ in 1..case.usize("steps") {
                net.forward_train(&x).unwrap();
            }
            let what = format!("case {} {} on {device}", case.id, case.params);
            let expected = [("out".to_owned(), case.get("out").unwrap())];
            check(|| Ok(vec![net.forward_train(&x)?]), &expected).unwrap_or_else(|e| panic!("{what}: {e}"));
            for (name, slot) in net.slots() {
                if let Some(expected) = case.get(&format!("new_{name}")) {
                    assert_close(&format!("{what} {name}"), slot.tensor(), expected, 1e-6);
                }
            }
            ran += 1;
        }
    }
    assert_eq!(ran, 22);
}

/// Cases of functions: 'same', the padding modes, conv1d, linear of any rank.
#[test]
fn functional_forms_against_pytorch() {
    let mut ran = 0;
    for device in devices() {
        for case in golden("conv2d") {
            let padding = match case.params["padding"].as_str() {
                Some("same") => Padding::Same,
                _ => case.pair("padding").into(),
            };
            let mode = match case.params["padding_mode"].as_str().unwrap() {
                "zeros" => PaddingMode::Zeros,
                "reflect" => PaddingMode::Reflect,
                "replicate" => PaddingMode::Replicate,
                "circular" => PaddingMode::Circular,
                other => panic!("{other}"),
            };
            let options = Conv2dOptions::new().stride(case.pair("stride")).padding(padding);
            let options = options.dilation(case.pair("dilation")).groups(case.usize("groups")).padding_mode(mode);
            let [x, w] = ["x", "weight"].map(|r| case.get(r).unwrap().to_device(&device).unwrap());
            let bias = case.get("bias").map(|b| b.to_device(&device).unwrap());
            let y = f::conv2d(&x, &w, bias.as_ref(), options).unwrap().to_host().unwrap();
            assert_close(&format!("conv2d {} {}", case.id, case.params), &y, case.get("out").unwrap(), 4e-6);
            ran += 1;
        }
        for case in golden("conv1d") {
            let options = Conv1dOptions::new().stride(case.usize("stride")).padding(case.usize("padding"));
            let options = options.dilation(case.usize("dilation")).groups(case.usize("groups"));
            let [x, w, b] = ["x", "weight", "bias"].map(|r| case.get(r).unwrap().to_device(&device).unwrap());
            let y = f::conv1d(&x, &w, Some(&b), options).unwrap().to_host().unwrap();
            assert_close(&format!("conv1d {}", case.id), &y, case.get("out").unwrap(), 2e-6);
            ran += 1;
        }
        for case in golden("linear") {
            let [x, w] = ["x", "weight"].map(|r| case.get(r).unwrap().to_device(&device).unwrap());
            let bias = case.get("bias").map(|b| b.to_device(&device).unwrap());
            let y = f::linear(&x, &w, bias.as_ref()).unwrap().to_host().unwrap();
            assert_close(&format!("linear {}", case.id), &y, case.get("out").unwrap(), 4e-6);
            ran += 1;
        }
    }
    assert_eq!(ran, 2 * (29 + 4 + 7));
}

#[test]
fn what_was_turned_off_can_be_turned_on() {
    let names = |m: &dyn Module| m.state_dict().iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>();
    let all = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    let norm = || nn::BatchNorm2d::new(3).affine(false).track_running_stats(false);
    assert!(names(&norm()).is_empty());
    assert_eq!(names(&norm().affine(true)), all[..2]);
    assert_eq!(names(&norm().track_running_stats(true).affine(true)), all);
    assert_eq!(norm().affine(true).track_running_stats(true).state_dict(), nn::BatchNorm2d::new(3).state_dict());
    assert!(names(&nn::InstanceNorm2d::new(3)).is_empty());
    assert_eq!(names(&nn::InstanceNorm2d::new(3).affine(true).track_running_stats(true)), all);
    assert!(names(&nn::InstanceNorm2d::new(3).affine(true).affine(false)).is_empty());
    assert_eq!(names(&nn::GroupNorm::new(1, 3).affine(false).affine(true)), all[..2]);
    let norm = || nn::LayerNorm::new([3, 4]).elementwise_affine(false);
    assert!(names(&norm()).is_empty());
    assert_eq!(norm().elementwise_affine(true).state_dict(), nn::LayerNorm::new([3, 4]).state_dict());
    assert_eq!(names(&norm().bias(false).elementwise_affine(true)), ["weight"]);
    assert_eq!(names(&norm().bias(false).elementwise_affine(true).bias(true)), all[..2]);
    assert!(names(&nn::Linear::new(2, 3).bias(false).bias(true)).contains(&"bias".to_owned()));
}

/// A layer norm without a shift still scales.
#[test]
fn a_layer_norm_without_a_bias() {
    let x = Rng(8).tensor(&[2, 6]).to_device(device()).unwrap();
    let mut norm = nn::LayerNorm::new([6]).bias(false);
    let weight = Tensor::full([6], 2.0);
    norm.load_state_dict(&[("weight", weight)].into_iter().collect()).unwrap();
    let y = norm.forward(&x).unwrap().to_host().unwrap();
    let plain = nn::LayerNorm::new([6]).forward(&x).unwrap().to_host().unwrap();
    let doubled: Vec<f32> = plain.as_f32().unwrap().iter().map(|v| 2.0 * v).collect();
    assert_close("scaled", &y, &Tensor::new([2, 6], doubled).unwrap(), 1e-6);
}

/// Instance norm with running statistics, compared with batch norm of each image: an update is the mean over the images' updates.
#[test]
fn instance_norm_keeps_statistics() {
    let mut rng = Rng(6);
    let images = [rng.tensor(&[1, 3, 4, 5]), rng.tensor(&[1, 3, 4, 5])];
    for device in devices() {
        let affine: StateDict =
            [("weight", Tensor::full([3], 2.0)), ("bias", Tensor::full([3], 0.5))].into_iter().collect();
        let mut steps = vec![];
        let mut outputs = vec![];
        for image in &images {
            let mut norm = nn::BatchNorm2d::new(3).momentum(0.25);
            norm.load_state_dict_partial(&affine).unwrap();
            outputs.push(norm.forward_train(&image.to_device(&device).unwrap()).unwrap().to_host().unwrap());
            steps.push(norm.state_dict());
        }
        let mean = |name: &str| {
            let [a, b] = [0, 1].map(|k: usize| steps[k].get(name).unwrap().to_f64s());
            Tensor::new([3], a.iter().zip(&b).map(|(a, b)| ((a + b) / 2.0) as f32).collect::<Vec<_>>()).unwrap()
        };
        let joined = |parts: &[Tensor]| {
            let values = parts.iter().flat_map(|t| t.as_f32().unwrap().to_vec()).collect::<Vec<_>>();
            Tensor::new([2, 3, 4, 5], values).unwrap()
        };
        let mut norm = nn::InstanceNorm2d::new(3).momentum(0.25).affine(true).track_running_stats(true);
        norm.load_state_dict_partial(&affine).unwrap();
        let x = joined(&images).to_device(&device).unwrap();
        assert_eq!(norm.forward(&x).unwrap_err().kind(), ErrorKind::Argument);
        let y = norm.forward_train(&x).unwrap().to_host().unwrap();
        assert_close("training", &y, &joined(&outputs), 2e-6);
        let state = norm.state_dict();
        for name in ["running_mean", "running_var"] {
            assert_close(name, state.get(name).unwrap(), &mean(name), 2e-6);
        }
        assert_eq!(state.get("num_batches_tracked").unwrap().to_i64s().unwrap(), [0]);
        norm.eval();
        let mut batch = nn::BatchNorm2d::new(3);
        batch.load_state_dict(&state).unwrap();
        batch.eval();
        assert_eq!(
            norm.forward(&x).unwrap().to_host().unwrap(),
            batch.forward(&x).unwrap().to_host().unwrap(),
            "evaluation is batch norm"
        );
    }
}

#[test]
fn sums_of_nothing_are_zero_or_the_bias() {
    for device in devices() {
        let on = |t: Tensor| t.to_device(&device).unwrap();
        let (x, w, b) = (on(Tensor::zeros([2, 0])), on(Tensor::zeros([3, 0])), on(Tensor::full([3], 0.5f32)));
        let y = f::linear(&x, &w, Some(&b)).unwrap().to_host().unwrap();
        assert_eq!(y, Tensor::full([2, 3], 0.5f32), "{device}");
        let (x, w) = (on(Tensor::zeros([1, 0, 4, 5])), on(Tensor::zeros([4, 0, 3, 3])));
        let options = f::Conv2dOptions::new().padding(1).padding_mode(f::PaddingMode::Reflect);
        let y = f::conv2d(&x, &w, None, options).unwrap().to_host().unwrap();
        assert_eq!(y, Tensor::zeros([1, 4, 4, 5]), "{device}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_not_another_number() {
    let on = |t: Tensor| t.to_device(&Device::cpu()).unwrap();
    let (x, w) = (on(Tensor::zeros([1, 1, 5, 5])), on(Tensor::zeros([1, 1, 3, 3])));
    let options = f::Conv2dOptions::new().padding(usize::MAX).padding_mode(f::PaddingMode::Replicate);
    assert_eq!(f::conv2d(&x, &w, None, options).unwrap_err().kind(), ErrorKind::Argument);
    let options = f::Conv2dOptions::new().padding(f::Padding::Same).dilation(usize::MAX);
    assert!(f::conv2d(&x, &w, None, options).is_err());
    assert!(on(Tensor::zeros([0])).reshape([1usize << 32, 1 << 32]).is_err());
    assert!(nn::Dropout::new(2.0).forward(&x).is_err() && nn::Dropout::new(f32::NAN).forward(&x).is_err());
}

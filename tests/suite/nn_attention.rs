//! MultiheadAttention beyond the cases of PyTorch: names, what is drawn, weights replaced, and what is refused.

use convgpu::nn::{AttentionInputs, LayerNorm, Module, MultiheadAttention, Sequential, manual_seed};
use convgpu::{DeviceTensor, ErrorKind, Tensor};

use crate::nn::{assert_close, devices};
use crate::support::Rng;

fn names(layer: &MultiheadAttention) -> Vec<String> {
    layer.slots().into_iter().map(|(name, slot)| format!("{name} {:?}", slot.tensor().shape())).collect()
}

/// PyTorch's names, in PyTorch's order; options in any order draw the same parameters.
#[test]
fn names_and_shapes() {
    let packed = ["in_proj_weight [12, 4]", "in_proj_bias [12]", "out_proj.weight [4, 4]", "out_proj.bias [4]"];
    assert_eq!(names(&MultiheadAttention::new(4, 2)), packed);
    let apart = MultiheadAttention::new(4, 2).vdim(3).kdim(5).bias(false).add_bias_kv(true);
    let named = ["q_proj_weight [4, 4]", "k_proj_weight [4, 5]", "v_proj_weight [4, 3]"];
    let more = ["bias_k [1, 1, 4]", "bias_v [1, 1, 4]", "out_proj.weight [4, 4]"];
    assert_eq!(names(&apart), [named, more].concat());
    manual_seed(5);
    let a = MultiheadAttention::new(4, 2).vdim(3).add_bias_kv(true);
    manual_seed(5);
    let b = MultiheadAttention::new(4, 2).add_bias_kv(true).vdim(3);
    assert_eq!(a.state_dict(), b.state_dict());
    // Children have its names.
    let net = Sequential::new().named("norm", LayerNorm::new([4])).named("attn", MultiheadAttention::new(4, 2));
    assert_eq!(net.get_parameter("attn.out_proj.weight").unwrap().shape(), [4, 4]);
}

/// The weights of the maps are uniform within Xavier's bound, the learned key and value normal, the biases 0.
#[test]
fn parameters_are_drawn_as_pytorch_draws_them() {
    manual_seed(1);
    let layer = MultiheadAttention::new(96, 4).add_bias_kv(true);
    let values = |name: &str| layer.get_parameter(name).unwrap().as_f32().unwrap().to_vec();
    let largest = |name: &str| values(name).into_iter().fold(0.0, |m: f32, v| m.max(v.abs()));
    let bound = (6.0f32 / (4.0 * 96.0)).sqrt();
    assert!(largest("in_proj_weight") <= bound && largest("in_proj_weight") > 0.99 * bound);
    let bound = 1.0 / 96f32.sqrt();
    assert!(largest("out_proj.weight") <= bound && largest("out_proj.weight") > 0.99 * bound);
    assert_eq!(largest("in_proj_bias") + largest("out_proj.bias"), 0.0);
    let normal = [values("bias_k"), values("bias_v")].concat();
    let (n, sum): (f32, f32) = (normal.len() as f32, normal.iter().sum());
    let variance = normal.iter().map(|v| v * v).sum::<f32>() / n;
    assert!((variance * 96.0 - 1.0).abs() < 0.35 && (sum / n * 96f32.sqrt()).abs() < 0.25, "{variance} {sum}");
    // Beyond what a uniform variable of this deviation reaches.
    assert!(normal.iter().any(|v| v.abs() > 1.9 / 96f32.sqrt()));
    assert_ne!(values("bias_k"), values("bias_v"));
}

fn random(shape: &[usize], seed: u64, device: &convgpu::Device) -> DeviceTensor {
    Rng(seed).tensor(shape).to_device(device).unwrap()
}

/// Every parameter that is replaced counts, whether the maps are one product or three.
#[test]
fn replaced_parameters_count() {
    for device in devices() {
        let mut layer = MultiheadAttention::new(4, 2).add_bias_kv(true).batch_first(true);
        let (x, other) = (random(&[2, 3, 4], 1, &device), random(&[2, 5, 4], 2, &device));
        for alone in [true, false] {
            let run = |layer: &MultiheadAttention| {
                let key = if alone { &x } else { &other };
                layer.forward_with(AttentionInputs::new(&x, key, key)).unwrap().0.to_host().unwrap()
            };
            for (k, (name, shape)) in
                (3..).zip([("in_proj_weight", vec![12, 4]), ("in_proj_bias", vec![12]), ("bias_v", vec![1, 1, 4])])
            {
                let before = run(&layer);
                layer.set_parameter(name, Rng(k + u64::from(alone) * 9).tensor(&shape)).unwrap();
                assert_ne!(run(&layer), before, "{name}");
            }
        }
    }
}

/// The same key and value as two tensors of equal elements, through three products, give what one product gives.
#[test]
fn one_product_or_three() {
    for device in devices() {
        let layer = MultiheadAttention::new(6, 3);
        let (x, same) = (random(&[4, 2, 6], 1, &device), random(&[4, 2, 6], 1, &device));
        let run = |key: &DeviceTensor| {
            let (y, weights) = layer.forward_with(AttentionInputs::new(&x, key, key)).unwrap();
            (y.to_host().unwrap(), weights.unwrap().to_host().unwrap())
        };
        let (one, three) = (run(&x), run(&same));
        assert_close("the result", &one.0, &three.0, 1e-6);
        assert_close("the weights", &one.1, &three.1, 1e-6);
        assert_close("as a module", &layer.forward(&x).unwrap().to_host().unwrap(), &one.0, 1e-6);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let [cpu, _] = devices();
    let zeros = |shape: &[usize]| Tensor::zeros(shape).to_device(&cpu).unwrap();
    let layer = || MultiheadAttention::new(4, 2);
    let run = |layer: MultiheadAttention, shapes: [&[usize]; 3]| {
        let [q, k, v] = shapes.map(zeros);
        layer.forward_with(AttentionInputs::new(&q, &k, &v)).unwrap_err()
    };
    let masked = |padding: Option<&[usize]>, mask: Option<&[usize]>| {
        let (q, k) = (zeros(&[3, 2, 4]), zeros(&[5, 2, 4]));
        let (padding, mask) = (padding.map(zeros), mask.map(zeros));
        let inputs = AttentionInputs::new(&q, &k, &k).key_padding_mask(padding.as_ref()).attn_mask(mask.as_ref());
        layer().forward_with(inputs).unwrap_err()
    };
    let given = "attention over 4, 4 and 4 numbers is given a query";
    for (e, text) in [
        (run(layer(), [&[3, 2, 5], &[3, 2, 4], &[3, 2, 4]]), given),
        (run(layer(), [&[3, 2, 4], &[3, 2, 4], &[3, 2, 5]]), given),
        (run(layer(), [&[3, 2, 4], &[3, 1, 4], &[3, 1, 4]]), given),
        (run(layer(), [&[3, 2, 4], &[5, 2, 4], &[6, 2, 4]]), given),
        (run(layer(), [&[2, 4], &[5, 2, 4], &[5, 2, 4]]), given),
        (run(layer(), [&[4], &[4], &[4]]), given),
        (run(layer().batch_first(true), [&[3, 2, 4], &[2, 5, 4], &[2, 5, 4]]), given),
        (masked(Some(&[5]), None), "attention with a mask [5]: it must be [2, 5]"),
        (masked(Some(&[5, 2]), None), "it must be [2, 5]"),
        (masked(None, Some(&[5, 3])), "it must be [3, 5] or [4, 3, 5]"),
        (masked(None, Some(&[2, 3, 5])), "it must be [3, 5] or [4, 3, 5]"),
    ] {
        assert!(e.kind() == ErrorKind::Shape && e.to_string().contains(text), "{e}");
    }
    for heads in [0, 3] {
        let e = run(MultiheadAttention::new(4, heads), [&[3, 2, 4], &[3, 2, 4], &[3, 2, 4]]);
        assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("they must divide them"), "{e}");
    }
    // Training would drop weights.
    let mut dropping = layer().dropout(0.5);
    let e = dropping.forward(&zeros(&[3, 2, 4])).unwrap_err();
    assert!(e.to_string().contains("drops elements out"), "{e}");
    dropping.eval();
    dropping.forward(&zeros(&[3, 2, 4])).unwrap();
    // Its name is in the error.
    let net = Sequential::new().named("attn", layer());
    let e = net.forward(&zeros(&[3, 2, 5])).unwrap_err();
    assert!(e.to_string().starts_with("attn: "), "{e}");
}

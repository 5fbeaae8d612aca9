//! Compares the zoo with torchvision: state keys, logits for reproducible weights (`tests/zoo/make.py`), fusion.

use crate::support::{Rng, device};
use convgpu::internals::model::safetensors;
use convgpu::internals::session::{Compiled, latest};
use convgpu::nn::zoo::{self, ARCHITECTURES};
use convgpu::nn::{Module, Sequential};
use convgpu::{CompileOptions, DType, Desc, Device, Result, Tensor};

const CLASSES: usize = 7;
const INPUT: [usize; 4] = [2, 3, 67, 50];
const INPUT_ENTRY: u64 = 1000;

/// Entry `entry` of `tests/zoo/make.py`, scaled and shifted.
fn hashed(entry: u64, shape: &[usize], scale: f32, shift: f32) -> Tensor {
    let element = |i: u64| Rng(entry << 32 | i).float() * scale + shift;
    Tensor::new(shape, (0..shape.iter().product::<usize>() as u64).map(element).collect::<Vec<_>>()).unwrap()
}

/// The weights of `tests/zoo/make.py`.
fn set_weights(net: &mut Sequential) {
    for (entry, (name, slot)) in net.slots_mut().into_iter().enumerate() {
        let desc = slot.tensor().desc();
        let (scale, shift) = match &desc.shape[..] {
            _ if desc.dtype == DType::I64 => continue,
            [_, fan_in @ ..] if !fan_in.is_empty() => {
                ((6.0 / fan_in.iter().product::<usize>() as f64).sqrt() as f32, 0.0)
            }
            _ if name.ends_with("running_var") || name.ends_with("weight") => (0.5, 1.0),
            _ => (0.25, 0.0),
        };
        slot.set(hashed(entry as u64, &desc.shape, scale, shift));
    }
}

fn compile(net: &Sequential, device: &Device) -> Result<Compiled> {
    Compiled::new(device, net.graph(Desc::f32(INPUT))?, &CompileOptions::default())
}

fn run(net: &Sequential, device: &Device) -> Result<Tensor> {
    let x = hashed(INPUT_ENTRY, &INPUT, 1.0, 0.0);
    Ok(compile(net, device)?.run(&[("x", &x)])?.first().clone())
}

fn expected(name: &str) -> Tensor {
    let all = safetensors::from_bytes(include_bytes!("../zoo/logits.safetensors")).unwrap();
    all.into_iter().find(|(n, _)| n == name).unwrap().1
}

#[test]
fn state_keys_are_torchvisions() {
    for (name, make) in ARCHITECTURES {
        let path = format!("{}/tests/zoo/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let wanted = std::fs::read_to_string(path).unwrap();
        let net = make(1000);
        let found: Vec<_> = net.slots().iter().map(|(n, s)| format!("{n} {}", s.tensor().desc())).collect();
        assert_eq!(found, wanted.lines().collect::<Vec<_>>(), "{name}");
    }
}

/// torchvision's documented parameter counts.
#[test]
fn parameters_are_as_many_as_torchvisions() {
    assert_eq!(zoo::resnet18(1000).num_parameters(), 11_689_512);
    assert_eq!(zoo::resnet34(1000).num_parameters(), 21_797_672);
    assert_eq!(zoo::resnet50(1000).num_parameters(), 25_557_032);
    assert_eq!(zoo::mobilenet_v2(1000).num_parameters(), 3_504_872);
    assert_eq!(zoo::vgg11_bn(1000).num_parameters(), 132_868_840);
    assert_eq!(zoo::squeezenet1_1(1000).num_parameters(), 1_235_496);
}

/// An architecture with the weights of `tests/zoo/make.py`, in evaluation mode.
fn weighted(name: &str) -> Sequential {
    let (_, make) = ARCHITECTURES.iter().find(|(n, _)| *n == name).unwrap();
    let mut net = make(CLASSES);
    set_weights(&mut net);
    net.eval();
    net
}

fn agrees(name: &str) {
    let net = weighted(name);
    for device in [&Device::cpu(), device()] {
        let checked = crate::close::check(&run(&net, device).unwrap(), &expected(name));
        checked.unwrap_or_else(|e| panic!("{name} on {device}: {e}"));
    }
}

#[test]
fn resnet18_agrees() {
    agrees("resnet18");
}

#[test]
fn resnet34_agrees() {
    agrees("resnet34");
}

#[test]
fn resnet50_agrees() {
    agrees("resnet50");
}

#[test]
fn mobilenet_v2_agrees() {
    agrees("mobilenet_v2");
}

#[test]
fn squeezenet1_1_agrees() {
    agrees("squeezenet1_1");
}

/// One weight has 411 MB: it is split if it exceeds the device's largest binding.
#[test]
fn vgg11_bn_agrees() {
    agrees("vgg11_bn");
}

/// Negative control: a change of one element of any relevant tensor is visible in the logits.
#[test]
fn one_wrong_weight_shows() {
    for (name, entry) in [
        ("resnet18", "layer1.0.bn1.running_var"),
        ("resnet18", "layer4.0.downsample.0.weight"),
        ("mobilenet_v2", "features.18.1.running_mean"),
        ("squeezenet1_1", "features.3.expand3x3.bias"),
    ] {
        let mut net = weighted(name);
        let slot = net.slots_mut().into_iter().find(|(n, _)| n == entry).unwrap().1;
        let mut values = slot.tensor().as_f32().unwrap().to_vec();
        values[0] += 1.0;
        let wrong = Tensor::new(slot.tensor().shape(), values).unwrap();
        slot.set(wrong);
        assert!(crate::close::check(&run(&net, &Device::cpu()).unwrap(), &expected(name)).is_err(), "{name} {entry}");
    }
}

/// Every batch norm, activation and sum is fused.
#[test]
fn everything_fuses_into_the_convolutions() {
    for (name, make) in ARCHITECTURES {
        let mut net = make(CLASSES);
        net.eval();
        let compiled = compile(&net, &Device::cpu()).unwrap();
        for op in ["batch_norm", "unary", "binary"] {
            let alone: Vec<_> =
                compiled.graph().nodes().iter().filter(|n| n.op.name() == op).map(|n| &n.name).collect();
            assert!(alone.is_empty(), "{name} {op}: {alone:?}");
        }
    }
}

/// One launch per convolution (20), pooling (2) and linear layer, or more where hardware splits a convolution; one to convert
/// the input's layout and one to reshape the result.
#[test]
fn the_plan_of_resnet18_is_short() {
    let mut net = zoo::resnet18(CLASSES);
    net.eval();
    let session = net.compile(device(), Desc::f32([1, 3, 64, 48]), CompileOptions::new()).unwrap();
    let compiled = latest(&session).unwrap();
    let plan = compiled.plan().unwrap();
    let convolutions = plan.nodes.iter().filter(|n| n.op.starts_with("conv2d")).count();
    assert_eq!(convolutions, 21, "{plan}");
    let more: usize = plan.nodes.iter().map(|n| n.kernels.matches(" + ").count()).sum();
    assert!(plan.dispatches() <= 25 + more, "{plan}");
    let fired = |rule| compiled.rewrites().iter().filter(|f| f.rule == rule && f.declined.is_none()).count();
    assert_eq!(fired("batch norm into the convolution before it"), 20);
    assert_eq!(fired("residual into epilogue"), 8);
    assert_eq!(fired("activation into epilogue"), 17);
}

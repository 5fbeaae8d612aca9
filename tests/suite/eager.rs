//! What functions and modules that run at once keep on a device, and what not.

use std::sync::{Arc, PoisonError, RwLock};

use convgpu::functional::{self as f, Conv2dOptions};
use convgpu::nn::{BatchNorm2d, Conv2d, Module, ReLU, Sequential, Slot};
use convgpu::{Device, DeviceTensor, Tensor, wgpu};

use crate::shared::shared_device;
use crate::support::Rng;

/// `clear_cache` is for the whole process: tests that count what is kept read this, the test of `clear_cache` writes it.
static KEPT: RwLock<()> = RwLock::new(());

/// Channels: 2.25 MiB of weights per layer.
const CHANNELS: usize = 256;
const WEIGHTS: u64 = (CHANNELS * CHANNELS * 9 * 4) as u64;

fn bytes(device: &wgpu::Device) -> u64 {
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let report = device.generate_allocator_report().expect("this backend counts");
    report.allocations.iter().map(|a| a.size).sum()
}

fn net() -> Sequential {
    let conv = || Conv2d::new(CHANNELS, CHANNELS, 3).padding(1);
    let mut net = Sequential::new()
        .with(conv())
        .with(BatchNorm2d::new(CHANNELS))
        .with(ReLU)
        .with(conv())
        .with(BatchNorm2d::new(CHANNELS));
    net.eval();
    net
}

fn image(device: &Device) -> DeviceTensor {
    Rng(1).tensor(&[1, CHANNELS, 4, 4]).to_device(device).unwrap()
}

fn set_bias(net: &mut Sequential, value: f32) {
    let mut slots = net.slots_mut();
    let (_, slot): &mut (String, &mut Slot) = slots.iter_mut().find(|(name, _)| name == "0.bias").unwrap();
    slot.set(Tensor::full([CHANNELS], value));
}

fn close(a: &DeviceTensor, b: &DeviceTensor) -> bool {
    let values = |t: &DeviceTensor| t.to_host().unwrap().to_f64s();
    values(a).iter().zip(values(b)).all(|(a, b)| (a - b).abs() < 1e-3)
}

/// A changed parameter takes the place of the old one, also in weights into which batch norm is folded.
#[test]
fn changed_parameters_leave_nothing_behind() {
    let _counted = KEPT.read().unwrap_or_else(PoisonError::into_inner);
    let (own, _, device) = shared_device();
    let (x, mut net) = (image(&device), net());
    net.forward(&x).unwrap();
    let before = bytes(&own);
    assert!(before > 2 * WEIGHTS);
    for k in 0..10 {
        set_bias(&mut net, k as f32);
        let y = net.forward(&x).unwrap();
        let on_host = net.forward(&image(&Device::cpu())).unwrap();
        assert!(close(&y, &on_host), "change {k}");
        assert!(close(&net.forward(&x).unwrap(), &y));
    }
    assert!(bytes(&own) < before + WEIGHTS / 2, "{} bytes, {before} before", bytes(&own));
    // Two modules of one structure do not displace each other.
    let other = self::net();
    let (a, b) = (net.forward(&x).unwrap(), other.forward(&x).unwrap());
    assert!(!close(&a, &b));
    let both = bytes(&own);
    assert!(both > before + WEIGHTS);
    for _ in 0..3 {
        assert!(close(&net.forward(&x).unwrap(), &a) && close(&other.forward(&x).unwrap(), &b));
    }
    assert!(bytes(&own) < both + WEIGHTS / 2);
    // What is dropped takes its weights along.
    drop(other);
    assert!(bytes(&own) < before + WEIGHTS / 2);
    assert!(close(&net.forward(&x).unwrap(), &a));
    drop(net);
    assert!(bytes(&own) < WEIGHTS, "{} bytes", bytes(&own));
}

/// Weights that come again are packed once, and are gone with their tensor.
#[test]
fn tensors_that_are_given_again_are_parameters() {
    let _counted = KEPT.read().unwrap_or_else(PoisonError::into_inner);
    let (own, _, device) = shared_device();
    let x = image(&device);
    let weight = |seed: u64| Rng(seed).tensor(&[CHANNELS, CHANNELS, 3, 3]);
    let conv = |w: &DeviceTensor, x: &DeviceTensor| f::conv2d(x, w, None, Conv2dOptions::new().padding(1)).unwrap();
    let expected: Vec<_> =
        (0..3).map(|k| conv(&weight(k).to_device(&Device::cpu()).unwrap(), &image(&Device::cpu()))).collect();
    let weights: Vec<_> = (0..3).map(|k| weight(k).to_device(&device).unwrap()).collect();
    assert!(close(&conv(&weights[0], &x), &expected[0]));
    let before = bytes(&own);
    for _ in 0..4 {
        for (w, expected) in weights.iter().zip(&expected) {
            assert!(close(&conv(w, &x), expected));
        }
    }
    let packed = bytes(&own);
    assert!(packed >= before + 3 * WEIGHTS, "{before} and {packed} bytes");
    // For another size they are shared; the first call still has the weights and their packed form among its activations.
    for _ in 0..3 {
        conv(&weights[0], &Rng(2).tensor(&[1, CHANNELS, 5, 4]).to_device(&device).unwrap());
    }
    assert!(bytes(&own) < packed + 2 * WEIGHTS + WEIGHTS / 2, "{packed} and {} bytes", bytes(&own));
    // A new tensor in the same buffer of the pool is not taken for the old one.
    drop(weights);
    let again = weight(1).to_device(&device).unwrap();
    for _ in 0..3 {
        assert!(close(&conv(&again, &x), &expected[1]));
    }
}

#[test]
fn what_is_kept_can_be_cleared() {
    let _alone = KEPT.write().unwrap_or_else(PoisonError::into_inner);
    let (own, _, device) = shared_device();
    let (x, net) = (image(&device), net());
    let y = net.forward(&x).unwrap();
    assert!(bytes(&own) > 2 * WEIGHTS);
    f::clear_cache();
    assert!(bytes(&own) < WEIGHTS, "{} bytes", bytes(&own));
    assert!(close(&net.forward(&x).unwrap(), &y));
}

/// The program's last handle takes along what was kept for the device.
#[test]
fn nothing_keeps_a_device() {
    let _counted = KEPT.read().unwrap_or_else(PoisonError::into_inner);
    let (own, _, device) = shared_device();
    let (x, net) = (image(&device), net());
    net.forward(&x).unwrap();
    let y = f::relu(&x).unwrap();
    assert!(y.device().same(&device));
    drop((device, x));
    assert!(close(&net.forward(&y).unwrap(), &net.forward(&f::relu(&image(&Device::cpu())).unwrap()).unwrap()));
    drop(y);
    assert!(bytes(&own) < WEIGHTS, "{} bytes", bytes(&own));
    let module = Arc::new(net);
    assert_eq!(Arc::strong_count(&module), 1);
}

//! State dicts, and the numbers that layers begin with.

use crate::nn::unit;
use crate::support::{Rng, device};
use convgpu::functional::Conv2dOptions;
use convgpu::nn::{self, Module, StateDict};
use convgpu::{ErrorKind, Tensor};

#[test]
fn a_state_that_does_not_fit_is_listed_whole() {
    let mut net = unit();
    let before = net.state_dict();
    let mut state = before.clone();
    state.remove("0.weight").unwrap();
    state.insert("0.bias", Tensor::zeros([3]));
    state.insert("7.weight", Tensor::zeros([1]));
    let e = net.load_state_dict(&state).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    let text = e.to_string();
    for part in
        ["1 missing (0.weight f32", "1 misshaped (0.bias is f32[3], must be f32[16])", "1 unexpected (7.weight "]
    {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(net.state_dict(), before, "nothing is changed");
}

#[test]
fn part_of_a_state_loads_and_the_rest_is_named() {
    let (mut net, other) = (unit(), unit());
    let before = net.state_dict();
    let mut state = other.state_dict();
    assert_ne!(before.get("0.weight"), state.get("0.weight"));
    state.remove("0.bias").unwrap();
    state.insert("fc.weight", Tensor::zeros([1]));
    let names = net.load_state_dict_partial(&state).unwrap();
    assert_eq!((names.missing, names.unexpected), (vec!["0.bias".to_owned()], vec!["fc.weight".to_owned()]));
    let after = net.state_dict();
    assert_eq!(after.get("0.weight"), state.get("0.weight"));
    assert_eq!(after.get("0.bias"), before.get("0.bias"));
    // A wrong shape is an error in any case, as in PyTorch.
    state.insert("0.weight", Tensor::zeros([3]));
    assert_eq!(net.load_state_dict_partial(&state).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(net.state_dict(), after);
}

#[test]
fn state_survives_a_file() {
    let net = unit();
    let path = std::env::temp_dir().join(format!("convgpu-state-{}.safetensors", std::process::id()));
    net.save(&path).unwrap();
    let mut other = unit();
    other.load(&path).unwrap();
    let read = StateDict::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(other.state_dict(), net.state_dict());
    assert_eq!(other.state_dict().get("1.num_batches_tracked").unwrap().dtype(), convgpu::DType::I64);
    assert_eq!((read.len(), read.get("0.weight")), (net.state_dict().len(), net.state_dict().get("0.weight")));
    let e = other.load(&path).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::File);
    assert!(e.to_string().contains("convgpu-state-"), "{e}");
}

/// A state dict keeps its order, and every name occurs once.
#[test]
fn a_state_dict_is_an_ordered_map() {
    let named = |name: &str, v: f32| (name.to_owned(), Tensor::scalar(v));
    let mut state: StateDict = [named("b", 1.0), named("a", 2.0), named("b", 3.0)].into_iter().collect();
    state.insert("c", Tensor::scalar(4.0));
    state.insert("a", Tensor::scalar(5.0));
    let entries: Vec<_> = state.iter().map(|(name, t)| (name, t.to_f64s()[0])).collect();
    assert_eq!(entries, [("b", 3.0), ("a", 5.0), ("c", 4.0)]);
    assert_eq!(state.remove("a"), Some(Tensor::scalar(5.0)));
    assert_eq!((state.len(), state.get("a")), (2, None));
}

/// The state of a layer made after this seed, and the weight of a layer made after it.
fn made<M: Module>(make: impl FnOnce() -> M) -> [StateDict; 2] {
    nn::manual_seed(5);
    let layer = make();
    [layer.state_dict(), nn::Linear::new(3, 4).state_dict()]
}

/// The order of a layer's options, and options that are reverted, change neither its random numbers nor those of later layers.
#[test]
fn the_order_of_options_changes_no_number() {
    let conv = || nn::Conv2d::new(4, 6, [3, 2]);
    let wanted = made(|| conv().groups(2).bias(false));
    assert_eq!(wanted[0].iter().map(|(n, t)| (n, t.shape())).collect::<Vec<_>>(), [("weight", &[6, 2, 3, 2][..])]);
    assert_eq!(made(|| conv().bias(false).groups(2)), wanted);
    assert_eq!(made(|| conv().bias(false).groups(4).stride(2).groups(2)), wanted);
    assert_eq!(made(|| conv().bias(false).options(Conv2dOptions::new().groups(2))), wanted);
    let with_bias = made(|| conv().groups(2));
    assert_eq!(with_bias[0].get("weight"), wanted[0].get("weight"));
    assert_eq!(with_bias[1], wanted[1], "a bias changes the numbers of no other layer");
    assert_eq!(made(|| conv().bias(false).groups(2).bias(true)), with_bias);
    assert_eq!(made(|| conv().groups(4).bias(false).bias(true).groups(2)), with_bias);
    assert_eq!(made(conv)[1], wanted[1], "groups change the numbers of no other layer");

    let conv = || nn::Conv1d::new(4, 6, 3);
    assert_eq!(made(|| conv().groups(2).bias(false).bias(true)), made(|| conv().bias(true).groups(2)));
    let conv = || nn::ConvTranspose2d::new(4, 6, 3);
    assert_eq!(made(|| conv().groups(2).bias(false).bias(true)), made(|| conv().bias(true).groups(2)));
    let linear = || nn::Linear::new(4, 6);
    assert_eq!(made(|| linear().bias(false).bias(true)), made(linear));
    assert_eq!(made(|| linear().bias(false))[1], made(linear)[1]);
}

/// Weight and bias are independent draws, and two layers of one shape differ.
#[test]
fn parameters_have_streams_of_their_own() {
    nn::manual_seed(3);
    let layers = [nn::Linear::new(1, 8), nn::Linear::new(1, 8)];
    let values = |l: &nn::Linear| l.state_dict().into_iter().map(|(_, t)| t.to_f64s()).collect::<Vec<_>>();
    let all: Vec<_> = layers.iter().flat_map(values).collect();
    for (k, a) in all.iter().enumerate() {
        assert!(all[..k].iter().all(|b| a != b), "{all:?}");
        assert!(a.iter().all(|v| v.abs() <= 1.0) && a.iter().any(|v| v.abs() > 0.5));
    }
}

/// An option that does not change the shape of the weights keeps loaded weights; one that changes it draws them again.
#[test]
fn loaded_weights_survive_options() {
    let mut conv = nn::Conv2d::new(2, 2, 1);
    let zeros: StateDict = conv.state_dict().into_iter().map(|(n, t)| (n, Tensor::zeros(t.shape()))).collect();
    conv.load_state_dict(&zeros).unwrap();
    let conv = conv.stride(2).padding(1).bias(true);
    assert_eq!(conv.state_dict(), zeros);
    assert_ne!(conv.groups(2).state_dict().get("weight").unwrap().to_f64s(), [0.0, 0.0]);
}

/// A graph compiled for one state must not be used for another.
#[test]
fn forward_follows_the_state() {
    let mut net = nn::Linear::new(3, 2);
    let x = Rng(5).tensor(&[4, 3]).to_device(device()).unwrap();
    let first = net.forward(&x).unwrap().to_host().unwrap();
    let zeros: StateDict = net.state_dict().into_iter().map(|(n, t)| (n, Tensor::zeros(t.shape()))).collect();
    net.load_state_dict(&zeros).unwrap();
    let second = net.forward(&x).unwrap().to_host().unwrap();
    assert_ne!(first, second);
    assert_eq!(second, Tensor::zeros([4, 2]));
}

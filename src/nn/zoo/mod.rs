//! Known architectures with torchvision's structure and `state_dict` keys, so that its weights load unchanged.
//!
//! | function | file | paper | parameters of 1000 classes | multiply-adds at 224x224 |
//! |---|---|---|---|---|
//! | [`resnet18`] | `resnet.rs` | <https://arxiv.org/abs/1512.03385> | 11 689 512 | 1.8 G |
//! | [`resnet34`] | `resnet.rs` | the same | 21 797 672 | 3.7 G |
//! | [`resnet50`] | `resnet.rs` | the same, stride in the 3x3 convolution (v1.5) | 25 557 032 | 4.1 G |
//! | [`mobilenet_v2`] | `mobilenet_v2.rs` | <https://arxiv.org/abs/1801.04381> | 3 504 872 | 0.3 G |
//! | [`vgg11_bn`] | `vgg.rs` | <https://arxiv.org/abs/1409.1556>, batch norm added | 132 868 840 | 7.6 G |
//! | [`squeezenet1_1`] | `squeezenet.rs` | <https://arxiv.org/abs/1602.07360>, release 1.1 | 1 235 496 | 0.3 G |
//!
//! Each takes `[n, 3, h, w]` and gives logits `[n, num_classes]`; h and w may have any value for which every layer has
//! an output. A new network has its layers' own initialisation (seeded by [`manual_seed`](super::manual_seed)), not
//! torchvision's, and is in training mode: load weights, then call `eval()`.
//!
//! Torchvision's weights for 1000 classes can be used with another number of classes: the classifier is then not
//! loaded. [`graph_with_outputs`](super::Module::graph_with_outputs) gives the results of layers inside the network.
//!
//! ```
//! use convgpu::nn::{Module, zoo};
//! use convgpu::{CompileOptions, Desc, Device, Session, Tensor};
//!
//! // Instead of StateDict::read("squeezenet1_1.safetensors")?
//! let mut weights = zoo::squeezenet1_1(1000).state_dict();
//! weights.remove("classifier.1.weight");
//! weights.remove("classifier.1.bias");
//!
//! let mut net = zoo::squeezenet1_1(10);
//! let names = net.load_state_dict_partial(&weights)?;
//! assert_eq!(names.missing, ["classifier.1.weight", "classifier.1.bias"]);
//! net.eval();
//!
//! let x = Desc::f32([1, 3, 48, 40]);
//! let graph = net.graph_with_outputs(x.clone(), &["features.5", "out"])?;
//! let session = Session::new(&Device::cpu(), graph, CompileOptions::new())?;
//! let outputs = session.run(&[("x", &Tensor::full(x.shape, 0.5))])?;
//! assert_eq!(outputs["features.5"].shape(), [1, 128, 5, 4]);
//! assert_eq!(outputs["out"].shape(), [1, 10]);
//! # Ok::<(), convgpu::Error>(())
//! ```

mod mobilenet_v2;
mod resnet;
mod squeezenet;
mod vgg;

use super::Sequential;

pub use mobilenet_v2::mobilenet_v2;
pub use resnet::{resnet18, resnet34, resnet50};
pub use squeezenet::squeezenet1_1;
pub use vgg::vgg11_bn;

/// Makes an architecture with this many classes.
pub type Make = fn(num_classes: usize) -> Sequential;

/// Every architecture by torchvision's name.
pub const ARCHITECTURES: &[(&str, Make)] = &[
    ("resnet18", resnet18),
    ("resnet34", resnet34),
    ("resnet50", resnet50),
    ("mobilenet_v2", mobilenet_v2),
    ("vgg11_bn", vgg11_bn),
    ("squeezenet1_1", squeezenet1_1),
];

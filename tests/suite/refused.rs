//! A kernel that a driver fails to compile loses the device: the error names it, and a new device takes another one.

use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::internals::device::fail;
use convgpu::internals::ops::tile::Tile;
use convgpu::internals::session::latest;
use convgpu::{CompileOptions, Desc, Device, ErrorKind, Graph, Result, Session, Tensor};

use crate::shared::{ends, shared_device};
use crate::support::{Rng, choice};

const TEXT: &str = "struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < p.count { y[id.x] = -x[id.x]; }
}";

/// The refusals of a process hold for all of its tests: each test has kernels that no other one has.
type Kernels = &'static [Kernel];

/// The negative, by a variant per kernel.
#[derive(Clone, Copy, Debug)]
struct Negative(Kernels);

impl Op for Negative {
    fn name(&self) -> &'static str {
        "negative"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        Ok(inputs.to_vec())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![negative(&inputs[0])])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![vec![0.0; outputs[0].numel()]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let params = || Params::new().with("count", site.inputs[0].numel());
        let launch = |k| Launch::grid(k, [1, 1, 1], params()).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
        Ok(self.0.iter().map(|kernel| Variant::row_major(site, vec![launch(kernel)])).collect())
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

fn negative(x: &Tensor) -> Tensor {
    Tensor::new(x.shape(), x.as_f32().unwrap().iter().map(|v| -v).collect::<Vec<_>>()).unwrap()
}

fn graph(kernels: Kernels) -> Graph {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([9])).unwrap();
    let y = graph.apply("twice", Tile { repeats: vec![2] }, &[x]).unwrap();
    let y = graph.apply("mine", Negative(kernels), &[y]).unwrap();
    graph.output("y", y);
    graph
}

fn compiled(device: &Device, kernels: Kernels) -> Result<Session> {
    Session::new(device, graph(kernels), CompileOptions::new())
}

/// The kernel of node `mine`; the result is right.
fn kernel_of(session: &Session) -> String {
    let x = Rng(5).tensor(&[9]);
    let twice = x.as_f32().unwrap().repeat(2);
    assert_eq!(session.run(&[("x", &x)]).unwrap().first(), &negative(&Tensor::new([18], twice).unwrap()));
    latest(session).unwrap().plan().unwrap().nodes.last().unwrap().kernels.clone()
}

#[test]
fn a_new_device_takes_another_kernel() {
    static KERNELS: [Kernel; 2] = [Kernel::new("refused_first", TEXT), Kernel::new("refused_second", TEXT)];
    ends(|| {
        let device = Device::open(choice()).unwrap();
        let other = Device::open(choice()).unwrap();
        fail(&device, "refused_first");
        let e = compiled(&device, &KERNELS).unwrap_err();
        assert_eq!((e.kind(), e.node()), (ErrorKind::DeviceLost, Some("mine")), "{e}");
        assert!(e.to_string().starts_with("mine: kernel refused_first: the driver failed to compile it: "), "{e}");
        // What comes later says the same, and nothing of the dead device is kept for use.
        for _ in 0..2 {
            let again = compiled(&device, &KERNELS).unwrap_err();
            assert_eq!((again.kind(), again.to_string()), (ErrorKind::DeviceLost, e.to_string()));
        }
        assert_eq!(Tensor::zeros([3]).to_device(&device).unwrap_err().kind(), ErrorKind::DeviceLost);
        // The adapter opened again plans without it.
        let new = device.reopened().unwrap();
        assert_eq!(new.to_string(), device.to_string());
        assert_eq!(kernel_of(&compiled(&new, &KERNELS).unwrap()), "refused_second");
        // A device that was open is not lost by a second try.
        let e = compiled(&other, &KERNELS).unwrap_err();
        assert_eq!((e.kind(), e.node()), (ErrorKind::Device, Some("mine")), "{e}");
        assert!(e.to_string().contains("kernel refused_first: the driver failed to compile it before"), "{e}");
        other.wait().unwrap();
        // Where none is left the error names them.
        fail(&new, "refused_second");
        let session = compiled(&Device::open(choice()).unwrap(), &KERNELS).unwrap();
        assert_eq!(kernel_of(&session), "refused_second");
        drop(session);
        let third = new.reopened().unwrap();
        fail(&third, "refused_second");
        assert_eq!(compiled(&third, &KERNELS).unwrap_err().kind(), ErrorKind::DeviceLost);
        let e = compiled(&third.reopened().unwrap(), &KERNELS).unwrap_err();
        assert_eq!((e.kind(), e.node()), (ErrorKind::Unsupported, Some("mine")), "{e}");
        assert!(e.to_string().ends_with("every kernel for it: refused_first, refused_second"), "{e}");
    });
}

/// wgpu tells the program alone that its device is lost: the error has the kernels that were compiled, and none is refused.
#[test]
fn a_device_of_the_program_is_not_opened_again() {
    static KERNELS: [Kernel; 2] = [Kernel::new("refused_shared", TEXT), Kernel::new("refused_never", TEXT)];
    ends(|| {
        let (_, _, shared) = shared_device();
        fail(&shared, "refused_shared");
        let e = compiled(&shared, &KERNELS).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::DeviceLost, "{e}");
        assert!(
            e.to_string().contains("while these kernels were compiled, ") && e.to_string().contains("refused_shared"),
            "{e}"
        );
        assert_eq!(shared.reopened().unwrap_err().kind(), ErrorKind::Argument);
        let (_, _, next) = shared_device();
        assert_eq!(kernel_of(&compiled(&next, &KERNELS).unwrap()), "refused_shared");
    });
}

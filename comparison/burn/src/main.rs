//! burn-wgpu as a peer: the protocol of `../worker.py`. The input is uploaded and the output read back in every call.

use std::io::{BufRead, Write};
use std::time::Instant;

use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use serde::Deserialize;

const MIN_RUNS: usize = 3;

#[derive(Deserialize)]
struct Request {
    layer: Layer,
    seconds: f64,
}

#[derive(Deserialize)]
struct Layer {
    op: String,
    n: usize,
    ci: usize,
    co: usize,
    h: usize,
    w: usize,
    k: usize,
    s: usize,
    p: usize,
    d: usize,
    g: usize,
}

impl Layer {
    fn is_transpose(&self) -> bool {
        self.op == "conv_transpose"
    }

    fn weight_shape(&self) -> [usize; 4] {
        let (outer, inner) = if self.is_transpose() { (self.ci, self.co) } else { (self.co, self.ci) };
        [outer, inner / self.g, self.k, self.k]
    }

    fn outputs(&self) -> usize {
        let span = self.d * (self.k - 1) + 1;
        let size = |n: usize| {
            if self.is_transpose() {
                (n - 1) * self.s + span - 2 * self.p
            } else {
                (n + 2 * self.p - span) / self.s + 1
            }
        };
        self.n * self.co * size(self.h) * size(self.w)
    }

    /// One call: upload, convolution, readback. The number of elements read.
    fn run(&self, image: &[f32], weight: &Tensor<4>, device: &Device) -> usize {
        let data = TensorData::new(image.to_vec(), [self.n, self.ci, self.h, self.w]);
        let x = Tensor::<4>::from_data(data, device);
        let (s, p, d) = ([self.s; 2], [self.p; 2], [self.d; 2]);
        let y = if self.is_transpose() {
            conv_transpose2d(x, weight.clone(), None, ConvTransposeOptions::new(s, p, [0, 0], d, self.g))
        } else {
            conv2d(x, weight.clone(), None, ConvOptions::new(s, p, d, self.g))
        };
        y.into_data().to_vec::<f32>().expect("the output is f32").len()
    }
}

fn measure(request: &Request, device: &Device) -> serde_json::Value {
    let layer = &request.layer;
    let image: Vec<f32> = (0..layer.n * layer.ci * layer.h * layer.w).map(|i| (i % 251) as f32 / 251.0).collect();
    let begin = Instant::now();
    let weight = Tensor::<4>::random(layer.weight_shape(), Distribution::Uniform(-0.1, 0.1), device);
    let outputs = layer.run(&image, &weight, device);
    let first = begin.elapsed().as_secs_f64();
    if outputs != layer.outputs() {
        return serde_json::json!({ "error": format!("{outputs} outputs, not {}", layer.outputs()) });
    }
    let mut times = vec![];
    while times.len() < MIN_RUNS || times.iter().sum::<f64>() < request.seconds {
        let begin = Instant::now();
        layer.run(&image, &weight, device);
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    serde_json::json!({ "median_ms": times[times.len() / 2] * 1e3, "first_ms": first * 1e3, "runs": times.len() })
}

fn answer(text: &serde_json::Value) {
    println!("{text}");
    std::io::stdout().flush().expect("the caller reads");
}

fn main() {
    let device = Device::wgpu(Default::default());
    answer(&serde_json::json!({ "ready": true }));
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line.expect("stdin is text")).expect("a request is JSON");
        answer(&measure(&request, &device));
    }
}

//! Convolutions and poolings: every form of padding, rounding and grouping.

use convgpu::internals::model::proto::AttributeProto;

use crate::net::{Drawn, Net};
use crate::onnx_build::{int, ints, string};

/// The window of an operator over `spatial` axes.
pub struct Window {
    pub kernel: Vec<i64>,
    pub attributes: Vec<AttributeProto>,
}

impl Net {
    /// Attributes whose windows fit into the extents, each of which is left out now and then.
    pub fn window(&mut self, extents: &[usize], dilated: bool) -> Window {
        let axes = extents.len();
        let kernel: Vec<i64> = extents.iter().map(|_| self.rng.int(1, 3) as i64).collect();
        let mut attributes = vec![];
        // Most exporters write all of them.
        if self.rng.int(0, 3) > 0 {
            let strides: Vec<i64> = (0..axes).map(|_| self.rng.int(1, 3) as i64).collect();
            attributes.push(ints("strides", &strides));
        }
        if dilated && self.rng.int(0, 3) > 0 {
            let most = self.rng.int(1, 2);
            let dilations: Vec<i64> = (0..axes).map(|_| self.rng.int(1, most) as i64).collect();
            attributes.push(ints("dilations", &dilations));
        }
        match self.rng.int(0, 3) {
            0 => {}
            1 => attributes.push(string("auto_pad", self.one(&["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]))),
            // Less than the kernel on each side.
            _ => {
                let pads: Vec<i64> =
                    (0..2 * axes).map(|k| self.rng.int(0, kernel[k % axes] as usize - 1) as i64).collect();
                attributes.push(ints("pads", &pads));
            }
        }
        Window { kernel, attributes }
    }

    /// `[n, c, ..]` with one, two or three further axes.
    pub fn extents(&mut self) -> Vec<usize> {
        let axes = self.one(&[1, 2, 2, 2]);
        (0..axes).map(|_| self.rng.int(6, 9)).collect()
    }

    /// Groups, and the channels of input and output that they allow.
    pub fn channels(&mut self) -> (usize, usize, usize) {
        match self.rng.int(0, 3) {
            0 => {
                let c = self.rng.int(2, 9);
                (c, c, c * self.rng.int(1, 2))
            }
            1 => {
                let groups = self.rng.int(2, 3);
                (groups, groups * self.rng.int(1, 4), groups * self.rng.int(1, 4))
            }
            _ => (1, self.rng.int(1, 9), self.rng.int(1, 9)),
        }
    }
}

pub fn conv(net: &mut Net) -> Drawn {
    let extents = net.extents();
    let (groups, ic, oc) = net.channels();
    let mut window = net.window(&extents, true);
    let x = net.floats(&[&[2, ic], &extents[..]].concat());
    let kernel: Vec<usize> = window.kernel.iter().map(|&k| k as usize).collect();
    let w = net.floats(&[&[oc, ic / groups], &kernel[..]].concat());
    let (x, w) = (net.input(x), net.either(w));
    let mut inputs = vec![x, w];
    if net.flag() {
        let bias = net.floats(&[oc]);
        inputs.push(net.either(bias));
    }
    if groups > 1 {
        window.attributes.push(int("group", groups as i64));
    }
    if net.flag() {
        window.attributes.push(ints("kernel_shape", &window.kernel));
    }
    Ok(vec![net.add("Conv", &inputs.iter().collect::<Vec<_>>(), window.attributes)?])
}

pub fn conv_transpose(net: &mut Net) -> Drawn {
    let axes = net.one(&[1, 2, 2]);
    let extents: Vec<usize> = (0..axes).map(|_| net.rng.int(3, 6)).collect();
    let (groups, ic, oc) = net.channels();
    let kernel: Vec<usize> = (0..axes).map(|_| net.rng.int(1, 4)).collect();
    let strides: Vec<i64> = (0..axes).map(|_| net.rng.int(1, 3) as i64).collect();
    let x = net.floats(&[&[2, ic], &extents[..]].concat());
    let w = net.floats(&[&[ic, oc / groups], &kernel[..]].concat());
    let mut attributes = vec![ints("strides", &strides), int("group", groups as i64)];
    match net.rng.int(0, 4) {
        0 => {}
        1 => attributes.push(string("auto_pad", net.one(&["SAME_UPPER", "SAME_LOWER", "VALID"]))),
        2 => {
            // What the strides alone give, and up to one stride more or less.
            let full = |k: usize| (extents[k] as i64 - 1) * strides[k] + kernel[k] as i64;
            let shape: Vec<i64> = (0..axes).map(|k| (full(k) - net.rng.int(0, 2) as i64).max(1)).collect();
            attributes.push(ints("output_shape", &shape));
        }
        form => {
            let pads: Vec<i64> = (0..2 * axes).map(|k| net.rng.int(0, kernel[k % axes] / 2) as i64).collect();
            attributes.push(ints("pads", &pads));
            if form == 3 {
                let more: Vec<i64> = strides.iter().map(|&s| net.rng.int(0, s as usize - 1) as i64).collect();
                attributes.push(ints("output_padding", &more));
            }
        }
    }
    if net.rng.int(0, 3) > 0 {
        let dilation = if attributes.len() == 3 && net.flag() { 2 } else { 1 };
        attributes.push(ints("dilations", &vec![dilation; axes]));
    }
    let mut inputs = vec![net.input(x), net.either(w)];
    if net.flag() {
        let bias = net.floats(&[oc]);
        inputs.push(net.either(bias));
    }
    Ok(vec![net.add("ConvTranspose", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

pub fn max_pool(net: &mut Net) -> Drawn {
    let extents = net.extents();
    let mut window = net.window(&extents, true);
    // Different values, so that the position of the largest is one.
    let shape = [&[1, 3], &extents[..]].concat();
    let count = shape.iter().product::<usize>();
    let mut values: Vec<f32> = (0..count).map(|k| k as f32 / 8.0 - 4.0).collect();
    (1..count).rev().for_each(|k| values.swap(k, net.rng.int(0, k)));
    let x = net.input(convgpu::Tensor::new(shape, values).unwrap());
    window.attributes.push(ints("kernel_shape", &window.kernel));
    if net.flag() {
        window.attributes.push(int("ceil_mode", 1));
    }
    let outputs = if net.rng.int(0, 3) == 0 { 2 } else { 1 };
    net.several("MaxPool", &[&x], outputs, window.attributes)
}

pub fn average_pool(net: &mut Net) -> Drawn {
    let extents = net.extents();
    let mut window = net.window(&extents, net.opset >= 19);
    let x = net.floats(&[&[2, 3], &extents[..]].concat());
    let x = net.input(x);
    window.attributes.push(ints("kernel_shape", &window.kernel));
    for flag in ["ceil_mode", "count_include_pad"] {
        if net.flag() {
            window.attributes.push(int(flag, 1));
        }
    }
    Ok(vec![net.add("AveragePool", &[&x], window.attributes)?])
}

pub fn lp_pool(net: &mut Net) -> Drawn {
    let extents = net.extents();
    let mut window = net.window(&extents, net.opset >= 18);
    let x = net.floats(&[&[2, 3], &extents[..]].concat());
    let x = net.input(x);
    window.attributes.push(ints("kernel_shape", &window.kernel));
    if net.flag() {
        window.attributes.push(int("p", net.rng.int(1, 3) as i64));
    }
    if net.opset >= 18 && net.flag() {
        window.attributes.push(int("ceil_mode", 1));
    }
    Ok(vec![net.add("LpPool", &[&x], window.attributes)?])
}

pub fn global_pool(net: &mut Net) -> Drawn {
    let extents = net.extents();
    let x = net.floats(&[&[2, 5], &extents[..]].concat());
    let x = net.input(x);
    let op = net.one(&["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"]);
    Ok(vec![net.add(op, &[&x], vec![])?])
}

//! Regions of images, what is put back to where it came from, and taps that offsets move.

use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Val};
use crate::onnx_build::{float, int, ints, string};

impl Net {
    /// Corners of regions in an image of these sides and about it, and which of the images each is of.
    fn regions(&mut self, images: usize, [h, w]: [usize; 2], scale: f32) -> (Vec<[f32; 4]>, Vec<i64>) {
        let count = self.rng.int(1, 4);
        let ends = |net: &mut Net, side: usize| {
            let place = |net: &mut Net| net.rng.int(0, 8 * side + 16) as f32 / 8.0 - 1.0;
            let (a, b) = (place(net), place(net));
            [a.min(b) / scale, a.max(b) / scale]
        };
        let corners = (0..count)
            .map(|_| {
                let [[left, right], [top, bottom]] = [ends(self, w), ends(self, h)];
                [left, top, right, bottom]
            })
            .collect();
        (corners, (0..count).map(|_| self.rng.int(0, images - 1) as i64).collect())
    }

    /// A power of two, mostly written down.
    fn spatial_scale(&mut self) -> f32 {
        self.one(&[1.0, 0.5, 0.25])
    }
}

pub fn roi_align(net: &mut Net) -> Drawn {
    let shape = net.image();
    let x = net.floats(&shape);
    let x = net.input(x);
    let scale = net.spatial_scale();
    let (corners, images) = net.regions(shape[0], [shape[2], shape[3]], scale);
    let count = corners.len();
    let corners = net.either(Tensor::new([count, 4], corners.concat()).unwrap());
    let images = net.either(Tensor::new([count], images).unwrap());
    let mut attributes = vec![float("spatial_scale", scale)];
    for side in ["output_height", "output_width"] {
        attributes.push(int(side, net.rng.int(1, 4) as i64));
    }
    attributes.push(int("sampling_ratio", net.rng.int(0, 3) as i64));
    if net.flag() {
        attributes.push(string("mode", net.one(&["avg", "max"])));
    }
    if net.opset >= 16 && net.flag() {
        let mode = net.one(&["half_pixel", "output_half_pixel"]);
        attributes.push(string("coordinate_transformation_mode", mode));
    }
    Ok(vec![net.add("RoiAlign", &[&x, &corners, &images], attributes)?])
}

pub fn max_roi_pool(net: &mut Net) -> Drawn {
    let shape = net.image();
    let x = net.floats(&shape);
    let x = net.input(x);
    let scale = net.spatial_scale();
    let (corners, images) = net.regions(shape[0], [shape[2], shape[3]], scale);
    let rows: Vec<f32> = images.iter().zip(&corners).flat_map(|(&k, c)| [k as f32, c[0], c[1], c[2], c[3]]).collect();
    let regions = net.either(Tensor::new([corners.len(), 5], rows).unwrap());
    let pooled = [net.rng.int(1, 4) as i64, net.rng.int(1, 4) as i64];
    let attributes = vec![ints("pooled_shape", &pooled), float("spatial_scale", scale)];
    Ok(vec![net.add("MaxRoiPool", &[&x, &regions], attributes)?])
}

/// What MaxPool took, put back: the places are its own, or drawn.
pub fn max_unpool(net: &mut Net) -> Drawn {
    let axes = net.rng.int(1, 3);
    let (mut kernel, mut strides, mut pooled) = (vec![], vec![], vec![]);
    for _ in 0..axes {
        let k = net.rng.int(1, 3);
        kernel.push(k as i64);
        strides.push(net.rng.int(1, k) as i64);
        pooled.push(net.rng.int(1, 3));
    }
    let size: Vec<usize> = (0..axes).map(|k| (pooled[k] - 1) * strides[k] as usize + kernel[k] as usize).collect();
    let (shape, whole) = ([&[1, 2], &pooled[..]].concat(), [&[1, 2], &size[..]].concat());
    let (count, places) = (shape.iter().product::<usize>(), whole.iter().product::<usize>());
    // Different places, so that no value is put where another one is.
    let mut order: Vec<i64> = (0..places as i64).collect();
    (1..places).rev().for_each(|k| order.swap(k, net.rng.int(0, k)));
    order.truncate(count);
    let x = net.floats(&shape);
    let x = net.input(x);
    let places = net.either(Tensor::new(shape, order).unwrap());
    let mut inputs = vec![x, places];
    if net.flag() {
        let whole: Vec<i64> = whole.iter().map(|&n| n as i64).collect();
        inputs.push(net.constant(&Tensor::new([whole.len()], whole).unwrap()));
    }
    let attributes = vec![ints("kernel_shape", &kernel), ints("strides", &strides)];
    Ok(vec![net.add("MaxUnpool", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

pub fn col2im(net: &mut Net) -> Drawn {
    net.at_least(18);
    let axes = net.rng.int(1, 3);
    let [mut image, mut block, mut strides, mut dilations] = [const { vec![] }; 4];
    let (mut begin, mut end, mut windows) = (vec![], vec![], 1);
    for _ in 0..axes {
        let [k, stride, dilation, before, after] =
            [net.rng.int(1, 3), net.rng.int(1, 3), net.rng.int(1, 2), net.rng.int(0, 1), net.rng.int(0, 1)];
        let extent = net.rng.int((k - 1) * dilation + 1, 7);
        windows *= (extent + before + after - (k - 1) * dilation - 1) / stride + 1;
        for (list, n) in
            [&mut image, &mut block, &mut strides, &mut dilations].into_iter().zip([extent, k, stride, dilation])
        {
            list.push(n as i64);
        }
        begin.push(before as i64);
        end.push(after as i64);
    }
    let [n, c] = [net.rng.int(1, 2), net.rng.int(1, 3)];
    let x = net.floats(&[n, c * block.iter().product::<i64>() as usize, windows]);
    let x = net.input(x);
    let (image, block) = (net.ints(&image), net.ints(&block));
    let attributes =
        vec![ints("strides", &strides), ints("dilations", &dilations), ints("pads", &[begin, end].concat())];
    Ok(vec![net.add("Col2Im", &[&x, &image, &block], attributes)?])
}

pub fn deform_conv(net: &mut Net) -> Drawn {
    net.at_least(19);
    let (groups, offset_groups) = (net.rng.int(1, 2), net.rng.int(1, 2));
    let [n, ic, oc] = [net.rng.int(1, 2), 2 * net.rng.int(1, 2), groups * net.rng.int(1, 3)];
    let side =
        |net: &mut Net| (net.rng.int(5, 7), net.rng.int(1, 3), net.rng.int(1, 2), net.rng.int(0, 1), net.rng.int(1, 2));
    let [rows, columns] = [side(net), side(net)];
    let outputs = |(n, k, stride, padding, dilation): (usize, usize, usize, usize, usize)| {
        (n + 2 * padding - (k - 1) * dilation - 1) / stride + 1
    };
    let [oh, ow] = [rows, columns].map(outputs);
    let taps = rows.1 * columns.1;
    let x = net.floats(&[n, ic, rows.0, columns.0]);
    let weight = net.floats(&[oc, ic / groups, rows.1, columns.1]);
    let offset = net.floats(&[n, 2 * taps * offset_groups, oh, ow]);
    let mut inputs = vec![net.input(x), net.either(weight), net.input(offset)];
    let bias = net.floats(&[oc]);
    inputs.push(net.perhaps(bias));
    let mask = net.positive(&[n, taps * offset_groups, oh, ow]);
    inputs.push(if net.flag() { net.input(mask) } else { Net::none() });
    let pair = |name: &str, a: usize, b: usize| ints(name, &[a as i64, b as i64]);
    let attributes = vec![
        int("group", groups as i64),
        int("offset_group", offset_groups as i64),
        pair("kernel_shape", rows.1, columns.1),
        pair("strides", rows.2, columns.2),
        pair("dilations", rows.4, columns.4),
        ints("pads", &[rows.3, columns.3, rows.3, columns.3].map(|n| n as i64)),
    ];
    let inputs: Vec<Val> = Net::given(inputs);
    Ok(vec![net.add("DeformConv", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// Of whole numbers whose diagonal exceeds the sum of its row, so that the determinant is far from 0.
pub fn det(net: &mut Net) -> Drawn {
    let side = net.rng.int(1, 5);
    let rank = net.rng.int(0, 2);
    let mut shape = net.shape(rank);
    shape.extend([side, side]);
    let mut x = net.integers(&shape, DType::F32, -3, 3).as_f32().unwrap().to_vec();
    for (k, v) in x.iter_mut().enumerate() {
        let (row, column) = (k / side % side, k % side);
        *v += if row == column { net.one(&[-16.0, 16.0]) } else { 0.0 };
    }
    let x = net.input(Tensor::new(shape, x).unwrap());
    Ok(vec![net.add("Det", &[&x], vec![])?])
}

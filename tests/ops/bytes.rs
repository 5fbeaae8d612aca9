use convgpu::custom::Op;
use convgpu::internals::ops::bytes::FromBytes;
use convgpu::{DType, Desc, Tensor};

use crate::support::{Rng, check};

#[test]
fn elements_are_the_bytes() {
    let mut rng = Rng(1);
    for shape in [vec![1], vec![7], vec![3, 5], vec![4, 64, 3], vec![0], vec![1, 3, 61, 59]] {
        for dtype in [DType::U8, DType::I8, DType::Bool] {
            let desc = Desc::new(shape.clone(), dtype);
            let mask = if dtype == DType::Bool { 0x0101_0101 } else { u32::MAX };
            let words: Vec<u32> = (0..desc.numel().div_ceil(4)).map(|_| rng.next() as u32 & mask).collect();
            check(FromBytes { desc }, &[Tensor::from(&words[..])], true);
        }
    }
}

#[test]
fn the_reference_takes_the_lowest_byte_first() {
    let words = Tensor::from(&[0x80ff_0201u32, 0x7f][..]);
    let made = |dtype| FromBytes { desc: Desc::new([5], dtype) }.reference(std::slice::from_ref(&words)).unwrap();
    assert_eq!(made(DType::U8)[0], Tensor::from([1u8, 2, 255, 128, 127]));
    assert_eq!(made(DType::I8)[0], Tensor::from([1i8, 2, -1, -128, 127]));
}

#[test]
fn other_types_and_sizes_are_errors() {
    let outputs = |dtype, words| FromBytes { desc: Desc::new([5], dtype) }.outputs(&[words]);
    assert!(outputs(DType::U8, Desc::new([2], DType::U32)).is_ok());
    let e = outputs(DType::U8, Desc::new([5], DType::U32)).unwrap_err();
    assert_eq!(e.to_string(), "the bytes of u8[5] are u32[2], not u32[5]");
    assert!(outputs(DType::F32, Desc::new([2], DType::U32)).is_err());
    assert!(outputs(DType::U8, Desc::new([2], DType::I32)).is_err());
}

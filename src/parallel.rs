//! Loops of the host over the elements of a result, by all cores.
//!
//! What divides the work among threads is compiled once per type of element and not once per loop: it is many times as long as a
//! loop's body, and there are hundreds of loops.

use rayon::prelude::*;

/// Calls `each` with the number of every chunk of `size` elements, and with the chunk; the last may be shorter.
pub(crate) fn chunks<T: Send>(out: &mut [T], size: usize, each: impl Fn(usize, &mut [T]) + Sync) {
    fn all<T: Send>(out: &mut [T], size: usize, each: &(dyn Fn(usize, &mut [T]) + Sync)) {
        out.par_chunks_mut(size.max(1)).enumerate().for_each(|(number, chunk)| each(number, chunk));
    }
    all(out, size, &each);
}

/// The parts that each thread gets, so that none waits long for another one.
const SHARE: usize = 32;

/// Calls `each` with the number of every element, and with the element.
pub(crate) fn each<T: Send>(out: &mut [T], each: impl Fn(usize, &mut T) + Sync) {
    let size = (out.len() / (SHARE * rayon::current_num_threads())).clamp(1, 4096);
    chunks(out, size, |number, part| part.iter_mut().enumerate().for_each(|(k, v)| each(number * size + k, v)));
}

/// `f(0)`, `f(1)` and so on, `count` of them.
pub(crate) fn collect<T: Clone + Default + Send>(count: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let mut out = vec![T::default(); count];
    each(&mut out, |i, y| *y = f(i));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_computed_once_at_its_place() {
        for count in [0, 1, 31, 1000, 1 << 20] {
            assert_eq!(collect(count, |i| i * i), (0..count).map(|i| i * i).collect::<Vec<_>>());
        }
        let mut out = vec![0; 7];
        let add = |number: usize, chunk: &mut [usize]| {
            let count = chunk.len();
            chunk.iter_mut().for_each(|v| *v += 10 * number + count);
        };
        chunks(&mut out, 3, add);
        assert_eq!(out, [3, 3, 3, 13, 13, 13, 21]);
        chunks(&mut [0u8; 0], 0, |_, _| unreachable!());
    }
}

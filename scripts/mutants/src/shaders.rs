//! Which mutants of shaders are valid WGSL.

use std::collections::BTreeMap;

use convgpu::Precision;
use convgpu::internals::gpu::texture::LOAD;
use convgpu::internals::ops::kernels;
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};

use crate::mutant::Mutant;

/// The complete texts of all kernels, by the files that they consist of.
pub struct Texts(BTreeMap<String, Vec<String>>);

impl Texts {
    pub fn all() -> Texts {
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for kernel in kernels().into_iter().chain([&LOAD]) {
            let mut precisions = vec![Precision::F32];
            if kernel.stored().contains(&true) {
                precisions.push(Precision::F16);
            }
            for text in precisions.into_iter().map(|precision| kernel.wgsl(&[], precision)) {
                for file in kernel.files() {
                    texts.entry(format!("shaders/{file}.wgsl")).or_default().push(text.clone());
                }
            }
        }
        Texts(texts)
    }

    /// Whether every kernel with the mutated file is valid.
    pub fn are_valid(&self, mutant: &Mutant, source: &str) -> bool {
        let mutated = mutant.apply(source);
        let texts = self.0.get(&mutant.file).map_or(&[][..], Vec::as_slice);
        !texts.is_empty() && texts.iter().all(|text| is_valid(&text.replacen(source, &mutated, 1)))
    }
}

fn is_valid(text: &str) -> bool {
    let Ok(module) = naga::front::wgsl::parse_str(text) else { return false };
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16);
    validator.subgroup_operations(SubgroupOperationSet::all());
    validator.subgroup_stages(ShaderStages::COMPUTE);
    validator.validate(&module).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::Place;

    #[test]
    fn a_mutant_is_valid_if_every_kernel_is() {
        let texts = Texts::all();
        let file = "shaders/shared/activation.wgsl";
        let source = std::fs::read_to_string(format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let end = source.len();
        let at_end = |text: &str| Mutant::new(file, &source, "o", Place::Shader, [end, end], text.to_owned());
        assert!(texts.are_valid(&at_end("fn unused() {}"), &source));
        assert!(!texts.are_valid(&at_end("fn unused() { return 1u; }"), &source));
    }
}

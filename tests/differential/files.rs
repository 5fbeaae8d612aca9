//! Models, inputs and convgpu's answers as files, for `with_onnxruntime.py`.

use std::fs;
use std::path::Path;

use convgpu::Tensor;
use prost::Message;

use crate::engines::Answer;
use crate::net::{Case, tensor_proto};

/// Writes `model.onnx`, `input_0.pb`.., and `output_0.pb`.. or `refused.txt` into a folder of its own.
pub fn write(folder: &Path, case: &Case, answer: &Answer) {
    let folder = folder.join(format!("{:06} {}", case.seed, case.kind));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("model.onnx"), case.proto.encode_to_vec()).unwrap();
    let tensors = |prefix: &str, list: &[(String, Tensor)]| {
        for (k, (name, tensor)) in list.iter().enumerate() {
            let bytes = tensor_proto(name, tensor).encode_to_vec();
            fs::write(folder.join(format!("{prefix}_{k}.pb")), bytes).unwrap();
        }
    };
    tensors("input", &case.inputs);
    match answer {
        Ok(outputs) => tensors("output", outputs),
        Err(why) => fs::write(folder.join("refused.txt"), why).unwrap(),
    }
}

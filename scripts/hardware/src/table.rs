//! The table: a row per kernel, of its pipelines the worst of each number.

use std::collections::BTreeMap;
use std::fmt;

use crate::isa::{self, Summary};
use crate::pipelines::Pipeline;
use crate::vulkan::Compiled;

/// Kernels whose loads of an iteration all begin before its products, with the most waits for scalars.
const PREFETCH: [(&str, usize); 6] = [
    ("conv2d_tiled", usize::MAX),
    ("gemm_tiled", usize::MAX),
    ("matmul_tiled", usize::MAX),
    ("gemv", 2),
    ("conv2d_gemm", 2),
    ("conv2d_winograd_input", 2),
];

/// Rows by kernels, and what is wrong.
#[derive(Debug)]
pub struct Table {
    device: String,
    rows: BTreeMap<String, Row>,
    complaints: Vec<String>,
}

#[derive(Debug, Default)]
struct Row {
    pipelines: usize,
    registers: u64,
    scalars: u64,
    /// Waves per SIMD, of the pipeline with the fewest.
    waves: Option<u64>,
    bytes: u64,
    instructions: u64,
    workgroup_bytes: u64,
    /// Of the pipeline with the most instructions.
    main_loop: Summary,
    memory: usize,
    scalar: usize,
}

impl Table {
    pub fn new(device: &str) -> Table {
        Table { device: device.to_owned(), rows: BTreeMap::new(), complaints: vec![] }
    }

    /// Adds a pipeline to the row of its kernel.
    pub fn add(&mut self, pipeline: &Pipeline, compiled: Result<Compiled, String>) {
        let kernel = &pipeline.kernel;
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(e) => return self.complaints.push(e),
        };
        let of = |name: &str| compiled.statistics.get(name).copied().unwrap_or(0);
        if of("Scratch size") > 0 {
            self.complaints.push(format!("{kernel}: {} bytes of scratch memory", of("Scratch size")));
        }
        let found = isa::summary(&compiled.assembly);
        for (_, scalars) in PREFETCH.iter().filter(|(name, _)| kernel.starts_with(name)) {
            if found.memory > 1 {
                self.complaints.push(format!("{kernel}: {} waits for memory in a row", found.memory));
            }
            if found.scalar > *scalars {
                self.complaints.push(format!("{kernel}: {} waits for scalars in a row", found.scalar));
            }
        }
        let row = self.rows.entry(kernel.clone()).or_default();
        row.pipelines += 1;
        row.registers = row.registers.max(of("VGPRs"));
        row.scalars = row.scalars.max(of("SGPRs"));
        row.waves = Some(row.waves.map_or(of("Subgroups per SIMD"), |waves| waves.min(of("Subgroups per SIMD"))));
        row.bytes = row.bytes.max(of("Code size"));
        row.workgroup_bytes = row.workgroup_bytes.max(of("LDS size"));
        if of("Instructions") >= row.instructions {
            (row.instructions, row.main_loop) = (of("Instructions"), found);
        }
        row.memory = row.memory.max(found.memory);
        row.scalar = row.scalar.max(found.scalar);
    }

    /// What is wrong, a line each.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipelines: usize = self.rows.values().map(|row| row.pipelines).sum();
        writeln!(f, "{}: {pipelines} pipelines of {} kernels", self.device, self.rows.len())?;
        writeln!(f)?;
        writeln!(
            f,
            "| kernel | pipelines | VGPRs | SGPRs | waves | LDS | bytes | instructions | loop | multiply-adds | waits | scalar |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|---|---|")?;
        for (kernel, row) in &self.rows {
            let Summary { instructions, multiply_adds, .. } = row.main_loop;
            let share = 100 * multiply_adds / instructions.max(1);
            writeln!(
                f,
                "| {kernel} | {} | {} | {} | {} | {} | {} | {} | {instructions} | {share} % | {} | {} |",
                row.pipelines,
                row.registers,
                row.scalars,
                row.waves.unwrap_or(0),
                row.workgroup_bytes,
                row.bytes,
                row.instructions,
                row.memory,
                row.scalar,
            )?;
        }
        writeln!(f)?;
        self.complaints.iter().try_for_each(|line| writeln!(f, "WRONG: {line}"))?;
        writeln!(f, "{} wrong", self.complaints.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a kernel whose loop waits for loads, and for scalars, so often.
    fn complaints(kernel: &str, scratch: u64, [loads, scalars]: [usize; 2]) -> Vec<String> {
        let load =
            "\tbuffer_load_dword v0, v1, s[0:3], 0\n\ts_waitcnt vmcnt(0)\n\tv_add_u32 v1, v0, v1\n".repeat(loads);
        let scalar = "\ts_load_dword s3, s[0:1], 0x0\n\ts_waitcnt lgkmcnt(0)\n".repeat(scalars);
        let assembly = format!("BB1:\n{load}{scalar}\tv_fma_f32 v2, v0, v0, v2\n\ts_cbranch_scc1 BB1\n");
        let statistics = BTreeMap::from([("Scratch size".to_owned(), scratch)]);
        let mut table = Table::new("device");
        let pipeline = Pipeline { kernel: kernel.to_owned(), spirv: vec![], groups: vec![] };
        table.add(&pipeline, Ok(Compiled { statistics, assembly }));
        table.complaints().to_vec()
    }

    #[test]
    fn scratch_and_waits_are_complaints() {
        let tile = "gemm_tiled(8,8,4,1)";
        assert_eq!(complaints(tile, 0, [1, 3]), [] as [&str; 0]);
        assert_eq!(complaints(tile, 0, [3, 0]), ["gemm_tiled(8,8,4,1): 3 waits for memory in a row"]);
        assert_eq!(complaints("gemv", 0, [1, 2]), [] as [&str; 0]);
        assert_eq!(complaints("gemv", 0, [2, 0]), ["gemv: 2 waits for memory in a row"]);
        assert_eq!(complaints("gemv", 0, [0, 3]), ["gemv: 3 waits for scalars in a row"]);
        // Others may wait.
        assert_eq!(complaints("unary", 0, [3, 3]), [] as [&str; 0]);
        assert_eq!(complaints("unary", 16, [0, 0]), ["unary: 16 bytes of scratch memory"]);
    }
}

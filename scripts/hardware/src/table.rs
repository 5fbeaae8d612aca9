//! The table: a row per kernel, of its pipelines the worst of each number.

use std::collections::BTreeMap;
use std::fmt;

use crate::isa::{self, Summary};
use crate::pipelines::Pipeline;
use crate::vulkan::Compiled;

/// Kernels whose loads of an iteration all begin before its products.
const PREFETCH: [&str; 3] = ["conv2d_tiled", "gemm_tiled", "matmul_tiled"];

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
        if found.memory > 1 && PREFETCH.iter().any(|name| kernel.starts_with(name)) {
            self.complaints.push(format!("{kernel}: {} waits for memory in a row", found.memory));
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

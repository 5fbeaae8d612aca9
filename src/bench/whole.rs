//! Whether a network is faster with choices of kernels than without: a kernel that wins alone may lose in the network, where it
//! shares caches, and where its weights take more memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::open_device::OpenDevice;
use super::samples::Samples;
use crate::error::Result;
use crate::graph::Graph;
use crate::plan::PlanOptions;
use crate::plan::tuning::Tuning;
use crate::session::{CompileOptions, Compiled};
use crate::shape::Precision;
use crate::tensor::Tensor;

/// A set of choices must save this share of a run to be kept.
const LEAST_GAIN: f64 = 0.01;

/// The fewest pairs of runs of a comparison.
const PAIRS: usize = 7;

/// A network on a device, to be run with different choices.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The device, opened again where choices lose it.
    pub device: &'a OpenDevice<'a>,
    /// The network.
    pub graph: &'a Graph,
    /// Its inputs.
    pub inputs: &'a [(&'a str, &'a Tensor)],
    /// How floats are stored.
    pub precision: Precision,
    /// How long each comparison lasts.
    pub time: Duration,
}

/// What the whole network gains by choices.
#[derive(Clone, Debug)]
pub struct Gain {
    /// Keys of the choices that are kept.
    pub kept: Vec<String>,
    /// Seconds of a run without choices and with those kept, medians of the last comparison.
    pub seconds: [f64; 2],
    /// Bytes on the device without choices and with those kept.
    pub bytes: [u64; 2],
}

/// Choices by key.
type Choices = BTreeMap<String, String>;

impl Whole<'_> {
    /// The choices that make the network faster: all together, or else the parts of them that do. `progress` is told how many
    /// are being tried.
    ///
    /// # Errors
    /// The network does not compile; the device is lost without choices, or cannot be opened again.
    pub async fn gain(&self, choices: &Choices, progress: &mut dyn FnMut(usize)) -> Result<Gain> {
        let mut kept = Choices::new();
        let mut open: Vec<Vec<(&String, &String)>> = vec![choices.iter().collect()];
        while let Some(part) = open.pop().filter(|part| !part.is_empty()) {
            progress(part.len());
            let mut with = kept.clone();
            with.extend(part.iter().map(|(k, v)| ((*k).clone(), (*v).clone())));
            let faster = match self.ratio(&kept, &with).await {
                Ok((ratio, ..)) => ratio < 1.0 - LEAST_GAIN,
                Err(e) => self.device.reopen(e).map(|()| false)?,
            };
            if faster {
                kept = with;
            } else if part.len() > 1 {
                let (first, second) = part.split_at(part.len() / 2);
                open.extend([second.to_vec(), first.to_vec()]);
            }
        }
        let (ratio, seconds, bytes) = self.ratio(&Choices::new(), &kept).await?;
        if ratio < 1.0 || kept.is_empty() {
            return Ok(Gain { kept: kept.into_keys().collect(), seconds, bytes });
        }
        Ok(Gain { kept: vec![], seconds: [seconds[0]; 2], bytes: [bytes[0]; 2] })
    }

    /// The median of the ratios of runs with the second choices to runs with the first, alternately; seconds and bytes of both.
    async fn ratio(&self, first: &Choices, second: &Choices) -> Result<(f64, [f64; 2], [u64; 2])> {
        let sessions = [self.compiled(first).await?, self.compiled(second).await?];
        let mut samples = [Samples::default(), Samples::default()];
        let mut ratios = vec![];
        for session in &sessions {
            session.run_async(self.inputs).await?;
        }
        let start = Instant::now();
        while ratios.len() < PAIRS || start.elapsed() < self.time {
            let mut times = [0.0; 2];
            for k in 0..2 {
                let begin = Instant::now();
                sessions[k].run_async(self.inputs).await?;
                samples[k].push(begin.elapsed());
                times[k] = begin.elapsed().as_secs_f64();
            }
            ratios.push(times[1] / times[0]);
        }
        ratios.sort_by(f64::total_cmp);
        let seconds = samples.map(|s| s.median().unwrap_or_default().as_secs_f64());
        let bytes = sessions.map(|s| s.plan().map_or(0, |p| p.peak_bytes + p.weight_bytes));
        Ok((ratios[ratios.len() / 2], seconds, bytes))
    }

    async fn compiled(&self, choices: &Choices) -> Result<Compiled> {
        let tuning = Some(Arc::new(Tuning { choices: choices.clone() }));
        let plan = PlanOptions { precision: self.precision, tuning, ..PlanOptions::default() };
        Compiled::new_async(
            &self.device.device(),
            self.graph.clone(),
            &CompileOptions { plan, ..CompileOptions::default() },
        )
        .await
    }
}

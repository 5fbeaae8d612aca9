//! `convgpu devices --check`: whether an adapter can be trusted with the work.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::questions;
use crate::failure::{Failure, Outcome};

/// The option with which this program asks an adapter, in a process of its own.
pub const ASK: &str = "--ask";

/// What an adapter answered.
#[derive(Debug)]
pub struct Report {
    answers: Vec<Value>,
    /// Why there are no more answers.
    failure: Option<String>,
    seconds: f64,
}

impl Report {
    /// Asks the adapter at this position, for at most `limit`.
    pub fn of(index: usize, limit: Duration) -> Outcome<Report> {
        let begin = Instant::now();
        let failed = |e: std::io::Error| Failure::output(format!("the check cannot start: {e}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut call = Command::new(program);
        call.args(["devices", ASK, &index.to_string()]);
        let mut child =
            call.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
        let ended = wait(&mut child, limit).map_err(failed)?;
        let text = |thread: JoinHandle<String>| thread.join().unwrap_or_default();
        let failure = match ended {
            Some(status) if status.success() => None,
            Some(status) => Some(crash(status, &text(err))),
            None => Some(format!("no answer within {} seconds", limit.as_secs_f64())),
        };
        Ok(Report::read(&text(out), failure, begin.elapsed()))
    }

    /// The report of the lines that the process wrote, and of how it failed, if it did.
    fn read(lines: &str, failure: Option<String>, time: Duration) -> Report {
        let answers: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let next = questions::ALL.get(answers.len());
        let failure = failure.map(|text| match next {
            Some(question) => format!("{question}: {text}"),
            None => text,
        });
        Report { answers, failure, seconds: time.as_secs_f64() }
    }

    /// Whether everything was answered, and nothing badly.
    pub fn ok(&self) -> bool {
        self.failure.is_none() && self.answers.len() == questions::ALL.len() && self.bad().next().is_none()
    }

    fn bad(&self) -> impl Iterator<Item = &Value> {
        self.answers.iter().filter(|a| a["ok"] == false)
    }

    /// Rows of a table: question, answer, details.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let word = |ok: &Value| match ok.as_bool() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let row = |a: &Value| vec![text(&a["question"]), word(&a["ok"]).to_owned(), text(&a["says"])];
        let ended = self.failure.iter().map(|text| vec!["ended".to_owned(), "NO".to_owned(), text.clone()]);
        self.answers.iter().map(row).chain(ended).collect()
    }

    /// The first problem, in a line.
    pub fn problem(&self) -> Option<String> {
        let text = |a: &Value| {
            format!("{}: {}", a["question"].as_str().unwrap_or_default(), a["says"].as_str().unwrap_or_default())
        };
        let unanswered = || (!self.ok()).then(|| "not every question was answered".to_owned());
        self.bad().next().map(text).or_else(|| self.failure.clone()).or_else(unanswered)
    }

    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    pub fn as_json(&self) -> Value {
        json!({ "ok": self.ok(), "seconds": self.seconds, "failure": self.failure, "answers": self.answers })
    }
}

/// Reads a pipe to its end, so that the process never waits for a reader.
fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = vec![];
        if let Some(mut pipe) = pipe {
            // What came before an error counts.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// How the process ended; `None` if it took too long and was killed.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that did not end well, with the last that it said.
fn crash(status: ExitStatus, stderr: &str) -> String {
    let last = stderr.lines().rfind(|line| !line.trim().is_empty());
    format!("the process ended with {status}{}", last.map_or(String::new(), |line| format!(": {}", line.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(answers: &[(&str, Value)]) -> String {
        let line =
            |(question, ok): &(&str, Value)| format!("{}\n", json!({ "question": question, "ok": ok, "says": "so" }));
        answers.iter().map(line).collect()
    }

    fn all(but: &str, ok: Value) -> String {
        let answers: Vec<_> =
            questions::ALL.iter().map(|&q| (q, if q == but { ok.clone() } else { true.into() })).collect();
        lines(&answers)
    }

    #[test]
    fn an_adapter_is_trusted_if_every_answer_is_good() {
        let report = |text: &str| Report::read(text, None, Duration::from_secs(1));
        assert!(report(&all("f16", Value::Null)).ok());
        let wrong = report(&all("kernels", false.into()));
        assert_eq!((wrong.ok(), wrong.problem().as_deref()), (false, Some("kernels: so")));
        assert_eq!(wrong.rows()[2], ["kernels", "NO", "so"]);
        // An adapter that does not open has one answer.
        assert!(!report(&lines(&[("opens", false.into())])).ok());
        assert!(!report(&lines(&[("opens", true.into())])).ok() && !report("").ok());
    }

    #[test]
    fn a_crash_names_the_question_it_was_asked() {
        let text = lines(&[("opens", true.into()), ("computes", true.into())]) + "{\"question\": \"ker";
        let report = Report::read(&text, Some("the process ended with signal: 11".to_owned()), Duration::from_secs(1));
        assert!(!report.ok());
        assert_eq!(report.problem().unwrap(), "kernels: the process ended with signal: 11");
        assert_eq!(report.rows().last().unwrap()[0], "ended");
        assert_eq!(report.as_json()["answers"].as_array().unwrap().len(), 2);
    }
}

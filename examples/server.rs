//! A service on one thread: axum and tokio serve HTTP while the device computes, and `/health` is answered meanwhile.
//!
//! `cargo run --release --example server [-- MODEL.onnx]` asks it by 1, 4 and 16 clients on this machine, and prints throughput
//! and times.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use convgpu::{Device, Dim, Model, Session, Tensor};

/// What every client asks for at most, in requests and in time.
const REQUESTS: usize = 200;
const TIME: Duration = Duration::from_secs(4);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The session is shared by all requests; a clone is a handle.
#[derive(Clone)]
struct Service {
    session: Session,
    input: String,
    shape: Vec<usize>,
}

/// The image comes as 32-bit floats; the answer is the first output.
async fn infer(State(service): State<Service>, body: Bytes) -> Result<Json<Vec<f64>>, (StatusCode, String)> {
    let refused = |e: convgpu::Error| (StatusCode::BAD_REQUEST, e.to_string());
    let values: Vec<f32> = body.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let image = Tensor::new(service.shape.clone(), values).map_err(refused)?;
    let outputs = service.session.run_async(&[(&service.input, &image)]).await.map_err(refused)?;
    Ok(Json(outputs.first().to_f64s()))
}

fn main() -> Result<(), Failure> {
    let path = std::env::args().nth(1);
    let path = path.unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/lenet5_mnist.onnx").to_owned());
    let device = Device::new()?;
    println!("{device}");
    let model = Model::load(path)?;
    let info = &model.inputs()[0];
    let shape = info.dims.iter().flatten().map(|d| if let Dim::Fixed(n) = d { *n } else { 1 }).collect();
    let service = Service { input: info.name.clone(), shape, session: model.compile(&device)? };
    let image = vec![0.5f32; service.shape.iter().product()];
    let expected = service.session.run(&[(&service.input, &Tensor::new(service.shape.clone(), image.clone())?)])?;
    let expected = Json(expected.first().to_f64s()).0;

    // One thread serves: no call may block it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let routes = Router::new().route("/infer", post(infer)).route("/health", get(async || "well")).with_state(service);
    std::thread::spawn(move || runtime.block_on(async { axum::serve(listener, routes).await }));

    let body: Vec<u8> = image.iter().flat_map(|v| v.to_le_bytes()).collect();
    println!("{:>7} {:>12} {:>12} {:>12} {:>12}", "clients", "requests/s", "median ms", "95 % ms", "/health ms");
    for clients in [1, 4, 16] {
        let (seconds, times, health) = load(address, clients, &body, &expected)?;
        let ms = |times: &[f64], share: f64| 1e3 * times[((times.len() - 1) as f64 * share) as usize];
        let rate = times.len() as f64 / seconds;
        let (median, late, health) = (ms(&times, 0.5), ms(&times, 0.95), ms(&health, 0.5));
        println!("{clients:>7} {rate:>12.1} {median:>12.2} {late:>12.2} {health:>12.2}");
    }
    Ok(())
}

/// The seconds of a load, and the sorted seconds of its requests and of those for `/health` that another client makes meanwhile.
fn load(
    address: SocketAddr,
    clients: usize,
    body: &[u8],
    expected: &[f64],
) -> Result<(f64, Vec<f64>, Vec<f64>), Failure> {
    let (begin, over) = (Instant::now(), AtomicBool::new(false));
    let client = || -> Result<Vec<f64>, Failure> {
        let mut stream = TcpStream::connect(address)?;
        let mut times = vec![];
        while times.len() < REQUESTS && begin.elapsed() < TIME {
            let start = Instant::now();
            let answer: Vec<f64> = serde_json::from_slice(&ask(&mut stream, "POST /infer", body)?)?;
            times.push(start.elapsed().as_secs_f64());
            if answer.iter().map(|v| *v as f32).ne(expected.iter().map(|v| *v as f32)) {
                return Err(format!("{answer:?} is not the answer, {expected:?} is").into());
            }
        }
        Ok(times)
    };
    let nurse = || -> Result<Vec<f64>, Failure> {
        let mut stream = TcpStream::connect(address)?;
        let mut times = vec![];
        while !over.load(Ordering::Relaxed) {
            let start = Instant::now();
            ask(&mut stream, "GET /health", &[])?;
            times.push(start.elapsed().as_secs_f64());
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(times)
    };
    std::thread::scope(|scope| {
        let health = scope.spawn(nurse);
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        let mut times = vec![];
        let mut failed = Ok(());
        for thread in threads {
            match thread.join().expect("a client does not panic") {
                Ok(more) => times.extend(more),
                Err(e) => failed = Err(e),
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        let mut health = health.join().expect("the client does not panic")?;
        failed?;
        times.sort_by(f64::total_cmp);
        health.sort_by(f64::total_cmp);
        Ok((seconds, times, health))
    })
}

/// One request of HTTP 1.1 on an open connection: the body of the answer.
fn ask(stream: &mut TcpStream, what: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut request =
        format!("{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut answer = vec![];
    let mut part = [0; 4096];
    loop {
        if let Some(head) = answer.windows(4).position(|w| w == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
            let length =
                text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
            let end = head + 4 + length.unwrap_or(0usize);
            if answer.len() >= end {
                let body = answer[head + 4..end].to_vec();
                let ok = text.starts_with("http/1.1 200");
                return if ok { Ok(body) } else { Err(String::from_utf8_lossy(&body).into_owned().into()) };
            }
        }
        match stream.read(&mut part)? {
            0 => return Err("the connection ended".into()),
            n => answer.extend_from_slice(&part[..n]),
        }
    }
}

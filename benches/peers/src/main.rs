//! The matmul of burn through wgpu beside wattmark's GEMM, on the same adapter, in alternating rounds.
//!
//! Needs a built wattmark. Not part of its package: burn's dependencies stay out of wattmark's. What surprises people:
//! burn returns before the device is done, so every timing here ends by reading one element of the last product, which is
//! also compared with a float64 dot product.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use burn::tensor::{Device, DeviceKind, Tensor, TensorData};

const USAGE: &str = "usage: wattmark-peers [--size N] [--rounds N] [--wattmark PATH] [--kernel PATTERN]";

struct Options {
    size: usize,
    rounds: usize,
    wattmark: PathBuf,
    kernel: String,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/wattmark");
        let mut options = Self { size: 1024, rounds: 5, wattmark: default, kernel: "gemm/*-f32".to_owned() };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(USAGE)?;
            let number = || value.parse().ok().filter(|n| *n > 0).ok_or(format!("{name} {value} is no count; {USAGE}"));
            match name.as_str() {
                "--size" => options.size = number()?,
                "--rounds" => options.rounds = number()?,
                "--wattmark" => options.wattmark = value.into(),
                "--kernel" => options.kernel = value,
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| compare(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("wattmark-peers: {message}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), String> {
    let burn = Burn::new(options.size);
    // Twice: the first product compiles and chooses a kernel.
    burn.rate()?;
    let mut rows: Vec<(String, Vec<f64>)> = vec![("burn matmul".to_owned(), Vec::new())];
    for round in 1..=options.rounds {
        rows[0].1.push(burn.rate()?);
        for (variant, rate) in wattmark(options)? {
            match rows.iter_mut().find(|(name, _)| *name == variant) {
                Some((_, rates)) => rates.push(rate),
                None => rows.push((variant, vec![rate])),
            }
        }
        eprintln!("round {round} of {}", options.rounds);
    }
    println!("f32 m=n=k={}, {} alternating rounds, median (lowest to highest)", options.size, options.rounds);
    let reference = median(&rows[0].1);
    for (name, rates) in &rows {
        let (low, high) = rates.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), r| (low.min(*r), high.max(*r)));
        let middle = median(rates);
        println!(
            "{name:24} {:8.2} GFLOP/s ({:.2} to {:.2})  {:.2} x burn",
            middle / 1e9,
            low / 1e9,
            high / 1e9,
            middle / reference
        );
    }
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// Two matrices on burn's device.
struct Burn {
    size: usize,
    a: Tensor<2>,
    b: Tensor<2>,
}

/// Pseudo-random values between -1 and 1, different for each matrix.
fn values(size: usize, stream: u64) -> Vec<f32> {
    let mut state = stream;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..size * size).map(|_| next()).collect()
}

impl Burn {
    fn new(size: usize) -> Self {
        let device = Device::wgpu(DeviceKind::DefaultDevice);
        let matrix = |stream| Tensor::<2>::from_data(TensorData::new(values(size, stream), [size, size]), &device);
        Self { size, a: matrix(1), b: matrix(2) }
    }

    /// FLOP/s over about a second of products, checked by one element.
    fn rate(&self) -> Result<f64, String> {
        let flop = 2.0 * (self.size as f64).powi(3);
        let mut products = 1;
        loop {
            let start = Instant::now();
            let mut last = None;
            for _ in 0..products {
                last = Some(self.a.clone().matmul(self.b.clone()));
            }
            let corner = self.size - 1;
            let element = last.map(|c| c.slice([corner..self.size, corner..self.size]).into_scalar::<f32>());
            let elapsed = start.elapsed().as_secs_f64();
            self.check(element)?;
            if elapsed > 0.5 {
                return Ok(flop * f64::from(products) / elapsed);
            }
            products *= 2;
        }
    }

    fn check(&self, element: Option<f32>) -> Result<(), String> {
        let (a, b, n) = (values(self.size, 1), values(self.size, 2), self.size);
        let expected: f64 = (0..n).map(|k| f64::from(a[(n - 1) * n + k]) * f64::from(b[k * n + n - 1])).sum();
        let got = f64::from(element.ok_or("no product was computed")?);
        let bound = 1e-5 * n as f64;
        if (got - expected).abs() <= bound { Ok(()) } else { Err(format!("burn's product is {got}, not {expected}")) }
    }
}

/// FLOP/s of each of wattmark's variants in one short run.
fn wattmark(options: &Options) -> Result<Vec<(String, f64)>, String> {
    let folder = std::env::temp_dir().join(format!("wattmark-peers-{}", std::process::id()));
    let shape = format!("m=n=k={}", options.size);
    let folder_text = folder.display().to_string();
    let run = ["run", "--preset", "quick", "--power", "none", "--no-figures", "--idle", "0s", "--no-ceilings"];
    let own = ["--kernel", &options.kernel, "--shape", &shape, "--results", &folder_text];
    output(&options.wattmark, &[&run[..], &own[..]].concat())?;
    let table = only_entry(&folder)
        .and_then(|record| output(&options.wattmark, &["export", "--format", "csv", &record.display().to_string()]));
    let removed = std::fs::remove_dir_all(&folder);
    let rates = rates(&table?)?;
    removed.map_err(|error| format!("cannot remove {folder_text}: {error}"))?;
    Ok(rates)
}

/// The one run in a results folder.
fn only_entry(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    match paths.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(format!("{} holds {} runs instead of one", folder.display(), paths.len())),
    }
}

fn output(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{} {}: {}", program.display(), arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// The rows of metric `flop_rate` of the long CSV.
fn rates(text: &str) -> Result<Vec<(String, f64)>, String> {
    let mut lines = text.lines().map(fields);
    let header = lines.next().unwrap_or_default();
    let column = |name: &str| header.iter().position(|h| h == name).ok_or(format!("the CSV has no column {name}"));
    let (variant, metric, value) = (column("variant")?, column("metric")?, column("value")?);
    let mut rates = Vec::new();
    for row in lines.filter(|row| row.get(metric).is_some_and(|name| name == "flop_rate")) {
        let rate = row.get(value).and_then(|text| text.parse().ok()).ok_or("a rate of the CSV is no number")?;
        rates.push((row[variant].clone(), rate));
    }
    if rates.is_empty() { Err("wattmark's run has no rate; see its record".to_owned()) } else { Ok(rates) }
}

/// Fields of a line; commas inside quotes belong to a field.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().into_iter().for_each(|field| field.push(character)),
        }
    }
    fields
}

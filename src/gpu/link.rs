//! The connection to one open device: every wgpu call that can fail goes through here and comes back as a [`GpuError`].
//!
//! What surprises people: wgpu panics when a poll meets a lost device, and reports other failures to callbacks long
//! after the call; both are gathered here. A lost device stays lost until it is opened anew.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use super::GpuError;
use super::enumerate::FEATURES;
use super::quiet::shield;
use crate::clock::{Clock as _, Nanoseconds, WallClock};

/// The instant at which a job was seen to have finished.
pub(super) type Stamp = Arc<OnceLock<Nanoseconds>>;

/// Longest wait for one job. Jobs are sized to a fraction of a second; a device that needs this long has hung.
const WAIT_LIMIT: Duration = Duration::from_secs(120);
/// What went wrong with a device outside of any call: written by wgpu's callbacks, read after each call.
#[derive(Debug, Default)]
struct Health {
    lost: Option<String>,
    error: Option<String>,
}

type SharedHealth = Arc<Mutex<Health>>;

fn lock(health: &SharedHealth) -> MutexGuard<'_, Health> {
    health.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open device and its queue.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) gpu: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    name: String,
    health: SharedHealth,
}

impl Link {
    /// Opens an adapter with its own limits and every feature that kernels can use.
    pub(super) fn open(adapter: &wgpu::Adapter, name: &str) -> Result<Self, GpuError> {
        let failed = |reason: String| GpuError::Other { device: name.to_owned(), during: "opening".to_owned(), reason };
        let (gpu, queue) = shield(|| pollster::block_on(adapter.request_device(&everything(adapter))))
            .map_err(failed)?
            .map_err(|error| failed(error.to_string()))?;
        let health = SharedHealth::default();
        let (lost, errors) = (Arc::clone(&health), Arc::clone(&health));
        gpu.set_device_lost_callback(move |_, reason| lock(&lost).lost = Some(one_line(&reason)));
        gpu.on_uncaptured_error(Arc::new(move |error| {
            lock(&errors).error.get_or_insert(message(&error));
        }));
        Ok(Self { gpu, queue, name: name.to_owned(), health })
    }

    pub(super) fn other(&self, during: &str, reason: impl Into<String>) -> GpuError {
        GpuError::Other { device: self.name.clone(), during: during.to_owned(), reason: reason.into() }
    }

    /// Forgets an error that wgpu reported outside of a scope: it spoiled the program it befell, not the next one.
    pub(super) fn forgive(&self) {
        lock(&self.health).error = None;
    }

    /// Fails if a callback reported a lost device, or an error since the last load. A lost device stays lost.
    pub(super) fn check(&self, during: &str) -> Result<(), GpuError> {
        let health = lock(&self.health);
        let (device, during) = (self.name.clone(), during.to_owned());
        match (&health.lost, &health.error) {
            (Some(reason), _) => Err(GpuError::Lost { device, during, reason: reason.clone() }),
            (None, Some(reason)) => Err(GpuError::Other { device, during, reason: reason.clone() }),
            (None, None) => Ok(()),
        }
    }

    /// Runs wgpu calls; a panic or a reported failure becomes an error and ends the use of this device.
    pub(super) fn attempt<T>(&self, during: &str, work: impl FnOnce() -> T) -> Result<T, GpuError> {
        self.check(during)?;
        let outcome = shield(work);
        if let Err(reason) = &outcome {
            let mut health = lock(&self.health);
            let kind = if reason.contains("lost") { &mut health.lost } else { &mut health.error };
            kind.get_or_insert_with(|| one_line(reason));
        }
        self.check(during)?;
        outcome.map_err(|reason| self.other(during, reason))
    }

    /// Returns once a submission has finished on the device.
    pub(super) fn finish(&self, during: &str, submission: &wgpu::SubmissionIndex) -> Result<(), GpuError> {
        self.poll(
            during,
            wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(WAIT_LIMIT) },
        )
    }

    fn poll(&self, during: &str, wait: wgpu::PollType) -> Result<(), GpuError> {
        match self.attempt(during, || self.gpu.poll(wait))? {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => {
                lock(&self.health).lost = Some(format!("no answer for {} s", WAIT_LIMIT.as_secs()));
                self.check(during)
            }
            Err(error) => Err(self.other(during, error.to_string())),
        }
    }

    /// Submits what `record` records.
    pub(super) fn execute(
        &self,
        during: &str,
        record: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<wgpu::SubmissionIndex, GpuError> {
        self.attempt(during, || {
            let mut encoder = self.gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            record(&mut encoder);
            self.queue.submit([encoder.finish()])
        })
    }

    /// A stamp that is set once everything submitted so far has finished, as early as wgpu can know it.
    ///
    /// Some drivers (llvmpipe) run a submission inside the call that submits it: then the stamp is set before this
    /// returns, and not only when someone waits, which would be after whatever else was submitted meanwhile.
    pub(super) fn stamp(&self, during: &str, clock: WallClock) -> Result<Stamp, GpuError> {
        let stamp = Stamp::default();
        let set = Arc::clone(&stamp);
        self.attempt(during, || {
            self.queue.on_submitted_work_done(move || {
                // A stamp is set once; a second call would be a fault of wgpu's and changes nothing.
                let _ = set.set(clock.now());
            });
        })?;
        self.poll(during, wgpu::PollType::Poll)?;
        Ok(stamp)
    }

    /// Gives `look` the bytes of a readback buffer whose last use was `submission`.
    pub(super) fn read_back<T>(
        &self,
        during: &str,
        buffer: &wgpu::Buffer,
        bytes: u64,
        submission: &wgpu::SubmissionIndex,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let (sender, receiver) = mpsc::channel();
        self.attempt(during, || {
            buffer.map_async(wgpu::MapMode::Read, 0..bytes, move |outcome| drop(sender.send(outcome)));
        })?;
        self.finish(during, submission)?;
        match receiver.try_recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.other(during, error.to_string())),
            Err(_) => return Err(self.other(during, "the readback buffer was not mapped when its copy had finished")),
        }
        let view = buffer.get_mapped_range(0..bytes).map_err(|error| self.other(during, error.to_string()))?;
        let seen = look(&view);
        drop(view);
        buffer.unmap();
        Ok(seen)
    }

    /// Waits until the device has nothing to do, so that memory of dropped buffers goes back.
    pub(super) fn drain(&self, during: &str) -> Result<(), GpuError> {
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(WAIT_LIMIT) };
        self.poll(during, wait)
    }

    /// Runs wgpu calls and returns the first error of any kind that they report.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> T) -> (T, Option<wgpu::Error>) {
        let filters = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| self.gpu.push_error_scope(filter));
        let value = work();
        let mut errors = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
        // Every scope is popped, innermost first.
        let error = errors.by_ref().fold(None, |first: Option<wgpu::Error>, error| first.or(error));
        (value, error)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.check("closing").is_err() {
            // Dropping the last handle of a queue waits for it without limit, and panics if work is left on it.
            std::mem::forget(self.queue.clone());
        }
    }
}

/// All that kernels can use: the adapter's own limits and every feature we know.
fn everything(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    let known = FEATURES.iter().fold(wgpu::Features::SUBGROUP_BARRIER, |all, (_, bit)| all | *bit);
    let required_features = adapter.features() & known;
    let experimental_features = if required_features.intersects(wgpu::Features::all_experimental_mask()) {
        // SAFETY: the token acknowledges that wgpu's experimental features may have bugs. Only cooperative matrices are
        // asked for, and every kernel that uses them has its whole output checked in every run.
        #[allow(unsafe_code)]
        unsafe {
            wgpu::ExperimentalFeatures::enabled()
        }
    } else {
        wgpu::ExperimentalFeatures::disabled()
    };
    wgpu::DeviceDescriptor {
        label: None,
        required_features,
        required_limits: adapter.limits(),
        experimental_features,
        // Large buffers get memory of their own either way; this keeps the pools for staging small.
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        trace: wgpu::Trace::Off,
    }
}

/// wgpu's words for an error, without its heading.
pub(super) fn message(error: &wgpu::Error) -> String {
    let text = error.to_string();
    let text = text.split_once("Caused by:").map_or(text.as_str(), |(_, cause)| cause);
    text.trim().to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

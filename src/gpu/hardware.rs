//! An open device behind wgpu: loads one program, fills its buffers, and executes its stream of jobs.
//!
//! Finding adapters is not here (`enumerate`). What surprises people: wgpu's shader checks are switched off, so kernels
//! must stay inside their buffers; and wgpu panics when a poll meets a lost device, so every wait is shielded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::enumerate::FEATURES;
use super::quiet::shield;
use super::timer::{PassTimer, readback_buffer};
use super::{
    Accelerator, BufferSpec, ByteRange, Completion, Filler, GpuError, Job, POISON_WORD, PoisonScan, Program, Role,
    Ticket, fit,
};
use crate::clock::{Clock, WallClock};
use crate::model::{Device, Feature};

/// Longest wait for one job. Jobs are sized to a fraction of a second; a device that needs this long has hung.
const WAIT_LIMIT: Duration = Duration::from_secs(120);
/// Size of a transfer between host and device, so that the host never holds more than a few of these.
const CHUNK_BYTES: u64 = 16 << 20;
/// Size of the buffer that poison is copied from.
const POISON_BYTES: u64 = 4 << 20;

/// What went wrong with a device outside of any call: written by wgpu's callbacks, read after each call.
#[derive(Debug, Default)]
struct Health {
    lost: Option<String>,
    error: Option<String>,
}

type SharedHealth = Arc<Mutex<Health>>;

fn lock(health: &SharedHealth) -> std::sync::MutexGuard<'_, Health> {
    health.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program on the device.
#[derive(Debug)]
struct Loaded {
    case: String,
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    buffers: Vec<(BufferSpec, wgpu::Buffer)>,
    workgroups: [u32; 3],
}

/// A job whose completion was not yet collected.
#[derive(Debug)]
struct Pending {
    submission: wgpu::SubmissionIndex,
    result: PendingResult,
}

#[derive(Debug)]
enum PendingResult {
    Nothing,
    Ticks { slot: u32, resolved: wgpu::SubmissionIndex },
    Bytes(wgpu::Buffer),
}

/// One open adapter.
#[derive(Debug)]
pub(super) struct WgpuAccelerator {
    device: Device,
    gpu: wgpu::Device,
    queue: wgpu::Queue,
    clock: WallClock,
    health: SharedHealth,
    timer: Option<PassTimer>,
    poison: wgpu::Buffer,
    loaded: Option<Loaded>,
    pending: BTreeMap<Ticket, Pending>,
    next_ticket: u64,
}

impl WgpuAccelerator {
    pub(super) fn open(adapter: &wgpu::Adapter, mut device: Device, clock: WallClock) -> Result<Self, GpuError> {
        let name = device.name.clone();
        let failed = |reason: String| GpuError::Other { device: name.clone(), during: "opening".to_owned(), reason };
        let (gpu, queue) = shield(|| pollster::block_on(adapter.request_device(&everything(adapter))))
            .map_err(failed)?
            .map_err(|error| failed(error.to_string()))?;
        let health = SharedHealth::default();
        let (lost, errors) = (Arc::clone(&health), Arc::clone(&health));
        gpu.set_device_lost_callback(move |_, reason| lock(&lost).lost = Some(reason));
        gpu.on_uncaptured_error(Arc::new(move |error| {
            lock(&errors).error.get_or_insert(message(&error));
        }));
        let period_ns = Some(f64::from(queue.get_timestamp_period())).filter(|period| *period > 0.0);
        device.timestamp_period_ns = period_ns.filter(|_| device.features.contains(&Feature::Timestamps));
        let timer = device.timestamp_period_ns.map(|period_ns| PassTimer::new(&gpu, period_ns));
        let poison = poison_buffer(&gpu);
        let open = Self {
            device,
            gpu,
            queue,
            clock,
            health,
            timer,
            poison,
            loaded: None,
            pending: BTreeMap::new(),
            next_ticket: 0,
        };
        open.check("opening")?;
        Ok(open)
    }

    fn other(&self, during: &str, reason: impl Into<String>) -> GpuError {
        GpuError::Other { device: self.device.name.clone(), during: during.to_owned(), reason: reason.into() }
    }

    fn loaded(&self, during: &str) -> Result<&Loaded, GpuError> {
        self.loaded.as_ref().ok_or_else(|| self.other(during, "no program is loaded"))
    }

    /// Fails if a callback reported a lost device, or an error since the last load. A lost device stays lost.
    fn check(&self, during: &str) -> Result<(), GpuError> {
        let health = lock(&self.health);
        let (device, during) = (self.device.name.clone(), during.to_owned());
        match (&health.lost, &health.error) {
            (Some(reason), _) => Err(GpuError::Lost { device, during, reason: reason.clone() }),
            (None, Some(reason)) => Err(GpuError::Other { device, during, reason: reason.clone() }),
            (None, None) => Ok(()),
        }
    }

    /// Runs wgpu calls; a panic or a reported failure becomes an error and ends the use of this device.
    fn attempt<T>(&self, during: &str, work: impl FnOnce() -> T) -> Result<T, GpuError> {
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
    fn finish(&self, during: &str, submission: &wgpu::SubmissionIndex) -> Result<(), GpuError> {
        let wait = wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(WAIT_LIMIT) };
        match self.attempt(during, || self.gpu.poll(wait))? {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => {
                let reason = format!("no answer for {} s", WAIT_LIMIT.as_secs());
                lock(&self.health).lost = Some(reason);
                self.check(during)
            }
            Err(error) => Err(self.other(during, error.to_string())),
        }
    }

    /// Submits what `record` records.
    fn execute(
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

    /// Gives `look` the bytes of a readback buffer whose last use was `submission`.
    fn read_back<T>(
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

    fn outputs<'a>(&self, loaded: &'a Loaded) -> impl Iterator<Item = (&'a BufferSpec, &'a wgpu::Buffer)> + use<'a> {
        loaded.buffers.iter().filter(|(spec, _)| spec.role == Role::Output).map(|(spec, buffer)| (spec, buffer))
    }

    fn submit_run(&mut self, dispatches: u32) -> Result<Pending, GpuError> {
        let during = "running";
        let slot = self.timer.as_mut().and_then(PassTimer::take_slot);
        let this = &*self;
        let loaded = this.loaded(during)?;
        let timed = this.timer.as_ref().zip(slot);
        let submission = this.execute(during, |encoder| {
            let timestamp_writes = timed.map(|(timer, slot)| timer.writes(slot));
            let options = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            let mut pass = encoder.begin_compute_pass(&options);
            pass.set_pipeline(&loaded.pipeline);
            pass.set_bind_group(0, &loaded.bindings, &[]);
            let [x, y, z] = loaded.workgroups;
            for _ in 0..dispatches {
                pass.dispatch_workgroups(x, y, z);
            }
        })?;
        let result = match timed {
            Some((timer, slot)) => {
                let resolved = this.execute(during, |encoder| timer.resolve(slot, encoder))?;
                PendingResult::Ticks { slot, resolved }
            }
            None => PendingResult::Nothing,
        };
        Ok(Pending { submission, result })
    }

    fn submit_poison(&self) -> Result<Pending, GpuError> {
        let during = "poisoning outputs";
        let loaded = self.loaded(during)?;
        let submission = self.execute(during, |encoder| {
            for (spec, buffer) in self.outputs(loaded) {
                for (offset, len) in chunks(spec.bytes, POISON_BYTES) {
                    encoder.copy_buffer_to_buffer(&self.poison, 0, buffer, offset, len);
                }
            }
        })?;
        Ok(Pending { submission, result: PendingResult::Nothing })
    }

    fn submit_probe(&self, ranges: &[ByteRange]) -> Result<Pending, GpuError> {
        let during = "probing outputs";
        let loaded = self.loaded(during)?;
        for range in ranges {
            let inside = loaded.buffers.get(range.buffer).is_some_and(|(spec, _)| range.end <= spec.bytes);
            if !inside || range.start >= range.end || !range.start.is_multiple_of(4) || !range.end.is_multiple_of(4) {
                return Err(self.other(during, format!("{range:?} is not a range of whole words of {}", loaded.case)));
            }
        }
        let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        // A buffer has at least one word, so that an empty probe needs no special case.
        let target = self.attempt(during, || readback_buffer(&self.gpu, total.max(4)))?;
        let submission = self.execute(during, |encoder| {
            let mut offset = 0;
            for range in ranges {
                let len = range.end - range.start;
                if let Some((_, source)) = loaded.buffers.get(range.buffer) {
                    encoder.copy_buffer_to_buffer(source, range.start, &target, offset, len);
                }
                offset += len;
            }
        })?;
        let result = if total == 0 { PendingResult::Nothing } else { PendingResult::Bytes(target) };
        Ok(Pending { submission, result })
    }

    fn compile(&self, program: &Program) -> Result<(wgpu::ComputePipeline, wgpu::BindGroupLayout), GpuError> {
        let during = format!("compiling {}", program.case.label());
        let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..).zip(&program.buffers).map(layout_entry).collect();
        let (built, error) = self.attempt(&during, || {
            self.guarded(|| {
                let layout = self
                    .gpu
                    .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
                (pipeline(&self.gpu, program, &layout), layout)
            })
        })?;
        match error {
            None => Ok(built),
            Some(error) => Err(GpuError::Compile { case: program.case.label(), message: message(&error) }),
        }
    }

    fn allocate(&self, program: &Program, spec: &BufferSpec) -> Result<wgpu::Buffer, GpuError> {
        let what = format!("buffer {} of {}", spec.name, program.case.label());
        let (buffer, error) = self.attempt(&format!("allocating {what}"), || {
            self.guarded(|| {
                self.gpu.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: spec.bytes,
                    usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            })
        })?;
        let device = self.device.name.clone();
        match error {
            None => Ok(buffer),
            Some(error) => Err(GpuError::OutOfMemory { what, bytes: spec.bytes, device, reason: message(&error) }),
        }
    }

    /// Runs wgpu calls and returns the first error of any kind that they report.
    fn guarded<T>(&self, work: impl FnOnce() -> T) -> (T, Option<wgpu::Error>) {
        let filters = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| self.gpu.push_error_scope(filter));
        let value = work();
        let mut errors = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
        // Every scope is popped, innermost first.
        let error = errors.by_ref().fold(None, |first: Option<wgpu::Error>, error| first.or(error));
        (value, error)
    }
}

impl Accelerator for WgpuAccelerator {
    fn device(&self) -> &Device {
        &self.device
    }

    fn load(&mut self, program: &Program) -> Result<(), GpuError> {
        self.unload();
        // An error that wgpu reported outside of a scope spoils the program it befell, not the next one.
        lock(&self.health).error = None;
        fit::check(program, &self.device)?;
        let (pipeline, layout) = self.compile(program)?;
        let mut buffers = Vec::with_capacity(program.buffers.len());
        for spec in &program.buffers {
            buffers.push((spec.clone(), self.allocate(program, spec)?));
        }
        let during = format!("binding the buffers of {}", program.case.label());
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(&buffers)
            .map(|(binding, (_, buffer))| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let (bindings, error) = self.attempt(&during, || {
            self.guarded(|| {
                let options = wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries };
                self.gpu.create_bind_group(&options)
            })
        })?;
        if let Some(error) = error {
            return Err(self.other(&during, message(&error)));
        }
        let (case, workgroups) = (program.case.label(), program.workgroups);
        self.loaded = Some(Loaded { case, pipeline, bindings, buffers, workgroups });
        Ok(())
    }

    fn fill(&mut self, buffer: usize, filler: &mut Filler<'_>) -> Result<(), GpuError> {
        let during = "filling inputs";
        let loaded = self.loaded(during)?;
        let Some((spec, target)) = loaded.buffers.get(buffer) else {
            return Err(self.other(during, format!("{} has no buffer {buffer}", loaded.case)));
        };
        let mut chunk = vec![0; spec.bytes.min(CHUNK_BYTES) as usize];
        let mut before: Option<wgpu::SubmissionIndex> = None;
        for (offset, len) in chunks(spec.bytes, CHUNK_BYTES) {
            let bytes = &mut chunk[..len as usize];
            filler(offset, bytes);
            let submission = self.attempt(during, || {
                self.queue.write_buffer(target, offset, bytes);
                self.queue.submit([])
            })?;
            // wgpu keeps a staging copy until the device has read it; two at a time keep both sides busy.
            if let Some(before) = before.replace(submission) {
                self.finish(during, &before)?;
            }
        }
        before.map_or(Ok(()), |last| self.finish(during, &last))
    }

    fn submit(&mut self, job: &Job) -> Result<Ticket, GpuError> {
        let pending = match job {
            Job::Run { dispatches } => self.submit_run(*dispatches)?,
            Job::Poison => self.submit_poison()?,
            Job::Probe { ranges } => self.submit_probe(ranges)?,
        };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.pending.insert(ticket, pending);
        Ok(ticket)
    }

    fn wait(&mut self, ticket: Ticket) -> Result<Completion, GpuError> {
        let during = "waiting for the device";
        let Some(Pending { submission, result }) = self.pending.remove(&ticket) else {
            return Err(self.other(during, format!("job {} is not in flight", ticket.0)));
        };
        self.finish(during, &submission)?;
        let done_ns = self.clock.now();
        let mut completion = Completion { done_ns, device_ns: None, bytes: Vec::new() };
        match result {
            PendingResult::Nothing => {}
            PendingResult::Bytes(buffer) => {
                let copy = |bytes: &[u8]| bytes.to_vec();
                completion.bytes = self.read_back("reading outputs", &buffer, buffer.size(), &submission, copy)?;
            }
            PendingResult::Ticks { slot, resolved } => {
                if let Some((timer, buffer)) = self.timer.as_ref().and_then(|t| t.readback(slot).map(|b| (t, b))) {
                    let during = "reading timestamps";
                    self.finish(during, &resolved)?;
                    let read = |bytes: &[u8]| timer.nanoseconds(bytes);
                    completion.device_ns = self.read_back(during, buffer, buffer.size(), &resolved, read)?;
                }
                if let Some(timer) = &mut self.timer {
                    timer.return_slot(slot);
                }
            }
        }
        Ok(completion)
    }

    fn scan_poison(&mut self) -> Result<PoisonScan, GpuError> {
        let during = "scanning outputs";
        let loaded = self.loaded(during)?;
        let largest = self.outputs(loaded).map(|(spec, _)| spec.bytes).max().unwrap_or(4);
        let target = self.attempt(during, || readback_buffer(&self.gpu, largest.min(CHUNK_BYTES)))?;
        let mut scan = PoisonScan { words: 0, poisoned: 0, first: None };
        for (spec, source) in self.outputs(loaded) {
            for (offset, len) in chunks(spec.bytes, CHUNK_BYTES) {
                let submission =
                    self.execute(during, |encoder| encoder.copy_buffer_to_buffer(source, offset, &target, 0, len))?;
                self.read_back(during, &target, len, &submission, |bytes| scan_words(&mut scan, offset, bytes))?;
            }
        }
        Ok(scan)
    }

    fn unload(&mut self) {
        let returned = std::mem::take(&mut self.pending).into_values();
        for pending in returned {
            if let (PendingResult::Ticks { slot, .. }, Some(timer)) = (pending.result, &mut self.timer) {
                timer.return_slot(slot);
            }
        }
        if self.loaded.take().is_some() {
            // The memory goes back when the device has finished with it. A failure here shows at the next call.
            let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(WAIT_LIMIT) };
            let _ = self.attempt("unloading", || self.gpu.poll(wait));
        }
    }
}

impl Drop for WgpuAccelerator {
    fn drop(&mut self) {
        self.unload();
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

fn layout_entry((binding, spec): (u32, &BufferSpec)) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: spec.role == Role::Input },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}

fn pipeline(gpu: &wgpu::Device, program: &Program, bindings: &wgpu::BindGroupLayout) -> wgpu::ComputePipeline {
    let source = wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(std::borrow::Cow::Borrowed(&program.wgsl)),
    };
    // SAFETY: kernels are written to stay inside their buffers and their loops to end, and their outputs are verified;
    // the checks this switches off (index clamps, loop counters, division guards) would be what is measured.
    #[allow(unsafe_code)]
    let module = unsafe { gpu.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked()) };
    let layout = gpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(bindings)],
        immediate_size: 0,
    });
    gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: Some(&layout),
        module: &module,
        entry_point: Some(&program.entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[],
            // Kernels write workgroup memory before they read it.
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
    })
}

fn poison_buffer(gpu: &wgpu::Device) -> wgpu::Buffer {
    let buffer = gpu.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: POISON_BYTES,
        usage: wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: true,
    });
    // If creation failed, the error is with the device's health, which `open` checks next.
    if let Ok(mut view) = buffer.get_mapped_range_mut(..) {
        view.copy_from_slice(&POISON_WORD.to_ne_bytes().repeat(POISON_BYTES as usize / 4));
    }
    buffer.unmap();
    buffer
}

/// Offsets and lengths of consecutive pieces of at most `most` bytes.
fn chunks(bytes: u64, most: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..bytes.div_ceil(most)).map(move |index| (index * most, most.min(bytes - index * most)))
}

fn scan_words(scan: &mut PoisonScan, offset: u64, bytes: &[u8]) {
    let (words, _) = bytes.as_chunks::<4>();
    let poison = POISON_WORD.to_ne_bytes();
    let count = words.iter().filter(|word| **word == poison).count() as u64;
    if count > 0 && scan.first.is_none() {
        scan.first = words.iter().position(|word| *word == poison).map(|index| offset + 4 * index as u64);
    }
    scan.words += words.len() as u64;
    scan.poisoned += count;
}

/// wgpu's words for an error, without its heading.
fn message(error: &wgpu::Error) -> String {
    let text = error.to_string();
    let text = text.split_once("Caused by:").map_or(text.as_str(), |(_, cause)| cause);
    text.trim().to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_byte_once() {
        assert_eq!(chunks(10, 4).collect::<Vec<_>>(), vec![(0, 4), (4, 4), (8, 2)]);
        assert_eq!(chunks(8, 4).collect::<Vec<_>>(), vec![(0, 4), (4, 4)]);
        assert_eq!(chunks(0, 4).count(), 0);
    }

    #[test]
    fn a_scan_counts_poisoned_words_and_remembers_the_first() {
        let mut scan = PoisonScan { words: 0, poisoned: 0, first: None };
        scan_words(&mut scan, 0, &[0; 8]);
        let mut bytes = vec![0; 12];
        bytes[4..8].copy_from_slice(&POISON_WORD.to_ne_bytes());
        scan_words(&mut scan, 8, &bytes);
        scan_words(&mut scan, 20, &POISON_WORD.to_ne_bytes());
        assert_eq!(scan, PoisonScan { words: 6, poisoned: 2, first: Some(12) });
    }
}

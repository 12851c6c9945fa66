//! An open device behind wgpu: loads one program, fills its buffers, and executes its stream of jobs.
//!
//! Finding adapters is not here (`enumerate`). What surprises people: wgpu's shader checks are switched off, so kernels
//! must stay inside their buffers.

use std::collections::BTreeMap;

use super::alignment::Alignment;
use super::link::{Link, Stamp, message};
use super::timer::{PassTimer, PassTimes, readback_buffer};
use super::{
    Accelerator, BufferSpec, ByteRange, Completion, Filler, GpuError, Job, OutputReader, POISON_WORD, PoisonScan,
    Program, Role, Ticket, fit,
};
use crate::clock::{Clock, WallClock};
use crate::model::{Device, Feature};

/// Size of a transfer between host and device, so that the host never holds more than a few of these.
const CHUNK_BYTES: u64 = 16 << 20;
/// Size of the buffer that poison is copied from.
const POISON_BYTES: u64 = 4 << 20;

/// A program on the device.
#[derive(Debug)]
struct Loaded {
    program: Program,
    /// One for each stage.
    pipelines: Vec<wgpu::ComputePipeline>,
    bindings: wgpu::BindGroup,
    buffers: Vec<wgpu::Buffer>,
}

impl Loaded {
    /// Outputs and scratch memory: what a kernel writes.
    fn written(&self) -> impl Iterator<Item = (&BufferSpec, &wgpu::Buffer)> {
        self.program.buffers.iter().zip(&self.buffers).filter(|(spec, _)| spec.role != Role::Input)
    }
    fn outputs(&self) -> impl Iterator<Item = (usize, &BufferSpec, &wgpu::Buffer)> {
        let all = self.program.buffers.iter().zip(&self.buffers).enumerate();
        all.map(|(index, (spec, buffer))| (index, spec, buffer)).filter(|(_, spec, _)| spec.role == Role::Output)
    }
}

/// A job whose completion was not yet collected.
#[derive(Debug)]
struct Pending {
    submission: wgpu::SubmissionIndex,
    done: Stamp,
    result: PendingResult,
}

#[derive(Debug)]
enum PendingResult {
    Nothing,
    Ticks { slot: u32, resolved: wgpu::SubmissionIndex, is_run: bool },
    Bytes(wgpu::Buffer),
}

/// One open adapter.
#[derive(Debug)]
pub(super) struct WgpuAccelerator {
    device: Device,
    link: Link,
    clock: WallClock,
    timer: Option<PassTimer>,
    poison: wgpu::Buffer,
    loaded: Option<Loaded>,
    pending: BTreeMap<Ticket, Pending>,
    next_ticket: u64,
    alignment: Alignment,
}

impl WgpuAccelerator {
    pub(super) fn open(adapter: &wgpu::Adapter, mut device: Device, clock: WallClock) -> Result<Self, GpuError> {
        let link = Link::open(adapter, &device.name)?;
        let period_ns = Some(f64::from(link.queue.get_timestamp_period())).filter(|period| *period > 0.0);
        device.timestamp_period_ns = period_ns.filter(|_| device.features.contains(&Feature::Timestamps));
        let (timer, poison) = link.attempt("opening", || {
            let timer = device.timestamp_period_ns.map(|period_ns| PassTimer::new(&link.gpu, period_ns));
            (timer, poison_buffer(&link.gpu))
        })?;
        Ok(Self {
            device,
            link,
            clock,
            timer,
            poison,
            loaded: None,
            pending: BTreeMap::new(),
            next_ticket: 0,
            alignment: Alignment::default(),
        })
    }

    fn loaded(&self, during: &str) -> Result<&Loaded, GpuError> {
        self.link.check(during)?;
        self.loaded.as_ref().ok_or_else(|| self.link.other(during, "no program is loaded"))
    }

    fn submit_run(&mut self, dispatches: u32) -> Result<Pending, GpuError> {
        let during = "running";
        let slot = self.timer.as_mut().and_then(PassTimer::take_slot);
        let this = &*self;
        let loaded = this.loaded(during)?;
        let timed = this.timer.as_ref().zip(slot);
        let submission = this.link.execute(during, |encoder| {
            let timestamp_writes = timed.map(|(timer, slot)| timer.writes(slot));
            let options = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            let mut pass = encoder.begin_compute_pass(&options);
            pass.set_bind_group(0, &loaded.bindings, &[]);
            let stages = || loaded.pipelines.iter().zip(&loaded.program.stages);
            if let [only] = loaded.pipelines.as_slice() {
                pass.set_pipeline(only);
            }
            for _ in 0..dispatches {
                for (pipeline, stage) in stages() {
                    if loaded.pipelines.len() > 1 {
                        pass.set_pipeline(pipeline);
                    }
                    let [x, y, z] = stage.workgroups;
                    pass.dispatch_workgroups(x, y, z);
                }
            }
        })?;
        let done = this.link.stamp(during, this.clock)?;
        let result = this.resolve(timed, true)?;
        Ok(Pending { submission, done, result })
    }

    /// Sends the ticks of a slot to the host, in a submission of their own.
    fn resolve(&self, timed: Option<(&PassTimer, u32)>, is_run: bool) -> Result<PendingResult, GpuError> {
        let Some((timer, slot)) = timed else { return Ok(PendingResult::Nothing) };
        let resolved = self.link.execute("resolving timestamps", |encoder| timer.resolve(slot, encoder))?;
        Ok(PendingResult::Ticks { slot, resolved, is_run })
    }

    /// Times of a pass on the device's clock; its slot becomes free.
    fn pass_times(&mut self, slot: u32, resolved: &wgpu::SubmissionIndex) -> Result<Option<PassTimes>, GpuError> {
        let during = "reading timestamps";
        let Some(timer) = &mut self.timer else { return Ok(None) };
        let times = match timer.readback(slot) {
            Some(buffer) => {
                self.link.finish(during, resolved)?;
                self.link.read_back(during, buffer, buffer.size(), resolved, |bytes| timer.times(bytes))?
            }
            None => None,
        };
        timer.return_slot(slot);
        Ok(times)
    }

    fn submit_poison(&mut self) -> Result<Pending, GpuError> {
        let during = "poisoning outputs";
        let slot = self.timer.as_mut().and_then(PassTimer::take_slot);
        let this = &*self;
        let loaded = this.loaded(during)?;
        let timed = this.timer.as_ref().zip(slot);
        let submission = this.link.execute(during, |encoder| {
            for (spec, buffer) in loaded.written() {
                for (offset, len) in chunks(spec.bytes, POISON_BYTES) {
                    encoder.copy_buffer_to_buffer(&this.poison, 0, buffer, offset, len);
                }
            }
            // An empty pass behind the copies, for the timestamp of their end: a window begins there.
            if let Some((timer, slot)) = timed {
                let options = wgpu::ComputePassDescriptor { label: None, timestamp_writes: Some(timer.writes(slot)) };
                drop(encoder.begin_compute_pass(&options));
            }
        })?;
        let done = this.link.stamp(during, this.clock)?;
        let result = this.resolve(timed, false)?;
        Ok(Pending { submission, done, result })
    }

    fn submit_probe(&self, ranges: &[ByteRange]) -> Result<Pending, GpuError> {
        let during = "probing outputs";
        let loaded = self.loaded(during)?;
        fit::check_ranges(&loaded.program, ranges).map_err(|reason| self.link.other(during, reason))?;
        let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        // A buffer has at least one word, so that an empty probe needs no special case.
        let target = self.link.attempt(during, || readback_buffer(&self.link.gpu, total.max(4)))?;
        let submission = self.link.execute(during, |encoder| {
            let mut offset = 0;
            for range in ranges {
                let len = range.end - range.start;
                if let Some(source) = loaded.buffers.get(range.buffer) {
                    encoder.copy_buffer_to_buffer(source, range.start, &target, offset, len);
                }
                offset += len;
            }
        })?;
        let done = self.link.stamp(during, self.clock)?;
        let result = if total == 0 { PendingResult::Nothing } else { PendingResult::Bytes(target) };
        Ok(Pending { submission, done, result })
    }

    fn compile(&self, program: &Program) -> Result<(Vec<wgpu::ComputePipeline>, wgpu::BindGroupLayout), GpuError> {
        let during = format!("compiling {}", program.case.label());
        let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..).zip(&program.buffers).map(layout_entry).collect();
        let (built, error) = self.link.attempt(&during, || {
            self.link.guarded(|| {
                let layout = self
                    .link
                    .gpu
                    .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
                (pipelines(&self.link.gpu, program, &layout), layout)
            })
        })?;
        match error {
            None => Ok(built),
            Some(error) => Err(GpuError::Compile { case: program.case.label(), message: message(&error) }),
        }
    }

    fn allocate(&self, program: &Program, spec: &BufferSpec) -> Result<wgpu::Buffer, GpuError> {
        let what = format!("buffer {} of {}", spec.name, program.case.label());
        let (buffer, error) = self.link.attempt(&format!("allocating {what}"), || {
            self.link.guarded(|| {
                self.link.gpu.create_buffer(&wgpu::BufferDescriptor {
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
}

impl Accelerator for WgpuAccelerator {
    fn device(&self) -> &Device {
        &self.device
    }

    fn load(&mut self, program: &Program) -> Result<(), GpuError> {
        self.unload();
        self.link.forgive();
        fit::check(program, &self.device)?;
        let (pipelines, layout) = self.compile(program)?;
        let mut buffers = Vec::with_capacity(program.buffers.len());
        for spec in &program.buffers {
            buffers.push(self.allocate(program, spec)?);
        }
        let during = format!("binding the buffers of {}", program.case.label());
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(&buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let (bindings, error) = self.link.attempt(&during, || {
            self.link.guarded(|| {
                let options = wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries };
                self.link.gpu.create_bind_group(&options)
            })
        })?;
        if let Some(error) = error {
            return Err(self.link.other(&during, message(&error)));
        }
        self.loaded = Some(Loaded { program: program.clone(), pipelines, bindings, buffers });
        Ok(())
    }

    fn fill(&mut self, buffer: usize, filler: &mut Filler<'_>) -> Result<(), GpuError> {
        let during = "filling inputs";
        let loaded = self.loaded(during)?;
        let Some((spec, target)) = loaded.program.buffers.get(buffer).zip(loaded.buffers.get(buffer)) else {
            return Err(self.link.other(during, format!("{} has no buffer {buffer}", loaded.program.case.label())));
        };
        let mut chunk = vec![0; spec.bytes.min(CHUNK_BYTES) as usize];
        let mut before: Option<wgpu::SubmissionIndex> = None;
        for (offset, len) in chunks(spec.bytes, CHUNK_BYTES) {
            let bytes = &mut chunk[..len as usize];
            filler(offset, bytes);
            let submission = self.link.attempt(during, || {
                self.link.queue.write_buffer(target, offset, bytes);
                self.link.queue.submit([])
            })?;
            // wgpu keeps a staging copy until the device has read it; two at a time keep both sides busy.
            if let Some(before) = before.replace(submission) {
                self.link.finish(during, &before)?;
            }
        }
        before.map_or(Ok(()), |last| self.link.finish(during, &last))
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
        self.link.check(during)?;
        let Some(Pending { submission, done, result }) = self.pending.remove(&ticket) else {
            return Err(self.link.other(during, format!("job {} is not in flight", ticket.0)));
        };
        self.link.finish(during, &submission)?;
        let done_ns = done.get().copied().unwrap_or_else(|| self.clock.now());
        let mut completion = Completion { done_ns, device_ns: None, bytes: Vec::new() };
        match result {
            PendingResult::Nothing => {}
            PendingResult::Bytes(buffer) => {
                let copy = |bytes: &[u8]| bytes.to_vec();
                completion.bytes = self.link.read_back("reading outputs", &buffer, buffer.size(), &submission, copy)?;
            }
            PendingResult::Ticks { slot, resolved, is_run } => {
                let times = self.pass_times(slot, &resolved)?;
                completion.device_ns = times.and_then(|times| times.busy_ns).filter(|_| is_run);
                if let Some(times) = times {
                    completion.done_ns = self.alignment.end_of(times.end_ns, done_ns);
                    return Ok(completion);
                }
            }
        }
        completion.done_ns = self.alignment.seen(done_ns);
        Ok(completion)
    }

    fn read_outputs(&mut self, reader: &mut OutputReader<'_>) -> Result<PoisonScan, GpuError> {
        let during = "reading outputs";
        let loaded = self.loaded(during)?;
        let largest = loaded.outputs().map(|(_, spec, _)| spec.bytes).max().unwrap_or(4);
        let target = self.link.attempt(during, || readback_buffer(&self.link.gpu, largest.min(CHUNK_BYTES)))?;
        let mut scan = PoisonScan::EMPTY;
        for (index, spec, source) in loaded.outputs() {
            for (offset, len) in chunks(spec.bytes, CHUNK_BYTES) {
                let submission = self
                    .link
                    .execute(during, |encoder| encoder.copy_buffer_to_buffer(source, offset, &target, 0, len))?;
                self.link.read_back(during, &target, len, &submission, |bytes| {
                    scan.add(offset, bytes);
                    reader(index, offset, bytes);
                })?;
            }
        }
        Ok(scan)
    }

    fn write_word(&mut self, buffer: usize, offset: u64, word: u32) -> Result<(), GpuError> {
        let during = "writing a word";
        let loaded = self.loaded(during)?;
        let range = ByteRange { buffer, start: offset, end: offset.saturating_add(4) };
        fit::check_ranges(&loaded.program, &[range]).map_err(|reason| self.link.other(during, reason))?;
        let Some(target) = loaded.buffers.get(buffer) else { return Ok(()) };
        let submission = self.link.attempt(during, || {
            self.link.queue.write_buffer(target, offset, &word.to_le_bytes());
            self.link.queue.submit([])
        })?;
        self.link.finish(during, &submission)
    }

    fn unload(&mut self) {
        let returned = std::mem::take(&mut self.pending).into_values();
        for pending in returned {
            if let (PendingResult::Ticks { slot, .. }, Some(timer)) = (pending.result, &mut self.timer) {
                timer.return_slot(slot);
            }
        }
        if self.loaded.take().is_some() {
            // A failure here shows at the next call.
            let _ = self.link.drain("unloading");
        }
    }
}

impl Drop for WgpuAccelerator {
    fn drop(&mut self) {
        self.unload();
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

fn module(gpu: &wgpu::Device, program: &Program) -> wgpu::ShaderModule {
    let source = wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(std::borrow::Cow::Borrowed(&program.wgsl)),
    };
    // SAFETY: kernels are written to stay inside their buffers and their loops to end, and their outputs are verified;
    // the checks this switches off (index clamps, loop counters, division guards) would be what is measured.
    #[allow(unsafe_code)]
    unsafe {
        gpu.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked())
    }
}

/// One pipeline for each stage, all from one module and with the same bindings.
fn pipelines(gpu: &wgpu::Device, program: &Program, bindings: &wgpu::BindGroupLayout) -> Vec<wgpu::ComputePipeline> {
    let module = module(gpu, program);
    let layout = gpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(bindings)],
        immediate_size: 0,
    });
    let pipeline = |entry: &str| {
        gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&layout),
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &[],
                // Kernels write workgroup memory before they read it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        })
    };
    program.stages.iter().map(|stage| pipeline(&stage.entry)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Machine, WgpuMachine};

    #[test]
    fn chunks_cover_every_byte_once() {
        assert_eq!(chunks(10, 4).collect::<Vec<_>>(), vec![(0, 4), (4, 4), (8, 2)]);
        assert_eq!(chunks(8, 4).collect::<Vec<_>>(), vec![(0, 4), (4, 4)]);
        assert_eq!(chunks(0, 4).count(), 0);
    }

    #[test]
    fn a_lost_device_fails_every_call_with_its_reason_and_no_panic() {
        let clock = WallClock::start();
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        let adapter = adapters.first().expect("no adapter: install mesa-vulkan-drivers");
        let device = WgpuMachine::discover(clock).devices().remove(0);
        let mut open = WgpuAccelerator::open(adapter, device, clock).unwrap();
        open.link.gpu.destroy();
        let lost = |outcome: Result<(), GpuError>| matches!(outcome, Err(GpuError::Lost { .. }));
        assert!(lost(open.link.drain("waiting")));
        assert!(lost(open.submit(&Job::Poison).map(drop)));
        assert!(lost(open.wait(Ticket(0)).map(drop)));
        assert!(lost(open.scan_poison().map(drop)));
    }
}

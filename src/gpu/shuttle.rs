//! What lies between host and device, tried out: empty dispatches, and bytes that go there and come back.
//!
//! Timing kernels is not here. What surprises people: buffers are made before the clock starts, and are kept from one
//! transfer to the next of the same size, as a program that streams data would do it.

use std::sync::mpsc;

use super::GpuError;
use super::link::{Link, message};
use super::timer::readback_buffer;
use crate::clock::{Clock, WallClock};
use crate::model::TransferPath;
use crate::units::Seconds;

/// A shader that does nothing.
const NOTHING: &str = "@compute @workgroup_size(1) fn main() {}";

/// Buffers and pipeline of these probes, for one size of transfer.
#[derive(Debug)]
pub(super) struct Shuttle {
    bytes: u64,
    inside: wgpu::Buffer,
    /// Mapped for writing.
    out: wgpu::Buffer,
    /// Mapped for reading.
    back: wgpu::Buffer,
    nothing: wgpu::ComputePipeline,
}

impl Shuttle {
    /// The shuttle for transfers of `bytes`: the one at hand if it has that size, else a new one.
    pub(super) fn fitting<'a>(slot: &'a mut Option<Self>, link: &Link, bytes: u64) -> Result<&'a Self, GpuError> {
        if slot.as_ref().is_none_or(|shuttle| shuttle.bytes != bytes) {
            *slot = None;
            *slot = Some(Self::new(link, bytes)?);
        }
        slot.as_ref().ok_or_else(|| link.other("preparing a transfer", "there are no buffers"))
    }

    fn new(link: &Link, bytes: u64) -> Result<Self, GpuError> {
        let during = format!("allocating buffers for transfers of {bytes} bytes");
        let buffer = |usage| {
            link.gpu.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: bytes,
                usage,
                mapped_at_creation: false,
            })
        };
        let (made, error) = link.attempt(&during, || {
            link.guarded(|| Self {
                bytes,
                inside: buffer(
                    wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                ),
                out: buffer(wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC),
                back: readback_buffer(&link.gpu, bytes),
                nothing: nothing(&link.gpu),
            })
        })?;
        error.map_or(Ok(made), |error| Err(link.other(&during, message(&error))))
    }

    /// Time of one pass of empty dispatches.
    pub(super) fn launch(&self, link: &Link, clock: WallClock, dispatches: u32) -> Result<Seconds, GpuError> {
        let during = "launching empty dispatches";
        let start = clock.now();
        let submission = link.execute(during, |encoder| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.nothing);
            for _ in 0..dispatches {
                pass.dispatch_workgroups(1, 1, 1);
            }
        })?;
        link.finish(during, &submission)?;
        Ok(clock.now().since(start))
    }

    /// Time of one transfer.
    pub(super) fn transfer(
        &self,
        link: &Link,
        clock: WallClock,
        path: TransferPath,
        bytes: &mut [u8],
    ) -> Result<Seconds, GpuError> {
        let during = "moving bytes between host and device";
        let start = clock.now();
        let submission = match path {
            TransferPath::WriteBuffer => link.attempt(during, || {
                link.queue.write_buffer(&self.inside, 0, bytes);
                link.queue.submit([])
            })?,
            TransferPath::MappedUpload => {
                self.write_mapped(link, during, bytes)?;
                link.execute(during, |encoder| {
                    encoder.copy_buffer_to_buffer(&self.out, 0, &self.inside, 0, self.bytes);
                })?
            }
            TransferPath::Download => link.execute(during, |encoder| {
                encoder.copy_buffer_to_buffer(&self.inside, 0, &self.back, 0, self.bytes);
            })?,
        };
        if path == TransferPath::Download {
            link.read_back(during, &self.back, self.bytes, &submission, |arrived| bytes.copy_from_slice(arrived))?;
        } else {
            link.finish(during, &submission)?;
        }
        Ok(clock.now().since(start))
    }

    fn write_mapped(&self, link: &Link, during: &str, bytes: &[u8]) -> Result<(), GpuError> {
        let (sender, receiver) = mpsc::channel();
        link.attempt(during, || {
            self.out.map_async(wgpu::MapMode::Write, .., move |outcome| drop(sender.send(outcome)));
        })?;
        link.drain(during)?;
        if !matches!(receiver.try_recv(), Ok(Ok(()))) {
            return Err(link.other(during, "the staging buffer was not mapped when the device was idle"));
        }
        let mut view = self.out.get_mapped_range_mut(..).map_err(|error| link.other(during, error.to_string()))?;
        view.copy_from_slice(bytes);
        drop(view);
        link.attempt(during, || self.out.unmap())
    }
}

fn nothing(gpu: &wgpu::Device) -> wgpu::ComputePipeline {
    let source = wgpu::ShaderSource::Wgsl(std::borrow::Cow::Borrowed(NOTHING));
    let module = gpu.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    })
}

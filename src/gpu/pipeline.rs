//! Shader modules and pipelines of a program: from WGSL through wgpu, or from SPIR-V of our own.
//!
//! What surprises people: either way the driver gets a shader without runtime checks, and trusts it.

use std::borrow::Cow;

use super::{BufferSpec, Program, Role};

/// Binding of a buffer by its number.
pub(super) fn layout_entry((binding, spec): (u32, &BufferSpec)) -> wgpu::BindGroupLayoutEntry {
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

/// A module of patched SPIR-V: `words`, with the entry points of all stages.
fn passthrough(gpu: &wgpu::Device, program: &Program, words: &[u32]) -> wgpu::ShaderModule {
    let entry_points = program.stages.iter().map(|stage| wgpu::PassthroughShaderEntryPoint {
        name: Cow::Borrowed(stage.entry.as_str()),
        // Only Metal asks for it, where this is never used.
        workgroup_size: (0, 0, 0),
    });
    let source = wgpu::ShaderModuleDescriptorPassthrough {
        entry_points: entry_points.collect(),
        spirv: Some(Cow::Borrowed(words)),
        ..Default::default()
    };
    // SAFETY: the words are naga's, for a module it has validated, with operands added that spirv-val accepts for every
    // shipped shader; beyond that they are trusted like the modules below.
    #[allow(unsafe_code)]
    unsafe {
        gpu.create_shader_module_passthrough(source)
    }
}

fn trusted(gpu: &wgpu::Device, program: &Program) -> wgpu::ShaderModule {
    let source =
        wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(Cow::Borrowed(&program.wgsl)) };
    // SAFETY: kernels are written to stay inside their buffers and their loops to end, and their outputs are verified;
    // the checks this switches off (index clamps, loop counters, division guards) would be what is measured.
    #[allow(unsafe_code)]
    unsafe {
        gpu.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked())
    }
}

/// One pipeline for each stage, all from one module and with the same bindings.
pub(super) fn pipelines(
    gpu: &wgpu::Device,
    program: &Program,
    spirv: Option<&[u32]>,
    bindings: &wgpu::BindGroupLayout,
) -> Vec<wgpu::ComputePipeline> {
    let module = match spirv {
        Some(words) => passthrough(gpu, program, words),
        None => trusted(gpu, program),
    };
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

//! WGSL to SPIR-V in this process, patched for the Vulkan memory model: what variants with `translation = "patched-spirv"`
//! run as. The words are changed in `memory_model`.
//!
//! naga is asked as wgpu asks it for a trusted module, so that the patch is all that differs. What surprises people: a
//! line `// unroll loops` in the source puts the hint on every loop, which WGSL itself cannot say.

use naga::back::spv::{self, Capability};
use naga::proc::BoundsCheckPolicies;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::memory_model;

/// SPIR-V that every driver with Vulkan 1.1 takes. From 1.4 on naga only lists more variables with the entry points.
const VERSION: (u8, u8) = (1, 3);

/// The line of a shader that asks for the hint.
const UNROLL: &str = "// unroll loops";

/// What shaders may use; the features a variant requires see to it that the device has them.
const CAPABILITIES: [Capability; 15] = [
    Capability::Shader,
    Capability::Matrix,
    Capability::Float16,
    Capability::Float64,
    Capability::Int16,
    Capability::Int64,
    Capability::GroupNonUniform,
    Capability::GroupNonUniformVote,
    Capability::GroupNonUniformArithmetic,
    Capability::GroupNonUniformBallot,
    Capability::GroupNonUniformShuffle,
    Capability::GroupNonUniformShuffleRelative,
    Capability::GroupNonUniformQuad,
    Capability::CooperativeMatrixKHR,
    Capability::VulkanMemoryModel,
];

/// The words of a shader, without runtime checks and right by the memory model it declares; or the compiler's message.
pub fn translate(wgsl: &str) -> Result<Vec<u32>, String> {
    memory_model::patch(&compile(wgsl)?, wgsl.lines().any(|line| line.trim() == UNROLL))
}

fn compile(wgsl: &str) -> Result<Vec<u32>, String> {
    let module = naga::front::wgsl::parse_str(wgsl).map_err(|error| error.emit_to_string(wgsl))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|error| error.emit_to_string(wgsl))?;
    let options = spv::Options {
        lang_version: VERSION,
        flags: spv::WriterFlags::empty(),
        capabilities: Some(CAPABILITIES.into_iter().collect()),
        bounds_check_policies: BoundsCheckPolicies::default(),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        ..spv::Options::default()
    };
    spv::write_vec(&module, &info, &options, None).map_err(|error| error.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads and writes of every kind of memory, and both kinds of barrier.
    pub(in crate::gpu) const WITH_MATRICES: &str = "
        enable f16;
        enable wgpu_cooperative_matrix;
        @group(0) @binding(0) var<storage, read> a: array<f16>;
        @group(0) @binding(1) var<storage, read> b: array<f16>;
        @group(0) @binding(2) var<storage, read_write> c: array<f32>;
        var<workgroup> tile: array<f16, 256>;
        @compute @workgroup_size(32, 1, 1)
        fn main(@builtin(local_invocation_index) lane: u32) {
            var sum: coop_mat16x16<f32, C>;
            for (var i = 0u; i < 256u; i += 32u) {
                tile[i + lane] = a[i + lane];
            }
            workgroupBarrier();
            c[lane] = f32(tile[255u - lane]);
            storageBarrier();
            tile[lane] = a[lane];
            workgroupBarrier();
            let left = coopLoadT<coop_mat16x16<f16, A>>(&tile[0], 16u);
            let right = coopLoadT<coop_mat16x16<f16, B>>(&b[0], 16u);
            sum = coopMultiplyAdd(left, right, sum);
            coopStoreT(sum, &c[256], 16u);
        }";

    /// The same without matrices, which naga declares by the older memory model.
    pub(in crate::gpu) const WITHOUT: &str = "
        @group(0) @binding(0) var<storage, read> a: array<f32>;
        @group(0) @binding(1) var<storage, read_write> c: array<f32>;
        var<workgroup> tile: array<f32, 256>;
        @compute @workgroup_size(32, 1, 1)
        fn main(@builtin(local_invocation_index) lane: u32) {
            for (var i = 0u; i < 256u; i += 32u) {
                tile[i + lane] = a[i + lane];
            }
            workgroupBarrier();
            c[lane] = tile[255u - lane];
        }";

    /// A shader's words before they are patched.
    pub(in crate::gpu) fn untouched(wgsl: &str) -> Vec<u32> {
        compile(wgsl).unwrap()
    }

    #[test]
    fn a_shader_is_patched_and_hinted_only_if_it_asks() {
        let plain = translate(WITH_MATRICES).unwrap();
        assert!(plain.len() > untouched(WITH_MATRICES).len());
        let hinted = translate(&format!("// unroll loops\n{WITH_MATRICES}")).unwrap();
        assert!(hinted.len() == plain.len() && hinted != plain);
    }

    #[test]
    fn the_compilers_message_names_the_fault() {
        assert!(translate("fn f() { let x = y; }").unwrap_err().contains("no definition in scope for identifier"));
        let undeclared = WITHOUT.replace("array<f32>;", "array<f16>;");
        assert!(translate(&undeclared).unwrap_err().contains("f16"));
        assert!(translate(&WITHOUT.replace("u32)", "f32)")).unwrap_err().contains("error"));
    }
}

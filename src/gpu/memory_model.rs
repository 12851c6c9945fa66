//! Puts into a SPIR-V module what the Vulkan memory model asks for and naga leaves out: a pure function on words.
//!
//! A module that declares that model has to mark memory that several invocations share (`NonPrivatePointer`), and its
//! barriers have to make writes available and visible; else a driver may keep a value that another invocation has
//! overwritten. Compiling WGSL is not here (`spirv`). What surprises people: buffers that are only read stay private,
//! because nobody writes them while a shader runs; and a module of any other memory model comes back as it was.

use std::collections::{BTreeMap, BTreeSet};

const HEADER: usize = 5;
const BOUND: usize = 3;
const MAGIC: u32 = 0x0723_0203;

/// Opcodes of the instructions that are read or changed.
mod op {
    pub(super) const MEMORY_MODEL: u32 = 14;
    pub(super) const CAPABILITY: u32 = 17;
    pub(super) const TYPE_POINTER: u32 = 32;
    pub(super) const CONSTANT: u32 = 43;
    pub(super) const FUNCTION_PARAMETER: u32 = 55;
    pub(super) const VARIABLE: u32 = 59;
    pub(super) const LOAD: u32 = 61;
    pub(super) const STORE: u32 = 62;
    pub(super) const ACCESS_CHAIN: u32 = 65;
    pub(super) const IN_BOUNDS_ACCESS_CHAIN: u32 = 66;
    pub(super) const DECORATE: u32 = 71;
    pub(super) const COPY_OBJECT: u32 = 83;
    pub(super) const CONTROL_BARRIER: u32 = 224;
    pub(super) const MEMORY_BARRIER: u32 = 225;
    pub(super) const LOOP_MERGE: u32 = 246;
    pub(super) const COOPERATIVE_LOAD: u32 = 4457;
    pub(super) const COOPERATIVE_STORE: u32 = 4458;
}

const MODEL_VULKAN: u32 = 3;
const STORAGE_CLASS_WORKGROUP: u32 = 4;
const STORAGE_CLASS_STORAGE_BUFFER: u32 = 12;
const DECORATION_NON_WRITABLE: u32 = 24;
const SCOPE_DEVICE: u32 = 1;
const CAPABILITY_DEVICE_SCOPE: u32 = 5346;
const NON_PRIVATE_POINTER: u32 = 0x20;
const ACQUIRE_RELEASE: u32 = 0x8;
/// Storage classes that a barrier can order: buffers (Uniform) and workgroup memory.
const ORDERED_MEMORY: u32 = 0x40 | 0x100;
const MAKE_AVAILABLE_AND_VISIBLE: u32 = 0x2000 | 0x4000;
const LOOP_CONTROL_UNROLL: u32 = 0x1;
const LOOP_CONTROL_DONT_UNROLL: u32 = 0x2;

/// One instruction: its opcode and its words, the first of which holds length and opcode.
struct Instruction<'a> {
    opcode: u32,
    words: &'a [u32],
}

impl Instruction<'_> {
    /// Word `index`, counted from the first; 0 (which is no id) where the instruction is shorter.
    fn word(&self, index: usize) -> u32 {
        self.words.get(index).copied().unwrap_or(0)
    }
}

/// The instructions of a module, or why it is none.
fn instructions(words: &[u32]) -> Result<Vec<Instruction<'_>>, String> {
    if words.len() < HEADER || words.first() != Some(&MAGIC) {
        return Err("it has no SPIR-V header".to_owned());
    }
    let (mut found, mut rest) = (Vec::new(), &words[HEADER..]);
    while let Some(first) = rest.first() {
        let (length, opcode) = ((first >> 16) as usize, first & 0xffff);
        if length == 0 || length > rest.len() {
            return Err(format!("instruction {opcode} has a length of {length} words, of {} left", rest.len()));
        }
        let (words, behind) = rest.split_at(length);
        found.push(Instruction { opcode, words });
        rest = behind;
    }
    Ok(found)
}

/// What the declarations of a module say about its pointers and constants.
#[derive(Default)]
struct Declared {
    is_vulkan: bool,
    has_device_scope: bool,
    /// Pointer types to memory that invocations share.
    shared_types: BTreeSet<u32>,
    read_only: BTreeSet<u32>,
    /// Pointers into shared memory that is written.
    shared: BTreeSet<u32>,
    /// Type and value of 32-bit constants.
    constants: BTreeMap<u32, (u32, u32)>,
}

impl Declared {
    fn of(instructions: &[Instruction<'_>]) -> Self {
        let mut found = Self::default();
        for instruction in instructions {
            let word = |index| instruction.word(index);
            match instruction.opcode {
                op::MEMORY_MODEL => found.is_vulkan = word(2) == MODEL_VULKAN,
                op::CAPABILITY => found.has_device_scope |= word(1) == CAPABILITY_DEVICE_SCOPE,
                op::DECORATE if word(2) == DECORATION_NON_WRITABLE => drop(found.read_only.insert(word(1))),
                op::TYPE_POINTER if [STORAGE_CLASS_WORKGROUP, STORAGE_CLASS_STORAGE_BUFFER].contains(&word(2)) => {
                    found.shared_types.insert(word(1));
                }
                op::CONSTANT if instruction.words.len() == 4 => {
                    found.constants.insert(word(2), (word(1), word(3)));
                }
                op::VARIABLE | op::FUNCTION_PARAMETER
                    if found.shared_types.contains(&word(1)) && !found.read_only.contains(&word(2)) =>
                {
                    found.shared.insert(word(2));
                }
                op::ACCESS_CHAIN | op::IN_BOUNDS_ACCESS_CHAIN | op::COPY_OBJECT if found.shared.contains(&word(3)) => {
                    found.shared.insert(word(2));
                }
                _ => {}
            }
        }
        found
    }

    /// Value of a constant, or why it cannot be told.
    fn constant(&self, id: u32) -> Result<(u32, u32), String> {
        self.constants.get(&id).copied().ok_or_else(|| format!("a barrier's operand %{id} is no 32-bit constant"))
    }
}

/// Semantics that a barrier needs: the ones it has, and both operations where it orders shared memory.
fn needed(semantics: u32) -> u32 {
    let orders = semantics & ACQUIRE_RELEASE != 0 && semantics & ORDERED_MEMORY != 0;
    semantics | if orders { MAKE_AVAILABLE_AND_VISIBLE } else { 0 }
}

/// Constants that the barriers lack, by the id that they use now; and whether a barrier reaches the whole device.
fn barriers(instructions: &[Instruction<'_>], declared: &Declared, bound: u32) -> Result<(NewIds, bool), String> {
    let (mut replaced, mut device) = (NewIds::new(), false);
    for instruction in instructions {
        let first = match instruction.opcode {
            op::CONTROL_BARRIER => 2,
            op::MEMORY_BARRIER => 1,
            _ => continue,
        };
        let id = instruction.word(first + 1);
        let ((_, scope), (_, semantics)) = (declared.constant(instruction.word(first))?, declared.constant(id)?);
        device |= scope == SCOPE_DEVICE;
        if needed(semantics) != semantics && !replaced.contains_key(&id) {
            // Their number is that of distinct barriers: a handful.
            replaced.insert(id, bound + replaced.len() as u32);
        }
    }
    Ok((replaced, device))
}

/// Ids of new constants by those of the constants that they replace in barriers.
type NewIds = BTreeMap<u32, u32>;

/// Appends an instruction with its length as it is now.
fn push(out: &mut Vec<u32>, opcode: u32, operands: &[u32]) {
    out.push(((operands.len() as u32 + 1) << 16) | opcode);
    out.extend_from_slice(operands);
}

/// Appends an access whose memory operand, at word `index` if it has one, gets the non-private mark.
fn push_shared(out: &mut Vec<u32>, instruction: &Instruction<'_>, index: usize) {
    let mut operands = instruction.words[1..].to_vec();
    match operands.get_mut(index - 1) {
        Some(mask) => *mask |= NON_PRIVATE_POINTER,
        None => operands.push(NON_PRIVATE_POINTER),
    }
    push(out, instruction.opcode, &operands);
}

/// The module with the operands that its memory model asks for and, if wanted, the hint to unroll on every loop.
///
/// Loads and stores need no scopes of their own: the barriers, at their scope, make available what was stored before
/// them and visible what is loaded after.
pub(super) fn patch(words: &[u32], unroll: bool) -> Result<Vec<u32>, String> {
    let instructions = instructions(words)?;
    let declared = Declared::of(&instructions);
    let bound = words[BOUND];
    let (replaced, device) = match declared.is_vulkan {
        true => barriers(&instructions, &declared, bound)?,
        false => (NewIds::new(), false),
    };
    let is_shared = |id: u32| declared.is_vulkan && declared.shared.contains(&id);
    let mut out = words[..HEADER].to_vec();
    out[BOUND] = bound + replaced.len() as u32;
    if device && !declared.has_device_scope {
        push(&mut out, op::CAPABILITY, &[CAPABILITY_DEVICE_SCOPE]);
    }
    for instruction in &instructions {
        let word = |index| instruction.word(index);
        match instruction.opcode {
            op::LOAD if is_shared(word(3)) => push_shared(&mut out, instruction, 4),
            op::STORE if is_shared(word(1)) => push_shared(&mut out, instruction, 3),
            // naga always writes the stride, so the memory operand stands behind it.
            op::COOPERATIVE_LOAD if is_shared(word(3)) => push_shared(&mut out, instruction, 6),
            op::COOPERATIVE_STORE if is_shared(word(1)) => push_shared(&mut out, instruction, 5),
            op::CONTROL_BARRIER | op::MEMORY_BARRIER => {
                let mut operands = instruction.words[1..].to_vec();
                if let Some(last) = operands.last_mut() {
                    *last = replaced.get(last).copied().unwrap_or(*last);
                }
                push(&mut out, instruction.opcode, &operands);
            }
            op::LOOP_MERGE if unroll => {
                let mut operands = instruction.words[1..].to_vec();
                if let Some(control) = operands.get_mut(2) {
                    *control = (*control & !LOOP_CONTROL_DONT_UNROLL) | LOOP_CONTROL_UNROLL;
                }
                push(&mut out, instruction.opcode, &operands);
            }
            _ => out.extend_from_slice(instruction.words),
        }
        if let (op::CONSTANT, Some(new)) = (instruction.opcode, replaced.get(&word(2))) {
            push(&mut out, op::CONSTANT, &[word(1), *new, needed(word(3))]);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::spirv::tests::{WITH_MATRICES, WITHOUT, untouched};

    /// How many instructions have this opcode, and how many of these satisfy `which`.
    fn count(words: &[u32], opcode: u32, which: impl Fn(&Instruction<'_>) -> bool) -> (usize, usize) {
        let all = instructions(words).unwrap();
        let mine = || all.iter().filter(|instruction| instruction.opcode == opcode);
        (mine().count(), mine().filter(|instruction| which(instruction)).count())
    }

    fn marked(index: usize) -> impl Fn(&Instruction<'_>) -> bool {
        move |instruction| instruction.word(index) & NON_PRIVATE_POINTER != 0
    }

    #[test]
    fn accesses_of_written_shared_memory_are_marked_and_no_others() {
        let before = untouched(WITH_MATRICES);
        let after = patch(&before, false).unwrap();
        // One store and one load of workgroup memory; the load from the read-only buffer and those of variables stay.
        let (loads, shared) = count(&after, op::LOAD, |load| load.words.len() == 5 && marked(4)(load));
        assert!(loads > shared && shared == 1, "{loads} {shared}");
        let (stores, shared) = count(&after, op::STORE, |store| store.words.len() == 4 && marked(3)(store));
        assert!(stores > shared && shared == 3, "{stores} {shared}");
        // Of a, b and c: a comes from workgroup memory, b from a read-only buffer, c is stored to a buffer.
        assert_eq!(count(&after, op::COOPERATIVE_LOAD, marked(6)), (2, 1));
        assert_eq!(count(&after, op::COOPERATIVE_STORE, marked(5)), (1, 1));
        let grown = 1 + 3 + 1 + 1;
        // Two new constants of four words, one for either kind of barrier, and the capability.
        assert_eq!(after.len(), before.len() + grown + 2 * 4 + 2);
        assert_eq!(after[BOUND], before[BOUND] + 2);
    }

    #[test]
    fn barriers_make_writes_available_and_visible_and_keep_what_they_order() {
        let before = untouched(WITH_MATRICES);
        let after = patch(&before, false).unwrap();
        let semantics = |words: &[u32]| -> Vec<u32> {
            let all = instructions(words).unwrap();
            let declared = Declared::of(&all);
            let barriers = all.iter().filter(|instruction| instruction.opcode == op::CONTROL_BARRIER);
            barriers.map(|barrier| declared.constant(barrier.word(3)).unwrap().1).collect()
        };
        assert_eq!(semantics(&before), [0x108, 0x48, 0x108]);
        assert_eq!(semantics(&after), [0x6108, 0x6048, 0x6108]);
        let scopes = count(&after, op::CAPABILITY, |capability| capability.word(1) == CAPABILITY_DEVICE_SCOPE);
        assert_eq!(scopes.1, 1, "storageBarrier() reaches the device");
        let local = untouched(&WITH_MATRICES.replace("storageBarrier", "workgroupBarrier"));
        let local = patch(&local, false).unwrap();
        assert_eq!(count(&local, op::CAPABILITY, |one| one.word(1) == CAPABILITY_DEVICE_SCOPE).1, 0);
    }

    #[test]
    fn patching_twice_is_patching_once() {
        for unroll in [false, true] {
            let once = patch(&untouched(WITH_MATRICES), unroll).unwrap();
            assert!(patch(&once, unroll).unwrap() == once);
        }
    }

    #[test]
    fn a_module_of_another_memory_model_stays_as_it_is_but_for_the_hint() {
        let before = untouched(WITHOUT);
        assert!(patch(&before, false).unwrap() == before);
        let hinted = patch(&before, true).unwrap();
        assert_eq!(hinted.len(), before.len());
        let unrolled = |merge: &Instruction<'_>| merge.word(3) == LOOP_CONTROL_UNROLL;
        assert_eq!(count(&before, op::LOOP_MERGE, unrolled), (1, 0));
        assert_eq!(count(&hinted, op::LOOP_MERGE, unrolled), (1, 1));
        assert_eq!(before.iter().zip(&hinted).filter(|(old, new)| old != new).count(), 1);
    }

    #[test]
    fn what_is_not_spirv_is_refused_with_the_reason() {
        assert!(patch(&[], false).unwrap_err().contains("no SPIR-V header"));
        assert!(patch(&[1, 2, 3, 4, 5], false).unwrap_err().contains("no SPIR-V header"));
        let mut cut = untouched(WITHOUT);
        // The function's end and its return are one word each; the store before them loses its last.
        cut.truncate(cut.len() - 3);
        assert!(patch(&cut, false).unwrap_err().contains("words, of"));
        let mut endless = untouched(WITHOUT);
        endless.extend([0, 0]);
        assert!(patch(&endless, false).unwrap_err().contains("a length of 0 words"));
    }
}

//! Functions of Go programs: where they begin, once they have the stack they need, and every place where they return.
//!
//! A return probe would crash them: it writes a return address into a stack that moves. A probe on each `RET` changes nothing.

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register,
};

/// Places inside a function, from its first byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// Behind the check that its stack is large enough: where it is not, the function begins again on another.
    pub(super) begin: u64,
    /// Its `RET`s.
    pub(super) returns: Vec<u64>,
}

/// `stackguard0` and `stackguard1` of `runtime.g`.
const STACK_GUARDS: [u64; 2] = [0x10, 0x18];
/// The check of the stack is among the first instructions.
const PROLOGUE: usize = 8;

/// Finds them in the code of a function, which is nothing but instructions: Go's compiler keeps its tables elsewhere.
///
/// # Errors
/// Why they cannot be told, for a person.
pub(super) fn places(code: &[u8]) -> Result<Places, String> {
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut registers = InstructionInfoFactory::new();
    let mut places = Places {
        begin: 0,
        returns: Vec::new(),
    };
    let (mut count, mut checks) = (0, false);
    while decoder.can_decode() {
        let at = decoder.position() as u64;
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return Err(format!("its instruction at +{at:#x} is not known"));
        }
        if loses_goroutine(&instruction, &mut registers) {
            return Err(format!(
                "it does not keep its goroutine in R14 (at +{at:#x}): it is not of Go's own calling convention"
            ));
        }
        if count < PROLOGUE {
            checks |= is_stack_check(&instruction);
            if checks && places.begin == 0 && instruction.mnemonic() == Mnemonic::Jbe {
                places.begin = decoder.position() as u64;
            }
        }
        if instruction.mnemonic() == Mnemonic::Ret {
            places.returns.push(at);
        }
        count += 1;
    }
    if places.returns.is_empty() {
        return Err("it never returns: it goes on in another function".into());
    }
    Ok(places)
}

/// `CMP RSP, stackguard(R14)`, or of how far it is going to be.
fn is_stack_check(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Cmp
        && instruction.memory_base() == Register::R14
        && STACK_GUARDS.contains(&instruction.memory_displacement64())
}

/// Whether R14 is something else behind it. From the thread's own storage the runtime loads the same goroutine again.
fn loses_goroutine(instruction: &Instruction, registers: &mut InstructionInfoFactory) -> bool {
    let loads_it =
        instruction.mnemonic() == Mnemonic::Mov && instruction.memory_segment() == Register::FS;
    let used = registers.info(instruction).used_registers();
    !loads_it
        && used.iter().any(|it| {
            it.register().full_register() == Register::R14
                && !matches!(it.access(), OpAccess::Read | OpAccess::CondRead)
        })
}

/// The number behind `go1.` of the toolchain that made a program, out of its `.go.buildinfo` (debug/buildinfo).
pub(super) fn minor_version(section: &[u8]) -> Option<u32> {
    const MAGIC: &[u8] = b"\xff Go buildinf:";
    const INLINE: u8 = 2;
    const HEADER: usize = 32;
    let rest = section.strip_prefix(MAGIC)?;
    // Strings are in the section itself from 1.18 on.
    if rest.get(1)? & INLINE == 0 {
        return None;
    }
    let length = usize::from(*section.get(HEADER)?);
    let version = section.get(HEADER + 1..HEADER + 1 + length)?;
    let minor = version.strip_prefix(b"go1.")?;
    let digits = minor.split(|it| !it.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_begins_behind_the_check_of_its_stack_and_returns_where_it_says() {
        let code = [
            0x49, 0x3b, 0x66, 0x10, // cmp rsp, [r14+0x10]
            0x76, 0x0c, // jbe +12
            0x55, // push rbp
            0x48, 0x89, 0xe5, // mov rbp, rsp
            0x75, 0x02, // jne +2
            0x5d, // pop rbp
            0xc3, // ret
            0xb8, 0xc3, 0xc3, 0xc3, 0xc3, // mov eax, 0xc3c3c3c3
            0x5d, // pop rbp
            0xc3, // ret
        ];
        assert_eq!(
            places(&code),
            Ok(Places {
                begin: 6,
                returns: vec![13, 20],
            })
        );
    }

    #[test]
    fn one_with_a_large_frame_looks_further_down_and_a_leaf_not_at_all() {
        let large = [
            0x4c, 0x8d, 0xa4, 0x24, 0x00, 0xf0, 0xff, 0xff, // lea r12, [rsp-0x1000]
            0x4d, 0x3b, 0x66, 0x10, // cmp r12, [r14+0x10]
            0x0f, 0x86, 0x01, 0x00, 0x00, 0x00, // jbe +1
            0xc3, // ret
        ];
        assert_eq!(places(&large).unwrap().begin, 18);
        assert_eq!(places(&[0x90, 0xc3]).unwrap().begin, 0);
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        // xor r14d, r14d; ret
        let other = places(&[0x45, 0x31, 0xf6, 0xc3]).unwrap_err();
        assert!(other.contains("R14"), "{other}");
        // mov r14, fs:[0xfffffffffffffff8]; ret
        let reload = [0x64, 0x4c, 0x8b, 0x34, 0x25, 0xf8, 0xff, 0xff, 0xff, 0xc3];
        assert_eq!(places(&reload).unwrap().returns, [9]);
        // jmp -2
        let never = places(&[0xeb, 0xfe]).unwrap_err();
        assert!(never.contains("never returns"), "{never}");
        // push es, which 64 bits do not know
        let unknown = places(&[0x06, 0xc3]).unwrap_err();
        assert!(unknown.contains("+0x0"), "{unknown}");
    }

    #[test]
    fn the_toolchain_s_version_is_in_the_program() {
        let mut section = b"\xff Go buildinf:\x08\x02".to_vec();
        section.resize(32, 0);
        section.push(8);
        section.extend(b"go1.22.3");
        assert_eq!(minor_version(&section), Some(22));
        section[15] = 0;
        assert_eq!(minor_version(&section), None);
        assert_eq!(minor_version(b"something else"), None);
    }
}

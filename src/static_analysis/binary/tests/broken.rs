//! Files that are broken, foreign or hostile.

use proptest::prelude::*;

use super::super::super::root::tests::Memory;
use super::super::fixture::{Program, request};
use super::super::{BinaryError, ElfError, Findings, analyse};

fn result(file: &[u8]) -> Result<Findings, BinaryError> {
    analyse(&Memory::default().with("/program", file), &request("/program"))
}

fn error(file: &[u8]) -> String {
    match result(file).unwrap_err() {
        BinaryError::Elf { path, source } => {
            assert_eq!(path, "/program");
            source.to_string()
        }
        other => panic!("{other:?}"),
    }
}

fn good() -> Vec<u8> {
    let program = Program::x86(|a| {
        use iced_x86::code_asm::{eax, ptr, qword_ptr, rdi};
        let mut function = a.create_label();
        a.call(function).unwrap();
        a.lea(rdi, ptr(function)).unwrap();
        a.call(qword_ptr(rdi + 8)).unwrap();
        a.jmp(qword_ptr(rdi * 8 + super::super::fixture::CONSTANTS)).unwrap();
        a.set_label(&mut function).unwrap();
        a.mov(eax, 39).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    program.elf()
}

#[test]
fn files_that_cannot_be_analysed_say_why() {
    assert_eq!(error(b"\x7fEL"), ElfError::NotElf.to_string());
    assert_eq!(error(b"just text, and more of it"), "it is no ELF file");
    let changed = |place: usize, value: u8| {
        let mut file = good();
        file[place] = value;
        file
    };
    assert_eq!(error(&changed(4, 1)), "it is a 32-bit file, and only 64-bit x86 and ARM can be analysed");
    assert_eq!(error(&changed(5, 2)), "it is for a big-endian machine, and only 64-bit x86 and ARM can be analysed");
    assert_eq!(error(&changed(18, 243)), "it is for machine 243 of elf.h, and only 64-bit x86 and ARM can be analysed");
    assert_eq!(error(&changed(16, 1)), "it is neither a program nor a shared object");
    assert!(error(&changed(4, 9)).starts_with("it is broken: "));
    assert!(error(&good()[..50]).starts_with("it is broken: "));
    assert!(error(&changed(33, 0xff)).starts_with("it is broken: "));
}

#[test]
fn missing_programs_and_empty_segments_are_no_trouble() {
    assert!(matches!(analyse(&Memory::default(), &request("nothing")), Err(BinaryError::NotFound { .. })));
    let findings = result(&good()[..64 + 3 * 56]).unwrap();
    assert!(findings.calls.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_a_file_makes_the_analysis_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut file = good();
        for (place, value) in changes {
            let place = place.index(file.len());
            file[place] = value;
        }
        drop(result(&file));
    }

    #[test]
    fn no_code_makes_the_analysis_panic(code in prop::collection::vec(any::<u8>(), 0..300), arm: bool) {
        let mut program = if arm { Program::arm(&[]) } else { Program::x86(|a| a.nop().unwrap()) };
        program.code = code;
        drop(result(&program.elf()));
    }

    #[test]
    fn no_cut_file_makes_the_analysis_panic(length in any::<prop::sample::Index>()) {
        let file = good();
        drop(result(&file[..length.index(file.len())]));
    }
}

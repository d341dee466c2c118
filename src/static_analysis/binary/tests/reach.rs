//! Which code counts.

use iced_x86::code_asm::{CodeAssembler, CodeLabel, eax, ptr, qword_ptr, r9, rax, rdi};

use super::super::fixture::{CODE, CONSTANTS, DATA, Program};

fn call(a: &mut CodeAssembler, number: i32) {
    a.mov(eax, number).unwrap();
    a.syscall().unwrap();
}

/// A program that ends at once, and behind it a function that nobody calls.
fn with_function(before: impl FnOnce(&mut CodeAssembler, CodeLabel)) -> (Program, u64) {
    let mut begin = 0;
    let program = Program::x86(|a| {
        let mut function = a.create_label();
        before(a, function);
        a.hlt().unwrap();
        a.set_label(&mut function).unwrap();
        call(a, 39);
        a.ret().unwrap();
    });
    // `mov eax, 39; syscall; ret` are its last bytes.
    begin += CODE + program.code.len() as u64 - 8;
    (program, begin)
}

#[test]
fn only_what_may_run_counts() {
    let (program, begin) = with_function(|_, _| ());
    assert_eq!(program.calls(), [""; 0]);
    let findings = program.findings();
    assert_eq!((findings.objects[0].reached_instructions, findings.unresolved.len()), (0, 0));
    // Nothing describes where functions begin: any address in data may be such a place.
    assert_eq!(program.with_data(&[7, begin]).calls(), ["getpid"]);
}

#[test]
fn called_and_jumped_to_functions_count() {
    let (called, _) = with_function(|a, function| a.call(function).unwrap());
    assert_eq!(called.calls(), ["getpid"]);
    let (jumped, _) = with_function(|a, function| a.jmp(function).unwrap());
    assert_eq!(jumped.calls(), ["getpid"]);
    let (branched, _) = with_function(|a, function| a.jne(function).unwrap());
    assert_eq!(branched.calls(), ["getpid"]);
}

#[test]
fn functions_whose_address_somebody_has_count() {
    let (computed, _) = with_function(|a, function| {
        a.lea(r9, ptr(function)).unwrap();
        a.mov(qword_ptr(DATA), r9).unwrap();
    });
    assert_eq!(computed.calls(), ["getpid"]);
    // As a number: the program stands at fixed addresses.
    let (plain, begin) = with_function(|a, _| a.mov(eax, 0x1234_5678).unwrap());
    let mut plain = plain;
    let number = u32::try_from(begin).unwrap().to_le_bytes();
    let place = plain.code.windows(4).position(|window| window == [0x78, 0x56, 0x34, 0x12]).unwrap();
    plain.code[place..place + 4].copy_from_slice(&number);
    assert_eq!(plain.calls(), ["getpid"]);
}

#[test]
fn code_behind_a_function_that_does_not_end_counts() {
    let program = Program::x86(|a| {
        let mut next = a.create_label();
        a.call(next).unwrap();
        a.nop().unwrap();
        a.set_label(&mut next).unwrap();
        call(a, 39);
        a.ret().unwrap();
    });
    assert_eq!(program.answer(), (vec!["getpid"], Vec::new()));
}

#[test]
fn the_way_to_a_call_is_told() {
    let (program, begin) = with_function(|a, function| a.call(function).unwrap());
    let findings = program.findings();
    let way = &findings.calls[&"getpid".parse().unwrap()].way;
    assert_eq!(way.begin, "the kernel enters it");
    assert_eq!(way.functions.iter().map(|site| site.address).collect::<Vec<_>>(), [CODE, begin]);
}

#[test]
fn what_is_counted_is_told() {
    let (program, _) = with_function(|a, function| {
        call(a, 1);
        a.cmp(rdi, rax).unwrap();
        a.mov(rax, qword_ptr(CONSTANTS)).unwrap();
        a.je(function).unwrap();
    });
    let findings = program.findings();
    let object = &findings.objects[0];
    assert_eq!((object.path.as_str(), object.reason.as_str()), ("/program", "program"));
    assert_eq!((object.instructions, object.reached_instructions), (2, 2));
    assert_eq!(
        findings.sites().into_iter().map(|(call, sites)| (call.name(), sites)).collect::<Vec<_>>(),
        [("getpid", 1), ("write", 1)]
    );
}

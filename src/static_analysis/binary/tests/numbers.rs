//! Where the number of a system call comes from, on x86-64.

use iced_x86::code_asm::{
    CodeAssembler, al, dword_ptr, eax, ebx, ecx, edi, edx, esi, ptr, qword_ptr, r8d, r9, r10, rax, rbp, rbx, rcx, rdi, rdx, rsi,
    rsp,
};

use super::super::fixture::{CODE, CONSTANTS, DATA, Program};

const COMPUTED: &str = "the number is computed or read from memory";

/// A program that does this, then makes the call whose number is in `eax`, and ends.
fn before_the_call(write: impl FnOnce(&mut CodeAssembler)) -> Program {
    Program::x86(|a| {
        write(a);
        a.syscall().unwrap();
        a.hlt().unwrap();
    })
}

#[track_caller]
fn assert_found(program: &Program, calls: &[&str]) {
    assert_eq!(program.answer(), (calls.to_vec(), Vec::<String>::new()));
}

#[track_caller]
fn assert_open(program: &Program, calls: &[&str], reasons: &[&str]) {
    assert_eq!(program.answer(), (calls.to_vec(), reasons.iter().map(|reason| (*reason).to_owned()).collect()));
}

#[test]
fn plain_numbers_are_found() {
    assert_found(&before_the_call(|a| a.mov(eax, 39).unwrap()), &["getpid"]);
    assert_found(&before_the_call(|a| a.mov(rax, 231_u64).unwrap()), &["exit_group"]);
    assert_found(&before_the_call(|a| a.xor(eax, eax).unwrap()), &["read"]);
    assert_found(&before_the_call(|a| a.sub(rax, rax).unwrap()), &["read"]);
}

#[test]
fn numbers_that_take_a_way_are_found() {
    let ways: [fn(&mut CodeAssembler); 12] = [
        |a| {
            a.push(39).unwrap();
            a.pop(rax).unwrap();
        },
        |a| {
            a.mov(edi, 39).unwrap();
            a.mov(r8d, edi).unwrap();
            a.mov(eax, r8d).unwrap();
        },
        |a| {
            a.mov(ecx, 3).unwrap();
            a.lea(eax, ptr(rcx + rcx * 8 + 12)).unwrap();
        },
        |a| {
            a.xor(eax, eax).unwrap();
            a.mov(al, 39).unwrap();
        },
        |a| {
            a.mov(dword_ptr(rsp - 20), 39).unwrap();
            a.mov(eax, dword_ptr(rsp - 20)).unwrap();
        },
        |a| {
            a.push(rbp).unwrap();
            a.mov(rbp, rsp).unwrap();
            a.sub(rsp, 32).unwrap();
            a.mov(qword_ptr(rbp - 8), 39).unwrap();
            a.mov(rax, qword_ptr(rsp + 24)).unwrap();
        },
        |a| {
            a.mov(eax, 38).unwrap();
            a.inc(eax).unwrap();
        },
        |a| {
            a.mov(eax, 41).unwrap();
            a.dec(eax).unwrap();
            a.sub(eax, 1).unwrap();
        },
        |a| {
            a.mov(ecx, 39).unwrap();
            a.mov(eax, 1).unwrap();
            a.xchg(rax, rcx).unwrap();
        },
        |a| {
            a.mov(eax, -40).unwrap();
            a.not(eax).unwrap();
        },
        |a| {
            a.mov(eax, -39).unwrap();
            a.neg(eax).unwrap();
        },
        |a| {
            a.mov(eax, 0x9c).unwrap();
            a.shr(eax, 2).unwrap();
            a.and(eax, 0x3f).unwrap();
            a.or(eax, 0).unwrap();
        },
    ];
    for (index, way) in ways.into_iter().enumerate() {
        assert_eq!(before_the_call(way).answer(), (vec!["getpid"], Vec::new()), "way {index}");
    }
}

#[test]
fn every_number_of_a_choice_is_found() {
    assert_found(
        &before_the_call(|a| {
            a.mov(eax, 0).unwrap();
            a.mov(ecx, 1).unwrap();
            a.test(rdi, rdi).unwrap();
            a.cmovg(eax, ecx).unwrap();
        }),
        &["read", "write"],
    );
    assert_found(
        &before_the_call(|a| {
            // What compilers make of `flag ? 57 : 41`.
            a.cmp(edi, 1).unwrap();
            a.sbb(eax, eax).unwrap();
            a.and(eax, 16).unwrap();
            a.add(eax, 41).unwrap();
        }),
        &["fork", "socket"],
    );
    assert_found(
        &before_the_call(|a| {
            a.xor(eax, eax).unwrap();
            a.cmp(edi, 1).unwrap();
            a.sete(al).unwrap();
            a.add(eax, 39).unwrap();
        }),
        &["getpid", "sendfile"],
    );
    assert_found(
        &before_the_call(|a| {
            let (mut other, mut join) = (a.create_label(), a.create_label());
            a.test(edi, edi).unwrap();
            a.jl(other).unwrap();
            a.mov(eax, 0).unwrap();
            a.jmp(join).unwrap();
            a.set_label(&mut other).unwrap();
            a.mov(eax, 1).unwrap();
            a.set_label(&mut join).unwrap();
            a.nop().unwrap();
        }),
        &["read", "write"],
    );
}

#[test]
fn comparison_with_a_number_tells_the_number() {
    let program = Program::x86(|a| {
        let mut zero = a.create_label();
        a.mov(eax, edi).unwrap();
        a.test(eax, eax).unwrap();
        a.je(zero).unwrap();
        a.mov(eax, 39).unwrap();
        a.syscall().unwrap();
        a.hlt().unwrap();
        a.set_label(&mut zero).unwrap();
        a.syscall().unwrap();
        a.hlt().unwrap();
    });
    assert_found(&program, &["getpid", "read"]);
    let program = before_the_call(|a| {
        let mut other = a.create_label();
        a.mov(eax, esi).unwrap();
        a.cmp(eax, 39).unwrap();
        a.jne(other).unwrap();
        a.syscall().unwrap();
        a.set_label(&mut other).unwrap();
        a.mov(eax, 1).unwrap();
    });
    assert_found(&program, &["getpid", "write"]);
}

#[test]
fn numbers_in_constant_data_are_found_and_others_stay_open() {
    let from = |address: u64| before_the_call(|a| a.mov(rax, qword_ptr(address)).unwrap());
    assert_found(&from(CONSTANTS + 8).with_constants(&[0, 39]), &["getpid"]);
    assert_open(&from(DATA + 8).with_data(&[0, 39]), &[], &[COMPUTED]);
    assert_open(&before_the_call(|a| a.mov(eax, dword_ptr(rdi)).unwrap()), &[], &[COMPUTED]);
    assert_open(&before_the_call(|a| a.rdtsc().unwrap()), &[], &[COMPUTED]);
}

#[test]
fn what_is_known_is_told_even_if_more_is_possible() {
    let program = before_the_call(|a| {
        a.mov(eax, 39).unwrap();
        a.mov(ecx, dword_ptr(rdi)).unwrap();
        a.cmp(edx, 3).unwrap();
        a.cmovne(eax, ecx).unwrap();
    });
    assert_open(&program, &["getpid"], &[COMPUTED]);
}

#[test]
fn a_call_keeps_what_the_convention_says_it_keeps() {
    let over_a_call = |kept: bool| {
        Program::x86(|a| {
            let mut other = a.create_label();
            a.mov(if kept { ebx } else { esi }, 39).unwrap();
            a.call(other).unwrap();
            a.mov(eax, if kept { ebx } else { esi }).unwrap();
            a.syscall().unwrap();
            a.hlt().unwrap();
            a.set_label(&mut other).unwrap();
            a.ret().unwrap();
        })
    };
    assert_found(&over_a_call(true), &["getpid"]);
    assert_open(&over_a_call(false), &[], &[COMPUTED]);
}

#[test]
fn the_kernels_answer_is_no_number() {
    let program = before_the_call(|a| {
        a.mov(eax, 39).unwrap();
        a.syscall().unwrap();
    });
    assert_open(&program, &["getpid"], &[COMPUTED]);
}

#[test]
fn places_on_the_stack_are_forgotten_when_somebody_else_may_write_to_them() {
    let spilled = |exposed: bool| {
        Program::x86(|a| {
            let mut other = a.create_label();
            a.sub(rsp, 24).unwrap();
            a.mov(qword_ptr(rsp + 8), 39).unwrap();
            a.lea(if exposed { rdi } else { r10 }, ptr(rsp + 8)).unwrap();
            a.call(other).unwrap();
            a.mov(rax, qword_ptr(rsp + 8)).unwrap();
            a.syscall().unwrap();
            a.hlt().unwrap();
            a.set_label(&mut other).unwrap();
            a.ret().unwrap();
        })
    };
    assert_found(&spilled(false), &["getpid"]);
    assert_open(&spilled(true), &[], &[COMPUTED]);
    let filled = before_the_call(|a| {
        a.sub(rsp, 24).unwrap();
        a.mov(qword_ptr(rsp + 8), 39).unwrap();
        a.mov(rdi, rsp).unwrap();
        a.rep().stosq().unwrap();
        a.mov(rax, qword_ptr(rsp + 8)).unwrap();
    });
    assert_open(&filled, &[], &[COMPUTED]);
    let overlapped = before_the_call(|a| {
        a.mov(qword_ptr(rsp - 16), 39).unwrap();
        a.mov(dword_ptr(rsp - 14), ecx).unwrap();
        a.mov(rax, qword_ptr(rsp - 16)).unwrap();
    });
    assert_open(&overlapped, &[], &[COMPUTED]);
}

#[test]
fn an_aligned_stack_is_still_followed() {
    let program = before_the_call(|a| {
        a.push(rbp).unwrap();
        a.mov(rbp, rsp).unwrap();
        a.push(rbx).unwrap();
        a.and(rsp, -16).unwrap();
        a.mov(qword_ptr(rsp), 39).unwrap();
        a.mov(rax, qword_ptr(rbp - 16)).unwrap();
    });
    assert_found(&program, &["getpid"]);
}

#[test]
fn number_given_to_a_function_is_found_at_its_calls() {
    let program = Program::x86(|a| {
        let (mut invoke, mut hand_on) = (a.create_label(), a.create_label());
        a.mov(edi, 39).unwrap();
        a.call(invoke).unwrap();
        a.mov(edi, 60).unwrap();
        a.call(hand_on).unwrap();
        a.hlt().unwrap();
        a.set_label(&mut hand_on).unwrap();
        a.nop().unwrap();
        a.jmp(invoke).unwrap();
        a.set_label(&mut invoke).unwrap();
        a.mov(rax, rdi).unwrap();
        a.mov(rdi, rsi).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_found(&program, &["exit", "getpid"]);
    assert_eq!(program.findings().calls[&"exit".parse().unwrap()].sites.len(), 1);
}

#[test]
fn number_given_on_the_stack_is_found() {
    let program = Program::x86(|a| {
        let (mut invoke, mut hand_on) = (a.create_label(), a.create_label());
        a.push(39).unwrap();
        a.push(1).unwrap();
        a.call(hand_on).unwrap();
        a.hlt().unwrap();
        // The second of its parameters on the stack becomes the first of the next function's.
        a.set_label(&mut hand_on).unwrap();
        a.sub(rsp, 8).unwrap();
        a.push(qword_ptr(rsp + 24)).unwrap();
        a.call(invoke).unwrap();
        a.add(rsp, 16).unwrap();
        a.ret().unwrap();
        a.set_label(&mut invoke).unwrap();
        a.mov(rax, qword_ptr(rsp + 8)).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_found(&program, &["getpid"]);
}

#[test]
fn number_given_to_a_function_that_is_called_through_a_pointer_stays_open() {
    let program = Program::x86(|a| {
        let mut invoke = a.create_label();
        a.lea(r9, ptr(invoke)).unwrap();
        a.mov(edi, 39).unwrap();
        a.call(r9).unwrap();
        a.hlt().unwrap();
        a.set_label(&mut invoke).unwrap();
        a.mov(rax, rdi).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    let (calls, open) = program.answer();
    assert_eq!(calls, [""; 0]);
    assert!(open[0].contains("may be called through a pointer"), "{open:?}");
}

#[test]
fn unknown_number_given_to_a_function_is_told_at_the_call() {
    let program = Program::x86(|a| {
        let mut invoke = a.create_label();
        a.mov(rdi, qword_ptr(rdi)).unwrap();
        a.call(invoke).unwrap();
        a.hlt().unwrap();
        a.set_label(&mut invoke).unwrap();
        a.mov(rax, rdi).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    let unresolved = program.findings().unresolved;
    assert_eq!(unresolved.len(), 1);
    assert_eq!(unresolved[0].site.address, CODE + 3);
    assert!(unresolved[0].reason.starts_with("the number handed to the function at "), "{unresolved:?}");
}

#[test]
fn a_number_handed_on_without_end_stays_open() {
    let program = Program::x86(|a| {
        let mut labels: Vec<_> = (0..30).map(|_| a.create_label()).collect();
        a.mov(edi, 39).unwrap();
        a.call(labels[0]).unwrap();
        a.hlt().unwrap();
        for index in 0..29 {
            a.set_label(&mut labels[index]).unwrap();
            a.call(labels[index + 1]).unwrap();
            a.ret().unwrap();
        }
        a.set_label(&mut labels[29]).unwrap();
        a.mov(rax, rdi).unwrap();
        a.syscall().unwrap();
        a.ret().unwrap();
    });
    assert_open(&program, &[], &["the number is handed on through too many functions"]);
}

#[test]
fn what_stands_behind_a_call_without_return_does_not_count() {
    let program = Program::x86(|a| {
        let (mut fine, mut stop) = (a.create_label(), a.create_label());
        a.mov(ecx, 39).unwrap();
        a.test(edi, edi).unwrap();
        a.jg(fine).unwrap();
        a.call(stop).unwrap();
        a.set_label(&mut fine).unwrap();
        a.mov(eax, ecx).unwrap();
        a.syscall().unwrap();
        a.hlt().unwrap();
        a.set_label(&mut stop).unwrap();
        a.mov(eax, 231).unwrap();
        a.syscall().unwrap();
        a.jmp(stop).unwrap();
    });
    assert_found(&program, &["exit_group", "getpid"]);
}

#[test]
fn jumps_by_a_table_lead_everywhere_the_table_says() {
    let write = |a: &mut CodeAssembler| {
        let mut join = a.create_label();
        a.jmp(qword_ptr(rdi * 8 + CONSTANTS)).unwrap();
        for number in [39, 57] {
            a.mov(eax, number).unwrap();
            a.jmp(join).unwrap();
        }
        a.set_label(&mut join).unwrap();
        a.syscall().unwrap();
        a.hlt().unwrap();
    };
    let program = Program::x86(write);
    // The jump has 7 bytes, as has each case.
    let cases = [CODE + 7, CODE + 14];
    assert_found(&program.clone().with_constants(&[cases[0], cases[1], 0]), &["fork", "getpid"]);
    // Without a table, the number may be any of those, or what it was before.
    let (calls, open) = program.with_constants(&[0, 0]).answer();
    assert_eq!((calls, open.len()), (vec!["fork", "getpid"], 1));
}

#[test]
fn loops_come_to_an_end() {
    let program = before_the_call(|a| {
        let mut again = a.create_label();
        a.mov(eax, 0).unwrap();
        a.set_label(&mut again).unwrap();
        a.inc(eax).unwrap();
        a.push(rdx).unwrap();
        a.cmp(eax, 1000).unwrap();
        a.jl(again).unwrap();
    });
    let (calls, open) = program.answer();
    assert!(calls.contains(&"write"));
    assert_eq!(open, [COMPUTED]);
}

#[test]
fn numbers_of_other_abis_and_of_no_call_are_told_apart() {
    assert_open(&before_the_call(|a| a.mov(eax, 0x4000_0027).unwrap()), &[], &["call 39 of the x32 ABI"]);
    let program = before_the_call(|a| a.mov(eax, 5000).unwrap());
    assert_found(&program, &[]);
    assert_eq!(program.findings().unknown_numbers.keys().collect::<Vec<_>>(), [&5000]);
    let program = Program::x86(|a| {
        a.mov(eax, 1).unwrap();
        a.int(0x80).unwrap();
        a.hlt().unwrap();
    });
    assert_open(&program, &[], &["a call of the 32-bit ABI, whose numbers are others"]);
    // The kernel looks at 32 bits.
    assert_found(&before_the_call(|a| a.mov(rax, 0x1_0000_0027_u64).unwrap()), &["getpid"]);
}

#[test]
fn instructions_that_nobody_knows_here_are_taken_to_write_anything() {
    let program = before_the_call(|a| {
        a.mov(eax, 39).unwrap();
        a.popcnt(eax, esi).unwrap();
    });
    assert_open(&program, &[], &[COMPUTED]);
    let program = before_the_call(|a| {
        a.mov(eax, 39).unwrap();
        a.cpuid().unwrap();
    });
    assert_open(&program, &[], &[COMPUTED]);
    let program = before_the_call(|a| {
        a.mov(qword_ptr(rsp - 8), 39).unwrap();
        a.movups(ptr(rsp - 16), iced_x86::code_asm::xmm0).unwrap();
        a.mov(rax, qword_ptr(rsp - 8)).unwrap();
    });
    assert_open(&program, &[], &[COMPUTED]);
}

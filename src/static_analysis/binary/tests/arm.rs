//! The same on 64-bit ARM. Instructions stand beside their encodings as an assembler gives them.

use super::super::fixture::{CODE, CONSTANTS, Program};

const SVC: u32 = 0xd400_0001;
const RET: u32 = 0xd65f_03c0;
const BRK: u32 = 0xd420_0000;
/// `mov x8, #172`
const MOV_X8_172: u32 = 0xd280_1588;

fn answer(words: &[u32]) -> (Vec<&'static str>, usize) {
    let (calls, open) = Program::arm(words).answer();
    (calls, open.len())
}

#[test]
fn numbers_that_take_a_way_are_found() {
    let ways: [&[u32]; 8] = [
        &[MOV_X8_172],
        // mov w8, #172
        &[0x5280_1588],
        // mov x0, #172; mov x8, x0
        &[0xd280_1580, 0xaa00_03e8],
        // mov w1, #100; add w8, w1, #72
        &[0x5280_0c81, 0x1101_2028],
        // mov x8, #171; sub sp, sp, #16; str x8, [sp, #8]; ldr x9, [sp, #8]; add x8, x9, #1
        &[0xd280_1568, 0xd100_43ff, 0xf900_07e8, 0xf940_07e9, 0x9100_0528],
        // mov x1, #172; stp x1, x2, [sp, #-16]!; ldp x8, x2, [sp], #16
        &[0xd280_1581, 0xa9bf_0be1, 0xa8c1_0be8],
        // mov x8, #0; movk x8, #172
        &[0xd280_0008, 0xf280_1588],
        // mov w9, #-173; mvn w8, w9
        &[0x1280_1589, 0x2a29_03e8],
    ];
    for (index, way) in ways.into_iter().enumerate() {
        assert_eq!(answer(&[way, &[SVC, BRK]].concat()), (vec!["getpid"], 0), "way {index}");
    }
    // orr w8, wzr, #0x38 (56), as Go's assembler writes it; orr x8, xzr, #0x7f (127)
    assert_eq!(answer(&[0x321d_0be8, SVC, BRK]), (vec!["openat"], 0));
    assert_eq!(answer(&[0xb240_1be8, SVC, BRK]), (vec!["sched_rr_get_interval"], 0));
}

#[test]
fn every_number_of_a_choice_is_found() {
    // mov w1, #63; mov w2, #64; cmp w0, #0; csel w8, w1, w2, gt
    assert_eq!(answer(&[0x5280_07e1, 0x5280_0802, 0x7100_001f, 0x1a82_c028, SVC, BRK]), (vec!["read", "write"], 0));
    // cmp w0, #0; cset w8, eq; add w8, w8, #63
    assert_eq!(answer(&[0x7100_001f, 0x1a9f_17e8, 0x1100_fd08, SVC, BRK]), (vec!["read", "write"], 0));
    // mov w8, w0; cbz w8, over the next two; mov w8, #172; svc
    assert_eq!(answer(&[0x2a00_03e8, 0x3400_0068, MOV_X8_172, SVC, SVC, BRK]), (vec!["getpid", "io_setup"], 0));
}

#[test]
fn number_given_to_a_function_is_found_at_its_calls() {
    // mov x0, #172; bl +8; brk; mov x8, x0; svc; ret
    assert_eq!(answer(&[0xd280_1580, 0x9400_0002, BRK, 0xaa00_03e8, SVC, RET]), (vec!["getpid"], 0));
    // The same on the stack: mov x0, #172; str x0, [sp, #-16]!; bl +8; brk; ldr x8, [sp]; svc; ret
    assert_eq!(answer(&[0xd280_1580, 0xf81f_0fe0, 0x9400_0002, BRK, 0xf940_03e8, SVC, RET]), (vec!["getpid"], 0));
}

#[test]
fn a_call_keeps_what_the_convention_says_it_keeps() {
    // mov x19, #172; bl +16; mov x8, x19; svc; brk; ret
    assert_eq!(answer(&[0xd280_1593, 0x9400_0004, 0xaa13_03e8, SVC, BRK, RET]), (vec!["getpid"], 0));
    // The same with x9.
    assert_eq!(answer(&[0xd280_1589, 0x9400_0004, 0xaa09_03e8, SVC, BRK, RET]), (vec![], 1));
}

#[test]
fn what_is_read_from_memory_stays_open_unless_it_is_constant() {
    // adrp x1, CONSTANTS; ldr x8, [x1, #8]
    let adrp = 0x9000_0001 | u32::try_from((CONSTANTS - CODE + 0x1000) >> 12 >> 2).unwrap() << 5 & 0x00ff_ffe0;
    let pages = (CONSTANTS & !0xfff) - (CODE & !0xfff);
    let (low, high) = (pages >> 12 & 3, pages >> 14);
    let adrp = adrp & 0x9f00_001f | u32::try_from(low << 29 | high << 5).unwrap();
    let program = Program::arm(&[adrp, 0xf940_0428, SVC, BRK]);
    assert_eq!(program.with_constants(&[0, 172]).calls(), ["getpid"]);
    // ldr x8, [x0]; ldr x8, [x0, x1]; ldxr w8, [x0]; mrs x8, tpidr_el0
    for load in [0xf940_0008, 0xf861_6808, 0x885f_7c08, 0xd53b_d048] {
        assert_eq!(answer(&[MOV_X8_172, load, SVC, BRK]), (vec![], 1), "{load:#x}");
    }
    // Comparisons and stores write to no register: cmp x8, #1; str x8, [x0]; ccmp x0, #8, #0, ne; nop
    for harmless in [0xf100_051f, 0xf900_0008, 0xfa48_1800, 0xd503_201f] {
        assert_eq!(answer(&[MOV_X8_172, harmless, SVC, BRK]), (vec!["getpid"], 0), "{harmless:#x}");
    }
}

#[test]
fn functions_whose_address_somebody_has_count() {
    // adr x9, +16; blr x9; brk; brk; mov x8, #172; svc; ret
    assert_eq!(answer(&[0x1000_0089, 0xd63f_0120, BRK, BRK, MOV_X8_172, SVC, RET]), (vec!["getpid"], 0));
    // adrp x9, here; add x9, x9, #16; blr x9; brk; …
    assert_eq!(answer(&[0x9000_0009, 0x9100_4129, 0xd63f_0120, BRK, MOV_X8_172, SVC, RET]), (vec!["getpid"], 0));
    // Nobody has it: brk; mov x8, #172; svc; ret
    assert_eq!(answer(&[BRK, MOV_X8_172, SVC, RET]), (vec![], 0));
}

#[test]
fn returning_from_a_signal_is_the_vdsos_doing() {
    // mov x8, #134 (rt_sigaction)
    let findings = Program::arm(&[0xd280_10c8, SVC, BRK]).findings();
    let back = &findings.calls[&"rt_sigreturn".parse().unwrap()];
    assert_eq!(back.sites.iter().map(ToString::to_string).collect::<Vec<_>>(), ["[vdso]:0x0 __kernel_rt_sigreturn"]);
}

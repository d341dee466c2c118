//! The whole analysis, on small sources.

use std::collections::BTreeMap;
use std::num::NonZero;

use proptest::prelude::*;

use super::*;

fn of(files: &[(&str, &str)]) -> SourceFindings {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), content: Bytes::from((*text).to_owned()) })
        .collect();
    analyse(&files, BTreeMap::new(), Architecture::X86_64, NonZero::<usize>::MIN)
}

/// Every call with its uses, as text.
fn uses(findings: &SourceFindings) -> Vec<String> {
    let line = |(call, uses): (&crate::syscalls::Sysno, &std::collections::BTreeSet<Use>)| {
        let uses: Vec<_> = uses.iter().map(ToString::to_string).collect();
        format!("{call}: {}", uses.join(", "))
    };
    findings.calls.iter().map(line).collect()
}

fn one(text: &str) -> SourceFindings {
    of(&[("a.c", text)])
}

fn doubts(doubts: &[Doubt]) -> Vec<String> {
    doubts.iter().map(ToString::to_string).collect()
}

#[test]
fn libc_functions_are_found_with_file_and_line() {
    let findings = of(&[
        ("src/a.c", "#include <fcntl.h>\nint f(void) {\n  int fd = open(\"x\", 0);\n  return fsync(fd) || (close)(fd);\n}\n"),
        ("src/b.c", "void g(void) { fork(); }\n"),
    ]);
    assert_eq!(
        uses(&findings),
        [
            "clone: src/b.c:1 fork function",
            "close: src/a.c:4 close function",
            "fsync: src/a.c:4 fsync function",
            "openat: src/a.c:3 open function",
        ]
    );
    assert_eq!((findings.files, findings.architecture.as_str()), (2, "x86_64"));
    assert_eq!(findings.sites()[&"fsync".parse().unwrap()], 1);
}

#[test]
fn raw_numbers_are_found_in_every_spelling() {
    let findings = one("#define NUMBER SYS_getpid\n#define OTHER (__NR_gettid)\nvoid f(int a) {\n\
        syscall(SYS_futex, 1);\nsyscall(__NR_openat2);\nsyscall(39);\nsyscall(0x27L);\nsyscall(NUMBER);\nsyscall(OTHER);\n\
        syscall((long) SYS_read);\nsyscall(a ? SYS_dup2 : SYS_dup3);\n}\n");
    assert_eq!(
        uses(&findings),
        [
            "dup2: a.c:11 syscall number",
            "dup3: a.c:11 syscall number",
            "futex: a.c:4 syscall number",
            "getpid: a.c:6 syscall number, a.c:7 syscall number, a.c:8 syscall number",
            "gettid: a.c:9 syscall number",
            "openat2: a.c:5 syscall number",
            "read: a.c:10 syscall number",
        ]
    );
    assert!(findings.unresolved.is_empty());
}

#[test]
fn numbers_that_are_not_known_are_told() {
    let findings = one(
        "void f(long n, long *p) {\nlong m = n;\nsyscall(m);\nsyscall(p[0]);\nsyscall(9999);\nsyscall(SYS_nothing);\nsyscall();\n}\n",
    );
    assert_eq!(
        doubts(&findings.unresolved),
        [
            "a.c:3: the number is `m`",
            "a.c:4: the number is `p[0]`",
            "a.c:5: 9999 is no system call of x86_64",
            "a.c:6: `nothing` is no system call of x86_64",
            "a.c:7: `syscall` is given something that is no name or number",
        ]
    );
    assert!(findings.calls.is_empty());
}

#[test]
fn a_number_that_nobody_gives_is_told() {
    let findings = one("long invoke(long n) {\n  return syscall(n);\n}\n");
    assert_eq!(doubts(&findings.unresolved), ["a.c:2: the number is a parameter of `invoke`, which is not called here"]);
}

#[test]
fn functions_and_macros_that_are_given_a_number_are_followed() {
    let findings = of(&[
        (
            "a.h",
            "#define CALL(name, ...) syscall(__NR_##name, ##__VA_ARGS__)\n#define TWICE(n) do { \\\n  invoke(n); \\\n} while (0)\n",
        ),
        (
            "a.c",
            "static long invoke(long n) { return syscall(n, 0); }\nlong hand_on(int a, long number) { return invoke(number); }\n",
        ),
        ("b.c", "void f(void) {\nCALL(gettid);\nTWICE(SYS_getpid);\nhand_on(1, SYS_getuid);\nhand_on(1, x);\n}\n"),
    ]);
    assert_eq!(uses(&findings), ["getpid: b.c:3 TWICE number", "gettid: b.c:2 CALL number", "getuid: b.c:4 hand_on number"]);
    assert_eq!(doubts(&findings.unresolved), ["b.c:5: the number is `x`"]);
}

#[test]
fn bodies_of_macros_count_where_they_are_defined() {
    let findings = one(
        "#define SAVE(fd, buffer) \\\n  do { \\\n    write(fd, buffer, 1); \\\n  } while (0)\n#define gettid() syscall(SYS_gettid)\n\
        #define my_close close\nvoid f(void) { SAVE(1, 0); gettid(); my_close(1); }\n",
    );
    assert_eq!(uses(&findings), ["close: a.c:7 close function", "gettid: a.c:5 syscall number", "write: a.c:3 write function"]);
}

#[test]
fn comments_in_bodies_of_macros_do_not_end_them() {
    let findings =
        one("#define SAVE(fd) do { \\\n  /* first */ \\\n  write(fd, 0, 1); /* then\n  */ fsync(fd); \\\n} while (0)\n");
    assert_eq!(uses(&findings), ["fsync: a.c:4 fsync function", "write: a.c:3 write function"]);
    assert!(findings.parse_errors.is_empty(), "{:?}", findings.parse_errors);
}

#[test]
fn names_that_the_sources_define_are_not_libcs() {
    let findings = of(&[
        (
            "a.c",
            "static int read(int x) { return x; }\nint send(int x) { return read(x); }\nvoid f(void) { connect(1, 0, 0); }\n",
        ),
        ("b.c", "void g(void) { read(0, 0, 0); send(1); }\n"),
        (
            "c.h",
            "#ifndef C_H\n#define C_H\n#ifndef HAVE_CONNECT\nint connect(int a) { return a; }\n#endif\nint poll(int a) { return a; }\n#endif\n",
        ),
        ("d.c", "void h(void) { poll(1); }\n"),
    ]);
    // Another file's static function is not seen, and one under a condition may not be there.
    assert_eq!(uses(&findings), ["connect: a.c:3 connect function", "read: b.c:1 read function"]);
    assert_eq!(findings.own, BTreeMap::from([("poll".to_owned(), 1), ("read".to_owned(), 1), ("send".to_owned(), 1)]));
}

#[test]
fn addresses_of_functions_count_and_variables_of_their_name_do_not() {
    let findings = one("struct table { int (*f)(); };\nstruct table t = { .f = rename };\nint (*p)(const char *) = unlink;\n\
        void f(int pipe, int *accept) {\nregister_it(chdir, &umask, pipe);\np = (int (*)(const char *)) rmdir;\nint kill = 1, stat;\nuse(kill, stat, accept);\n}\n");
    assert_eq!(
        uses(&findings),
        [
            "chdir: a.c:5 chdir address",
            "rename: a.c:2 rename address",
            "rmdir: a.c:6 rmdir address",
            "umask: a.c:5 umask address",
            "unlink: a.c:3 unlink address",
        ]
    );
}

#[test]
fn calls_through_pointers_and_assembly_are_told() {
    let findings = one("void f(struct s *s) {\ns->read(1);\n(*s->write)(2);\ntable[3](4);\n\
        __asm__ volatile (\"syscall\" : \"=a\"(r) : \"a\"(39));\n__asm__(\"nop # mysyscalls\");\nasm(\"svc #0\");\n}\n");
    assert_eq!(findings.indirect_calls, 3);
    assert_eq!(doubts(&findings.assembly), ["a.c:5: assembly that calls the kernel", "a.c:7: assembly that calls the kernel"]);
    assert!(findings.calls.is_empty());
}

#[test]
fn what_is_not_understood_is_told_and_the_rest_is_read() {
    let findings = one("void f(void) { open(1); }\n}}} what @ is this\nvoid g(void) { fsync(1); }\n");
    assert_eq!(uses(&findings), ["fsync: a.c:3 fsync function", "openat: a.c:1 open function"]);
    let lines: Vec<_> = findings.parse_errors.iter().map(|error| error.place.line).collect();
    assert!(lines.contains(&2), "{lines:?}");
    assert!(one("int x;\n").parse_errors.is_empty());
}

#[test]
fn comments_and_texts_are_no_calls() {
    let findings =
        one("/* open(1); */ // fork();\nconst char *t = \"close(1)\";\nint fsync(int);\nvoid f(void) { x.sync = 1; }\n");
    assert!(findings.calls.is_empty(), "{:?}", findings.calls);
}

#[test]
fn circles_of_macros_come_to_an_end() {
    let findings = one("#define A B\n#define B A\n#define open open\nvoid f(void) { A(1); syscall(B); open(1); }\n");
    assert_eq!(uses(&findings), ["openat: a.c:4 open function"]);
    assert_eq!(findings.unresolved.len(), 1);
}

proptest! {
    #[test]
    fn no_text_makes_the_analysis_panic(text in "[a-z(){};#\\\\\n \"'*,=&0-9]{0,200}", rest in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut content = text.into_bytes();
        content.extend(b"\n#define open(x) syscall(__NR_##x, ");
        content.extend(rest);
        let file = SourceFile { path: "a.c".to_owned(), content: Bytes::from(content) };
        drop(analyse(&[file], BTreeMap::new(), Architecture::X86_64, NonZero::<usize>::MIN));
    }
}

//! Static analysis of binaries from outside: programs and shared objects made by a compiler, the whole of a C library, and the
//! measured apps, whose traces have to be among what is reported.
//!
//! Needs a C compiler, and Docker for the images of the measured apps, which are built if they are not there.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;

mod common;

use common::{Need, met, runs};
use loupe::engine::docker::DockerEngine;
use loupe::report::missed;
use loupe::static_analysis::archive::Archive;
use loupe::static_analysis::binary::{Findings, Request, analyse};
use loupe::static_analysis::folder::Folder;
use loupe::static_analysis::root::Root;
use loupe::store::{Analysis, AnalysisTable, Store};
use loupe::syscalls::{Architecture, Sysno};
use proptest::prelude::*;

/// What each source begins with: a system call without any library.
const PRELUDE: &str = "
#if defined(__x86_64__)
#define MAKE(number) __asm__ volatile(\"syscall\" :: \"a\"((long) (number)) : \"rcx\", \"r11\", \"memory\")
#else
#define MAKE(number) do { register long n __asm__(\"x8\") = (number); __asm__ volatile(\"svc 0\" :: \"r\"(n) : \"x0\", \"memory\"); } while (0)
#endif
#include <sys/syscall.h>
";

/// A folder that is a system of its own, whose loader and libraries are what a test makes them.
struct System {
    folder: tempfile::TempDir,
}

impl System {
    /// With a loader that makes one call; `None` without a C compiler.
    fn new() -> Option<Self> {
        if !common::has_compiler() {
            return None;
        }
        let system = Self { folder: tempfile::tempdir().unwrap() };
        system.object("ld.so", "void _start(void) { MAKE(SYS_brk); }", &["-Wl,-e,_start"]);
        Some(system)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn compile(&self, name: &str, source: &str, arguments: &[&str]) {
        let file = self.path(&format!("{name}.c"));
        fs::write(&file, format!("{PRELUDE}{source}")).unwrap();
        let output = Command::new("cc")
            .args(["-O1", "-nostdlib", "-fno-stack-protector", "-Wl,--no-as-needed", "-o"])
            .arg(self.path(name))
            .arg(&file)
            .args(arguments)
            .arg(format!("-L{}", self.folder.path().display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A shared object.
    fn object(&self, name: &str, source: &str, arguments: &[&str]) {
        let soname = format!("-Wl,-soname,{name}");
        self.compile(name, source, &[&["-shared", "-fPIC", &soname][..], arguments].concat());
    }

    /// A program whose loader is the system's.
    fn program(&self, name: &str, source: &str, arguments: &[&str]) {
        let loader =
            ["-fPIE", "-pie", "-Wl,--dynamic-linker=/ld.so", "-Wl,-rpath,$ORIGIN", "-Wl,--unresolved-symbols=ignore-all"];
        self.compile(name, source, &[&loader[..], arguments].concat());
    }

    fn analyse(&self, request: &Request) -> Findings {
        analyse(&Folder::new(self.folder.path()), request).unwrap()
    }

    fn findings(&self, program: &str) -> Findings {
        self.analyse(&request(program))
    }

    /// The calls of a program other than the loader's.
    fn calls(&self, program: &str) -> Vec<&'static str> {
        names(&self.findings(program))
    }
}

fn request(program: &str) -> Request {
    Request {
        program: program.to_owned(),
        also: Vec::new(),
        environment: BTreeMap::new(),
        folder: "/".to_owned(),
        threads: NonZero::new(2).unwrap(),
    }
}

/// The reported calls without `brk`, which the loader of a [`System`] makes.
fn names(findings: &Findings) -> Vec<&'static str> {
    findings.calls.keys().map(|call| call.name()).filter(|name| *name != "brk").collect()
}

const USES_FIRST: &str = "void first(void); void _start(void) { first(); }";

#[test]
fn only_what_is_used_of_a_library_counts() {
    let Some(system) = System::new() else { return };
    system.object("libone.so", "void first(void) { MAKE(SYS_getpid); } void second(void) { MAKE(SYS_getuid); }", &[]);
    system.program("tool", USES_FIRST, &["-lone"]);
    let findings = system.findings("/tool");
    assert_eq!(names(&findings), ["getpid"]);
    assert!(findings.calls.contains_key(&"brk".parse().unwrap()), "the loader runs, too");
    let objects: Vec<_> = findings.objects.iter().map(|object| (object.path.as_str(), object.reason.as_str())).collect();
    assert_eq!(objects, [("/tool", "program"), ("/libone.so", "needed by /tool"), ("/ld.so", "loader")]);
    let site = findings.calls[&"getpid".parse().unwrap()].sites.first().unwrap();
    assert_eq!((site.object.as_str(), site.function.as_str()), ("/libone.so", "first"));
    assert!(findings.unresolved.is_empty() && findings.missing.is_empty() && findings.notes.is_empty());
}

#[test]
fn what_the_loader_calls_and_what_stands_in_data_counts() {
    let Some(system) = System::new() else { return };
    system.object(
        "libone.so",
        "static void begin(void) { MAKE(SYS_getppid); } static void end(void) { MAKE(SYS_getgid); }
         static void entry(void) { MAKE(SYS_getuid); } static void unused(void) { MAKE(SYS_sync); }
         __attribute__((section(\".init_array\"), used)) static void (*begins)(void) = begin;
         __attribute__((section(\".fini_array\"), used)) static void (*ends)(void) = end;
         void (*table[])(void) = { 0, entry };
         void first(void) { MAKE(SYS_getpid); } void never(void) { unused(); }",
        &[],
    );
    system.program("tool", USES_FIRST, &["-lone"]);
    assert_eq!(system.calls("/tool"), ["getgid", "getpid", "getppid", "getuid"]);
}

#[test]
fn resolvers_count_with_everything_that_they_may_return() {
    let Some(system) = System::new() else { return };
    system.object(
        "libone.so",
        "int fast; static void quick(void) { MAKE(SYS_getuid); } static void slow(void) { MAKE(SYS_getgid); }
         static void (*choose(void))(void) { MAKE(SYS_getpid); return fast ? quick : slow; }
         void first(void) __attribute__((ifunc(\"choose\")));",
        &[],
    );
    system.program("tool", USES_FIRST, &["-lone"]);
    assert_eq!(system.calls("/tool"), ["getgid", "getpid", "getuid"]);
}

#[test]
fn versions_of_symbols_are_told_apart() {
    let Some(system) = System::new() else { return };
    fs::write(system.path("versions"), "OLD { local: *; };\nNEW { global: first; } OLD;\n").unwrap();
    let script = format!("-Wl,--version-script={}", system.path("versions").display());
    system.object(
        "libone.so",
        "__attribute__((symver(\"first@OLD\"))) void old(void) { MAKE(SYS_getuid); }
         __attribute__((symver(\"first@@NEW\"))) void current(void) { MAKE(SYS_getpid); }",
        &[&script],
    );
    system.program("tool", USES_FIRST, &["-lone"]);
    assert_eq!(system.calls("/tool"), ["getpid"]);
}

#[test]
fn preloaded_objects_come_first() {
    let Some(system) = System::new() else { return };
    system.object("libone.so", "void first(void) { MAKE(SYS_getpid); }", &[]);
    system.object("other.so", "void first(void) { MAKE(SYS_getuid); }", &[]);
    system.program("tool", USES_FIRST, &["-lone"]);
    let environment = BTreeMap::from([("LD_PRELOAD".to_owned(), "/other.so".to_owned())]);
    let findings = system.analyse(&Request { environment, ..request("/tool") });
    assert_eq!(names(&findings), ["getuid"]);
    assert_eq!(findings.objects[1].reason, "preloaded");
}

#[test]
fn missing_libraries_and_functions_are_told() {
    let Some(system) = System::new() else { return };
    system.object("libone.so", "void first(void) { MAKE(SYS_getpid); } void second(void) { }", &[]);
    system.program("tool", "void first(void); void second(void); void _start(void) { first(); second(); }", &["-lone"]);
    system.object("libone.so", "void first(void) { MAKE(SYS_getpid); }", &[]);
    let findings = system.findings("/tool");
    assert_eq!(findings.missing.iter().map(|missing| missing.name.as_str()).collect::<Vec<_>>(), ["second"]);
    fs::remove_file(system.path("libone.so")).unwrap();
    let findings = system.findings("/tool");
    let told: Vec<_> = findings.missing.iter().map(|missing| (missing.name.as_str(), missing.wanted_by.as_str())).collect();
    assert_eq!(told, [("libone.so", "/tool"), ("first", "/tool"), ("second", "/tool")]);
}

/// A program that loads an object by its name and looks up one function.
const LOADS: &str = "void *dlopen(const char *, int); void *dlsym(void *, const char *);
    void _start(void) { ((void (*)(void)) dlsym(dlopen(\"libplugin.so\", 1), \"plugin_begin\"))(); }";
const PLUGIN: &str = "void plugin_begin(void) { MAKE(SYS_getpid); } void plugin_other(void) { MAKE(SYS_getuid); }";
const LOADER_FUNCTIONS: &str =
    "void *dlopen(const char *n, int f) { MAKE(SYS_openat); return 0; } void *dlsym(void *h, const char *n) { return 0; }";

fn with_plugins() -> Option<System> {
    let system = System::new()?;
    system.object("libdl.so", LOADER_FUNCTIONS, &[]);
    fs::create_dir_all(system.path("usr/lib")).unwrap();
    system.object("usr/lib/libplugin.so", PLUGIN, &[]);
    Some(system)
}

#[test]
fn objects_named_in_the_code_are_loaded_and_functions_looked_up() {
    let Some(system) = with_plugins() else { return };
    system.program("tool", LOADS, &["-ldl"]);
    let findings = system.findings("/tool");
    assert_eq!(names(&findings), ["getpid", "openat"]);
    assert_eq!(findings.objects.last().unwrap().reason, "named in /tool, which may load it");
    let calls: Vec<_> =
        findings.loader_calls.iter().map(|call| (call.function.as_str(), call.names.join(" "), call.open)).collect();
    assert_eq!(calls, [("dlopen", "libplugin.so".to_owned(), false), ("dlsym", "plugin_begin".to_owned(), false)]);
}

#[test]
fn names_that_are_put_together_are_found_by_their_pattern() {
    let Some(system) = with_plugins() else { return };
    system.program(
        "tool",
        "void *dlopen(const char *, int); void *dlsym(void *, const char *); char *format(const char *, const char *);
         void _start(int argc, char **argv) {
             void *object = dlopen(format(\"lib%sugin.so\", argv[1]), 1);
             ((void (*)(void)) dlsym(object, format(\"%s_begin\", argv[1])))(); }",
        &["-ldl"],
    );
    let findings = system.findings("/tool");
    assert_eq!(names(&findings), ["getpid", "openat"]);
    assert!(findings.loader_calls.iter().all(|call| call.open && call.names.is_empty()), "{:?}", findings.loader_calls);
}

#[test]
fn everything_of_an_object_counts_that_nobody_has_a_name_of() {
    let Some(system) = with_plugins() else { return };
    system.program(
        "tool",
        "void *dlopen(const char *, int); void _start(int argc, char **argv) { dlopen(argv[1], 1); }",
        &["-ldl"],
    );
    assert_eq!(system.calls("/tool"), ["openat"]);
    let also = vec!["/usr/lib/libplugin.so".to_owned()];
    let findings = system.analyse(&Request { also, ..request("/tool") });
    assert_eq!(names(&findings), ["getpid", "getuid", "openat"]);
    assert_eq!(findings.objects.last().unwrap().reason, "added by hand");
}

#[test]
fn programs_that_are_started_can_be_added() {
    let Some(system) = System::new() else { return };
    system.program("tool", "void _start(void) { MAKE(SYS_execve); }", &[]);
    system.program("other", "void _start(void) { MAKE(SYS_getuid); }", &[]);
    let findings = system.findings("/tool");
    assert_eq!(names(&findings), ["execve"]);
    assert!(findings.notes[0].contains("may start other programs"), "{:?}", findings.notes);
    let findings = system.analyse(&Request { also: vec!["/other".to_owned()], ..request("/tool") });
    assert_eq!(names(&findings), ["execve", "getuid"]);
    assert_eq!(findings.programs.iter().map(|program| program.path.as_str()).collect::<Vec<_>>(), ["/tool", "/other"]);
    assert_eq!(findings.objects.len(), 3, "the loader stands there once");
}

#[test]
fn packed_relocations_are_read() {
    let Some(system) = System::new() else { return };
    let source = "static void entry(void) { MAKE(SYS_getuid); } void (*table[])(void) = { 0, entry }; void first(void) { }";
    let packed = ["-Wl,-z,pack-relative-relocs"];
    system.object("libone.so", source, &packed);
    system.program("tool", USES_FIRST, &["-lone"]);
    assert_eq!(system.calls("/tool"), ["getuid"]);
}

#[test]
fn section_headers_are_not_needed() {
    let Some(system) = System::new() else { return };
    system.object(
        "libone.so",
        "static void entry(void) { MAKE(SYS_getuid); } void (*table[])(void) = { entry }; void first(void) { MAKE(SYS_getpid); }",
        &[],
    );
    system.program("tool", USES_FIRST, &["-lone"]);
    let before = system.calls("/tool");
    for name in ["tool", "libone.so", "ld.so"] {
        let mut file = fs::read(system.path(name)).unwrap();
        // e_shoff, e_shnum and e_shstrndx of elf(5).
        file[40..48].fill(0);
        file[60..64].fill(0);
        fs::write(system.path(name), file).unwrap();
    }
    assert_eq!(before, ["getpid", "getuid"]);
    assert_eq!(system.calls("/tool"), before);
}

#[test]
fn scripts_are_analysed_as_their_interpreters() {
    let Some(system) = System::new() else { return };
    system.program("sh", "void _start(void) { MAKE(SYS_execve); }", &[]);
    fs::write(system.path("start"), "#!/sh\nexec tool\n").unwrap();
    let findings = system.findings("/start");
    assert_eq!((findings.programs[0].path.as_str(), &findings.programs[0].scripts[..]), ("/sh", &["/start".to_owned()][..]));
    assert_eq!(names(&findings), ["execve"]);
}

/// A program compiled against the C library of this machine; `None` where that can't be done.
fn with_libc(source: &str, arguments: &[&str]) -> Option<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    let (file, path) = (folder.path().join("tool.c"), folder.path().join("tool"));
    fs::write(&file, source).unwrap();
    if !common::has_compiler() {
        return None;
    }
    let compiled = Command::new("cc").args(["-O1", "-o"]).arg(&path).arg(&file).args(arguments).status().unwrap();
    assert!(compiled.success(), "{} does not compile with {arguments:?}", file.display());
    Some((folder, path))
}

fn on_this_machine(path: &Path) -> Findings {
    analyse(&Folder::of_machine(), &request(path.to_str().unwrap())).unwrap()
}

const NUMBERED: &str = "#define _GNU_SOURCE\n#include <sys/syscall.h>\n#include <unistd.h>\n\
    int main(int argc, char **argv) { return syscall(argc > 1 ? SYS_fsopen : SYS_perf_event_open, 0) != 0; }";

#[test]
fn number_given_to_the_c_librarys_syscall_is_found() {
    for arguments in [&[][..], &["-O0"], &["-static"], &["-static-pie"], &["-no-pie"]] {
        let Some((_folder, path)) = with_libc(NUMBERED, arguments) else { continue };
        let findings = on_this_machine(&path);
        for call in ["fsopen", "perf_event_open"] {
            let reported = findings.calls.get(&call.parse().unwrap());
            let functions: Vec<_> =
                reported.into_iter().flat_map(|reported| &reported.sites).map(|site| &site.function).collect();
            assert!(functions.iter().any(|function| *function == "main"), "{arguments:?}: {call} in {functions:?}");
        }
    }
}

#[test]
fn what_starts_programs_and_threads_is_found_in_the_c_library() {
    let source = "#define _GNU_SOURCE\n#include <pthread.h>\n#include <unistd.h>\n#include <sys/wait.h>\n\
        static void *run(void *p) { return p; }\n\
        int main(void) { pthread_t t; pthread_create(&t, 0, run, 0); if (vfork() == 0) { execl(\"/x\", \"x\", (char *) 0); _exit(1); }\n\
        return wait(0) + fsync(1) + mkdir(\"x\", 1); }";
    for arguments in [&[][..], &["-static"]] {
        let Some((_folder, path)) = with_libc(source, arguments) else { continue };
        let findings = on_this_machine(&path);
        for call in ["clone3", "vfork", "execve", "exit_group", "exit", "wait4", "fsync", "rt_sigreturn"] {
            assert!(findings.calls.contains_key(&call.parse().unwrap()), "{arguments:?}: {call}");
        }
        assert!(!findings.calls.contains_key(&"mount".parse().unwrap()), "{arguments:?}");
        assert!(findings.missing.is_empty(), "{:?}", findings.missing);
    }
}

#[test]
fn the_smallest_program_is_far_from_everything() {
    if !is_x86_64() {
        return;
    }
    let findings = on_this_machine(Path::new("/bin/true"));
    for call in ["exit_group", "mmap", "openat", "arch_prctl"] {
        assert!(findings.calls.contains_key(&call.parse().unwrap()), "{call}");
    }
    // libc has some 330.
    assert!(findings.calls.len() < 150, "{} calls", findings.calls.len());
    assert!(findings.missing.is_empty(), "{:?}", findings.missing);
}

fn results() -> Store {
    Store::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("results"))
}

/// Whether programs of this machine are of x86_64.
fn is_x86_64() -> bool {
    let is = Architecture::NATIVE == Architecture::X86_64;
    met(Need::X86_64, is.then_some(()).ok_or_else(|| format!("this is {}", Architecture::NATIVE.name())))
}

/// The files of the image that an app was measured with; of one that is built of the same Dockerfile, if the engine does not have that.
fn image_of(app: &str, measured: &str) -> Box<dyn Root> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = DockerEngine::connect(None).await.unwrap();
        let mut image = engine.exportable_image(measured.split(' ').next().unwrap()).await.unwrap();
        if image.is_none() {
            image = engine.exportable_image(&build(app)).await.unwrap();
        }
        let mut file = tempfile::tempfile().unwrap();
        engine.export(&image.unwrap().image, &mut file).await.unwrap();
        Box::new(Archive::index(file).unwrap()) as Box<dyn Root>
    })
}

/// Builds the image of an app, or takes it from the engine's cache, and returns its digest.
fn build(app: &str) -> String {
    let context = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").join(app);
    let built = Command::new("docker").args(["build", "--quiet"]).arg(context).env("DOCKER_BUILDKIT", "0").output().unwrap();
    assert!(built.status.success(), "{app}: {}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8(built.stdout).unwrap().trim().to_owned()
}

/// Every call that a trace saw of the program itself has to be among the reported ones.
fn assert_sound(app: &str, workload: &str, program: &str, also: &[&str]) {
    if !is_x86_64() || !met(Need::Docker, runs("docker", &["version"])) {
        return;
    }
    let finished = results().read(app, workload).unwrap().finished.unwrap();
    assert_eq!(finished.environment.identity.architecture, Architecture::NATIVE.name());
    let root = image_of(app, &finished.environment.identity.image);
    let also = also.iter().map(|file| (*file).to_owned()).collect();
    let findings = analyse(&*root, &Request { also, ..request(program) }).unwrap();
    let missed: Vec<_> = missed(&findings, &finished.trace).into_iter().map(|missed| missed.call.name()).collect();
    assert!(missed.is_empty(), "{app}: the trace saw {missed:?}, which the analysis does not report");
    assert!(findings.missing.is_empty(), "{app}: {:?}", findings.missing);
    assert!(finished.trace.len() < findings.calls.len() && findings.calls.len() < 220, "{app}: {}", findings.calls.len());
    assert!(findings.unresolved.len() < 10, "{app}: {:?}", findings.unresolved);
}

#[test]
fn everything_that_nginx_was_seen_to_call_is_reported() {
    assert_sound("nginx", "wrk", "/usr/sbin/nginx", &[]);
}

#[test]
fn everything_that_redis_was_seen_to_call_is_reported() {
    assert_sound("redis", "redis-benchmark", "/usr/bin/redis-server", &[]);
}

#[test]
fn everything_that_fio_was_seen_to_call_is_reported() {
    assert_sound("fio", "verify", "/usr/bin/fio", &[]);
}

#[test]
fn everything_that_sqlite_was_seen_to_call_is_reported() {
    assert_sound("sqlite", "shop", "/usr/bin/sqlite3", &[]);
}

#[test]
fn everything_that_a_script_was_seen_to_call_is_reported_with_the_programs_it_starts() {
    assert_sound("coreutils-sort", "default", "/bin/sh", &["/usr/bin/sort", "/usr/bin/sha256sum"]);
}

fn loupe(arguments: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_loupe"));
    command.args(arguments).env("DOCKER_HOST", "unix:///nonexistent.sock").env_remove("LOUPE_RESULTS");
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_program_is_analysed_from_the_command_line() {
    let Some(system) = System::new() else { return };
    system.object("libone.so", "void first(void) { MAKE(SYS_getpid); }", &[]);
    system.program("tool", USES_FIRST, &["-lone"]);
    let root = text(system.folder.path());
    let csv = loupe(&["static", "binary", "/tool", "--root", root, "--format", "csv"]).assert().code(0).stderr("");
    csv.stdout("syscall,sites\nbrk,1\ngetpid,1\n");
    let why = loupe(&["static", "binary", "/tool", "--root", root, "--why", "getpid", "--why", "sync"]).assert().code(0);
    let why = String::from_utf8(why.get_output().stdout.clone()).unwrap();
    assert!(why.contains("a way there:\n  /tool:0x") && why.contains("_start (the kernel enters it)\n  /libone.so:0x"), "{why}");
    assert!(why.ends_with("\nsync: not reported for /tool\n"), "{why}");
    let json = loupe(&["static", "binary", "/tool", "--root", root, "--format", "json"]).assert().code(0);
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!((&json[0]["name"], &json[0]["objects"][1]["path"]), (&"/tool".into(), &"/libone.so".into()));
}

#[test]
fn a_result_is_stored_beside_what_was_measured() {
    let Some(system) = System::new() else { return };
    system.program("tool", "void _start(void) { MAKE(SYS_getpid); }", &[]);
    let (tool, results) = (system.path("tool"), system.path("results"));
    let arguments = ["static", "binary", text(&tool), "--app", "tool/once", "--results", text(&results)];
    // The loader is none of this machine's.
    let assert = loupe(&arguments).assert().code(4);
    let printed = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert!(printed.contains("\nmissing: `/ld.so`, wanted by "), "{printed}");
    let store = Store::open(&results);
    let table = store.analysis("tool", "once", Analysis::Binary).unwrap().unwrap();
    assert_eq!(table, AnalysisTable::from([("getpid".parse::<Sysno>().unwrap(), 1)]));
    let details: Findings = store.analysis_details("tool", "once", Analysis::Binary).unwrap().unwrap();
    assert_eq!(details.sites(), table);
}

#[test]
fn sources_are_analysed_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let sources = folder.path().join("src");
    fs::create_dir_all(&sources).unwrap();
    fs::write(sources.join("a.c"), "int f(void) { return open(\"x\") + syscall(SYS_getpid); }\n").unwrap();
    let results = folder.path().join("results");
    let arguments = ["static", "source", text(&sources), "--app", "a/b", "--results", text(&results), "--format", "csv"];
    loupe(&arguments).assert().code(0).stderr("").stdout("syscall,sites\ngetpid,1\nopenat,1\n");
    assert_eq!(fs::read_to_string(results.join("a/b/static-source.csv")).unwrap(), "syscall,sites\ngetpid,1\nopenat,1\n");
    let printed = loupe(&["static", "source", text(&sources), "--all"]).assert().code(0);
    assert!(String::from_utf8_lossy(&printed.get_output().stdout).contains("a.c:1 syscall number"));
}

#[test]
fn targets_that_cannot_be_analysed_exit_with_2_and_say_why() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text"), "no program\n").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let file = folder.path().join("text");
    let empty = folder.path().join("empty");
    let wrong: [(&[&str], &str); 7] = [
        (&["static", "binary", "nothing-of-that-name", "--results", text(&empty)], "there is no `nothing-of-that-name`"),
        (&["static", "binary", text(&file)], "it is no ELF file"),
        (&["static", "binary", "ls", "--root", text(&file)], "is no folder"),
        (&["static", "binary", "ls", "--root", text(&empty)], "there is no program `ls`"),
        (&["static", "binary", text(&file), "--app", "tool"], "`tool` names no workload"),
        (&["static", "source", text(&file)], "is no folder"),
        (&["static", "source", text(&empty)], "there are no C sources"),
    ];
    for (arguments, message) in wrong {
        let assert = loupe(arguments).assert().code(2).stdout("");
        let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
    }
}

#[test]
fn an_app_without_an_engine_exits_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("apps/web");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join("Dockerfile"), "FROM scratch\n").unwrap();
    for target in [text(&app), "web", "web/default"] {
        let assert =
            loupe(&["static", "binary", target, "--apps", text(&folder.path().join("apps"))]).assert().code(3).stdout("");
        assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("hint: start it"), "{target}");
    }
    let assert = loupe(&["static", "binary", "web/other", "--apps", text(&folder.path().join("apps"))]).assert().code(2);
    assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("hint: it has default"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_real_objects_makes_the_analysis_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
        in_headers: bool,
    ) {
        thread_local! {
            static SYSTEM: Option<(System, Vec<u8>)> = with_plugins().map(|system| {
                system.program("tool", LOADS, &["-ldl"]);
                let file = fs::read(system.path("libdl.so")).unwrap();
                (system, file)
            });
        }
        SYSTEM.with(|system| {
            let Some((system, file)) = system else { return };
            let mut file = file.clone();
            // Most of a file is padding; its headers come first.
            let length = if in_headers { 0x400.min(file.len()) } else { file.len() };
            for (place, value) in changes {
                file[place.index(length)] = value;
            }
            fs::write(system.path("libdl.so"), file).unwrap();
            drop(analyse(&Folder::new(system.folder.path()), &request("/tool")));
        });
    }
}

//! The surroundings of a trial that runs without any container, and the way into them.
//!
//! The process that the host started copies itself into new namespaces: pid, mount, IPC, UTS, network unless the host says
//! otherwise, and user where it may not make the others without. The copy is pid 1 there. It builds a tree of file systems in
//! which everything is as it was and nothing that is written stays (`tree`), moves into it, and goes on as the supervisor. The
//! first process waits for it: with one of them dies the other, and everything in the pid namespace.
//!
//! Users and groups stay what they are: a user namespace maps the caller's own and no others, so that files of everybody else
//! appear to belong to `nobody`, and a set-user-id program has no effect, as everywhere in Loupe.
//!
//! What the host has to be told is told in one line. A host that wants no isolation gets a supervisor right away, which is the
//! subreaper of the app and ends its descendants one by one.

mod devices;
pub(super) mod layers;
pub(super) mod mounts;
pub(super) mod tree;

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::sys::prctl;
use nix::sys::signal::Signal;

use self::layers::Layers;
use super::control::Control;
use super::launch::PathRules;
use super::processes::Realm;
use super::supervise::{self, Surroundings};
use super::{Context, ShimError, sys};
use crate::trial::wire::{Command, Event, Nest};

/// What the host is told where nothing is kept apart.
const NOT_ISOLATED: &str = "none: what the command writes stays, and it sees the machine's processes and network";

/// Capabilities by which a process of root changes the machine whatever its namespaces are (capabilities(7),
/// `linux/capability.h`): `SYS_MODULE`, `SYS_RAWIO`, `SYS_BOOT`, `SYS_TIME`, `MKNOD`.
const MACHINE_CAPABILITIES: [libc::c_ulong; 5] = [16, 17, 22, 25, 27];

/// Makes the surroundings that the host asks for, and supervises an app in them.
pub(super) fn run(control: &mut Control) -> Result<(), ShimError> {
    let Command::Nest(request) = control.wait()? else {
        return Err(ShimError::new("expected the command to make surroundings"));
    };
    // It was executed by the number of a descriptor. Whoever lists processes shall see what it is.
    let _ = prctl::set_name(c"loupe-shim");
    let input = open_input(&request)?;
    if !request.isolated {
        prctl::set_child_subreaper(true).context("cannot become the reaper of the command's processes")?;
        control.send(&Event::Nested { isolation: NOT_ISOLATED.to_owned() })?;
        let surroundings = surroundings(input, Realm::Descendants, Vec::new(), Vec::new());
        return supervise::run_in(&surroundings, control);
    }
    let place = std::env::current_dir().context("cannot tell the working directory")?;
    // Looked up before: in a new user namespace nobody is mapped at first.
    let (user, group) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let (child, own_user) = fork(request.own_network)?;
    if let Some(pid) = child {
        return sys::reap(pid).map(drop).context("cannot wait for the supervisor");
    }
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot tie the supervisor to its parent")?;
    if own_user {
        map_identity(user, group).context("cannot map user and group into the new user namespace")?;
    }
    if request.own_network {
        sys::bring_loopback_up().context("cannot bring the loopback interface up")?;
    }
    let (isolation, layers) = settle(&request, own_user, &place)?;
    control.send(&Event::Nested { isolation })?;
    let dropped_capabilities = if own_user { Vec::new() } else { MACHINE_CAPABILITIES.to_vec() };
    let surroundings = surroundings(input, Realm::Namespace, dropped_capabilities, layers);
    supervise::run_in(&surroundings, control)
}

/// What the supervisor of a command of this machine finds.
fn surroundings(input: OwnedFd, realm: Realm, dropped_capabilities: Vec<libc::c_ulong>, layers: Layers) -> Surroundings {
    Surroundings {
        input,
        realm,
        dropped_capabilities,
        answers_count: true,
        own_control_group: false,
        home: None,
        path_rules: PathRules::Shell,
        layers,
    }
}

/// Opened now, as its name means nothing any more when the surroundings are there.
fn open_input(request: &Nest) -> Result<OwnedFd, ShimError> {
    let path = request.input.as_deref().unwrap_or("/dev/null");
    File::open(path).map(OwnedFd::from).context(&format!("cannot open the input `{path}`"))
}

/// Copies this process into new namespaces: its pid, `None` in the copy, and whether a user namespace is among them.
fn fork(own_network: bool) -> Result<(Option<libc::pid_t>, bool), ShimError> {
    let mut namespaces = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    if own_network {
        namespaces |= libc::CLONE_NEWNET;
    }
    match sys::fork_into_namespaces(namespaces) {
        Ok(child) => Ok((child, false)),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            let child = sys::fork_into_namespaces(namespaces | libc::CLONE_NEWUSER);
            Ok((child.context("cannot make a user namespace")?, true))
        }
        Err(error) => Err(error).context("cannot make namespaces"),
    }
}

/// Maps the caller's user and group to themselves (`user_namespaces(7)`).
fn map_identity(user: u32, group: u32) -> io::Result<()> {
    // An unprivileged process may map its group only after it gave up changing its groups. A kernel before 3.19 has no such file.
    match fs::write("/proc/self/setgroups", "deny") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::write("/proc/self/uid_map", format!("{user} {user} 1\n"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1\n"))
}

/// Builds the file systems, moves into them and back to where the command was started; says what it did, and where what is written goes.
fn settle(request: &Nest, own_user: bool, place: &Path) -> Result<(String, Layers), ShimError> {
    let tree = tree::build(place, own_user)?;
    nix::unistd::chdir(place).context(&format!("cannot go to the working directory `{}`", place.display()))?;
    Ok((describe(request, own_user, &tree), tree.layers))
}

fn describe(request: &Nest, own_user: bool, tree: &tree::Built) -> String {
    let mut namespaces = vec!["mount", "pid"];
    if own_user {
        namespaces.insert(0, "user");
    }
    if request.own_network {
        namespaces.push("network");
    }
    let mut text = format!("own {}, IPC and UTS namespaces; ", namespaces.join(", "));
    text.push_str(if tree.overlaid {
        "files under a throw-away overlay"
    } else {
        "files read-only, as the kernel refuses an overlay, with an empty throw-away /tmp"
    });
    for (what, paths) in [("read-only", &tree.read_only), ("left out", &tree.left_out)] {
        if tree.overlaid && !paths.is_empty() {
            text.push_str(&format!("; {what}: {}", few(paths)));
        }
    }
    if !request.own_network {
        text.push_str("; the machine's network");
    }
    text
}

/// The first of the paths, and how many more there are.
fn few(paths: &[PathBuf]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<_> = paths.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
    if paths.len() > SHOWN {
        shown.push(format!("and {} more", paths.len() - SHOWN));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolation_is_one_line_that_says_what_is_not_as_usual() {
        let nest = |own_network| Nest { isolated: true, own_network, input: None };
        let mut built = tree::Built { overlaid: true, read_only: Vec::new(), left_out: Vec::new(), layers: Vec::new() };
        assert_eq!(
            describe(&nest(true), false, &built),
            "own mount, pid, network, IPC and UTS namespaces; files under a throw-away overlay"
        );
        built.read_only = ["/a", "/b", "/c", "/d", "/e"].map(PathBuf::from).to_vec();
        assert_eq!(
            describe(&nest(false), true, &built),
            "own user, mount, pid, IPC and UTS namespaces; files under a throw-away overlay; read-only: /a, /b, /c, and 2 more; \
             the machine's network"
        );
        built.overlaid = false;
        assert!(describe(&nest(true), true, &built).ends_with("with an empty throw-away /tmp"));
    }
}

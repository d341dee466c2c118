//! The init of a stage: a container of the app's image in which the containers of trials are made, one after the other.
//!
//! Making a container takes an engine a fifth of a second of processor time. What a trial needs of one takes the kernel a hundredth of
//! that: pid, mount, IPC and UTS namespaces, the network namespace that the sidecar has just made, and file systems that look like
//! this container's and to which nothing was ever written (`tree`). This process makes them for a copy of itself, which is
//! the init there and the supervisor of the app; it waits for that, clears away what was written, and is ready for the next.
//! Nothing that a trial does outlives its pid namespace: processes, mounts, shared memory, sockets. The same limits hold as for a
//! container of the engine's own, since they are this container's, and the app has the same capabilities.
//!
//! It runs no app itself and makes no network: that is for the supervisor, and for the sidecar.
//!
//! The stage itself is root's. The copy becomes the image's user when everything is made.

mod tree;

use std::fs;
use std::path::PathBuf;

use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::control::Control;
use super::launch::PathRules;
use super::network::Client;
use super::processes::{Realm, ending};
use super::supervise::{self, Surroundings};
use super::{Context, STAGE_DIRECTORY, ShimError, memory, sys, user};
use crate::trial::wire::{AppReport, Command, Event, Stage};
use crate::trial::{AppEnd, Ending};

/// Makes containers for trials until the host is gone.
pub(super) fn run(control: &mut Control) -> Result<(), ShimError> {
    let networks = Client::connect().context("cannot reach the sidecar")?;
    let place = std::env::current_dir().context("cannot tell the working directory")?;
    for number in 0_u32.. {
        control.send(&Event::Hello)?;
        let request = loop {
            match control.wait()? {
                Command::Stage(request) => break request,
                // For the last trial, whose app was over by itself meanwhile.
                Command::Finish => {}
                other => return Err(ShimError::new(format!("a stage cannot {other:?}"))),
            }
        };
        let network = networks.next().context("got no network namespace from the sidecar")?;
        let layers = PathBuf::from(STAGE_DIRECTORY).join(number.to_string());
        fs::create_dir(&layers).context("cannot make a directory for what is written")?;
        let killed_before = memory::kills();
        let namespaces = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
        let Some(pid) = sys::fork_into_namespaces(namespaces).context("cannot make namespaces")? else {
            sys::join_network_namespace(&network).context("cannot join the network namespace")?;
            tree::build(&layers, &place)?;
            let home = become_user(&request)?;
            prctl::set_pdeathsig(Signal::SIGKILL).context("cannot tie the supervisor to its parent")?;
            let input = fs::File::open("/dev/null").context("cannot open /dev/null")?.into();
            let surroundings = Surroundings {
                input,
                realm: Realm::Namespace,
                dropped_capabilities: vec![sys::CAP_SYS_ADMIN],
                answers_count: false,
                own_control_group: true,
                home,
                path_rules: PathRules::Runtime,
                layers: Vec::new(),
            };
            return supervise::run_in(&surroundings, control);
        };
        drop(network);
        let status = sys::reap(pid).context("cannot wait for the supervisor")?;
        match ending(status) {
            Ending::Exited(0) => {}
            // It died with its app.
            Ending::Signaled(signal) if signal == "SIGKILL" && memory::kills() > killed_before => {
                let end = AppEnd { out_of_memory: true, ..AppEnd::default() };
                control.send(&Event::Report(Box::new(AppReport { end, ..AppReport::default() })))?;
            }
            // It has said why, if it could.
            Ending::Exited(_) => return Err(ShimError::HostGone),
            Ending::Signaled(signal) => return Err(ShimError::new(format!("the supervisor died of {signal}"))),
        }
        fs::remove_dir_all(&layers).context("cannot remove what was written")?;
    }
    Ok(())
}

/// Becomes the image's user, as the init of a container of the engine's own would be; what its `HOME` is, if nobody said.
fn become_user(request: &Stage) -> Result<Option<String>, ShimError> {
    let identity = user::look_up(&request.user).context("cannot find the image's user")?;
    if identity.is_root() {
        return Ok(None);
    }
    // Only root may.
    for capability in [sys::CAP_SYS_ADMIN, supervise::CAP_SYS_PTRACE] {
        sys::drop_capability(capability);
    }
    sys::become_user(identity.user, identity.group, &identity.supplementary).context("cannot become the image's user")?;
    // A process that changed its user cannot be looked into, which the supervisor has to do with those that it makes.
    prctl::set_dumpable(true).context("cannot be looked into")?;
    Ok(Some(identity.home).filter(|_| !request.home_is_set))
}

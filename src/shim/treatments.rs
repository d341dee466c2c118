//! What becomes of a notified call under the trial's intervention: its number decides, or what its arguments hold.
//!
//! Memory of the caller is copied once, and the decision is taken on the copy. A call that goes on after that is run by the kernel
//! on the memory itself: an app that changes it in between (as no app does by accident) gets past its treatment, and is counted
//! as if it did not. A call that is answered here never reaches the kernel, so there is nothing to race with.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use super::sys::{self, Notification};
use crate::filter;
use crate::syscalls::features::{self, Condition, Feature};
use crate::syscalls::paths::{self, Directory, PathArgument, PseudoFile};
use crate::syscalls::{Architecture, Sysno};
use crate::trial::{Intervention, Item, Treatment};

/// The treatments of one trial, by call.
#[derive(Debug, Default)]
pub(super) struct Treatments {
    calls: HashMap<Sysno, Treatment>,
    /// Those that are stubbed before those that are faked.
    features: HashMap<Sysno, Vec<(Feature, Condition, Treatment)>>,
    files: BTreeMap<PseudoFile, Treatment>,
}

impl Treatments {
    pub(super) fn new(intervention: &Intervention) -> Self {
        let mut treatments = Self::default();
        for treatment in Treatment::ALL {
            for item in intervention.treated(treatment) {
                match item {
                    Item::Call(call) => {
                        treatments.calls.insert(call, treatment);
                    }
                    Item::Feature(feature) => {
                        // The filter was compiled, so the feature exists.
                        if let Some(condition) = feature.condition(Architecture::NATIVE) {
                            treatments.features.entry(feature.call()).or_default().push((feature, condition, treatment));
                        }
                    }
                    Item::File(file) => {
                        treatments.files.insert(file, treatment);
                    }
                }
            }
        }
        treatments
    }

    /// Whether nothing is treated in this trial.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.features.is_empty() && self.files.is_empty()
    }

    /// What is treated in this call, and how; `None` if nothing is, and the kernel runs it.
    pub(super) fn of(&self, call: Sysno, notification: &Notification) -> Option<(Item, Treatment)> {
        if let Some(treatment) = self.calls.get(&call) {
            return Some((Item::Call(call), *treatment));
        }
        // Many features may stand at the same place.
        let mut memory = Remembered { thread: notification.thread, pieces: Vec::new() };
        let read = &mut |address, buffer: &mut [u8]| memory.read(address, buffer);
        let mut carried = |(_, condition, _): &&(Feature, Condition, Treatment)| condition.holds(&notification.arguments, read);
        if let Some((feature, _, treatment)) = self.features.get(&call).and_then(|features| features.iter().find(&mut carried)) {
            return Some((Item::Feature(*feature), *treatment));
        }
        if self.files.is_empty() {
            return None;
        }
        files(call, notification).find_map(|file| Some((Item::File(file), *self.files.get(&file)?)))
    }
}

/// Memory of a thread that is read once, however often it is asked for.
struct Remembered {
    thread: u32,
    /// Address, length and content of what was read; no content where it cannot be.
    pieces: Vec<(u64, usize, Option<Vec<u8>>)>,
}

impl Remembered {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        let known = self.pieces.iter().position(|(at, length, _)| (*at, *length) == (address, buffer.len()));
        let place = known.unwrap_or_else(|| {
            let content = sys::read_memory(self.thread, address, buffer).then(|| buffer.to_vec());
            self.pieces.push((address, buffer.len(), content));
            self.pieces.len() - 1
        });
        let content = &self.pieces[place].2;
        if let Some(content) = content {
            buffer.copy_from_slice(content);
        }
        content.is_some()
    }
}

/// Everything that a call carries and that could be treated.
pub(super) fn carried(call: Sysno, notification: &Notification) -> Vec<Item> {
    let read = &mut |address, buffer: &mut [u8]| sys::read_memory(notification.thread, address, buffer);
    let mut items: Vec<_> = features::seen(call, &notification.arguments, read).into_iter().map(Item::Feature).collect();
    items.extend(files(call, notification).map(Item::File));
    items
}

/// The pseudo-files that a call opens, asks about, or reads as links.
fn files(call: Sysno, notification: &Notification) -> impl Iterator<Item = PseudoFile> {
    let arguments = if filter::takes_a_path(call) { paths::arguments_of(call) } else { &[] };
    arguments.iter().filter_map(move |argument| file(*argument, notification))
}

/// Pseudo-files that a call needs and that cannot be treated: it executes, changes or watches them, for example.
pub(super) fn untreatable(call: Sysno, notification: &Notification) -> impl Iterator<Item = Item> {
    let arguments = if filter::takes_a_path(call) { &[] } else { paths::arguments_of(call) };
    arguments.iter().filter_map(move |argument| file(*argument, notification).map(Item::File))
}

fn file(argument: PathArgument, notification: &Notification) -> Option<PseudoFile> {
    let read = &mut |address, buffer: &mut [u8]| sys::read_memory(notification.thread, address, buffer);
    let path = argument.path(&notification.arguments, read)?;
    if path.starts_with('/') {
        return paths::normalise(&path);
    }
    let link = match argument.directory(&notification.arguments) {
        Directory::Working => format!("/proc/{}/cwd", notification.thread),
        Directory::Descriptor(descriptor) => format!("/proc/{}/fd/{descriptor}", notification.thread),
    };
    paths::normalise_at(&fs::read_link(link).ok()?.to_string_lossy(), &path)
}

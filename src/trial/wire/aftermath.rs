//! How what follows a call travels: frames within the report of an app. Pure.

use super::{Frame, WireError};
use crate::syscalls::Sysno;
use crate::trial::{Aftermath, Item, NextCall, Treatment, Written};

pub(super) fn sequence_frame(item: Item, calls: &[Sysno]) -> Frame {
    let names: Vec<_> = calls.iter().map(|call| call.name()).collect();
    Frame::new("sequence").field("item", &item).field("calls", &names.join(","))
}

pub(super) fn frame_of(aftermath: &Aftermath) -> Frame {
    let next = aftermath.next.iter().map(|next| {
        let mut frame = Frame::new("next").field("name", &next.call).field("made", &next.made);
        if let Some(treatment) = next.treatment {
            frame = frame.field("treatment", &treatment);
        }
        if let Some(written) = &next.written {
            frame = frame.field("to", &written.to).body(written.text.clone().into_bytes());
        }
        frame
    });
    Frame::new("aftermath")
        .field("item", &aftermath.item)
        .field("treatment", &aftermath.treatment)
        .field("process", &aftermath.process)
        .field("made", &aftermath.made)
        .children(next)
}

pub(super) fn read(frame: &Frame) -> Result<Aftermath, WireError> {
    let next = frame.frames()?;
    let next = next.iter().map(|child| {
        if child.kind != "next" {
            return Err(child.unexpected());
        }
        let to = child.fields.get("to");
        Ok(NextCall {
            call: child.parse("name")?,
            treatment: if child.fields.contains_key("treatment") { Some(treatment(child)?) } else { None },
            made: child.text("made")?.to_owned(),
            written: to.map(|to| Ok(Written { to: to.clone(), text: child.body_text()? })).transpose()?,
        })
    });
    Ok(Aftermath {
        item: frame.parse("item")?,
        treatment: treatment(frame)?,
        process: frame.text("process")?.to_owned(),
        made: frame.text("made")?.to_owned(),
        next: next.collect::<Result<_, _>>()?,
    })
}

fn treatment(frame: &Frame) -> Result<Treatment, WireError> {
    let name = frame.text("treatment")?;
    let known = Treatment::ALL.into_iter().find(|treatment| treatment.name() == name);
    known.ok_or_else(|| WireError::new(format!("treatment `{name}`")))
}

pub(super) fn read_sequence(frame: &Frame) -> Result<Vec<Sysno>, WireError> {
    let names = frame.text("calls")?;
    let bad = || WireError::new(format!("calls `{names}`"));
    names.split(',').filter(|name| !name.is_empty()).map(|name| Sysno::from_name(name).ok_or_else(bad)).collect()
}

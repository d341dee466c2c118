//! Frames of the trace alone: a command to be observed, and what was seen of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Frame, WireError, arguments, command_line, ending, left_frames, output_frame, read_output, with_ending, with_left};
use crate::trial::{ForeignCall, Left, Observe, ObservedCall, Trace};

pub(super) fn observe_frame(observe: &Observe) -> Frame {
    let frame = Frame::new("observe").field("lines", &observe.lines).field("output-limit", &observe.output_limit);
    let frame = frame.field("wait-for-children", &observe.wait_for_children);
    frame.children(arguments(&observe.command))
}

pub(super) fn observe(frame: &Frame) -> Result<Observe, WireError> {
    Ok(Observe {
        command: command_line(&frame.frames()?)?,
        lines: frame.parse("lines")?,
        output_limit: frame.parse("output-limit")?,
        wait_for_children: frame.parse("wait-for-children")?,
    })
}

pub(super) fn trace_frame(trace: &Trace) -> Frame {
    let frame = with_ending(Frame::new("trace"), trace.main.as_ref()).field("threads", &trace.threads);
    let frame = with_left(frame.field("escaped", &trace.escaped), &trace.left);
    let mut children = vec![output_frame("stdout", &trace.stdout), output_frame("stderr", &trace.stderr)];
    children.extend(left_frames(&trace.left));
    for (call, observed) in &trace.calls {
        let errors = observed.errors.iter().map(|(number, count)| format!("{number}:{count}")).collect::<Vec<_>>();
        children.push(
            Frame::new("call")
                .field("name", &call)
                .field("count", &observed.count)
                .field("nanoseconds", &observed.time.as_nanos())
                .field("errors", &errors.join(","))
                .body(observed.first.clone().into_bytes()),
        );
    }
    for (number, count) in &trace.unknown {
        children.push(Frame::new("unknown").field("number", number).field("count", count));
    }
    for (call, count) in &trace.foreign {
        let frame = Frame::new("foreign").field("architecture", &call.architecture).field("number", &call.number);
        children.push(frame.field("count", count));
    }
    frame.children(children)
}

pub(super) fn trace(frame: &Frame) -> Result<Trace, WireError> {
    let (threads, escaped) = (frame.parse("threads")?, frame.parse("escaped")?);
    let left = Left { milliseconds: frame.parse("left-milliseconds")?, processes: Vec::new() };
    let mut trace = Trace { main: ending(frame)?, threads, escaped, left, ..Trace::default() };
    for child in frame.frames()? {
        match child.kind.as_str() {
            "left" => trace.left.processes.push(child.text("process")?.to_owned()),
            "output" => read_output(&child, &mut trace.stdout, &mut trace.stderr)?,
            "call" => {
                let observed = ObservedCall {
                    count: child.parse("count")?,
                    errors: errors(child.text("errors")?)?,
                    time: Duration::from_nanos(child.parse("nanoseconds")?),
                    first: child.body_text()?,
                };
                trace.calls.insert(child.parse("name")?, observed);
            }
            "unknown" => {
                trace.unknown.insert(child.parse("number")?, child.parse("count")?);
            }
            "foreign" => {
                let call = ForeignCall { architecture: child.parse("architecture")?, number: child.parse("number")? };
                trace.foreign.insert(call, child.parse("count")?);
            }
            _ => return Err(child.unexpected()),
        }
    }
    Ok(trace)
}

/// Pairs of error number and count.
fn errors(text: &str) -> Result<BTreeMap<u16, u64>, WireError> {
    let pair = |pair: &str| {
        let (number, count) = pair.split_once(':')?;
        Some((number.parse().ok()?, count.parse().ok()?))
    };
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs.map(|text| pair(text).ok_or_else(|| WireError::new(format!("errors `{text}`")))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Decoder, Event};
    use super::*;
    use crate::trial::{Ending, Output};

    #[test]
    fn what_is_observed_round_trips() {
        let observe = Observe { command: vec!["ls".into(), "a b".into()], lines: true, output_limit: 7, wait_for_children: true };
        let call = |errors: &[(u16, u64)], first: &str| ObservedCall {
            count: 9,
            errors: errors.iter().copied().collect(),
            time: Duration::from_nanos(1234),
            first: first.to_owned(),
        };
        let trace = Trace {
            main: Some(Ending::Exited(2)),
            threads: 3,
            escaped: 1,
            left: Left { processes: vec!["sleep".to_owned()], milliseconds: 200 },
            calls: BTreeMap::from([
                ("openat".parse().unwrap(), call(&[(2, 5), (13, 1)], "openat(AT_FDCWD, \"a\n#\") = -1 ENOENT")),
                ("close".parse().unwrap(), call(&[], "close(3) = 0")),
            ]),
            unknown: BTreeMap::from([(999, 1)]),
            foreign: BTreeMap::from([(ForeignCall { architecture: 0x4000_0003, number: 20 }, 2)]),
            stdout: Output { kept: vec![0, 255], dropped: 1 },
            stderr: Output::default(),
        };
        let mut decoder = Decoder::default();
        decoder.push(&Command::Observe(observe.clone()).frame().encode());
        let event = Event::Traced(Box::new(trace));
        decoder.push(&event.frame().encode());
        let line = Event::Line { text: "[3] close(3) = 0".into() };
        decoder.push(&line.frame().encode());
        let mut next = || decoder.next_frame().unwrap().unwrap();
        assert_eq!(Command::from_frame(&next()).unwrap(), Command::Observe(observe));
        assert_eq!(Event::from_frame(&next()).unwrap(), event);
        assert_eq!(Event::from_frame(&next()).unwrap(), line);
    }
}

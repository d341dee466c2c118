//! How host and shim speak to each other: frames over the attached standard streams of a container.
//!
//! A frame is one line of text and a body: a kind, `key=value` fields (percent-encoded), `#` and the body's length in
//! bytes, a line feed, the body. A body may hold frames itself, which is how lists travel.
//!
//! Pure. The shim is built without procedural macros (see `build.rs`), hence a format of our own and no serde. Both
//! sides come from the same build (the shim is embedded in `loupe`), so the format needs no versions.

mod aftermath;
mod files;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use super::{
    AppEnd, CallLog, CallStatistics, Death, Ending, FileChanges, ForeignCall, Intervention, Item, Left, LookAtFiles, NewUse,
    Observe, Output, Trace, Watch,
};

/// Longest accepted header line in bytes; an intervention that names every call takes a tenth of it.
const HEADER_LIMIT: usize = 64 * 1024;
/// Bytes taken of each file that a spec asks for.
pub const FILE_LIMIT: usize = 4 * 1024 * 1024;
/// Longest accepted body in bytes.
const BODY_LIMIT: usize = 256 * 1024 * 1024;

/// Bytes that are not a frame, or a frame that is not what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError(String);

impl WireError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "bad frame: {}", self.0)
    }
}

impl std::error::Error for WireError {}

/// One frame before its kind is interpreted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    kind: String,
    fields: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Frame {
    fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    fn field(mut self, key: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.fields.insert(key.to_owned(), value.to_string());
        self
    }

    fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    fn children(self, children: impl IntoIterator<Item = Self>) -> Self {
        let mut body = Vec::new();
        children.into_iter().for_each(|child| child.encode_into(&mut body));
        self.body(body)
    }

    fn text(&self, key: &str) -> Result<&str, WireError> {
        let missing = || WireError::new(format!("`{}` has no `{key}`", self.kind));
        self.fields.get(key).map(String::as_str).ok_or_else(missing)
    }

    fn optional<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, WireError> {
        if self.fields.contains_key(key) { self.parse(key).map(Some) } else { Ok(None) }
    }

    fn parse<T: std::str::FromStr>(&self, key: &str) -> Result<T, WireError> {
        let text = self.text(key)?;
        text.parse().map_err(|_| WireError::new(format!("`{}` has the unusable {key} `{text}`", self.kind)))
    }

    fn frames(&self) -> Result<Vec<Self>, WireError> {
        let mut decoder = Decoder::default();
        decoder.push(&self.body);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
        if decoder.is_empty() { Ok(frames) } else { Err(WireError::new(format!("`{}` ends in the middle", self.kind))) }
    }

    fn body_text(&self) -> Result<String, WireError> {
        String::from_utf8(self.body.clone()).map_err(|_| WireError::new(format!("`{}` is not UTF-8", self.kind)))
    }

    fn unexpected(&self) -> WireError {
        WireError::new(format!("unexpected `{}`", self.kind))
    }

    /// Appends the frame's bytes to `bytes`.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        let mut header = self.kind.clone();
        for (key, value) in &self.fields {
            let _ = write!(header, " {key}={}", Encoded(value));
        }
        let _ = writeln!(header, " #{}", self.body.len());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&self.body);
    }

    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes);
        bytes
    }

    fn decode_header(line: &str) -> Result<(Self, usize), WireError> {
        let bad = || WireError::new(format!("header `{}`", line.chars().take(200).collect::<String>()));
        let (head, length) = line.rsplit_once(" #").ok_or_else(bad)?;
        let mut words = head.split(' ');
        let mut frame = Self::new(words.next().filter(|kind| !kind.is_empty()).ok_or_else(bad)?);
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(bad)?;
            frame.fields.insert(key.to_owned(), decode_value(value).ok_or_else(bad)?);
        }
        let length = length.parse().ok().filter(|length| *length <= BODY_LIMIT).ok_or_else(bad)?;
        Ok((frame, length))
    }
}

/// A field value with everything but plain ASCII letters, digits and a few marks percent-encoded.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"_-.,;:/|=".contains(&byte) {
                formatter.write_char(char::from(byte))?;
            } else {
                write!(formatter, "%{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn decode_value(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Cuts a stream of bytes into frames, however the bytes arrive.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    taken: usize,
}

impl Decoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether every byte has been taken as part of a frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == self.buffer.len()
    }

    /// The next whole frame, or `None` until more bytes arrive.
    ///
    /// # Errors
    /// When the bytes are no frame; the stream is then useless.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        let rest = &self.buffer[self.taken..];
        let Some(end) = rest.iter().take(HEADER_LIMIT).position(|byte| *byte == b'\n') else {
            if rest.len() >= HEADER_LIMIT {
                return Err(WireError::new("header without end"));
            }
            return Ok(None);
        };
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| WireError::new("header is not UTF-8"))?;
        let (frame, length) = Frame::decode_header(line)?;
        let Some(body) = rest.get(end + 1..end + 1 + length) else { return Ok(None) };
        let frame = frame.body(body.to_vec());
        self.taken += end + 1 + length;
        Ok(Some(frame))
    }
}

/// What the app's supervisor has to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The command line; never empty. Looked up in `PATH` if it has no slash.
    pub command: Vec<String>,
    /// What is treated.
    pub intervention: Intervention,
    /// What is notified.
    pub watch: Watch,
    /// Bytes kept of each output stream.
    pub output_limit: usize,
    /// Processor time of the app after which the supervisor says [`Event::Exhausted`], once.
    pub processor_limit: Option<Duration>,
    /// Treated calls that are answered at once; more of them are answered slowly.
    pub prompt_answers: Option<u64>,
    /// Open files above which the supervisor waits, for a moment, until their number has stopped changing; `None` to count at once.
    pub settle_above: Option<u64>,
    /// Whether the app is over only when every process that its main process left has ended, too, or the host says so.
    pub wait_for_children: bool,
    /// What the traces saw, where the use of anything else is to be noted.
    pub traced: Option<BTreeSet<Item>>,
    /// Absolute paths of files that the report is to bring along.
    pub files: Vec<String>,
    /// Paths of which the report is to tell in which state they were left.
    pub look_at: LookAtFiles,
}

/// A helper process (client or check script) for the sidecar to run, each in namespaces and temporary file systems of
/// its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// The command line; empty to wait for the port and nothing else.
    pub command: Vec<String>,
    /// The TCP port that has to be in state LISTEN before the command is started.
    pub port: Option<u16>,
    /// The image's `USER` (`name`, `uid`, `name:group` …); empty for root.
    pub user: String,
    /// Bytes kept of each output stream.
    pub output_limit: usize,
    /// Files to be written first, below a temporary `/trial`.
    pub files: Vec<JobFile>,
}

/// A file that a job finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFile {
    /// Its path relative to `/trial`.
    pub path: String,
    /// Whether it can be executed.
    pub executable: bool,
    /// What is in it.
    pub content: Vec<u8>,
}

/// The surroundings that a shim outside any container makes before it supervises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nest {
    /// Whether they are kept apart from the machine, by namespaces and throw-away file systems.
    pub isolated: bool,
    /// Whether there is a network of their own, of which only the loopback interface is up.
    pub own_network: bool,
    /// The file that is the app's standard input, opened before anything is hidden; `None` for `/dev/null`.
    pub input: Option<String>,
}

/// Whom a container on a stage is made for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    /// The image's `USER` (`name`, `uid`, `name:group` …); empty for root.
    pub user: String,
    /// Whether image or spec say what `HOME` is; otherwise it is that of the user.
    pub home_is_set: bool,
}

/// What the host says to a shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// To a shim outside any container, first of all: make these surroundings, and be the supervisor in them.
    Nest(Nest),
    /// To a stage: make a container for one trial in the network namespace that the sidecar has just made, and be the supervisor
    /// in it.
    Stage(Stage),
    /// To a supervisor: install the filter, start the app.
    Launch(Launch),
    /// To a supervisor: observe a command, instead of launching an app.
    Observe(Observe),
    /// To a supervisor: the trial is over; take stock, kill the app, report.
    Finish,
    /// To a sidecar: make a network namespace that never existed before and live in it.
    Network,
    /// To a sidecar: run this in the current network namespace.
    Run(Job),
    /// To a sidecar: kill the running job.
    Cancel,
}

impl Command {
    /// The command as a frame.
    #[must_use]
    pub fn frame(&self) -> Frame {
        match self {
            Self::Launch(launch) => {
                let mut frame = Frame::new("launch")
                    .field("intervention", &launch.intervention)
                    .field("watch", &launch.watch.name())
                    .field("output-limit", &launch.output_limit)
                    .field("wait-for-children", &launch.wait_for_children);
                if let Some(limit) = launch.processor_limit {
                    frame = frame.field("processor-microseconds", &limit.as_micros());
                }
                if let Some(files) = launch.settle_above {
                    frame = frame.field("settle-above", &files);
                }
                if let Some(answers) = launch.prompt_answers {
                    frame = frame.field("prompt-answers", &answers);
                }
                let files = launch.files.iter().map(|path| Frame::new("collect").field("path", path));
                let traced = launch.traced.as_ref().map(|traced| {
                    let lines: Vec<_> = traced.iter().map(ToString::to_string).collect();
                    Frame::new("traced").body(lines.join("\n").into_bytes())
                });
                frame.children(arguments(&launch.command).chain(files).chain(traced).chain(files::look_frame(&launch.look_at)))
            }
            Self::Stage(stage) => Frame::new("stage").field("user", &stage.user).field("home-is-set", &stage.home_is_set),
            Self::Nest(nest) => {
                let frame = Frame::new("nest").field("isolated", &nest.isolated).field("own-network", &nest.own_network);
                match &nest.input {
                    Some(input) => frame.field("input", input),
                    None => frame,
                }
            }
            Self::Observe(observe) => trace::observe_frame(observe),
            Self::Finish => Frame::new("finish"),
            Self::Network => Frame::new("network"),
            Self::Run(job) => {
                let mut frame = Frame::new("run").field("user", &job.user).field("output-limit", &job.output_limit);
                if let Some(port) = job.port {
                    frame = frame.field("port", &port);
                }
                let files = job.files.iter().map(|file| {
                    Frame::new("file").field("path", &file.path).field("executable", &file.executable).body(file.content.clone())
                });
                frame.children(arguments(&job.command).chain(files))
            }
            Self::Cancel => Frame::new("cancel"),
        }
    }

    /// Reads a frame as a command.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
        Ok(match frame.kind.as_str() {
            "launch" => {
                let children = frame.frames()?;
                let files = children.iter().filter(|child| child.kind == "collect");
                Self::Launch(Launch {
                    files: files.map(|file| file.text("path").map(str::to_owned)).collect::<Result<_, WireError>>()?,
                    command: command_line(&children)?,
                    intervention: frame.parse("intervention")?,
                    watch: watch(frame)?,
                    output_limit: frame.parse("output-limit")?,
                    processor_limit: frame.optional("processor-microseconds")?.map(Duration::from_micros),
                    prompt_answers: frame.optional("prompt-answers")?,
                    settle_above: frame.optional("settle-above")?,
                    wait_for_children: frame.parse("wait-for-children")?,
                    look_at: files::look(&children)?,
                    traced: children.iter().find(|child| child.kind == "traced").map(traced).transpose()?,
                })
            }
            "nest" => Self::Nest(Nest {
                isolated: frame.parse("isolated")?,
                own_network: frame.parse("own-network")?,
                input: frame.optional("input")?,
            }),
            "stage" => Self::Stage(Stage { user: frame.text("user")?.to_owned(), home_is_set: frame.parse("home-is-set")? }),
            "observe" => Self::Observe(trace::observe(frame)?),
            "finish" => Self::Finish,
            "network" => Self::Network,
            "run" => {
                let children = frame.frames()?;
                let files = children.iter().filter(|child| child.kind == "file").map(|child| {
                    Ok(JobFile {
                        path: child.text("path")?.to_owned(),
                        executable: child.parse("executable")?,
                        content: child.body.clone(),
                    })
                });
                Self::Run(Job {
                    files: files.collect::<Result<_, WireError>>()?,
                    command: command_line(&children)?,
                    port: frame.optional("port")?,
                    user: frame.text("user")?.to_owned(),
                    output_limit: frame.parse("output-limit")?,
                })
            }
            "cancel" => Self::Cancel,
            _ => return Err(frame.unexpected()),
        })
    }
}

fn arguments(command: &[String]) -> impl Iterator<Item = Frame> + '_ {
    command.iter().map(|argument| Frame::new("argument").body(argument.clone().into_bytes()))
}

/// The items of a body that names one per line.
fn traced(frame: &Frame) -> Result<BTreeSet<Item>, WireError> {
    let text = frame.body_text()?;
    text.lines().map(|line| Item::recorded(line).map_err(|error| WireError::new(error.to_string()))).collect()
}

fn command_line(frames: &[Frame]) -> Result<Vec<String>, WireError> {
    frames.iter().filter(|frame| frame.kind == "argument").map(Frame::body_text).collect()
}

fn watch(frame: &Frame) -> Result<Watch, WireError> {
    let name = frame.text("watch")?;
    [Watch::Everything, Watch::Treated, Watch::Nothing]
        .into_iter()
        .find(|candidate| candidate.name() == name)
        .ok_or_else(|| WireError::new(format!("watch `{name}`")))
}

/// What a sidecar says when a job is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobEnd {
    /// How the command ended; `None` if it was cancelled, or if there was none.
    pub ending: Option<Ending>,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
    /// Time that the one of its threads seen at the end which waited longest for a processor spent waiting for one.
    pub starved: Duration,
}

/// What a supervisor says when its app is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppReport {
    /// What became of the app.
    pub end: AppEnd,
    /// What was counted.
    pub calls: CallLog,
    /// The files that were asked for and are there, by path. What is no plain file is empty.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What became of those that were asked about.
    pub changes: FileChanges,
}

/// What a shim says to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The surroundings of a [`Command::Nest`] are there.
    Nested {
        /// How they are kept apart from the machine, in one line for people.
        isolation: String,
    },
    /// The shim runs and waits for commands.
    Hello,
    /// The filter is installed and the app's program is running under it.
    Installed,
    /// The app's main process ended, as no descendant of it is left or as a daemonised app goes on.
    MainEnded {
        /// How it ended.
        ending: Ending,
        /// Whether descendants live on.
        daemonised: bool,
    },
    /// The app has taken as much processor time as it may.
    Exhausted,
    /// An observed command made a call, or something happened to it.
    Line {
        /// What, as a person reads it.
        text: String,
    },
    /// An observed command is over; the last word of its observer.
    Traced(Box<Trace>),
    /// The app is over; the last word of a supervisor.
    Report(Box<AppReport>),
    /// The new network namespace is there.
    NetworkReady,
    /// The job's port is listening.
    Listening,
    /// The job is over.
    JobEnded(JobEnd),
    /// The command could not be started: it does not exist, or cannot be executed.
    NotStarted {
        /// What the kernel said.
        message: String,
    },
    /// The shim itself failed; nothing it said counts.
    Trouble {
        /// What went wrong.
        message: String,
    },
}

impl Event {
    /// The event as a frame.
    #[must_use]
    pub fn frame(&self) -> Frame {
        match self {
            Self::Nested { isolation } => Frame::new("nested").field("isolation", isolation),
            Self::Hello => Frame::new("hello"),
            Self::Installed => Frame::new("installed"),
            Self::MainEnded { ending, daemonised } => {
                with_ending(Frame::new("main-ended"), Some(ending)).field("daemonised", &daemonised)
            }
            Self::Exhausted => Frame::new("exhausted"),
            Self::Line { text } => Frame::new("line").body(text.clone().into_bytes()),
            Self::Traced(trace) => trace::trace_frame(trace),
            Self::Report(report) => report_frame(report),
            Self::NetworkReady => Frame::new("network-ready"),
            Self::Listening => Frame::new("listening"),
            Self::JobEnded(end) => with_ending(Frame::new("job-ended"), end.ending.as_ref())
                .field("starved-microseconds", &end.starved.as_micros())
                .children([output_frame("stdout", &end.stdout), output_frame("stderr", &end.stderr)]),
            Self::NotStarted { message } => Frame::new("not-started").field("message", &message),
            Self::Trouble { message } => Frame::new("trouble").field("message", &message),
        }
    }

    /// Reads a frame as an event.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
        let message = || frame.text("message").map(str::to_owned);
        Ok(match frame.kind.as_str() {
            "nested" => Self::Nested { isolation: frame.text("isolation")?.to_owned() },
            "hello" => Self::Hello,
            "installed" => Self::Installed,
            "main-ended" => Self::MainEnded {
                ending: ending(frame)?.ok_or_else(|| WireError::new("`main-ended` without an ending"))?,
                daemonised: frame.parse("daemonised")?,
            },
            "exhausted" => Self::Exhausted,
            "line" => Self::Line { text: frame.body_text()? },
            "trace" => Self::Traced(Box::new(trace::trace(frame)?)),
            "report" => Self::Report(Box::new(report(frame)?)),
            "network-ready" => Self::NetworkReady,
            "listening" => Self::Listening,
            "job-ended" => {
                let starved = Duration::from_micros(frame.parse("starved-microseconds")?);
                let mut end = JobEnd { ending: ending(frame)?, starved, ..JobEnd::default() };
                for child in frame.frames()? {
                    read_output(&child, &mut end.stdout, &mut end.stderr)?;
                }
                Self::JobEnded(end)
            }
            "not-started" => Self::NotStarted { message: message()? },
            "trouble" => Self::Trouble { message: message()? },
            _ => return Err(frame.unexpected()),
        })
    }
}

fn with_ending(frame: Frame, ending: Option<&Ending>) -> Frame {
    match ending {
        Some(Ending::Exited(code)) => frame.field("exited", &code),
        Some(Ending::Signaled(signal)) => frame.field("signaled", &signal),
        None => frame,
    }
}

fn ending(frame: &Frame) -> Result<Option<Ending>, WireError> {
    Ok(match (frame.optional("exited")?, frame.optional("signaled")?) {
        (Some(code), None) => Some(Ending::Exited(code)),
        (None, Some(signal)) => Some(Ending::Signaled(signal)),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(WireError::new(format!("`{}` ended twice", frame.kind))),
    })
}

fn output_frame(stream: &str, output: &Output) -> Frame {
    Frame::new("output").field("stream", &stream).field("dropped", &output.dropped).body(output.kept.clone())
}

fn read_output(frame: &Frame, stdout: &mut Output, stderr: &mut Output) -> Result<(), WireError> {
    let output = Output { kept: frame.body.clone(), dropped: frame.parse("dropped")? };
    match frame.text("stream")? {
        "stdout" => *stdout = output,
        "stderr" => *stderr = output,
        other => return Err(WireError::new(format!("stream `{other}`"))),
    }
    Ok(())
}

fn with_left(frame: Frame, left: &Left) -> Frame {
    frame.field("left-milliseconds", &left.milliseconds)
}

fn left_frames(left: &Left) -> impl Iterator<Item = Frame> + '_ {
    left.processes.iter().map(|name| Frame::new("left").field("process", name))
}

fn report_frame(report: &AppReport) -> Frame {
    let AppReport { end, calls, files, changes } = report;
    let mut frame = with_ending(Frame::new("report"), end.main.as_ref())
        .field("daemonised", &end.daemonised)
        .field("out-of-memory", &end.out_of_memory)
        .field("peak-rss-kib", &end.peak_rss_kib)
        .field("cpu-microseconds", &end.cpu_time.as_micros())
        .field("starved-microseconds", &end.starved.as_micros());
    frame = with_left(frame, &end.left);
    if let Some(open_files) = end.open_files {
        frame = frame.field("open-files", &open_files);
    }
    let mut children = vec![output_frame("stdout", &end.stdout), output_frame("stderr", &end.stderr)];
    children.extend(left_frames(&end.left));
    for death in &end.deaths {
        children.push(Frame::new("death").field("process", &death.process).field("signal", &death.signal));
    }
    for (call, statistics) in &calls.calls {
        let processes =
            statistics.processes.iter().map(|(name, count)| Frame::new("process").field("name", &name).field("count", &count));
        let samples = statistics.samples.iter().map(|sample| {
            let words: Vec<_> = sample.iter().map(|argument| format!("{argument:x}")).collect();
            Frame::new("sample").field("arguments", &words.join(","))
        });
        children.push(
            Frame::new("call")
                .field("name", &call)
                .field("count", &statistics.count)
                .field("first", &statistics.first)
                .field("last", &statistics.last)
                .children(processes.chain(samples)),
        );
    }
    for (feature, count) in &calls.features {
        children.push(Frame::new("feature").field("name", feature).field("count", count));
    }
    for (file, count) in &calls.files {
        children.push(Frame::new("file").field("name", file).field("count", count));
    }
    for (number, count) in &calls.unknown {
        children.push(Frame::new("unknown").field("number", &number).field("count", &count));
    }
    for (call, count) in &calls.foreign {
        let frame = Frame::new("foreign").field("architecture", &call.architecture).field("number", &call.number);
        children.push(frame.field("count", &count));
    }
    children.extend(files.iter().map(|(path, content)| Frame::new("collected").field("path", path).body(content.clone())));
    // The frame of them all is there even if there are none: nothing new is known then.
    children.extend(calls.new_uses.as_ref().map(|uses| {
        let new = |(item, new): (&Item, &NewUse)| {
            let after: Vec<_> = new.after.iter().map(ToString::to_string).collect();
            Frame::new("new").field("item", item).field("count", &new.count).field("after", &after.join(","))
        };
        Frame::new("new-uses").children(uses.iter().map(new))
    }));
    children.extend(calls.aftermaths.iter().map(aftermath::frame_of));
    for (item, sequences) in &calls.sequences {
        children.extend(sequences.iter().map(|calls| aftermath::sequence_frame(*item, calls)));
    }
    children.extend(files::changes_frame(changes));
    frame.children(children)
}

fn report(frame: &Frame) -> Result<AppReport, WireError> {
    let mut end = AppEnd {
        main: ending(frame)?,
        daemonised: frame.parse("daemonised")?,
        out_of_memory: frame.parse("out-of-memory")?,
        peak_rss_kib: frame.parse("peak-rss-kib")?,
        cpu_time: Duration::from_micros(frame.parse("cpu-microseconds")?),
        open_files: frame.optional("open-files")?,
        starved: Duration::from_micros(frame.parse("starved-microseconds")?),
        left: Left { milliseconds: frame.parse("left-milliseconds")?, processes: Vec::new() },
        ..AppEnd::default()
    };
    let mut calls = CallLog::default();
    let mut changes = FileChanges::default();
    let mut files = BTreeMap::new();
    for child in frame.frames()? {
        match child.kind.as_str() {
            "collected" => {
                files.insert(child.text("path")?.to_owned(), child.body.clone());
            }
            "changes" => changes = files::changes(&child)?,
            "output" => read_output(&child, &mut end.stdout, &mut end.stderr)?,
            "left" => end.left.processes.push(child.text("process")?.to_owned()),
            "death" => {
                end.deaths.push(Death { process: child.text("process")?.to_owned(), signal: child.text("signal")?.to_owned() });
            }
            "call" => {
                calls.calls.insert(child.parse("name")?, call_statistics(&child)?);
            }
            "feature" => {
                calls.features.insert(child.parse("name")?, child.parse("count")?);
            }
            "file" => {
                calls.files.insert(child.parse("name")?, child.parse("count")?);
            }
            "unknown" => {
                calls.unknown.insert(child.parse("number")?, child.parse("count")?);
            }
            "foreign" => {
                let call = ForeignCall { architecture: child.parse("architecture")?, number: child.parse("number")? };
                calls.foreign.insert(call, child.parse("count")?);
            }
            "new-uses" => calls.new_uses = Some(new_uses(&child)?),
            "aftermath" => calls.aftermaths.push(aftermath::read(&child)?),
            "sequence" => calls.sequences.entry(child.parse("item")?).or_default().push(aftermath::read_sequence(&child)?),
            _ => return Err(child.unexpected()),
        }
    }
    Ok(AppReport { end, calls, files, changes })
}

fn new_uses(frame: &Frame) -> Result<BTreeMap<Item, NewUse>, WireError> {
    let recorded = |text: &str| Item::recorded(text).map_err(|error| WireError::new(error.to_string()));
    let new = |child: &Frame| {
        let after = child.text("after")?.split(',').filter(|text| !text.is_empty()).map(recorded).collect::<Result<_, _>>()?;
        Ok((recorded(child.text("item")?)?, NewUse { count: child.parse("count")?, after }))
    };
    frame.frames()?.iter().map(new).collect()
}

fn call_statistics(frame: &Frame) -> Result<CallStatistics, WireError> {
    let mut statistics = CallStatistics {
        count: frame.parse("count")?,
        first: frame.parse("first")?,
        last: frame.parse("last")?,
        ..CallStatistics::default()
    };
    for child in frame.frames()? {
        match child.kind.as_str() {
            "process" => {
                statistics.processes.insert(child.text("name")?.to_owned(), child.parse("count")?);
            }
            "sample" => {
                let text = child.text("arguments")?;
                let bad = || WireError::new(format!("arguments `{text}`"));
                let words: Result<Vec<_>, _> = text.split(',').map(|word| u64::from_str_radix(word, 16)).collect();
                statistics.samples.push(words.ok().and_then(|words| words.try_into().ok()).ok_or_else(bad)?);
            }
            _ => return Err(child.unexpected()),
        }
    }
    Ok(statistics)
}

#[cfg(test)]
mod tests {
    use super::super::{Aftermath, NextCall, Treatment, Written};
    use super::*;
    use crate::syscalls::Sysno;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames.push(frame);
        }
        assert!(decoder.is_empty());
        frames
    }

    fn call(name: &str) -> Sysno {
        name.parse().unwrap()
    }

    fn sample_aftermath() -> Aftermath {
        let written = Written { to: "stderr".to_owned(), text: "no limit #1\n\u{fffd}".to_owned() };
        let next = |name: &str, treatment, written| NextCall {
            call: call(name),
            treatment,
            made: format!("{name}(1, \"a b\")"),
            written,
        };
        Aftermath {
            item: "prlimit64(RLIMIT_NOFILE)".parse().unwrap(),
            treatment: Treatment::Stub,
            process: "redis server".to_owned(),
            made: "prlimit64(0, RLIMIT_NOFILE, NULL, 0x7ffd)".to_owned(),
            next: vec![next("write", None, Some(written)), next("close", Some(Treatment::Fake), None)],
        }
    }

    fn sample_new_uses() -> BTreeMap<Item, NewUse> {
        let new = |count, after: &[&str]| NewUse { count, after: after.iter().map(|text| text.parse().unwrap()).collect() };
        BTreeMap::from([
            ("exit".parse().unwrap(), new(3, &[])),
            ("/dev/urandom".parse().unwrap(), new(1, &["getrandom", "mmap(MAP_SHARED)", "/proc/self/status"])),
        ])
    }

    fn sample_report() -> AppReport {
        let statistics = CallStatistics {
            count: 7,
            first: 2,
            last: 4,
            processes: BTreeMap::from([("redis server".to_owned(), 5), ("bio=close".to_owned(), 2)]),
            samples: vec![[0, 1, u64::MAX, 3, 4, 5]],
        };
        AppReport {
            end: AppEnd {
                main: Some(Ending::Signaled("SIGSEGV".to_owned())),
                daemonised: true,
                left: Left { processes: vec!["a b\n".to_owned(), String::new()], milliseconds: 250 },
                deaths: vec![Death { process: "a b\nc%".to_owned(), signal: "SIGSEGV".to_owned() }],
                out_of_memory: true,
                stdout: Output { kept: b"one\n#2\0\xff".to_vec(), dropped: 3 },
                stderr: Output::default(),
                peak_rss_kib: 4096,
                cpu_time: Duration::from_micros(1_234_567),
                open_files: Some(8),
                starved: Duration::from_micros(987),
            },
            calls: CallLog {
                calls: BTreeMap::from([(Sysno::from_name("openat").unwrap(), statistics)]),
                features: BTreeMap::from([("mmap(MAP_ANONYMOUS)".parse().unwrap(), 3)]),
                files: BTreeMap::from([("/proc/[pid]/stat".parse().unwrap(), 4)]),
                unknown: BTreeMap::from([(999, 1)]),
                foreign: BTreeMap::from([(ForeignCall { architecture: 0x4000_0003, number: 20 }, 2)]),
                new_uses: Some(sample_new_uses()),
                aftermaths: vec![sample_aftermath()],
                sequences: BTreeMap::from([("/dev/null".parse().unwrap(), vec![vec![call("read"), call("close")], Vec::new()])]),
            },
            files: BTreeMap::from([("/var/a b".to_owned(), vec![0, 10, 255])]),
            changes: FileChanges {
                states: BTreeMap::from([("/a b".into(), "file 0644 0:5 6 00000000000000ff".parse().unwrap())]),
                left_out: 7,
            },
        }
    }

    #[test]
    fn every_command_round_trips() {
        let launch = Launch {
            command: vec!["/bin/app".into(), String::new(), "a b\n".into()],
            intervention: "stub=ioctl(TCGETS),/dev/null;fake=clone3".parse().unwrap(),
            watch: Watch::Everything,
            output_limit: 1000,
            processor_limit: Some(Duration::from_micros(7)),
            prompt_answers: Some(30_000),
            settle_above: Some(17),
            wait_for_children: true,
            traced: Some(["read", "ioctl(TCGETS)", "/sys/block/[disk]"].map(|text| text.parse().unwrap()).into()),
            files: vec!["/var/lib/a b".into()],
            look_at: LookAtFiles::At(vec!["/a b".into(), "/b".into()]),
        };
        let file = JobFile { path: "stdout".into(), executable: true, content: vec![0, 255, 10] };
        let job = Job { command: vec!["wrk".into()], port: Some(80), user: "a:b".into(), output_limit: 5, files: vec![file] };
        let nest = Nest { isolated: true, own_network: false, input: Some("/proc/1/fd/3 ".into()) };
        let commands = [
            Command::Nest(nest),
            Command::Nest(Nest::default()),
            Command::Stage(Stage { user: "a:b".into(), home_is_set: true }),
            Command::Launch(Launch { traced: None, ..launch.clone() }),
            Command::Launch(Launch { traced: Some(BTreeSet::new()), ..launch.clone() }),
            Command::Launch(launch),
            Command::Finish,
            Command::Network,
            Command::Run(job),
            Command::Cancel,
        ];
        for command in commands {
            let frames = decode(&command.frame().encode());
            assert_eq!(Command::from_frame(&frames[0]).unwrap(), command);
        }
    }

    #[test]
    fn every_event_round_trips() {
        let output = Output { kept: b"x".to_vec(), dropped: 0 };
        let events = [
            Event::Nested { isolation: "own pid namespace; read-only: /a b".into() },
            Event::Hello,
            Event::Installed,
            Event::MainEnded { ending: Ending::Exited(-1), daemonised: true },
            Event::Exhausted,
            Event::Report(Box::new(sample_report())),
            Event::Report(Box::default()),
            Event::Report(Box::new(AppReport {
                calls: CallLog { new_uses: Some(BTreeMap::new()), ..CallLog::default() },
                ..AppReport::default()
            })),
            Event::NetworkReady,
            Event::Listening,
            Event::JobEnded(JobEnd {
                ending: Some(Ending::Exited(0)),
                stdout: output.clone(),
                stderr: output,
                starved: Duration::from_micros(5),
            }),
            Event::NotStarted { message: "no such file".into() },
            Event::Trouble { message: "50 % = half\n".into() },
        ];
        for event in events {
            let frames = decode(&event.frame().encode());
            assert_eq!(Event::from_frame(&frames[0]).unwrap(), event);
        }
    }

    proptest! {
        #[test]
        fn frames_survive_any_fragmentation(cuts in proptest::collection::vec(1..40usize, 1..60)) {
            let frames = [Event::Hello.frame(), Event::Report(Box::new(sample_report())).frame(), Command::Finish.frame()];
            let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
            let mut decoder = Decoder::default();
            let mut decoded = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    decoded.push(frame);
                }
                rest = tail;
                if rest.is_empty() { break; }
            }
            prop_assert_eq!(decoded.as_slice(), frames.as_slice());
            prop_assert!(decoder.is_empty());
        }

        #[test]
        fn any_field_value_round_trips(value in any::<String>(), body in any::<Vec<u8>>()) {
            let frame = Frame::new("kind").field("key", &value).body(body);
            prop_assert_eq!(decode(&frame.encode()), [frame]);
        }

        #[test]
        fn garbage_is_refused_without_panic(bytes in any::<Vec<u8>>()) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(frame)) = decoder.next_frame() {
                let _ = (Command::from_frame(&frame), Event::from_frame(&frame));
            }
        }
    }
}

//! `app.yaml` and `workloads/*.yaml` -> validated [`AppSpec`].
//!
//! First stage of the flow. Reads files only through `files` and lists them through `context`; builds and starts nothing. Every problem of every file
//! is reported at once, with file, line and column.
//!
//! How a file becomes a spec: `load` finds the folders, `tree` parses YAML into nodes with places, `shared` replaces `use:`
//! by the shared workload, `workload`, `variants` and `typing` turn nodes into typed values, and `problem` collects what is wrong.
//!
//! # The format
//!
//! A folder with a `Dockerfile` alone is a complete app, with one workload named `default`. Names of apps, workloads, shared
//! workloads and parameters match `[a-z0-9][a-z0-9._-]*`. Keys of `app.yaml`, all optional:
//!
//! | key | value | default |
//! |---|---|---|
//! | `description` | text for people | none |
//! | `build-arguments` | mapping of names to values | none |
//! | `variants` | list of at least one, with unique names | none |
//! | `workloads` | list of at least one, with unique names | one named `default` |
//!
//! A variant is the same app built with other arguments, such as of another release: it has a `name`, the `build-arguments` that differ
//! from those of the app, and perhaps a `description`. Its workloads are those of the app; its results are called `APP@VARIANT`, and so
//! is it wherever an app is asked for. The app itself is the default variant, and has no such name. Each of the arguments has to be
//! declared by an `ARG` of the Dockerfile, since Docker builds the same image again without a word if it is not.
//!
//! ```yaml
//! variants:
//!   - name: trixie
//!     build-arguments: {RELEASE: trixie}      # Dockerfile: ARG RELEASE=bookworm, FROM debian:${RELEASE}-slim
//! ```
//!
//! Keys of a workload:
//!
//! | key | value | default |
//! |---|---|---|
//! | `name` | names its results | has to be given |
//! | `kind` | `server` or `run-to-completion` | `server` beside `client`, `ready` or `stay-up`; otherwise the image decides |
//! | `command` | list of strings | the image's ENTRYPOINT and CMD |
//! | `environment` | mapping of names to values, added to the image's | none |
//! | `ready.port` | the TCP port that the server listens on | the lowest that the image exposes |
//! | `client.image` | folder of `Dockerfiles/`, or an image reference with `:` or `/` | has to be given |
//! | `client.command` | list of strings | has to be given |
//! | `client.environment` | mapping | none |
//! | `stay-up` | time that a server without a client has to live after it listens | `1s` |
//! | `wait-for-children` | `true`: what runs to completion is over when every process that it left is | `false`: those are ended soon |
//! | `success.exit-code` | 0 to 255, of the client, or of the app without one | `0` |
//! | `success.stdout-matches`, `stderr-matches` | pattern or list of patterns, each has to match | none |
//! | `success.stdout-forbids`, `stderr-forbids` | pattern or list of patterns, none may match | none |
//! | `success.files` | absolute path or list of them, which have to exist | none |
//! | `success.check` | script beside the YAML file, or `{script: NAME, image: IMAGE}` | none; image of the client, or of the app |
//! | `success.expected-deaths` | list of signals that a process may die of, such as `SIGTERM` | none |
//! | `throughput` | pattern with one group, which finds a number in the output | none: time is compared instead |
//! | `timeout` | deadline of one trial | from the measured baseline |
//! | `limits.memory` | size, from `6MiB` | `2GiB` |
//! | `limits.pids` | processes and threads, from 2 | `4096` |
//! | `limits.output` | size kept of each output stream, `1KiB` to `64MiB` | `256KiB` |
//! | `use` | name of a shared workload, `workloads/NAME.yaml` | none |
//! | `with` | mapping of its parameters to values | none |
//!
//! Times are `500ms`, `10s`, `2m`, `1h`, up to a day; sizes are `4096B`, `64KiB`, `512MiB`, `2GiB`. Patterns are those of the
//! `regex` crate, with `^` and `$` matching at every line. Where text is expected, numbers and booleans are taken as written.
//!
//! A shared workload has the keys `description`, `parameters` and `workload`, which holds the keys above without `name`.
//! A parameter is `NAME: DEFAULT`, `NAME: {default: …, description: …}`, or without a default `NAME:`, and then has to be given.
//! `${NAME}` stands for its value anywhere in a value below `workload`, `$${` for the characters `${`. Between braces or brackets
//! YAML wants it in quotes. A value that is nothing but `${NAME}` has the type of what was given. A shared workload may `use`
//! another. Keys beside `use` override those of the shared workload, mappings key by key, anything else as a whole. Paths are
//! relative to the file in which they stand.

mod context;
mod files;
mod fingerprint;
mod load;
mod model;
mod priorities;
mod problem;
mod shared;
mod tree;
mod typing;
mod variants;
mod workload;

pub use context::{ContextKind, context_files};
pub use fingerprint::fingerprint;
pub use load::{Roots, load_app, load_apps, load_apps_and_variants};
pub use model::{AppSpec, Check, Client, ImageSource, Kind, Limits, Success, Workload, WrittenFiles};
pub use priorities::{Priorities, load_priorities};
pub(crate) use problem::nearest;
pub use problem::{Problem, SpecErrors};

/// What to do about a name that [`is_name`] refuses.
const NAME_HINT: &str = "names have lower-case letters, digits, `.`, `_` and `-`, and begin with a letter or digit";

/// Whether `text` may name an app, workload, client image, shared workload or parameter: it becomes part of paths and image names.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 64 && text.starts_with(good) && text.chars().all(|c| good(c) || matches!(c, '.' | '_' | '-'))
}

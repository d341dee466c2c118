//! How long the analysis of a program with all its libraries takes. Run by hand:
//!
//! ```sh
//! cargo bench --bench static_binary                          # bash of this machine
//! cargo bench --bench static_binary -- /usr/sbin/nginx
//! cargo bench --bench static_binary -- nginx ROOT            # a program in a folder that holds a whole system
//! ```

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Instant;

use loupe::static_analysis::binary::{Request, analyse};
use loupe::static_analysis::folder::Folder;

/// Enough for a median that stays where it is.
const RUNS: usize = 11;

fn main() {
    // Cargo adds an option of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let program = arguments.next().unwrap_or_else(|| "bash".to_owned());
    let root = Folder::new(arguments.next().unwrap_or_else(|| "/".to_owned()));
    let threads = available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let request = Request { program, also: Vec::new(), environment: BTreeMap::new(), folder: "/".to_owned(), threads };
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let begin = Instant::now();
        match analyse(&root, &request) {
            Ok(findings) => times.push((begin.elapsed(), findings.objects.len(), findings.calls.len())),
            Err(error) => {
                eprintln!("{error}");
                return;
            }
        }
    }
    times.sort();
    let (median, objects, calls) = times[RUNS / 2];
    println!(
        "{} with {objects} objects, {calls} calls: {median:.0?} ({:.0?} to {:.0?})",
        request.program,
        times[0].0,
        times[RUNS - 1].0
    );
}

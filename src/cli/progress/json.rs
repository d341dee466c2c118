//! Every event as one line of JSON on standard output, for programs.

use std::time::Duration;

use super::Reporter;
use crate::campaign::Event;
use crate::cli::printer::Printer;

/// Writes events as they are; times are their own business.
pub(super) struct JsonLines {
    printer: Printer,
}

impl JsonLines {
    pub(super) fn new(printer: Printer) -> Self {
        Self { printer }
    }
}

impl Reporter for JsonLines {
    fn report(&mut self, event: &Event, _: Duration) {
        self.printer.json(event);
    }
}

#[cfg(test)]
mod tests {
    use super::super::plain::tests::course;
    use super::*;
    use crate::cli::printer::tests::captured;

    #[test]
    fn every_event_is_one_object_in_one_line() {
        let (printer, output, error) = captured(false);
        let mut reporter = JsonLines::new(printer);
        let course = course();
        for (at, event) in &course {
            reporter.report(event, *at);
        }
        let text = output.text();
        assert_eq!(error.text(), "");
        assert_eq!(text.lines().count(), course.len());
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value["event"].is_string(), "{line}");
        }
        insta::assert_snapshot!(text);
    }
}

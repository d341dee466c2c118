//! What the exit status says.

use std::process::ExitCode;

use crate::campaign::CampaignEnd;

/// The answer that the exit code carries. In order of seriousness: of several, the last one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 0: done.
    Done,
    /// 4: finished, but something stayed inconclusive.
    Inconclusive,
    /// 1: a negative answer, such as an app whose baseline fails.
    Negative,
    /// 2: the command line or a spec is wrong.
    Usage,
    /// 3: the environment is not usable.
    Environment,
    /// 70: a bug.
    Bug,
    /// 130: interrupted; what is finished is stored.
    Interrupted,
}

impl Status {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Negative => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Inconclusive => 4,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }

    /// What the end of one campaign means for the whole.
    #[must_use]
    pub const fn of(end: &CampaignEnd) -> Self {
        match end {
            CampaignEnd::Measured(_) | CampaignEnd::UpToDate(_) => Self::Done,
            CampaignEnd::Refused { inconclusive: true, .. } | CampaignEnd::Incomplete { .. } => Self::Inconclusive,
            CampaignEnd::Refused { inconclusive: false, .. } | CampaignEnd::Failed { .. } => Self::Negative,
            CampaignEnd::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_serious_answer_counts() {
        let refused = |inconclusive| CampaignEnd::Refused { reasons: Vec::new(), inconclusive };
        let status = |ends: &[CampaignEnd]| ends.iter().map(Status::of).max().unwrap_or(Status::Done).code();
        let incomplete = CampaignEnd::Incomplete { reasons: Vec::new() };
        assert_eq!(status(&[]), 0);
        assert_eq!(status(&[incomplete.clone(), CampaignEnd::Measured(crate::campaign::Totals::default())]), 4);
        assert_eq!(status(&[refused(true)]), 4);
        assert_eq!(status(&[incomplete, refused(false)]), 1);
        assert_eq!(status(&[CampaignEnd::Interrupted, refused(false)]), 130);
    }
}

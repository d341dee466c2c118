//! Exit statuses: what a program that starts Loupe learns without reading a word. Pure.

use std::process::ExitCode;

use crate::campaign::CampaignEnd;
use crate::spec::SpecErrors;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Everything was done, and there is nothing bad to tell.
    Done,
    /// A negative answer: an app that cannot be measured, a result that got worse.
    Negative,
    /// A mistake in the command line or in a spec.
    Usage,
    /// The environment is not usable: no engine, kernel too old, results that cannot be written.
    Environment,
    /// Finished, but something stayed inconclusive.
    Inconclusive,
    /// Interrupted, with everything that was finished stored.
    Interrupted,
}

/// The exit code of a bug in Loupe, which only a panic leads to.
pub(super) const BUG: u8 = 70;

impl Status {
    /// The code that the process exits with.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Negative => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Inconclusive => 4,
            Self::Interrupted => 130,
        }
    }

    /// Where several apply, the one that counts is the one furthest up here:
    ///
    /// 1. interrupted (130): what else there is to say is unknown as yet;
    /// 2. usage (2): nothing was done at all;
    /// 3. environment (3): what was found may be its doing;
    /// 4. negative (1): somebody has to look at an app;
    /// 5. inconclusive (4): the same command may do better;
    /// 6. done (0).
    const fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Inconclusive => 1,
            Self::Negative => 2,
            Self::Environment => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
        }
    }

    /// The one of the two that counts.
    pub(super) fn or_worse(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }

    /// What the end of one campaign makes the program exit with. An app that failed is taken to be at fault, as most do because
    /// their image cannot be built; whether the engine is, has to be asked separately.
    pub(super) fn of_campaign(end: &CampaignEnd) -> Self {
        match end {
            CampaignEnd::Measured(_) | CampaignEnd::UpToDate(_) => Self::Done,
            CampaignEnd::Incomplete { .. } | CampaignEnd::Refused { inconclusive: true, .. } => Self::Inconclusive,
            CampaignEnd::Refused { inconclusive: false, .. } | CampaignEnd::Failed { environment: false, .. } => Self::Negative,
            CampaignEnd::Failed { environment: true, .. } => Self::Environment,
            CampaignEnd::Interrupted => Self::Interrupted,
        }
    }

    /// What an error that ended a verb makes the program exit with. Those that are not about what was asked for are about what surrounds
    /// Loupe: the engine, folders, streams.
    pub(super) fn of_error(error: &anyhow::Error) -> Self {
        if error.is::<SpecErrors>() || error.is::<WrongUsage>() { Self::Usage } else { Self::Environment }
    }
}

/// Something was asked for that does not exist: a mistake that only shows after the command line was parsed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongUsage(pub(super) String);

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Totals;

    #[test]
    fn the_most_serious_status_counts_whatever_the_order() {
        let from_worst =
            [Status::Interrupted, Status::Usage, Status::Environment, Status::Negative, Status::Inconclusive, Status::Done];
        for (index, worse) in from_worst.into_iter().enumerate() {
            for better in &from_worst[index..] {
                assert_eq!(worse.or_worse(*better), worse);
                assert_eq!(better.or_worse(worse), worse);
            }
        }
        assert_eq!(from_worst.map(Status::code), [130, 2, 3, 1, 4, 0]);
    }

    #[test]
    fn every_end_of_a_campaign_has_its_exit_code() {
        let refused = |inconclusive| CampaignEnd::Refused { reasons: Vec::new(), inconclusive };
        let code = |end| Status::of_campaign(&end).code();
        assert_eq!(code(CampaignEnd::Measured(Totals::default())), 0);
        assert_eq!(code(CampaignEnd::UpToDate(Totals::default())), 0);
        assert_eq!(code(refused(false)), 1);
        assert_eq!(code(CampaignEnd::Failed { message: String::new(), environment: false }), 1);
        assert_eq!(code(CampaignEnd::Failed { message: String::new(), environment: true }), 3);
        assert_eq!(code(refused(true)), 4);
        assert_eq!(code(CampaignEnd::Incomplete { reasons: Vec::new() }), 4);
        assert_eq!(code(CampaignEnd::Interrupted), 130);
    }
}

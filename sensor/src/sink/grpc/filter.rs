//! What a subscriber wants to get, checked in the sensor before anything is queued for it.

use crate::{
    finding::Level,
    proto,
    sink::{Body, Item},
};
use sensor_common::EventKind;

/// Shortest beginning of a container id that is accepted (what container tools print).
const CONTAINER_ID_MIN: usize = 12;
/// Longest list of containers.
const CONTAINERS_MAX: usize = 1024;

/// A subscriber's filter. Loss reports pass every filter. The default is all findings and no events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Findings are wanted.
    pub findings: bool,
    /// Events are wanted.
    pub events: bool,
    /// Of these kinds only, and findings about them; empty for all.
    pub kinds: Vec<EventKind>,
    /// Findings of at least this level.
    pub min_level: Level,
    /// Of these containers only (beginnings of ids); empty for all.
    pub containers: Vec<String>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { findings: true, events: false, kinds: Vec::new(), min_level: Level::Informational, containers: Vec::new() }
    }
}

/// A request that cannot be served as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A number that no kind of event has.
    #[error("there is no event kind {0}")]
    Kind(i32),
    /// A number that no level has.
    #[error("there is no level {0}")]
    Level(i32),
    /// A number that `Include` does not have.
    #[error("there is no include {0}")]
    Include(i32),
    /// Too short to name one container.
    #[error("container id {0:?} is too short: give at least the first {CONTAINER_ID_MIN} characters")]
    Container(String),
    /// Too many.
    #[error("{0} containers are too many: at most {CONTAINERS_MAX}")]
    Containers(usize),
}

impl Filter {
    /// Whether the subscriber wants the item.
    pub fn passes(&self, item: &Item) -> bool {
        if item.is_loss() {
            return true;
        }
        let wanted = match &item.body {
            Body::Event(_) => self.events,
            Body::Finding(finding) => self.findings && finding.rule.level >= self.min_level,
            Body::Gap(_) => true,
        };
        wanted && item.event().is_some_and(|event| self.kind(event.kind()) && self.container(event.process.container.as_deref()))
    }

    fn kind(&self, kind: EventKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    fn container(&self, container: Option<&crate::process::Container>) -> bool {
        self.containers.is_empty()
            || container.is_some_and(|c| self.containers.iter().any(|wanted| c.id.bytes().starts_with(wanted.as_bytes())))
    }
}

impl TryFrom<proto::SubscribeRequest> for Filter {
    type Error = FilterError;

    fn try_from(request: proto::SubscribeRequest) -> Result<Self, FilterError> {
        let (findings, events) = match proto::Include::try_from(request.include) {
            Ok(proto::Include::Unspecified | proto::Include::Findings) => (true, false),
            Ok(proto::Include::Events) => (false, true),
            Ok(proto::Include::FindingsAndEvents) => (true, true),
            Err(_) => return Err(FilterError::Include(request.include)),
        };
        let mut kinds = Vec::new();
        for kind in request.kinds {
            let known = u16::try_from(kind).ok().and_then(EventKind::from_wire).ok_or(FilterError::Kind(kind))?;
            if !kinds.contains(&known) {
                kinds.push(known);
            }
        }
        let min_level = match proto::Level::try_from(request.min_level) {
            Ok(proto::Level::Unspecified | proto::Level::Informational) => Level::Informational,
            Ok(proto::Level::Low) => Level::Low,
            Ok(proto::Level::Medium) => Level::Medium,
            Ok(proto::Level::High) => Level::High,
            Ok(proto::Level::Critical) => Level::Critical,
            Err(_) => return Err(FilterError::Level(request.min_level)),
        };
        if request.container_ids.len() > CONTAINERS_MAX {
            return Err(FilterError::Containers(request.container_ids.len()));
        }
        if let Some(short) = request.container_ids.iter().find(|id| id.len() < CONTAINER_ID_MIN) {
            return Err(FilterError::Container(short.clone()));
        }
        Ok(Self { findings, events, kinds, min_level, containers: request.container_ids })
    }
}

impl From<&Filter> for proto::SubscribeRequest {
    fn from(filter: &Filter) -> Self {
        let include = match (filter.findings, filter.events) {
            (true, true) => proto::Include::FindingsAndEvents,
            (false, true) => proto::Include::Events,
            (_, false) => proto::Include::Findings,
        };
        Self {
            include: include.into(),
            kinds: filter.kinds.iter().map(|k| i32::from(*k as u16)).collect(),
            min_level: super::convert::encode_level(filter.min_level).into(),
            container_ids: filter.containers.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    fn passing(filter: &Filter) -> Vec<u64> {
        sample::items().iter().filter(|i| filter.passes(i)).map(|i| i.sequence).collect()
    }

    #[test]
    fn each_filter_passes_exactly_its_items_and_every_loss_report() {
        let all = Filter { events: true, ..Filter::default() };
        // 1 to 14 events, 15 the loss report, 16 a finding of level high about a connect, 17 of level low about an exec, 18 an event, 0 a gap.
        assert_eq!(passing(&Filter::default()), [15, 16, 17, 0]);
        assert_eq!(passing(&all), (1..=18).chain([0]).collect::<Vec<_>>());
        assert_eq!(passing(&Filter { findings: false, ..all.clone() }), (1..=15).chain([18, 0]).collect::<Vec<_>>());
        assert_eq!(passing(&Filter { min_level: Level::Medium, ..Filter::default() }), [15, 16, 0]);
        assert_eq!(passing(&Filter { kinds: vec![EventKind::Exec, EventKind::Chmod], ..all.clone() }), [1, 11, 15, 17, 0]);
        assert_eq!(
            passing(&Filter { containers: vec![sample::CONTAINER[..12].into()], ..all.clone() }),
            [2, 4, 6, 8, 10, 12, 14, 15, 17, 0]
        );
        assert_eq!(passing(&Filter { containers: vec!["4f2c8a1e9b7d6c5b".into()], ..all }), [15, 0]);
    }

    #[test]
    fn a_request_says_the_same_as_its_filter() {
        let filter =
            Filter { findings: true, events: true, kinds: vec![EventKind::Open], min_level: Level::High, containers: vec!["a".repeat(12)] };
        assert_eq!(Filter::try_from(proto::SubscribeRequest::from(&filter)).unwrap(), filter);
        assert_eq!(Filter::try_from(proto::SubscribeRequest::default()).unwrap(), Filter::default());
    }

    #[test]
    fn a_filter_that_cannot_match_is_refused() {
        let refused = |request| Filter::try_from(request).unwrap_err();
        let request = proto::SubscribeRequest::default;
        assert_eq!(refused(proto::SubscribeRequest { kinds: vec![5], ..request() }), FilterError::Kind(5));
        assert_eq!(refused(proto::SubscribeRequest { kinds: vec![-1], ..request() }), FilterError::Kind(-1));
        assert_eq!(refused(proto::SubscribeRequest { min_level: 6, ..request() }), FilterError::Level(6));
        assert_eq!(refused(proto::SubscribeRequest { include: 7, ..request() }), FilterError::Include(7));
        assert_eq!(
            refused(proto::SubscribeRequest { container_ids: vec!["abc".into()], ..request() }),
            FilterError::Container("abc".into())
        );
    }
}

//! Checks what a reader asks for.

use std::time::Duration;

use super::{
    cursor::{Cursor, OWN_STAGES},
    filter::Filters,
};
use crate::{
    failure::{Failure, Reason},
    log::SessionLog,
    proto::{
        Encoding, Filter, OverflowPolicy, Position, StreamSamplesRequest,
        stream_samples_request::Start,
    },
    scope::{self, Redaction, Scope},
    spec::{
        clause::{self, CLAUSES_MAX, Side},
        compiled::Clause,
        time,
        violations::Violations,
    },
};

/// Bytes of a batch where the client says nothing.
const BATCH_BYTES: u32 = 16_384;
/// Most bytes of a message.
pub(crate) const MESSAGE_BYTES_MAX: u32 = 1 << 20;
/// What a message holds beside its batch, at most.
const ENVELOPE_BYTES: u32 = 4096;
/// How long a batch waits for more where the client says nothing.
const BATCH_DELAY: Duration = Duration::from_millis(100);

/// A checked request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) start: Place,
    pub(super) filters: Filters,
    /// What the reader may know of; `None` = everything.
    pub(super) targets: Option<Vec<Clause>>,
    pub(super) redaction: Redaction,
    pub(super) principal: String,
    pub(super) encoding: Encoding,
    pub(super) batch_bytes: usize,
    pub(super) batch_delay: Duration,
    pub(super) options: Options,
}

/// What decides when a reader ends and what it loses.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) max_samples: Option<u64>,
    pub(super) no_follow: bool,
    pub(super) until_unix_ns: Option<u64>,
    pub(super) overflow: OverflowPolicy,
    /// As the service understood them and authorization left them, for `Start`.
    pub(super) effective_filters: Vec<Filter>,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The first sample it is offered.
    pub(super) index: u64,
    /// The first sample it may have: what is offered before that is gone.
    pub(super) available: u64,
    /// Losses before it that an earlier stream had not told.
    pub(super) untold: [u64; OWN_STAGES.len()],
    /// It begins at the end: what it loses, it loses by being slow.
    pub(super) live: bool,
    /// What a narrowed reader calls `index`.
    pub(super) number: u64,
}

/// The session that is asked for.
pub(super) struct Of<'a> {
    pub(super) node: &'a str,
    pub(super) epoch: u64,
    pub(super) log: &'a SessionLog,
    /// Bit n is `Metric` n.
    pub(super) metrics: u32,
}

/// Checks every field against the session.
///
/// # Errors
/// `INVALID_ARGUMENT` with a violation for each wrong field, `REDACTION_DENIED` for filters that are finer than what is told.
pub(super) fn check(
    request: &StreamSamplesRequest,
    of: &Of<'_>,
    scope: &Scope,
) -> Result<Request, Failure> {
    let mut violations = Violations::default();
    let overflow = match OverflowPolicy::try_from(request.overflow) {
        Ok(OverflowPolicy::Unspecified) => Some(OverflowPolicy::DropOldest),
        Ok(overflow) => Some(overflow),
        Err(_) => violations.take(
            Reason::FieldInvalid,
            "overflow",
            Err(format!("{} is no policy", request.overflow)),
        ),
    };
    let encoding = match Encoding::try_from(request.encoding) {
        Ok(Encoding::Unspecified) => Some(Encoding::Rows),
        Ok(encoding) => Some(encoding),
        Err(_) => violations.take(
            Reason::FieldInvalid,
            "encoding",
            Err(format!("{} is no encoding", request.encoding)),
        ),
    };
    if request.max_batch_bytes > MESSAGE_BYTES_MAX {
        violations.add(
            Reason::FieldInvalid,
            "max_batch_bytes",
            format!("{} is above {MESSAGE_BYTES_MAX}", request.max_batch_bytes),
        );
    }
    let batch_bytes = if request.max_batch_bytes == 0 {
        BATCH_BYTES
    } else {
        request.max_batch_bytes
    };
    let batch_delay = request
        .max_batch_delay
        .as_ref()
        .map(time::duration_ns)
        .transpose();
    let batch_delay = violations
        .take(Reason::DurationInvalid, "max_batch_delay", batch_delay)
        .flatten();
    let until = request.until.as_ref().map(time::unix_ns).transpose();
    let until_unix_ns = violations
        .take(Reason::DurationInvalid, "until", until)
        .flatten();
    let include = clause::compile_all(&request.filters, "filters", Side::Reader, &mut violations);
    let exclude =
        clause::compile_exclude(&request.exclude, "exclude", Side::Reader, &mut violations);
    for (clauses, path) in [(&include, "filters"), (&exclude, "exclude")] {
        let redaction = scope.redaction;
        scope::refuse_filters(clauses, path, of.metrics, redaction, &mut violations);
    }
    let start = place(request, of, &scope.principal, &mut violations);
    let left = scope
        .targets
        .as_ref()
        .map(|targets| scope::narrowed(&include, targets));
    violations.bound("filters", left.as_ref().map_or(0, Vec::len), CLAUSES_MAX);
    violations.finish()?;
    let effective_filters = left.as_ref().unwrap_or(&include);
    let effective_filters = effective_filters.iter().map(Filter::from).collect();
    Ok(Request {
        start: start.unwrap_or_default(),
        filters: Filters::new(include, exclude, until_unix_ns),
        targets: scope.targets.clone(),
        redaction: scope.redaction,
        principal: scope.principal.clone(),
        encoding: encoding.unwrap_or_default(),
        batch_bytes: batch_bytes.min(MESSAGE_BYTES_MAX - ENVELOPE_BYTES) as usize,
        batch_delay: batch_delay.map_or(BATCH_DELAY, Duration::from_nanos),
        options: Options {
            max_samples: (request.max_samples > 0).then_some(request.max_samples),
            no_follow: request.no_follow,
            until_unix_ns,
            overflow: overflow.unwrap_or_default(),
            effective_filters,
        },
    })
}

fn place(
    request: &StreamSamplesRequest,
    of: &Of<'_>,
    principal: &str,
    violations: &mut Violations,
) -> Option<Place> {
    let Of {
        node, epoch, log, ..
    } = *of;
    let (oldest, next_index) = log.replayable();
    let latest = Place {
        index: next_index,
        live: true,
        ..Place::default()
    };
    let beginning = Place {
        available: oldest,
        ..Place::default()
    };
    match &request.start {
        None if request.no_follow => Some(beginning),
        None => Some(latest),
        Some(Start::Position(number)) => match Position::try_from(*number) {
            Ok(Position::Oldest) => Some(beginning),
            Ok(Position::Unspecified) if request.no_follow => Some(beginning),
            Ok(Position::Latest | Position::Unspecified) => Some(latest),
            Err(_) => violations.take(
                Reason::FieldInvalid,
                "position",
                Err(format!("{number} is no position")),
            ),
        },
        Some(Start::Since(since)) => {
            let since = violations.take(Reason::DurationInvalid, "since", time::unix_ns(since))?;
            let index = log.index_since(since);
            Some(Place {
                index,
                live: index == next_index,
                ..beginning
            })
        }
        Some(Start::Cursor(text)) => {
            let place = resume(text, principal, node, epoch, next_index);
            violations.take(Reason::CursorInvalid, "cursor", place)
        }
        Some(Start::Resume(it)) => {
            let own = it
                .cursors
                .iter()
                .position(|text| Cursor::node_of(text) == Some(node));
            let Some(at) = own else {
                violations.add(
                    Reason::CursorInvalid,
                    "resume.cursors",
                    format!("none is of {node}"),
                );
                return None;
            };
            let place = resume(&it.cursors[at], principal, node, epoch, next_index);
            violations.take(
                Reason::CursorInvalid,
                format!("resume.cursors[{at}]"),
                place,
            )
        }
    }
}

fn resume(
    text: &str,
    principal: &str,
    node: &str,
    epoch: u64,
    next_index: u64,
) -> Result<Place, String> {
    let of = Cursor::node_of(text).ok_or("is not a cursor")?;
    if of != node {
        return Err(format!("is of {of}, this is {node}"));
    }
    let cursor = Cursor::open(text, principal)
        .ok_or("is not a cursor that you were given since the service started")?;
    if cursor.epoch != epoch || cursor.index > next_index {
        return Err("is of another session, or of one before it was started anew".into());
    }
    Ok(Place {
        index: cursor.index,
        untold: cursor.untold,
        number: cursor.number.unwrap_or_default(),
        ..Place::default()
    })
}

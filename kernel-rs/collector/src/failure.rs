//! Everything that can go wrong and reach a client, as one closed list.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// Why a call failed. Each has a stable code, a gRPC status and a row in docs/errors.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The bytes are not the message they should be.
    MessageMalformed,
    /// A field that must be set is not.
    FieldRequired,
    /// A value outside what its field allows.
    FieldInvalid,
    /// More values than the field takes.
    FieldTooLong,
    /// Not an address or a CIDR.
    CidrInvalid,
    /// Not a port or a range of ports.
    PortInvalid,
    /// Not a duration or a time, or one outside what the field allows.
    DurationInvalid,
    /// A metric that this probe does not yield.
    MetricInvalid,
    /// No clause of the session can ever match what the probe yields.
    FilterUnmatchable,
    /// No such network interface.
    InterfaceUnknown,
    /// No such network namespace.
    NamespaceUnknown,
    /// Not a cursor of this session.
    CursorInvalid,
    /// A file that cannot be opened, or is no capture that is read, or goes wrong somewhere.
    CaptureInvalid,
    /// Nothing of what was asked for is among what the caller may see.
    TargetDenied,
    /// It would tell more than what is withheld from the caller leaves.
    RedactionDenied,
    /// The kernel offers no hook for this metric.
    HookUnavailable,
    /// The service lacks a Linux capability.
    PrivilegeMissing,
    /// The kernel's verifier refused a program.
    ProgramRefused,
    /// Running sessions of the same interface ask for another setting.
    OptionConflict,
    /// A bounded table of the node is full.
    CapacityExhausted,
    /// A reader with the overflow policy `DISCONNECT` fell behind.
    ReaderTooSlow,
    /// The object was closed.
    Closed,
    /// A second `next` while the first had not answered.
    NextConcurrent,
    /// The kernel answered what it should not.
    KernelError,
    /// A fault of latscope itself.
    Internal,
}

impl Reason {
    /// Every reason, in the order of docs/errors.md.
    pub const ALL: [Self; 25] = [
        Self::MessageMalformed,
        Self::FieldRequired,
        Self::FieldInvalid,
        Self::FieldTooLong,
        Self::CidrInvalid,
        Self::PortInvalid,
        Self::DurationInvalid,
        Self::MetricInvalid,
        Self::FilterUnmatchable,
        Self::InterfaceUnknown,
        Self::NamespaceUnknown,
        Self::CursorInvalid,
        Self::CaptureInvalid,
        Self::TargetDenied,
        Self::RedactionDenied,
        Self::HookUnavailable,
        Self::PrivilegeMissing,
        Self::ProgramRefused,
        Self::OptionConflict,
        Self::CapacityExhausted,
        Self::ReaderTooSlow,
        Self::Closed,
        Self::NextConcurrent,
        Self::KernelError,
        Self::Internal,
    ];

    /// The string of `ErrorInfo.reason`: never changes once published.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MessageMalformed => "MESSAGE_MALFORMED",
            Self::FieldRequired => "FIELD_REQUIRED",
            Self::FieldInvalid => "FIELD_INVALID",
            Self::FieldTooLong => "FIELD_TOO_LONG",
            Self::CidrInvalid => "CIDR_INVALID",
            Self::PortInvalid => "PORT_INVALID",
            Self::DurationInvalid => "DURATION_INVALID",
            Self::MetricInvalid => "METRIC_INVALID",
            Self::FilterUnmatchable => "FILTER_UNMATCHABLE",
            Self::InterfaceUnknown => "INTERFACE_UNKNOWN",
            Self::NamespaceUnknown => "NAMESPACE_UNKNOWN",
            Self::CursorInvalid => "CURSOR_INVALID",
            Self::CaptureInvalid => "CAPTURE_INVALID",
            Self::TargetDenied => "TARGET_DENIED",
            Self::RedactionDenied => "REDACTION_DENIED",
            Self::HookUnavailable => "HOOK_UNAVAILABLE",
            Self::PrivilegeMissing => "PRIVILEGE_MISSING",
            Self::ProgramRefused => "PROGRAM_REFUSED",
            Self::OptionConflict => "OPTION_CONFLICT",
            Self::CapacityExhausted => "CAPACITY_EXHAUSTED",
            Self::ReaderTooSlow => "READER_TOO_SLOW",
            Self::Closed => "CLOSED",
            Self::NextConcurrent => "NEXT_CONCURRENT",
            Self::KernelError => "KERNEL_ERROR",
            Self::Internal => "INTERNAL",
        }
    }

    /// Whether it is the host that refuses, and not the request: another engine may still serve its part of a session.
    #[must_use]
    pub const fn is_of_host(self) -> bool {
        matches!(
            self,
            Self::HookUnavailable
                | Self::PrivilegeMissing
                | Self::ProgramRefused
                | Self::KernelError
        )
    }

    /// The gRPC status, by its canonical name.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::MessageMalformed
            | Self::FieldRequired
            | Self::FieldInvalid
            | Self::FieldTooLong
            | Self::CidrInvalid
            | Self::PortInvalid
            | Self::DurationInvalid
            | Self::MetricInvalid
            | Self::FilterUnmatchable
            | Self::InterfaceUnknown
            | Self::NamespaceUnknown
            | Self::CursorInvalid
            | Self::CaptureInvalid => "INVALID_ARGUMENT",
            Self::TargetDenied | Self::RedactionDenied => "PERMISSION_DENIED",
            Self::HookUnavailable
            | Self::PrivilegeMissing
            | Self::ProgramRefused
            | Self::OptionConflict
            | Self::Closed => "FAILED_PRECONDITION",
            Self::CapacityExhausted | Self::ReaderTooSlow => "RESOURCE_EXHAUSTED",
            Self::NextConcurrent | Self::KernelError | Self::Internal => "INTERNAL",
        }
    }
}

/// One wrong field (`google.rpc.BadRequest.FieldViolation`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Path from the request's own field on: `spec.filters[0].cidrs[1]`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub description: String,
}

/// Something the host lacks (`google.rpc.PreconditionFailure.Violation`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Precondition {
    /// `CAPABILITY` (a metric's hook), `PRIVILEGE` (a Linux capability), `KERNEL`, `BTF` or `STATE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is lacking: `tcx`, `CAP_BPF`.
    pub subject: String,
    /// One line for a person.
    pub description: String,
}

/// A bound that was reached (`google.rpc.QuotaFailure.Violation`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// What is used up.
    pub subject: String,
    /// Its bound.
    pub description: String,
}

/// What a failed call tells its client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.reason().code(), self.message())]
pub struct Failure(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    reason: Reason,
    message: String,
    violations: Vec<Violation>,
    precondition: Vec<Precondition>,
    quota: Vec<Quota>,
    metadata: BTreeMap<String, String>,
    retry_after_ms: Option<u64>,
    log: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    violations: &'a [Violation],
    precondition: &'a [Precondition],
    quota: &'a [Quota],
    metadata: &'a BTreeMap<String, String>,
    retry_after_ms: Option<u64>,
    log: Option<&'a str>,
}

impl Failure {
    /// A failure with nothing but its reason and one line for a person.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            reason,
            message: message.into(),
            violations: Vec::new(),
            precondition: Vec::new(),
            quota: Vec::new(),
            metadata: BTreeMap::new(),
            retry_after_ms: None,
            log: None,
        }))
    }

    /// A failure of one field; the message is "`field`: `description`".
    #[must_use]
    pub fn field(reason: Reason, field: impl Into<String>, description: impl fmt::Display) -> Self {
        let field = field.into();
        Self::new(reason, format!("{field}: {description}"))
            .with_violation(field, description.to_string())
    }

    /// `operation` was refused by the kernel with `error`.
    #[must_use]
    pub fn kernel(operation: &str, error: &dyn fmt::Display) -> Self {
        Self::new(Reason::KernelError, format!("{operation}: {error}"))
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn with_violation(
        mut self,
        field: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.0.violations.push(Violation {
            field: field.into(),
            description: description.into(),
        });
        self
    }

    /// Adds something the host lacks.
    #[must_use]
    pub fn with_precondition(
        mut self,
        kind: impl Into<String>,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.0.precondition.push(Precondition {
            kind: kind.into(),
            subject: subject.into(),
            description: description.into(),
        });
        self
    }

    /// Adds a bound that was reached.
    #[must_use]
    pub fn with_quota(
        mut self,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.0.quota.push(Quota {
            subject: subject.into(),
            description: description.into(),
        });
        self
    }

    /// Adds a pair to `ErrorInfo.metadata`.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.metadata.insert(key.into(), value.into());
        self
    }

    /// Says when another try may succeed.
    #[must_use]
    pub fn with_retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.0.retry_after_ms = Some(milliseconds);
        self
    }

    /// Adds what is for the service's own log and for no client.
    #[must_use]
    pub fn with_log(mut self, log: impl Into<String>) -> Self {
        self.0.log = Some(log.into());
        self
    }

    /// What is for the service's own log.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        self.0.log.as_deref()
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// One line for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The wrong fields, in the order of the message.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// `ErrorInfo.metadata`.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// The form that crosses to JavaScript as an error's message.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "strings and numbers always serialize"
    )]
    pub fn to_json(&self) -> String {
        let Details {
            reason,
            message,
            violations,
            precondition,
            quota,
            metadata,
            retry_after_ms,
            log,
        } = &*self.0;
        serde_json::to_string(&Json {
            status: reason.status(),
            reason: reason.code(),
            message,
            violations,
            precondition,
            quota,
            metadata,
            retry_after_ms: *retry_after_ms,
            log: log.as_deref(),
        })
        .expect("strings and numbers always serialize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_every_key() {
        let failure = Failure::field(
            Reason::CidrInvalid,
            "spec.filters[0].cidrs[1]",
            "\"10.0.0.0/99\" is not a CIDR (prefix length 0 to 32)",
        );
        assert_eq!(
            failure.to_json(),
            concat!(
                r#"{"status":"INVALID_ARGUMENT","reason":"CIDR_INVALID","#,
                r#""message":"spec.filters[0].cidrs[1]: \"10.0.0.0/99\" is not a CIDR (prefix length 0 to 32)","#,
                r#""violations":[{"field":"spec.filters[0].cidrs[1]","#,
                r#""description":"\"10.0.0.0/99\" is not a CIDR (prefix length 0 to 32)"}],"#,
                r#""precondition":[],"quota":[],"metadata":{},"retryAfterMs":null,"log":null}"#
            )
        );
    }

    #[test]
    fn precondition_and_quota_cross_with_their_parts() {
        let json = Failure::new(Reason::HookUnavailable, "no")
            .with_precondition("CAPABILITY", "tcx", "needs 6.6")
            .with_quota("sessions", "64")
            .with_metadata("kernel", "5.15")
            .with_retry_after_ms(1500)
            .to_json();
        assert!(json.contains(
            r#""precondition":[{"type":"CAPABILITY","subject":"tcx","description":"needs 6.6"}]"#
        ));
        assert!(json.contains(r#""quota":[{"subject":"sessions","description":"64"}]"#));
        assert!(json.contains(r#""metadata":{"kernel":"5.15"},"retryAfterMs":1500"#));
    }

    #[test]
    fn codes_are_distinct() {
        let mut codes = Reason::ALL.map(Reason::code).to_vec();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }
}

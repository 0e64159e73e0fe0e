//! Failures as JavaScript errors.

use latscope_collector::failure::{Failure, Reason};

/// The Error that a failure crosses as.
pub(crate) fn error(failure: &Failure) -> napi::Error {
    napi::Error::from_reason(failure.to_json())
}

/// The Error for bytes that are no message of the contract.
pub(crate) fn malformed(message: &str, error: &prost::DecodeError) -> napi::Error {
    self::error(&Failure::new(
        Reason::MessageMalformed,
        format!("{message}: {error}"),
    ))
}

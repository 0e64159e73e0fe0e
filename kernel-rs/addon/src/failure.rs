//! Failures as JavaScript errors.

use latscope_collector::failure::{Failure, Reason};
use napi::{
    JsError,
    bindgen_prelude::{FromNapiValue, ToNapiValue, Unknown},
    sys,
};

/// The Error that a failure crosses as: its `code` is the reason, its message the failure's JSON.
pub(crate) type Thrown = napi::Error<&'static str>;

/// A failure, to be thrown by a method that answers at once.
pub(crate) fn thrown(failure: &Failure) -> Thrown {
    Thrown::new(failure.reason().code(), failure.to_json())
}

/// Bytes that are no message of the contract.
pub(crate) fn malformed(message: &str, error: &prost::DecodeError) -> Failure {
    Failure::new(Reason::MessageMalformed, format!("{message}: {error}"))
}

/// What a promise resolves to, or rejects with: napi's own errors of promises carry no `code`.
pub struct Answer<T>(pub(crate) Result<T, Failure>);

impl<T: ToNapiValue> ToNapiValue for Answer<T> {
    unsafe fn to_napi_value(env: sys::napi_env, answer: Self) -> napi::Result<sys::napi_value> {
        match answer.0 {
            // SAFETY: the environment is the caller's, and valid by its contract.
            Ok(value) => unsafe { T::to_napi_value(env, value) },
            Err(failure) => {
                // SAFETY: as above; the error object lives as long as the callback that this runs in.
                let error = unsafe {
                    let error = JsError::from(thrown(&failure)).into_value(env);
                    Unknown::from_napi_value(env, error)?
                };
                Err(error.into())
            }
        }
    }
}

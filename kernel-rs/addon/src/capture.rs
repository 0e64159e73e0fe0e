//! A capture file that is replayed.

use std::{path::Path, sync::Arc};

use latscope_collector::{
    capture::{self, Form},
    failure::{Failure, Reason},
    spec::cidr::Cidr,
};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use parking_lot::Mutex;

use crate::{failure::Answer, runtime::blocking};

/// How a capture is looked at.
#[napi(object)]
pub struct CaptureOptions {
    /// CIDRs of the host that captured it; empty: whoever opened a flow.
    pub local: Vec<String>,
    /// Measure inside tunnels, not their outer packets.
    pub inner: bool,
    /// Packets of different VLANs can be of one flow.
    pub ignore_vlan: bool,
    /// Batches are lines of JSON; else each is a `SampleRows`.
    pub json: bool,
}

/// A capture file on its way through programs and tables of its own.
#[napi]
pub struct Capture {
    inner: Arc<Mutex<Option<capture::Capture>>>,
}

#[napi]
impl Capture {
    /// Opens a pcap or pcapng file and loads the programs.
    ///
    /// # Errors
    /// `CAPTURE_INVALID` where the file cannot be opened or is no capture; `CIDR_INVALID`; `PRIVILEGE_MISSING` and what else
    /// the kernel refuses.
    #[napi(ts_return_type = "Promise<Capture>")]
    pub async fn open(path: String, options: CaptureOptions) -> Answer<Capture> {
        blocking(move || {
            let capture = capture::Capture::open(Path::new(&path), checked(options)?)?;
            Ok(Self {
                inner: Arc::new(Mutex::new(Some(capture))),
            })
        })
        .await
    }

    /// What was measured in the next packets, which may be nothing; null at the end and after `close`.
    ///
    /// # Errors
    /// `CAPTURE_INVALID`, once, where the file goes wrong: everything before was delivered.
    #[napi(ts_return_type = "Promise<Buffer | null>")]
    pub async fn next(&self) -> Answer<Option<Buffer>> {
        let inner = self.inner.clone();
        blocking(move || match &mut *inner.lock() {
            Some(capture) => Ok(capture.next_batch()?.map(Buffer::from)),
            None => Ok(None),
        })
        .await
    }

    /// What became of the packets so far: `latscope_collector::capture::Account` as JSON.
    ///
    /// # Errors
    /// `CLOSED`; what the kernel answers.
    #[napi(ts_return_type = "Promise<string>")]
    pub async fn account(&self) -> Answer<String> {
        let inner = self.inner.clone();
        blocking(move || match &*inner.lock() {
            Some(capture) => Ok(capture.account()?.to_json()),
            None => Err(Failure::new(Reason::Closed, "the capture is closed")),
        })
        .await
    }

    /// Lets file and programs go, once a call under way has ended. Idempotent.
    #[napi(ts_return_type = "Promise<void>")]
    pub async fn close(&self) -> Answer<()> {
        let inner = self.inner.clone();
        blocking(move || {
            *inner.lock() = None;
            Ok(())
        })
        .await
    }
}

fn checked(options: CaptureOptions) -> Result<capture::Options, Failure> {
    let CaptureOptions {
        local,
        inner,
        ignore_vlan,
        json,
    } = options;
    Ok(capture::Options {
        local: local
            .iter()
            .map(|range| Cidr::parse(range).map_err(|why| Failure::new(Reason::CidrInvalid, why)))
            .collect::<Result<_, _>>()?,
        inner,
        ignore_vlan,
        form: if json { Form::Lines } else { Form::Rows },
    })
}

// SPDX-License-Identifier: Apache-2.0
//! One operation: the time that it has, how it ends, and the host's services.
use super::abi::*;
use super::watcher::{event, Cause};
use std::marker::PhantomData;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// How an operation ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// There is no live value.
    NotFound,
    /// The condition of the request did not hold, and nothing was changed.
    Conflict,
}

impl Outcome {
    pub fn status(self) -> Status {
        match self {
            Outcome::Done => OK,
            Outcome::NotFound => NOT_FOUND,
            Outcome::Conflict => CONFLICT,
        }
    }
}

pub type Reply = Result<Outcome, Failure>;

/// The kind of a failure, and its cause in a few words, without a full stop.
#[derive(Debug)]
pub struct Failure {
    status: Status,
    message: String,
    nothing_done: bool,
    retry_after: i64,
}

impl Failure {
    /// The failure of an operation that may have changed something.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Failure { status, message: message.into(), nothing_done: false, retry_after: 0 }
    }
    /// The failure of an operation that changed nothing and will change nothing.
    pub fn refused(status: Status, message: impl Into<String>) -> Self {
        Failure { nothing_done: true, ..Failure::new(status, message) }
    }
    /// Adds the milliseconds after which a retry may work.
    pub fn retry_after(self, milliseconds: i64) -> Self {
        Failure { retry_after: milliseconds, ..self }
    }
    pub fn status(&self) -> Status {
        self.status
    }
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// One operation in progress.
pub struct Call<'a> {
    raw: *mut RawCall,
    life: PhantomData<&'a RawCall>,
}

impl Call<'_> {
    /// Returns the milliseconds until the deadline: 0 if it has passed or the caller went away, i64::MAX if there is none.
    /// A function that waits or works for long checks this, and at 0 returns `Err(call.late())`.
    pub fn remaining(&self) -> i64 {
        unsafe { ((*self.raw).remaining)(self.raw) }
    }
    /// Returns true if nobody waits for the result any more.
    pub fn cancelled(&self) -> bool {
        unsafe { ((*(*self.raw).context).cancelled)((*self.raw).context) != 0 }
    }
    /// The failure of an operation that ran out of time.
    pub fn late(&self) -> Failure {
        Failure::new(if self.cancelled() { CANCELLED } else { TIMEOUT }, "")
    }
    /// Returns the client's W3C traceparent, or an empty text. A driver sends it on to a backend over the network.
    pub fn trace(&self) -> &str {
        std::str::from_utf8(unsafe { (*(*self.raw).context).trace.slice() }).unwrap_or("")
    }
}

/// The host's services. A store may use them on any thread until it is dropped.
#[derive(Clone, Copy)]
pub struct Host(pub *const RawHost);

unsafe impl Send for Host {}
unsafe impl Sync for Host {}

impl Host {
    /// Returns the time of day in Unix milliseconds. Use this clock for mtimes and expiries.
    pub fn now(&self) -> i64 {
        unsafe { ((*self.0).now)(self.0) }
    }
    /// Writes a line to the host's log. Levels: 0 trace, 1 debug, 2 info, 3 warn, 4 error.
    pub fn log(&self, level: u32, message: &str) {
        unsafe { ((*self.0).log)(self.0, level, Bytes::of(message.as_bytes())) }
    }
    /// Reports a value that the store removed by itself: it expired, or was evicted. May be called under a lock.
    pub fn removed(&self, key: &[u8], cause: Cause) {
        unsafe { ((*self.0).event)(self.0, &event(EVENT_REMOVE, cause as u32, key, 0)) }
    }
}

// ------------------------------------------------------------------------------------------- at the border

/// Passes on the status that a function of the host returned.
pub fn check(status: Status) -> Result<(), Failure> {
    if status == OK { Ok(()) } else { Err(Failure::new(status, "")) }
}

/// Runs a function of the store, and reports its failure to the call. A panic becomes INTERNAL.
///
/// # Safety
/// `raw` is the call that a function of the table received, and this is its thread.
pub unsafe fn run(raw: *mut RawCall, function: impl FnOnce(&Call<'_>) -> Result<Status, Failure>) -> Status {
    let call = Call { raw, life: PhantomData };
    let failure = match catch_unwind(AssertUnwindSafe(|| function(&call))) {
        Ok(Ok(status)) => return status,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(INTERNAL, "the driver panicked"),
    };
    let report = RawFailure {
        size: std::mem::size_of::<RawFailure>() as u32,
        item: 0,
        message: Bytes::of(failure.message.as_bytes()),
        retry_after: failure.retry_after,
        flags: if failure.nothing_done { NOTHING_DONE } else { 0 },
        reserved: 0,
    };
    if !failure.message.is_empty() || failure.nothing_done || failure.retry_after != 0 {
        ((*raw).fail)(raw, &report);
    }
    failure.status
}

/// Copies the part of a request that both sides know. The rest is zero.
///
/// # Safety
/// `T` is one of the requests, and `request` points to one whose first field is its size.
pub unsafe fn known<T>(request: *const T) -> T {
    let mut copy = std::mem::MaybeUninit::<T>::zeroed();
    let size = (*(request as *const u32) as usize).min(std::mem::size_of::<T>());
    std::ptr::copy_nonoverlapping(request as *const u8, copy.as_mut_ptr() as *mut u8, size);
    copy.assume_init()
}

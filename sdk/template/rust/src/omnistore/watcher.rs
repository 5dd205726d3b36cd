// SPDX-License-Identifier: Apache-2.0
//! The events of a watch.
use super::abi::*;
use std::sync::{Arc, Mutex};

/// Why a value was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Cause {
    Removed = CAUSE_REMOVED,
    Expired = CAUSE_EXPIRED,
    Evicted = CAUSE_EVICTED,
    Cleared = CAUSE_CLEARED,
}

/// Takes the events of one watch, on any thread and under any lock: it never blocks. It drops the events of keys that are
/// not watched, and all events once the watch has ended. Clones and their original are equal.
#[derive(Clone)]
pub struct Watcher(Arc<Inner>);

pub(super) struct Inner {
    base: Vec<u8>,
    raw: Mutex<Target>,
}

struct Target(*mut RawWatcher); // null once the watch has ended

unsafe impl Send for Target {}

impl PartialEq for Watcher {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Watcher {
    /// Returns the base: it ends in ':', or is empty. Keys that start with it are watched.
    pub fn base(&self) -> &[u8] {
        &self.0.base
    }
    /// Reports a value that was set or touched.
    pub fn updated(&self, key: &[u8]) {
        self.report(EVENT_UPDATE, CAUSE_NONE, key, 0)
    }
    pub fn removed(&self, key: &[u8], cause: Cause) {
        self.report(EVENT_REMOVE, cause as u32, key, 0)
    }
    /// Reports that `count` events were lost; 0 if their number is unknown.
    pub fn lost(&self, count: u64) {
        self.send(&event(EVENT_RESYNC, CAUSE_NONE, &[], count))
    }
    /// Reports that the watch cannot report all changes by others, and why, in words for people.
    pub fn limited(&self, reason: &str) {
        self.send(&event(EVENT_LIMITED, CAUSE_NONE, reason.as_bytes(), 0))
    }

    fn report(&self, kind: u32, cause: u32, key: &[u8], count: u64) {
        if key.starts_with(&self.0.base) {
            self.send(&event(kind, cause, key, count))
        }
    }
    fn send(&self, event: &RawEvent) {
        let raw = self.0.raw.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !raw.0.is_null() {
            unsafe { ((*raw.0).event)(raw.0, event) }
        }
    }

    pub(super) fn new(base: &[u8], raw: *mut RawWatcher) -> Self {
        Watcher(Arc::new(Inner { base: base.to_vec(), raw: Mutex::new(Target(raw)) }))
    }
    /// Waits for an event that is being reported, and drops all that come later.
    pub(super) fn end(&self) {
        self.0.raw.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).0 = std::ptr::null_mut();
    }
    pub(super) fn into_raw(self) -> *const Inner {
        Arc::into_raw(self.0)
    }
    pub(super) unsafe fn from_raw(raw: *const Inner) -> Self {
        Watcher(Arc::from_raw(raw))
    }
}

pub(super) fn event(kind: u32, cause: u32, key: &[u8], count: u64) -> RawEvent {
    RawEvent { size: std::mem::size_of::<RawEvent>() as u32, kind, cause, reserved: 0, key: Bytes::of(key), count }
}

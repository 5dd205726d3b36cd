// SPDX-License-Identifier: Apache-2.0
//! The layouts of Omnistore's C interface (omnistore/driver.h). They are a promise: they never change within
//! ABI major 1.
use std::os::raw::{c_char, c_void};

pub use super::constants::*;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub data: *const c_void,
    pub size: u64,
}

impl Bytes {
    pub fn of(bytes: &[u8]) -> Self {
        Bytes { data: bytes.as_ptr() as *const c_void, size: bytes.len() as u64 }
    }
    /// Valid until the function that received it returns. `data` may be null if `size` is 0.
    pub unsafe fn slice<'a>(self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.data as *const u8, self.size as usize)
    }
}

#[repr(C)]
pub struct RawMeta {
    pub size: u32,
    pub flags: u32,
    pub value_size: u64,
    pub mtime: i64,
    pub expiry: i64,
    pub etag: Bytes,
    pub user: Bytes,
}

#[repr(C)]
pub struct RawFailure {
    pub size: u32,
    pub item: u32,
    pub message: Bytes,
    pub retry_after: i64,
    pub flags: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct RawContext {
    pub size: u32,
    pub priority: u32,
    pub cancelled: unsafe extern "C" fn(*const RawContext) -> u32,
    pub trace: Bytes,
    pub identity: Bytes,
}

#[repr(C)]
pub struct RawCall {
    pub size: u32,
    pub reserved: u32,
    pub context: *const RawContext,
    pub remaining: unsafe extern "C" fn(*const RawCall) -> i64,
    pub fail: unsafe extern "C" fn(*mut RawCall, *const RawFailure),
}

#[repr(C)]
pub struct RawSink {
    pub size: u32,
    pub reserved: u32,
    pub begin: unsafe extern "C" fn(*mut RawSink, *const RawMeta, *mut *mut c_void) -> Status,
    pub write: unsafe extern "C" fn(*mut RawSink, *const c_void, u64) -> Status,
    pub lend: *const c_void,
}

#[repr(C)]
pub struct RawPage {
    pub size: u32,
    pub reserved: u32,
    pub emit: unsafe extern "C" fn(*mut RawPage, Bytes, *const RawMeta) -> Status,
    pub next: unsafe extern "C" fn(*mut RawPage, Bytes),
    pub skip: Option<unsafe extern "C" fn(*mut RawPage, Bytes, Status, Bytes) -> Status>,
}

#[repr(C)]
pub struct RawHost {
    pub size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved: u32,
    pub log: unsafe extern "C" fn(*const RawHost, u32, Bytes),
    pub now: unsafe extern "C" fn(*const RawHost) -> i64,
    pub submit: *const c_void,
    pub event: unsafe extern "C" fn(*const RawHost, *const RawEvent),
    pub extension: *const c_void,
}

#[repr(C)]
pub struct RawOpenRequest {
    pub size: u32,
    pub flags: u32,
    pub options: Bytes,
    pub children: *const *const RawStore,
    pub child_count: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct RawGetRequest {
    pub size: u32,
    pub flags: u32,
    pub offset: u64,
    pub length: u64,
}

#[repr(C)]
pub struct RawSetRequest {
    pub size: u32,
    pub flags: u32,
    pub value: Bytes,
    pub source: *const c_void,
    pub source_size: u64,
    pub expiry: i64,
    pub condition: u32,
    pub reserved: u32,
    pub etag: Bytes,
    pub user: Bytes,
}

#[repr(C)]
pub struct RawRemoveRequest {
    pub size: u32,
    pub flags: u32,
    pub condition: u32,
    pub reserved: u32,
    pub etag: Bytes,
}

#[repr(C)]
pub struct RawTouchRequest {
    pub size: u32,
    pub flags: u32,
    pub expiry: i64,
    pub user: Bytes,
}

#[repr(C)]
pub struct RawClearRequest {
    pub size: u32,
    pub flags: u32,
    pub base: Bytes,
}

#[repr(C)]
pub struct RawListRequest {
    pub size: u32,
    pub flags: u32,
    pub base: Bytes,
    pub depth: u32,
    pub limit: u32,
    pub cursor: Bytes,
    pub start: Bytes,
    pub end: Bytes,
}

#[repr(C)]
pub struct RawWatchRequest {
    pub size: u32,
    pub flags: u32,
    pub base: Bytes,
}

#[repr(C)]
pub struct RawEvent {
    pub size: u32,
    pub kind: u32,
    pub cause: u32,
    pub reserved: u32,
    pub key: Bytes,
    pub count: u64,
}

#[repr(C)]
pub struct RawWatcher {
    pub size: u32,
    pub reserved: u32,
    pub event: unsafe extern "C" fn(*mut RawWatcher, *const RawEvent),
}

/// What a store can do, and its limits: 0 means none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Traits {
    pub size: u32,
    pub thread_model: u32,
    pub capabilities: u64,
    pub max_key_size: u64,
    pub max_value_size: u64,
    pub max_batch: u32,
    pub keeps: u32,
    pub order: u32,
    pub reserved: u32,
    pub min_ttl: i64,
    pub ttl_grain: i64,
}

#[repr(C)]
pub struct Driver {
    pub size: u32,
    pub reserved: u32,
    pub name: *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub options_schema: *const c_char,
    pub min_children: u32,
    pub max_children: u32,
    pub traits: *const Traits,
    pub open: unsafe extern "C" fn(
        *const RawHost, *mut RawCall, *const RawOpenRequest, *mut Traits, *mut *mut c_void,
    ) -> Status,
    pub close: unsafe extern "C" fn(*mut c_void),
    pub get: unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const RawGetRequest, *mut RawSink) -> Status,
    pub stat: unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const RawGetRequest, *mut RawSink) -> Status,
    pub set: unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const RawSetRequest, *mut RawSink) -> Status,
    pub remove: unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const RawRemoveRequest) -> Status,
    pub list: unsafe extern "C" fn(*mut c_void, *mut RawCall, *const RawListRequest, *mut RawPage) -> Status,
    // The host emulates those that are null. A child has each of them.
    pub clear: Option<unsafe extern "C" fn(*mut c_void, *mut RawCall, *const RawClearRequest, *mut RawPage) -> Status>,
    pub get_many: *const c_void,
    pub stat_many: *const c_void,
    pub set_many: *const c_void,
    pub remove_many: *const c_void,
    pub touch: Option<unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const RawTouchRequest) -> Status>,
    pub watch: Option<
        unsafe extern "C" fn(*mut c_void, *mut RawCall, *const RawWatchRequest, *mut RawWatcher, *mut *mut c_void) -> Status,
    >,
    pub unwatch: Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>,
    pub extension: *const c_void,
}

/// A store below a layer. `store` is what the header calls `self`.
#[repr(C)]
pub struct RawStore {
    pub size: u32,
    pub reserved: u32,
    pub driver: *const Driver,
    pub traits: *const Traits,
    pub store: *mut c_void,
    pub children: *const c_void,
    pub child_count: u32,
    pub reserved2: u32,
}

#[repr(C)]
pub struct Plugin {
    pub size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub flags: u32,
    pub name: *const c_char,
    pub version: *const c_char,
    pub driver_count: u32,
    pub reserved: u32,
    pub drivers: *const &'static Driver,
}

// The tables are constants: nothing ever writes through their pointers.
unsafe impl Sync for Driver {}
unsafe impl Sync for Traits {}
unsafe impl Sync for Plugin {}

/// This compiles only if each layout has the size in the ABI's record (abi/v1.txt).
macro_rules! sizes {
    ($($type:ty = $size:literal),* $(,)?) => { $(const _: [(); $size] = [(); std::mem::size_of::<$type>()];)* };
}
#[cfg(target_pointer_width = "64")]
sizes! {
    Bytes = 16, RawMeta = 64, RawFailure = 40, RawContext = 48, RawCall = 32, RawSink = 32, RawPage = 32, RawHost = 56,
    RawOpenRequest = 40, RawGetRequest = 24, RawSetRequest = 88, RawRemoveRequest = 32, RawTouchRequest = 32,
    RawClearRequest = 24, RawListRequest = 80, RawWatchRequest = 24, RawEvent = 40, RawWatcher = 16, Traits = 64, Driver = 184,
    RawStore = 48, Plugin = 48,
}

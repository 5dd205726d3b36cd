// SPDX-License-Identifier: Apache-2.0
// The part of Omnistore's C interface (omnistore/driver.h) that a driver of whole values needs, in Rust, and a trait
// `Store` over it. Needs Rust 1.63. The layouts are a promise: they never change within ABI major 1.
#![allow(dead_code)]
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};

pub type Status = i32;
pub const OK: Status = 0;
pub const NOT_FOUND: Status = 10;
pub const INVALID: Status = 20;
pub const DENIED: Status = 30;
pub const UNSUPPORTED: Status = 70;
pub const TIMEOUT: Status = 80;
pub const UNAVAILABLE: Status = 90;
pub const NO_SPACE: Status = 100;
pub const IO: Status = 110;
pub const CORRUPT: Status = 120;
pub const INTERNAL: Status = 130;

pub const SERIALIZED: u32 = 100;
pub const PARALLEL: u32 = 200;
pub const KEEPS_UNKNOWN: u32 = 0;
pub const KEEPS_NOTHING: u32 = 100;
pub const KEEPS_PROCESS: u32 = 200;
pub const KEEPS_POWER: u32 = 300;
pub const ORDER_NONE: u32 = 0;
pub const ORDER_KEYS: u32 = 200;
pub const READS_ONLY: u64 = 0x1;
pub const NEVER_BLOCKS: u64 = 0x2;
pub const SHARED: u64 = 0x4;
pub const NESTS: u64 = 0x8;
pub const CAN_TTL: u64 = 0x10;
pub const CAN_META: u64 = 0x20;
pub const CAN_ETAG: u64 = 0x40;
pub const CAN_IF_ABSENT: u64 = 0x80;
pub const CAN_IF_PRESENT: u64 = 0x100;
pub const CAN_IF_MATCH: u64 = 0x200;
pub const CAN_RANGE: u64 = 0x400;
pub const CAN_STREAM: u64 = 0x800;
pub const CAN_DEPTH: u64 = 0x1000;
pub const CAN_LIST_META: u64 = 0x2000;
pub const CAN_LIST_RANGE: u64 = 0x8000;
pub const CAN_LIST_REVERSE: u64 = 0x10000;
pub const CAN_LIST_FOLDERS: u64 = 0x20000;

/// A driver implements this trait. The host calls one function of a store at a time (SERIALIZED). A panic becomes
/// INTERNAL.
pub trait Store: Sized {
    /// Opens a store. `options` is one JSON object that fits the schema, defaults filled in.
    fn open(options: &str, host: Host) -> Result<Self, Failure>;
    /// Returns the value of a key, or None.
    fn get(&mut self, key: &[u8]) -> Result<Option<Value<'_>>, Failure>;
    /// Stores a whole value in place of any older one. A failure leaves the older one.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure>;
    /// Removes a value. Returns false if there was none.
    fn remove(&mut self, key: &[u8]) -> Result<bool, Failure>;
    /// Emits to the page the keys that start with `base` and come after `cursor`, which is empty at the start.
    fn list(&mut self, base: &[u8], cursor: &[u8], page: &mut Page) -> Result<(), Failure>;
}

pub struct Value<'a> {
    pub bytes: &'a [u8],
    /// When it was last set, in Unix milliseconds; 0 if unknown.
    pub mtime: i64,
}

/// The kind of a failure, and its cause in a few words, without a full stop.
pub struct Failure {
    status: Status,
    message: String,
    nothing_done: bool,
}

impl Failure {
    /// The failure of an operation that may have changed something.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Failure { status, message: message.into(), nothing_done: false }
    }
    /// The failure of an operation that changed nothing.
    pub fn refused(status: Status, message: impl Into<String>) -> Self {
        Failure { status, message: message.into(), nothing_done: true }
    }
}

/// The host's services, valid as long as the store.
#[derive(Clone, Copy)]
pub struct Host(pub *const RawHost);

// The functions of a host may be called on any thread.
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

impl Host {
    /// Returns the time of day in Unix milliseconds. Use this clock for mtimes.
    pub fn now(&self) -> i64 {
        unsafe { ((*self.0).now)(self.0) }
    }
    /// Writes a line to the host's log. Levels: 0 trace, 1 debug, 2 info, 3 warn, 4 error.
    pub fn log(&self, level: u32, message: &str) {
        unsafe { ((*self.0).log)(self.0, level, Bytes::of(message.as_bytes())) }
    }
}

/// The page that a listing fills.
pub struct Page {
    page: *mut RawPage,
    left: u32,
    meta: bool,
}

impl Page {
    /// Returns true if the page takes no more keys. If there are more, call `next` and return.
    pub fn is_full(&self) -> bool {
        self.left == 0
    }
    /// Adds one whole key, with its value's size and mtime.
    pub fn emit(&mut self, key: &[u8], value: &Value) -> Result<(), Failure> {
        self.left -= 1;
        let meta = Meta::of(value);
        let meta: *const Meta = if self.meta { &meta } else { std::ptr::null() };
        check(unsafe { ((*self.page).emit)(self.page, Bytes::of(key), meta) })
    }
    /// Sets the cursor at which the next page starts.
    pub fn next(&mut self, cursor: &[u8]) {
        unsafe { ((*self.page).next)(self.page, Bytes::of(cursor)) }
    }
}

/// Makes a driver's table. The texts end in NUL, such as "my-store\0".
pub const fn driver<S: Store>(
    name: &'static str, version: &'static str, summary: &'static str, schema: &'static str, traits: &'static Traits,
) -> Driver {
    Driver {
        size: std::mem::size_of::<Driver>() as u32,
        reserved: 0,
        name: text(name),
        version: text(version),
        summary: text(summary),
        options_schema: text(schema),
        min_children: 0,
        max_children: 0,
        traits,
        open: open::<S>,
        close: close::<S>,
        get: get::<S>,
        stat: stat::<S>,
        set: set::<S>,
        remove: remove::<S>,
        list: list::<S>,
        clear: None,
        get_many: std::ptr::null(),
        stat_many: std::ptr::null(),
        set_many: std::ptr::null(),
        remove_many: std::ptr::null(),
        touch: None,
        watch: std::ptr::null(),
        unwatch: std::ptr::null(),
        extension: std::ptr::null(),
    }
}

/// Returns the pointer to a text that ends in NUL. A text that does not end so is an error of the compiler.
pub const fn text(text: &'static str) -> *const c_char {
    let size = text.len();
    assert!(size > 0 && text.as_bytes()[size - 1] == 0, "a text of the driver's table does not end in \\0");
    text.as_ptr() as *const c_char
}

/// Makes the traits of a store of whole values without limits of its own.
pub const fn traits(capabilities: u64, keeps: u32, order: u32) -> Traits {
    traits_of(SERIALIZED, capabilities, keeps, order)
}

/// The same with a thread model.
pub const fn traits_of(thread_model: u32, capabilities: u64, keeps: u32, order: u32) -> Traits {
    Traits {
        size: std::mem::size_of::<Traits>() as u32,
        thread_model,
        capabilities,
        max_key_size: 0,
        max_value_size: 0,
        max_batch: 0,
        keeps,
        order,
        reserved: 0,
        min_ttl: 0,
        ttl_grain: 0,
    }
}

/// Makes a plugin. It stays loaded, since threads and thread-local destructors of Rust's library may outlive a store.
pub const fn plugin(drivers: &'static [&'static Driver]) -> Plugin {
    Plugin {
        size: std::mem::size_of::<Plugin>() as u32,
        abi_major: 1,
        abi_minor: 0,
        flags: 0,
        name: std::ptr::null(),
        version: std::ptr::null(),
        driver_count: drivers.len() as u32,
        reserved: 0,
        drivers: drivers.as_ptr(),
    }
}

// ------------------------------------------------------------------------------------------- from C to the trait

fn check(status: Status) -> Result<(), Failure> {
    if status == OK { Ok(()) } else { Err(Failure { status, message: String::new(), nothing_done: false }) }
}

/// Runs a function of the store, and reports its failure to the call.
pub unsafe fn run(call: *mut RawCall, function: impl FnOnce() -> Result<Status, Failure>) -> Status {
    let failure = match catch_unwind(AssertUnwindSafe(function)) {
        Ok(Ok(status)) => return status,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(INTERNAL, "the driver panicked"),
    };
    if !failure.message.is_empty() {
        let raw = RawFailure {
            size: std::mem::size_of::<RawFailure>() as u32,
            item: 0,
            message: Bytes::of(failure.message.as_bytes()),
            retry_after: 0,
            flags: failure.nothing_done as u32,
            reserved: 0,
        };
        ((*call).fail)(call, &raw);
    }
    failure.status
}

unsafe extern "C" fn open<S: Store>(
    host: *const RawHost, call: *mut RawCall, request: *const OpenRequest, _: *mut Traits, store: *mut *mut c_void,
) -> Status {
    run(call, || {
        let options = std::str::from_utf8((*request).options.slice())
            .map_err(|_| Failure::refused(INVALID, "the options are not UTF-8"))?;
        *store = Box::into_raw(Box::new(S::open(options, Host(host))?)) as *mut c_void;
        Ok(OK)
    })
}

unsafe extern "C" fn close<S: Store>(store: *mut c_void) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(store as *mut S))));
}

unsafe fn send<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, sink: *mut RawSink, with_bytes: bool,
) -> Status {
    run(call, || {
        let value = match (*(store as *mut S)).get(key.slice())? {
            None => return Ok(NOT_FOUND),
            Some(value) => value,
        };
        check(((*sink).begin)(sink, &Meta::of(&value), std::ptr::null_mut()))?;
        if with_bytes && !value.bytes.is_empty() {
            check(((*sink).write)(sink, value.bytes.as_ptr() as *const c_void, value.bytes.len() as u64))?;
        }
        Ok(OK)
    })
}

unsafe extern "C" fn get<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, _: *const GetRequest, sink: *mut RawSink,
) -> Status {
    send::<S>(store, call, key, sink, true)
}

unsafe extern "C" fn stat<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, _: *const GetRequest, sink: *mut RawSink,
) -> Status {
    send::<S>(store, call, key, sink, false)
}

unsafe extern "C" fn set<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, request: *const SetRequest, _: *mut RawSink,
) -> Status {
    run(call, || (*(store as *mut S)).set(key.slice(), (*request).value.slice()).map(|_| OK))
}

unsafe extern "C" fn remove<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, _: *const RemoveRequest,
) -> Status {
    run(call, || Ok(if (*(store as *mut S)).remove(key.slice())? { OK } else { NOT_FOUND }))
}

unsafe extern "C" fn list<S: Store>(
    store: *mut c_void, call: *mut RawCall, request: *const ListRequest, page: *mut RawPage,
) -> Status {
    run(call, || {
        let request = &*request;
        let mut page = Page { page, left: request.limit, meta: request.flags & 1 != 0 };
        (*(store as *mut S)).list(request.base.slice(), request.cursor.slice(), &mut page).map(|_| OK)
    })
}

// ------------------------------------------------------------------------------------- the layouts of driver.h

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
    pub unsafe fn slice<'a>(&self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.data as *const u8, self.size as usize)
    }
}

#[repr(C)]
pub struct Meta {
    pub size: u32,
    pub flags: u32,
    pub value_size: u64,
    pub mtime: i64,
    pub expiry: i64,
    pub etag: Bytes,
    pub user: Bytes,
}

impl Meta {
    fn of(value: &Value) -> Self {
        Meta {
            size: std::mem::size_of::<Meta>() as u32,
            flags: 0,
            value_size: value.bytes.len() as u64,
            mtime: value.mtime,
            expiry: 0,
            etag: Bytes::of(&[]),
            user: Bytes::of(&[]),
        }
    }
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
pub struct RawCall {
    pub size: u32,
    pub reserved: u32,
    pub context: *const c_void,
    pub remaining: unsafe extern "C" fn(*const RawCall) -> i64,
    pub fail: unsafe extern "C" fn(*mut RawCall, *const RawFailure),
}

#[repr(C)]
pub struct RawSink {
    pub size: u32,
    pub reserved: u32,
    pub begin: unsafe extern "C" fn(*mut RawSink, *const Meta, *mut *mut c_void) -> Status,
    pub write: unsafe extern "C" fn(*mut RawSink, *const c_void, u64) -> Status,
    pub lend: *const c_void,
}

#[repr(C)]
pub struct RawPage {
    pub size: u32,
    pub reserved: u32,
    pub emit: unsafe extern "C" fn(*mut RawPage, Bytes, *const Meta) -> Status,
    pub next: unsafe extern "C" fn(*mut RawPage, Bytes),
    pub skip: *const c_void,
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
    pub event: *const c_void,
    pub extension: *const c_void,
}

#[repr(C)]
pub struct OpenRequest {
    pub size: u32,
    pub flags: u32,
    pub options: Bytes,
    pub children: *const *const RawStore,
    pub child_count: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct GetRequest {
    pub size: u32,
    pub flags: u32,
    pub offset: u64,
    pub length: u64,
}

#[repr(C)]
pub struct SetRequest {
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
pub struct RemoveRequest {
    pub size: u32,
    pub flags: u32,
    pub condition: u32,
    pub reserved: u32,
    pub etag: Bytes,
}

#[repr(C)]
pub struct TouchRequest {
    pub size: u32,
    pub flags: u32,
    pub expiry: i64,
    pub user: Bytes,
}

#[repr(C)]
pub struct ClearRequest {
    pub size: u32,
    pub flags: u32,
    pub base: Bytes,
}

#[repr(C)]
pub struct ListRequest {
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
        *const RawHost, *mut RawCall, *const OpenRequest, *mut Traits, *mut *mut c_void,
    ) -> Status,
    pub close: unsafe extern "C" fn(*mut c_void),
    pub get: unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const GetRequest, *mut RawSink) -> Status,
    pub stat: unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const GetRequest, *mut RawSink) -> Status,
    pub set: unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const SetRequest, *mut RawSink) -> Status,
    pub remove: unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const RemoveRequest) -> Status,
    pub list: unsafe extern "C" fn(*mut c_void, *mut RawCall, *const ListRequest, *mut RawPage) -> Status,
    // The host emulates those that are null. A child has each of them.
    pub clear: Option<unsafe extern "C" fn(*mut c_void, *mut RawCall, *const ClearRequest, *mut RawPage) -> Status>,
    pub get_many: *const c_void,
    pub stat_many: *const c_void,
    pub set_many: *const c_void,
    pub remove_many: *const c_void,
    pub touch: Option<unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const TouchRequest) -> Status>,
    pub watch: *const c_void,
    pub unwatch: *const c_void,
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
    Bytes = 16, Meta = 64, RawFailure = 40, RawCall = 32, RawSink = 32, RawPage = 32, RawHost = 56, OpenRequest = 40,
    GetRequest = 24, SetRequest = 88, RemoveRequest = 32, TouchRequest = 32, ClearRequest = 24, ListRequest = 80,
    Traits = 64, Driver = 184, RawStore = 48, Plugin = 48,
}

// SPDX-License-Identifier: Apache-2.0
//! The tables of C that the host calls, made from the traits.
use super::abi::*;
use super::call::*;
use super::listing::{ListRequest, Page};
use super::requests::{time, Condition, SetRequest, TouchRequest};
use super::sink::Sink;
use super::store::{Clear, Store, Touch, Watch};
use super::watcher::{Inner, Watcher};
use std::marker::PhantomData;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};

impl Traits {
    /// The traits of a store whose functions the host calls one at a time.
    pub const fn serialized() -> Self {
        Traits {
            size: std::mem::size_of::<Traits>() as u32,
            thread_model: SERIALIZED,
            capabilities: 0,
            max_key_size: 0,
            max_value_size: 0,
            max_batch: 0,
            keeps: KEEPS_UNKNOWN,
            order: ORDER_NONE,
            reserved: 0,
            min_ttl: 0,
            ttl_grain: 0,
        }
    }
    /// The traits of a store whose functions the host may call at the same time.
    pub const fn parallel() -> Self {
        Traits { thread_model: PARALLEL, ..Traits::serialized() }
    }
}

// ------------------------------------------------------------------------------------------- while it is compiled

type TouchEntry = Option<unsafe extern "C" fn(*mut c_void, *mut RawCall, Bytes, *const RawTouchRequest) -> Status>;
type ClearEntry = Option<unsafe extern "C" fn(*mut c_void, *mut RawCall, *const RawClearRequest, *mut RawPage) -> Status>;
type WatchEntry = Option<
    unsafe extern "C" fn(*mut c_void, *mut RawCall, *const RawWatchRequest, *mut RawWatcher, *mut *mut c_void) -> Status,
>;
type UnwatchEntry = Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>;

/// The optional entries of a store's table: those of `Parts` itself if the store implements their trait, else those of
/// `Absent`, which every `Parts` has.
pub struct Parts<S>(PhantomData<S>);

pub trait Absent {
    const TOUCH: TouchEntry = None;
    const CLEAR: ClearEntry = None;
    const WATCH: WatchEntry = None;
    const UNWATCH: UnwatchEntry = None;
}
impl<S> Absent for Parts<S> {}
impl<S: Touch> Parts<S> {
    pub const TOUCH: TouchEntry = Some(touch::<S>);
}
impl<S: Clear> Parts<S> {
    pub const CLEAR: ClearEntry = Some(clear::<S>);
}
impl<S: Watch> Parts<S> {
    pub const WATCH: WatchEntry = Some(watch::<S>);
    pub const UNWATCH: UnwatchEntry = Some(unwatch::<S>);
}

/// Returns the traits if they agree with each other and with the traits of Rust that the store implements.
pub const fn checked(traits: Traits, touch: &TouchEntry, watch: &WatchEntry) -> Traits {
    let claims = traits.capabilities;
    assert!(claims & CAN_STREAM == 0, "CAN_STREAM cannot be claimed: `set` of this interface takes whole values");
    assert!(claims & CAN_META == 0 || touch.is_some(), "CAN_META needs `impl Touch`");
    assert!(claims & (CAN_TTL | CAN_META) != 0 || touch.is_none(), "`impl Touch` needs CAN_TTL or CAN_META");
    assert!(claims & WATCHES_OWN == 0 || watch.is_some(), "WATCHES_OWN needs `impl Watch`");
    assert!(claims & CAN_IF_MATCH == 0 || claims & CAN_ETAG != 0, "CAN_IF_MATCH needs CAN_ETAG");
    assert!(claims & CAN_LIST_REVERSE == 0 || traits.order >= ORDER_KEYS, "CAN_LIST_REVERSE needs ORDER_KEYS");
    assert!(claims & CAN_LIST_FOLDERS == 0 || claims & CAN_DEPTH != 0, "CAN_LIST_FOLDERS needs CAN_DEPTH");
    traits
}

/// Makes a store's table. The texts end in NUL. A schema that is empty but for its NUL is none.
pub const fn driver<S: Store>(
    name: &'static str, version: &'static str, summary: &'static str, schema: &'static str, traits: &'static Traits,
) -> Driver {
    Driver {
        size: std::mem::size_of::<Driver>() as u32,
        reserved: 0,
        name: text(name),
        version: text(version),
        summary: text(summary),
        options_schema: if schema.len() > 1 { text(schema) } else { std::ptr::null() },
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
        watch: None,
        unwatch: None,
        extension: std::ptr::null(),
    }
}

/// Returns the pointer to a text that ends in NUL. A text that does not end so is an error of the compiler.
pub const fn text(text: &'static str) -> *const c_char {
    let size = text.len();
    assert!(size > 0 && text.as_bytes()[size - 1] == 0, "a text of the driver's table does not end in \\0");
    text.as_ptr() as *const c_char
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

// ------------------------------------------------------------------------------------------- from C to the traits

unsafe fn at<'a, S: Store>(store: *mut c_void) -> &'a S {
    &*(store as *const S)
}

fn status(reply: Reply) -> Result<Status, Failure> {
    reply.map(Outcome::status)
}

unsafe fn condition<'a>(condition: u32, etag: Bytes) -> Result<Condition<'a>, Failure> {
    Condition::of(condition, etag).ok_or_else(|| Failure::refused(UNSUPPORTED, "this condition is unknown to the driver"))
}

unsafe fn sink_of<'a>(raw: *mut RawSink, request: *const RawGetRequest, bytes: bool) -> Sink<'a> {
    let request = known(request);
    Sink { raw, offset: request.offset, length: request.length, wanted: request.flags, bytes, life: PhantomData }
}

unsafe extern "C" fn open<S: Store>(
    host: *const RawHost, call: *mut RawCall, request: *const RawOpenRequest, _: *mut Traits, store: *mut *mut c_void,
) -> Status {
    run(call, |_| {
        let options = std::str::from_utf8((*request).options.slice())
            .map_err(|_| Failure::refused(INVALID, "the options are not UTF-8"))?;
        *store = Box::into_raw(Box::new(S::open(options, Host(host))?)) as *mut c_void;
        Ok(OK)
    })
}

unsafe extern "C" fn close<S: Store>(store: *mut c_void) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(store as *mut S))));
}

unsafe extern "C" fn get<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, request: *const RawGetRequest, sink: *mut RawSink,
) -> Status {
    run(call, |call| status(at::<S>(store).get(call, key.slice(), sink_of(sink, request, true))))
}

unsafe extern "C" fn stat<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, request: *const RawGetRequest, sink: *mut RawSink,
) -> Status {
    run(call, |call| status(at::<S>(store).stat(call, key.slice(), sink_of(sink, request, false))))
}

unsafe extern "C" fn set<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, request: *const RawSetRequest, raw: *mut RawSink,
) -> Status {
    run(call, |call| {
        let raw_request = known(request);
        let request = SetRequest {
            value: raw_request.value.slice(),
            expiry: time(raw_request.expiry),
            condition: condition(raw_request.condition, raw_request.etag)?,
            user: raw_request.user.slice(),
        };
        let stored = Sink { raw, offset: 0, length: u64::MAX, wanted: GET_META, bytes: false, life: PhantomData };
        status(at::<S>(store).set(call, key.slice(), &request, stored))
    })
}

unsafe extern "C" fn remove<S: Store>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, request: *const RawRemoveRequest,
) -> Status {
    run(call, |call| {
        let request = known(request);
        status(at::<S>(store).remove(call, key.slice(), condition(request.condition, request.etag)?))
    })
}

unsafe extern "C" fn touch<S: Touch>(
    store: *mut c_void, call: *mut RawCall, key: Bytes, request: *const RawTouchRequest,
) -> Status {
    run(call, |call| {
        let raw = known(request);
        let request = TouchRequest {
            expiry: if raw.flags & TOUCH_EXPIRY != 0 { Some(time(raw.expiry)) } else { None },
            user: if raw.flags & TOUCH_USER != 0 { Some(raw.user.slice()) } else { None },
        };
        status(at::<S>(store).touch(call, key.slice(), &request))
    })
}

unsafe extern "C" fn list<S: Store>(
    store: *mut c_void, call: *mut RawCall, request: *const RawListRequest, page: *mut RawPage,
) -> Status {
    run(call, |call| {
        let raw = known(request);
        let request = ListRequest {
            base: raw.base.slice(),
            cursor: raw.cursor.slice(),
            depth: if raw.depth == u32::MAX { None } else { Some(raw.depth) },
            limit: raw.limit,
            start: raw.start.slice(),
            end: raw.end.slice(),
            reverse: raw.flags & LIST_REVERSE != 0,
            folders: raw.flags & LIST_FOLDERS != 0,
            meta: raw.flags & LIST_META != 0,
        };
        let mut page = Page { raw: page, left: request.limit, meta: request.meta, life: PhantomData };
        status(at::<S>(store).list(call, &request, &mut page))
    })
}

unsafe extern "C" fn clear<S: Clear>(
    store: *mut c_void, call: *mut RawCall, request: *const RawClearRequest, removed: *mut RawPage,
) -> Status {
    run(call, |call| {
        let mut removed = Page { raw: removed, left: u32::MAX, meta: false, life: PhantomData };
        status(at::<S>(store).clear(call, known(request).base.slice(), &mut removed))
    })
}

unsafe extern "C" fn watch<S: Watch>(
    store: *mut c_void, call: *mut RawCall, request: *const RawWatchRequest, watcher: *mut RawWatcher,
    watch: *mut *mut c_void,
) -> Status {
    let watcher = Watcher::new(known(request).base.slice(), watcher);
    let status = run(call, |call| at::<S>(store).watch(call, watcher.clone()).map(|_| OK));
    if status == OK {
        *watch = watcher.into_raw() as *mut c_void;
    } else {
        watcher.end();
    }
    status
}

unsafe extern "C" fn unwatch<S: Watch>(store: *mut c_void, watch: *mut c_void) {
    let watcher = Watcher::from_raw(watch as *const Inner);
    watcher.end();
    let _ = catch_unwind(AssertUnwindSafe(|| at::<S>(store).unwatch(&watcher)));
}

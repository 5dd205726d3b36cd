// SPDX-License-Identifier: Apache-2.0
// A trait `Layer` over Omnistore's C interface, for layers above one store. Its functions get the pointers of the C
// interface, and a layer passes them on as they are, so that what later headers add reaches the store below.
use crate::omnistore::abi::*;
use crate::omnistore::table::text;
use crate::omnistore::{run, Failure, Host};
use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The capabilities of the child that a layer keeps if it passes everything down unchanged.
pub const PASSED_ON: u64 = READS_ONLY | NEVER_BLOCKS | SHARED | NESTS | CAN_TTL | CAN_META | CAN_ETAG | CAN_IF_ABSENT
    | CAN_IF_PRESENT | CAN_IF_MATCH | CAN_RANGE | CAN_STREAM | CAN_DEPTH | CAN_LIST_META | CAN_LIST_RANGE
    | CAN_LIST_REVERSE | CAN_LIST_FOLDERS;

/// The store below. Any number of its functions may run at once: the host locks a serialized one.
#[derive(Clone, Copy)]
pub struct Child(*const RawStore);

unsafe impl Send for Child {}
unsafe impl Sync for Child {}

impl Child {
    fn table(&self) -> (&Driver, *mut c_void) {
        unsafe { (&*(*self.0).driver, (*self.0).store) }
    }
    /// # Safety
    /// These functions take pointers that the layer received, while its function runs.
    pub unsafe fn get(&self, c: *mut RawCall, key: Bytes, r: *const RawGetRequest, sink: *mut RawSink) -> Status {
        let (table, store) = self.table();
        (table.get)(store, c, key, r, sink)
    }
    pub unsafe fn stat(&self, c: *mut RawCall, key: Bytes, r: *const RawGetRequest, sink: *mut RawSink) -> Status {
        let (table, store) = self.table();
        (table.stat)(store, c, key, r, sink)
    }
    pub unsafe fn set(&self, c: *mut RawCall, key: Bytes, r: *const RawSetRequest, result: *mut RawSink) -> Status {
        let (table, store) = self.table();
        (table.set)(store, c, key, r, result)
    }
    pub unsafe fn remove(&self, c: *mut RawCall, key: Bytes, r: *const RawRemoveRequest) -> Status {
        let (table, store) = self.table();
        (table.remove)(store, c, key, r)
    }
    pub unsafe fn touch(&self, c: *mut RawCall, key: Bytes, r: *const RawTouchRequest) -> Status {
        let (table, store) = self.table();
        table.touch.map_or(UNSUPPORTED, |touch| touch(store, c, key, r))
    }
    pub unsafe fn list(&self, c: *mut RawCall, r: *const RawListRequest, page: *mut RawPage) -> Status {
        let (table, store) = self.table();
        (table.list)(store, c, r, page)
    }
    pub unsafe fn clear(&self, c: *mut RawCall, r: *const RawClearRequest, removed: *mut RawPage) -> Status {
        let (table, store) = self.table();
        table.clear.map_or(UNSUPPORTED, |clear| clear(store, c, r, removed))
    }
}

/// A layer implements this trait, and changes the functions that it needs. The host calls any number of them at once
/// (PARALLEL). A panic becomes INTERNAL.
pub trait Layer: Sized + Sync {
    /// Opens a layer. `options` is one JSON object that fits the schema, defaults filled in. `traits` are the child's,
    /// without the capabilities that are not passed on; change them if the layer does less.
    fn open(options: &str, host: Host, child: Child, traits: &mut Traits) -> Result<Self, Failure>;
    fn child(&self) -> &Child;

    unsafe fn get(&self, call: *mut RawCall, key: Bytes, request: *const RawGetRequest, sink: *mut RawSink) -> Status {
        self.child().get(call, key, request, sink)
    }
    unsafe fn stat(&self, call: *mut RawCall, key: Bytes, request: *const RawGetRequest, sink: *mut RawSink) -> Status {
        self.child().stat(call, key, request, sink)
    }
    unsafe fn set(&self, call: *mut RawCall, key: Bytes, request: *const RawSetRequest, result: *mut RawSink) -> Status {
        self.child().set(call, key, request, result)
    }
    unsafe fn remove(&self, call: *mut RawCall, key: Bytes, request: *const RawRemoveRequest) -> Status {
        self.child().remove(call, key, request)
    }
    unsafe fn touch(&self, call: *mut RawCall, key: Bytes, request: *const RawTouchRequest) -> Status {
        self.child().touch(call, key, request)
    }
    unsafe fn list(&self, call: *mut RawCall, request: *const RawListRequest, page: *mut RawPage) -> Status {
        self.child().list(call, request, page)
    }
    unsafe fn clear(&self, call: *mut RawCall, request: *const RawClearRequest, removed: *mut RawPage) -> Status {
        self.child().clear(call, request, removed)
    }
}

/// Makes a layer's table. The texts end in NUL, such as "my-layer\0".
pub const fn layer<L: Layer>(
    name: &'static str, version: &'static str, summary: &'static str, schema: &'static str, traits: &'static Traits,
) -> Driver {
    Driver {
        size: std::mem::size_of::<Driver>() as u32,
        reserved: 0,
        name: text(name),
        version: text(version),
        summary: text(summary),
        options_schema: text(schema),
        min_children: 1,
        max_children: 1,
        traits,
        open: open::<L>,
        close: close::<L>,
        get: get::<L>,
        stat: stat::<L>,
        set: set::<L>,
        remove: remove::<L>,
        list: list::<L>,
        clear: Some(clear::<L>),
        get_many: std::ptr::null(),
        stat_many: std::ptr::null(),
        set_many: std::ptr::null(),
        remove_many: std::ptr::null(),
        touch: Some(touch::<L>),
        watch: None,
        unwatch: None,
        extension: std::ptr::null(),
    }
}

// ------------------------------------------------------------------------------------------- from C to the trait

unsafe extern "C" fn open<L: Layer>(
    host: *const RawHost, call: *mut RawCall, request: *const RawOpenRequest, traits: *mut Traits, store: *mut *mut c_void,
) -> Status {
    run(call, |_| {
        let options = std::str::from_utf8((*request).options.slice())
            .map_err(|_| Failure::refused(INVALID, "the options are not UTF-8"))?;
        let child = *(*request).children;
        // Of each struct, the part that both sides know.
        let (size, known) = ((*traits).size, std::mem::size_of::<Traits>() as u32);
        let shared = size.min(known).min((*(*child).traits).size) as usize;
        std::ptr::copy_nonoverlapping((*child).traits as *const u8, traits as *mut u8, shared);
        (*traits).size = size;
        (*traits).thread_model = PARALLEL;
        (*traits).capabilities &= PASSED_ON;
        *store = Box::into_raw(Box::new(L::open(options, Host(host), Child(child), &mut *traits)?)) as *mut c_void;
        Ok(OK)
    })
}

unsafe extern "C" fn close<L: Layer>(store: *mut c_void) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(store as *mut L))));
}

macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*)),* $(,)?) => { $(
        unsafe extern "C" fn $name<L: Layer>(store: *mut c_void, call: *mut RawCall $(, $argument: $type)*) -> Status {
            run(call, |_| Ok((*(store as *const L)).$name(call $(, $argument)*)))
        }
    )* };
}
functions! {
    get(key: Bytes, request: *const RawGetRequest, sink: *mut RawSink),
    stat(key: Bytes, request: *const RawGetRequest, sink: *mut RawSink),
    set(key: Bytes, request: *const RawSetRequest, result: *mut RawSink),
    remove(key: Bytes, request: *const RawRemoveRequest),
    touch(key: Bytes, request: *const RawTouchRequest),
    list(request: *const RawListRequest, page: *mut RawPage),
    clear(request: *const RawClearRequest, removed: *mut RawPage),
}

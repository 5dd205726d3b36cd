// SPDX-License-Identifier: Apache-2.0
//! @NAME@: a layer that passes every operation to the store below it, and logs writes. Add your own code.
mod layer;
mod omnistore;
use layer::{Child, Layer};
use omnistore::{Bytes, Failure, Host, RawCall, RawPage, RawSink, Status, Traits};
use omnistore::{RawClearRequest, RawRemoveRequest, RawSetRequest, RawTouchRequest};

struct Logged {
    host: Host,
    child: Child,
    logs: bool,
}

/// Reads the option `log`. The host has checked the options against options.schema.json and filled in the default. For
/// more options, use a JSON parser.
fn read_log(options: &str) -> bool {
    options.contains("true")
}

impl Logged {
    fn log(&self, operation: &str, key: Bytes) {
        if self.logs {
            let key = String::from_utf8_lossy(unsafe { key.slice() });
            self.host.log(2, &format!("{} {}", operation, key));
        }
    }
}

// The functions that are not here pass the operation down.
impl Layer for Logged {
    fn open(options: &str, host: Host, child: Child, _: &mut Traits) -> Result<Self, Failure> {
        Ok(Logged { host, child, logs: read_log(options) })
    }
    fn child(&self) -> &Child {
        &self.child
    }

    unsafe fn set(&self, call: *mut RawCall, key: Bytes, request: *const RawSetRequest, result: *mut RawSink) -> Status {
        self.log("set", key);
        self.child.set(call, key, request, result)
    }
    unsafe fn remove(&self, call: *mut RawCall, key: Bytes, request: *const RawRemoveRequest) -> Status {
        self.log("remove", key);
        self.child.remove(call, key, request)
    }
    unsafe fn touch(&self, call: *mut RawCall, key: Bytes, request: *const RawTouchRequest) -> Status {
        self.log("touch", key);
        self.child.touch(call, key, request)
    }
    unsafe fn clear(&self, call: *mut RawCall, request: *const RawClearRequest, removed: *mut RawPage) -> Status {
        self.log("clear", (*request).base);
        self.child.clear(call, request, removed)
    }
}

static TRAITS: Traits = Traits::parallel();
omnistore::export!(table: layer::layer::<Logged>(
    "@NAME@\0",
    "0.1.0\0",
    "Logs writes\0",
    concat!(include_str!("../options.schema.json"), "\0"),
    &TRAITS,
));

#[cfg(test)]
mod tests {
    use super::read_log;

    #[test]
    fn log_is_read_from_the_options() {
        assert!(read_log(r#"{"log":true}"#));
        assert!(!read_log(r#"{"log":false}"#));
    }
}

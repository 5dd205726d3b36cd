// SPDX-License-Identifier: Apache-2.0
//! The traits that a driver implements. Requests carry only what `Store::TRAITS` claims: the host emulates the rest if it
//! can do so honestly, and else refuses it.
use super::abi::Traits;
use super::call::{Call, Failure, Host, Reply};
use super::listing::{ListRequest, Page};
use super::requests::{Condition, SetRequest, TouchRequest};
use super::sink::Sink;
use super::watcher::Watcher;

/// A store. With `Traits::serialized()` the host calls one of these functions at a time, with `Traits::parallel()` any
/// number at once. `Watch::unwatch` may be called beside the others in both. A panic becomes INTERNAL, and no reply.
pub trait Store: Sized + Send + Sync {
    /// Everything that the store claims. The host relies on it.
    const TRAITS: Traits;

    /// Opens a store. `options` is one JSON object that fits the schema, defaults filled in. Dropping the store closes it.
    fn open(options: &str, host: Host) -> Result<Self, Failure>;
    /// Gives the live value of a key to the sink, or returns NotFound.
    fn get(&self, call: &Call, key: &[u8], sink: Sink) -> Reply;
    /// Gives the meta of the live value of a key. Write it if that costs less than a get.
    fn stat(&self, call: &Call, key: &[u8], sink: Sink) -> Reply {
        self.get(call, key, sink)
    }
    /// Stores a value in place of any older one, whole: a failure leaves the older one. Returns Conflict if the condition
    /// does not hold. A store with CAN_ETAG gives the new value's meta to `stored`.
    fn set(&self, call: &Call, key: &[u8], request: &SetRequest, stored: Sink) -> Reply;
    /// Removes a value. Returns NotFound if there is none, but Conflict if the condition is IfMatch.
    fn remove(&self, call: &Call, key: &[u8], condition: Condition) -> Reply;
    /// Emits a page of keys. `Page::fill` does so for a store in the order of keys.
    fn list(&self, call: &Call, request: &ListRequest, page: &mut Page) -> Reply;
}

/// A store that changes expiries or user meta without rewriting the value. CAN_META needs it.
pub trait Touch: Store {
    /// Keeps the etag and the mtime. An expiry that has passed removes the value. Returns NotFound as `get` does.
    fn touch(&self, call: &Call, key: &[u8], request: &TouchRequest) -> Reply;
}

/// A store that removes many keys at less cost than one by one.
pub trait Clear: Store {
    /// Removes all keys that start with `base`, which ends in ':' or is empty, and emits each to `removed`.
    fn clear(&self, call: &Call, base: &[u8], removed: &mut Page) -> Reply;
}

/// A store that reports changes. Guard the watchers by a lock of their own.
pub trait Watch: Store {
    /// Keeps the watcher, and reports to it all changes that others make from now on (with WATCHES_OWN: all changes).
    fn watch(&self, call: &Call, watcher: Watcher) -> Result<(), Failure>;
    /// Forgets the watcher, which is equal to the one that `watch` received. The host ends each watch before it closes
    /// the store.
    fn unwatch(&self, watcher: &Watcher);
}

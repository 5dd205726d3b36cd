// SPDX-License-Identifier: Apache-2.0
//! @NAME@: a driver that keeps its values in a map. Replace the map by your own store.
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

mod omnistore;
use omnistore::{Failure, Host, Page, Store, Value};

struct Map {
    host: Host,
    capacity: usize,
    values: BTreeMap<Vec<u8>, (Vec<u8>, i64)>, // each with the time of its set
}

/// Reads the capacity. The host has checked the options against options.schema.json and filled in the default, so that
/// a number follows the only colon. For more options, use a JSON parser.
fn read_capacity(options: &str) -> Result<usize, Failure> {
    let number = options.split(|c| c == ':' || c == '}').nth(1).unwrap_or("");
    number.trim().parse().map_err(|_| Failure::refused(omnistore::INVALID, "option capacity: expected a number"))
}

impl Store for Map {
    fn open(options: &str, host: Host) -> Result<Self, Failure> {
        Ok(Map { host, capacity: read_capacity(options)?, values: BTreeMap::new() })
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Value<'_>>, Failure> {
        Ok(self.values.get(key).map(value_of))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        if self.values.len() >= self.capacity && !self.values.contains_key(key) {
            let message = format!("there are {} values already", self.capacity);
            return Err(Failure::refused(omnistore::NO_SPACE, message));
        }
        self.values.insert(key.to_vec(), (value.to_vec(), self.host.now()));
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool, Failure> {
        Ok(self.values.remove(key).is_some())
    }

    // The cursor is the last key of the page before, so that changes in between do no harm.
    fn list(&mut self, base: &[u8], cursor: &[u8], page: &mut Page) -> Result<(), Failure> {
        let start = if cursor.is_empty() { Included(base) } else { Excluded(cursor) };
        let mut last: &[u8] = &[];
        for (key, entry) in self.values.range::<[u8], _>((start, Unbounded)) {
            if !key.starts_with(base) {
                break;
            }
            if page.is_full() {
                page.next(last);
                break;
            }
            page.emit(key, &value_of(entry))?;
            last = key;
        }
        Ok(())
    }
}

fn value_of(entry: &(Vec<u8>, i64)) -> Value<'_> {
    Value { bytes: &entry.0, mtime: entry.1 }
}

static TRAITS: omnistore::Traits = omnistore::traits(
    omnistore::NEVER_BLOCKS | omnistore::NESTS | omnistore::CAN_LIST_META,
    omnistore::KEEPS_NOTHING,
    omnistore::ORDER_KEYS,
);
static DRIVER: omnistore::Driver = omnistore::driver::<Map>(
    "@NAME@\0",
    "0.1.0\0",
    "Keeps values in a map\0",
    concat!(include_str!("../options.schema.json"), "\0"),
    &TRAITS,
);
static DRIVERS: [&omnistore::Driver; 1] = [&DRIVER];
static PLUGIN: omnistore::Plugin = omnistore::plugin(&DRIVERS);

/// The one symbol of the plugin.
#[no_mangle]
pub extern "C" fn omnistore_plugin_entry(_host: *const std::os::raw::c_void) -> &'static omnistore::Plugin {
    &PLUGIN
}

#[cfg(test)]
mod tests {
    use super::read_capacity;

    #[test]
    fn the_capacity_is_read_from_the_options() {
        assert!(matches!(read_capacity(r#"{"capacity":12}"#), Ok(12)));
        assert!(read_capacity("{}").is_err());
    }
}

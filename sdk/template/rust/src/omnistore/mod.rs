// SPDX-License-Identifier: Apache-2.0
//! Omnistore's interface for drivers, in safe Rust: implement `Store`, and `Touch`, `Clear` and `Watch` if your store has
//! them, and name the type in `export!`. Needs Rust 1.63, and no crates. Nobody has to edit these files.
#![allow(dead_code, unused_imports, unused_macros)]
pub mod abi;
mod call;
mod constants;
mod etags;
mod listing;
mod requests;
mod sink;
mod store;
pub mod table;
mod watcher;

pub use abi::*;
pub use call::*;
pub use etags::Etags;
pub use listing::{KeyRange, ListRequest, Page};
pub use requests::{Condition, Meta, SetRequest, TouchRequest};
pub use sink::{Sink, Writer};
pub use store::{Clear, Store, Touch, Watch};
pub use watcher::{Cause, Watcher};

/// Makes the plugin of one driver. It is an error of the compiler if `Store::TRAITS` claims more than the type
/// implements, or if the type implements more than it claims. The options' schema is a literal or an
/// `include_str!`; a driver without options has none.
macro_rules! export {
    (store: $store:ty, name: $name:literal, version: $version:literal, summary: $summary:literal
        $(, schema: $schema:expr)? $(,)?) => {
        $crate::omnistore::export!(table: {
            use $crate::omnistore::table::{checked, driver, Absent, Parts};
            static TRAITS: $crate::omnistore::Traits =
                checked(<$store as $crate::omnistore::Store>::TRAITS, &Parts::<$store>::TOUCH, &Parts::<$store>::WATCH);
            $crate::omnistore::Driver {
                touch: Parts::<$store>::TOUCH,
                clear: Parts::<$store>::CLEAR,
                watch: Parts::<$store>::WATCH,
                unwatch: Parts::<$store>::UNWATCH,
                ..driver::<$store>(concat!($name, "\0"), concat!($version, "\0"), concat!($summary, "\0"),
                    concat!($($schema,)? "\0"), &TRAITS)
            }
        });
    };
    (table: $table:expr) => {
        static DRIVER: $crate::omnistore::Driver = $table;
        static DRIVERS: [&$crate::omnistore::Driver; 1] = [&DRIVER];
        static PLUGIN: $crate::omnistore::Plugin = $crate::omnistore::table::plugin(&DRIVERS);

        /// The one symbol of the plugin.
        #[no_mangle]
        pub extern "C" fn omnistore_plugin_entry(_host: *const std::os::raw::c_void) -> &'static $crate::omnistore::Plugin {
            &PLUGIN
        }
    };
}
pub(crate) use export;

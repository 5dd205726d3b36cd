// SPDX-License-Identifier: Apache-2.0
//
// omnistore/driver.hpp - a driver written as a C++ class. Header only, C++20, over
// omnistore/driver.h alone.
//
// A driver is a class, and each store of it is one object. omnistore::driver<T>(...) makes the C
// table of the class, and OMNISTORE_PLUGIN(...) makes the plugin:
//
//     struct Hello {
//       struct Options {
//         std::string greeting;
//         static constexpr void fields(auto each) {
//           each("greeting", &Options::greeting, "hello", "The greeting for each key");
//         }
//       };
//       explicit Hello(Options options) : options_(std::move(options)) {}
//       std::optional<omnistore::Value> get(omnistore::Key key) {
//         return options_.greeting + " " + std::string(key);
//       }
//       Options options_;
//     };
//     OMNISTORE_PLUGIN(omnistore::driver<Hello>("hello", "1.0.0", "Greets each key"))
//
// The members of the class are the functions of the driver; the SDK derives the rest of the table
// from them or leaves it to the host. It is a compile-time error if a member is private or has
// another form, if it has a name that other stores use (getMany, setItem), or if the traits claim
// more than a simple member can do.
//
// Each member is written in one of two forms, and a class may mix them. The full form is that of
// the C table, with C++ types; driver.h says what each function must do:
//
//     omnistore_status get(Call, std::string_view key, const omnistore_get_request &,
//                          omnistore_sink &);
//     omnistore_status stat(Call, std::string_view key, const omnistore_get_request &,
//                           omnistore_sink &);
//     omnistore_status set(Call, std::string_view key, const omnistore_set_request &,
//                          omnistore_sink *result);
//     omnistore_status remove(Call, std::string_view key, const omnistore_remove_request &);
//     omnistore_status list(Call, const omnistore_list_request &, omnistore_page &);
//     omnistore_status clear(Call, const omnistore_clear_request &, omnistore_page *removed);
//     omnistore_status get_many(Call, std::span<const omnistore_bytes> keys,
//                               Requests<omnistore_get_request>, omnistore_sink *const *sinks,
//                               omnistore_status *statuses);
//     omnistore_status stat_many(Call, std::span<const omnistore_bytes> keys,
//                                Requests<omnistore_get_request>, omnistore_sink *const *sinks,
//                                omnistore_status *statuses);
//     omnistore_status set_many(Call, std::span<const omnistore_bytes> keys,
//                               Requests<omnistore_set_request>, omnistore_sink *const *results,
//                               omnistore_status *statuses);
//     omnistore_status remove_many(Call, std::span<const omnistore_bytes> keys,
//                                  Requests<omnistore_remove_request>, omnistore_status *statuses);
//     omnistore_status touch(Call, std::string_view key, const omnistore_touch_request &);
//     omnistore_status watch(Call, const omnistore_watch_request &, omnistore_watcher &,
//                            void **watch);
//     void unwatch(void *watch);
//     const void *extension(const char *id);
//     std::string explain(Call, std::string_view key); // ext/explain.h: a JSON object, or empty
//     std::string stats(Call);                         // ext/stats.h: a JSON object
//     omnistore_status health(Call);                   // ext/health.h
//     static void validate(options, std::uint32_t child_count, Problems &); // ext/validate.h
//
// The simple form is for values that fit in memory and keys that are names without structure:
//
//     std::optional<Value> get(Key);     // or a pointer to, or an optional of, anything that
//                                        // converts to std::string_view
//     void set(Key, std::string_view);   // or (Key, std::string)
//     bool remove(Key);                  // returns false if there was no value
//     void list(Key base, Emit emit);    // calls emit(key) for every key that starts with base, in
//                                        // any order; the SDK drops other keys
//     auto list();                       // or returns a range of all keys, or of pairs whose first
//                                        // is the key, such as a std::map
//
// A simple list is called for every page and gives all keys of a base. The SDK sorts them and cuts
// the page out, so that a listing which runs while others write gives every key that was there
// throughout, none twice. Ranges, folders and the descending order are cut out in the same way.
// That is right for stores of up to some hundred thousand keys; larger ones use the full form.
//
// Requests, and all other structs that a driver reads through these forms, have this header's size,
// whatever the host's is: fields that the host does not know are 0.
//
// get is required. Without stat, the SDK finds a value's meta by get. Without set and remove, the
// store is read-only. Without list, it refuses to list (OMNISTORE_UNSUPPORTED).
//
// The SDK calls the first of these constructors that the class has. `options` is omnistore::Options
// (options.hpp) or the class's own nested Options with a member `fields` (fields.hpp):
//
//     T(const omnistore_host &, options, omnistore_traits &,
//       std::span<const omnistore_store *const> children, Call)
//     T(const omnistore_host &, options, omnistore_traits &,
//       std::span<const omnistore_store *const> children)
//     T(const omnistore_host &, options, omnistore_traits &)
//     T(options)
//     T()
//
// The host and the children live as long as the object. The traits are those of this store, and the
// constructor may change them. A constructor that throws fails the open.
//
// No exception leaves the driver: Failure becomes its status and message, std::bad_alloc becomes
// OMNISTORE_NO_SPACE, and everything else becomes OMNISTORE_INTERNAL with its what().
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/child.hpp>
#include <omnistore/driver.h>
#include <omnistore/driver/arguments.hpp>
#include <omnistore/driver/members.hpp>
#include <omnistore/driver/table.hpp>
#include <omnistore/options.hpp>
#include <omnistore/value.hpp>

namespace omnistore {

/// Makes the table of a driver. All arguments are constants, and a wrong one is a compile-time
/// error. `name` is the name in configs ([a-z][a-z0-9-]*), `version` is the driver's own, `summary`
/// is one line without a full stop, and `schema` is a JSON Schema of the options, or null if there
/// are none. `traits` must be a constant with static storage. A layer takes from `min_children` to
/// `max_children` stores.
template <class T>
consteval omnistore_driver driver(const char *name, const char *version, const char *summary,
                                  const char *schema, const omnistore_traits &traits,
                                  std::uint32_t min_children = 0, std::uint32_t max_children = 0) {
  static_assert(sdk::check_members<T>() && sdk::check_validate<T>());
  using Table = sdk::Table<T>;
  if (!sdk::is_driver_name(name)) throw "a driver's name is [a-z][a-z0-9-]*, at most 64 bytes";
  if (traits.size != sizeof(omnistore_traits)) throw "traits.size must be sizeof(omnistore_traits)";
  if (traits.thread_model == 0) throw "traits.thread_model must be stated";
  if (!sdk::CanSet<T> && !sdk::CanRemove<T> && !(traits.capabilities & OMNISTORE_READS_ONLY)) {
    throw "a driver without set and remove states OMNISTORE_READS_ONLY";
  }
  sdk::check_claims<T>(traits);
  if (min_children > max_children) throw "min_children is more than max_children";

  omnistore_driver table{};
  table.size = sizeof(omnistore_driver);
  table.name = name;
  table.version = version;
  table.summary = summary;
  table.options_schema = schema;
  table.min_children = min_children;
  table.max_children = max_children;
  table.traits = &traits;
  table.open = &Table::open;
  table.close = &Table::close;
  table.get = &Table::get;
  table.stat = &Table::stat;
  table.set = &Table::set;
  table.remove = &Table::remove;
  table.list = &Table::list;
  if constexpr (sdk::FullClear<T>) table.clear = &Table::clear;
  if constexpr (sdk::FullGetMany<T>) table.get_many = &Table::get_many;
  if constexpr (sdk::FullStatMany<T>) table.stat_many = &Table::stat_many;
  if constexpr (sdk::FullSetMany<T>) table.set_many = &Table::set_many;
  if constexpr (sdk::FullRemoveMany<T>) table.remove_many = &Table::remove_many;
  if constexpr (sdk::FullTouch<T>) table.touch = &Table::touch;
  if constexpr (sdk::FullWatch<T>) table.watch = &Table::watch, table.unwatch = &Table::unwatch;
  if constexpr (sdk::FullExtension<T> || sdk::FullExplain<T> || sdk::FullStats<T> ||
                sdk::FullHealth<T> || sdk::FullValidate<T>)
    table.extension = &Table::extension;
  return table;
}
template <class T>
consteval omnistore_driver driver(const char *, const char *, const char *, const char *,
                                  const omnistore_traits &&, std::uint32_t = 0, std::uint32_t = 0) {
  static_assert(sdk::is_lasting<T>,
                "the traits are a value that would be gone: name a constexpr at namespace scope");
  return {};
}

/// The same for a class of the simple form, whose traits follow from its members. Without a
/// `schema`, the SDK makes one from the nested Options.
template <class T>
consteval omnistore_driver driver(const char *name, const char *version, const char *summary,
                                  const char *schema) {
  static_assert(!sdk::FullGet<T> && !sdk::FullSet<T> && !sdk::FullRemove<T> && !sdk::FullList<T>,
                "a driver with members of the full form states its traits");
  return driver<T>(name, version, summary, schema, sdk::simple_traits<T>);
}
template <class T>
consteval omnistore_driver driver(const char *name, const char *version, const char *summary) {
  return driver<T>(name, version, summary, sdk::schema_of<T>());
}

namespace sdk {

template <std::size_t N>
struct Pointers {
  const omnistore_driver *to[N];
};
template <std::size_t N>
constexpr Pointers<N> pointers(const omnistore_driver (&tables)[N]) {
  Pointers<N> pointers{};
  for (std::size_t i = 0; i < N; ++i) pointers.to[i] = &tables[i];
  return pointers;
}

} // namespace sdk
} // namespace omnistore

/// Defines the plugin: OMNISTORE_PLUGIN(omnistore::driver<A>(...), omnistore::driver<B>(...)). Use
/// it once, in one file, outside of any function. A host of another major receives the table too,
/// so that it can report both versions.
#define OMNISTORE_PLUGIN(...) OMNISTORE_PLUGIN_WITH(0, __VA_ARGS__)

/// The same for a plugin that the host may unload after its last store is closed, since no thread,
/// callback or thread-local destructor is left then.
#define OMNISTORE_PLUGIN_THAT_UNLOADS(...)                                                         \
  OMNISTORE_PLUGIN_WITH(OMNISTORE_PLUGIN_UNLOADS, __VA_ARGS__)

#define OMNISTORE_PLUGIN_WITH(FLAGS, ...)                                                          \
  extern "C" OMNISTORE_EXPORT const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(       \
      const omnistore_abi *) {                                                                     \
    static constexpr omnistore_driver tables[] = {__VA_ARGS__};                                    \
    static constexpr auto drivers = omnistore::sdk::pointers(tables);                              \
    static constexpr omnistore_plugin plugin = {sizeof(omnistore_plugin),                          \
                                                OMNISTORE_ABI_MAJOR,                               \
                                                OMNISTORE_ABI_MINOR,                               \
                                                FLAGS,                                             \
                                                std::size(tables) == 1 ? tables[0].name : nullptr, \
                                                std::size(tables) == 1 ? tables[0].version         \
                                                                       : nullptr,                  \
                                                std::size(tables),                                 \
                                                0,                                                 \
                                                drivers.to};                                       \
    return &plugin;                                                                                \
  }

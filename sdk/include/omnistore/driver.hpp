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

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/child.hpp>
#include <omnistore/driver.h>
#include <omnistore/ext/explain.h>
#include <omnistore/ext/health.h>
#include <omnistore/ext/stats.h>
#include <omnistore/ext/validate.h>
#include <omnistore/failure.hpp>
#include <omnistore/fields.hpp>
#include <omnistore/listing.hpp>
#include <omnistore/options.hpp>
#include <omnistore/value.hpp>

namespace omnistore {

/// A key that a member of the simple form receives: normalised, and valid until the member returns.
using Key = std::string_view;

/// Receives the keys of a simple list. Valid until list returns.
class Emit {
public:
  template <class F>
  explicit Emit(F &take) noexcept
      : take_(&take), run_([](void *to, std::string_view key) { (*static_cast<F *>(to))(key); }),
        skip_(
            [](void *to, std::string_view base, omnistore_status status, std::string_view message) {
              if constexpr (requires(F & f) { f.skip(base, status, message); })
                static_cast<F *>(to)->skip(base, status, message);
            }) {}
  void operator()(std::string_view key) const { run_(take_, key); }
  /// Reports that the listing leaves out everything under `base`, which cannot be read
  /// (omnistore_page.skip).
  void skip(std::string_view base, omnistore_status status, std::string_view message) const {
    skip_(take_, base, status, message);
  }

private:
  void *take_;
  void (*run_)(void *, std::string_view);
  void (*skip_)(void *, std::string_view, omnistore_status, std::string_view);
};

/// Collects the problems of options (ext/validate.h). Valid until validate returns, on its thread.
class Problems {
public:
  explicit Problems(omnistore_problems &raw) noexcept : raw_(&raw) {}
  /// `option` is the option's name, such as "writeTo" or "writeTo.1", or empty for the options as a
  /// whole.
  void add(std::string_view option, std::string_view message) {
    raw_->add(raw_, as_bytes(option), as_bytes(message));
  }
  /// Runs a check that open makes too. If it throws a Failure, adds that as a problem: of the
  /// option that the message names ("option NAME: ..."), or else of the options as a whole.
  template <class F>
  void check(F run) {
    try {
      run();
    } catch (const Failure &failure) {
      constexpr std::string_view head = "option ";
      const std::string_view text = failure.what();
      const std::size_t colon = text.find(": ");
      if (text.substr(0, head.size()) != head || colon == std::string_view::npos)
        return add({}, text);
      add(text.substr(head.size(), colon - head.size()), text.substr(colon + 2));
    }
  }

private:
  omnistore_problems *raw_;
};

/// The requests of a batch: requests[i] belongs to keys[i].
template <class Request>
class Requests {
public:
  explicit Requests(const Request *const *to) noexcept : to_(to) {}
  const Request &operator[](std::size_t i) const noexcept { return *to_[i]; }
  /// Returns the requests from the item `from` on.
  Requests from(std::size_t from) const noexcept { return Requests(to_ + from); }
  /// Returns them in the form that a child takes.
  const Request *const *raw() const noexcept { return to_; }

private:
  const Request *const *to_;
};

namespace sdk {

// ---------------------------------------------------------------------- exceptions at the border

/// Returns the status of the exception that is being handled, and reports its message to the call.
inline omnistore_status caught(const Call &call) noexcept {
  try {
    throw;
  } catch (const Failure &failure) {
    return call.fail(failure.status(), failure.what(), failure.details());
  } catch (const std::bad_alloc &) {
    return call.fail(OMNISTORE_NO_SPACE, "out of memory");
  } catch (const std::exception &error) {
    return call.fail(OMNISTORE_INTERNAL, error.what());
  } catch (...) {
    return call.fail(OMNISTORE_INTERNAL, "an exception that is no std::exception");
  }
}

template <class F>
omnistore_status guarded(omnistore_call *call, F run) noexcept {
  try {
    return run(Call(call));
  } catch (...) {
    return caught(Call(call));
  }
}

// ------------------------------------------------------------------------- the members of a class

template <class T>
concept FullGet = requires(T &t, Call c, std::string_view k, const omnistore_get_request &r,
                           omnistore_sink &s) {
  { t.get(c, k, r, s) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullStat = requires(T &t, Call c, std::string_view k, const omnistore_get_request &r,
                            omnistore_sink &s) {
  { t.stat(c, k, r, s) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullSet = requires(T &t, Call c, std::string_view k, const omnistore_set_request &r,
                           omnistore_sink *s) {
  { t.set(c, k, r, s) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullRemove = requires(T &t, Call c, std::string_view k, const omnistore_remove_request &r) {
  { t.remove(c, k, r) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullList = requires(T &t, Call c, const omnistore_list_request &r, omnistore_page &p) {
  { t.list(c, r, p) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullClear = requires(T &t, Call c, const omnistore_clear_request &r, omnistore_page *p) {
  { t.clear(c, r, p) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullGetMany = requires(T &t, Call c, std::span<const omnistore_bytes> k,
                               Requests<omnistore_get_request> r, omnistore_sink *const *s,
                               omnistore_status *o) {
  { t.get_many(c, k, r, s, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullStatMany = requires(T &t, Call c, std::span<const omnistore_bytes> k,
                                Requests<omnistore_get_request> r, omnistore_sink *const *s,
                                omnistore_status *o) {
  { t.stat_many(c, k, r, s, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullSetMany = requires(T &t, Call c, std::span<const omnistore_bytes> k,
                               Requests<omnistore_set_request> r, omnistore_sink *const *s,
                               omnistore_status *o) {
  { t.set_many(c, k, r, s, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullRemoveMany = requires(T &t, Call c, std::span<const omnistore_bytes> k,
                                  Requests<omnistore_remove_request> r, omnistore_status *o) {
  { t.remove_many(c, k, r, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullTouch = requires(T &t, Call c, std::string_view k, const omnistore_touch_request &r) {
  { t.touch(c, k, r) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullWatch = requires(T &t, Call c, const omnistore_watch_request &r, omnistore_watcher &w,
                             void **out) {
  { t.watch(c, r, w, out) } -> std::same_as<omnistore_status>;
  { t.unwatch(*out) } -> std::same_as<void>;
};
template <class T>
concept FullExtension = requires(T &t, const char *id) {
  { t.extension(id) } -> std::same_as<const void *>;
};

template <class T>
concept FullExplain = requires(T &t, Call c, std::string_view k) {
  { t.explain(c, k) } -> std::same_as<std::string>;
};

template <class T>
concept FullStats = requires(T &t, Call c) {
  { t.stats(c) } -> std::same_as<std::string>;
};

template <class T>
concept FullHealth = requires(T &t, Call c) {
  { t.health(c) } -> std::same_as<omnistore_status>;
};

template <class V>
concept Readable = std::convertible_to<const V &, std::string_view> || std::same_as<V, Value>;
template <class T>
concept SimpleGet = requires(T &t, Key k) {
  requires Readable<std::remove_cvref_t<decltype(*t.get(k))>>;
  {t.get(k) ? 1 : 0};
};
template <class T>
concept SimpleSetView = requires(T &t, Key k, std::string_view v) {
  { t.set(k, v) } -> std::same_as<void>;
};
template <class T>
concept SimpleSetString = requires(T &t, Key k, std::string v) {
  { t.set(k, std::move(v)) } -> std::same_as<void>;
};
template <class T>
concept SimpleRemove = requires(T &t, Key k) {
  { t.remove(k) } -> std::same_as<bool>;
};
template <class T>
concept SimpleListEmit = requires(T &t, Key b, Emit e) {
  { t.list(b, e) } -> std::same_as<void>;
};
template <std::convertible_to<std::string_view> E>
std::string_view key_of(const E &element) {
  return element;
}
template <class E>
requires requires(const E &e) {
  { e.first } -> std::convertible_to<std::string_view>;
}
std::string_view key_of(const E &element) { return element.first; }
template <class T>
concept SimpleListRange = requires(T &t) {
  key_of(*std::begin(t.list()));
  std::end(t.list());
};

template <class T>
concept CanGet = FullGet<T> || SimpleGet<T>;
template <class T>
concept CanSet = FullSet<T> || SimpleSetView<T> || SimpleSetString<T>;
template <class T>
concept CanRemove = FullRemove<T> || SimpleRemove<T>;
template <class T>
concept SimpleList = !FullList<T> && (SimpleListEmit<T> || SimpleListRange<T>);

// Finds out whether a class has any member of a name, public or not: the name is then ambiguous in
// a class that derives from it and from another class that has the name too. (Nothing can derive
// from a final class, so that only its public members are found.)
#define OMNISTORE_SDK_NAME(NAME)                                                                   \
  struct Has_##NAME {                                                                              \
    struct Other {                                                                                 \
      int NAME;                                                                                    \
    };                                                                                             \
    template <class T>                                                                             \
    struct Both : T, Other {};                                                                     \
    template <class T>                                                                             \
    static constexpr bool is_public = requires {                                                   \
      &T::NAME;                                                                                    \
    };                                                                                             \
    template <class T>                                                                             \
    static constexpr bool in() {                                                                   \
      if constexpr (std::is_final_v<T> || !std::is_class_v<T>)                                     \
        return is_public<T>;                                                                       \
      else                                                                                         \
        return !is_public<Both<T>>;                                                                \
    }                                                                                              \
  };
OMNISTORE_SDK_NAME(get)
OMNISTORE_SDK_NAME(stat)
OMNISTORE_SDK_NAME(set)
OMNISTORE_SDK_NAME(remove)
OMNISTORE_SDK_NAME(list)
OMNISTORE_SDK_NAME(clear)
OMNISTORE_SDK_NAME(get_many)
OMNISTORE_SDK_NAME(stat_many)
OMNISTORE_SDK_NAME(set_many)
OMNISTORE_SDK_NAME(remove_many)
OMNISTORE_SDK_NAME(touch)
OMNISTORE_SDK_NAME(watch)
OMNISTORE_SDK_NAME(unwatch)
OMNISTORE_SDK_NAME(extension)
OMNISTORE_SDK_NAME(explain)
OMNISTORE_SDK_NAME(stats)
OMNISTORE_SDK_NAME(health)
OMNISTORE_SDK_NAME(validate)
OMNISTORE_SDK_NAME(getMany)
OMNISTORE_SDK_NAME(statMany)
OMNISTORE_SDK_NAME(setMany)
OMNISTORE_SDK_NAME(removeMany)
OMNISTORE_SDK_NAME(getItem)
OMNISTORE_SDK_NAME(setItem)
OMNISTORE_SDK_NAME(removeItem)
OMNISTORE_SDK_NAME(getKeys)
OMNISTORE_SDK_NAME(unWatch)
#undef OMNISTORE_SDK_NAME

/// Refuses a member of a known name that has neither form, which would otherwise be ignored. It
/// also refuses a private one, several overloads of which none has a form, and the names that other
/// stores use.
template <class T>
constexpr bool check_members() {
  static_assert(CanGet<T>,
                "get is missing, or is not one of the forms in driver.hpp, or is not public");
  static_assert(FullStat<T> || !Has_stat::in<T>(),
                "stat is not of the form in driver.hpp, or is not public");
  static_assert(CanSet<T> || !Has_set::in<T>(),
                "set is not one of the forms in driver.hpp, or is not public");
  static_assert(CanRemove<T> || !Has_remove::in<T>(),
                "remove is not one of the forms in driver.hpp, or is not public");
  static_assert(FullList<T> || SimpleList<T> || !Has_list::in<T>(),
                "list is not one of the forms in driver.hpp, or is not public");
  static_assert(FullClear<T> || !Has_clear::in<T>(),
                "clear is not of the form in driver.hpp, or is not public");
  static_assert(FullGetMany<T> || !Has_get_many::in<T>(),
                "get_many is not of the form in driver.hpp, or is not public");
  static_assert(FullStatMany<T> || !Has_stat_many::in<T>(),
                "stat_many is not of the form in driver.hpp, or is not public");
  static_assert(FullSetMany<T> || !Has_set_many::in<T>(),
                "set_many is not of the form in driver.hpp, or is not public");
  static_assert(FullRemoveMany<T> || !Has_remove_many::in<T>(),
                "remove_many is not of the form in driver.hpp, or is not public");
  static_assert(FullTouch<T> || !Has_touch::in<T>(),
                "touch is not of the form in driver.hpp, or is not public");
  static_assert(FullWatch<T> || !Has_watch::in<T>(),
                "watch and unwatch are not both of the forms in driver.hpp, or are not public");
  static_assert(FullWatch<T> || !Has_unwatch::in<T>(),
                "watch and unwatch are not both of the forms in driver.hpp, or are not public");
  static_assert(FullExtension<T> || !Has_extension::in<T>(),
                "extension is not of the form in driver.hpp, or is not public");
  static_assert(FullExplain<T> || !Has_explain::in<T>(),
                "explain is not of the form in driver.hpp, or is not public");
  static_assert(FullStats<T> || !Has_stats::in<T>(),
                "stats is not of the form in driver.hpp, or is not public");
  static_assert(FullHealth<T> || !Has_health::in<T>(),
                "health is not of the form in driver.hpp, or is not public");
  static_assert(!Has_getMany::in<T>(), "a driver has no member getMany; call it get_many");
  static_assert(!Has_statMany::in<T>(), "a driver has no member statMany; call it stat_many");
  static_assert(!Has_setMany::in<T>(), "a driver has no member setMany; call it set_many");
  static_assert(!Has_removeMany::in<T>(), "a driver has no member removeMany; call it remove_many");
  static_assert(!Has_getItem::in<T>(), "a driver has no member getItem; call it get");
  static_assert(!Has_setItem::in<T>(), "a driver has no member setItem; call it set");
  static_assert(!Has_removeItem::in<T>(), "a driver has no member removeItem; call it remove");
  static_assert(!Has_getKeys::in<T>(), "a driver has no member getKeys; call it list");
  static_assert(!Has_unWatch::in<T>(), "a driver has no member unWatch; call it unwatch");
  return true;
}

/// Throws at compile time if the class cannot do what the traits claim. driver.h
/// says what each capability needs.
template <class T>
constexpr void check_claims(const omnistore_traits &traits) {
  const auto claims = [&traits](std::uint64_t any) { return (traits.capabilities & any) != 0; };
  if (CanSet<T> && !FullSet<T> && claims(OMNISTORE_CAN_TTL))
    throw "OMNISTORE_CAN_TTL needs the full form of set: the simple one is given no expiry";
  if (CanSet<T> && !FullSet<T> && claims(OMNISTORE_CAN_META))
    throw "OMNISTORE_CAN_META needs the full form of set: the simple one is given no user meta";
  if (CanSet<T> && !FullSet<T> &&
      claims(OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH))
    throw "OMNISTORE_CAN_IF_... needs the full form of set: the simple one is given no condition";
  if (CanSet<T> && !FullSet<T> && claims(OMNISTORE_CAN_STREAM))
    throw "OMNISTORE_CAN_STREAM needs the full form of set: the simple one is given no source";
  if (CanRemove<T> && !FullRemove<T> && claims(OMNISTORE_CAN_IF_MATCH))
    throw "OMNISTORE_CAN_IF_MATCH needs the full form of remove: the simple one is given no "
          "condition";
  if (!FullGet<T> && claims(OMNISTORE_CAN_RANGE))
    throw "OMNISTORE_CAN_RANGE needs the full form of get: the simple one reads whole values";
  if (!FullGet<T> && claims(OMNISTORE_CAN_ETAG))
    throw "OMNISTORE_CAN_ETAG needs the full form of get";
  if (!FullGet<T> && claims(OMNISTORE_CAN_META))
    throw "OMNISTORE_CAN_META needs the full form of get";
  if (!FullList<T> && claims(OMNISTORE_CAN_LIST_META))
    throw "OMNISTORE_CAN_LIST_META needs the full form of list: the simple one gives keys alone";
  if (!FullList<T> && !SimpleList<T> &&
      claims(OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS))
    throw "OMNISTORE_CAN_LIST_... needs list";
  if (traits.order < OMNISTORE_ORDER_KEYS && claims(OMNISTORE_CAN_LIST_REVERSE))
    throw "OMNISTORE_CAN_LIST_REVERSE needs traits.order OMNISTORE_ORDER_KEYS";
  if (!claims(OMNISTORE_CAN_DEPTH) && claims(OMNISTORE_CAN_LIST_FOLDERS))
    throw "OMNISTORE_CAN_LIST_FOLDERS needs OMNISTORE_CAN_DEPTH";
  if (!FullTouch<T> && claims(OMNISTORE_CAN_META)) throw "OMNISTORE_CAN_META needs touch";
  if (!FullWatch<T> && claims(OMNISTORE_WATCHES_OWN))
    throw "OMNISTORE_WATCHES_OWN needs watch and unwatch";
}

/// False for every class, so that an assertion fails only if the template is used.
template <class T>
constexpr bool is_lasting = false;

// ---------------------------------------------------------------------------------- construction

template <class T>
struct NestedOptions {
  using type = void;
};
template <class T>
requires HasFields<typename T::Options>
struct NestedOptions<T> {
  using type = typename T::Options;
};

/// Converts to the type of options that a constructor takes.
template <class T>
struct OptionsArgument {
  std::string_view json;

  operator Options() const { return Options(json); }
  template <class S>
  requires(std::same_as<S, typename NestedOptions<T>::type>) operator S() const {
    S into{};
    S::fields(Filler<S>{into, Options(json)});
    return into;
  }
};

template <class T>
concept FullValidate = requires(const OptionsArgument<T> &o, std::uint32_t n, Problems &p) {
  { T::validate(o, n, p) } -> std::same_as<void>;
};
/// Checks the form of validate, as check_members does for the other members.
template <class T>
constexpr bool check_validate() {
  static_assert(FullValidate<T> || !Has_validate::in<T>(),
                "validate is not static, or not of the form in driver.hpp, or is not public");
  return true;
}

/// An opened store and its host.
template <class T>
struct OpenStore {
  const omnistore_host *host;
  T store;
};

using Children = std::span<const omnistore_store *const>;

template <class T>
OpenStore<T> *make(const omnistore_host &host, const omnistore_open_request &request,
                   omnistore_traits &traits, Call call) {
  using O = OptionsArgument<T>;
  using H = const omnistore_host &;
  const O options{as_view(request.options)};
  const Children children(request.children, request.child_count);
  if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &, Children, Call>) {
    return new OpenStore<T>{&host, T(host, options, traits, children, call)};
  } else if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &, Children>) {
    return new OpenStore<T>{&host, T(host, options, traits, children)};
  } else if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &>) {
    return new OpenStore<T>{&host, T(host, options, traits)};
  } else if constexpr (std::is_constructible_v<T, O>) {
    return new OpenStore<T>{&host, T(options)};
  } else {
    static_assert(std::is_default_constructible_v<T>,
                  "no constructor is one of the forms in driver.hpp");
    return new OpenStore<T>{&host, T()};
  }
}

// ------------------------------------------------------------------------------ the simple forms

/// Sends the value that a simple get found.
template <class V>
omnistore_status give_found(omnistore_sink &sink, const V &value, bool bytes_too) {
  if constexpr (std::same_as<V, Value>) {
    const omnistore_meta meta = make_meta(value.bytes.size(), value.mtime);
    return bytes_too ? give(sink, meta, value.bytes) : give(sink, meta);
  } else {
    const std::string_view bytes = value;
    return bytes_too ? give(sink, bytes) : give(sink, make_meta(bytes.size()));
  }
}

/// A sink that passes on the meta and drops the bytes, for a stat that is done by get.
struct MetaSink : omnistore_sink {
  omnistore_sink &to;

  explicit MetaSink(omnistore_sink &sink)
      : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr}, to(sink) {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept {
    if (buffer) *buffer = nullptr;
    omnistore_sink &to = static_cast<MetaSink *>(sink)->to;
    return to.begin(&to, meta, nullptr);
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *,
                                                std::uint64_t) noexcept {
    return OMNISTORE_OK;
  }
};

/// One page of a simple list: the first names after the cursor, which is the last name of the page
/// before.
class SortedPage {
public:
  explicit SortedPage(const omnistore_list_request &request)
      : request_(request), after_(as_view(request.cursor)),
        names_(Order{(request.flags & OMNISTORE_LIST_REVERSE) != 0}) {}

  void operator()(std::string_view key) {
    const std::string_view name = listed(request_, key);
    const auto before = names_.key_comp();
    if (name.empty() || (!after_.empty() && !before(after_, name))) return;
    if (full() && !before(name, *names_.rbegin())) return;
    names_.emplace_hint(names_.end(), name);
    if (names_.size() > wanted()) names_.erase(std::prev(names_.end()));
  }

  void skip(std::string_view base, omnistore_status status, std::string_view message) {
    skipped_.push_back({std::string(base), status, std::string(message)});
  }

  omnistore_status emit(omnistore_page &page) const {
    for (const Skip &each : skipped_)
      if (const omnistore_status status =
              omnistore::skip(page, each.base, each.status, each.message);
          status != OMNISTORE_OK)
        return status;
    std::string_view last;
    std::uint32_t emitted = 0;
    for (const std::string &name : names_) {
      if (emitted++ == request_.limit) {
        page.next(&page, as_bytes(last));
        break;
      }
      if (const omnistore_status status = page.emit(&page, as_bytes(name), nullptr);
          status != OMNISTORE_OK) {
        return status;
      }
      last = name;
    }
    return OMNISTORE_OK;
  }

private:
  struct Order {
    using is_transparent = void;
    bool descending;
    bool operator()(std::string_view a, std::string_view b) const noexcept {
      return descending ? b < a : a < b;
    }
  };
  const omnistore_list_request &request_;
  std::string_view after_;
  std::set<std::string, Order> names_;
  std::vector<Skip> skipped_;

  /// One more key than the page holds, to find out whether there is a next page.
  std::size_t wanted() const { return std::size_t{request_.limit} + 1; }
  bool full() const { return names_.size() == wanted(); }
};

// ------------------------------------------------------------------------------------- the table

/// The functions of the C table of a class.
template <class T>
struct Table {
  static T &of(void *self) noexcept { return static_cast<OpenStore<T> *>(self)->store; }

  static omnistore_status OMNISTORE_CALL open(const omnistore_host *host, omnistore_call *call,
                                              const omnistore_open_request *request,
                                              omnistore_traits *traits, void **self) noexcept {
    return guarded(call, [&](Call c) {
      omnistore_traits known = *Known(*traits);
      *self = make<T>(*host, *Known(*request), known, c);
      known.size = traits->size;
      std::memcpy(traits, &known, std::min<std::size_t>(known.size, sizeof known));
      return OMNISTORE_OK;
    });
  }
  static void OMNISTORE_CALL close(void *self) noexcept {
    delete static_cast<OpenStore<T> *>(self);
  }

  static omnistore_status OMNISTORE_CALL get(void *self, omnistore_call *call, omnistore_bytes key,
                                             const omnistore_get_request *request,
                                             omnistore_sink *sink) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullGet<T>) {
        return of(self).get(c, as_view(key), *Known(*request), *sink);
      } else {
        const auto &found = of(self).get(as_view(key));
        return found ? give_found(*sink, *found, true) : OMNISTORE_NOT_FOUND;
      }
    });
  }

  static omnistore_status OMNISTORE_CALL stat(void *self, omnistore_call *call, omnistore_bytes key,
                                              const omnistore_get_request *request,
                                              omnistore_sink *sink) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullStat<T>) {
        return of(self).stat(c, as_view(key), *Known(*request), *sink);
      } else if constexpr (FullGet<T>) {
        MetaSink meta_only(*sink);
        return of(self).get(c, as_view(key), *Known(*request), meta_only);
      } else {
        const auto &found = of(self).get(as_view(key));
        return found ? give_found(*sink, *found, false) : OMNISTORE_NOT_FOUND;
      }
    });
  }

  static omnistore_status OMNISTORE_CALL set(void *self, omnistore_call *call, omnistore_bytes key,
                                             const omnistore_set_request *request,
                                             omnistore_sink *result) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullSet<T>) {
        return of(self).set(c, as_view(key), *Known(*request), result);
      } else if constexpr (SimpleSetView<T>) {
        return of(self).set(as_view(key), as_view(request->value)), OMNISTORE_OK;
      } else if constexpr (SimpleSetString<T>) {
        return of(self).set(as_view(key), std::string(as_view(request->value))), OMNISTORE_OK;
      } else if constexpr (CanRemove<T>) {
        return c.fail(OMNISTORE_UNSUPPORTED, "this driver sets no values");
      } else {
        return c.fail(OMNISTORE_READ_ONLY, "this driver takes no writes");
      }
    });
  }

  static omnistore_status OMNISTORE_CALL remove(void *self, omnistore_call *call,
                                                omnistore_bytes key,
                                                const omnistore_remove_request *request) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullRemove<T>) {
        return of(self).remove(c, as_view(key), *Known(*request));
      } else if constexpr (SimpleRemove<T>) {
        return of(self).remove(as_view(key)) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
      } else if constexpr (CanSet<T>) {
        return c.fail(OMNISTORE_UNSUPPORTED, "this driver removes no values");
      } else {
        return c.fail(OMNISTORE_READ_ONLY, "this driver takes no writes");
      }
    });
  }

  static omnistore_status OMNISTORE_CALL list(void *self, omnistore_call *call,
                                              const omnistore_list_request *request,
                                              omnistore_page *page) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullList<T>) {
        return of(self).list(c, *Known(*request), *page);
      } else if constexpr (SimpleList<T>) {
        const Known known(*request);
        SortedPage sorted(*known);
        if constexpr (SimpleListEmit<T>) {
          of(self).list(as_view(request->base), Emit(sorted));
        } else {
          for (auto &&element : of(self).list()) sorted(key_of(element));
        }
        return sorted.emit(*page);
      } else {
        return c.fail(OMNISTORE_UNSUPPORTED, "this driver cannot list its keys");
      }
    });
  }

  static omnistore_status OMNISTORE_CALL clear(void *self, omnistore_call *call,
                                               const omnistore_clear_request *request,
                                               omnistore_page *removed) noexcept {
    return guarded(call, [&](Call c) { return of(self).clear(c, *Known(*request), removed); });
  }
  static omnistore_status OMNISTORE_CALL get_many(void *self, omnistore_call *call,
                                                  const omnistore_bytes *keys, std::uint32_t count,
                                                  const omnistore_get_request *const *requests,
                                                  omnistore_sink *const *sinks,
                                                  omnistore_status *statuses) noexcept {
    return guarded(call, [&](Call c) {
      const KnownRequests known(requests, count);
      return of(self).get_many(c, span(keys, count), Requests(known.raw()), sinks, statuses);
    });
  }
  static omnistore_status OMNISTORE_CALL stat_many(void *self, omnistore_call *call,
                                                   const omnistore_bytes *keys, std::uint32_t count,
                                                   const omnistore_get_request *const *requests,
                                                   omnistore_sink *const *sinks,
                                                   omnistore_status *statuses) noexcept {
    return guarded(call, [&](Call c) {
      const KnownRequests known(requests, count);
      return of(self).stat_many(c, span(keys, count), Requests(known.raw()), sinks, statuses);
    });
  }
  static omnistore_status OMNISTORE_CALL set_many(void *self, omnistore_call *call,
                                                  const omnistore_bytes *keys, std::uint32_t count,
                                                  const omnistore_set_request *const *requests,
                                                  omnistore_sink *const *results,
                                                  omnistore_status *statuses) noexcept {
    return guarded(call, [&](Call c) {
      const KnownRequests known(requests, count);
      return of(self).set_many(c, span(keys, count), Requests(known.raw()), results, statuses);
    });
  }
  static omnistore_status OMNISTORE_CALL remove_many(
      void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
      const omnistore_remove_request *const *requests, omnistore_status *statuses) noexcept {
    return guarded(call, [&](Call c) {
      const KnownRequests known(requests, count);
      return of(self).remove_many(c, span(keys, count), Requests(known.raw()), statuses);
    });
  }
  static omnistore_status OMNISTORE_CALL touch(void *self, omnistore_call *call,
                                               omnistore_bytes key,
                                               const omnistore_touch_request *request) noexcept {
    return guarded(call, [&](Call c) { return of(self).touch(c, as_view(key), *Known(*request)); });
  }
  static omnistore_status OMNISTORE_CALL watch(void *self, omnistore_call *call,
                                               const omnistore_watch_request *request,
                                               omnistore_watcher *watcher, void **watch) noexcept {
    return guarded(call,
                   [&](Call c) { return of(self).watch(c, *Known(*request), *watcher, watch); });
  }
  static void OMNISTORE_CALL unwatch(void *self, void *watch) noexcept {
    try {
      of(self).unwatch(watch);
    } catch (const std::exception &error) {
      log_line(*static_cast<OpenStore<T> *>(self)->host, OMNISTORE_LOG_ERROR, error.what());
    } catch (...) {
      log_line(*static_cast<OpenStore<T> *>(self)->host, OMNISTORE_LOG_ERROR,
               "unwatch: an exception that is no std::exception");
    }
  }
  static const void *OMNISTORE_CALL extension(void *self, const char *id) noexcept {
    if constexpr (FullExplain<T>) {
      static constexpr omnistore_explain table{sizeof(omnistore_explain), 0, &explain};
      if (id == std::string_view(OMNISTORE_EXPLAIN)) return &table;
    }
    if constexpr (FullStats<T>) {
      static constexpr omnistore_stats table{sizeof(omnistore_stats), 0, &stats};
      if (id == std::string_view(OMNISTORE_STATS)) return &table;
    }
    if constexpr (FullHealth<T>) {
      static constexpr omnistore_health table{sizeof(omnistore_health), 0, &health};
      if (id == std::string_view(OMNISTORE_HEALTH)) return &table;
    }
    if constexpr (FullValidate<T>) {
      static constexpr omnistore_validate table{sizeof(omnistore_validate), 0, &validate};
      if (id == std::string_view(OMNISTORE_VALIDATE)) return &table;
    }
    if constexpr (FullExtension<T>)
      return self ? of(self).extension(id) : nullptr;
    else
      return nullptr;
  }
  static omnistore_status OMNISTORE_CALL explain(void *self, omnistore_call *call,
                                                 omnistore_bytes key,
                                                 omnistore_sink *sink) noexcept {
    return guarded(call, [&](Call c) { return give(of(self).explain(c, as_view(key)), *sink); });
  }
  static omnistore_status OMNISTORE_CALL stats(void *self, omnistore_call *call,
                                               omnistore_sink *sink) noexcept {
    return guarded(call, [&](Call c) { return give(of(self).stats(c), *sink); });
  }

  static omnistore_status OMNISTORE_CALL health(void *self, omnistore_call *call) noexcept {
    return guarded(call, [&](Call c) { return of(self).health(c); });
  }

  static omnistore_status OMNISTORE_CALL validate(omnistore_call *call, omnistore_bytes options,
                                                  std::uint32_t child_count,
                                                  omnistore_problems *problems) noexcept {
    return guarded(call, [&](Call) {
      Problems into(*problems);
      T::validate(OptionsArgument<T>{as_view(options)}, child_count, into);
      return OMNISTORE_OK;
    });
  }

private:
  /// Sends a text as a value; an empty one is OMNISTORE_NOT_FOUND.
  static omnistore_status give(const std::string &text, omnistore_sink &sink) {
    if (text.empty()) return OMNISTORE_NOT_FOUND;
    omnistore_meta meta{};
    meta.size = sizeof meta;
    meta.value_size = text.size();
    const omnistore_status status = sink.begin(&sink, &meta, nullptr);
    return status == OMNISTORE_OK ? sink.write(&sink, text.data(), text.size()) : status;
  }
  static std::span<const omnistore_bytes> span(const omnistore_bytes *keys,
                                               std::uint32_t count) noexcept {
    return {keys, count};
  }
};

/// The traits of every class of the simple form: one call at a time, and keys that are names
/// without structure.
template <class T>
inline constexpr omnistore_traits simple_traits{
    .size = sizeof(omnistore_traits),
    .thread_model = OMNISTORE_SERIALIZED,
    .capabilities = OMNISTORE_NESTS | (CanSet<T> || CanRemove<T> ? 0 : OMNISTORE_READS_ONLY) |
                    (SimpleList<T> ? OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_RANGE |
                                         OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS
                                   : 0),
    .max_key_size = 0,
    .max_value_size = 0,
    .max_batch = 0,
    .keeps = OMNISTORE_KEEPS_UNKNOWN,
    .order = SimpleList<T> ? OMNISTORE_ORDER_KEYS : OMNISTORE_ORDER_NONE,
    .reserved = 0,
    .min_ttl = 0,
    .ttl_grain = 0,
};

template <class T>
constexpr const char *schema_of() {
  using S = typename NestedOptions<T>::type;
  if constexpr (std::is_void_v<S>)
    return nullptr;
  else
    return schema_text<S>.data();
}

constexpr bool is_driver_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name[0] < 'a' || name[0] > 'z') return false;
  for (const char c : name) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
  }
  return true;
}

} // namespace sdk

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

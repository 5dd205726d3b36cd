// SPDX-License-Identifier: Apache-2.0
//
// omnistore/driver.hpp - a driver written as a C++ class. Header only, C++20, over omnistore/driver.h alone.
//
// A driver is a class; each store of it is one object. omnistore::driver<T>(...) makes the C table of it, and
// OMNISTORE_PLUGIN(...) the plugin:
//
//     struct Hello {
//       struct Options {
//         std::string greeting;
//         static constexpr void fields(auto each) {
//           each("greeting", &Options::greeting, "hello", "What is said to each key");
//         }
//       };
//       explicit Hello(Options options) : options_(std::move(options)) {}
//       std::optional<omnistore::Value> get(omnistore::Key key) { return options_.greeting + " " + std::string(key); }
//       Options options_;
//     };
//     OMNISTORE_PLUGIN(omnistore::driver<Hello>("hello", "1.0.0", "Greets each key"))
//
// What the class has as members, the driver can; the rest of the table follows from it or is left to the host. Each
// member is written in one of two forms, and a class may mix them.
//
// The full form is that of the C table, with C++ types (driver.h says what each must do):
//
//     omnistore_status get(Call, std::string_view key, const omnistore_get_request &, omnistore_sink &);
//     omnistore_status stat(Call, std::string_view key, const omnistore_get_request &, omnistore_sink &);
//     omnistore_status set(Call, std::string_view key, const omnistore_set_request &, omnistore_sink *result);
//     omnistore_status remove(Call, std::string_view key, const omnistore_remove_request &);
//     omnistore_status list(Call, const omnistore_list_request &, omnistore_page &);
//     omnistore_status clear(Call, const omnistore_clear_request &, omnistore_page *removed);
//     omnistore_status get_many(Call, std::span<const omnistore_bytes> keys, const omnistore_get_request &,
//                               omnistore_sink *const *sinks, omnistore_status *statuses);
//     omnistore_status set_many(Call, std::span<const omnistore_bytes> keys,
//                               const omnistore_set_request *const *requests, omnistore_status *statuses);
//     omnistore_status remove_many(Call, std::span<const omnistore_bytes> keys, const omnistore_remove_request &,
//                                  omnistore_status *statuses);
//     omnistore_status touch(Call, std::string_view key, const omnistore_touch_request &);
//     omnistore_status watch(Call, const omnistore_watch_request &, omnistore_watcher &, void **watch);
//     void unwatch(void *watch);
//     const void *extension(const char *id);
//
// The simple form is for values that fit in memory and keys that are names without structure:
//
//     std::optional<Value> get(Key);     // or a pointer or optional of anything that reads as a std::string_view
//     void set(Key, std::string_view);   // or (Key, std::string)
//     bool remove(Key);                  // false: there was none
//     void list(Key base, Emit emit);    // emit(key) for every key that starts with base, in any order; others are
//                                        // dropped. Or all keys at once: auto list(); gives a range of keys, or
//                                        // of pairs whose first is the key, as a map is
//
// A simple list is asked for all keys of a base at each page, and the page is cut from them in the order of the keys,
// so that a listing which runs while others write gives every key that was there throughout, none twice. That is right
// for stores up to some hundred thousand keys; larger ones write the full form.
//
// get is required. Without stat a value's meta is told from get. Without set and remove the store is read-only. A
// store without list refuses to list (OMNISTORE_UNSUPPORTED).
//
// Constructors, the first of these that the class has; `options` is omnistore::Options (options.hpp) or the class's own
// nested Options with a member `fields` (below):
//
//     T(const omnistore_host &, options, omnistore_traits &, std::span<const omnistore_store *const> children, Call)
//     T(const omnistore_host &, options, omnistore_traits &, std::span<const omnistore_store *const> children)
//     T(const omnistore_host &, options, omnistore_traits &)
//     T(options)
//     T()
//
// The host and the children live as long as the object; the traits are this store's, to be changed until the
// constructor returns. A constructor that throws fails the open.
//
// Exceptions end at the border: Failure as its status and message, std::bad_alloc as OMNISTORE_NO_SPACE, everything
// else as OMNISTORE_INTERNAL with its what().
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <exception>
#include <iterator>
#include <limits>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <omnistore/driver.h>
#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

namespace omnistore {

// --------------------------------------------------------------------------------------------------- bytes and meta

/// The view of one side as that of the other. Both point to the same bytes.
inline std::string_view as_view(omnistore_bytes bytes) noexcept {
  return {static_cast<const char *>(bytes.data), static_cast<std::size_t>(bytes.size)};
}
constexpr omnistore_bytes as_bytes(std::string_view view) noexcept { return {view.data(), view.size()}; }

/// A key as the simple form is given it: normalised, and valid until the function returns.
using Key = std::string_view;

/// A value as the simple form gives it.
struct Value {
  std::string bytes;
  std::int64_t mtime = 0; ///< when it was last set, Unix milliseconds; 0: unknown

  Value(std::string value, std::int64_t time = 0) : bytes(std::move(value)), mtime(time) {}
  Value(std::string_view value, std::int64_t time = 0) : bytes(value), mtime(time) {}
  Value(const char *value, std::int64_t time = 0) : bytes(value), mtime(time) {}
};

/// Meta with its size set and nothing known but what is given: bytes, and Unix milliseconds.
constexpr omnistore_meta make_meta(std::uint64_t value_size, std::int64_t mtime = 0, std::int64_t expiry = 0) noexcept {
  return {sizeof(omnistore_meta), 0, value_size, mtime, expiry, {nullptr, 0}, {nullptr, 0}};
}

/// Gives a value out whole: begin, and a write where there are bytes. Returns the sink's status, which the driver
/// returns in turn. `meta.value_size` must be the number of bytes, except where a range was asked for.
inline omnistore_status give(omnistore_sink &sink, const omnistore_meta &meta, std::string_view bytes) {
  const omnistore_status status = sink.begin(&sink, &meta, nullptr);
  return status != OMNISTORE_OK || bytes.empty() ? status : sink.write(&sink, bytes.data(), bytes.size());
}
inline omnistore_status give(omnistore_sink &sink, std::string_view bytes) {
  return give(sink, make_meta(bytes.size()), bytes);
}
/// Gives out meta alone, for stat and for the result of set.
inline omnistore_status give(omnistore_sink &sink, const omnistore_meta &meta) {
  return sink.begin(&sink, &meta, nullptr);
}
/// The part of `bytes` that the request asks for.
constexpr std::string_view part_of(std::string_view bytes, const omnistore_get_request &request) noexcept {
  if (request.offset >= bytes.size()) return {};
  const std::uint64_t rest = bytes.size() - request.offset;
  return bytes.substr(static_cast<std::size_t>(request.offset),
                      static_cast<std::size_t>(request.length < rest ? request.length : rest));
}

/// Whether a listing with this base and depth shows the key.
inline bool lists(const omnistore_list_request &request, std::string_view key) noexcept {
  const std::string_view base = as_view(request.base);
  if (!key.starts_with(base)) return false;
  if (request.depth == OMNISTORE_ANY_DEPTH) return true;
  std::uint32_t depth = 0;
  for (const char c : key.substr(base.size())) {
    if (c == ':' && ++depth > request.depth) return false;
  }
  return true;
}

// --------------------------------------------------------------------------------------------------------- the call

/// One operation on its way: omnistore_call. As cheap to copy as a pointer; valid until the function that was given it
/// returns.
class Call {
public:
  explicit Call(omnistore_call *call) noexcept : call_(call) {}

  /// Says why the operation fails, and returns the status: `return call.fail(OMNISTORE_IO, "...");`.
  omnistore_status fail(omnistore_status status, std::string_view message) const { return fail(0, status, message); }
  /// The same for one item of a batch.
  omnistore_status fail(std::uint32_t item, omnistore_status status, std::string_view message) const {
    call_->fail(call_, item, as_bytes(message));
    return status;
  }
  /// Milliseconds left: 0 when the deadline has passed or the caller has gone away, INT64_MAX without a deadline.
  std::int64_t remaining() const { return call_->remaining(call_); }
  omnistore_call *raw() const noexcept { return call_; }

private:
  omnistore_call *call_;
};

/// Writes one line to the host's log; `level` is OMNISTORE_LOG_... On any thread.
inline void log_line(const omnistore_host &host, std::uint32_t level, std::string_view message) {
  host.log(&host, level, as_bytes(message));
}

/// Where a simple list hands its keys to. Valid until list returns.
class Emit {
public:
  template <class F>
  explicit Emit(F &take) noexcept
      : take_(&take), run_([](void *to, std::string_view key) { (*static_cast<F *>(to))(key); }) {}
  void operator()(std::string_view key) const { run_(take_, key); }

private:
  void *take_;
  void (*run_)(void *, std::string_view);
};

// ------------------------------------------------------------------------------------------------- a layer's children

/// A sink that keeps a value: what a layer reads a child's value into. Use it for one call of get or stat.
struct ValueSink : omnistore_sink {
  std::string bytes; ///< the value, or the range of it that was asked for
  std::uint64_t value_size = OMNISTORE_UNKNOWN_SIZE;
  std::int64_t mtime = 0, expiry = 0;
  std::string etag, user;

  ValueSink() noexcept : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_} {}
  ValueSink(const ValueSink &) = delete;
  ValueSink &operator=(const ValueSink &) = delete;

  /// What was kept, to be given on: the views in it are of this object.
  omnistore_meta meta() const noexcept {
    return {sizeof(omnistore_meta), 0, value_size, mtime, expiry, as_bytes(etag), as_bytes(user)};
  }

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept;
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) noexcept;
};

/// A page that hands each key to `take(std::string_view key, const omnistore_meta *meta) -> omnistore_status`, and
/// keeps the cursor: what a layer lists a child with. `take` must not throw.
template <class F>
struct PageSink : omnistore_page {
  F take;
  std::string cursor; ///< where the next page goes on; empty: that was all

  explicit PageSink(F f) : omnistore_page{sizeof(omnistore_page), 0, &emit_, &next_}, take(std::move(f)) {}
  PageSink(const PageSink &) = delete;
  PageSink &operator=(const PageSink &) = delete;

private:
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key,
                                               const omnistore_meta *meta) noexcept {
    return static_cast<PageSink *>(page)->take(as_view(key), meta);
  }
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) noexcept {
    static_cast<PageSink *>(page)->cursor = as_view(cursor);
  }
};

/// An opened store below a layer. As cheap to copy as a pointer; valid as long as the layer's own store. Its functions
/// are those of the table, each of which the host has filled in; their thread rule is that of the child's traits.
class Child {
public:
  explicit Child(const omnistore_store *store) noexcept : store_(store) {}

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) const {
    return driver().get(store_->self, call.raw(), as_bytes(key), &request, &sink);
  }
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) const {
    return driver().stat(store_->self, call.raw(), as_bytes(key), &request, &sink);
  }
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result = nullptr) const {
    return driver().set(store_->self, call.raw(), as_bytes(key), &request, result);
  }
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) const {
    return driver().remove(store_->self, call.raw(), as_bytes(key), &request);
  }
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) const {
    return driver().list(store_->self, call.raw(), &request, &page);
  }
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed = nullptr) const {
    return driver().clear(store_->self, call.raw(), &request, removed);
  }
  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys, const omnistore_get_request &request,
                            omnistore_sink *const *sinks, omnistore_status *statuses) const {
    return driver().get_many(store_->self, call.raw(), keys.data(), count(keys), &request, sinks, statuses);
  }
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            const omnistore_set_request *const *requests, omnistore_status *statuses) const {
    return driver().set_many(store_->self, call.raw(), keys.data(), count(keys), requests, statuses);
  }
  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               const omnistore_remove_request &request, omnistore_status *statuses) const {
    return driver().remove_many(store_->self, call.raw(), keys.data(), count(keys), &request, statuses);
  }
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) const {
    return driver().touch(store_->self, call.raw(), as_bytes(key), &request);
  }
  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher,
                         void **watch) const {
    return driver().watch(store_->self, call.raw(), &request, &watcher, watch);
  }
  void unwatch(void *watch) const { driver().unwatch(store_->self, watch); }

  /// Reads the whole value, with etag and user meta where the child has them.
  omnistore_status read(Call call, std::string_view key, ValueSink &into) const {
    return get(call, key, {sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX}, into);
  }
  /// Stores a value whatever is there. `expiry` in Unix milliseconds, 0: never; others only where the child can.
  omnistore_status write(Call call, std::string_view key, std::string_view value, std::int64_t expiry = 0) const {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.value = as_bytes(value);
    request.expiry = expiry;
    return set(call, key, request);
  }
  omnistore_status remove(Call call, std::string_view key) const {
    return remove(call, key, {sizeof(omnistore_remove_request), 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}});
  }

  const omnistore_traits &traits() const noexcept { return *store_->traits; }
  /// Whether it does natively all of these: OMNISTORE_CAN_... and the like.
  bool can(std::uint64_t capabilities) const noexcept {
    return (store_->traits->capabilities & capabilities) == capabilities;
  }
  std::string_view name() const noexcept { return driver().name; }
  const omnistore_store *raw() const noexcept { return store_; }

private:
  const omnistore_store *store_;

  const omnistore_driver &driver() const noexcept { return *store_->driver; }
  static std::uint32_t count(std::span<const omnistore_bytes> keys) noexcept {
    return static_cast<std::uint32_t>(keys.size());
  }
};

namespace sdk {

// -------------------------------------------------------------------------------------------- exceptions at the border

/// The status of the exception that is being handled; its message goes to the call.
inline omnistore_status caught(const Call &call) noexcept {
  try {
    throw;
  } catch (const Failure &failure) {
    return call.fail(failure.status(), failure.what());
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

// ------------------------------------------------------------------------------------------- options of a plain struct

/// A struct whose `static constexpr void fields(auto each)` names its options, one call each:
///
///     each("name", &S::member, default[, description]);
///     each.required("name", &S::member[, description]);      // no default: the config must have it
///     each("name", &S::member[, description]);               // for a list of strings: empty by default
///
/// Members are bool, integers, std::string, or std::vector<std::string>. A driver with options of another kind, or with
/// bounds, units and secrets, writes an options.schema.json and reads omnistore::Options.
struct FieldsProbe {
  template <class... A>
  constexpr void operator()(A &&...) const {}
  template <class... A>
  constexpr void required(A &&...) const {}
};
template <class S>
concept HasFields = std::default_initializable<S> && requires {
  S::fields(FieldsProbe{});
};

template <class M>
concept ListOfStrings = std::same_as<M, std::vector<std::string>>;

/// Fills a struct from options.
template <class S>
struct Filler {
  S &into;
  const Options &from;

  void operator()(std::string_view name, bool S::*member, bool fallback, std::string_view = {}) const {
    into.*member = from.boolean(name, fallback);
  }
  template <std::integral M>
  void operator()(std::string_view name, M S::*member, std::type_identity_t<M> fallback, std::string_view = {}) const {
    into.*member = from.has(name) ? integer<M>(name) : fallback;
  }
  void operator()(std::string_view name, std::string S::*member, std::string_view fallback,
                  std::string_view = {}) const {
    into.*member = from.string(name, fallback);
  }
  template <ListOfStrings M>
  void operator()(std::string_view name, M S::*member, std::string_view = {}) const {
    into.*member = from.strings(name, M{});
  }

  void required(std::string_view name, bool S::*member, std::string_view = {}) const {
    into.*member = from.boolean(name);
  }
  template <std::integral M>
  void required(std::string_view name, M S::*member, std::string_view = {}) const {
    into.*member = integer<M>(name);
  }
  void required(std::string_view name, std::string S::*member, std::string_view = {}) const {
    into.*member = from.string(name);
  }
  template <ListOfStrings M>
  void required(std::string_view name, M S::*member, std::string_view = {}) const {
    into.*member = from.strings(name);
  }

private:
  template <class M>
  M integer(std::string_view name) const {
    const std::int64_t value = from.integer(name);
    if (!std::in_range<M>(value)) {
      throw Failure(OMNISTORE_INVALID, "option " + std::string(name) + ": expected an integer from " +
                                           std::to_string(std::numeric_limits<M>::min()) + " to " +
                                           std::to_string(std::numeric_limits<M>::max()) + ", found " +
                                           std::to_string(value));
    }
    return static_cast<M>(value);
  }
};

/// Writes text, or only counts it while `out` is null, so that a constant's room can be known before it is filled.
struct TextWriter {
  char *out;
  std::size_t size = 0;

  constexpr void put(char c) {
    if (out) out[size] = c;
    ++size;
  }
  constexpr void text(std::string_view text) {
    for (const char c : text) put(c);
  }
  constexpr void quoted(std::string_view text) {
    put('"');
    for (const char c : text) {
      if (c == '"' || c == '\\')
        put('\\'), put(c);
      else if (c == '\n')
        put('\\'), put('n');
      else
        put(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
    }
    put('"');
  }
  constexpr void integer(std::int64_t value) {
    if (value < 0) put('-');
    char digits[20] = {};
    std::size_t count = 0;
    do digits[count++] = static_cast<char>('0' + (value < 0 ? -(value % 10) : value % 10));
    while (value /= 10);
    while (count) put(digits[--count]);
  }
  constexpr void value(bool value) { text(value ? "true" : "false"); }
  constexpr void value(std::string_view value) { quoted(value); }
  template <std::integral M>
  constexpr void value(M value) {
    integer(static_cast<std::int64_t>(value));
  }
};

/// Writes the schema's properties.
template <class S>
struct PropertyWriter {
  TextWriter &to;
  bool &first;

  template <class M, class D>
  constexpr void operator()(std::string_view name, M S::*, const D &fallback, std::string_view description = {}) const {
    if constexpr (ListOfStrings<M>) {
      open<M>(name, fallback);
      to.text(",\"default\":[]");
    } else {
      open<M>(name, description);
      to.text(",\"default\":");
      if constexpr (std::same_as<M, std::string>)
        to.value(std::string_view(fallback));
      else
        to.value(static_cast<M>(fallback));
    }
    to.put('}');
  }
  template <ListOfStrings M>
  constexpr void operator()(std::string_view name, M S::*member) const {
    (*this)(name, member, std::string_view());
  }
  template <class M>
  constexpr void required(std::string_view name, M S::*, std::string_view description = {}) const {
    open<M>(name, description);
    to.put('}');
  }

private:
  template <class M>
  constexpr void open(std::string_view name, std::string_view description) const {
    if (!std::exchange(first, false)) to.put(',');
    to.quoted(name);
    to.text(":{\"type\":");
    if constexpr (std::same_as<M, bool>)
      to.text("\"boolean\"");
    else if constexpr (std::same_as<M, std::string>)
      to.text("\"string\"");
    else if constexpr (ListOfStrings<M>)
      to.text("\"array\",\"items\":{\"type\":\"string\"}");
    else
      bounds<M>();
    if (description.empty()) return;
    to.text(",\"description\":");
    to.quoted(description);
  }
  template <class M>
  constexpr void bounds() const {
    static_assert(std::integral<M> && (std::is_signed_v<M> || sizeof(M) < 8),
                  "an option is a bool, an integer that fits in std::int64_t, a std::string, or a "
                  "std::vector<std::string>; write a schema file for others");
    to.text("\"integer\"");
    if constexpr (sizeof(M) == 8) return;
    to.text(",\"minimum\":");
    to.value(std::numeric_limits<M>::min());
    to.text(",\"maximum\":");
    to.value(std::numeric_limits<M>::max());
  }
};

/// Writes the names of the required options.
struct RequiredWriter {
  TextWriter &to;
  bool &first;

  template <class... A>
  constexpr void operator()(A &&...) const {}
  template <class... A>
  constexpr void required(std::string_view name, A &&...) const {
    if (!std::exchange(first, false)) to.put(',');
    to.quoted(name);
  }
};

template <class S>
constexpr std::size_t write_schema(char *out) {
  TextWriter to{out};
  bool first = true;
  to.text("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
  S::fields(PropertyWriter<S>{to, first});
  to.text("},\"required\":[");
  first = true;
  S::fields(RequiredWriter{to, first});
  to.text("]}");
  return to.size;
}

/// The JSON Schema of a struct's options: a constant, so that the plugin's entry allocates nothing.
template <class S>
inline constexpr auto schema_text = [] {
  std::array<char, write_schema<S>(nullptr) + 1> text{};
  write_schema<S>(text.data());
  return text;
}();

// ---------------------------------------------------------------------------------------------- what members a class
// has

template <class T>
concept FullGet = requires(T &t, Call c, std::string_view k, const omnistore_get_request &r, omnistore_sink &s) {
  { t.get(c, k, r, s) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullStat = requires(T &t, Call c, std::string_view k, const omnistore_get_request &r, omnistore_sink &s) {
  { t.stat(c, k, r, s) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullSet = requires(T &t, Call c, std::string_view k, const omnistore_set_request &r, omnistore_sink *s) {
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
concept FullGetMany = requires(T &t, Call c, std::span<const omnistore_bytes> k, const omnistore_get_request &r,
                               omnistore_sink *const *s, omnistore_status *o) {
  { t.get_many(c, k, r, s, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullSetMany = requires(T &t, Call c, std::span<const omnistore_bytes> k, const omnistore_set_request *const *r,
                               omnistore_status *o) {
  { t.set_many(c, k, r, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullRemoveMany = requires(T &t, Call c, std::span<const omnistore_bytes> k, const omnistore_remove_request &r,
                                  omnistore_status *o) {
  { t.remove_many(c, k, r, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullTouch = requires(T &t, Call c, std::string_view k, const omnistore_touch_request &r) {
  { t.touch(c, k, r) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullWatch = requires(T &t, Call c, const omnistore_watch_request &r, omnistore_watcher &w, void **out) {
  { t.watch(c, r, w, out) } -> std::same_as<omnistore_status>;
  { t.unwatch(*out) } -> std::same_as<void>;
};
template <class T>
concept FullExtension = requires(T &t, const char *id) {
  { t.extension(id) } -> std::same_as<const void *>;
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

/// A public member of that name which is of neither form would be left out without a word; it is an error instead.
template <class T>
constexpr bool check_members() {
  static_assert(CanGet<T>, "get is missing, or is not one of the forms in driver.hpp");
  static_assert(
      FullStat<T> || !requires { &T::stat; }, "stat is not of the form in driver.hpp");
  static_assert(
      CanSet<T> || !requires { &T::set; }, "set is not one of the forms in driver.hpp");
  static_assert(
      CanRemove<T> || !requires { &T::remove; }, "remove is not one of the forms in driver.hpp");
  static_assert(
      FullList<T> || SimpleList<T> || !requires { &T::list; }, "list is not one of the forms in driver.hpp");
  static_assert(
      FullClear<T> || !requires { &T::clear; }, "clear is not of the form in driver.hpp");
  static_assert(
      FullGetMany<T> || !requires { &T::get_many; }, "get_many is not of the form in driver.hpp");
  static_assert(
      FullSetMany<T> || !requires { &T::set_many; }, "set_many is not of the form in driver.hpp");
  static_assert(
      FullRemoveMany<T> || !requires { &T::remove_many; }, "remove_many is not of the form in driver.hpp");
  static_assert(
      FullTouch<T> || !requires { &T::touch; }, "touch is not of the form in driver.hpp");
  static_assert(
      FullWatch<T> || !requires { &T::watch; }, "watch and unwatch are not of the forms in driver.hpp");
  static_assert(
      FullExtension<T> || !requires { &T::extension; }, "extension is not of the form in driver.hpp");
  return true;
}

// -------------------------------------------------------------------------------------------------------- construction

template <class T>
struct NestedOptions {
  using type = void;
};
template <class T>
requires HasFields<typename T::Options>
struct NestedOptions<T> {
  using type = typename T::Options;
};

/// Becomes whichever kind of options a constructor takes.
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

/// An opened store, and what its border needs beside it.
template <class T>
struct Held {
  const omnistore_host *host;
  T store;
};

using Children = std::span<const omnistore_store *const>;

template <class T>
Held<T> *make(const omnistore_host &host, const omnistore_open_request &request, omnistore_traits &traits, Call call) {
  using O = OptionsArgument<T>;
  using H = const omnistore_host &;
  const O options{as_view(request.options)};
  const Children children(request.children, request.child_count);
  if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &, Children, Call>) {
    return new Held<T>{&host, T(host, options, traits, children, call)};
  } else if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &, Children>) {
    return new Held<T>{&host, T(host, options, traits, children)};
  } else if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &>) {
    return new Held<T>{&host, T(host, options, traits)};
  } else if constexpr (std::is_constructible_v<T, O>) {
    return new Held<T>{&host, T(options)};
  } else {
    static_assert(std::is_default_constructible_v<T>, "no constructor is one of the forms in driver.hpp");
    return new Held<T>{&host, T()};
  }
}

// --------------------------------------------------------------------------------------------------- the simple forms

/// Gives out what a simple get found.
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

/// A sink that passes on the meta and drops the bytes: stat by way of get.
struct MetaSink : omnistore_sink {
  omnistore_sink &to;

  explicit MetaSink(omnistore_sink &sink) : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_}, to(sink) {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                void **buffer) noexcept {
    if (buffer) *buffer = nullptr;
    omnistore_sink &to = static_cast<MetaSink *>(sink)->to;
    return to.begin(&to, meta, nullptr);
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) noexcept {
    return OMNISTORE_OK;
  }
};

/// One page of a simple list: the smallest keys behind the cursor, which is the last key of the page before.
class SortedPage {
public:
  explicit SortedPage(const omnistore_list_request &request) : request_(request), after_(as_view(request.cursor)) {}

  void operator()(std::string_view key) {
    if (key <= after_ || !lists(request_, key)) return;
    if (full() && key >= *keys_.rbegin()) return;
    keys_.emplace_hint(keys_.end(), key);
    if (keys_.size() > wanted()) keys_.erase(std::prev(keys_.end()));
  }

  omnistore_status emit(omnistore_page &page) const {
    std::string_view last;
    std::uint32_t emitted = 0;
    for (const std::string &key : keys_) {
      if (emitted++ == request_.limit) {
        page.next(&page, as_bytes(last));
        break;
      }
      if (const omnistore_status status = page.emit(&page, as_bytes(key), nullptr); status != OMNISTORE_OK) {
        return status;
      }
      last = key;
    }
    return OMNISTORE_OK;
  }

private:
  const omnistore_list_request &request_;
  std::string_view after_;
  std::set<std::string, std::less<>> keys_;

  /// One more than the page holds, to know whether there is a next one.
  std::size_t wanted() const { return std::size_t{request_.limit} + 1; }
  bool full() const { return keys_.size() == wanted(); }
};

// ------------------------------------------------------------------------------------------------------------ the
// table

/// The functions of a class's table.
template <class T>
struct Table {
  static T &of(void *self) noexcept { return static_cast<Held<T> *>(self)->store; }

  static omnistore_status OMNISTORE_CALL open(const omnistore_host *host, omnistore_call *call,
                                              const omnistore_open_request *request, omnistore_traits *traits,
                                              void **self) noexcept {
    return guarded(call, [&](Call c) {
      *self = make<T>(*host, *request, *traits, c);
      return OMNISTORE_OK;
    });
  }
  static void OMNISTORE_CALL close(void *self) noexcept { delete static_cast<Held<T> *>(self); }

  static omnistore_status OMNISTORE_CALL get(void *self, omnistore_call *call, omnistore_bytes key,
                                             const omnistore_get_request *request, omnistore_sink *sink) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullGet<T>) {
        return of(self).get(c, as_view(key), *request, *sink);
      } else {
        const auto &found = of(self).get(as_view(key));
        return found ? give_found(*sink, *found, true) : OMNISTORE_NOT_FOUND;
      }
    });
  }

  static omnistore_status OMNISTORE_CALL stat(void *self, omnistore_call *call, omnistore_bytes key,
                                              const omnistore_get_request *request, omnistore_sink *sink) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullStat<T>) {
        return of(self).stat(c, as_view(key), *request, *sink);
      } else if constexpr (FullGet<T>) {
        MetaSink meta_only(*sink);
        return of(self).get(c, as_view(key), *request, meta_only);
      } else {
        const auto &found = of(self).get(as_view(key));
        return found ? give_found(*sink, *found, false) : OMNISTORE_NOT_FOUND;
      }
    });
  }

  static omnistore_status OMNISTORE_CALL set(void *self, omnistore_call *call, omnistore_bytes key,
                                             const omnistore_set_request *request, omnistore_sink *result) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullSet<T>) {
        return of(self).set(c, as_view(key), *request, result);
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

  static omnistore_status OMNISTORE_CALL remove(void *self, omnistore_call *call, omnistore_bytes key,
                                                const omnistore_remove_request *request) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullRemove<T>) {
        return of(self).remove(c, as_view(key), *request);
      } else if constexpr (SimpleRemove<T>) {
        return of(self).remove(as_view(key)) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
      } else if constexpr (CanSet<T>) {
        return c.fail(OMNISTORE_UNSUPPORTED, "this driver removes no values");
      } else {
        return c.fail(OMNISTORE_READ_ONLY, "this driver takes no writes");
      }
    });
  }

  static omnistore_status OMNISTORE_CALL list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                              omnistore_page *page) noexcept {
    return guarded(call, [&](Call c) -> omnistore_status {
      if constexpr (FullList<T>) {
        return of(self).list(c, *request, *page);
      } else if constexpr (SimpleList<T>) {
        SortedPage sorted(*request);
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

  static omnistore_status OMNISTORE_CALL clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                                               omnistore_page *removed) noexcept {
    return guarded(call, [&](Call c) { return of(self).clear(c, *request, removed); });
  }
  static omnistore_status OMNISTORE_CALL get_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                  std::uint32_t count, const omnistore_get_request *request,
                                                  omnistore_sink *const *sinks, omnistore_status *statuses) noexcept {
    return guarded(call, [&](Call c) { return of(self).get_many(c, span(keys, count), *request, sinks, statuses); });
  }
  static omnistore_status OMNISTORE_CALL set_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                  std::uint32_t count, const omnistore_set_request *const *requests,
                                                  omnistore_status *statuses) noexcept {
    return guarded(call, [&](Call c) { return of(self).set_many(c, span(keys, count), requests, statuses); });
  }
  static omnistore_status OMNISTORE_CALL remove_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                     std::uint32_t count, const omnistore_remove_request *request,
                                                     omnistore_status *statuses) noexcept {
    return guarded(call, [&](Call c) { return of(self).remove_many(c, span(keys, count), *request, statuses); });
  }
  static omnistore_status OMNISTORE_CALL touch(void *self, omnistore_call *call, omnistore_bytes key,
                                               const omnistore_touch_request *request) noexcept {
    return guarded(call, [&](Call c) { return of(self).touch(c, as_view(key), *request); });
  }
  static omnistore_status OMNISTORE_CALL watch(void *self, omnistore_call *call, const omnistore_watch_request *request,
                                               omnistore_watcher *watcher, void **watch) noexcept {
    return guarded(call, [&](Call c) { return of(self).watch(c, *request, *watcher, watch); });
  }
  static void OMNISTORE_CALL unwatch(void *self, void *watch) noexcept {
    try {
      of(self).unwatch(watch);
    } catch (const std::exception &error) {
      log_line(*static_cast<Held<T> *>(self)->host, OMNISTORE_LOG_ERROR, error.what());
    } catch (...) {
      log_line(*static_cast<Held<T> *>(self)->host, OMNISTORE_LOG_ERROR,
               "unwatch: an exception that is no std::exception");
    }
  }
  static const void *OMNISTORE_CALL extension(void *self, const char *id) noexcept {
    return self ? of(self).extension(id) : nullptr;
  }

private:
  static std::span<const omnistore_bytes> span(const omnistore_bytes *keys, std::uint32_t count) noexcept {
    return {keys, count};
  }
};

/// What is so of every class of the simple form. One call at a time; its keys are names without structure.
template <class T>
inline constexpr omnistore_traits simple_traits{
    .size = sizeof(omnistore_traits),
    .thread_model = OMNISTORE_SERIALIZED,
    .capabilities = OMNISTORE_NESTS | (CanSet<T> || CanRemove<T> ? 0 : OMNISTORE_READS_ONLY) |
                    (SimpleList<T> ? OMNISTORE_CAN_DEPTH : 0),
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

inline omnistore_status OMNISTORE_CALL ValueSink::begin_(omnistore_sink *sink, const omnistore_meta *meta,
                                                         void **buffer) noexcept {
  if (buffer) *buffer = nullptr;
  auto *self = static_cast<ValueSink *>(sink);
  try {
    self->value_size = meta->value_size;
    self->mtime = meta->mtime;
    self->expiry = meta->expiry;
    self->etag = as_view(meta->etag);
    self->user = as_view(meta->user);
    self->bytes.clear();
    return OMNISTORE_OK;
  } catch (const std::bad_alloc &) {
    return OMNISTORE_NO_SPACE;
  }
}

inline omnistore_status OMNISTORE_CALL ValueSink::write_(omnistore_sink *sink, const void *data,
                                                         std::uint64_t size) noexcept {
  try {
    static_cast<ValueSink *>(sink)->bytes.append(static_cast<const char *>(data), static_cast<std::size_t>(size));
    return OMNISTORE_OK;
  } catch (const std::exception &) {
    return OMNISTORE_NO_SPACE;
  }
}

/// The table of a driver. All arguments are constants; a wrong one is an error of the compiler.
/// `name` is what a config calls it ([a-z][a-z0-9-]*), `version` the driver's own, `summary` one line without a full
/// stop, `schema` a JSON Schema of the options (null: it takes none). `traits` must be a constant with static storage.
/// A layer takes from `min_children` to `max_children` stores.
template <class T>
consteval omnistore_driver driver(const char *name, const char *version, const char *summary, const char *schema,
                                  const omnistore_traits &traits, std::uint32_t min_children = 0,
                                  std::uint32_t max_children = 0) {
  static_assert(sdk::check_members<T>());
  using Table = sdk::Table<T>;
  if (!sdk::is_driver_name(name)) throw "a driver's name is [a-z][a-z0-9-]*, at most 64 bytes";
  if (traits.size != sizeof(omnistore_traits)) throw "traits.size must be sizeof(omnistore_traits)";
  if (traits.thread_model == 0) throw "traits.thread_model must be stated";
  if (!sdk::CanSet<T> && !sdk::CanRemove<T> && !(traits.capabilities & OMNISTORE_READS_ONLY)) {
    throw "a driver without set and remove states OMNISTORE_READS_ONLY";
  }
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
  if constexpr (sdk::FullSetMany<T>) table.set_many = &Table::set_many;
  if constexpr (sdk::FullRemoveMany<T>) table.remove_many = &Table::remove_many;
  if constexpr (sdk::FullTouch<T>) table.touch = &Table::touch;
  if constexpr (sdk::FullWatch<T>) table.watch = &Table::watch, table.unwatch = &Table::unwatch;
  if constexpr (sdk::FullExtension<T>) table.extension = &Table::extension;
  return table;
}
template <class T>
consteval omnistore_driver driver(const char *, const char *, const char *, const char *, const omnistore_traits &&,
                                  std::uint32_t = 0, std::uint32_t = 0) = delete; // the traits would be gone

/// The same for a class of the simple form, whose traits follow from its members. Without a schema that of its nested
/// Options.
template <class T>
consteval omnistore_driver driver(const char *name, const char *version, const char *summary, const char *schema) {
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

/// The plugin that this library is: OMNISTORE_PLUGIN(omnistore::driver<A>(...), omnistore::driver<B>(...)). Once, in
/// one file, outside of any function. A host of another major is given the table too: it tells both versions.
#define OMNISTORE_PLUGIN(...) OMNISTORE_PLUGIN_WITH(0, __VA_ARGS__)

/// The same for a plugin that may be unloaded when its last store is closed: it then has no thread, callback or
/// thread-local destructor left.
#define OMNISTORE_PLUGIN_THAT_UNLOADS(...) OMNISTORE_PLUGIN_WITH(OMNISTORE_PLUGIN_UNLOADS, __VA_ARGS__)

#define OMNISTORE_PLUGIN_WITH(FLAGS, ...)                                                                              \
  extern "C" OMNISTORE_EXPORT const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *) {   \
    static constexpr omnistore_driver tables[] = {__VA_ARGS__};                                                        \
    static constexpr auto drivers = omnistore::sdk::pointers(tables);                                                  \
    static constexpr omnistore_plugin plugin = {sizeof(omnistore_plugin),                                              \
                                                OMNISTORE_ABI_MAJOR,                                                   \
                                                OMNISTORE_ABI_MINOR,                                                   \
                                                FLAGS,                                                                 \
                                                std::size(tables) == 1 ? tables[0].name : nullptr,                     \
                                                std::size(tables) == 1 ? tables[0].version : nullptr,                  \
                                                std::size(tables),                                                     \
                                                0,                                                                     \
                                                drivers.to};                                                           \
    return &plugin;                                                                                                    \
  }

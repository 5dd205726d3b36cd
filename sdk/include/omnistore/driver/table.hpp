// SPDX-License-Identifier: Apache-2.0
//
// omnistore/driver/table.hpp - the C functions that call the members of a driver class. Included by
// omnistore/driver.hpp.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/child.hpp>
#include <omnistore/driver.h>
#include <omnistore/driver/arguments.hpp>
#include <omnistore/driver/members.hpp>
#include <omnistore/ext/explain.h>
#include <omnistore/ext/health.h>
#include <omnistore/ext/stats.h>
#include <omnistore/ext/validate.h>
#include <omnistore/failure.hpp>
#include <omnistore/fields.hpp>
#include <omnistore/listing.hpp>
#include <omnistore/value.hpp>

namespace omnistore::sdk {

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

} // namespace omnistore::sdk

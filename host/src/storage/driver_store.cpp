// SPDX-License-Identifier: Apache-2.0
#include "storage/driver_store.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <omnistore/known.hpp>

#include "base/row.hpp"
#include "config/formats.hpp"
#include "loader/open.hpp"
#include "storage/item_call.hpp"

namespace omnistore {

DriverStore::DriverStore(std::shared_ptr<const loader::Driver> driver, std::shared_ptr<Tasks> tasks,
                         const std::string &mount, std::function<void(const omnistore_event &)> on_removal)
    : driver_(std::move(driver)), tasks_(std::move(tasks)), mount_(mount), label_(*driver_, mount_, faults_),
      services_(label_, faults_, tasks_, std::move(on_removal)), traits_(driver_->traits) {
  faults_.name(mount_, driver_->name);
}

void DriverStore::open(const std::string &options, std::span<const omnistore_store *const> children,
                       Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  HostCall call(std::max(left, std::chrono::milliseconds(1)));
  const omnistore_open_request request{
      sizeof request, 0, bytes(options), children.data(), static_cast<std::uint32_t>(children.size()), 0};
  omnistore_status status = OMNISTORE_INTERNAL;
  {
    const base::InFlight in_flight(label_, "open");
    status = known_status(loader::call_open(*driver_, &services_, &call, &request, &traits_, &self_), faults_);
  }
  if (status != OMNISTORE_OK) {
    services_.drop_tasks();
    throw Error(to_status(status), without_secrets(call.cause(status), *driver_, options));
  }
  opened_ = true;
  check_traits();
  revalidates_ = extension<omnistore_revalidate>(OMNISTORE_REVALIDATE);
  if (revalidates_ && !OMNISTORE_HAS(omnistore_revalidate, revalidates_, get_changed)) revalidates_ = nullptr;
  lag_ = watches() ? extension<omnistore_lag>(OMNISTORE_LAG) : nullptr;
  if (lag_ && !OMNISTORE_HAS(omnistore_lag, lag_, lag)) lag_ = nullptr;
}

void DriverStore::check_traits() {
  // The host requests nothing that it does not know, and neither may a layer above: the host would not pass on what
  // belongs to it.
  constexpr std::uint64_t known_capabilities = (OMNISTORE_CANNOT_LIST << 1) - 1;
  traits_.capabilities &= known_capabilities;
  traits_.min_ttl = std::clamp<std::int64_t>(traits_.min_ttl, 0, config::max_ttl);
  traits_.ttl_grain = std::clamp<std::int64_t>(traits_.ttl_grain, 0, config::max_ttl);
  if (traits_.thread_model < OMNISTORE_PARALLEL) serial_ = std::make_unique<std::timed_mutex>();
}

void DriverStore::close() {
  if (!std::exchange(opened_, false)) return;
  loans_.wait();
  services_.drop_tasks();
  HostCall call;
  guarded(&call, "close", [&] {
    table().close(self_);
    return OMNISTORE_OK;
  });
}

std::uint64_t DriverStore::longest_key() const {
  constexpr std::uint64_t longest_of_all = OMNISTORE_MAX_KEY_SIZE;
  return traits_.max_key_size == 0 ? longest_of_all : std::min(traits_.max_key_size, longest_of_all);
}

struct DriverStore::Calls {
  static omnistore_status get(DriverStore &store, omnistore_call *call, omnistore_bytes key,
                              const omnistore_get_request *request, omnistore_sink *sink) {
    CheckedSink checked(sink, store.faults_, request->offset, request->length, &store.loans_);
    return checked.settle(
        store.guarded(call, "get", [&] { return store.table().get(store.self_, call, key, request, &checked); }), call);
  }

  static omnistore_status stat(DriverStore &store, omnistore_call *call, omnistore_bytes key,
                               const omnistore_get_request *request, omnistore_sink *sink) {
    const omnistore_get_request whole{sizeof whole, request->flags, 0, UINT64_MAX};
    CheckedSink checked(sink, store.faults_);
    return checked.settle(
        store.guarded(call, "stat", [&] { return store.table().stat(store.self_, call, key, &whole, &checked); }),
        call);
  }

  static omnistore_status set(DriverStore &store, omnistore_call *call, omnistore_bytes key,
                              const omnistore_set_request *request, omnistore_sink *result) {
    if (!result)
      return store.guarded(call, "set", [&] { return store.table().set(store.self_, call, key, request, nullptr); });
    CheckedSink checked(result, store.faults_);
    const omnistore_status status =
        store.guarded(call, "set", [&] { return store.table().set(store.self_, call, key, request, &checked); });
    return store.settle_set(checked, status, *request, call, 0);
  }

  static omnistore_status remove(DriverStore &store, omnistore_call *call, omnistore_bytes key,
                                 const omnistore_remove_request *request) {
    return store.guarded(call, "remove", [&] { return store.table().remove(store.self_, call, key, request); });
  }

  static omnistore_status list(DriverStore &store, omnistore_call *call, const omnistore_list_request *request,
                               omnistore_page *page) {
    CheckedPage checked(page, store.faults_, *request, store.traits_.order);
    return checked.settle(
        store.guarded(call, "list", [&] { return store.table().list(store.self_, call, request, &checked); }), call);
  }

  static omnistore_status clear(DriverStore &store, omnistore_call *call, const omnistore_clear_request *request,
                                omnistore_page *removed) {
    CheckedPage checked(removed, store.faults_, view(request->base));
    const omnistore_status status = store.guarded(
        call, "clear", [&] { return store.table().clear(store.self_, call, request, removed ? &checked : nullptr); });
    return checked.settle(status, call);
  }

  static omnistore_status touch(DriverStore &store, omnistore_call *call, omnistore_bytes key,
                                const omnistore_touch_request *request) {
    return store.guarded(call, "touch", [&] { return store.table().touch(store.self_, call, key, request); });
  }

  static omnistore_status get_changed(DriverStore &store, omnistore_call *call, omnistore_bytes key,
                                      const omnistore_get_request *request, omnistore_bytes etag, omnistore_sink *sink,
                                      std::uint32_t *unchanged) {
    CheckedSink checked(sink, store.faults_, request->offset, request->length);
    const omnistore_status status = store.guarded(call, "get_changed", [&] {
      return store.revalidates_->get_changed(store.self_, call, key, request, etag, &checked, unchanged);
    });
    return checked.settle(status, call, 0, *unchanged != 0);
  }

  /// A batch that reads. `make_sink(all, i)` adds the checked sink of item i; `ask(call, from, count, sinks)` calls the
  /// driver.
  template <class Make, class Ask>
  static omnistore_status read_many(DriverStore &store, omnistore_call *call, const char *operation,
                                    std::uint32_t count, omnistore_status *statuses, Make make_sink, Ask ask) {
    return in_parts(count, store.traits_.max_batch, [&](std::uint32_t from, std::uint32_t part) {
      ItemCall items(Call(call), from);
      base::Row<CheckedSink> checked(part);
      std::vector<omnistore_sink *> sinks(part);
      for (std::uint32_t i = 0; i < part; ++i) sinks[i] = &make_sink(checked, from + i);
      const omnistore_status status = store.guarded(
          &items, operation, [&] { return ask(static_cast<omnistore_call *>(&items), from, part, sinks.data()); });
      for (std::uint32_t i = 0; i < part && status == OMNISTORE_OK; ++i)
        statuses[from + i] = checked[i].settle(known_status(statuses[from + i], store.faults_), &items, i);
      return status;
    });
  }

  static omnistore_status get_many(DriverStore &store, omnistore_call *call, const omnistore_bytes *keys,
                                   std::uint32_t count, const omnistore_get_request *const *requests,
                                   omnistore_sink *const *sinks, omnistore_status *statuses) {
    return read_many(
        store, call, "get_many", count, statuses,
        [&](base::Row<CheckedSink> &all, std::uint32_t i) -> CheckedSink & {
          return all.emplace_back(sinks[i], store.faults_, requests[i]->offset, requests[i]->length);
        },
        [&](omnistore_call *items, std::uint32_t from, std::uint32_t part, omnistore_sink *const *checked) {
          return store.table().get_many(store.self_, items, keys + from, part, requests + from, checked,
                                        statuses + from);
        });
  }

  static omnistore_status stat_many(DriverStore &store, omnistore_call *call, const omnistore_bytes *keys,
                                    std::uint32_t count, const omnistore_get_request *const *requests,
                                    omnistore_sink *const *sinks, omnistore_status *statuses) {
    return read_many(
        store, call, "stat_many", count, statuses,
        [&](base::Row<CheckedSink> &all, std::uint32_t i) -> CheckedSink & {
          return all.emplace_back(sinks[i], store.faults_);
        },
        [&](omnistore_call *items, std::uint32_t from, std::uint32_t part, omnistore_sink *const *checked) {
          return store.table().stat_many(store.self_, items, keys + from, part, requests + from, checked,
                                         statuses + from);
        });
  }

  static omnistore_status set_many(DriverStore &store, omnistore_call *call, const omnistore_bytes *keys,
                                   std::uint32_t count, const omnistore_set_request *const *requests,
                                   omnistore_sink *const *results, omnistore_status *statuses) {
    return in_parts(count, store.traits_.max_batch, [&](std::uint32_t from, std::uint32_t part) {
      ItemCall items(Call(call), from);
      base::Row<CheckedSink> checked(results ? part : 0);
      std::vector<omnistore_sink *> sinks(results ? part : 0);
      for (std::uint32_t i = 0; i < sinks.size(); ++i)
        sinks[i] = results[from + i] ? &checked.emplace_back(results[from + i], store.faults_) : nullptr;
      const omnistore_status status = store.guarded(&items, "set_many", [&] {
        return store.table().set_many(store.self_, &items, keys + from, part, requests + from,
                                      results ? sinks.data() : nullptr, statuses + from);
      });
      std::size_t next = 0;
      for (std::uint32_t i = from; i < from + part; ++i) {
        statuses[i] = known_status(statuses[i], store.faults_);
        if (results && results[i] && status == OMNISTORE_OK)
          statuses[i] = store.settle_set(checked[next++], statuses[i], *requests[i], &items, i - from);
      }
      return status;
    });
  }

  static omnistore_status remove_many(DriverStore &store, omnistore_call *call, const omnistore_bytes *keys,
                                      std::uint32_t count, const omnistore_remove_request *const *requests,
                                      omnistore_status *statuses) {
    return in_parts(count, store.traits_.max_batch, [&](std::uint32_t from, std::uint32_t part) {
      ItemCall items(Call(call), from);
      const omnistore_status status = store.guarded(&items, "remove_many", [&] {
        return store.table().remove_many(store.self_, &items, keys + from, part, requests + from, statuses + from);
      });
      for (std::uint32_t i = from; i < from + part; ++i) statuses[i] = known_status(statuses[i], store.faults_);
      return status;
    });
  }
};

Functions DriverStore::functions() {
  Functions all;
  all.get.bind<&Calls::get>(*this);
  all.stat.bind<&Calls::stat>(*this);
  all.set.bind<&Calls::set>(*this);
  all.remove.bind<&Calls::remove>(*this);
  all.list.bind<&Calls::list>(*this);
  if (table().clear) all.clear.bind<&Calls::clear>(*this);
  if (table().get_many) all.get_many.bind<&Calls::get_many>(*this);
  if (table().stat_many) all.stat_many.bind<&Calls::stat_many>(*this);
  if (table().set_many) all.set_many.bind<&Calls::set_many>(*this);
  if (table().remove_many) all.remove_many.bind<&Calls::remove_many>(*this);
  if (table().touch) all.touch.bind<&Calls::touch>(*this);
  if (revalidates_) all.get_changed.bind<&Calls::get_changed>(*this);
  return all;
}

/// The outcome of a set with a sink for its result.
omnistore_status DriverStore::settle_set(const CheckedSink &checked, omnistore_status status,
                                         const omnistore_set_request &request, omnistore_call *call,
                                         std::uint32_t item) const {
  // If nothing was stored, or the driver gives no etags, there may be nothing to give.
  const bool may_stay = !can(OMNISTORE_CAN_ETAG) || request.expiry != 0;
  if (!checked.begun() && (status != OMNISTORE_OK || may_stay)) return status;
  return checked.settle(status, call, item);
}

omnistore_status DriverStore::watch(omnistore_call *call, const omnistore_watch_request *request,
                                    omnistore_watcher *watcher, void **watch) {
  return guarded(call, "watch", [&] { return table().watch(self_, call, request, watcher, watch); });
}

void DriverStore::unwatch(void *watch) {
  without_exceptions([&] {
    const base::InFlight in_flight(label_, "unwatch");
    table().unwatch(self_, watch);
  });
}

} // namespace omnistore

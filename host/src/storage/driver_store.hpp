// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include <omnistore/driver.h>
#include <omnistore/ext/lag.h>

#include "base/in_flight.hpp"
#include "loader/registry.hpp"
#include "storage/call.hpp"
#include "storage/contract.hpp"
#include "storage/functions.hpp"
#include "storage/host_services.hpp"
#include "storage/plan.hpp"
#include "storage/tasks.hpp"

namespace omnistore {

/// A store's name in what base/in_flight.hpp knows, and whether its calls may block.
class StoreLabel : public base::CallLabel {
public:
  StoreLabel(const loader::Driver &of, const std::string &mount_name, Faults &faults)
      : CallLabel(of.file.c_str(), of.name.c_str(), mount_name.c_str()), faults_(faults) {}
  ~StoreLabel() override { hide(); }
  void claim_never_blocks() noexcept { never_blocks_.store(true, std::memory_order_relaxed); }
  bool never_blocks() const noexcept override { return never_blocks_.load(std::memory_order_relaxed); }
  void blocked(const char *operation) noexcept override {
    never_blocks_.store(false, std::memory_order_relaxed);
    faults_.add(Fault::slow, operation);
  }

private:
  Faults &faults_;
  std::atomic<bool> never_blocks_{false};
};

/// One store of a driver, and the only place from which the host calls it. It locks as the driver's thread model asks
/// for, keeps what the driver throws on this side, holds what it gives out to driver.h (contract.hpp), and splits
/// batches into parts that the driver takes. It emulates nothing. Thread-safe.
class DriverStore {
public:
  using Clock = std::chrono::steady_clock;
  /// `on_removal` is called for each value that the store removed by itself, on any thread.
  DriverStore(std::shared_ptr<const loader::Driver> driver, std::shared_ptr<Tasks> tasks, const std::string &mount,
              std::function<void(const omnistore_event &)> on_removal);
  DriverStore(const DriverStore &) = delete;
  DriverStore &operator=(const DriverStore &) = delete;

  /// Throws Error with the driver's reason. The driver is given the deadline; the call takes as long as it does.
  void open(const std::string &options, std::span<const omnistore_store *const> children, Clock::time_point deadline);
  bool is_open() const { return opened_; }
  /// Waits for what the store has lent and for its tasks, and closes it. Nothing may use the store meanwhile.
  void close();

  /// The functions that the driver has.
  Functions functions();
  bool watches() const { return table().watch != nullptr; }
  omnistore_status watch(omnistore_call *call, const omnistore_watch_request *request, omnistore_watcher *watcher,
                         void **watch);
  void unwatch(void *watch);
  /// Returns true if the driver has the extension omnistore.lag/1.
  bool proves_watches() const { return lag_ != nullptr; }
  std::int64_t lag(void *watch) const { return lag_ ? lag_->lag(self_, watch) : OMNISTORE_LAG_UNKNOWN; }

  /// An extension of the store, at least as long as `field` needs; null: the driver does not have it.
  template <class Extension>
  const Extension *extension(const char *id) const {
    if (!table().extension) return nullptr;
    const base::InFlight in_flight(label_, "extension");
    return static_cast<const Extension *>(table().extension(self_, id));
  }
  /// Calls the driver for a report of itself, which waits only briefly for a serialized store. Returns false if a call
  /// of the store did not end meanwhile; `ask` has not run then. Passes on what the driver throws.
  template <class Ask>
  bool report(const char *operation, Ask ask) {
    HostCall briefly(std::chrono::milliseconds(20));
    std::unique_lock<std::timed_mutex> lock;
    if (serial_ && !(lock = lock_in_time(*serial_, &briefly))) return false;
    const base::InFlight in_flight(label_, operation);
    ask(self_);
    return true;
  }

  const loader::Driver &driver() const { return *driver_; }
  /// Those that the store was opened with, as far as this host knows them.
  const omnistore_traits &traits() const { return traits_; }
  bool can(std::uint64_t capability) const { return (traits_.capabilities & capability) != 0; }
  /// In bytes.
  std::uint64_t longest_key() const;
  bool is_serialized() const { return serial_ != nullptr; }
  const omnistore_host &services() const { return services_; }
  const std::shared_ptr<Tasks> &tasks() const { return tasks_; }
  StoreLabel &label() { return label_; }
  const StoreLabel &label() const { return label_; }
  Faults &faults() { return faults_; }
  const Faults &faults() const { return faults_; }
  const Loans &loans() const { return loans_; }

private:
  const omnistore_driver &table() const { return driver_->table; }
  void check_traits();

  /// Calls the driver. A status that the host does not know becomes OMNISTORE_INTERNAL. `operation` is a literal.
  template <typename Function>
  omnistore_status guarded(omnistore_call *call, const char *operation, Function function);
  struct Calls; ///< the functions of the stack
  omnistore_status settle_set(const CheckedSink &checked, omnistore_status status, const omnistore_set_request &request,
                              omnistore_call *call, std::uint32_t item) const;

  const std::shared_ptr<const loader::Driver> driver_;
  const std::shared_ptr<Tasks> tasks_;
  const std::string mount_;
  Faults faults_;
  Loans loans_;
  StoreLabel label_;
  HostServices services_;
  void *self_ = nullptr;
  const omnistore_revalidate *revalidates_ = nullptr;
  const omnistore_lag *lag_ = nullptr;
  bool opened_ = false;
  omnistore_traits traits_{};
  std::unique_ptr<std::timed_mutex> serial_; ///< held around every call of a serialized store
};

template <typename Function>
omnistore_status DriverStore::guarded(omnistore_call *call, const char *operation, Function function) {
  const auto run = [&] {
    const base::InFlight in_flight(label_, operation);
    return known_status(function(), faults_);
  };
  try {
    if (!serial_) return run();
    const auto lock = lock_in_time(*serial_, call);
    return lock ? run() : OMNISTORE_UNAVAILABLE;
  } catch (const std::exception &error) {
    return fail(call, OMNISTORE_INTERNAL, std::string("the driver threw: ") + error.what());
  } catch (...) {
    return fail(call, OMNISTORE_INTERNAL, "the driver threw something that is no exception");
  }
}

} // namespace omnistore

// SPDX-License-Identifier: Apache-2.0
// What others change. Triggers write the key of each change into a table, whichever program makes it; a thread reads
// what is new there. Changes that this store made itself are in the table too, and are the host's to report.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>
#include <omnistore/lag.hpp>

#include "connection.hpp"

namespace sqlite {

/// The numbers of the changes that this store made: those that its writer adds to the table, as SQLite's hooks report
/// them. Safe for threads.
class OwnChanges {
public:
  void attach(Connection &writer, const std::string &table);
  void detach(Connection &writer);
  /// Forgets numbers up to this one; whether it is one of ours.
  bool take(std::int64_t number);

private:
  struct Range {
    std::int64_t first, last;
  };

  void add(std::int64_t number);
  void before_commit();
  void after_rollback();

  std::string table_;
  // The writer's thread.
  Range open_{0, 0};
  bool committing_ = false;

  std::mutex mutex_;
  std::vector<Range> ranges_;
};

/// A store's watches, and the thread that they share. Safe for threads.
class Watches {
public:
  /// `with_writer` runs something with the store's writer. `waits` is a connection's.
  using WithWriter = std::function<void(omnistore::Call, const std::function<void(Connection &)> &)>;

  Watches(const omnistore_host &host, const Settings &settings, WithWriter with_writer,
          std::atomic<std::uint64_t> &waits)
      : host_(host), settings_(settings), with_writer_(std::move(with_writer)), waits_(waits) {}
  Watches(const Watches &) = delete;
  Watches &operator=(const Watches &) = delete;
  ~Watches() { stop(); }

  void *add(omnistore::Call call, std::string_view base, omnistore_watcher &watcher);
  void end(void *watch);
  /// Returns the age of the newest proof that the watches are complete (omnistore/ext/lag.h).
  std::int64_t lag() const { return proof_.age(); }

private:
  struct Watch {
    std::string base;
    omnistore_watcher *watcher;
    std::int64_t from; ///< changes up to this number were made before the watch
  };

  void start(omnistore::Call call);
  void stop();
  void run() noexcept;
  void look();
  void read_changes();
  void tell(std::uint32_t type, std::uint32_t cause, std::string_view key, std::int64_t number);
  std::int64_t last_change();

  const omnistore_host &host_;
  const Settings &settings_;
  const WithWriter with_writer_;
  std::atomic<std::uint64_t> &waits_;
  OwnChanges own_;

  std::mutex starting_; ///< held while the thread is started or joined
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stops_ = false;
  omnistore::WatchProof proof_;
  std::vector<std::unique_ptr<Watch>> watches_;
  std::unique_ptr<Connection> connection_; ///< of the thread; `add` uses it under mutex_
  bool precise_ = false;                   ///< the table of changes is there
  std::int64_t version_ = 0, last_ = 0;    ///< of the database, and the last change that was read
  std::thread thread_;
};

} // namespace sqlite

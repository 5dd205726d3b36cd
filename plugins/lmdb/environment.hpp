// SPDX-License-Identifier: Apache-2.0
// An LMDB environment, which a process may open only once: stores of one folder share it. It hands out transactions,
// and lets the map grow while none is open.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <lmdb.h>

#include <omnistore/call.hpp>
#include <omnistore/failure.hpp>

#include "gate.hpp"
#include "mapping.hpp"

namespace lmdb {

struct Settings {
  std::string path;
  std::uint64_t map_size, max_bytes; ///< 0: no limit
};

/// The map has no room for what is being written.
struct MapFull {};

class Environment;

/// A transaction that reads. It sees the state of the moment in which it began.
class Reader {
public:
  Reader(Environment &environment, omnistore::Call call);
  Reader(Reader &&other) noexcept
      : environment_(other.environment_), txn_(std::exchange(other.txn_, nullptr)), kept_(std::move(other.kept_)) {}
  Reader &operator=(Reader &&) = delete;
  ~Reader() { end(); }

  MDB_txn *txn() const noexcept { return txn_; }
  Environment &environment() const noexcept { return environment_; }
  /// Lets the map grow while `bytes`, which lie in it, are still being read. Returns the place at which they stay until
  /// the transaction ends; nothing else may be read from it. If the file cannot be mapped again, the map waits.
  std::string_view keep(std::string_view bytes) noexcept;
  /// Ends it before the object does. Its reads are not valid any more.
  void end() noexcept;

private:
  Environment &environment_;
  MDB_txn *txn_ = nullptr;
  std::shared_ptr<const Mapping> kept_; ///< if it is there, the reader is outside of the gate
};

/// Safe for threads.
class Environment {
public:
  /// Use Handle. Throws Failure.
  Environment(const Settings &settings, omnistore::Call call);
  Environment(const Environment &) = delete;
  Environment &operator=(const Environment &) = delete;
  ~Environment();

  /// Runs run(txn) in a transaction that writes, and commits it. If the map is full, it grows, and all is done again.
  /// `flags`: MDB_NOSYNC, MDB_NOMETASYNC or 0. Throws Failure; nothing was done then, unless the commit failed.
  void write(omnistore::Call call, unsigned flags, const std::function<void(MDB_txn *)> &run);

  MDB_dbi values() const noexcept { return values_; }
  MDB_dbi expiries() const noexcept { return expiries_; }
  std::size_t longest_key() const { return static_cast<std::size_t>(mdb_env_get_maxkeysize(env_)); }
  std::uint64_t map_size() const;
  /// Returns the bytes of the file that have been in use at least once.
  std::uint64_t used_size() const;
  std::optional<int> limit_reached() const;
  std::uint64_t times_grown() const noexcept { return grown_; }
  bool was_moved() const;

  /// Throws MapFull, or the Failure that a result code means.
  void check(int code) const {
    if (code != MDB_SUCCESS) fail(code);
  }
  [[noreturn]] void fail(int code) const;

private:
  friend class Reader;

  void open();
  void prepare(omnistore::Call call);
  void refuse_second_copy() const;
  MDB_txn *take_idle() noexcept;
  MDB_txn *begin_reading(omnistore::Call call);
  MDB_txn *begin_writing(omnistore::Call call);
  void set_durability(unsigned flags);
  std::shared_ptr<const Mapping> second_map(const void *inside);
  void set_map_size(std::uint64_t size);
  void grow(omnistore::Call call);
  void adopt_size(omnistore::Call call);

  const Settings settings_;
  MDB_env *env_ = nullptr;
  MDB_dbi values_ = 0, expiries_ = 0, about_ = 0;
  Gate gate_;
  /// Transactions that have read and can do so again, for threads to take.
  std::array<std::atomic<MDB_txn *>, 16> idle_{};
  std::atomic<std::uint64_t> grown_{0};

  std::mutex mutex_;
  std::shared_ptr<const Mapping> second_map_; ///< made when it is first needed
  std::condition_variable written_;
  bool writing_ = false; ///< a thread of this process writes
};

/// A store's share in the environment of its folder.
class Handle {
public:
  /// Makes the folder if it is missing. Throws Failure.
  Handle(const Settings &settings, omnistore::Call call);
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  ~Handle();

  Environment &operator*() const noexcept { return *environment_; }
  Environment *operator->() const noexcept { return environment_; }

private:
  std::pair<std::uint64_t, std::uint64_t> folder_;
  Environment *environment_ = nullptr;
};

} // namespace lmdb

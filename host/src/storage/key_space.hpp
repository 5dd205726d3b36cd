// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

#include "loader/registry.hpp"
#include "storage/background.hpp"
#include "storage/call.hpp"
#include "storage/epoch.hpp"
#include "storage/hub.hpp"
#include "storage/key.hpp"
#include "storage/mount_table.hpp"
#include "storage/op_log.hpp"
#include "storage/tasks.hpp"
#include "storage/watchdog.hpp"

namespace omnistore {

/// Throws Error(too_large) if a key, or a base, would reach the store with so many bytes and that is too long.
void check_length(const char *operation, std::string_view shown, const Mount &mount, std::size_t inside);
/// Returns false if no key under the base, given as the store knows it, is short enough for the store. Throws
/// Error(too_large) if a key of the base's own name is too long as well.
bool may_hold(const char *operation, std::string_view shown, const Mount &mount, std::string_view inner);

class KeySpace : private Hub::Sources {
public:
  KeySpace(const Config &config, std::shared_ptr<loader::Registry> registry);
  ~KeySpace() { close(std::chrono::steady_clock::time_point::max()); }

  /// The mount and the store of a key. Both stay open while it lives.
  class Route {
  public:
    /// Throws Error(invalid) if no mount holds the key, Error(unavailable) if the mount is not open.
    Route(const KeySpace &space, const char *operation, const Key &key);
    /// Logs the operation, if operations are logged.
    ~Route() {
      if (timer_.runs()) log();
    }
    /// Sets the operation's outcome for the log: "HIT", "MISS"; a literal.
    void came_to(const char *outcome) { outcome_ = outcome; }
    bool found(bool is) {
      outcome_ = is ? "HIT" : "MISS";
      return is;
    }
    const Mount &mount() const { return *mount_; }
    Store &store() const { return *mount_->store; }
    /// Throws Error(too_large) if it is longer than the store takes.
    omnistore_bytes key() {
      const std::string_view inside = mount_->inside(key_.view(), room_);
      if (inside.size() > mount_->store->longest_key()) check_length(operation_, key_.shown(), *mount_, inside.size());
      return bytes(inside);
    }
    /// Returns `k` for a key `k$`.
    omnistore_bytes owner();
    /// Throws Error(read_only) if the config lets nobody write here.
    void check_writable() const;
    /// For a write of a key `k$`: throws Error for options that only values have.
    void check_user(const SetOptions &options) const;
    void check_user(const Condition &condition) const;
    [[noreturn]] void refuse(Status status, std::string_view why) const;
    /// Throws the Error of a failed operation.
    [[noreturn]] void raise(omnistore_status status, const HostCall &call);

  private:
    void log() const noexcept;

    Hold mount_; ///< first: it goes last
    OpLog::Timer timer_;
    const char *outcome_ = nullptr;
    std::string error_;
    const char *operation_;
    const Key &key_;
    std::string room_;
  };

  /// Mounts a store, or removes the one at the mountpoint if there is no config. Returns false if there was none.
  bool replace(const std::string &mountpoint, const MountConfig *config, const ChangeOptions &options);
  std::vector<MountChange> diff(const Config &config, loader::Registry &plugins) const;
  std::vector<MountChange> reload(const Config &config, std::shared_ptr<loader::Registry> plugins,
                                  const ChangeOptions &options);

  // storage_draining.cpp
  std::vector<DrainingStore> draining() const;
  /// Waits for all mountpoints if `mountpoint` is null.
  bool wait_closed(const std::string *mountpoint, std::chrono::milliseconds timeout) const;
  /// Ends everything that can end before the deadline.
  void close(std::chrono::steady_clock::time_point deadline);
  bool is_closed() const { return closed_.load(); }
  std::shared_ptr<loader::Registry> registry() const {
    const std::lock_guard lock(mounting_);
    return registry_;
  }
  /// Valid for as long as an Epoch::Guard lives.
  const MountTable &table() const { return *table_.load(std::memory_order_acquire); }
  /// Keeps no store open.
  std::shared_ptr<const MountTable> kept_table() const {
    const Epoch::Guard guard(epoch);
    return table().shared_from_this();
  }
  /// The mount with its store kept open; empty if another table holds by now and does not have it.
  Hold hold(const Mount &mount, Hold::Ends ends = Hold::here) const {
    const Epoch::Guard guard(epoch);
    return table().has(mount) ? Hold(mount, ends) : Hold();
  }

  std::optional<std::string> driver_report(const Mount &mount, Store &store, std::string key) const;
  /// Gets the counters of a store's drivers, on other threads.
  void ask_counters(Store &store, const Mount &mount) const;

  /// Publishes a change that was made through this Storage, unless the store reports it itself.
  void publish(const Mount &mount, Event::Type type, Event::Cause cause, std::string_view key) {
    if (hub.active() && !mount.reports_own.load(std::memory_order_relaxed)) publish_key(type, cause, key);
  }

  // The operations of a View. Keys and bases come with the base of the caller's view (empty for the Storage), and go
  // back without it, in messages too.
  bool get(const Key &key, std::string &into, const GetOptions &options) const;
  std::optional<Entry> entry(const Key &key, const GetOptions &options) const;
  bool read(const Key &key, Reader &reader, const GetOptions &options) const;
  bool has(const Key &key, const CallOptions &options) const;
  std::optional<Meta> meta(const Key &key, const MetaOptions &options) const;
  Explanation explain(const Key &key, const CallOptions &options) const;
  Stored set(const Key &key, std::string_view value, const SetOptions &options, bool want_etag);
  Stored set(const Key &key, Source &source, std::uint64_t size, const SetOptions &options, bool want_etag);
  bool remove(const Key &key, const RemoveOptions &options);
  bool touch(const Key &key, std::chrono::milliseconds life, const CallOptions &options);
  std::vector<EntryOutcome> get_many(std::string_view in, std::span<const std::string> keys,
                                     const GetOptions &options) const;
  std::vector<Outcome> set_many(std::string_view in, std::span<const SetItem> items, const CallOptions &options,
                                bool want_etags);
  std::vector<Outcome> remove_many(std::string_view in, std::span<const std::string> keys, const CallOptions &options);
  Page list(std::string_view in, std::string_view base, const ListOptions &options) const;
  template <typename Take>
  std::string list_step(std::string_view in, std::string_view base, const ListOptions &options,
                        std::vector<Skipped> &skipped, const Take &take) const;
  using TakeName = std::function<void(std::string_view name, const omnistore_meta *meta)>;
  class NamesStep;
  /// storage_names.cpp: the same of a listing in the order of names. `base` is in normal form.
  std::string names_step(std::string_view in, const std::string &base, const ListOptions &options,
                         std::vector<Skipped> &skipped, const TakeName &take) const;
  std::vector<std::string> keys(std::string_view in, std::string_view base, std::uint32_t depth) const;
  /// Returns true if a store under a base may wait for a disk, a network or another process.
  bool spans_blocking(std::string_view in, std::string_view base) const;
  std::uint64_t clear(std::string_view in, std::string_view base, const CallOptions &options);
  Watch watch(std::string_view in, std::string_view base, std::function<void(const Event &)> callback,
              const WatchOptions &options);
  /// Hub::pull().
  Watch pull(std::string_view base, std::function<void()> ready, const WatchOptions &options);

  const std::shared_ptr<Watchdog> watchdog = Watchdog::shared();
  const std::shared_ptr<Tasks> tasks = std::make_shared<Tasks>();
  Hub hub;
  Epoch epoch;
  OpLog op_log;

private:
  template <typename Groups, typename KeyOf>
  void publish_done(std::string_view in, const Groups &groups, const std::vector<Outcome> &outcomes, Event::Type type,
                    Event::Cause cause, const KeyOf &key_of);
  void publish_key(Event::Type type, Event::Cause cause, std::string_view key);
  /// The watch of one mount's store, over a base inside it.
  struct Backend : omnistore_watcher {
    Backend(KeySpace &storage, Hold watched, std::string keys);
    ~Backend();
    Backend(const Backend &) = delete;
    Backend &operator=(const Backend &) = delete;
    static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *event);

    KeySpace &space;
    const Hold mount; ///< ends on any thread
    const std::string base;
    void *watch = nullptr;
    std::vector<WatchLimit> limits;
    bool refused() const {
      return std::any_of(limits.begin(), limits.end(), [](const WatchLimit &limit) { return limit.refused; });
    }
  };
  /// Handles a change in a store that was not made through this Storage.
  void store_changed(const Mount &mount, const omnistore_event &event);
  /// Handles the report that a store's own watch sees only a part of the changes.
  void store_limited(const Mount &mount, const std::string &cause);
  /// A mount whose changes watches of the storage want. One thread at a time, the one that made it busy, calls the
  /// driver, without the lock; before it leaves it checks for more work.
  struct Watched {
    explicit Watched(std::shared_ptr<const Mount> of) : mount(std::move(of)) {}
    const std::shared_ptr<const Mount> mount;
    std::multiset<std::string> bases; ///< that are wanted, inside its store
    std::vector<Hub::Limit> limits;
    std::vector<Hub::Limit> reported; ///< those of them that the store's own watch has reported
    bool busy = false;
    std::unique_ptr<Backend> backend; ///< watches the common part of the bases; for the thread that made it busy

    bool settled() const;
  };
  /// The mounts whose changes the watches of one base want.
  struct Span {
    std::size_t watches = 0;
    std::vector<std::shared_ptr<const Mount>> wanted;
    std::vector<const Mount *> reached; ///< those of them whose limits concern the watches
  };
  void begin(const std::string &base) override;
  void end(const std::string &base) override;
  void refresh() override;
  void reach(const std::string &base, Span &span);
  bool cover(const std::shared_ptr<Watched> &watched, bool ask_again, std::unique_lock<std::mutex> &lock);
  void tell_limits(const std::string &base, const Span &span);

  /// A value to set: whole, or, if `source` is not null, so many bytes from there.
  struct Given {
    omnistore_bytes value;
    omnistore_source *source;
    std::uint64_t source_size;
  };
  Stored put(Route &route, const Key &key, HostCall &call, const Given &given, const SetOptions &options,
             bool want_etag);

  // storage_user.cpp: keys `k$`
  void add_user(Route &route, HostCall &call, Meta &meta) const;
  std::optional<Meta> user_meta(Route &route, HostCall &call) const;
  bool get_user(Route &route, HostCall &call, std::string &into, const GetOptions &options, Meta *meta) const;
  bool read_user(Route &route, HostCall &call, Reader &reader, const GetOptions &options) const;
  std::optional<Meta> meta_of_user(Route &route, HostCall &call) const;
  bool set_user(Route &route, HostCall &call, std::string_view user) const;
  Stored put_user(Route &route, const Key &key, HostCall &call, std::string_view user, const SetOptions &options);
  Stored put_user(Route &route, const Key &key, HostCall &call, Source &source, std::uint64_t size,
                  const SetOptions &options);
  bool remove_user(Route &route, const Key &key, HostCall &call, const RemoveOptions &options);

  // storage_mounts.cpp
  /// A change of mounts that is under way: no other one of the same mountpoints is.
  struct Change {
    std::string what; ///< "mount x", "reload"
    std::set<std::string> points;
    std::chrono::steady_clock::time_point since, deadline;
    std::string opens{}; ///< which store it opens now: "mount x, driver redis"
  };
  class Claim;
  class MountWalk;
  using Mounts = std::vector<std::shared_ptr<Mount>>;
  struct Wanted;
  /// Returns the mounts that a config makes of those of a table. Mounts made at run time change only at `claimed`
  /// mountpoints, or everywhere if that is null.
  static Wanted wanted_of(const Config &config, loader::Registry &plugins, const MountTable &now,
                          const std::set<std::string> *claimed);
  /// Opens a mount's store within `open_timeout_`. If that fails, it throws Error, or leaves a mount with a reason in
  /// place of a store if `may_fail`.
  void open(const std::shared_ptr<Mount> &mount, bool may_fail, Change *change);
  std::shared_ptr<Store> open_store(const std::shared_ptr<Mount> &mount, std::chrono::steady_clock::time_point limit);
  /// Closes the stores of mounts that were in no table.
  void retire_unused(const Mounts &mounts);
  /// The same, since the storage was closed: throws Error(unavailable).
  [[noreturn]] void discard(const Mounts &mounts);
  /// Puts the table into effect at once; mounts that it no longer has drain. `changed` are the mountpoints whose
  /// watches lost events. Under mounting_.
  void publish_table(Mounts mounts, const std::vector<std::string> &changed);
  std::chrono::milliseconds open_timeout() const {
    const std::lock_guard lock(mounting_);
    return open_timeout_;
  }
  std::shared_ptr<const MountTable> current() const {
    const std::lock_guard lock(mounting_);
    return current_;
  }

  // storage_draining.cpp
  /// Stores that no operation reaches any more, and that are not closed yet. Shared with the threads that open stores,
  /// which may outlive the storage.
  struct Drains {
    struct One {
      std::uint64_t id;
      DrainingStore::State state;
      std::string mountpoint, driver;
      std::chrono::steady_clock::time_point since;
      std::shared_ptr<Store> store; ///< null while it is opened
    };
    using At = std::list<One>::iterator;

    At begin(DrainingStore::State state, const Mount &mount, std::shared_ptr<Store> store);
    void end(At which);

    std::mutex mutex; ///< innermost
    std::condition_variable ended;
    std::list<One> all;
    Mounts retired; ///< taken out of the table, and perhaps still used
    std::uint64_t last_id = 0;
  };
  /// Closes the store of a mount that has left the table, when nobody uses it and no other mount has it. `stays` means
  /// that one in the table has it.
  void retire(const std::shared_ptr<Mount> &mount, bool stays);
  /// The last operation on a retired mount has ended.
  void left(const std::shared_ptr<Mount> &mount);
  DrainingStore shown(const Drains::One &one, const Mounts &retired) const;
  /// Waits a moment for stores of this mount's driver that drain. Returns true if one has gone; else `why` names what
  /// they wait for, if there are any.
  bool await_same_driver(const Mount &mount, std::string &why) const;
  void end_watches();
  void end_backend(std::unique_ptr<Backend> backend);

  std::mutex watching_; ///< for what the functions of Hub::Sources use
  std::condition_variable settled_;
  std::map<std::shared_ptr<const Mount>, std::shared_ptr<Watched>> watched_;
  std::map<std::string, Span> spans_;       ///< by the base
  mutable std::mutex mounting_;             ///< for what follows; never held while a driver is called
  mutable std::condition_variable changed_; ///< a change has ended
  std::list<Change> changes_;
  std::shared_ptr<loader::Registry> registry_;
  MountDefaults defaults_;
  std::shared_ptr<const MountTable> current_;
  std::chrono::milliseconds open_timeout_;
  std::atomic<bool> closed_{false};
  std::atomic<const MountTable *> table_{nullptr}; ///< current_, for those who read
  const std::shared_ptr<Drains> drains_ = std::make_shared<Drains>();
  const std::shared_ptr<Background> background_ = Background::make();
};

/// The whole message of a failure: "get shared:user:1 (mount shared, driver redis): CAUSE". One of a write whose time
/// was up says that it may still take place.
std::string failure(std::string_view operation, std::string_view key, const Mount &mount, std::string_view cause,
                    omnistore_status status = OMNISTORE_OK, bool changed_nothing = false);

Meta to_meta(const omnistore_meta &meta);

/// Returns the expiry of a value that is set now. Throws Error(invalid) for a negative ttl.
std::int64_t expiry_of(const Mount &mount, const SetOptions &options);

/// OMNISTORE_GET_...
std::uint32_t get_flags(const GetOptions &options);

std::uint32_t to_condition(Condition::Kind kind);

} // namespace omnistore

// SPDX-License-Identifier: Apache-2.0
#include "environment.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <omnistore/errno_status.hpp>

#include "record.hpp"

namespace lmdb {
namespace {

using omnistore::Failure;

constexpr unsigned MOST_READERS = 510;
constexpr std::int64_t LONGEST_SLEEP = 50; // milliseconds

omnistore_status status_of(int code) {
  switch (code) {
  case MDB_CORRUPTED:
  case MDB_PAGE_NOTFOUND:
  case MDB_PANIC:
  case MDB_INVALID:
  case MDB_VERSION_MISMATCH:
    return OMNISTORE_CORRUPT;
  case MDB_MAP_FULL:
  case ENOMEM: // the map cannot grow
    return OMNISTORE_NO_SPACE;
  case MDB_BAD_VALSIZE:
  case MDB_TXN_FULL:
    return OMNISTORE_TOO_LARGE;
  case MDB_READERS_FULL:
    return OMNISTORE_UNAVAILABLE;
  default:
    return code > 0 ? omnistore::status_of_errno(code) : OMNISTORE_INTERNAL;
  }
}

const char *remedy_of(int code) {
  switch (code) {
  case MDB_INVALID:
    return "; it is no LMDB database: give another folder, or move its data.mdb away";
  case MDB_VERSION_MISMATCH:
    return "; another version of LMDB wrote it: `mdb_dump` of that version reads it";
  case MDB_CORRUPTED:
  case MDB_PAGE_NOTFOUND:
  case MDB_PANIC:
    return "; it is damaged: restore it from a copy";
  case MDB_READERS_FULL:
    return "; too many processes or slow readers read it at once";
  case EFBIG:
    return ": the process's limit on the size of a file (ulimit -f), or the filesystem's own, is reached";
  case EACCES:
  case EPERM:
  case EROFS:
    return "; the user of the host must be able to write to the folder and its files";
  default:
    return "";
  }
}

} // namespace

// ------------------------------------------------------------------------------------------------------------- readers

Reader::Reader(Environment &environment, omnistore::Call call)
    : environment_(environment), txn_(environment.begin_reading(call)) {}

namespace {

/// Threads begin their search at different places.
std::size_t place_of_thread() {
  return (std::uint64_t)pthread_self() * 0x9e3779b97f4a7c15u >> 60; // a number or a pointer
}

} // namespace

void Reader::end() noexcept {
  MDB_txn *txn = std::exchange(txn_, nullptr);
  if (!txn) return;
  mdb_txn_reset(txn);
  const std::size_t from = place_of_thread();
  for (std::size_t i = 0; txn && i < environment_.idle_.size(); ++i) {
    MDB_txn *none = nullptr;
    auto &place = environment_.idle_[(from + i) % environment_.idle_.size()];
    if (place.compare_exchange_strong(none, txn)) txn = nullptr;
  }
  if (txn) mdb_txn_abort(txn);
  if (kept_)
    kept_.reset();
  else
    environment_.gate_.leave();
}

/// LMDB wants no transaction in the process when its map moves. But a transaction that is only going to be reset keeps
/// its pages from being used again, and does not touch the map.
std::string_view Reader::keep(std::string_view bytes) noexcept {
  kept_ = environment_.second_map(bytes.data());
  if (!kept_) return bytes;
  environment_.gate_.leave();
  return kept_->same(bytes);
}

/// The caller is inside of the gate.
std::shared_ptr<const Mapping> Environment::second_map(const void *inside) {
  const std::lock_guard lock(mutex_);
  int file = -1;
  if (!second_map_ && mdb_env_get_fd(env_, &file) == MDB_SUCCESS)
    second_map_ = Mapping::of(file, static_cast<std::size_t>(map_size()), inside);
  return second_map_;
}

/// An idle transaction; null: there is none.
MDB_txn *Environment::take_idle() noexcept {
  const std::size_t from = place_of_thread();
  for (std::size_t i = 0; i < idle_.size(); ++i) {
    auto &place = idle_[(from + i) % idle_.size()];
    if (!place.load(std::memory_order_relaxed)) continue;
    if (MDB_txn *txn = place.exchange(nullptr)) return txn;
  }
  return nullptr;
}

/// Leaves the thread inside of the gate, unless it throws.
MDB_txn *Environment::begin_reading(omnistore::Call call) {
  for (bool checked = false;;) {
    gate_.enter(call);
    MDB_txn *txn = take_idle();
    const int code = txn ? mdb_txn_renew(txn) : mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    if (code == MDB_SUCCESS) return txn;
    if (txn) mdb_txn_abort(txn);
    gate_.leave();
    if (code == MDB_MAP_RESIZED) {
      adopt_size(call);
    } else if (code == MDB_READERS_FULL && !std::exchange(checked, true)) {
      int dead = 0;
      mdb_reader_check(env_, &dead); // those of processes that were killed
    } else {
      fail(code);
    }
  }
}

// ------------------------------------------------------------------------------------------------------------- writing

void Environment::write(omnistore::Call call, unsigned flags, const std::function<void(MDB_txn *)> &run) {
  {
    std::unique_lock lock(mutex_);
    while (writing_) {
      const std::int64_t left = call.remaining();
      if (left == 0) throw Failure(call.late(), "others wrote until the deadline", omnistore::nothing_done);
      written_.wait_for(lock, std::chrono::milliseconds(std::min(left, LONGEST_SLEEP)));
    }
    writing_ = true;
  }
  struct Turn {
    Environment &environment;
    ~Turn() {
      {
        const std::lock_guard lock(environment.mutex_);
        environment.writing_ = false;
      }
      environment.written_.notify_one();
    }
  } turn{*this};
  set_durability(flags);
  for (;;) {
    MDB_txn *txn = begin_writing(call); // inside the gate
    struct Inside {
      Gate &gate;
      MDB_txn *&txn;
      ~Inside() {
        if (txn) mdb_txn_abort(txn);
        gate.leave();
      }
    };
    try {
      const Inside inside{gate_, txn};
      run(txn);
      const int code = mdb_txn_commit(std::exchange(txn, nullptr));
      // LMDB reports a write that was cut short as EIO.
      check(code == EIO ? limit_reached().value_or(code) : code);
      return;
    } catch (const MapFull &) {
    }
    grow(call);
  }
}

/// Likewise.
/// The caller is the only writer of this process. LMDB 0.9 ignores such flags of a transaction, so the environment has
/// those of the store that writes.
void Environment::set_durability(unsigned flags) {
  constexpr unsigned all = MDB_NOSYNC | MDB_NOMETASYNC;
  unsigned now = 0;
  check(mdb_env_get_flags(env_, &now));
  if ((now & all) == flags) return;
  check(mdb_env_set_flags(env_, all & ~flags, 0));
  if (flags != 0) check(mdb_env_set_flags(env_, flags, 1));
}

MDB_txn *Environment::begin_writing(omnistore::Call call) {
  for (;;) {
    gate_.enter(call);
    MDB_txn *txn = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, 0, &txn);
    if (code == MDB_SUCCESS) return txn;
    gate_.leave();
    if (code != MDB_MAP_RESIZED) fail(code);
    adopt_size(call);
  }
}

void Environment::grow(omnistore::Call call) {
  const std::uint64_t size = map_size();
  const std::uint64_t most = settings_.max_bytes ? settings_.max_bytes : UINT64_MAX / 4;
  if (size >= most)
    throw Failure(OMNISTORE_NO_SPACE, settings_.path + " would become larger than maxBytes", omnistore::nothing_done);
  int dead = 0;
  mdb_reader_check(env_, &dead);
  const Gate::Alone alone(gate_, call);
  set_map_size(std::min(most, size * 2));
  ++grown_;
}

/// Another process has let the database grow.
void Environment::adopt_size(omnistore::Call call) {
  const Gate::Alone alone(gate_, call);
  set_map_size(0);
}

/// The caller is alone inside of the gate.
void Environment::set_map_size(std::uint64_t size) {
  {
    const std::lock_guard lock(mutex_);
    second_map_.reset();
  }
  check(mdb_env_set_mapsize(env_, static_cast<std::size_t>(size)));
}

/// Returns the errno of the limit that keeps the file from growing, if it has reached one.
std::optional<int> Environment::limit_reached() const {
  int file = -1;
  struct stat status;
  struct statvfs disk;
  rlimit limit;
  if (mdb_env_get_fd(env_, &file) != 0 || fstat(file, &status) != 0) return std::nullopt;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && static_cast<rlim_t>(status.st_size) >= limit.rlim_cur) return EFBIG;
  if (fstatvfs(file, &disk) == 0 && disk.f_bavail == 0) return ENOSPC;
  return std::nullopt;
}

std::uint64_t Environment::used_size() const {
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  return (info.me_last_pgno + std::uint64_t{1}) * stat.ms_psize;
}

std::uint64_t Environment::map_size() const {
  MDB_envinfo info;
  mdb_env_info(env_, &info);
  return info.me_mapsize;
}

// ------------------------------------------------------------------------------------------------------------- opening

Environment::Environment(const Settings &settings, omnistore::Call call) : settings_(settings) {
  try {
    refuse_second_copy();
    open();
    prepare(call);
  } catch (...) {
    mdb_env_close(env_);
    throw;
  }
}

Environment::~Environment() {
  for (auto &each : idle_)
    if (MDB_txn *txn = each.exchange(nullptr)) mdb_txn_abort(txn);
  mdb_env_close(env_);
}

void Environment::open() {
  check(mdb_env_create(&env_));
  std::uint64_t size = settings_.map_size;
  if (settings_.max_bytes) size = std::min(size, settings_.max_bytes);
  constexpr std::uint64_t page = 65536; // a multiple of every system's
  check(mdb_env_set_mapsize(env_, static_cast<std::size_t>((size + page - 1) / page * page)));
  check(mdb_env_set_maxreaders(env_, MOST_READERS));
  check(mdb_env_set_maxdbs(env_, 4));
  check(mdb_env_open(env_, settings_.path.c_str(), MDB_NOTLS, 0600));
  int dead = 0;
  mdb_reader_check(env_, &dead);
}

void Environment::prepare(omnistore::Call call) {
  write(call, 0, [&](MDB_txn *txn) {
    check(mdb_dbi_open(txn, "about", MDB_CREATE, &about_));
    MDB_val key = val(std::string_view("schema")), found;
    std::uint32_t schema = SCHEMA;
    if (const int code = mdb_get(txn, about_, &key, &found); code == MDB_SUCCESS) {
      if (found.mv_size == sizeof schema) std::memcpy(&schema, found.mv_data, sizeof schema);
    } else {
      MDB_val own{sizeof schema, &schema};
      check(mdb_put(txn, about_, &key, &own, 0));
    }
    if (schema > SCHEMA)
      throw Failure(OMNISTORE_UNSUPPORTED, settings_.path + " has the schema " + std::to_string(schema) +
                                               ", this driver knows schemas up to " + std::to_string(SCHEMA) +
                                               "; use the newer Omnistore that wrote it");
    check(mdb_dbi_open(txn, "values", MDB_CREATE, &values_));
    check(mdb_dbi_open(txn, "expiries", MDB_CREATE, &expiries_));
  });
}

/// A plugin that was replaced on the disk may be loaded twice, and each copy has a table of its own of what is open. A
/// process that has the files open already must not open them again: LMDB's locks would break.
void Environment::refuse_second_copy() const {
  struct stat data;
  if (stat((settings_.path + "/data.mdb").c_str(), &data) != 0) return;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error)) {
    struct stat each;
    if (stat(at->path().c_str(), &each) == 0 && each.st_dev == data.st_dev && each.st_ino == data.st_ino)
      throw Failure(OMNISTORE_UNAVAILABLE,
                    settings_.path +
                        " is still open in this process by another version of the plugin; reload again later");
  }
}

bool Environment::was_moved() const {
  int file = -1;
  struct stat open, there;
  return mdb_env_get_fd(env_, &file) == MDB_SUCCESS && fstat(file, &open) == 0 &&
         (stat((settings_.path + "/data.mdb").c_str(), &there) != 0 || open.st_dev != there.st_dev ||
          open.st_ino != there.st_ino);
}

void Environment::fail(int code) const {
  if (code == MDB_MAP_FULL) throw MapFull();
  throw Failure(status_of(code), settings_.path + ": " + mdb_strerror(code) + remedy_of(code));
}

// ------------------------------------------------------------------------------------------------------------- handles

namespace {

/// The environments that are open in this process, by their folder's device and number, with how many stores share
/// each. It is global, since LMDB allows a process to open an environment only once.
struct Registry {
  struct Entry {
    std::unique_ptr<Environment> environment;
    std::size_t stores = 0;
  };
  std::mutex mutex;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Entry> open;
};

Registry &registry() {
  static Registry all;
  return all;
}

std::pair<std::uint64_t, std::uint64_t> make_folder(const std::string &path) {
  std::error_code error;
  const std::filesystem::path folder(path);
  std::filesystem::create_directories(folder.parent_path(), error);
  struct stat status;
  if ((!error && mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) || error || stat(path.c_str(), &status) != 0) {
    const int cause = error ? error.value() : errno;
    throw Failure(status_of(cause), "the folder " + path + " cannot be made: " + std::strerror(cause));
  }
  if (!S_ISDIR(status.st_mode)) throw Failure(OMNISTORE_INVALID, path + " is no folder; give the database's folder");
  return {status.st_dev, status.st_ino};
}

} // namespace

Handle::Handle(const Settings &settings, omnistore::Call call) : folder_(make_folder(settings.path)) {
  Registry &all = registry();
  const std::lock_guard lock(all.mutex);
  const auto at = all.open.try_emplace(folder_).first;
  try {
    if (!at->second.environment) at->second.environment = std::make_unique<Environment>(settings, call);
  } catch (...) {
    all.open.erase(at);
    throw;
  }
  ++at->second.stores;
  environment_ = at->second.environment.get();
}

Handle::~Handle() {
  Registry &all = registry();
  const std::lock_guard lock(all.mutex);
  const auto at = all.open.find(folder_);
  if (--at->second.stores == 0) all.open.erase(at);
}

} // namespace lmdb

// SPDX-License-Identifier: Apache-2.0
// The driver `fs`: the value of key `a:b` is the file `a/b` below the option `base`. README.md tells what lies where.
//
// Reading a value is four system calls: open, fstat, read, close. A write fills a temporary file in the folder of the
// key and moves it into the key's place under the place's lock (slot.hpp).
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

#include "expiry/expiry.hpp"
#include "expiry/sweeper.hpp"
#include "listing/ignore.hpp"
#include "listing/paused.hpp"
#include "listing/walk.hpp"
#include "tree/retry.hpp"
#include "tree/slot.hpp"
#include "tree/tree.hpp"
#include "watching/own_changes.hpp"
#include "watching/watches.hpp"

namespace {

using namespace fs;
using omnistore::Call;
using omnistore::Failure;

constexpr std::uint64_t piece = 1024 * 1024; ///< what is read or written at once
/// For how long opening a store removes what a killed host has left; the rest is done in the background.
constexpr std::chrono::milliseconds longest_cleaning(3);
constexpr int max_tries = 1000; ///< for what others can make fail again and again

enum class Durability { none, data, full };

Durability durability_of(const std::string &name) {
  if (name == "full") return Durability::full;
  return name == "data" ? Durability::data : Durability::none;
}

/// A mode in octal digits, which must give the owner at least `least`.
mode_t mode_of(const omnistore::Options &options, const char *name, const char *otherwise, mode_t least) {
  const std::string text = options.string(name, otherwise);
  mode_t mode = 0;
  const char *const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, mode, 8);
  if (error != std::errc() || read != end || mode > 0777 || text[0] == '-')
    throw Failure(OMNISTORE_INVALID, std::string("option ") + name + ": \"" + text +
                                         "\" is no mode; write octal digits, such as \"" + otherwise + "\"");
  if ((mode & least) != least)
    throw Failure(OMNISTORE_INVALID, std::string("option ") + name + ": the mode \"" + text +
                                         "\" does not let the host use what it makes; \"" + otherwise + "\" does");
  return mode;
}
mode_t value_mode(const omnistore::Options &options) { return mode_of(options, "mode", "0600", 0400); }
mode_t folder_mode(const omnistore::Options &options) { return mode_of(options, "folderMode", "0700", 0700); }

std::string absolute_base(const omnistore::Options &options) {
  std::error_code error;
  const std::filesystem::path base = std::filesystem::absolute(options.string("base"), error);
  if (error) throw Failure(OMNISTORE_INVALID, "option base: " + error.message());
  return base.lexically_normal().string();
}

// ------------------------------------------------------------------------------------------------------------- meta

/// The user meta of `b` is the file `b$` beside it, as in unstorage. It gets the mtime of the value's file, to the
/// nanosecond, which other programs keep when they copy, pack or move files, and change when they write one.
constexpr char user_end = '$';
constexpr std::int64_t distant_future =
    4'102'444'800'000; ///< the year 2100: of a value that was to expire, and is not any more

bool same_time(const timespec &a, const timespec &b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

bool is_user_file(const struct stat &status) {
  return S_ISREG(status.st_mode) && status.st_size <= OMNISTORE_MAX_USER_SIZE;
}

/// Whether the file with user meta belongs to the value: it has the value's time, or another program, as unstorage
/// does, has written it since the value was written.
bool belongs(const struct stat &user, const struct stat &value, const Life &life) {
  const auto nanoseconds = [](const timespec &time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
  };
  if (same_time(user.st_mtim, value.st_mtim)) return true;
  return nanoseconds(user.st_mtim) > nanoseconds(value.st_mtim) && nanoseconds(user.st_ctim) >= life.written_at;
}

/// An etag has 64 bytes at most (driver.h): three numbers of 16 digits, one of 13, and what is between them.
using EtagRoom = char[64];

/// Names one state of a file: when it was last written to (set to the nanosecond by the store's own writes), its size,
/// its identity, and its ctime, which the system sets at every change and no program can set back.
std::string_view write_etag(EtagRoom &room, const struct stat &status, const Life &life) {
  constexpr std::uint64_t thirteen_digits = (std::uint64_t(1) << 52) - 1;
  const auto mtime = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000u +
                     static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  char *end = std::to_chars(room, std::end(room), mtime, 16).ptr;
  for (const std::uint64_t part : {static_cast<std::uint64_t>(status.st_size) & thirteen_digits,
                                   static_cast<std::uint64_t>(status.st_ino), life.written_at}) {
    *end++ = '-';
    end = std::to_chars(end, std::end(room), part, 16).ptr;
  }
  return {room, static_cast<std::size_t>(end - room)};
}

omnistore_meta meta_of(const struct stat &status, std::int64_t expiry) {
  const std::int64_t mtime = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000;
  return omnistore::make_meta(static_cast<std::uint64_t>(status.st_size), mtime, expiry);
}

// ------------------------------------------------------------------------------------------------------------ bytes

void check_deadline(Call call) {
  if (call.remaining() == 0) throw Failure(call.late(), "the deadline passed");
}

/// Reads exactly `size` bytes.
void read_all(int file, char *into, std::uint64_t size, std::uint64_t offset, const Path &path) {
  while (size > 0) {
    const ssize_t got = retry(::pread, file, into, size, static_cast<off_t>(offset));
    if (got < 0) fail(errno, path.text());
    if (got == 0) throw Failure(OMNISTORE_IO, std::string(path.text()) + ": it became shorter while it was read");
    into += got, size -= static_cast<std::uint64_t>(got), offset += static_cast<std::uint64_t>(got);
  }
}

/// While it lives, a write past the process's limit on the size of files (RLIMIT_FSIZE) fails, and does not end a
/// process that has left the signal as it was. A driver may not change what a signal does to the whole process.
class NoSizeSignal {
public:
  NoSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  NoSizeSignal(const NoSizeSignal &) = delete;
  NoSizeSignal &operator=(const NoSizeSignal &) = delete;
  ~NoSizeSignal() {
    constexpr timespec at_once{};
    if (!sigismember(&before_, SIGXFSZ)) sigtimedwait(&signal_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

private:
  sigset_t signal_, before_;
};

/// Appends to a file that has `offset` bytes. Only a write that begins at the limit is answered by the signal, so the
/// first one of a file needs no protection, unless nothing may be written at all.
void write_all(int file, const void *from, std::uint64_t size, std::uint64_t offset, const Path &path) {
  const char *at = static_cast<const char *>(from);
  std::optional<NoSizeSignal> quiet;
  while (size > 0) {
    if (offset > 0 && !quiet) quiet.emplace();
    const ssize_t put = retry(::write, file, at, size);
    if (put < 0) fail(errno, path.text());
    at += put, size -= static_cast<std::uint64_t>(put), offset += static_cast<std::uint64_t>(put);
  }
}

omnistore_status copy_source(Call call, int file, const omnistore_set_request &request, const Path &path) {
  omnistore_source &source = *request.source;
  const std::unique_ptr<char[]> buffer(new char[piece]);
  std::uint64_t total = 0;
  for (;;) {
    check_deadline(call);
    std::uint64_t size = 0;
    if (const omnistore_status status = source.read(&source, buffer.get(), piece, &size); status != OMNISTORE_OK) {
      return status;
    }
    if (size == 0) break;
    write_all(file, buffer.get(), size, total, path);
    total += size;
    if (total > request.source_size) break;
  }
  if (request.source_size == OMNISTORE_UNKNOWN_SIZE || total == request.source_size) return OMNISTORE_OK;
  return call.fail(OMNISTORE_INVALID, "the value has " + std::string(total > request.source_size ? "more" : "fewer") +
                                          " bytes than the " + std::to_string(request.source_size) +
                                          " that were announced");
}

// ------------------------------------------------------------------------------------------------------------ store

/// The paths of the folders that a key lies in, below base, from above.
std::vector<std::string_view> folders_of(const Path &path) {
  std::vector<std::string_view> folders;
  const std::string_view whole = path.folder();
  for (std::size_t end = 0; end < whole.size(); folders.push_back(whole.substr(0, end))) {
    end = std::min(whole.find('/', end + 1), whole.size());
  }
  return folders;
}

/// A value that was opened to be read.
struct Found {
  Fd file;
  struct stat status {};
  Life life;
};

class Fs {
public:
  Fs(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits);
  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems);

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result);
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request);
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page);
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed);
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request);
  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch);
  void unwatch(void *watch);

private:
  std::int64_t now() const { return host_.now(&host_); }
  std::optional<Tree::Making> making() const {
    if (read_only_) return std::nullopt;
    return Tree::Making{folder_mode_, durability_ == Durability::full};
  }
  void base_changed() const;
  omnistore_status tell(std::vector<UnreadablePlace> places, omnistore_page *page);
  void report(const UnreadablePlace &place);
  void must_be_writable() const;

  bool open_value(const Path &path, Found &found) const;
  bool find(const Path &path, std::string_view key, Found &found);
  bool find_with_user(const Path &path, std::string_view key, Found &found, std::string &user);
  bool read_user(const Path &path, const Found &found, std::string &user) const;
  Life life_of(const Slot &slot, const Path &path) const;
  bool condition_holds(const Slot &slot, std::uint32_t condition, omnistore_bytes etag, const Path &path) const;

  Fd open_holder(const Path &path) const;
  Fd make_folder(std::string_view folder) const;
  void nest_value(int holder, const Path &path) const;
  void mark_folders(const Path &path, int folder) const;
  void prune(std::string_view folder, bool durable) const;
  void settle(int folder, std::string_view path) const;
  void note_unsynced(std::string_view path) const;
  void sync_earlier(std::string_view path, bool below) const;

  omnistore_status store(Call call, const Path &path, const omnistore_set_request &request, omnistore_sink *result);
  void finish(const TemporaryFile &file, const Slot &slot, std::int64_t expiry, const Path &path) const;
  std::optional<omnistore_status> move_in(int holder, TemporaryFile &file, TemporaryFile *user, Slot slot,
                                          const omnistore_set_request &request, const Path &path,
                                          struct stat *moved) const;
  void prepare_user(int folder, const TemporaryFile &file, const Slot &slot, omnistore_bytes user,
                    const timespec &mtime, const Path &path) const;
  void move_user_in(int folder, TemporaryFile &file, const Path &path) const;
  bool drop_user(int folder, const Path &path) const;
  void restamp_user(int folder, const Slot &slot, const Life &before, const Path &path) const;
  bool unlink_value(const Slot &slot, const Path &path) const;
  void settle_removal(int holder, const Slot &slot, const Path &path, std::unique_lock<std::mutex> &lock) const;
  omnistore_status remove_value(const Path &path, std::string_view key, std::uint32_t condition, omnistore_bytes etag);
  omnistore_status set_expired(const Path &path, std::string_view key, const omnistore_set_request &request);
  bool clear_one(Walk &walk);
  void settle_cleared(std::string_view folder) const;
  void write_touch(const Slot &slot, const Path &path, std::int64_t expiry) const;

  omnistore_status emit(Walk &walk, bool meta, std::int64_t now, omnistore_page &page, bool &emitted);

  void announce_expired(std::string_view key) const;
  void expire(std::string_view key);

  const omnistore_host &host_;
  const bool read_only_, no_clear_;
  const Durability durability_;
  const mode_t mode_, folder_mode_; ///< of new values and folders
  const Ignore ignore_;
  Watches *woken_watches_ = nullptr; ///< once there are any
  const Tree tree_;
  mutable Owner owner_{tree_};
  Leftovers leftovers_{tree_};
  const bool keeps_expiry_;
  std::mutex reporting_;
  std::set<std::string> reported_; ///< places that cannot be read
  PausedWalks paused_;
  mutable OwnChanges own_;
  mutable std::mutex unsynced_mutex_;
  mutable std::set<std::string, std::less<>> unsynced_; ///< paths whose change no fsync has brought to the medium yet
  mutable bool too_many_unsynced_ = false;              ///< there were more of them than are kept
  mutable std::atomic<bool> has_unsynced_{false};
  Sweeper sweeper_;
  Watches watches_;
};

void Fs::validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
  problems.check([&] { absolute_base(options); });
  problems.check([&] { value_mode(options); });
  problems.check([&] { folder_mode(options); });
  for (const std::string &pattern : options.strings("ignore", std::vector<std::string>()))
    problems.check([&] { Ignore({pattern}); });
}

Fs::Fs(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits)
    : host_(host), read_only_(options.boolean("readOnly", false)), no_clear_(options.boolean("noClear", false)),
      durability_(durability_of(options.string("durability", "none"))), mode_(value_mode(options)),
      folder_mode_(folder_mode(options)),
      ignore_(options.strings("ignore", std::vector<std::string>{"**/node_modules/**", "**/.git/**"})),
      tree_(absolute_base(options), making(), [this] { base_changed(); }),
      keeps_expiry_(keeps_attributes(tree_.base())),
      sweeper_(host, tree_, ignore_, leftovers_, [this](std::string_view key) { expire(key); }),
      watches_(host, tree_, ignore_, own_) {
  woken_watches_ = &watches_;
  if (read_only_) traits.capabilities |= OMNISTORE_READS_ONLY;
  // Without attributes the host keeps the expiry, under `b$`, and user meta with it.
  if (!keeps_expiry_) traits.capabilities &= ~(OMNISTORE_CAN_TTL | OMNISTORE_CAN_META);
  if (durability_ == Durability::full) traits.keeps = OMNISTORE_KEEPS_POWER;
  if (read_only_) return;
  if (keeps_expiry_) sweeper_.start();
  leftovers_.find();
  const auto until = std::chrono::steady_clock::now() + longest_cleaning;
  if (leftovers_.work([until] { return std::chrono::steady_clock::now() < until; })) sweeper_.clean();
}

void Fs::base_changed() const {
  omnistore::log_line(host_, OMNISTORE_LOG_WARN,
                      "base " + tree_.path() +
                          ": another folder lies there now, or none; what the store does "
                          "from now on, it does there");
  if (woken_watches_) woken_watches_->wake();
}

/// Tells the host, if it takes that, and the log of places that are left out of a listing or a clear.
omnistore_status Fs::tell(std::vector<UnreadablePlace> places, omnistore_page *page) {
  for (const UnreadablePlace &place : places) {
    report(place);
    if (!page) continue;
    const omnistore_status status =
        omnistore::skip(*page, place.base, status_of(place.error), place.path() + ": " + message_of(place.error));
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

/// Logs that a place is left out, once.
void Fs::report(const UnreadablePlace &place) {
  constexpr std::size_t most = 1000;
  {
    const std::lock_guard lock(reporting_);
    if (reported_.size() >= most || !reported_.insert(place.base).second) return;
  }
  omnistore::log_line(host_, OMNISTORE_LOG_WARN,
                      tree_.path() + "/" + place.path() + ": " + message_of(place.error) +
                          "; its keys are left out of listings (the option ignore leaves it out without this message)");
}

void Fs::must_be_writable() const {
  if (read_only_) throw Failure(OMNISTORE_READ_ONLY, "the option readOnly is set");
}

// ---------------------------------------------------------------------------------------------------------- reading

/// False where there is no file for the key. Whether it has expired is not looked at.
bool Fs::open_value(const Path &path, Found &found) const {
  constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  found.file = tree_.open(path.c_str(), flags);
  if (!found.file) {
    // ENOTDIR: a segment before the last is a file. ENXIO: a socket. A link that leads out, or around, is denied. A
    // name that is too long for this filesystem is refused, as a set refuses it.
    if (errno == ENOENT || errno == ENOTDIR || errno == ENXIO) return false;
    fail(errno, path.text());
  }
  if (retry(::fstat, found.file.get(), &found.status) != 0) fail(errno, path.text());
  if (S_ISDIR(found.status.st_mode)) {
    found.file = Fd(retry(::openat, found.file.get(), own_name, flags | O_NOFOLLOW | O_CLOEXEC));
    if (!found.file && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) return false;
    if (!found.file || retry(::fstat, found.file.get(), &found.status) != 0) fail(errno, path.text());
  }
  if (!S_ISREG(found.status.st_mode)) return false;
  found.life = read_life(found.file.get(), found.status, path.text());
  return true;
}

/// A live value. One that has expired is removed.
bool Fs::find(const Path &path, std::string_view key, Found &found) {
  const std::uint64_t changes = tree_.changes();
  tree_.glance();
  if (!open_value(path, found)) {
    tree_.look(false);
    if (tree_.changes() == changes || !open_value(path, found)) return false;
  }
  if (found.life.expiry == 0 || found.life.expiry > now()) return true;
  try {
    expire(key);
  } catch (const Failure &) {
    // It is gone for readers, whether or not its file can be removed.
  }
  return false;
}

/// The user meta of the value that was found. False: a file lies there, and it belongs to another value.
bool Fs::read_user(const Path &path, const Found &found, std::string &user) const {
  user.clear();
  const std::string name = std::string(path.text()) + user_end;
  const Fd file = tree_.open(name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file && is_gone(errno)) return true;
  struct stat status;
  if (!file || retry(::fstat, file.get(), &status) != 0) fail(errno, name);
  if (!is_user_file(status)) return true;
  if (!belongs(status, found.status, found.life)) return false;
  user.resize(static_cast<std::size_t>(status.st_size));
  read_all(file.get(), user.data(), user.size(), 0, path);
  return true;
}

/// find, with the user meta. A value that is replaced between the two looks is looked at again.
bool Fs::find_with_user(const Path &path, std::string_view key, Found &found, std::string &user) {
  if (!find(path, key, found)) return false;
  if (key.ends_with(user_end)) return true;
  for (int tries = 0; tries < max_tries && !read_user(path, found, user); ++tries) {
    const struct stat before = found.status;
    if (!find(path, key, found)) return false;
    if (same_time(before.st_mtim, found.status.st_mtim) && before.st_ino == found.status.st_ino) break;
  }
  return true;
}

omnistore_status Fs::get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
  const Path path(key);
  Found found;
  std::string user;
  const bool is_there =
      request.flags & OMNISTORE_GET_USER ? find_with_user(path, key, found, user) : find(path, key, found);
  if (!is_there) return OMNISTORE_NOT_FOUND;
  omnistore_meta meta = meta_of(found.status, found.life.expiry);
  EtagRoom etag;
  if (request.flags & OMNISTORE_GET_META) meta.etag = omnistore::as_bytes(write_etag(etag, found.status, found.life));
  if (request.flags & OMNISTORE_GET_USER) omnistore::add_user(meta, user);

  std::uint64_t offset = std::min(request.offset, meta.value_size);
  std::uint64_t left = std::min(request.length, meta.value_size - offset);
  void *buffer = nullptr;
  if (const omnistore_status status = sink.begin(&sink, &meta, &buffer); status != OMNISTORE_OK) return status;
  const std::unique_ptr<char[]> own(buffer || left == 0 ? nullptr : new char[std::min(left, piece)]);
  char *into = own ? own.get() : static_cast<char *>(buffer);
  while (left > 0) {
    if (left > piece) check_deadline(call);
    const std::uint64_t size = std::min(left, piece);
    read_all(found.file.get(), into, size, offset, path);
    if (const omnistore_status status = sink.write(&sink, into, size); status != OMNISTORE_OK) return status;
    if (!own) into += size;
    offset += size, left -= size;
  }
  return OMNISTORE_OK;
}

omnistore_status Fs::stat(Call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
  const Path path(key);
  Found found;
  std::string user;
  const bool is_there =
      request.flags & OMNISTORE_GET_USER ? find_with_user(path, key, found, user) : find(path, key, found);
  if (!is_there) return OMNISTORE_NOT_FOUND;
  omnistore_meta meta = meta_of(found.status, found.life.expiry);
  EtagRoom etag;
  if (request.flags & OMNISTORE_GET_META) meta.etag = omnistore::as_bytes(write_etag(etag, found.status, found.life));
  if (request.flags & OMNISTORE_GET_USER) omnistore::add_user(meta, user);
  return omnistore::give(sink, meta);
}

// ------------------------------------------------------------------------------------------------- folders of a key

/// Opens the folder that the key's file lies in, which stays open whatever becomes of its path. None: it is not there.
Fd Fs::open_holder(const Path &path) const {
  if (path.folder().empty()) {
    Fd base(retry(::fcntl, tree_.base(), F_DUPFD_CLOEXEC, 0));
    if (!base) fail(errno == EINVAL ? EMFILE : errno, path.text()); // EINVAL: no descriptor at all is allowed
    return base;
  }
  Fd holder = tree_.open_folder(path.folder());
  if (!holder && errno != ENOENT && errno != ENOTDIR) fail(errno, path.folder());
  return holder;
}

/// Opens a folder that was not there a moment ago, making it and those above it; a file in the way becomes a folder
/// that holds it. None: others were there meanwhile, and the caller begins anew.
Fd Fs::make_folder(std::string_view folder) const {
  if (folder.empty()) return {};
  const Path path(key_of(folder));
  Fd above = open_holder(path);
  if (!above) above = make_folder(path.folder());
  if (!above) return {};
  const bool made = retry(::mkdirat, above.get(), path.name(), folder_mode_) == 0;
  if (!made && errno == ENOENT) return {};
  if (!made && errno != EEXIST) fail(errno, folder);
  // Who finds it there may be ahead of the thread that made it.
  if (durability_ == Durability::full && retry(::fsync, above.get()) != 0) {
    const int error = errno;
    if (made) retry(::unlinkat, above.get(), path.name(), AT_REMOVEDIR);
    fail(error, folder);
  }
  Fd opened(retry(::openat, above.get(), path.name(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened && errno != ENOENT) opened = tree_.open_folder(folder); // a link to a folder
  if (made && opened) set_mode_of_folder(opened.get(), folder_mode_);
  if (opened || errno == ENOENT) return opened;
  if (errno != ENOTDIR) fail(errno, folder);
  nest_value(above.get(), path);
  return tree_.open_folder(folder);
}

/// Makes a value's file a folder that holds it. The value stays what it is.
void Fs::nest_value(int holder, const Path &path) const {
  const std::lock_guard lock(lock_of(holder, path.name()));
  std::optional<OwnChanges::Entry> place = own_.changing(path.text());
  nest({owner_, folder_mode_, durability_ != Durability::none}, holder, path.name(), path.text());
  if (!place) return;
  const Slot slot = look(tree_, holder, path.name(), path.c_str());
  if (slot.has_value()) place->note_nested(slot.status);
}

/// Says of the key's folder, and of those above it, that values below may expire.
void Fs::mark_folders(const Path &path, int folder) const {
  if (has_expiring(folder, path.folder())) return;
  const auto mark = [this](int opened, std::string_view name) {
    const bool lasts = durability_ != Durability::none; // a value that outlives a power cut must be known to expire
    if (!mark_expiring(opened) || (lasts && retry(::fsync, opened) != 0)) fail(errno, name);
  };
  mark(tree_.base(), "the base folder");
  for (const std::string_view above : folders_of(path)) {
    if (const Fd opened = tree_.open_folder(above))
      mark(opened.get(), above);
    else if (!is_gone(errno))
      fail(errno, above);
  }
}

/// After a change of the names in an open folder: with durability full, waits until it is on the medium. A failure is
/// `io` whatever its reason: the change is seen at once, but a power cut may undo it.
void Fs::settle(int folder, std::string_view path) const {
  if (durability_ != Durability::full || retry(::fsync, folder) == 0) return;
  const int error = errno;
  note_unsynced(path);
  throw Failure(OMNISTORE_IO, std::string(path.empty() ? "the base folder" : path) +
                                  ": the change is made, and a power cut may undo it: " + message_of(error));
}

/// Remembers that a change at a path may not outlive a power cut. An operation that finds it made, and has nothing to
/// do, must not acknowledge it before sync_earlier() has succeeded.
void Fs::note_unsynced(std::string_view path) const {
  constexpr std::size_t most = 1000;
  const std::lock_guard lock(unsynced_mutex_);
  if (unsynced_.size() >= most) unsynced_.clear(), path = {}, too_many_unsynced_ = true;
  unsynced_.emplace(path);
  has_unsynced_.store(true, std::memory_order_release);
}

/// Brings to the medium what is owed at a path, or at one above it; with `below`, also at those below it. Costs one
/// load while nothing is owed. Throws a Failure if it fails again.
void Fs::sync_earlier(std::string_view path, bool below) const {
  if (!has_unsynced_.load(std::memory_order_acquire)) return;
  const auto is_at_or_below = [](std::string_view one, std::string_view other) {
    return other.empty() || (one.starts_with(other) && (one.size() == other.size() || one[other.size()] == '/'));
  };
  std::vector<std::string> due;
  bool all = false;
  {
    const std::lock_guard lock(unsynced_mutex_);
    all = too_many_unsynced_;
    for (const std::string &owed : unsynced_)
      if (is_at_or_below(path, owed) || (below && is_at_or_below(owed, path))) due.push_back(owed);
  }
  for (const std::string &owed : due) {
    const auto sync = [&](int folder) {
      if ((all ? retry(::syncfs, folder) : retry(::fsync, folder)) != 0)
        throw Failure(OMNISTORE_IO,
                      (owed.empty() ? "the base folder" : owed) +
                          ": an earlier change is made, and a power cut may undo it: " + message_of(errno));
    };
    // The place itself, if it is a folder, and the lowest folder above it that is there.
    std::string_view at = owed;
    Fd folder = tree_.open_folder(at);
    if (folder) sync(folder.get());
    while (!at.empty()) {
      const std::size_t slash = at.rfind('/');
      at = slash == at.npos ? std::string_view() : at.substr(0, slash);
      folder = tree_.open_folder(at);
      if (!folder && !is_gone(errno)) fail(errno, at);
      if (!folder) continue;
      sync(folder.get());
      break;
    }
    const std::lock_guard lock(unsynced_mutex_);
    unsynced_.erase(owed);
    if (unsynced_.empty()) too_many_unsynced_ = false;
    has_unsynced_.store(!unsynced_.empty(), std::memory_order_release);
  }
}

/// Removes a folder that has become empty, and those above it that have then. `durable`: an answer that acknowledges a
/// removal follows.
void Fs::prune(std::string_view folder, bool durable) const {
  while (!folder.empty()) {
    const std::size_t slash = folder.rfind('/');
    const std::string name(folder.substr(slash == folder.npos ? 0 : slash + 1));
    folder = slash == folder.npos ? std::string_view() : folder.substr(0, slash);
    const Fd above = tree_.open_folder(folder);
    if (!above || retry(::unlinkat, above.get(), name.c_str(), AT_REMOVEDIR) != 0) return;
    if (durable) settle(above.get(), folder.empty() ? std::string_view(name) : folder);
  }
}

// ---------------------------------------------------------------------------------------------------------- writing

Life Fs::life_of(const Slot &slot, const Path &path) const {
  if (!slot.has_value() || !(slot.status.st_mode & S_ISVTX)) return life_without_attribute(slot.status);
  const Fd file = open_file(tree_, slot, path.c_str());
  if (file) return read_life(file.get(), slot.status, path.text());
  // It is gone, or only its owner may read it.
  if (!is_gone(errno) && errno != EACCES && errno != EPERM) fail(errno, path.text());
  return life_without_attribute(slot.status);
}

bool Fs::condition_holds(const Slot &slot, std::uint32_t condition, omnistore_bytes etag, const Path &path) const {
  if (condition == OMNISTORE_ALWAYS) return true;
  const Life life = life_of(slot, path);
  const bool lives = slot.has_value() && (life.expiry == 0 || life.expiry > now());
  if (condition == OMNISTORE_IF_ABSENT) return !lives;
  EtagRoom room;
  return lives &&
         (condition == OMNISTORE_IF_PRESENT || write_etag(room, slot.status, life) == omnistore::as_view(etag));
}

omnistore_status Fs::set(Call call, std::string_view key, const omnistore_set_request &request,
                         omnistore_sink *result) {
  const Path path(key);
  must_be_writable();
  if (request.expiry != 0) {
    if (!keeps_expiry_) {
      throw Failure(OMNISTORE_UNSUPPORTED, "the filesystem of base has no user attributes, which would keep an expiry");
    }
    if (request.expiry <= now()) return set_expired(path, key, request);
  }
  omnistore_status status;
  try {
    status = store(call, path, request, result);
  } catch (const Failure &) {
    prune(path.folder(), false);
    throw;
  }
  if (status != OMNISTORE_OK) prune(path.folder(), false);
  if (status == OMNISTORE_OK && request.expiry != 0) sweeper_.schedule(request.expiry, key);
  return status;
}

omnistore_status Fs::store(Call call, const Path &path, const omnistore_set_request &request, omnistore_sink *result) {
  const mode_t sticky = request.expiry != 0 ? S_ISVTX : 0;
  for (int tries = 0; tries < max_tries; ++tries) {
    tree_.look(true);
    const std::uint64_t changes = tree_.changes();
    Fd holder = open_holder(path);
    if (!holder) holder = make_folder(path.folder());
    if (!holder) continue;
    Slot slot = look(tree_, holder.get(), path.name(), path.c_str());
    TemporaryFile file(owner_, holder.get(), mode_of_new(slot, mode_) | sticky, path.text());
    if (!file) continue; // the folder was removed, having become empty
    if (!request.source) {
      write_all(file.file(), request.value.data, request.value.size, 0, path);
    } else if (const omnistore_status status = copy_source(call, file.file(), request, path); status != OMNISTORE_OK) {
      return status;
    }
    if (request.expiry != 0) mark_folders(path, holder.get());
    finish(file, slot, request.expiry, path);
    // What takes long is not stored in a folder that has left its place meanwhile.
    if (request.source || durability_ != Durability::none) tree_.look(true);
    std::optional<omnistore_status> moved;
    struct stat status {};
    std::optional<TemporaryFile> user;
    if (request.user.size != 0) {
      if (retry(::fstat, file.file(), &status) != 0) fail(errno, path.text());
      user.emplace(owner_, holder.get(), mode_of_new(slot, mode_), path.text());
      if (*user) prepare_user(holder.get(), *user, slot, request.user, status.st_mtim, path);
    }
    if (tree_.changes() == changes && (!user || *user)) {
      moved = move_in(holder.get(), file, user ? &*user : nullptr, std::move(slot), request, path,
                      result ? &status : nullptr);
    }
    if (!moved && request.source) {
      throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.text()) + ": base " + tree_.path() +
                                               " became another folder, or the file was removed, while it was written");
    }
    if (!moved) continue;
    if (*moved != OMNISTORE_OK || !result) return *moved;
    omnistore_meta meta = meta_of(status, request.expiry);
    EtagRoom etag;
    meta.etag = omnistore::as_bytes(write_etag(etag, status, life_without_attribute(status)));
    return omnistore::give(*result, meta);
  }
  throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.folder()) + ": the folder is removed again and again");
}

/// What a new file needs besides its bytes. Its time is set to the nanosecond: the kernel's own stands still for some
/// milliseconds, and two writes in them could have one etag.
void Fs::finish(const TemporaryFile &file, const Slot &slot, std::int64_t expiry, const Path &path) const {
  timespec times[2];
  clock_gettime(CLOCK_REALTIME, &times[1]);
  times[0] = times[1];
  if (expiry != 0) {
    struct stat status;
    if (!write_expiry(file.file(), expiry) || retry(::fstat, file.file(), &status) != 0) fail(errno, path.text());
    if (!(status.st_mode & S_ISVTX)) {
      throw Failure(OMNISTORE_UNSUPPORTED, "the filesystem of base does not keep a file's sticky bit, which says that "
                                           "it expires");
    }
    times[0] = hint_of(expiry);
  }
  if (retry(::futimens, file.file(), times) != 0) fail(errno, path.text());
  if (slot.has_value()) keep_access(tree_, file, slot, path.c_str());
  if (durability_ == Durability::none) return;
  const bool all = durability_ == Durability::full || expiry != 0 || slot.has_value();
  if ((all ? retry(::fsync, file.file()) : retry(::fdatasync, file.file())) != 0) fail(errno, path.text());
}

/// Moves the file into the key's place, which was looked at, and `user` (unless null) beside it. `moved`, unless null,
/// is what fstat says of it then: the move sets its ctime. Nothing: the file is gone, with the folder that it was in.
std::optional<omnistore_status> Fs::move_in(int holder, TemporaryFile &file, TemporaryFile *user, Slot slot,
                                            const omnistore_set_request &request, const Path &path,
                                            struct stat *moved) const {
  std::unique_lock lock(lock_of(holder, path.name()));
  for (int tries = 0; tries < max_tries; ++tries) {
    if (tries > 0 || request.condition != OMNISTORE_ALWAYS) {
      Slot now = look(tree_, holder, path.name(), path.c_str());
      if (now.has_value() && !(slot.has_value() && has_same_access(now, slot))) {
        keep_access(tree_, file, now, path.c_str());
      }
      slot = std::move(now);
      if (!condition_holds(slot, request.condition, request.etag, path)) return OMNISTORE_CONFLICT;
    }
    {
      std::optional<OwnChanges::Entry> place = own_.changing(path.text());
      struct stat status;
      if (!put(file, slot, path.text())) {
        if (retry(::fstat, file.file(), &status) == 0 && status.st_nlink == 0) return std::nullopt;
        continue;
      }
      if ((place || moved) && retry(::fstat, file.file(), &status) != 0) fail(errno, path.text());
      if (place) place->note_written(status);
      if (moved) *moved = status;
    }
    bool is_holder_changed = user != nullptr;
    try {
      if (user)
        move_user_in(holder, *user, path);
      else if (slot.has_value())
        is_holder_changed = drop_user(holder, path);
    } catch (const Failure &failure) { // the value is another by now, whatever the reason
      throw Failure(OMNISTORE_IO, std::string("the value is set, its user meta is not: ") + failure.what());
    }
    lock.unlock();
    settle(slot.folder, path.text());
    if (is_holder_changed && slot.inner) settle(holder, path.text());
    return OMNISTORE_OK;
  }
  throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.text()) + ": another program changes it again and again");
}

/// A set whose expiry has passed is a removal, under the set's condition.
omnistore_status Fs::set_expired(const Path &path, std::string_view key, const omnistore_set_request &request) {
  if (request.condition == OMNISTORE_IF_ABSENT) {
    Found found;
    return find(path, key, found) ? OMNISTORE_CONFLICT : OMNISTORE_OK;
  }
  const omnistore_status status = remove_value(path, key, request.condition, request.etag);
  if (status != OMNISTORE_NOT_FOUND) return status;
  return request.condition == OMNISTORE_ALWAYS ? OMNISTORE_OK : OMNISTORE_CONFLICT;
}

omnistore_status Fs::remove(Call, std::string_view key, const omnistore_remove_request &request) {
  const Path path(key);
  must_be_writable();
  return remove_value(path, key, request.condition, request.etag);
}

/// Unlinks a value's file. False: the place has changed since it was looked at.
bool Fs::unlink_value(const Slot &slot, const Path &path) const {
  std::optional<OwnChanges::Entry> place = own_.changing(path.text());
  if (!unlink_slot(slot, path.text())) return false;
  if (place) place->note_removed();
  return true;
}

/// After unlink_value: removes what is left of the key, and acknowledges nothing that a power cut may undo.
void Fs::settle_removal(int holder, const Slot &slot, const Path &path, std::unique_lock<std::mutex> &lock) const {
  const bool had_user = drop_user(holder, path);
  lock.unlock();
  settle(slot.folder, path.text());
  if (had_user && slot.inner) settle(holder, path.text());
  prune(slot.inner ? path.text() : path.folder(), true);
}

omnistore_status Fs::remove_value(const Path &path, std::string_view key, std::uint32_t condition,
                                  omnistore_bytes etag) {
  const omnistore_status missing = condition == OMNISTORE_IF_MATCH ? OMNISTORE_CONFLICT : OMNISTORE_NOT_FOUND;
  tree_.look(false);
  const Fd holder = open_holder(path);
  if (!holder) return sync_earlier(path.text(), false), missing;
  std::unique_lock lock(lock_of(holder.get(), path.name()));
  for (int tries = 0; tries < max_tries; ++tries) {
    const Slot slot = look(tree_, holder.get(), path.name(), path.c_str());
    if (!slot.has_value()) {
      if (drop_user(holder.get(), path)) settle(holder.get(), path.text());
      lock.unlock();
      sync_earlier(path.text(), false);
      return missing;
    }
    const std::int64_t expiry = life_of(slot, path).expiry;
    const bool expired = expiry != 0 && expiry <= now();
    if (!expired && condition == OMNISTORE_IF_MATCH && !condition_holds(slot, condition, etag, path)) {
      return OMNISTORE_CONFLICT;
    }
    if (!unlink_value(slot, path)) continue;
    if (expired) announce_expired(key);
    settle_removal(holder.get(), slot, path, lock);
    return expired ? missing : OMNISTORE_OK;
  }
  throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.text()) + ": another program changes it again and again");
}

omnistore_status Fs::touch(Call, std::string_view key, const omnistore_touch_request &request) {
  const Path path(key);
  must_be_writable();
  if (!keeps_expiry_) {
    throw Failure(OMNISTORE_UNSUPPORTED, "the filesystem of base has no user attributes, which would keep an expiry");
  }
  const bool renews = request.flags & OMNISTORE_TOUCH_EXPIRY;
  const std::int64_t expiry = renews ? request.expiry : 0;
  if (expiry != 0 && expiry <= now()) return remove_value(path, key, OMNISTORE_ALWAYS, {});
  tree_.look(false);
  const Fd holder = open_holder(path);
  if (!holder) return OMNISTORE_NOT_FOUND;
  bool is_holder_changed = false;
  {
    const std::lock_guard lock(lock_of(holder.get(), path.name()));
    const Slot slot = look(tree_, holder.get(), path.name(), path.c_str());
    if (!condition_holds(slot, OMNISTORE_IF_PRESENT, {}, path)) return OMNISTORE_NOT_FOUND;
    if (expiry != 0) mark_folders(path, holder.get());
    const Life before = life_of(slot, path);
    if (request.flags & OMNISTORE_TOUCH_USER && request.user.size != 0) {
      TemporaryFile user(owner_, holder.get(), mode_of_new(slot, mode_), path.text());
      if (!user) return OMNISTORE_NOT_FOUND; // the folder was removed
      prepare_user(holder.get(), user, slot, request.user, slot.status.st_mtim, path);
      move_user_in(holder.get(), user, path);
      is_holder_changed = true;
    } else if (request.flags & OMNISTORE_TOUCH_USER) {
      is_holder_changed = drop_user(holder.get(), path);
    }
    if (renews) write_touch(slot, path, expiry);
    if (renews && !(request.flags & OMNISTORE_TOUCH_USER)) restamp_user(holder.get(), slot, before, path);
  }
  if (expiry != 0) sweeper_.schedule(expiry, key);
  if (is_holder_changed) settle(holder.get(), path.text());
  sync_earlier(path.text(), false);
  return OMNISTORE_OK;
}

// -------------------------------------------------------------------------------------------------------- user meta

/// Writes the file that is to be `b$`, with the time and the access of the value that it belongs to.
void Fs::prepare_user(int folder, const TemporaryFile &file, const Slot &slot, omnistore_bytes user,
                      const timespec &mtime, const Path &path) const {
  if (user.size > OMNISTORE_MAX_USER_SIZE)
    throw Failure(OMNISTORE_TOO_LARGE, "user meta of " + std::to_string(user.size) + " bytes; at most " +
                                           std::to_string(OMNISTORE_MAX_USER_SIZE) + " are kept");
  const std::string_view last = path.name();
  if (!has_room_for_user(last))
    throw Failure(OMNISTORE_TOO_LARGE, "a last segment of " + std::to_string(last.size()) +
                                           " bytes leaves no room for the name of its user meta");
  const std::string name = std::string(path.name()) + user_end;
  struct stat there;
  if (retry(::fstatat, folder, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(there.st_mode))
    throw Failure(OMNISTORE_UNSUPPORTED, std::string(path.text()) + "$: it is a folder, where user meta would lie");
  write_all(file.file(), user.data, user.size, 0, path);
  if (slot.has_value()) keep_access(tree_, file, slot, path.c_str());
  const timespec times[2] = {{0, UTIME_NOW}, mtime};
  if (retry(::futimens, file.file(), times) != 0) fail(errno, path.text());
  if (durability_ != Durability::none && retry(::fsync, file.file()) != 0) fail(errno, path.text());
}

/// Under the lock of the value's place.
void Fs::move_user_in(int folder, TemporaryFile &file, const Path &path) const {
  const std::string name = std::string(path.name()) + user_end;
  std::optional<OwnChanges::Entry> place = own_.changing(std::string(path.text()) + user_end);
  if (retry(::renameat, file.folder(), file.name(), folder, name.c_str()) != 0) fail(errno, path.text());
  file.moved();
  struct stat status;
  if (place && retry(::fstat, file.file(), &status) == 0) place->note_written(status);
}

/// Likewise. What lies there goes, whichever value it belonged to. Whether there was any.
bool Fs::drop_user(int folder, const Path &path) const {
  if (folder < 0 || path.text().ends_with(user_end)) return false;
  const std::string name = std::string(path.name()) + user_end;
  std::optional<OwnChanges::Entry> place = own_.changing(std::string(path.text()) + user_end);
  if (retry(::unlinkat, folder, name.c_str(), 0) != 0) {
    if (errno == EIO) fail(errno, std::string(path.text()) + user_end);
    return false; // what cannot be removed belongs to no value from now on
  }
  if (place) place->note_removed();
  return true;
}

/// Likewise. After the store has changed the value's file without a write: meta that unstorage wrote, and which is
/// known by being younger than the value, keeps belonging to it.
void Fs::restamp_user(int folder, const Slot &slot, const Life &before, const Path &path) const {
  if (path.text().ends_with(user_end)) return;
  const std::string name = std::string(path.name()) + user_end;
  struct stat status;
  if (retry(::fstatat, folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (!is_gone(errno)) fail(errno, path.text());
    return;
  }
  if (!is_user_file(status)) return;
  if (same_time(status.st_mtim, slot.status.st_mtim) || !belongs(status, slot.status, before)) return;
  std::optional<OwnChanges::Entry> place = own_.changing(std::string(path.text()) + user_end);
  const timespec times[2] = {{0, UTIME_OMIT}, slot.status.st_mtim};
  const Fd file(retry(::openat, folder, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!file || retry(::futimens, file.get(), times) != 0) {
    if (!is_gone(errno) && errno != EACCES && errno != EPERM) fail(errno, path.text());
    return; // another user's, who may have meant that
  }
  if (durability_ != Durability::none && retry(::fsync, file.get()) != 0) fail(errno, path.text());
  if (place && retry(::fstatat, folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) place->note_written(status);
}

void Fs::write_touch(const Slot &slot, const Path &path, std::int64_t expiry) const {
  if (slot.kind == Slot::Kind::link) {
    throw Failure(OMNISTORE_UNSUPPORTED, std::string(path.text()) + ": a symbolic link keeps no expiry of its own");
  }
  const Fd file = open_file(tree_, slot, path.c_str());
  if (!file) fail(errno, path.text());
  // The hint goes first and comes last, so that it never says more than the attribute.
  timespec times[2] = {{0, 0}, {0, UTIME_OMIT}};
  const Life life{expiry, read_life(file.get(), slot.status, path.text()).written_at};
  // An expiry that is taken away leaves the attribute, which keeps the etag.
  if (expiry == 0 && !(slot.status.st_mode & S_ISVTX)) return;
  bool done = retry(::futimens, file.get(), times) == 0;
  done =
      done && write_life(file.get(), life) && retry(::fchmod, file.get(), (slot.status.st_mode & 07777) | S_ISVTX) == 0;
  times[0] = hint_of(expiry != 0 ? expiry : distant_future);
  done = done && retry(::futimens, file.get(), times) == 0;
  if (done && durability_ != Durability::none) done = retry(::fsync, file.get()) == 0;
  if (!done) fail(errno, path.text());
}

// ---------------------------------------------------------------------------------------------------------- listing

omnistore_status Fs::list(Call call, const omnistore_list_request &request, omnistore_page &page) {
  tree_.look(false);
  Walk::Options options;
  options.base = omnistore::as_view(request.base);
  options.depth = request.depth;
  options.clean = !read_only_;
  options.reports = true;
  std::unique_ptr<Walk> walk;
  if (request.cursor.size > 0) {
    const Cursor cursor = read_cursor(omnistore::as_view(request.cursor));
    if (!cursor.key.starts_with(options.base)) {
      throw Failure(OMNISTORE_INVALID, "the cursor belongs to another base");
    }
    options.after = cursor.key;
    walk = paused_.resume(cursor, options.base, options.depth);
    if (walk && walk->is_outdated()) walk.reset();
  }
  if (!walk) walk = std::make_unique<Walk>(tree_, ignore_, std::move(options));

  const std::int64_t moment = now();
  std::uint32_t steps = 0;
  for (std::uint32_t emitted = 0; emitted < request.limit;) {
    const Walk::Step step = walk->next();
    bool shown = false;
    omnistore_status status = OMNISTORE_OK;
    if (step == Walk::Step::value) status = emit(*walk, request.flags & OMNISTORE_LIST_META, moment, page, shown);
    if (status == OMNISTORE_OK && walk->unreadable()) status = tell(walk->take_unreadable(), &page);
    if (status != OMNISTORE_OK || step == Walk::Step::end) return status;
    if (++steps % 1024 == 0) check_deadline(call);
    if (shown) ++emitted;
  }
  if (walk->at_end()) return OMNISTORE_OK;
  const std::string last = walk->key();
  const std::string next = write_cursor(paused_.keep(std::move(walk)), last);
  page.next(&page, omnistore::as_bytes(next));
  return OMNISTORE_OK;
}

/// The walk's value, where it is alive.
omnistore_status Fs::emit(Walk &walk, bool wants_meta, std::int64_t moment, omnistore_page &page, bool &emitted) {
  const omnistore_bytes key = omnistore::as_bytes(walk.key());
  if (!wants_meta && !walk.may_expire()) return emitted = true, page.emit(&page, key, nullptr);
  const struct stat *status = walk.status();
  if (!status) return OMNISTORE_OK;
  const bool asks_life = wants_meta || !is_certainly_alive(*status, moment);
  const std::optional<Life> life = asks_life ? walk.life() : Life();
  if (!life) return OMNISTORE_OK;
  const std::int64_t expiry = life->expiry;
  if (expiry != 0 && expiry <= moment) {
    if (read_only_) return OMNISTORE_OK;
    sweeper_.schedule(expiry, walk.key());
    return OMNISTORE_OK;
  }
  emitted = true;
  if (!wants_meta) return page.emit(&page, key, nullptr);
  omnistore_meta meta = meta_of(*status, expiry);
  EtagRoom etag;
  meta.etag = omnistore::as_bytes(write_etag(etag, *status, *life));
  return page.emit(&page, key, &meta);
}

// --------------------------------------------------------------------------------------------------------- clearing

omnistore_status Fs::clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
  must_be_writable();
  if (no_clear_) throw Failure(OMNISTORE_READ_ONLY, "the option noClear is set: keys can be removed one by one");
  tree_.look(false);
  Walk::Options options;
  options.base = omnistore::as_view(request.base);
  options.clean = options.reports = true;
  Walk walk(tree_, ignore_, std::move(options));
  std::optional<Failure> refused; // the first; what can be removed is removed nevertheless
  for (std::uint32_t steps = 1;; ++steps) {
    if (steps % 256 == 0) check_deadline(call), tree_.look(false);
    if (walk.is_outdated()) {
      throw Failure(OMNISTORE_UNAVAILABLE, "base " + tree_.path() + " became another folder while it was cleared");
    }
    const Walk::Step step = walk.next();
    if (walk.unreadable()) tell(walk.take_unreadable(), nullptr);
    switch (step) {
    case Walk::Step::end:
      if (!refused && walk.unreadable()) fail(walk.unreadable()->error, walk.unreadable()->path());
      if (refused) throw Failure(*refused);
      sync_earlier(folder_of(walk.options().base), true);
      return OMNISTORE_OK;
    case Walk::Step::left:
      try {
        settle_cleared(walk.left());
      } catch (const Failure &failure) {
        if (!refused) refused = failure;
      }
      break;
    case Walk::Step::value:
      try {
        if (!clear_one(walk) || !removed) break;
      } catch (const Failure &failure) {
        if (failure.status() != OMNISTORE_DENIED && failure.status() != OMNISTORE_IO) throw;
        if (!refused) refused = failure;
        break;
      }
      if (const omnistore_status status = removed->emit(removed, omnistore::as_bytes(walk.key()), nullptr);
          status != OMNISTORE_OK) {
        return status;
      }
    }
  }
}

/// After all keys of a folder were removed.
void Fs::settle_cleared(std::string_view folder) const {
  if (durability_ == Durability::full) {
    const std::string_view name = folder.empty() ? "the base folder" : folder;
    const Fd opened = tree_.open_folder(folder);
    if (opened) {
      settle(opened.get(), folder);
    } else if (errno != ENOENT && errno != ENOTDIR) { // else others have removed it meanwhile
      const int error = errno;
      note_unsynced(folder);
      throw Failure(OMNISTORE_IO,
                    std::string(name) + ": its keys are removed, and a power cut may undo that: " + message_of(error));
    }
  }
  prune(folder, true);
}

/// Whether it was there and alive.
bool Fs::clear_one(Walk &walk) {
  const Path path(walk.key());
  if (walk.folder() < 0) return false;
  const std::lock_guard lock(lock_of(walk.folder(), path.name()));
  for (int tries = 0; tries < max_tries; ++tries) {
    const Slot slot = look(tree_, walk.folder(), path.name(), path.c_str());
    if (!slot.has_value()) return false;
    const std::int64_t expiry = life_of(slot, path).expiry;
    if (!unlink_value(slot, path)) continue;
    drop_user(walk.folder(), path);
    if (expiry == 0 || expiry > now()) return true;
    announce_expired(walk.key());
    return false;
  }
  throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.text()) + ": another program changes it again and again");
}

// ---------------------------------------------------------------------------------------------------------- expiring

void Fs::announce_expired(std::string_view key) const {
  const omnistore_event event = {
      sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, omnistore::as_bytes(key), 0};
  host_.event(&host_, &event);
}

/// Removes a value that has expired, unless it was set anew. It is gone for every reader in any case.
void Fs::expire(std::string_view key) {
  if (read_only_) return;
  const Path path(key);
  tree_.look(false);
  const Fd holder = open_holder(path);
  if (!holder) return;
  std::unique_lock lock(lock_of(holder.get(), path.name()));
  const Slot slot = look(tree_, holder.get(), path.name(), path.c_str());
  const std::int64_t expiry = life_of(slot, path).expiry;
  if (expiry == 0 || expiry > now() || !unlink_value(slot, path)) return;
  announce_expired(key);
  settle_removal(holder.get(), slot, path, lock);
}

// ---------------------------------------------------------------------------------------------------------- watching

omnistore_status Fs::watch(Call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
  *watch = watches_.begin(omnistore::as_view(request.base), watcher);
  return OMNISTORE_OK;
}

void Fs::unwatch(void *watch) { watches_.end(watch); }

constexpr omnistore_traits traits = {
    .size = sizeof(omnistore_traits),
    .thread_model = OMNISTORE_PARALLEL,
    .capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                    OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                    OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_META,
    .max_key_size = longest_key,
    .max_value_size = 0,
    .max_batch = 0,
    .keeps = OMNISTORE_KEEPS_PROCESS,
    .order = OMNISTORE_ORDER_KEYS,
    .reserved = 0,
    .min_ttl = 0,
    .ttl_grain = 0,
};

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<Fs>("fs", "1.0.0", "Values as files under a folder",
                                                    OMNISTORE_OPTIONS_SCHEMA, traits))

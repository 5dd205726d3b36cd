// SPDX-License-Identifier: Apache-2.0
#include "store.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstring>

#include <omnistore/value.hpp>

#include "call_memory.hpp"
#include "progress.hpp"

namespace omnistore::kit {
namespace {

Meta meta_of(const omnistore_meta &meta) {
  require(meta.size >= 8, "a meta's size is " + std::to_string(meta.size));
  omnistore_meta whole{};
  std::memcpy(&whole, &meta, std::min<std::size_t>(meta.size, sizeof whole));
  Meta kept;
  kept.size = whole.value_size;
  kept.mtime = whole.mtime;
  kept.expiry = whole.expiry;
  kept.etag = as_view(whole.etag);
  kept.user = as_view(whole.user);
  kept.user_known = whole.flags & OMNISTORE_META_USER;
  require(kept.etag.size() <= 64, "an etag of " + std::to_string(kept.etag.size()) + " bytes; 64 are the most");
  for (const char c : kept.etag)
    require(c > ' ' && c < 127 && c != '"',
            "the etag " + shown(kept.etag) + ": printable ASCII without quotes is right");
  require(kept.user_known || kept.user.empty(), "user meta without OMNISTORE_META_USER");
  require(kept.expiry >= 0 && kept.mtime >= 0, "a time before 1970 in meta");
  return kept;
}

} // namespace

/// One call: its arguments and its result. Problems that the callbacks find are kept until the driver has returned,
/// since no exception may pass through the driver.
class Store::Calling {
public:
  Calling(Store &store, const char *function, std::string_view about) : given(function), store_(store) {
    progress::say(function, about);
    if (store.traits_.thread_model < OMNISTORE_PARALLEL) serial_ = std::unique_lock(store.serial_);
    Context context{};
    context.size = sizeof(omnistore_context);
    context.cancelled = [](const omnistore_context *c) noexcept -> std::uint32_t {
      return static_cast<const Context *>(c)->owner->store_.deadline_.cancelled;
    };
    context.owner = this;
    Call call{};
    call.size = sizeof(omnistore_call);
    call.context = given.make(context, "the context");
    call.remaining = [](const omnistore_call *c) noexcept -> std::int64_t {
      return static_cast<const Call *>(c)->owner->store_.deadline_.left;
    };
    call.fail = [](omnistore_call *c, const omnistore_failure *failure) noexcept {
      static_cast<Call *>(c)->owner->keep(*failure);
    };
    call.owner = this;
    call_ = given.make(call, "the call");
    store.last_context_ = call.context;
  }

  omnistore_call *raw() { return call_; }
  /// Makes a copy of a sized struct. `least` is its size in an older header.
  template <class T>
  T *use_structs(T object, const char *what, std::size_t least = 0) {
    if (store_.structs_ == Structs::longer) {
      struct Longer {
        T known;
        unsigned char unknown[16];
      } longer{object, {}};
      std::memset(longer.unknown, 0xee, sizeof longer.unknown);
      longer.known.size = sizeof longer;
      return &given.make(longer, what)->known;
    }
    if (store_.structs_ == Structs::shorter && least) {
      object.size = static_cast<std::uint32_t>(least);
      void *place = given.array<char>(least, what);
      std::memcpy(place, &object, least);
      return static_cast<T *>(place);
    }
    return given.make(object, what);
  }
  void broken(std::string text) noexcept {
    const std::lock_guard lock(mutex_);
    if (broken_.empty()) broken_ = std::move(text);
  }
  template <class F>
  void check(F run) noexcept {
    try {
      run();
    } catch (const std::exception &e) {
      broken(e.what());
    }
  }
  /// Throws the problem that the callbacks found. Called after the function has returned.
  void judge() const { require(broken_.empty(), broken_); }
  std::string message(std::uint32_t item = 0) const {
    const auto found = messages_.find(item);
    return found == messages_.end() ? std::string() : found->second;
  }
  void keep(const omnistore_failure &failure) noexcept {
    check([&] {
      require(failure.size >= offsetof(omnistore_failure, retry_after),
              "a failure's size is " + std::to_string(failure.size));
      const std::lock_guard lock(mutex_);
      if (failure.message.size) messages_[failure.item] = as_view(failure.message);
    });
  }

  CallMemory given;

private:
  struct Context : omnistore_context {
    Calling *owner;
  };
  struct Call : omnistore_call {
    Calling *owner;
  };
  Store &store_;
  std::unique_lock<std::mutex> serial_{};
  Call *call_;
  std::mutex mutex_{};
  std::string broken_{};
  std::map<std::uint32_t, std::string> messages_{};

public:
  /// A sink that checks how it is used.
  class Sink {
  public:
    Sink(Calling &calling, const SinkOptions &how) : calling_(calling), how_(how) {
      Face face{};
      face.size = sizeof(omnistore_sink);
      face.begin = &begin;
      face.write = &write;
      face.lend = how.loans ? &lend : nullptr;
      face.owner = this;
      face.unknown = 0xeeee'eeee'eeee'eeee;
      if (calling.store_.structs_ == Structs::longer) face.size += 16;
      if (calling.store_.structs_ == Structs::shorter) {
        face.size = offsetof(omnistore_sink, lend);
        face.lend = reinterpret_cast<decltype(face.lend)>(0xeeeeeeee); // beyond the end of this sink
      }
      face_ = calling.given.make(face, "the sink");
    }
    omnistore_sink *raw() { return face_; }

    /// Checks the result of a function that returned `status`. `range` is the requested range, or null if no bytes were
    /// requested.
    void finish(GetResult &got, const GetOptions *range) {
      if (begun_) got.meta = meta_;
      got.bytes = std::move(bytes_);
      if (loan_) {
        if (how_.while_lent) how_.while_lent();
        require(got.bytes == std::string_view(static_cast<const char *>(lent_), got.bytes.size()),
                "the bytes that were lent changed before they were given back");
        loan_->release(loan_->owner, loan_->item);
        got.lent = true;
      }
      if (got.status == OMNISTORE_NOT_FOUND) require(!begun_, "NOT_FOUND after begin");
      if (got.status != OMNISTORE_OK) return;
      require(begun_, "OK without begin");
      if (!range) {
        require(got.bytes.empty(), "bytes were written although only meta was requested");
      } else if (meta_.size != OMNISTORE_UNKNOWN_SIZE) {
        const std::uint64_t rest = meta_.size > range->offset ? meta_.size - range->offset : 0;
        const std::uint64_t right = std::min(rest, range->length);
        require(got.bytes.size() == right, "begin announced a value of " + std::to_string(meta_.size) + " bytes, so " +
                                               std::to_string(right) + " are to come; " +
                                               std::to_string(got.bytes.size()) + " came");
      }
    }
    bool begun() const { return begun_; }

  private:
    struct Face : omnistore_sink {
      Sink *owner;
      std::uint64_t unknown;
    };
    static Sink &of(omnistore_sink *sink) { return *static_cast<Face *>(sink)->owner; }

    static omnistore_status OMNISTORE_CALL begin(omnistore_sink *sink, const omnistore_meta *meta,
                                                 void **buffer) noexcept {
      Sink &self = of(sink);
      if (buffer) *buffer = nullptr;
      self.calling_.check([&] {
        require(meta, "begin without a meta");
        require(!self.begun_, "begin twice");
        self.begun_ = true;
        self.meta_ = meta_of(*meta);
        self.wants_buffer_ = buffer;
        if (buffer && self.how_.buffer && self.meta_.size != OMNISTORE_UNKNOWN_SIZE && self.meta_.size <= 1 << 26) {
          self.room_ = self.calling_.given.array<char>(self.meta_.size, "the sink's buffer");
          *buffer = self.room_;
        }
      });
      self.failed_ = self.how_.begin_fails != OMNISTORE_OK;
      return self.how_.begin_fails;
    }
    static omnistore_status OMNISTORE_CALL write(omnistore_sink *sink, const void *data, std::uint64_t size) noexcept {
      Sink &self = of(sink);
      self.calling_.check([&] {
        require(self.begun_, "write before begin");
        require(!self.failed_, "write after the sink had failed");
        require(data || !size, "write of a null pointer");
        require(!self.loan_, "write after lend");
        if (self.room_ && data >= self.room_ && data < self.room_ + self.meta_.size)
          require(data == self.room_ + self.bytes_.size(), "bytes in the sink's buffer that are not the next ones");
        self.bytes_.append(static_cast<const char *>(data), size);
        require(self.bytes_.size() <= self.meta_.size, "more bytes than begin announced");
      });
      self.failed_ = self.how_.write_fails != OMNISTORE_OK;
      return self.how_.write_fails;
    }
    static omnistore_status OMNISTORE_CALL lend(omnistore_sink *sink, const void *data, std::uint64_t size,
                                                const omnistore_loan *loan) noexcept {
      Sink &self = of(sink);
      if (self.how_.write_fails != OMNISTORE_OK) {
        self.failed_ = true;
        return self.how_.write_fails;
      }
      self.calling_.check([&] {
        require(self.begun_, "lend before begin");
        require(!self.failed_, "lend after the sink had failed");
        require(!self.wants_buffer_, "lend was called after a begin that requested a buffer");
        require(!self.loan_ && self.bytes_.empty(), "lend twice, or after write");
        require(loan && loan->release, "a loan without release");
        self.bytes_.assign(static_cast<const char *>(data), size);
        self.lent_ = data;
        self.loan_ = *loan;
      });
      return OMNISTORE_OK;
    }

    Calling &calling_;
    const SinkOptions &how_;
    Face *face_;
    Meta meta_{};
    std::string bytes_{};
    char *room_ = nullptr;
    const void *lent_ = nullptr;
    std::optional<omnistore_loan> loan_{};
    bool begun_ = false, failed_ = false, wants_buffer_ = false;
  };

  /// A page that checks how it is used.
  class PageFace {
  public:
    PageFace(Calling &calling, std::string_view base, const ListOptions &how)
        : calling_(calling), base_(base), how_(how) {
      Face face{};
      face.size = sizeof(omnistore_page);
      face.emit = &emit;
      face.next = &next;
      face.owner = this;
      face_ = calling.given.make(face, "the page");
    }
    omnistore_page *raw() { return face_; }
    Page page;

  private:
    struct Face : omnistore_page {
      PageFace *owner;
    };
    static omnistore_status OMNISTORE_CALL emit(omnistore_page *page, omnistore_bytes key,
                                                const omnistore_meta *meta) noexcept {
      PageFace &self = *static_cast<Face *>(page)->owner;
      self.calling_.check([&] {
        const std::string name(as_view(key));
        require(!self.failed_, "emit after the page had failed");
        require(name.starts_with(self.base_), "the key " + shown(name) + " under the base " + shown(self.base_));
        const bool folder = self.how_.folders && name.ends_with(':');
        require(folder || !name.ends_with(':'), "the folder " + shown(name) + " in a listing without folders");
        require(!folder || !meta, "the folder " + shown(name) + " with a meta");
        require(name >= self.how_.start && (self.how_.end.empty() || name < self.how_.end),
                shown(name) + " in a listing from " + shown(self.how_.start) + " to " + shown(self.how_.end));
        require(self.page.keys.size() < self.how_.limit,
                "more keys than the limit of " + std::to_string(self.how_.limit));
        if (self.how_.depth != OMNISTORE_ANY_DEPTH) {
          const auto depth = std::count(name.begin() + static_cast<std::ptrdiff_t>(self.base_.size()), name.end(), ':');
          require(folder ? depth == self.how_.depth + 1 : depth <= self.how_.depth,
                  shown(name) + " is deeper than " + std::to_string(self.how_.depth));
        }
        if (meta) self.page.metas.emplace(name, meta_of(*meta));
        self.page.keys.push_back(name);
      });
      self.failed_ = self.how_.emit_fails != OMNISTORE_OK;
      return self.how_.emit_fails;
    }
    static void OMNISTORE_CALL next(omnistore_page *page, omnistore_bytes cursor) noexcept {
      PageFace &self = *static_cast<Face *>(page)->owner;
      self.calling_.check([&] {
        require(cursor.size > 0, "an empty cursor");
        require(cursor.size <= OMNISTORE_MAX_CURSOR_SIZE, "a cursor of " + std::to_string(cursor.size) + " bytes");
        self.page.cursor = as_view(cursor);
      });
    }
    Calling &calling_;
    std::string base_;
    const ListOptions &how_;
    Face *face_;
    bool failed_ = false;
  };

  /// A source of pieces, which come one after the other.
  class Source {
  public:
    Source(Calling &calling, const Pieces &pieces) : pieces_(pieces) {
      Face face{};
      face.size = sizeof(omnistore_source);
      face.read = &read;
      face.owner = this;
      face_ = calling.given.make(face, "the source");
    }
    omnistore_source *raw() { return face_; }

  private:
    struct Face : omnistore_source {
      Source *owner;
    };
    static omnistore_status OMNISTORE_CALL read(omnistore_source *source, void *buffer, std::uint64_t capacity,
                                                std::uint64_t *read) noexcept {
      Source &self = *static_cast<Face *>(source)->owner;
      while (self.piece_ < self.pieces_.pieces.size() && self.at_ == self.pieces_.pieces[self.piece_].size()) {
        ++self.piece_;
        self.at_ = 0;
      }
      if (self.piece_ == self.pieces_.pieces.size()) {
        *read = 0;
        return self.pieces_.fails;
      }
      const std::string &piece = self.pieces_.pieces[self.piece_];
      *read = std::min<std::uint64_t>(capacity, piece.size() - self.at_);
      std::memcpy(buffer, piece.data() + self.at_, *read);
      self.at_ += *read;
      return OMNISTORE_OK;
    }
    const Pieces &pieces_;
    std::size_t piece_ = 0, at_ = 0;
    Face *face_;
  };

  omnistore_get_request *reading(const GetOptions &how) {
    return use_structs(omnistore_get_request{sizeof(omnistore_get_request), how.flags, how.offset, how.length},
                       "the request");
  }
  omnistore_set_request *writing(std::string_view value, const SetOptions &how, std::optional<Source> &source) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.expiry = how.expiry;
    request.condition = how.condition;
    request.etag = given.bytes(how.etag, "the etag");
    request.user = given.bytes(how.user, "the user meta");
    if (how.source) {
      source.emplace(*this, *how.source);
      request.source = source->raw();
      request.source_size = how.source->announced;
    } else {
      request.value = given.bytes(value, "the value");
    }
    return use_structs(request, "the request", offsetof(omnistore_set_request, user));
  }
};

void Store::judge(const char *function, CallResult &done) const {
  switch (done.status) {
  case OMNISTORE_OK:
  case OMNISTORE_NOT_FOUND:
  case OMNISTORE_CONFLICT:
    return;
  default:
    require(!messages_needed_ || !done.message.empty(),
            std::string(function) + " failed with " + name_of(done.status) + " and gave no message");
  }
}

Store::Store(const omnistore_driver &driver, const std::string &options,
             std::span<const omnistore_store *const> children)
    : driver_(driver) {
  traits_ = omnistore_traits{};
  std::memcpy(&traits_, driver.traits, std::min<std::size_t>(driver.traits->size, sizeof traits_));
  traits_.size = sizeof traits_;
  Calling calling(*this, "open", options);
  auto **stores = calling.given.array<const omnistore_store *>(children.size(), "the children");
  std::copy(children.begin(), children.end(), stores);
  omnistore_open_request request{};
  request.size = sizeof request;
  request.options = calling.given.bytes(options, "the options");
  request.children = children.data();
  request.child_count = static_cast<std::uint32_t>(children.size());
  const omnistore_status status =
      driver.open(&host_, calling.raw(), calling.use_structs(request, "the request"), &traits_, &self_);
  calling.judge();
  if (status != OMNISTORE_OK) throw Broken("it does not open: " + name_of(status) + " (" + calling.message() + ")");
  open_ = true;
}

Store::~Store() { close(); }

void Store::close() {
  if (!open_) return;
  open_ = false;
  host_.stop();
  progress::say("close", "");
  driver_.close(self_);
}

GetResult Store::get(std::string_view key, const GetOptions &how) {
  GetResult got;
  Calling calling(*this, "get", key);
  Calling::Sink sink(calling, how.into);
  got.status = driver_.get(self_, calling.raw(), calling.given.bytes(key, "the key"), calling.reading(how), sink.raw());
  got.message = calling.message();
  calling.judge();
  sink.finish(got, &how);
  if (how.into.begin_fails == OMNISTORE_OK && how.into.write_fails == OMNISTORE_OK) judge("get", got);
  return got;
}

GetResult Store::stat(std::string_view key, std::uint32_t flags) {
  GetResult got;
  Calling calling(*this, "stat", key);
  const SinkOptions taking;
  Calling::Sink sink(calling, taking);
  got.status = driver_.stat(self_, calling.raw(), calling.given.bytes(key, "the key"),
                            calling.reading({flags, 0, UINT64_MAX, {}}), sink.raw());
  got.message = calling.message();
  calling.judge();
  sink.finish(got, nullptr);
  judge("stat", got);
  return got;
}

CallResult Store::set(std::string_view key, std::string_view value, const SetOptions &how) {
  Calling calling(*this, "set", key);
  std::optional<Calling::Source> source;
  const SinkOptions taking;
  std::optional<Calling::Sink> result;
  if (how.wants_meta) result.emplace(calling, taking);
  const omnistore_set_request *request = calling.writing(value, how, source);
  GetResult got;
  got.status =
      driver_.set(self_, calling.raw(), calling.given.bytes(key, "the key"), request, result ? result->raw() : nullptr);
  got.message = calling.message();
  calling.judge();
  if (result && result->begun()) result->finish(got, nullptr);
  if (!how.source || how.source->fails == OMNISTORE_OK) judge("set", got);
  return got;
}

CallResult Store::remove(std::string_view key, std::uint32_t condition, std::string_view etag) {
  Calling calling(*this, "remove", key);
  omnistore_remove_request request{};
  request.size = sizeof request;
  request.condition = condition;
  request.etag = calling.given.bytes(etag, "the etag");
  CallResult done;
  done.status = driver_.remove(self_, calling.raw(), calling.given.bytes(key, "the key"),
                               calling.use_structs(request, "the request"));
  done.message = calling.message();
  calling.judge();
  judge("remove", done);
  return done;
}

Page Store::list(std::string_view base, const ListOptions &how) {
  Calling calling(*this, "list", base);
  Calling::PageFace page(calling, base, how);
  omnistore_list_request request{};
  request.size = sizeof request;
  request.flags = (how.meta ? OMNISTORE_LIST_META : 0) | (how.reverse ? OMNISTORE_LIST_REVERSE : 0) |
                  (how.folders ? OMNISTORE_LIST_FOLDERS : 0);
  request.base = calling.given.bytes(base, "the base");
  request.depth = how.depth;
  request.limit = how.limit;
  request.cursor = calling.given.bytes(how.cursor, "the cursor");
  request.start = calling.given.bytes(how.start, "the start");
  request.end = calling.given.bytes(how.end, "the end");
  page.page.status =
      driver_.list(self_, calling.raw(),
                   calling.use_structs(request, "the request", offsetof(omnistore_list_request, start)), page.raw());
  page.page.message = calling.message();
  calling.judge();
  if (how.emit_fails == OMNISTORE_OK) judge("list", page.page);
  return std::move(page.page);
}

std::vector<std::string> Store::keys(std::string_view base, std::uint32_t limit, std::uint32_t depth) {
  ListOptions how;
  how.limit = limit;
  how.depth = depth;
  return names(base, how);
}

std::vector<std::string> Store::names(std::string_view base, ListOptions how) {
  std::vector<std::string> all;
  for (std::size_t empty = 0;;) {
    const Page page = list(base, how);
    require(page.ok(), "a listing of " + shown(base) + " came to " + shown(page));
    all.insert(all.end(), page.keys.begin(), page.keys.end());
    if (page.cursor.empty()) return all;
    require(page.cursor != how.cursor,
            "a listing of " + shown(base) + " makes no progress: a page gave its own cursor");
    empty = page.keys.empty() ? empty + 1 : 0;
    require(empty < 10'000, "a listing of " + shown(base) + " gave 10000 empty pages, each with a cursor");
    how.cursor = page.cursor;
  }
}

Page Store::clear(std::string_view base, bool wants_keys) {
  if (!driver_.clear) throw Skipped("the driver has no clear");
  Calling calling(*this, "clear", base);
  ListOptions how;
  how.limit = UINT32_MAX;
  Calling::PageFace page(calling, base, how);
  omnistore_clear_request request{};
  request.size = sizeof request;
  request.base = calling.given.bytes(base, "the base");
  page.page.status = driver_.clear(self_, calling.raw(), calling.use_structs(request, "the request"),
                                   wants_keys ? page.raw() : nullptr);
  page.page.message = calling.message();
  calling.judge();
  judge("clear", page.page);
  return std::move(page.page);
}

std::vector<GetResult> Store::get_many(const std::vector<std::string> &keys, const GetOptions &how,
                                       std::optional<std::size_t> failing_sink, bool stat) {
  const char *function = stat ? "stat_many" : "get_many";
  if (stat ? !driver_.stat_many : !driver_.get_many) throw Skipped(std::string("the driver has no ") + function);
  Calling calling(*this, function, keys.empty() ? "" : keys[0]);
  auto *names = calling.given.array<omnistore_bytes>(keys.size(), "the keys");
  auto **sinks = calling.given.array<omnistore_sink *>(keys.size(), "the sinks");
  auto **requests = calling.given.array<const omnistore_get_request *>(keys.size(), "the requests");
  auto *statuses = calling.given.array<omnistore_status>(keys.size(), "the statuses");
  SinkOptions fails = how.into;
  fails.write_fails = fails.begin_fails = OMNISTORE_NO_SPACE;
  std::vector<std::unique_ptr<Calling::Sink>> made;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    names[i] = calling.given.bytes(keys[i], "a key");
    made.push_back(std::make_unique<Calling::Sink>(calling, failing_sink == i ? fails : how.into));
    sinks[i] = made.back()->raw();
    requests[i] = calling.reading(how);
    statuses[i] = OMNISTORE_INTERNAL;
  }
  const auto count = static_cast<std::uint32_t>(keys.size());
  const omnistore_status status = stat
                                      ? driver_.stat_many(self_, calling.raw(), names, count, requests, sinks, statuses)
                                      : driver_.get_many(self_, calling.raw(), names, count, requests, sinks, statuses);
  calling.judge();
  std::vector<GetResult> all(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    all[i].status = status == OMNISTORE_OK ? statuses[i] : status;
    all[i].message = calling.message(status == OMNISTORE_OK ? static_cast<std::uint32_t>(i) : 0);
    made[i]->finish(all[i], stat ? nullptr : &how);
    if (failing_sink != i) judge(function, all[i]);
  }
  return all;
}

std::vector<CallResult> Store::set_many(const std::vector<Item> &items) {
  if (!driver_.set_many) throw Skipped("the driver has no set_many");
  Calling calling(*this, "set_many", items.empty() ? "" : items[0].key);
  auto *names = calling.given.array<omnistore_bytes>(items.size(), "the keys");
  auto **requests = calling.given.array<const omnistore_set_request *>(items.size(), "the requests");
  auto *statuses = calling.given.array<omnistore_status>(items.size(), "the statuses");
  auto **results = calling.given.array<omnistore_sink *>(items.size(), "the results");
  std::optional<Calling::Source> none;
  const SinkOptions taking;
  std::vector<std::unique_ptr<Calling::Sink>> made(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    names[i] = calling.given.bytes(items[i].key, "a key");
    requests[i] = calling.writing(items[i].value, items[i].how, none);
    statuses[i] = OMNISTORE_INTERNAL;
    if (!items[i].how.wants_meta) continue;
    made[i] = std::make_unique<Calling::Sink>(calling, taking);
    results[i] = made[i]->raw();
  }
  const bool any = std::any_of(made.begin(), made.end(), [](const auto &each) { return each != nullptr; });
  const omnistore_status status =
      driver_.set_many(self_, calling.raw(), names, static_cast<std::uint32_t>(items.size()), requests,
                       any ? results : nullptr, statuses);
  calling.judge();
  std::vector<CallResult> all(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    all[i].status = status == OMNISTORE_OK ? statuses[i] : status;
    all[i].message = calling.message(status == OMNISTORE_OK ? static_cast<std::uint32_t>(i) : 0);
    judge("set_many", all[i]);
    if (!made[i] || !made[i]->begun()) continue;
    GetResult got;
    got.status = all[i].status;
    made[i]->finish(got, nullptr);
    all[i].meta = got.meta;
  }
  return all;
}

std::vector<CallResult> Store::remove_many(const std::vector<std::string> &keys,
                                           const std::vector<std::string> &etags) {
  if (!driver_.remove_many) throw Skipped("the driver has no remove_many");
  Calling calling(*this, "remove_many", keys.empty() ? "" : keys[0]);
  auto *names = calling.given.array<omnistore_bytes>(keys.size(), "the keys");
  auto *statuses = calling.given.array<omnistore_status>(keys.size(), "the statuses");
  auto **requests = calling.given.array<const omnistore_remove_request *>(keys.size(), "the requests");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    names[i] = calling.given.bytes(keys[i], "a key");
    statuses[i] = OMNISTORE_INTERNAL;
    omnistore_remove_request request{};
    request.size = sizeof request;
    if (i < etags.size() && !etags[i].empty()) {
      request.condition = OMNISTORE_IF_MATCH;
      request.etag = calling.given.bytes(etags[i], "the etag");
    }
    requests[i] = calling.use_structs(request, "a request");
  }
  const omnistore_status status =
      driver_.remove_many(self_, calling.raw(), names, static_cast<std::uint32_t>(keys.size()), requests, statuses);
  calling.judge();
  std::vector<CallResult> all(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    all[i].status = status == OMNISTORE_OK ? statuses[i] : status;
    all[i].message = calling.message(status == OMNISTORE_OK ? static_cast<std::uint32_t>(i) : 0);
    judge("remove_many", all[i]);
  }
  return all;
}

CallResult Store::touch(std::string_view key, std::optional<std::int64_t> expiry, std::optional<std::string> user) {
  if (!driver_.touch) throw Skipped("the driver has no touch");
  Calling calling(*this, "touch", key);
  omnistore_touch_request request{};
  request.size = sizeof request;
  if (expiry) {
    request.flags |= OMNISTORE_TOUCH_EXPIRY;
    request.expiry = *expiry;
  }
  if (user) {
    request.flags |= OMNISTORE_TOUCH_USER;
    request.user = calling.given.bytes(*user, "the user meta");
  }
  CallResult done;
  done.status = driver_.touch(self_, calling.raw(), calling.given.bytes(key, "the key"),
                              calling.use_structs(request, "the request"));
  done.message = calling.message();
  calling.judge();
  judge("touch", done);
  return done;
}

const void *Store::extension(const char *id) {
  if (!driver_.extension) return nullptr;
  progress::say("extension", id);
  return driver_.extension(self_, id);
}

// ------------------------------------------------------------------------------------------------------------ watching

struct Watch::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Change> changes;
};

/// The driver's watcher. Its memory is unmapped after unwatch.
struct Watch::Face : omnistore_watcher {
  State *state;
};

std::unique_ptr<Watch> Store::watch(std::string_view base) {
  if (!driver_.watch) throw Skipped("the driver has no watch");
  std::unique_ptr<Watch> watch(new Watch(*this));
  watch->state_ = std::make_shared<Watch::State>();
  watch->memory_ = std::make_unique<CallMemory>("watch");
  Watch::Face face{};
  face.size = sizeof(omnistore_watcher);
  face.state = watch->state_.get();
  face.event = [](omnistore_watcher *watcher, const omnistore_event *event) noexcept {
    Watch::State &state = *static_cast<Watch::Face *>(watcher)->state;
    const std::lock_guard lock(state.mutex);
    state.changes.push_back({event->type, event->cause, std::string(as_view(event->key))});
    state.changed.notify_all();
  };
  omnistore_watcher *watcher = watch->memory_->make(face, "the watcher");
  Calling calling(*this, "watch", base);
  omnistore_watch_request request{};
  request.size = sizeof request;
  request.base = calling.given.bytes(base, "the base");
  const omnistore_status status =
      driver_.watch(self_, calling.raw(), calling.use_structs(request, "the request"), watcher, &watch->watch_);
  calling.judge();
  if (status == OMNISTORE_UNSUPPORTED) {
    watch->store_ = nullptr;
    throw Skipped("watch is refused: " + calling.message());
  }
  if (status != OMNISTORE_OK) {
    watch->store_ = nullptr;
    throw Broken("watch failed with " + name_of(status) + " (" + calling.message() + ")");
  }
  return watch;
}

std::vector<Change> Watch::changes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->changes;
}

bool Watch::wait(const std::function<bool(const Change &)> &wanted, std::chrono::milliseconds longest) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, longest,
                                  [&] { return std::any_of(state_->changes.begin(), state_->changes.end(), wanted); });
}

void Watch::end() {
  if (!store_) return;
  progress::say("unwatch", "");
  store_->driver_.unwatch(store_->self_, watch_);
  store_ = nullptr;
  memory_.reset();
}

Watch::~Watch() { end(); }

// ------------------------------------------------------------------------------------------------------------- reports

const Meta &CallResult::known_meta() const {
  require(meta.has_value(), "there is no meta; the result is " + shown(*this));
  return *meta;
}

std::string name_of(omnistore_status status) {
  static constexpr struct {
    omnistore_status status;
    const char *name;
  } names[] = {{OMNISTORE_OK, "OK"},
               {OMNISTORE_NOT_FOUND, "NOT_FOUND"},
               {OMNISTORE_INVALID, "INVALID"},
               {OMNISTORE_DENIED, "DENIED"},
               {OMNISTORE_READ_ONLY, "READ_ONLY"},
               {OMNISTORE_CONFLICT, "CONFLICT"},
               {OMNISTORE_TOO_LARGE, "TOO_LARGE"},
               {OMNISTORE_UNSUPPORTED, "UNSUPPORTED"},
               {OMNISTORE_TIMEOUT, "TIMEOUT"},
               {OMNISTORE_CANCELLED, "CANCELLED"},
               {OMNISTORE_UNAVAILABLE, "UNAVAILABLE"},
               {OMNISTORE_NO_SPACE, "NO_SPACE"},
               {OMNISTORE_IO, "IO"},
               {OMNISTORE_CORRUPT, "CORRUPT"},
               {OMNISTORE_INTERNAL, "INTERNAL"}};
  for (const auto &each : names)
    if (each.status == status) return each.name;
  return "status " + std::to_string(status);
}

std::string shown(std::string_view bytes) {
  constexpr std::size_t most = 60;
  std::string text = "\"";
  for (const char c : bytes.substr(0, most)) {
    if (c == '"' || c == '\\')
      text += std::string("\\") + c;
    else if (c >= ' ' && c < 127)
      text += c;
    else {
      char code[5];
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
      text += code;
    }
  }
  text += '"';
  if (bytes.size() > most) text += "... (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

std::string shown(const CallResult &done) {
  return name_of(done.status) + (done.message.empty() ? "" : " (" + done.message + ")");
}

std::string shown(const GetResult &got) {
  return got.ok() ? "OK with " + shown(got.bytes) : shown(static_cast<const CallResult &>(got));
}

} // namespace omnistore::kit

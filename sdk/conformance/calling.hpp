// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <omnistore/driver.h>
#include <omnistore/value.hpp>

#include "call_memory.hpp"
#include "progress.hpp"
#include "store.hpp"

namespace omnistore::kit {

/// Returns a copy of meta, which is checked. Throws Broken if its form is wrong.
Meta meta_of(const omnistore_meta &meta);

/// One call: its arguments and its result. Problems that the callbacks find are kept until the driver has returned,
/// since no exception may pass through the driver.
class Store::Calling {
public:
  Calling(Store &store, const char *function, std::string_view about) : given(function), store_(store) {
    progress::say(function, about);
    if (store.traits_.thread_model < OMNISTORE_PARALLEL) serial_ = std::unique_lock(store.serial_);
    Context context{};
    context.size = sizeof(omnistore_context);
    if (store.unknown_values_) context.priority = OMNISTORE_PRIORITY_BACKGROUND / 2;
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
  /// Notes a problem unless this is the thread on which the driver's function was called.
  void on_thread(const char *callback) {
    require(std::this_thread::get_id() == thread_,
            std::string(callback) + " was called on another thread than the function that received the object");
  }
  /// Returns the flags of a request, with one that no driver knows if the store passes such.
  std::uint32_t flags(std::uint32_t known) const { return known | (store_.unknown_values_ ? 0x4000'0000u : 0); }
  /// Throws the problem that the callbacks found. Called after the function has returned.
  void judge() const { require(broken_.empty(), broken_); }
  std::string message(std::uint32_t item = 0) const {
    const auto found = messages_.find(item);
    return found == messages_.end() ? std::string() : found->second;
  }
  bool nothing_done(std::uint32_t item = 0) const {
    const auto found = nothing_done_.find(item);
    return found != nothing_done_.end() && found->second;
  }
  void keep(const omnistore_failure &failure) noexcept {
    check([&] {
      on_thread("fail");
      require(failure.size >= offsetof(omnistore_failure, retry_after),
              "a failure's size is " + std::to_string(failure.size));
      const std::lock_guard lock(mutex_);
      if (failure.message.size) messages_[failure.item] = as_view(failure.message);
      nothing_done_[failure.item] =
          OMNISTORE_HAS(omnistore_failure, &failure, flags) && failure.flags & OMNISTORE_NOTHING_DONE;
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
  std::map<std::uint32_t, bool> nothing_done_{};
  const std::thread::id thread_ = std::this_thread::get_id();

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
        self.calling_.on_thread("begin");
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
        self.calling_.on_thread("write");
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
        self.calling_.on_thread("lend");
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
        self.calling_.on_thread("emit");
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
        self.calling_.on_thread("next");
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
    Source(Calling &calling, const Pieces &pieces) : calling_(calling), pieces_(pieces) {
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
      self.calling_.check([&] { self.calling_.on_thread("read"); });
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
    Calling &calling_;
    const Pieces &pieces_;
    std::size_t piece_ = 0, at_ = 0;
    Face *face_;
  };

  omnistore_get_request *reading(const GetOptions &how) {
    return use_structs(omnistore_get_request{sizeof(omnistore_get_request), flags(how.flags), how.offset, how.length},
                       "the request");
  }
  omnistore_set_request *writing(std::string_view value, const SetOptions &how, std::optional<Source> &source) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.flags = flags(0);
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

} // namespace omnistore::kit

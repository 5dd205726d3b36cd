// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include <omnistore/driver.h>
#include <omnistore/listing.hpp>
#include <omnistore/value.hpp>

/// A store that keeps the whole contract, in memory, and breaks the one rule that it is made for. At wrong("RULE")
/// it goes astray.
namespace wrong_map {

using omnistore::as_bytes;
using omnistore::as_view;

inline constexpr std::uint64_t longest_key = 3000, largest_value = 32u << 20;

struct Value {
  std::shared_ptr<const std::string> bytes;
  std::string user, etag;
  std::int64_t mtime = 0, expiry = 0;
};
using Values = std::map<std::string, Value, std::less<>>;

struct Watcher {
  std::string base;
  omnistore_watcher *to;
};

inline omnistore_status fail(omnistore_call *call, omnistore_status status, std::string_view message,
                             std::uint32_t item = 0) {
  const omnistore_failure failure{sizeof failure, item, as_bytes(message), 0, 0, 0};
  call->fail(call, &failure);
  return status;
}

class Map {
public:
  Map(const omnistore_host *host, std::string_view rule) : host_(host), rule_(rule) {
    // A store that outlives itself, for rules about stores that are opened again.
    static Values kept;
    if (wrong("process-unchanged")) umask(077);
    values_ = wrong("list-cursor-lives") || wrong("watch-others") || wrong("keeps-through-close") ? &kept : &own_;
  }
  ~Map() {
    if (wrong("open-at-once")) one_closed_ = true;
    if (wrong("close-clean")) std::thread([] { pause(); }).detach();
    if (wrong("close-frees-memory")) leak(std::malloc(4000));
    if (wrong("keeps-through-close")) values_->clear();
  }

  bool wrong(std::string_view rule) const { return rule_ == rule; }

  /// How many calls are under way, of those that take part.
  struct Beside {
    std::atomic<int> &calls;
    explicit Beside(std::atomic<int> &all) : calls(all) { ++calls; }
    ~Beside() { --calls; }
    bool alone() const {
      std::this_thread::sleep_for(std::chrono::microseconds(100)); // others come meanwhile, if there are any
      return calls == 1;
    }
  };

  omnistore_status get(omnistore_call *call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink *sink, bool bytes_too) {
    if (wrong("deadline-passed") && call->remaining(call) == 0) std::this_thread::sleep_for(std::chrono::seconds(2));
    if (wrong("cancelled") && call->context->cancelled(call->context))
      return fail(call, OMNISTORE_INTERNAL, "nobody is there");
    const Beside beside(calls_);
    const bool alone = !(wrong("threads-own-keys") || wrong("threads-flicker")) || beside.alone();
    if (wrong("threads-own-keys") && !alone) return OMNISTORE_NOT_FOUND;
    std::unique_lock lock(mutex_);
    if (wrong("reads-change-nothing") && ++reads_ == 10) values_->erase(std::string(key));
    const auto found = find(key);
    if (found == values_->end()) {
      if (wrong("get-missing")) return give(*sink, {}, "", request, bytes_too);
      return OMNISTORE_NOT_FOUND;
    }
    const Value value = found->second;
    lock.unlock();
    if (wrong("arguments-copied") && lasting_) reads_ += *static_cast<const volatile char *>(lasting_);
    std::string_view bytes = *value.bytes;
    if (wrong("get-what-was-set") && bytes.size() == 7) bytes.remove_suffix(1);
    if (wrong("set-long") && bytes.size() > (4u << 20)) bytes = bytes.substr(0, 4u << 20);
    if (wrong("set-empty") && bytes.empty()) return OMNISTORE_NOT_FOUND;
    if (wrong("threads-flicker") && bytes.size() > 4'000 && !alone) bytes.remove_suffix(1);
    std::string torn;
    if (wrong("threads-whole") && bytes.size() > 1000) {
      torn = std::string(bytes.substr(0, 500));
      std::this_thread::yield();
      const std::lock_guard again(mutex_);
      const auto now = find(key);
      if (now != values_->end()) torn += now->second.bytes->size() > 500 ? now->second.bytes->substr(500) : "";
      bytes = torn;
    }
    return give(*sink, value, bytes, request, bytes_too);
  }

  omnistore_status set(omnistore_call *call, std::string_view name, const omnistore_set_request &given,
                       omnistore_sink *result, std::uint32_t item = 0) {
    if (wrong("structs-longer") && given.size != sizeof given)
      return fail(call, OMNISTORE_INVALID, "a request of another size", item);
    omnistore_set_request request{};
    std::memcpy(&request, &given,
                wrong("structs-shorter") ? sizeof request : std::min<std::size_t>(given.size, sizeof request));
    if (wrong("many-messages")) item = 0;
    std::string key(name);
    if (wrong("values-unknown") && request.flags) return fail(call, OMNISTORE_INVALID, "an unknown flag", item);
    if (wrong("arguments-copied")) lasting_ = static_cast<const char *>(request.value.data);
    if (wrong("nothing-done") && call->remaining(call) == 0) {
      const omnistore_failure late{
          sizeof late, item, as_bytes(std::string_view("too late")), 0, OMNISTORE_NOTHING_DONE, 0};
      call->fail(call, &late);
      const std::lock_guard lock(mutex_);
      values_->erase(key);
      return OMNISTORE_TIMEOUT;
    }
    if (wrong("open-at-once") && one_closed_) return fail(call, OMNISTORE_UNAVAILABLE, "a store was closed", item);
    if (wrong("keys-strange"))
      std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
    if (wrong("keys-apart")) std::replace(key.begin(), key.end(), '-', ':');
    if (wrong("key-too-long") && key.size() > longest_key) key.resize(longest_key);
    if (key.size() > longest_key - (wrong("key-longest") ? 1 : 0) && !wrong("key-too-long"))
      return fail(call, OMNISTORE_TOO_LARGE, "a key of " + std::to_string(key.size()) + " bytes", item);
    std::string bytes;
    if (request.source) {
      std::array<char, 9000> piece;
      for (std::uint64_t read = 1; read;) {
        if (const omnistore_status status = request.source->read(request.source, piece.data(), piece.size(), &read);
            status != OMNISTORE_OK) {
          if (!wrong("source-fails")) return status;
          break;
        }
        bytes.append(piece.data(), read);
        if (wrong("source") && bytes.size() > 100'000) break;
      }
      if (request.source_size != OMNISTORE_UNKNOWN_SIZE && bytes.size() != request.source_size &&
          !wrong("source-size") && !wrong("source-fails") && !wrong("source"))
        return fail(call, OMNISTORE_INVALID, "the value is not as long as was announced", item);
    } else {
      bytes = as_view(request.value);
    }
    if (bytes.size() > largest_value && !wrong("value-largest"))
      return fail(call, OMNISTORE_TOO_LARGE, "a value of " + std::to_string(bytes.size()) + " bytes", item);
    if (wrong("value-with-user") && request.user.size && bytes.size() + request.user.size > largest_value - 100)
      return fail(call, OMNISTORE_TOO_LARGE, "a value and user meta that are too long together", item);
    if (wrong("set-replaces")) {
      const std::lock_guard lock(mutex_);
      if (const auto found = find(key);
          found != values_->end() && found->second.bytes->size() > bytes.size() && bytes.size() > 10)
        bytes += found->second.bytes->substr(bytes.size());
    }
    if (wrong("mtime")) now_skew_ = 86'400'000;
    const bool alone = !wrong("if-absent-one-wins") && !wrong("if-match-loses-nothing") && !wrong("history");
    std::unique_lock lock(mutex_);
    const auto found = find(key);
    const bool there = found != values_->end();
    bool holds = true;
    if (wrong("ttl-condition") && request.expiry && request.expiry <= now()) {
      values_->erase(key);
      return OMNISTORE_OK;
    }
    switch (request.condition) {
    case OMNISTORE_IF_ABSENT:
      holds = !there || wrong("if-absent") || wrong("many-set-conditions");
      break;
    case OMNISTORE_IF_PRESENT:
      holds = there || wrong("if-present");
      break;
    case OMNISTORE_IF_MATCH:
      holds = (there && found->second.etag == as_view(request.etag)) || wrong("if-match");
      break;
    default:
      break;
    }
    if (!holds) return OMNISTORE_CONFLICT;
    if (!alone && request.condition != OMNISTORE_ALWAYS) { // the condition held a moment ago
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      lock.lock();
    }
    Value value;
    value.bytes = std::make_shared<const std::string>(std::move(bytes));
    value.user = as_view(request.user);
    if (wrong("user-ends") && there && value.user.empty()) value.user = found->second.user;
    value.mtime = now();
    value.expiry = request.expiry;
    if (wrong("ttl-grain") && value.expiry) value.expiry += 7;
    if (wrong("ttl-told") && there && !value.expiry) value.expiry = found->second.expiry;
    value.etag = "e" + std::to_string(wrong("etag-after-removal") && !there ? 1 : ++etags_ + 1);
    if (wrong("etag-form")) value.etag = '"' + value.etag + '"';
    if (wrong("etag-changes")) value.etag = "e" + std::to_string(value.bytes->size());
    if (value.expiry && value.expiry <= now() && !wrong("ttl-past")) {
      values_->erase(key);
    } else {
      if (wrong("ttl-past") && value.expiry && value.expiry <= now()) value.expiry = 0;
      if (wrong("sink-loans") && there && found->second.bytes->size() > 1'000'000)
        std::memset(const_cast<char *>(found->second.bytes->data()), 'x', 100);
      (*values_)[key] = value;
      if (wrong("list-folders-removed")) ever_[key] = value;
    }
    if (wrong("keys-without-nesting") && key.find(':') != key.npos) {
      for (std::size_t at = key.find(':'); at != key.npos; at = key.find(':', at + 1))
        values_->erase(key.substr(0, at));
    }
    lock.unlock();
    tell(OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, key);
    if (!result) return OMNISTORE_OK;
    if (wrong("etag-agrees")) value.etag = "other";
    const omnistore_meta meta = meta_of(value, OMNISTORE_GET_META);
    return result->begin(result, &meta, nullptr);
  }

  omnistore_status remove(omnistore_call *, std::string_view name, const omnistore_remove_request &request) {
    const std::string key(name);
    {
      const std::lock_guard lock(mutex_);
      const auto found = find(key);
      const bool there = found != values_->end();
      if (request.condition == OMNISTORE_IF_MATCH && !wrong("if-match-remove") &&
          (!there || found->second.etag != as_view(request.etag)))
        return OMNISTORE_CONFLICT;
      if (!there && request.condition == OMNISTORE_IF_PRESENT && wrong("if-present-remove")) return OMNISTORE_CONFLICT;
      if (!there) return wrong("remove-missing") ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
      if (wrong("remove")) return OMNISTORE_OK;
      if (wrong("model") && key.ends_with("d:e:f")) return OMNISTORE_OK;
      if (wrong("threads-everything")) ghost_ = key;
      values_->erase(found);
      if (wrong("keys-nest"))
        std::erase_if(*values_, [&](const auto &each) { return each.first.starts_with(key + ":"); });
    }
    tell(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_REMOVED, key);
    return OMNISTORE_OK;
  }
  // map_listing.cpp
  omnistore_status list(omnistore_call *call, const omnistore_list_request &given, omnistore_page *page);
  omnistore_status list_part(omnistore_call *call, omnistore_list_request request, omnistore_page *page);
  omnistore_status clear(omnistore_call *, const omnistore_clear_request &request, omnistore_page *removed);

  omnistore_status touch(omnistore_call *, std::string_view key, const omnistore_touch_request &request) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = find(key);
      if (found == values_->end()) return OMNISTORE_NOT_FOUND;
      Value &value = found->second;
      if (request.flags & OMNISTORE_TOUCH_USER) value.user = as_view(request.user);
      if (request.flags & OMNISTORE_TOUCH_EXPIRY) value.expiry = request.expiry;
      if (wrong("ttl-touch-ends") && value.expiry > now()) value.expiry = 0;
      if (wrong("user-touch") && request.flags & OMNISTORE_TOUCH_USER) value.etag = "e" + std::to_string(++etags_);
      if (wrong("ttl-touch") && request.flags & OMNISTORE_TOUCH_EXPIRY) value.etag = "e" + std::to_string(++etags_);
      if (value.expiry && value.expiry <= now()) {
        if (wrong("ttl-touch-past"))
          value.expiry = 0;
        else
          values_->erase(found);
      }
    }
    tell(OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, key);
    return OMNISTORE_OK;
  }

  omnistore_status watch(const omnistore_watch_request &request, omnistore_watcher *watcher, void **watch) {
    const std::lock_guard lock(watching_);
    auto *mine = new Watcher{std::string(as_view(request.base)), watcher};
    watchers_.insert(mine);
    *watch = mine;
    if (wrong("watch-limited")) {
      omnistore_event limited{};
      limited.size = sizeof limited;
      limited.type = OMNISTORE_EVENT_LIMITED;
      watcher->event(watcher, &limited);
    }
    if (wrong("watch-many") && watchers_.size() > 5) std::abort();
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) {
    const std::lock_guard lock(watching_);
    auto *mine = static_cast<Watcher *>(watch);
    if (wrong("watch-ends")) return; // and reports on
    if (wrong("close-after-watch")) leak(std::fopen("/dev/null", "r"));
    watchers_.erase(mine);
    delete mine;
  }

  std::int64_t now() const { return host_->now(host_) + now_skew_; }

private:
  const omnistore_host *host_;
  const std::string_view rule_;
  mutable std::mutex mutex_;
  std::mutex watching_;
  Values own_, *values_, ever_;
  std::set<Watcher *> watchers_;
  std::uint64_t etags_ = 0;
  std::int64_t now_skew_ = 0;
  std::size_t last_ = 0;
  std::uint32_t limit_ = 0; ///< of the last page
  int reads_ = 0;
  const char *lasting_ = nullptr; ///< in the memory of an earlier call
  std::string ghost_;
  std::atomic<int> calls_ = 0;
  static inline std::atomic<bool> one_closed_ = false;
  std::atomic<int> opened_pages_ = 0;

  static void leak(void *lost) {
    [[maybe_unused]] static void *volatile last;
    last = lost;
  }

  bool is_over(const Value &value) const {
    return value.expiry && value.expiry <= host_->now(host_) && !wrong("ttl-ends");
  }
  /// The value of a key, if it has a live one. Under the lock.
  Values::iterator find(std::string_view key) {
    std::string name(key);
    if (wrong("keys-strange"))
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (wrong("keys-apart")) std::replace(name.begin(), name.end(), '-', ':');
    const auto found = values_->find(name);
    if (found == values_->end() || !is_over(found->second)) return found;
    if (wrong("ttl-ended-is-absent") && ++over_ > 1) return found;
    if (!wrong("ttl-ended-is-absent")) values_->erase(found);
    if (!wrong("ttl-ended-is-absent")) announce(name);
    return values_->end();
  }
  int over_ = 0;
  void announce(const std::string &key) {
    omnistore_event event{};
    event.size = sizeof event;
    event.type = OMNISTORE_EVENT_REMOVE;
    event.cause = wrong("announces-truth") ? OMNISTORE_CAUSE_REMOVED : OMNISTORE_CAUSE_EXPIRED;
    event.key = as_bytes(key);
    host_->event(host_, &event);
  }
  void tell(std::uint32_t type, std::uint32_t cause, std::string_view key) {
    if (wrong("watch-own") || wrong("watch-others") || wrong("lag-proves")) return;
    omnistore_event event{};
    event.size = sizeof event;
    event.type = type;
    event.cause = cause;
    event.key = as_bytes(key);
    const std::lock_guard lock(watching_);
    for (const Watcher *each : watchers_)
      if (key.starts_with(each->base) || wrong("watch-base")) each->to->event(each->to, &event);
  }

  omnistore_meta meta_of(const Value &value, std::uint32_t flags) const {
    omnistore_meta meta = omnistore::make_meta(value.bytes->size(), value.mtime, value.expiry);
    if (flags & OMNISTORE_GET_META || wrong("etag-when-asked")) meta.etag = as_bytes(value.etag);
    if ((flags & OMNISTORE_GET_USER && !wrong("user-kept")) || wrong("user-when-asked"))
      omnistore::add_user(meta, value.user);
    return meta;
  }

  omnistore_status give(omnistore_sink &sink, const Value &value, std::string_view whole,
                        const omnistore_get_request &request, bool bytes_too) {
    static const auto nothing = std::make_shared<const std::string>();
    Value given = value;
    if (!given.bytes) given.bytes = nothing;
    omnistore_meta meta = meta_of(given, request.flags);
    if (whole.size() != given.bytes->size()) meta.value_size = whole.size();
    if (wrong("size-true")) meta.value_size = bytes_too ? OMNISTORE_UNKNOWN_SIZE : whole.size() + 1;
    if (wrong("stat-no-bytes")) bytes_too = true;
    std::string_view part = bytes_too ? omnistore::part_of(whole, request) : std::string_view();
    if (wrong("range") && request.offset == 5000) part = part.substr(0, part.size() / 2);
    void *buffer = nullptr;
    const bool lends =
        bytes_too && omnistore::takes_loans(sink) && part.size() > 1'000'000 && whole.data() == given.bytes->data();
    omnistore_status status = sink.begin(&sink, &meta, lends || !bytes_too ? nullptr : &buffer);
    if (status != OMNISTORE_OK) {
      if (!wrong("sink-begin-fails")) return status;
      status = OMNISTORE_OK;
    }
    if (part.empty()) return status;
    if (lends) {
      auto *owner = new std::shared_ptr<const std::string>(given.bytes);
      const omnistore_loan loan{
          sizeof loan, 0, [](void *held, void *) { delete static_cast<std::shared_ptr<const std::string> *>(held); },
          owner, nullptr};
      status = sink.lend(&sink, part.data(), part.size(), &loan);
      if (status != OMNISTORE_OK) delete owner;
      return status;
    }
    if (buffer) {
      std::memcpy(buffer, part.data(), part.size());
      if (wrong("sink-buffer")) std::memset(static_cast<char *>(buffer) + part.size(), 0, 16);
      return sink.write(&sink, buffer, part.size());
    }
    if (wrong("calls-on-thread")) {
      std::thread([&] { status = sink.write(&sink, part.data(), part.size()); }).join();
      return status;
    }
    while (!part.empty()) {
      const std::size_t piece = std::min<std::size_t>(part.size(), 50'000);
      status = sink.write(&sink, part.data(), piece);
      if (status != OMNISTORE_OK && !wrong("sink-write-fails")) return status;
      part.remove_prefix(piece);
    }
    return OMNISTORE_OK;
  }
};

} // namespace wrong_map

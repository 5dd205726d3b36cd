// SPDX-License-Identifier: Apache-2.0
// One driver that keeps the whole contract, in memory, and one for each rule of the kit that breaks that rule and as
// little else as it can: "wrong-RULE". Each goes astray at wrong("RULE").
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <omnistore/driver.h>
#include <omnistore/ext/health.h>
#include <omnistore/ext/revalidate.h>
#include <omnistore/ext/stats.h>
#include <omnistore/ext/validate.h>
#include <omnistore/listing.hpp>
#include <omnistore/value.hpp>

using omnistore::as_bytes;
using omnistore::as_view;

namespace {

constexpr std::uint64_t longest_key = 3000, largest_value = 32u << 20;
constexpr const char *schema = R"({"type": "object", "properties": {"name": {"type": "string"}}})";

/// The rules that the drivers break. Those about the plugin as a whole are entry.c's.
constexpr const char *rules[] = {"table-whole",
                                 "names",
                                 "schema",
                                 "traits-stated",
                                 "claims-fit",
                                 "extensions-named",
                                 "open-close",
                                 "open-at-once",
                                 "open-failed",
                                 "close-clean",
                                 "close-after-watch",
                                 "close-frees-memory",
                                 "get-missing",
                                 "remove-missing",
                                 "get-what-was-set",
                                 "set-empty",
                                 "set-long",
                                 "set-replaces",
                                 "size-true",
                                 "remove",
                                 "read-only",
                                 "range",
                                 "reads-change-nothing",
                                 "keys-strange",
                                 "keys-nest",
                                 "keys-without-nesting",
                                 "keys-apart",
                                 "key-longest",
                                 "key-too-long",
                                 "value-largest",
                                 "sink-buffer",
                                 "sink-begin-fails",
                                 "sink-write-fails",
                                 "sink-loans",
                                 "source",
                                 "source-fails",
                                 "source-size",
                                 "etag-changes",
                                 "etag-agrees",
                                 "etag-after-removal",
                                 "mtime",
                                 "user-kept",
                                 "user-when-asked",
                                 "user-ends",
                                 "user-touch",
                                 "ttl-ends",
                                 "ttl-told",
                                 "ttl-past",
                                 "ttl-touch",
                                 "ttl-touch-past",
                                 "ttl-touch-ends",
                                 "ttl-ended-is-absent",
                                 "if-absent",
                                 "if-present",
                                 "if-match",
                                 "if-match-remove",
                                 "if-absent-one-wins",
                                 "if-match-loses-nothing",
                                 "list-all",
                                 "list-base",
                                 "list-nothing",
                                 "list-pages",
                                 "list-limit",
                                 "list-depth",
                                 "list-order",
                                 "list-meta",
                                 "list-emit-fails",
                                 "list-cursor-lives",
                                 "list-cursor-wrong",
                                 "list-steady",
                                 "list-range",
                                 "list-range-any",
                                 "list-range-empty",
                                 "list-reverse",
                                 "list-reverse-range",
                                 "list-folders",
                                 "list-folders-once",
                                 "list-folders-limit",
                                 "list-folders-meta",
                                 "list-folders-order",
                                 "list-folders-range",
                                 "list-folders-removed",
                                 "list-folders-any-depth",
                                 "clear",
                                 "clear-nothing",
                                 "clear-neighbours",
                                 "many-get",
                                 "many-get-twice",
                                 "many-stat",
                                 "many-set-results",
                                 "many-remove-conditions",
                                 "structs-longer",
                                 "cancelled",
                                 "structs-shorter",
                                 "health",
                                 "many-get-beside-failure",
                                 "many-set",
                                 "many-set-last-wins",
                                 "many-set-conditions",
                                 "many-set-expiries",
                                 "many-remove",
                                 "watch-own",
                                 "watch-others",
                                 "watch-base",
                                 "watch-ends",
                                 "watch-many",
                                 "announces-truth",
                                 "threads-own-keys",
                                 "threads-whole",
                                 "threads-flicker",
                                 "threads-everything",
                                 "deadline-passed",
                                 "messages-plain",
                                 "stats-numbers",
                                 "revalidate",
                                 "validate",
                                 "keeps-through-close",
                                 "keeps-through-kills",
                                 "shared-seen",
                                 "model",
                                 "history"};
constexpr std::size_t count = std::size(rules);

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

omnistore_status fail(omnistore_call *call, omnistore_status status, std::string_view message, std::uint32_t item = 0) {
  const omnistore_failure failure{sizeof failure, item, as_bytes(message), 0, 0, 0};
  call->fail(call, &failure);
  return status;
}

class Map {
public:
  Map(const omnistore_host *host, std::string_view rule) : host_(host), rule_(rule) {
    // A store that outlives itself, for rules about stores that are opened again.
    static Values kept;
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
    std::string key(name);
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
    if (wrong("ttl-told") && there && !value.expiry) value.expiry = found->second.expiry;
    value.etag = "e" + std::to_string(wrong("etag-after-removal") && !there ? 1 : ++etags_ + 1);
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

  omnistore_status list(omnistore_call *call, const omnistore_list_request &given, omnistore_page *page) {
    omnistore_list_request request{};
    std::memcpy(&request, &given, std::min<std::size_t>(given.size, sizeof request));
    if (request.start.size || request.end.size || request.flags & (OMNISTORE_LIST_REVERSE | OMNISTORE_LIST_FOLDERS))
      return list_part(call, request, page);
    std::string base(as_view(request.base)), cursor(as_view(request.cursor));
    if (wrong("deadline-passed") && call->remaining(call) == 0) std::this_thread::sleep_for(std::chrono::seconds(2));
    if (wrong("messages-plain") && !cursor.empty() && cursor[0] == '\x01')
      return fail(call, OMNISTORE_INVALID, "This is no cursor.");
    if (!cursor.empty() && (cursor[0] != '>' || cursor.size() > 4096)) {
      if (wrong("list-cursor-wrong")) return fail(call, OMNISTORE_INTERNAL, "what a cursor");
      return fail(call, OMNISTORE_INVALID, "it is no cursor of this store");
    }
    if (wrong("list-cursor-lives") && opened_pages_++ == 0 && !cursor.empty()) cursor = ">";
    if (wrong("list-base") && !base.empty()) base.pop_back();
    if (wrong("list-all") && base.empty()) base = "none:";
    std::vector<std::pair<std::string, Value>> some;
    bool more = false;
    {
      const std::lock_guard lock(mutex_);
      std::size_t position =
          wrong("list-steady") && !cursor.empty() ? std::strtoul(cursor.c_str() + 1, nullptr, 10) : 0;
      auto at =
          wrong("list-steady") || cursor.empty() ? values_->lower_bound(base) : values_->upper_bound(cursor.substr(1));
      if (wrong("list-steady")) { // it counts, in place of remembering the key
        for (std::size_t i = 0; i < position && at != values_->end(); ++i) ++at;
      }
      if (!wrong("list-steady") && !cursor.empty() && at != values_->end() && at->first < base)
        at = values_->lower_bound(base);
      for (; at != values_->end() && (at->first.starts_with(base) || wrong("list-base")); ++at, ++position) {
        if (!at->first.starts_with(base)) break;
        if (is_over(at->second) && !wrong("ttl-ends")) continue;
        if (!omnistore::lists(request, at->first) && !wrong("list-base") && !wrong("list-depth")) continue;
        if (some.size() == request.limit && !wrong("list-limit")) {
          more = true;
          break;
        }
        some.emplace_back(at->first, at->second);
        last_ = position + 1;
      }
    }
    if (!ghost_.empty() && !more)
      some.emplace_back(ghost_, Value{std::make_shared<const std::string>(), "", "e", 0, 0});
    if (wrong("list-order") && some.size() > 2) std::swap(some[0], some[1]);
    if (wrong("list-nothing") && some.empty()) return OMNISTORE_NOT_FOUND;
    for (const auto &[key, value] : some) {
      omnistore_meta meta = meta_of(value, OMNISTORE_GET_META);
      if (wrong("list-meta")) meta.value_size += 1;
      const omnistore_status status =
          page->emit(page, as_bytes(key), request.flags & OMNISTORE_LIST_META ? &meta : nullptr);
      if (status != OMNISTORE_OK && !wrong("list-emit-fails")) return status;
    }
    if (more) {
      const std::string last =
          wrong("list-order") && some.size() > 2 ? std::max(some[0].first, some.back().first) : some.back().first;
      const std::string next =
          ">" + (wrong("list-steady")                        ? std::to_string(last_)
                 : wrong("list-pages") && request.limit == 3 ? last.substr(0, last.size() - 1) + "~"
                                                             : last);
      page->next(page, as_bytes(next));
    }
    return OMNISTORE_OK;
  }

  /// A listing with a range, with folders, or in descending order.
  omnistore_status list_part(omnistore_call *call, omnistore_list_request request, omnistore_page *page) {
    const std::string_view base = as_view(request.base);
    std::string start(as_view(request.start)), end(as_view(request.end)), cursor(as_view(request.cursor));
    if (!cursor.empty() && cursor[0] != '>') return fail(call, OMNISTORE_INVALID, "it is no cursor of this store");
    if (!cursor.empty()) cursor.erase(0, 1);
    const bool reverse = request.flags & OMNISTORE_LIST_REVERSE && !wrong("list-reverse");
    if (wrong("list-range") && !end.empty()) end += '\0';
    if (wrong("list-range-any") && !start.starts_with(base)) start.clear();
    if (wrong("list-range-any") && !end.starts_with(base)) end.clear();
    if (wrong("list-range-empty") && !end.empty() && end <= start)
      return fail(call, OMNISTORE_INVALID, "the end is not greater than the start");
    if (wrong("list-reverse-range") && reverse) std::swap(start, end);
    if (wrong("list-folders-any-depth") && request.depth == OMNISTORE_ANY_DEPTH) request.depth = 0;
    request.start = as_bytes(start);
    request.end = as_bytes(end);

    struct Name {
      std::string key; // the first that it stands for
      Value value;
    };
    std::map<std::string, Name> names;
    {
      const std::lock_guard lock(mutex_);
      for (const auto &[key, value] : wrong("list-folders-removed") ? ever_ : *values_) {
        if (is_over(value) || !key.starts_with(base)) continue;
        if (wrong("list-folders-once") && !cursor.empty() && key <= cursor) continue;
        std::string_view name = omnistore::listed(request, key);
        const std::string_view folder = omnistore::folder_of(request, key);
        if (wrong("list-folders") && key.find(':', folder.size()) != key.npos && !folder.empty()) continue;
        if (wrong("list-folders-range") && !omnistore::in_range(request, key)) continue;
        if (!name.empty()) names.try_emplace(std::string(name), Name{key, value});
      }
    }
    std::vector<std::pair<std::string, Name>> order(names.begin(), names.end());
    if (reverse) std::reverse(order.begin(), order.end());
    const auto is_folder = [](const auto &each) { return each.first.ends_with(':'); };
    if (wrong("list-folders-order")) std::stable_partition(order.begin(), order.end(), std::not_fn(is_folder));
    std::string last;
    std::uint32_t emitted = 0;
    bool resumed = cursor.empty() || wrong("list-folders-once");
    for (const auto &[name, first] : order) {
      if (!resumed && wrong("list-folders-order")) {
        resumed = name == cursor;
        continue;
      }
      if (!resumed && (reverse ? name >= cursor : name <= cursor)) continue;
      if (emitted >= request.limit && !(wrong("list-folders-limit") && name.ends_with(':'))) {
        page->next(page, as_bytes(">" + last));
        return OMNISTORE_OK;
      }
      const omnistore_meta meta = meta_of(first.value, OMNISTORE_GET_META);
      const bool gives = request.flags & OMNISTORE_LIST_META && (!name.ends_with(':') || wrong("list-folders-meta"));
      const omnistore_status status = page->emit(page, as_bytes(name), gives ? &meta : nullptr);
      if (status != OMNISTORE_OK) return status;
      ++emitted;
      last = wrong("list-folders-once") ? first.key : name;
    }
    return OMNISTORE_OK;
  }

  omnistore_status clear(omnistore_call *, const omnistore_clear_request &request, omnistore_page *removed) {
    std::string base(as_view(request.base));
    if (wrong("clear-neighbours") && !base.empty()) base.pop_back();
    std::vector<std::string> keys;
    {
      const std::lock_guard lock(mutex_);
      for (auto at = values_->lower_bound(base); at != values_->end() && at->first.starts_with(base);) {
        if (!is_over(at->second)) keys.push_back(at->first);
        at = values_->erase(at);
      }
    }
    if (wrong("clear-nothing") && keys.empty()) return OMNISTORE_NOT_FOUND;
    if (wrong("clear") && keys.size() > 1) keys.pop_back();
    for (const std::string &key : keys) {
      tell(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_CLEARED, key);
      if (!removed || !key.starts_with(as_view(request.base))) continue;
      if (const omnistore_status status = removed->emit(removed, as_bytes(key), nullptr); status != OMNISTORE_OK)
        return status;
    }
    return OMNISTORE_OK;
  }

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
    if (wrong("watch-many") && watchers_.size() > 5) std::abort();
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) {
    const std::lock_guard lock(watching_);
    auto *mine = static_cast<Watcher *>(watch);
    if (wrong("watch-ends")) return; // and reports further changes
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
  int reads_ = 0;
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
    if (wrong("watch-own") || wrong("watch-others")) return;
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
    if (flags & OMNISTORE_GET_META) meta.etag = as_bytes(value.etag);
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
    while (!part.empty()) {
      const std::size_t piece = std::min<std::size_t>(part.size(), 50'000);
      status = sink.write(&sink, part.data(), piece);
      if (status != OMNISTORE_OK && !wrong("sink-write-fails")) return status;
      part.remove_prefix(piece);
    }
    return OMNISTORE_OK;
  }
};

Map &of(void *self) { return *static_cast<Map *>(self); }

// ------------------------------------------------------------------------------------------------------- the table

omnistore_status open_as(std::string_view rule, const omnistore_host *host, omnistore_call *call,
                         const omnistore_open_request *request, omnistore_traits *traits, void **self) {
  static std::atomic<int> open_stores;
  const std::string_view options = as_view(request->options);
  if (rule == "open-failed") {
    if (!options.starts_with('{')) std::thread([] { pause(); }).detach();
  }
  if (!options.starts_with('{')) return fail(call, OMNISTORE_INVALID, "the options are no JSON object");
  if (rule == "open-close" && ++open_stores > 2) return fail(call, OMNISTORE_UNAVAILABLE, "it was open before");
  const auto claims = [&](std::uint64_t bits) { traits->capabilities |= bits; };
  if (rule == "list-cursor-lives" || rule == "keeps-through-close" || rule == "keeps-through-kills" ||
      rule == "shared-seen" || rule == "watch-others")
    traits->keeps = OMNISTORE_KEEPS_PROCESS;
  if (rule == "shared-seen" || rule == "watch-others") claims(OMNISTORE_SHARED);
  if (rule == "watch-others") traits->capabilities &= ~OMNISTORE_WATCHES_OWN;
  if (rule == "claims-fit") traits->capabilities &= ~OMNISTORE_CAN_ETAG;
  if (rule == "read-only") traits->capabilities = OMNISTORE_READS_ONLY;
  if (rule == "keys-without-nesting") traits->capabilities &= ~OMNISTORE_NESTS;
  *self = new Map(host, rule);
  return OMNISTORE_OK;
}
template <std::size_t I>
omnistore_status OMNISTORE_CALL open(const omnistore_host *host, omnistore_call *call,
                                     const omnistore_open_request *request, omnistore_traits *traits, void **self) {
  return open_as(I < count ? rules[I] : "", host, call, request, traits, self);
}

void OMNISTORE_CALL close(void *self) { delete static_cast<Map *>(self); }
omnistore_status OMNISTORE_CALL get(void *self, omnistore_call *call, omnistore_bytes key,
                                    const omnistore_get_request *request, omnistore_sink *sink) {
  return of(self).get(call, as_view(key), *request, sink, true);
}
omnistore_status OMNISTORE_CALL stat(void *self, omnistore_call *call, omnistore_bytes key,
                                     const omnistore_get_request *request, omnistore_sink *sink) {
  return of(self).get(call, as_view(key), *request, sink, false);
}
omnistore_status OMNISTORE_CALL set(void *self, omnistore_call *call, omnistore_bytes key,
                                    const omnistore_set_request *request, omnistore_sink *result) {
  return of(self).set(call, as_view(key), *request, result);
}
omnistore_status OMNISTORE_CALL remove(void *self, omnistore_call *call, omnistore_bytes key,
                                       const omnistore_remove_request *request) {
  return of(self).remove(call, as_view(key), *request);
}
omnistore_status OMNISTORE_CALL list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                     omnistore_page *page) {
  return of(self).list(call, *request, page);
}
omnistore_status OMNISTORE_CALL clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                                      omnistore_page *removed) {
  return of(self).clear(call, *request, removed);
}
omnistore_status OMNISTORE_CALL get_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                         std::uint32_t items, const omnistore_get_request *const *requests,
                                         omnistore_sink *const *sinks, omnistore_status *statuses) {
  for (std::uint32_t i = 0; i < items; ++i) {
    if (of(self).wrong("many-get-twice") && i && as_view(keys[i]) == as_view(keys[i - 1])) {
      statuses[i] = OMNISTORE_NOT_FOUND;
      continue;
    }
    statuses[i] = of(self).get(call, as_view(keys[i]), *requests[i], sinks[i], true);
    if (of(self).wrong("many-get") && i == 3) statuses[i] = OMNISTORE_OK;
    if (of(self).wrong("many-get-beside-failure") && statuses[i] == OMNISTORE_NO_SPACE) return OMNISTORE_NO_SPACE;
  }
  return OMNISTORE_OK;
}
omnistore_status OMNISTORE_CALL stat_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                          std::uint32_t items, const omnistore_get_request *const *requests,
                                          omnistore_sink *const *sinks, omnistore_status *statuses) {
  for (std::uint32_t i = 0; i < items; ++i)
    statuses[i] = of(self).get(call, as_view(keys[of(self).wrong("many-stat") ? 0 : i]), *requests[i], sinks[i], false);
  return OMNISTORE_OK;
}
omnistore_status OMNISTORE_CALL set_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                         std::uint32_t items, const omnistore_set_request *const *requests,
                                         omnistore_sink *const *results, omnistore_status *statuses) {
  Map &map = of(self);
  for (std::uint32_t n = 0; n < items; ++n) {
    const std::uint32_t i = map.wrong("many-set-last-wins") ? items - 1 - n : n;
    omnistore_set_request request{};
    std::memcpy(&request, requests[i], std::min<std::size_t>(requests[i]->size, sizeof request));
    if (map.wrong("many-set-expiries")) request.expiry = requests[0]->expiry;
    omnistore_sink *const result = results && !map.wrong("many-set-results") ? results[i] : nullptr;
    statuses[i] = map.wrong("many-set") && i == 5 ? OMNISTORE_OK : map.set(call, as_view(keys[i]), request, result, i);
  }
  return OMNISTORE_OK;
}
omnistore_status OMNISTORE_CALL remove_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                            std::uint32_t items, const omnistore_remove_request *const *requests,
                                            omnistore_status *statuses) {
  for (std::uint32_t i = 0; i < items; ++i) {
    statuses[i] = of(self).remove(call, as_view(keys[i]), *requests[of(self).wrong("many-remove-conditions") ? 0 : i]);
    if (of(self).wrong("many-remove") && statuses[i] == OMNISTORE_NOT_FOUND) statuses[i] = OMNISTORE_OK;
  }
  return OMNISTORE_OK;
}
omnistore_status OMNISTORE_CALL touch(void *self, omnistore_call *call, omnistore_bytes key,
                                      const omnistore_touch_request *request) {
  return of(self).touch(call, as_view(key), *request);
}
omnistore_status OMNISTORE_CALL watch(void *self, omnistore_call *, const omnistore_watch_request *request,
                                      omnistore_watcher *watcher, void **watch) {
  return of(self).watch(*request, watcher, watch);
}
void OMNISTORE_CALL unwatch(void *self, void *watch) { of(self).unwatch(watch); }

omnistore_status OMNISTORE_CALL get_changed(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_bytes, omnistore_sink *sink,
                                            std::uint32_t *unchanged) {
  *unchanged = 0; // it never looks: right only for a driver that has changed
  return of(self).get(call, as_view(key), *request, sink, true);
}
omnistore_status OMNISTORE_CALL count_wrongly(void *, omnistore_call *, omnistore_sink *sink) {
  return omnistore::give(*sink, "three");
}
omnistore_status OMNISTORE_CALL be_ill(void *, omnistore_call *call) {
  return fail(call, OMNISTORE_UNAVAILABLE, "it is ill for ever");
}
omnistore_status OMNISTORE_CALL find_wrong(omnistore_call *, omnistore_bytes, std::uint32_t,
                                           omnistore_problems *problems) {
  problems->add(problems, as_bytes("name"), as_bytes("it is never right"));
  return OMNISTORE_OK;
}
const void *OMNISTORE_CALL extension(void *self, const char *id) {
  static constexpr omnistore_revalidate changed{sizeof changed, 0, get_changed};
  static constexpr omnistore_stats stats{sizeof stats, 0, count_wrongly};
  static constexpr omnistore_health health{sizeof health, 0, be_ill};
  if (!self) return nullptr;
  if (of(self).wrong("health") && std::string_view(id) == OMNISTORE_HEALTH) return &health;
  if (of(self).wrong("extensions-named")) return &changed;
  if (of(self).wrong("revalidate") && std::string_view(id) == OMNISTORE_REVALIDATE) return &changed;
  if (of(self).wrong("stats-numbers") && std::string_view(id) == OMNISTORE_STATS) return &stats;
  return nullptr;
}
const void *OMNISTORE_CALL extension_of_driver(void *, const char *id) {
  static constexpr omnistore_validate validate{sizeof validate, 0, find_wrong};
  return std::string_view(id) == OMNISTORE_VALIDATE ? &validate : nullptr;
}

constexpr omnistore_traits traits_of(std::string_view rule) {
  omnistore_traits traits{};
  traits.size = sizeof traits;
  traits.thread_model = rule == "traits-stated" ? 0 : OMNISTORE_PARALLEL;
  traits.capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_META |
                        OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT |
                        OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE | OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH |
                        OMNISTORE_CAN_LIST_META | OMNISTORE_WATCHES_OWN | OMNISTORE_CAN_LIST_RANGE |
                        OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;
  if (rule == "read-only") traits.capabilities = OMNISTORE_READS_ONLY;
  traits.max_key_size = longest_key;
  traits.max_value_size = largest_value;
  traits.keeps = OMNISTORE_KEEPS_NOTHING;
  traits.order = OMNISTORE_ORDER_KEYS;
  return traits;
}

struct Table {
  omnistore_traits traits;
  omnistore_driver driver;
  std::string name;
};

template <std::size_t I>
void fill(std::array<Table, count + 1> &tables) {
  const std::string_view rule = I < count ? rules[I] : "";
  Table &table = tables[I];
  table.name = rule.empty() ? "right" : "wrong-" + std::string(rule);
  if (rule == "names") table.name = "wrong-names_";
  table.traits = traits_of(rule);
  omnistore_driver &driver = table.driver;
  driver = {};
  driver.size = sizeof driver;
  driver.name = table.name.c_str();
  driver.version = "1.0.0";
  driver.summary = "A map for tests";
  driver.options_schema = rule == "schema" ? R"({"type": "object", "properties": {"name": {"type": "text"}}})" : schema;
  driver.traits = &table.traits;
  driver.open = open<I>;
  driver.close = close;
  driver.get = get;
  driver.stat = stat;
  driver.set = set;
  driver.remove = remove;
  driver.list = rule == "table-whole" ? nullptr : list;
  driver.clear = clear;
  driver.get_many = get_many;
  driver.stat_many = stat_many;
  driver.set_many = set_many;
  driver.remove_many = remove_many;
  driver.touch = touch;
  driver.watch = watch;
  driver.unwatch = unwatch;
  driver.extension = rule == "validate" ? extension_of_driver : extension;
}

} // namespace

extern "C" OMNISTORE_EXPORT const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *) {
  static std::array<Table, count + 1> tables;
  static std::array<const omnistore_driver *, count + 1> drivers;
  static const omnistore_plugin plugin = [] {
    [&]<std::size_t... I>(std::index_sequence<I...>) { (fill<I>(tables), ...); }
    (std::make_index_sequence<count + 1>());
    for (std::size_t i = 0; i <= count; ++i) drivers[i] = &tables[i].driver;
    omnistore_plugin made{};
    made.size = sizeof made;
    made.abi_major = OMNISTORE_ABI_MAJOR;
    made.abi_minor = OMNISTORE_ABI_MINOR;
    made.name = "map";
    made.version = "1.0.0";
    made.driver_count = static_cast<std::uint32_t>(count + 1);
    made.drivers = drivers.data();
    return made;
  }();
  return &plugin;
}

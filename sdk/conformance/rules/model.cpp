// SPDX-License-Identifier: Apache-2.0
// Random operations on the driver and on a map. A run that fails is shortened as long as it still fails (Zeller and
// Hildebrandt's ddmin, "Simplifying and isolating failure-inducing input", 2002).
#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include "expect.hpp"
#include "history.hpp"
#include "rule.hpp"
#include "together.hpp"

namespace omnistore::kit {
namespace {

struct Op {
  enum Kind {
    set,
    remove,
    get,
    stat,
    list,
    clear,
    absent,
    present,
    set_many,
    remove_many,
    get_many,
    range,
    set_until,
    touch,
    match,
    set_user,
    touch_meta,
    reopen,
    kinds
  };
  Kind kind = set;
  unsigned key = 0, other = 0, size = 0, seed = 0;
};

/// Keys of which none is under another, and then keys that are under others.
constexpr const char *key_names[] = {"a", "b", "c:x", "c:y", "d:e:f", "d:e:g", "c", "d:e", "c:x:z", "a:b"};
constexpr unsigned flat_names = 6;

class Run {
public:
  Run(Bench &bench, std::string base) : bench_(bench), base_(std::move(base)) {}

  void apply(const Op &op) {
    Store &store = bench_.store();
    const std::string key = name(op.key), value = bytes_of(op.size, op.seed);
    const std::int64_t begun = KitHost::time();
    const auto took = [&] { return KitHost::time() - begun; };
    switch (op.kind) {
    case Op::set:
      expect_ok(store.set(key, value), "set");
      model_[key] = {value};
      break;
    case Op::set_until:
      if (!store.can(OMNISTORE_CAN_TTL)) break;
      expect_ok(store.set(key, value, {.expiry = expiry(op)}), "set with an expiry");
      model_.erase(key);
      if (has_passed(op))
        await_end(key);
      else
        model_[key] = {value, expiry(op), {}, took()};
      break;
    case Op::touch:
      if (!store.can(OMNISTORE_CAN_TTL) || !store.driver().touch) break;
      expect(store.touch(key, expiry(op)), model_.contains(key) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND, "touch");
      if (!model_.contains(key)) break;
      model_[key].expiry = expiry(op);
      model_[key].took = took();
      if (!has_passed(op)) break;
      model_.erase(key);
      await_end(key);
      break;
    case Op::match: {
      if (!store.can(OMNISTORE_CAN_IF_MATCH)) break;
      const bool holds = model_.contains(key) && op.other % 3;
      expect(store.set(key, value,
                       {.condition = OMNISTORE_IF_MATCH, .etag = holds ? etag_of(store, key) : std::string("none")}),
             holds ? OMNISTORE_OK : OMNISTORE_CONFLICT, "set if match");
      if (holds) model_[key] = {value};
      break;
    }
    case Op::set_user:
      if (!store.can(OMNISTORE_CAN_META)) break;
      expect_ok(store.set(key, value, {.user = user(op)}), "set with user meta");
      model_[key] = {value, 0, user(op)};
      break;
    case Op::touch_meta:
      if (!store.can(OMNISTORE_CAN_META)) break;
      expect(store.touch(key, {}, user(op)), model_.contains(key) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND,
             "touch of the user meta");
      if (model_.contains(key)) model_[key].user = user(op);
      break;
    case Op::remove:
      expect(store.remove(key), model_.erase(key) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND, "remove");
      break;
    case Op::get:
      right(store.get(key), key, "get");
      break;
    case Op::stat: {
      const GetResult got = store.stat(key, store.can(OMNISTORE_CAN_META) ? OMNISTORE_GET_USER : 0);
      expect(got, model_.contains(key) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND, "stat");
      if (!got.ok()) break;
      const Kept &kept = model_[key];
      require(got.known_meta().size == OMNISTORE_UNKNOWN_SIZE || got.known_meta().size == kept.bytes.size(),
              "stat gives another size than was set");
      require(!store.can(OMNISTORE_CAN_TTL) ||
                  same_expiry(store, got.known_meta().expiry, kept.expiry, kept.took + took()),
              "stat gives the expiry " + std::to_string(got.known_meta().expiry) + "; expected " +
                  std::to_string(kept.expiry));
      require(!store.can(OMNISTORE_CAN_META) || got.known_meta().user == kept.user,
              "stat gives the user meta " + shown(got.known_meta().user) + "; expected " + shown(kept.user));
      break;
    }
    case Op::list: {
      if (!store.lists()) break;
      const std::string base = base_ + (op.other % 3 == 0 ? "" : op.other % 3 == 1 ? "c:" : "d:");
      const std::uint32_t depth = store.can(OMNISTORE_CAN_DEPTH) && op.seed % 2 ? op.seed % 3 : OMNISTORE_ANY_DEPTH;
      std::vector<std::string> keys;
      for (const auto &[each, ignored] : model_)
        if (each.starts_with(base) &&
            std::count(each.begin() + static_cast<std::ptrdiff_t>(base.size()), each.end(), ':') <= depth)
          keys.push_back(each);
      expect_keys(values_among(store.keys(base, 1 + op.size % 5, depth)), keys,
                  "list by pages of " + std::to_string(1 + op.size % 5));
      break;
    }
    case Op::clear: {
      if (!store.driver().clear) break;
      const std::string base = base_ + (op.other % 2 ? "c:" : "d:");
      std::vector<std::string> keys;
      for (const auto &[each, ignored] : model_)
        if (each.starts_with(base)) keys.push_back(each);
      const Page page = store.clear(base);
      expect_ok(page, "clear");
      expect_keys(values_among(page.keys), keys, "the keys that a clear says it has removed");
      for (const std::string &each : keys) model_.erase(each);
      break;
    }
    case Op::absent:
      if (!store.can(OMNISTORE_CAN_IF_ABSENT)) break;
      expect(store.set(key, value, {.condition = OMNISTORE_IF_ABSENT}),
             model_.contains(key) ? OMNISTORE_CONFLICT : OMNISTORE_OK, "set if absent");
      model_.try_emplace(key, Kept{value});
      break;
    case Op::present:
      if (!store.can(OMNISTORE_CAN_IF_PRESENT)) break;
      expect(store.set(key, value, {.condition = OMNISTORE_IF_PRESENT}),
             model_.contains(key) ? OMNISTORE_OK : OMNISTORE_CONFLICT, "set if present");
      if (model_.contains(key)) model_[key] = {value};
      break;
    case Op::set_many:
      if (!store.driver().set_many || store.traits().max_batch == 1) break;
      for (const CallResult &each :
           store.set_many({{key, value}, {name(op.other), bytes_of(op.size / 2, op.seed + 1)}}))
        expect_ok(each, "set_many");
      model_[key] = {value};
      model_[name(op.other)] = {bytes_of(op.size / 2, op.seed + 1)};
      break;
    case Op::remove_many: {
      if (!store.driver().remove_many || store.traits().max_batch == 1 || key == name(op.other)) break;
      const std::vector<CallResult> done = store.remove_many({key, name(op.other)});
      expect(done[0], model_.erase(key) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND, "remove_many");
      expect(done[1], model_.erase(name(op.other)) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND, "remove_many");
      break;
    }
    case Op::get_many: {
      if (!store.driver().get_many || store.traits().max_batch == 1) break;
      const std::vector<GetResult> got = store.get_many({key, name(op.other)});
      right(got[0], key, "get_many");
      right(got[1], name(op.other), "get_many");
      break;
    }
    case Op::range: {
      if (!store.can(OMNISTORE_CAN_RANGE) || !model_.contains(key)) break;
      const std::string &whole = model_[key].bytes;
      const std::size_t offset = op.seed % (whole.size() + 2);
      expect_value(store.get(key, {.offset = offset, .length = op.size}),
                   offset < whole.size() ? std::string_view(whole).substr(offset, op.size) : "", "get of a range");
      break;
    }
    case Op::reopen:
      if (!bench_.keeps() || bench_.is_layer()) break;
      bench_.close();
      for (const auto &[each, kept] : model_)
        expect_value(bench_.store().get(each), kept.bytes, "get after the store was closed and opened");
      break;
    case Op::kinds:
      break;
    }
  }

  std::string describe(const Op &op) const {
    static constexpr const char *verbs[] = {"set",
                                            "remove",
                                            "get",
                                            "stat",
                                            "list",
                                            "clear",
                                            "set if absent",
                                            "set if present",
                                            "set_many",
                                            "remove_many",
                                            "get_many",
                                            "get a range of",
                                            "set with an expiry",
                                            "touch",
                                            "set if match",
                                            "set with user meta",
                                            "touch the user meta of",
                                            "close and open"};
    std::string text = verbs[op.kind];
    if (op.kind == Op::list) return text + " " + (op.other % 3 == 0 ? "everything" : op.other % 3 == 1 ? "c:" : "d:");
    if (op.kind == Op::clear) return text + " " + (op.other % 2 ? "c:" : "d:");
    if (op.kind == Op::reopen) return text;
    text += std::string(" ") + key_names[op.key];
    if (op.kind == Op::set_many || op.kind == Op::remove_many || op.kind == Op::get_many)
      text += std::string(" ") + key_names[op.other];
    if (op.kind == Op::set || op.kind == Op::absent || op.kind == Op::present || op.kind == Op::set_many)
      text += " (" + std::to_string(op.size) + " bytes)";
    return text;
  }

private:
  Bench &bench_;
  std::string base_;
  struct Kept {
    std::string bytes{};
    std::int64_t expiry = 0;
    std::string user{};
    std::int64_t took = 0; ///< the milliseconds of the call that gave the expiry
  };
  std::map<std::string, Kept> model_;
  const std::int64_t begun_ = KitHost::time();

  /// A store whose clock is another machine's may have a value for a moment after its end. If it keeps it for longer,
  /// an operation after this one shows that.
  void await_end(const std::string &key) const {
    const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (bench_.store().can(OMNISTORE_SHARED) && bench_.store().stat(key, 0).ok() &&
           std::chrono::steady_clock::now() < latest)
      std::this_thread::yield();
  }

  /// An expiry has passed or is far off, so that no result depends on how long the run takes.
  static bool has_passed(const Op &op) { return op.seed % 8 == 0; }
  std::int64_t expiry(const Op &op) const {
    if (has_passed(op)) return begun_ - 10'000;
    if (op.seed % 8 == 1 && op.kind == Op::touch) return 0;
    const std::int64_t grain = std::max<std::int64_t>(bench_.store().traits().ttl_grain, 1);
    return (begun_ + 3'600'000 + op.seed) / grain * grain;
  }
  static std::string user(const Op &op) { return op.seed % 4 ? bytes_of(op.size % 300, op.seed + 2) : std::string(); }

  /// A store may keep the user meta of `a` as the value of `a$`.
  static std::vector<std::string> values_among(std::vector<std::string> keys) {
    std::erase_if(keys, [](const std::string &key) { return key.ends_with('$'); });
    return keys;
  }
  std::string name(unsigned which) const { return base_ + key_names[which]; }
  void right(const GetResult &got, const std::string &key, const std::string &what) {
    const auto found = model_.find(key);
    if (found == model_.end())
      expect_none(got, what);
    else
      expect_value(got, found->second.bytes, what);
  }
};

/// The problem of a run, which the process of the run has written to shared memory.
struct Verdict {
  std::uint32_t step = 0;
  char text[1500]{};
};

class Attempts {
public:
  explicit Attempts(Bench &bench)
      : bench_(bench),
        verdict_(new (mmap(nullptr, sizeof(Verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                     Verdict) {}
  ~Attempts() { munmap(verdict_, sizeof(Verdict)); }

  /// Runs the operations in a process of their own, under a base of their own. Returns the problem, if any.
  std::optional<std::string> run(const std::vector<Op> &ops) {
    *verdict_ = Verdict();
    const std::string base = bench_.key("m" + std::to_string(++count_) + ":");
    try {
      bench_.in_process([&] {
        Run run(bench_, base);
        for (const Op &op : ops) {
          ++verdict_->step;
          try {
            run.apply(op);
          } catch (const std::exception &e) {
            std::strncpy(verdict_->text, e.what(), sizeof verdict_->text - 1);
            return;
          }
        }
        bench_.close();
      });
    } catch (const Broken &crash) {
      return std::string(crash.what());
    }
    if (!*verdict_->text) return {};
    return std::string(verdict_->text);
  }
  std::uint32_t steps() const { return verdict_->step; }

private:
  Bench &bench_;
  Verdict *verdict_;
  unsigned count_ = 0;
};

/// Returns the shortest run that still fails.
std::vector<Op> shrunk(Attempts &attempts, std::vector<Op> ops, std::string &why) {
  // On a busy machine an attempt takes long, and only their number says how much has been tried.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  std::size_t left = 500;
  for (std::size_t chunk = ops.size() / 2; chunk > 0;) {
    bool shorter = false;
    for (std::size_t at = 0; at < ops.size() && left && std::chrono::steady_clock::now() < end; --left) {
      std::vector<Op> fewer = ops;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at),
                  fewer.begin() + static_cast<std::ptrdiff_t>(std::min(at + chunk, fewer.size())));
      if (const auto still = attempts.run(fewer)) {
        fewer.resize(std::min<std::size_t>(fewer.size(), attempts.steps()));
        ops = fewer;
        why = *still;
        shorter = true;
      } else {
        at += chunk;
      }
    }
    if (!shorter || chunk > ops.size()) chunk /= 2;
  }
  return ops;
}

void random_operations(Bench &bench) {
  const bool nests = bench.store().can(OMNISTORE_NESTS);
  const std::size_t most = fitting(bench.store(), 71'000);
  bench.close();
  Attempts attempts(bench);
  for (std::size_t round = 0; round < bench.times(3); ++round) {
    std::vector<Op> ops(300);
    for (Op &op : ops) {
      const auto pick = [&](unsigned bound) { return static_cast<unsigned>(bench.random() % bound); };
      const unsigned keys = nests ? std::size(key_names) : flat_names;
      const unsigned kind = pick(100);
      op.kind = kind < 30   ? Op::set
                : kind < 45 ? Op::get
                : kind < 57 ? Op::remove
                : kind < 60 ? Op::clear
                : kind < 61 ? Op::reopen
                            : static_cast<Op::Kind>(pick(Op::kinds));
      op.key = pick(keys);
      op.other = pick(keys);
      static constexpr unsigned sizes[] = {1, 20, 500, 70'000};
      op.size = static_cast<unsigned>(std::min<std::size_t>(most > 300 ? most - 300 : 1, pick(sizes[pick(4)])));
      op.seed = pick(1'000'000);
    }
    std::optional<std::string> why = attempts.run(ops);
    if (!why) continue;
    ops.resize(std::min<std::size_t>(ops.size(), attempts.steps()));
    const std::vector<Op> few = shrunk(attempts, ops, *why);
    const Run words(bench, "");
    std::string text =
        "of " + std::to_string(ops.size()) + " random operations these " + std::to_string(few.size()) + " are enough:";
    for (const Op &op : few) text += "\n    " + words.describe(op);
    throw Broken(text + "\n  then " + *why);
  }
}

void histories(Bench &bench) {
  Store &store = bench.store();
  constexpr int threads = 3;
  constexpr unsigned each = 6;
  for (std::size_t round = 0; round < bench.times(60); ++round) {
    const std::string key = bench.key("h" + std::to_string(round));
    std::vector<History> parts(threads);
    const std::uint64_t seed = bench.random();
    together(threads, [&](int thread) {
      std::mt19937_64 random(seed + static_cast<unsigned>(thread));
      for (unsigned i = 0; i < each; ++i) {
        const unsigned value = static_cast<unsigned>(thread) * each + i + 1;
        History &history = parts[static_cast<std::size_t>(thread)];
        const auto parse = [](const GetResult &got) {
          expect(got, got.ok() ? OMNISTORE_OK : OMNISTORE_NOT_FOUND, "get beside others");
          return got.ok() ? static_cast<unsigned>(std::stoul(got.bytes)) : 0u;
        };
        const auto wrote = [](const CallResult &done) {
          require(done.ok() || done.status == OMNISTORE_CONFLICT || done.status == OMNISTORE_NOT_FOUND,
                  "a write beside others came to " + shown(done));
          return done.ok();
        };
        switch (random() % 5) {
        case 0:
          history.record(Event::set, value, [&] { return wrote(store.set(key, std::to_string(value))); });
          break;
        case 1:
          history.record(Event::remove, 0, [&] { return wrote(store.remove(key)); });
          break;
        case 2:
          if (store.can(OMNISTORE_CAN_IF_ABSENT)) {
            history.record(Event::set_if_absent, value, [&] {
              return wrote(store.set(key, std::to_string(value), {.condition = OMNISTORE_IF_ABSENT}));
            });
            break;
          }
          [[fallthrough]];
        case 3:
          if (store.can(OMNISTORE_CAN_IF_PRESENT)) {
            history.record(Event::set_if_present, value, [&] {
              return wrote(store.set(key, std::to_string(value), {.condition = OMNISTORE_IF_PRESENT}));
            });
            break;
          }
          [[fallthrough]];
        default:
          history.record_get([&] { return parse(store.get(key)); });
        }
      }
    });
    History whole;
    for (const History &part : parts) whole.add(part);
    const std::string wrong = whole.explain_violation();
    require(wrong.empty(),
            "no order of these operations, each at a moment between its call and its return, explains what they gave:" +
                wrong);
  }
}

} // namespace

std::span<const Rule> model_rules() {
  static constexpr Rule rules[] = {
      {"model", "Stores a value in place of any older one, whole", 0, random_operations},
      {"history",
       "a reader at the same time gets the old or the new value, never a mixture, and a failure leaves the old one", 0,
       histories},
  };
  return rules;
}

} // namespace omnistore::kit

// SPDX-License-Identifier: Apache-2.0
// The layer `fault`: makes operations of the store below fail or take long.
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include <omnistore/driver.hpp>
#include <omnistore/forward.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::Call;
using omnistore::Operation;
using omnistore::Requests;

omnistore_status status_of(const std::string &name) {
  static constexpr std::pair<std::string_view, omnistore_status> names[] = {
      {"none", OMNISTORE_OK},
      {"not_found", OMNISTORE_NOT_FOUND},
      {"invalid", OMNISTORE_INVALID},
      {"denied", OMNISTORE_DENIED},
      {"read_only", OMNISTORE_READ_ONLY},
      {"conflict", OMNISTORE_CONFLICT},
      {"too_large", OMNISTORE_TOO_LARGE},
      {"unsupported", OMNISTORE_UNSUPPORTED},
      {"timeout", OMNISTORE_TIMEOUT},
      {"unavailable", OMNISTORE_UNAVAILABLE},
      {"no_space", OMNISTORE_NO_SPACE},
      {"io", OMNISTORE_IO},
      {"corrupt", OMNISTORE_CORRUPT},
      {"internal", OMNISTORE_INTERNAL},
  };
  for (const auto &[word, status] : names)
    if (word == name) return status;
  throw omnistore::Failure(OMNISTORE_INVALID, "option status: there is no status " + name);
}

/// Takes a value's first bytes, then fails.
class CutSink final : public omnistore::PassingSink {
public:
  CutSink(omnistore_sink &to, std::uint64_t after, omnistore_status status) noexcept
      : PassingSink(to), left_(after), status_(status) {}

private:
  omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
    if (buffer) *buffer = nullptr; // what is put there could not be cut
    return to().begin(&to(), &meta, nullptr);
  }
  omnistore_status on_write(const void *data, std::uint64_t bytes) override {
    const std::uint64_t some = std::min(bytes, left_);
    left_ -= some;
    if (some != 0)
      if (const omnistore_status taken = to().write(&to(), data, some); taken != OMNISTORE_OK) return taken;
    return some == bytes ? OMNISTORE_OK : status_;
  }
  omnistore_status on_lend(const void *data, std::uint64_t bytes, const omnistore_loan &) override {
    const omnistore_status taken = on_write(data, bytes);
    return taken == OMNISTORE_OK ? status_ : taken; // a failure keeps the loan with its store
  }
  std::uint64_t left_;
  const omnistore_status status_;
};

/// Decides which operations are struck. Thread-safe.
class Strikes {
public:
  explicit Strikes(const omnistore::Options &options)
      : probability_(options.number("probability", 1)), trigger_(options.string("trigger", "")),
        random_(static_cast<std::uint32_t>(options.integer("seed", 1))) {
    for (const std::string &name : options.strings("operations", std::vector<std::string>{"all"}))
      for (std::size_t i = 0; i < struck_.size(); ++i) {
        const auto operation = static_cast<Operation>(i);
        if (name == "all" || name == name_of(operation) || name == (writes(operation) ? "writes" : "reads"))
          struck_[i] = true;
      }
  }

  bool strikes(Operation operation) {
    if (!struck_[static_cast<std::size_t>(operation)]) return false;
    const std::lock_guard guard(mutex_);
    if (!trigger_.empty() && !is_on()) return false;
    if (std::uniform_real_distribution<double>(0, 1)(random_) >= probability_) return false;
    if (left_ > 0) --left_;
    ++count_;
    return true;
  }
  std::uint64_t count() const { return count_.load(); }

private:
  /// Reads the trigger file. The lock is held.
  bool is_on() {
    std::ifstream file(trigger_);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.pop_back();
    if (text == "on") return true;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool counts = error == std::errc() && end == text.data() + text.size();
    if (text != seen_) left_ = counts ? number : 0;
    seen_ = std::move(text);
    return left_ > 0;
  }

  const double probability_;
  const std::string trigger_;
  std::array<bool, static_cast<std::size_t>(Operation::watch) + 1> struck_{};
  std::mutex mutex_;
  std::minstd_rand random_;
  std::string seen_;
  std::int64_t left_ = 0;
  std::atomic<std::uint64_t> count_{0};
};

class Fault : public omnistore::Forward<Fault> {
public:
  Fault(const omnistore_host &, const omnistore::Options &options, omnistore_traits &traits,
        std::span<const omnistore_store *const> children)
      : Forward(children[0], traits, ~std::uint64_t{OMNISTORE_NEVER_BLOCKS}), strikes_(options),
        status_(status_of(options.string("status", "unavailable"))),
        message_(options.string("message", "the layer fault made it fail")),
        retry_after_(options.integer("retryAfter", 0)), after_(options.string("when", "before") == "after"),
        delay_(options.integer("delay", 0)), cut_(options.integer("cut", -1)) {}

  template <class Run>
  omnistore_status around(const omnistore::Step &step, Call call, Run run) {
    if (step.statuses || !strikes_.strikes(step.operation)) return run(call); // the items of a batch: below
    return struck(step.operation, call, run);
  }

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    if (cut_ < 0 || status_ == OMNISTORE_OK) return Forward::get(call, key, request, sink);
    if (!strikes_.strikes(Operation::get)) return passed(call, key, request, sink);
    if (const omnistore_status late = delayed(call, false); late != OMNISTORE_OK) return late;
    CutSink cut(sink, static_cast<std::uint64_t>(cut_), status_);
    const omnistore_status status = passed(call, key, request, cut);
    return status == OMNISTORE_OK || status == status_ ? fails(call, 0, {false, retry_after_}) : status;
  }
  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_get_request> requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    return many(
        Operation::get, call, keys, statuses,
        [&](Call c) { return Forward::get_many(c, keys, requests, sinks, statuses); },
        [&](Call c, std::size_t i) { return passed(c, as_view(keys[i]), requests[i], *sinks[i]); });
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_get_request> requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    return many(
        Operation::stat, call, keys, statuses,
        [&](Call c) { return Forward::stat_many(c, keys, requests, sinks, statuses); },
        [&](Call c, std::size_t i) { return child().stat(c, as_view(keys[i]), requests[i], *sinks[i]); });
  }
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_set_request> requests,
                            omnistore_sink *const *results, omnistore_status *statuses) {
    return many(
        Operation::set, call, keys, statuses,
        [&](Call c) { return Forward::set_many(c, keys, requests, results, statuses); },
        [&](Call c, std::size_t i) {
          return child().set(c, as_view(keys[i]), requests[i], results ? results[i] : nullptr);
        });
  }
  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    return many(
        Operation::remove, call, keys, statuses,
        [&](Call c) { return Forward::remove_many(c, keys, requests, statuses); },
        [&](Call c, std::size_t i) { return child().remove(c, as_view(keys[i]), requests[i]); });
  }

  std::string stats(Call) { return R"({"counters": {"faults": )" + std::to_string(strikes_.count()) + "}}"; }

private:
  static std::string_view as_view(omnistore_bytes bytes) { return omnistore::as_view(bytes); }

  /// A get that is not struck any more.
  omnistore_status passed(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    if (!gathers()) return child().get(call, key, request, sink);
    omnistore::GatheringSink kept;
    return kept.finish(child().get(call, key, request, kept), sink);
  }

  omnistore_status fails(Call call, std::uint32_t item, omnistore::FailureDetails details) const {
    return call.fail(item, status_, message_, details);
  }

  /// Holds an operation up. Returns OMNISTORE_OK, or what it ends with if its time is over.
  omnistore_status delayed(Call call, bool is_write) const {
    const auto until = std::chrono::steady_clock::now() + delay_;
    for (auto now = std::chrono::steady_clock::now(); now < until; now = std::chrono::steady_clock::now()) {
      const std::int64_t left = call.remaining();
      if (left == 0) return call.fail(call.late(), "the layer fault held it up", {is_write, 0});
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(
          until - now, std::chrono::milliseconds(std::min<std::int64_t>(left, 20)))); // then look who still waits
    }
    return OMNISTORE_OK;
  }

  template <class Run>
  omnistore_status struck(Operation operation, Call call, Run run) const {
    const bool is_write = writes(operation);
    if (const omnistore_status late = delayed(call, is_write); late != OMNISTORE_OK) return late;
    if (status_ == OMNISTORE_OK) return run(call);
    if (!after_ || !is_write) return fails(call, 0, {is_write, retry_after_});
    const omnistore_status status = run(call);
    return status == OMNISTORE_OK ? fails(call, 0, {false, retry_after_}) : status;
  }

  /// A batch: as it is if no item is struck, else item by item, since the order of writes must stay.
  template <class Whole, class One>
  omnistore_status many(Operation operation, Call call, std::span<const omnistore_bytes> keys,
                        omnistore_status *statuses, Whole whole, One one) {
    std::vector<bool> hit(keys.size());
    bool any = false;
    for (std::size_t i = 0; i < keys.size(); ++i) any = (hit[i] = strikes_.strikes(operation)) || any;
    if (!any) return whole(call);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto item = static_cast<std::uint32_t>(i);
      omnistore::FailureBuffer kept(call);
      const auto run = [&](Call c) { return one(c, i); };
      statuses[i] = hit[i] ? struck(operation, kept, run) : run(kept);
      const omnistore::FailureBuffer::Said said = kept.of(0);
      if (statuses[i] != OMNISTORE_OK && statuses[i] != OMNISTORE_NOT_FOUND)
        call.fail(item, statuses[i], said.message, said.details);
    }
    return OMNISTORE_OK;
  }

  Strikes strikes_;
  const omnistore_status status_;
  const std::string message_;
  const std::int64_t retry_after_; // milliseconds
  const bool after_;
  const std::chrono::milliseconds delay_;
  const std::int64_t cut_;
};

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<Fault>("fault", "1.0.0",
                                                       "Makes operations fail or take long, for tests",
                                                       OMNISTORE_OPTIONS_SCHEMA, omnistore::forward_traits, 1, 1))

// SPDX-License-Identifier: Apache-2.0
// The layer `retry`: tries an operation again that failed because the store could not be reached.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <random>
#include <thread>

#include <omnistore/driver.hpp>
#include <omnistore/forward.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::Call;
using omnistore::FailureDetails;
using omnistore::FailureBuffer;
using omnistore::Requests;

bool passes_by_itself(omnistore_status status) {
  return status == OMNISTORE_UNAVAILABLE || status == OMNISTORE_TIMEOUT;
}

/// Hands a value on, and notes whether it has begun.
struct NotedSink final : omnistore::PassingSink {
  using PassingSink::PassingSink;
};

/// Hands a stream on, and notes whether it was read.
struct NotedSource : omnistore_source {
  omnistore_source *from;
  bool was_read = false;
  explicit NotedSource(omnistore_source *of) noexcept
      : omnistore_source{sizeof(omnistore_source), 0, &read_}, from(of) {}
  static omnistore_status OMNISTORE_CALL read_(omnistore_source *source, void *buffer, std::uint64_t capacity,
                                               std::uint64_t *count) noexcept {
    auto &self = *static_cast<NotedSource *>(source);
    self.was_read = true;
    return self.from->read(self.from, buffer, capacity, count);
  }
};

/// Hands keys on, and notes whether anything was given out.
struct NotedPage : omnistore_page {
  omnistore_page &to;
  bool given = false;
  explicit NotedPage(omnistore_page &page) noexcept
      : omnistore_page{sizeof(omnistore_page), 0, &emit_, &next_, &skip_}, to(page) {}
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key,
                                               const omnistore_meta *meta) noexcept {
    auto &self = *static_cast<NotedPage *>(page);
    self.given = true;
    return self.to.emit(&self.to, key, meta);
  }
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) noexcept {
    auto &self = *static_cast<NotedPage *>(page);
    self.given = true;
    self.to.next(&self.to, cursor);
  }
  static omnistore_status OMNISTORE_CALL skip_(omnistore_page *page, omnistore_bytes base, omnistore_status status,
                                               omnistore_bytes message) noexcept {
    auto &self = *static_cast<NotedPage *>(page);
    self.given = true;
    return omnistore::skip(self.to, omnistore::as_view(base), status, omnistore::as_view(message));
  }
};

class Retry : public omnistore::Forward<Retry> {
public:
  Retry(const omnistore_host &, const omnistore::Options &options, omnistore_traits &traits,
        std::span<const omnistore_store *const> children)
      : Forward(children[0], traits, ~std::uint64_t{OMNISTORE_NEVER_BLOCKS}),
        attempts_(static_cast<std::uint32_t>(options.integer("attempts", 3))),
        backoff_(options.integer("backoff", 100)), max_backoff_(options.integer("maxBackoff", 5000)) {}

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    NotedSink noted(sink);
    return tried(
        call, [&](Call c) { return Forward::get(c, key, request, noted); },
        [&](const FailureDetails &) { return !noted.begun(); });
  }
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    NotedSink noted(sink);
    return tried(
        call, [&](Call c) { return Forward::stat(c, key, request, noted); },
        [&](const FailureDetails &) { return !noted.begun(); });
  }
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    if (!request.source)
      return tried(
          call, [&](Call c) { return Forward::set(c, key, request, result); },
          [&](const FailureDetails &said) { return said.nothing_done || request.condition == OMNISTORE_ALWAYS; });
    NotedSource noted(request.source);
    omnistore_set_request mine = request;
    mine.source = &noted;
    return tried(
        call, [&](Call c) { return Forward::set(c, key, mine, result); },
        [&](const FailureDetails &said) {
          return !noted.was_read && (said.nothing_done || request.condition == OMNISTORE_ALWAYS);
        });
  }
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) {
    bool may_be_gone = false;
    const omnistore_status status = tried(
        call, [&](Call c) { return Forward::remove(c, key, request); },
        [&](const FailureDetails &said) {
          may_be_gone = may_be_gone || !said.nothing_done;
          return said.nothing_done || request.condition != OMNISTORE_IF_MATCH;
        });
    return status == OMNISTORE_NOT_FOUND && may_be_gone ? OMNISTORE_OK : status;
  }
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    NotedPage noted(page);
    return tried(
        call, [&](Call c) { return Forward::list(c, request, noted); },
        [&](const FailureDetails &) { return !noted.given; });
  }
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    return tried(
        call, [&](Call c) { return Forward::clear(c, request, removed); },
        [&](const FailureDetails &said) { return said.nothing_done || !removed; });
  }
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request) {
    return tried(
        call, [&](Call c) { return Forward::touch(c, key, request); }, [](const FailureDetails &) { return true; });
  }
  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **out) {
    return tried(
        call, [&](Call c) { return Forward::watch(c, request, watcher, out); },
        [](const FailureDetails &) { return true; });
  }

  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_get_request> requests,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    return read_many(call, keys, requests, sinks, statuses,
                     [this](auto &&...all) { return Forward::get_many(all...); });
  }
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_get_request> requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses) {
    return read_many(call, keys, requests, sinks, statuses,
                     [this](auto &&...all) { return Forward::stat_many(all...); });
  }
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_set_request> requests,
                            omnistore_sink *const *results, omnistore_status *statuses) {
    Batch<omnistore_set_request> batch(keys, requests);
    const auto run = [&](Call c, const Batch<omnistore_set_request> &part, omnistore_status *outcomes) {
      std::vector<omnistore_sink *> sinks;
      if (results)
        for (const std::uint32_t item : part.items) sinks.push_back(results[item]);
      return Forward::set_many(c, part.keys, Requests(part.requests.data()), results ? sinks.data() : nullptr,
                               outcomes);
    };
    return tried_many(call, batch, statuses, run, [&](std::uint32_t i, const FailureDetails &said) {
      return (said.nothing_done || requests[i].condition == OMNISTORE_ALWAYS) && !stands_twice(keys, i) &&
             !requests[i].source;
    });
  }
  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    Batch<omnistore_remove_request> batch(keys, requests);
    std::vector<bool> may_be_gone(keys.size());
    const auto run = [&](Call c, const Batch<omnistore_remove_request> &part, omnistore_status *outcomes) {
      return Forward::remove_many(c, part.keys, Requests(part.requests.data()), outcomes);
    };
    const omnistore_status status =
        tried_many(call, batch, statuses, run, [&](std::uint32_t i, const FailureDetails &said) {
          if (!said.nothing_done) may_be_gone[i] = true;
          return (said.nothing_done || requests[i].condition != OMNISTORE_IF_MATCH) && !stands_twice(keys, i);
        });
    if (status == OMNISTORE_OK)
      for (std::size_t i = 0; i < keys.size(); ++i)
        if (may_be_gone[i] && statuses[i] == OMNISTORE_NOT_FOUND) statuses[i] = OMNISTORE_OK;
    return status;
  }

  std::string stats(Call) {
    return R"({"counters": {"retries": )" + std::to_string(retries_.load()) + R"(, "gave_up": )" +
           std::to_string(gave_up_.load()) + "}}";
  }

private:
  /// Some items of a batch, with their places in the whole.
  template <class Request>
  struct Batch {
    std::vector<std::uint32_t> items;
    std::vector<omnistore_bytes> keys;
    std::vector<const Request *> requests;
    Batch() = default;
    Batch(std::span<const omnistore_bytes> all, Requests<Request> of) : keys(all.begin(), all.end()) {
      for (std::uint32_t i = 0; i < all.size(); ++i) items.push_back(i), requests.push_back(&of[i]);
    }
    void add(const Batch &from, std::size_t i) {
      items.push_back(from.items[i]);
      keys.push_back(from.keys[i]);
      requests.push_back(from.requests[i]);
    }
  };

  static bool stands_twice(std::span<const omnistore_bytes> keys, std::uint32_t item) {
    return std::count_if(keys.begin(), keys.end(), [&](omnistore_bytes key) {
             return omnistore::as_view(key) == omnistore::as_view(keys[item]);
           }) > 1;
  }

  /// Runs an operation until it succeeds, fails for good, or no attempt or time is left. may_again(details) says
  /// whether a failure that passes by itself allows another attempt.
  template <class Run, class MayAgain>
  omnistore_status tried(Call call, Run run, MayAgain may_again) {
    for (std::uint32_t attempt = 1;; ++attempt) {
      FailureBuffer kept(call);
      const omnistore_status status = run(kept);
      if (status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND) return status;
      const FailureBuffer::Said said = kept.of(0);
      const bool again = passes_by_itself(status) && may_again(said.details);
      if (again && waits(call, attempt, said.details.retry_after)) continue;
      kept.pass_on_all();
      if (passes_by_itself(status) && attempt > 1)
        call.fail(status, attempts_text(attempt) + said.message, said.details);
      if (again) ++gave_up_;
      return status;
    }
  }

  template <class Run>
  omnistore_status read_many(Call call, std::span<const omnistore_bytes> keys, Requests<omnistore_get_request> requests,
                             omnistore_sink *const *sinks, omnistore_status *statuses, Run forward) {
    std::deque<NotedSink> noted;
    for (std::size_t i = 0; i < keys.size(); ++i) noted.emplace_back(*sinks[i]);
    Batch<omnistore_get_request> batch(keys, requests);
    const auto run = [&](Call c, const Batch<omnistore_get_request> &part, omnistore_status *outcomes) {
      std::vector<omnistore_sink *> part_sinks;
      for (const std::uint32_t item : part.items) part_sinks.push_back(&noted[item]);
      return forward(c, std::span<const omnistore_bytes>(part.keys), Requests(part.requests.data()), part_sinks.data(),
                     outcomes);
    };
    return tried_many(call, batch, statuses, run,
                      [&](std::uint32_t i, const FailureDetails &) { return !noted[i].begun(); });
  }

  /// The same for a batch: the items that may be tried again are, and the others have their outcome.
  template <class Request, class Run, class MayAgain>
  omnistore_status tried_many(Call call, Batch<Request> batch, omnistore_status *statuses, Run run,
                              MayAgain may_again) {
    for (std::uint32_t attempt = 1;; ++attempt) {
      FailureBuffer kept(call);
      std::vector<omnistore_status> outcomes(batch.items.size(), OMNISTORE_INTERNAL);
      const omnistore_status whole = run(kept, batch, outcomes.data());
      if (whole != OMNISTORE_OK) outcomes.assign(outcomes.size(), whole);
      Batch<Request> rest;
      std::int64_t retry_after = 0;
      std::vector<FailureBuffer::Said> said;
      for (std::uint32_t i = 0; i < outcomes.size(); ++i) {
        statuses[batch.items[i]] = outcomes[i];
        said.push_back(outcomes[i] == OMNISTORE_OK ? FailureBuffer::Said{} : kept.of(whole == OMNISTORE_OK ? i : 0));
        if (!passes_by_itself(outcomes[i]) || !may_again(batch.items[i], said[i].details)) continue;
        rest.add(batch, i);
        retry_after = std::max(retry_after, said[i].details.retry_after);
      }
      const bool again = !rest.items.empty() && waits(call, attempt, retry_after);
      std::size_t next = 0;
      for (std::uint32_t i = 0; i < outcomes.size(); ++i) {
        const bool kept_back = next < rest.items.size() && rest.items[next] == batch.items[i];
        if (kept_back) ++next;
        if ((kept_back && again) || outcomes[i] == OMNISTORE_OK || outcomes[i] == OMNISTORE_NOT_FOUND) continue;
        const bool late = passes_by_itself(outcomes[i]) && attempt > 1;
        call.fail(batch.items[i], outcomes[i], (late ? attempts_text(attempt) : "") + said[i].message, said[i].details);
      }
      if (again) {
        batch = std::move(rest);
        continue;
      }
      gave_up_ += rest.items.size();
      return OMNISTORE_OK;
    }
  }

  /// Waits before the next attempt. Returns false if there is none, or no time for it, or the caller went away.
  bool waits(Call call, std::uint32_t attempt, std::int64_t retry_after) {
    if (attempt >= attempts_) return false;
    const std::int64_t full = std::min(max_backoff_, backoff_ << std::min(attempt - 1, 30u));
    thread_local std::minstd_rand random{std::random_device{}()};
    const std::int64_t jittered = full / 2 + std::uniform_int_distribution<std::int64_t>(0, full - full / 2)(random);
    const std::int64_t pause = std::max(jittered, retry_after);
    if (pause >= call.remaining()) return false;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(pause);
    for (auto now = std::chrono::steady_clock::now(); now < until; now = std::chrono::steady_clock::now()) {
      if (call.remaining() == 0) return false;
      std::this_thread::sleep_for(
          std::min<std::chrono::nanoseconds>(until - now, std::chrono::milliseconds(50))); // then look who still waits
    }
    ++retries_;
    return true;
  }
  static std::string attempts_text(std::uint32_t attempts) {
    return "after " + std::to_string(attempts) + " attempts: ";
  }

  const std::uint32_t attempts_;
  const std::int64_t backoff_, max_backoff_; // milliseconds
  std::atomic<std::uint64_t> retries_{0}, gave_up_{0};
};

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<Retry>("retry", "1.0.0",
                                                       "Tries again what failed because a store could not be reached",
                                                       OMNISTORE_OPTIONS_SCHEMA, omnistore::forward_traits, 1, 1))

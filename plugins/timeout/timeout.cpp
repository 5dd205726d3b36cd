// SPDX-License-Identifier: Apache-2.0
// The layer `timeout`: a deadline for each operation of the store below.
#include <algorithm>
#include <chrono>

#include <omnistore/driver.hpp>
#include <omnistore/forward.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::Call;
using omnistore::FailureBuffer;
using Clock = std::chrono::steady_clock;

/// The call that the child is given: it ends sooner, and keeps what is said of failures.
class ShortCall : public FailureBuffer {
public:
  ShortCall(Call outer, std::chrono::milliseconds timeout) noexcept
      : FailureBuffer(outer), outer_(outer), until_(Clock::now() + timeout) {
    remaining = &left_;
  }
  /// Returns true if the time of this call is over, and that of the caller is not.
  bool over() const { return Clock::now() >= until_ && outer_.remaining() > 0; }
  /// Does not count the time that a function takes, in which the client is waited for.
  template <class Run>
  omnistore_status uncounted(Run run) {
    const Clock::time_point start = Clock::now();
    const omnistore_status status = run();
    until_ += Clock::now() - start;
    return status;
  }

private:
  static std::int64_t OMNISTORE_CALL left_(const omnistore_call *call) noexcept {
    const auto &self = *static_cast<const ShortCall *>(call);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(self.until_ - Clock::now()).count();
    return std::min<std::int64_t>(self.outer_.remaining(), std::max<std::int64_t>(left, 0));
  }
  Call outer_;
  Clock::time_point until_;
};

class UncountedSink final : public omnistore::PassingSink {
public:
  UncountedSink(omnistore_sink &to, ShortCall *&call) noexcept : PassingSink(to), call_(call) {}

private:
  omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
    return call_->uncounted([&] { return PassingSink::on_begin(meta, buffer); });
  }
  omnistore_status on_write(const void *data, std::uint64_t bytes) override {
    return call_->uncounted([&] { return PassingSink::on_write(data, bytes); });
  }
  omnistore_status on_lend(const void *data, std::uint64_t bytes, const omnistore_loan &loan) override {
    return call_->uncounted([&] { return PassingSink::on_lend(data, bytes, loan); });
  }
  ShortCall *&call_;
};

struct UncountedSource : omnistore_source {
  omnistore_source *from;
  ShortCall *&call;
  UncountedSource(omnistore_source *of, ShortCall *&c) noexcept
      : omnistore_source{sizeof(omnistore_source), 0, &read_}, from(of), call(c) {}
  static omnistore_status OMNISTORE_CALL read_(omnistore_source *source, void *buffer, std::uint64_t capacity,
                                               std::uint64_t *count) noexcept {
    auto &self = *static_cast<UncountedSource *>(source);
    return self.call->uncounted([&] { return self.from->read(self.from, buffer, capacity, count); });
  }
};

class Timeout : public omnistore::Forward<Timeout> {
public:
  Timeout(const omnistore_host &, const omnistore::Options &options, omnistore_traits &traits,
          std::span<const omnistore_store *const> children)
      : Forward(children[0], traits), timeout_(options.integer("timeout")) {}

  template <class Run>
  omnistore_status around(const omnistore::Step &step, Call call, Run run) {
    ShortCall *started = nullptr;
    return timed(step, call, started, run);
  }
  // The values of a store that never blocks are handed on as they are: it waits for no client.
  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    if (child().can(OMNISTORE_NEVER_BLOCKS)) return Forward::get(call, key, request, sink);
    ShortCall *started = nullptr;
    UncountedSink uncounted(sink, started);
    return timed({omnistore::Operation::get}, call, started,
                 [&](Call c) { return child().get(c, key, request, uncounted); });
  }
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    if (!request.source) return Forward::set(call, key, request, result);
    ShortCall *started = nullptr;
    UncountedSource uncounted(request.source, started);
    omnistore_set_request mine = request;
    mine.source = &uncounted;
    return timed({omnistore::Operation::set}, call, started, [&](Call c) { return child().set(c, key, mine, result); });
  }

private:
  template <class Run>
  omnistore_status timed(const omnistore::Step &step, Call call, ShortCall *&started, Run run) {
    ShortCall inner(call, timeout_);
    started = &inner;
    const omnistore_status status = run(inner);
    inner.pass_on_all();
    if (status == OMNISTORE_TIMEOUT && inner.over()) say(inner, 0, call);
    if (status == OMNISTORE_OK && step.statuses && inner.over())
      for (std::uint32_t i = 0; i < step.items; ++i)
        if (step.statuses[i] == OMNISTORE_TIMEOUT) say(inner, i, call);
    return status;
  }
  void say(const ShortCall &inner, std::uint32_t item, Call call) const {
    const FailureBuffer::Said said = inner.of(item);
    std::string message =
        std::string(child().name()) + " did not answer within " + std::to_string(timeout_.count()) + " ms";
    if (!said.message.empty()) message += ": " + said.message;
    call.fail(item, OMNISTORE_TIMEOUT, message, said.details);
  }
  const std::chrono::milliseconds timeout_;
};

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<Timeout>("timeout", "1.0.0",
                                                         "Gives each operation of a store a deadline",
                                                         OMNISTORE_OPTIONS_SCHEMA, omnistore::forward_traits, 1, 1))

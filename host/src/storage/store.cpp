// SPDX-License-Identifier: Apache-2.0
#include "storage/store.hpp"

#include <utility>

#include <omnistore/child.hpp>

#include "storage/capabilities.hpp"
#include "storage/health_report.hpp"
#include "storage/trace.hpp"

namespace omnistore {

// ------------------------------------------------------------------------------------------------------- open and
// close

Store::Store(const Plan &plan, const std::shared_ptr<Tasks> &tasks, const std::string &mount)
    : driver_(plan.driver, tasks, mount, [this](const omnistore_event &removal) { removed(removal); }),
      watches_(driver_), reports_(driver_) {}

std::uint64_t Store::next_id() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::unique_ptr<Store> Store::open(const Plan &plan, const std::shared_ptr<Tasks> &tasks, const std::string &mount,
                                   std::chrono::steady_clock::time_point deadline) {
  if (!plan.driver) throw Error(Status::not_found, plan.problem);
  std::unique_ptr<Store> store(new Store(plan, tasks, mount));
  for (const Plan &child : plan.children) {
    store->children_.push_back(open(child, tasks, mount, deadline));
    store->child_handles_.push_back(&store->children_.back()->handle());
  }
  store->driver_.open(plan.options, store->child_handles_, deadline);
  store->prepare();
  return store;
}

void Store::prepare() {
  reports_.find();
  const auto *health = driver_.extension<omnistore_health>(OMNISTORE_HEALTH);
  if (health && OMNISTORE_HAS(omnistore_health, health, health) && health->health)
    health_ = std::make_unique<HealthReport>(driver_, *health);

  const omnistore_traits &native = driver_.traits();
  longest_key_ = driver_.longest_key();
  stack_ = std::make_unique<EmulationStack>(driver_.functions(), native, longest_key_, driver_.services());
  top_ = stack_->top();
  longest_value_key_ = stack_->longest_value_key();
  if (native.max_value_size != 0) max_value_size_ = native.max_value_size;

  const auto all = [this](auto is_so) { return std::all_of(children_.begin(), children_.end(), is_so); };
  const bool never_blocks = driver_.can(OMNISTORE_NEVER_BLOCKS) &&
                            all([](const auto &child) { return child->driver_.label().never_blocks(); });
  if (never_blocks) driver_.label().claim_never_blocks();
  traits_ = emulated(native);
  if (!never_blocks) traits_.capabilities &= ~OMNISTORE_NEVER_BLOCKS;
  const bool writes = !driver_.can(OMNISTORE_READS_ONLY);
  streams_.reads = !driver_.is_serialized() && !driver_.can(OMNISTORE_NEVER_BLOCKS) &&
                   all([](const auto &child) { return child->streams_.reads; });
  streams_.writes = !driver_.is_serialized() && !stack_->locks_writes() && writes &&
                    driver_.can(OMNISTORE_CAN_STREAM) && all([](const auto &child) { return child->streams_.writes; });
  const bool may_be_fast = !all([](const auto &child) { return child->time_every_ == 1; });
  time_every_ = never_blocks || may_be_fast ? timed_one_in : 1;
  fill_table();
  event_stack_.store(stack_.get(), std::memory_order_release);
  stack_->start();
}

Store::~Store() { close(); }

void Store::close() {
  health_.reset();
  driver_.close();
  for (const auto &child : children_) child->close();
}

/// A removal that the store made by itself.
void Store::removed(const omnistore_event &removal) {
  if (removal.cause == OMNISTORE_CAUSE_EVICTED) meter_.here().add(Count::evictions);
  if (removal.cause == OMNISTORE_CAUSE_EXPIRED) meter_.here().add(Count::expirations);
  if (EmulationStack *stack = event_stack_.load(std::memory_order_acquire)) stack->value_removed(view(removal.key));
  watches_.report(removal);
}

// ----------------------------------------------------------------------------------------------------------
// description

std::size_t Store::lent() const {
  std::size_t most = driver_.loans().out(); // what a child lends through its layer counts at both
  for (const auto &child : children_) most = std::max(most, child->lent());
  return most;
}

bool Store::is_of(const base::CallLabel &label) const {
  return &label == &driver_.label() ||
         std::any_of(children_.begin(), children_.end(), [&](const auto &child) { return child->is_of(label); });
}

void Store::collect_health(std::vector<HealthReport *> &all) {
  if (health_) return all.push_back(health_.get());
  for (const auto &child : children_) child->collect_health(all);
}

void Store::add_limits(std::vector<WatchLimit> &limits) {
  watches_.add_limits(limits);
  for (const auto &child : children_) {
    const std::size_t before = limits.size();
    child->add_limits(limits);
    for (std::size_t i = before; i < limits.size(); ++i) limits[i].cause.insert(0, child->driver().name + ": ");
  }
}

MountStats Store::stats() {
  const auto histogram = [](const Meter::Histogram &from) {
    MountStats::Histogram to{{from.counts.begin(), from.counts.end()}, 0, static_cast<double>(from.sum_ns) / 1e9};
    for (const std::uint64_t count : from.counts) to.count += count;
    return to;
  };
  const Meter::Totals totals = meter_.totals();
  MountStats stats;
  stats.driver = driver().name;
  stats.hits = totals[Count::hits];
  stats.misses = totals[Count::misses];
  stats.reads = totals[Count::hits] + totals[Count::misses] + totals[Count::read_errors];
  stats.writes = totals[Count::writes];
  stats.removes = totals[Count::removes];
  stats.lists = totals[Count::lists];
  stats.errors = totals[Count::read_errors] + totals[Count::write_errors];
  for (std::size_t i = 0; i < status_kinds; ++i)
    if (totals.failures[i] != 0)
      stats.errors_by_kind.emplace_back(i == cancelled_kind ? Status::cancelled : static_cast<Status>(i * 10),
                                        totals.failures[i]);
  stats.in_flight = static_cast<std::uint64_t>(std::max<std::int64_t>(0, totals.in_flight));
  stats.bytes_read = totals[Count::bytes_read];
  stats.bytes_written = totals[Count::bytes_written];
  stats.evictions = totals[Count::evictions];
  stats.expirations = totals[Count::expirations];
  stats.driver_faults = driver_.faults().count();
  stats.read_latency = histogram(totals.latency[Meter::read]);
  stats.write_latency = histogram(totals.latency[Meter::write]);
  DriverReports::Figures figures = reports_.figures();
  stats.counters = std::move(figures.counters);
  stats.gauges = std::move(figures.gauges);
  stats.counters_late = reports_.counts() && !reports_.counting().over({});
  for (const auto &child : children_) stats.layers.push_back(child->stats());
  return stats;
}

StoreInfo Store::info() const {
  StoreInfo info{driver().name,
                 driver().version,
                 driver().file,
                 driver_.traits().capabilities,
                 omnistore::capabilities(driver().table, driver_.traits()),
                 {}};
  for (const auto &child : children_) info.children.push_back(child->info());
  return info;
}

// ---------------------------------------------------------------------------------------------------------------
// limits

/// A key that is longer than the driver takes. A layer's own keys come here too.
omnistore_status Store::refuse_key(omnistore_call *call, omnistore_bytes key) const {
  return fail(call, OMNISTORE_TOO_LARGE,
              "a key of " + std::to_string(key.size) + " bytes; this store takes at most " +
                  std::to_string(longest_value_key_));
}

bool Store::keys_fit(const omnistore_bytes *keys, std::uint32_t count) const {
  return std::all_of(keys, keys + count, [&](omnistore_bytes key) { return !is_too_long(key); });
}

bool Store::fits(const omnistore_set_request &request) const {
  const std::uint64_t size = request.source ? request.source_size : request.value.size;
  const std::uint64_t user = driver_.can(OMNISTORE_CAN_META) ? request.user.size : 0;
  return (size == OMNISTORE_UNKNOWN_SIZE || (size <= max_value_size_ && user <= max_value_size_ - size)) &&
         request.user.size <= OMNISTORE_MAX_USER_SIZE && request.condition <= OMNISTORE_IF_MATCH;
}

namespace {

omnistore_status refuse_user(omnistore_call *call, omnistore_bytes user) {
  return fail(call, OMNISTORE_TOO_LARGE,
              "user meta of " + std::to_string(user.size) + " bytes; at most " +
                  std::to_string(OMNISTORE_MAX_USER_SIZE) + " are kept");
}

/// A condition of a later version: no driver may be given one that it does not state.
omnistore_status refuse_condition(omnistore_call *call, std::uint32_t condition) {
  return fail(call, OMNISTORE_INVALID, "unknown condition " + std::to_string(condition));
}

} // namespace

omnistore_status Store::refuse_set(omnistore_call *call, const omnistore_set_request &request) const {
  if (request.condition > OMNISTORE_IF_MATCH) return refuse_condition(call, request.condition);
  if (request.user.size > OMNISTORE_MAX_USER_SIZE) return refuse_user(call, request.user);
  const std::string user = request.user.size ? " with user meta of " + std::to_string(request.user.size) : "";
  return fail(call, OMNISTORE_TOO_LARGE,
              "a value of " + std::to_string(request.source ? request.source_size : request.value.size) + " bytes" +
                  user + "; this store takes at most " + std::to_string(max_value_size_));
}

// -----------------------------------------------------------------------------------------------------------
// operations

omnistore_status Store::get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                            omnistore_sink *sink) {
  if (Trace *trace = Trace::current(); trace && trace->enters(*this)) [[unlikely]]
    return trace->ask(*this, call, key, sink, [&](auto *c, auto *s) { return get(c, key, request, s); });
  OperationTimer counts = timer(Meter::read);
  if (is_too_long(key)) [[unlikely]]
    return counts.read(refuse_key(call, key));
  return counts.read(top_.get(call, key, &request, sink));
}

omnistore_status Store::stat(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                             omnistore_sink *sink) {
  if (Trace *trace = Trace::current(); trace && trace->enters(*this)) [[unlikely]]
    return trace->ask(*this, call, key, sink, [&](auto *c, auto *s) { return stat(c, key, request, s); });
  OperationTimer counts = timer(Meter::read);
  if (is_too_long(key)) [[unlikely]]
    return counts.read(refuse_key(call, key));
  return counts.read(top_.stat(call, key, &request, sink));
}

omnistore_status Store::get_changed(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                                    omnistore_bytes etag, omnistore_sink *sink, std::uint32_t &unchanged) {
  if (Trace *trace = Trace::current(); trace && trace->enters(*this)) [[unlikely]]
    return trace->ask(*this, call, key, sink,
                      [&](auto *c, auto *s) { return get_changed(c, key, request, etag, s, unchanged); });
  unchanged = 0;
  if (top_.get_changed) {
    OperationTimer counts = timer(Meter::read);
    return counts.read(top_.get_changed(call, key, &request, etag, sink, &unchanged));
  }
  // A look at the etag first. If it is the same, the sink begins with what the look gave.
  ValueSink found;
  const omnistore_get_request look{sizeof look, request.flags | OMNISTORE_GET_META, 0, UINT64_MAX};
  const omnistore_status status = stat(call, key, look, &found);
  if (status != OMNISTORE_OK) return status;
  if (found.etag.empty() || found.etag != view(etag)) return get(call, key, request, sink);
  unchanged = 1;
  return give(*sink, found.meta());
}

omnistore_status Store::set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                            omnistore_sink *result) {
  OperationTimer counts = timer(Meter::write);
  if (is_too_long(key)) [[unlikely]]
    return counts.write(refuse_key(call, key), Count::writes);
  if (!fits(request)) [[unlikely]]
    return counts.write(refuse_set(call, request), Count::writes);
  const std::uint64_t size = request.source ? request.source_size : request.value.size;
  return counts.write(top_.set(call, key, &request, result), Count::writes, size == OMNISTORE_UNKNOWN_SIZE ? 0 : size);
}

omnistore_status Store::remove(omnistore_call *call, omnistore_bytes key, const omnistore_remove_request &request) {
  OperationTimer counts = timer(Meter::write);
  if (is_too_long(key)) [[unlikely]]
    return counts.write(refuse_key(call, key), Count::removes);
  if (request.condition > OMNISTORE_IF_MATCH) [[unlikely]]
    return counts.write(refuse_condition(call, request.condition), Count::removes);
  return counts.write(top_.remove(call, key, &request), Count::removes);
}

omnistore_status Store::list(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page) {
  OperationCounter counts(meter_, time_every_);
  const omnistore_status status = top_.list(call, &request, page);
  if (status != OMNISTORE_OK) return counts.failure(status, Count::read_errors);
  counts.add(Count::lists);
  return status;
}

omnistore_status Store::clear(omnistore_call *call, const omnistore_clear_request &request, omnistore_page *removed) {
  OperationCounter counts(meter_, time_every_);
  const omnistore_status status = top_.clear(call, &request, removed);
  return has_failed(status) ? counts.failure(status, Count::write_errors) : status;
}

omnistore_status Store::touch(omnistore_call *call, omnistore_bytes key, const omnistore_touch_request &request) {
  OperationTimer counts = timer(Meter::write);
  if (is_too_long(key)) [[unlikely]]
    return counts.write(refuse_key(call, key), Count::writes);
  if (request.flags & OMNISTORE_TOUCH_USER && request.user.size > OMNISTORE_MAX_USER_SIZE)
    return counts.write(refuse_user(call, request.user), Count::writes);
  const omnistore_status status = top_.touch ? top_.touch(call, key, &request) : OMNISTORE_UNSUPPORTED;
  return counts.write(status, Count::writes);
}

} // namespace omnistore

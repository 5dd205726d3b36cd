// SPDX-License-Identifier: Apache-2.0
#include "storage/node.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <utility>

#include <omnistore/known.hpp>

#include "base/clock.hpp"
#include "config/formats.hpp"
#include "loader/open.hpp"
#include "storage/call.hpp"
#include "storage/capabilities.hpp"
#include "storage/node_guarded.hpp"
#include "storage/node_health.hpp"
#include "storage/node_host.hpp"
#include "storage/node_label.hpp"
#include "storage/node_sweep.hpp"
#include "storage/trace.hpp"

namespace omnistore {
namespace {

/// Of a driver that never blocks, and of a layer that may be answered by one, so many operations go untimed for each
/// that is timed: reading the clock twice would cost as much as the operation.
constexpr unsigned timed_one_in = 64;

omnistore_status refuse_user(omnistore_call *call, omnistore_bytes user) {
  return fail(call, OMNISTORE_TOO_LARGE,
              "user meta of " + std::to_string(user.size) + " bytes; at most " +
                  std::to_string(OMNISTORE_MAX_USER_SIZE) + " are kept");
}

bool failed(omnistore_status status) {
  return status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND && status != OMNISTORE_CONFLICT;
}

} // namespace

/// Counts an operation among those under way, where it may be for long.
struct Node::UnderWay {
  explicit UnderWay(Node &node) : here(node.meter_.here()), counted(node.time_every_ == 1) {
    if (counted) here.under_way(1);
  }
  ~UnderWay() {
    if (counted) here.under_way(-1);
  }
  omnistore_status failing(omnistore_status status, Count count) {
    here.add(count);
    here.fail(status);
    return status;
  }

  Meter::Here here;
  const bool counted;
};

/// Counts one operation and, where it is due, its time.
struct Node::Timer : Node::UnderWay {
  Timer(Node &node, Meter::Kind what) : UnderWay(node), kind(what) {
    if (here.due(node.time_every_)) start = std::chrono::steady_clock::now();
  }
  ~Timer() {
    if (start.time_since_epoch().count() != 0)
      here.time(kind, std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count());
  }
  omnistore_status read(omnistore_status status) {
    const bool is_hit = status == OMNISTORE_OK || (GivingUp::gave_up() && failed(status)); // what it had was not wanted
    if (!is_hit && status != OMNISTORE_NOT_FOUND) return failing(status, Count::read_errors);
    here.add(is_hit ? Count::hits : Count::misses);
    return status;
  }
  omnistore_status write(omnistore_status status, Count done, std::uint64_t written = 0) {
    if (status == OMNISTORE_OK) {
      here.add(done);
      if (written != 0) here.add(Count::bytes_written, written);
    } else if (failed(status) && !GivingUp::gave_up()) {
      failing(status, Count::write_errors);
    }
    return status;
  }

  Meter::Kind kind;
  std::chrono::steady_clock::time_point start{};
};

// ---------------------------------------------------------------------------------------------------- open and close

Node::Node() = default;

std::uint64_t Node::next_id() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::unique_ptr<Node> Node::open(const Plan &plan, const std::shared_ptr<Tasks> &tasks, const std::string &mount,
                                 std::chrono::steady_clock::time_point deadline) {
  if (!plan.driver) throw Error(Status::not_found, plan.problem);
  std::unique_ptr<Node> node(new Node);
  node->driver_ = plan.driver;
  for (const Plan &child : plan.children) {
    node->children_.push_back(open(child, tasks, mount, deadline));
    node->child_handles_.push_back(&node->children_.back()->handle());
  }
  node->host_ = std::make_unique<Host>(*node, tasks, mount);
  node->label_ = std::make_unique<Label>(*node);
  node->faults_.name(node->host_->mount(), plan.driver->name);
  node->native_ = plan.driver->traits;

  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  HostCall call(std::max(left, std::chrono::milliseconds(1)));
  const omnistore_open_request request{sizeof(omnistore_open_request),
                                       0,
                                       bytes(plan.options),
                                       node->child_handles_.data(),
                                       static_cast<std::uint32_t>(node->child_handles_.size()),
                                       0};
  omnistore_status status = OMNISTORE_INTERNAL;
  {
    const base::InFlight in_flight(*node->label_, "open");
    status =
        known_status(loader::call_open(*plan.driver, node->host_.get(), &call, &request, &node->native_, &node->self_),
                     node->faults_);
  }
  if (status != OMNISTORE_OK) {
    node->host_->drop_tasks();
    throw Error(to_status(status), without_secrets(call.cause(status), *plan.driver, plan.options));
  }
  node->opened_ = true;
  node->prepare();
  return node;
}

void Node::prepare() {
  if (driver_->table.extension) {
    const base::InFlight in_flight(*label_, "extension");
    revalidates_ = static_cast<const omnistore_revalidate *>(driver_->table.extension(self_, OMNISTORE_REVALIDATE));
    counts_ = static_cast<const omnistore_stats *>(driver_->table.extension(self_, OMNISTORE_STATS));
    explains_ = static_cast<const omnistore_explain *>(driver_->table.extension(self_, OMNISTORE_EXPLAIN));
    if (revalidates_ && !OMNISTORE_HAS(omnistore_revalidate, revalidates_, get_changed)) revalidates_ = nullptr;
    if (counts_ && !OMNISTORE_HAS(omnistore_stats, counts_, stats)) counts_ = nullptr;
    const auto *asked = static_cast<const omnistore_health *>(driver_->table.extension(self_, OMNISTORE_HEALTH));
    if (asked && OMNISTORE_HAS(omnistore_health, asked, health) && asked->health)
      health_ = std::make_unique<Health>(*this, *asked, host_->tasks());
    if (explains_ && !OMNISTORE_HAS(omnistore_explain, explains_, explain)) explains_ = nullptr;
  }
  if (native_.thread_model < OMNISTORE_PARALLEL) serial_ = std::make_unique<std::timed_mutex>();
  // What this host does not know it does not ask for, and no layer above it may: it would not hand on what belongs to
  // it.
  constexpr std::uint64_t known_capabilities = (OMNISTORE_WATCHES_OWN << 1) - 1;
  const std::uint64_t can = native_.capabilities &= known_capabilities;
  const bool writes = !(can & OMNISTORE_READS_ONLY);
  constexpr std::uint64_t conditions = OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH;
  emulates_ttl_ = writes && !(can & OMNISTORE_CAN_TTL);
  emulates_meta_ = !(can & OMNISTORE_CAN_META);
  native_.min_ttl = std::clamp<std::int64_t>(native_.min_ttl, 0, config::max_ttl);
  native_.ttl_grain = std::clamp<std::int64_t>(native_.ttl_grain, 0, config::max_ttl);
  rounds_expiry_ = !emulates_ttl_ && (native_.min_ttl > 1 || native_.ttl_grain > 1);
  locks_writes_ = emulates_ttl_ || (writes && !(can & OMNISTORE_SHARED) && (can & conditions) != conditions);
  if (locks_writes_ || (writes && emulates_meta_)) stripes_ = std::make_unique<std::array<std::timed_mutex, 64>>();
  constexpr std::uint64_t longest_of_all = OMNISTORE_MAX_KEY_SIZE;
  longest_key_ = native_.max_key_size == 0 ? longest_of_all : std::min(native_.max_key_size, longest_of_all);
  // What the host keeps for `k` lies under `k$`: a key that leaves no room for that is refused by every operation.
  longest_value_key_ = longest_key_ - (writes && (emulates_ttl_ || emulates_meta_) ? 1 : 0);
  if (emulates_ttl_ || emulates_meta_) sweep_ = std::make_unique<Sweep>(*this);
  // What is kept for longer than a store is open may have been written with an expiry before, or with user meta.
  const bool may_hold = native_.keeps == OMNISTORE_KEEPS_UNKNOWN || native_.keeps > OMNISTORE_KEEPS_NOTHING;
  may_expire_ = emulates_ttl_ && may_hold;
  may_have_user_ = emulates_meta_ && (may_hold || can & OMNISTORE_SHARED || !writes);
  never_blocks_ = (can & OMNISTORE_NEVER_BLOCKS) != 0 &&
                  std::all_of(children_.begin(), children_.end(), [](auto &child) { return child->never_blocks(); });
  streams_.reads = !serial_ && !(can & OMNISTORE_NEVER_BLOCKS);
  streams_.writes = !serial_ && !locks_writes_ && writes && can & OMNISTORE_CAN_STREAM;
  for (const auto &child : children_) {
    streams_.reads = streams_.reads && child->streams_.reads;
    streams_.writes = streams_.writes && child->streams_.writes;
  }
  const bool may_be_fast =
      std::any_of(children_.begin(), children_.end(), [](auto &child) { return child->time_every_ == timed_one_in; });
  time_every_ = never_blocks_ || may_be_fast ? timed_one_in : 1;
  traits_ = emulated(native_);
  if (!never_blocks_) traits_.capabilities &= ~OMNISTORE_NEVER_BLOCKS;
  fill_table();
  if (may_expire_) sweep_->scan();
}

Node::~Node() { close(); }

void Node::close() {
  if (std::exchange(opened_, false)) {
    loans_.wait();
    health_.reset();
    host_->drop_tasks();
    HostCall call;
    guarded(&call, "close", [&] {
      driver_->table.close(self_);
      return OMNISTORE_OK;
    });
  }
  for (const auto &child : children_) child->close();
}

std::size_t Node::lent() const {
  std::size_t most = loans_.out(); // what a child lends through its layer counts at both
  for (const auto &child : children_) most = std::max(most, child->lent());
  return most;
}

bool Node::is_of(const base::CallLabel &label) const {
  return &label == label_.get() ||
         std::any_of(children_.begin(), children_.end(), [&](const auto &child) { return child->is_of(label); });
}

MountStats Node::stats() {
  const auto histogram = [](const Meter::Histogram &from) {
    MountStats::Histogram to{{from.counts.begin(), from.counts.end()}, 0, static_cast<double>(from.sum_ns) / 1e9};
    for (const std::uint64_t count : from.counts) to.count += count;
    return to;
  };
  const Meter::Totals totals = meter_.totals();
  MountStats stats;
  stats.driver = driver_->name;
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
  stats.driver_faults = faults_.count();
  stats.read_latency = histogram(totals.latency[Meter::read]);
  stats.write_latency = histogram(totals.latency[Meter::write]);
  Figures figures = this->figures();
  stats.counters = std::move(figures.counters);
  stats.gauges = std::move(figures.gauges);
  stats.counters_late = counts() && !counting_.over({});
  for (const auto &child : children_) stats.layers.push_back(child->stats());
  return stats;
}

StoreInfo Node::info() const {
  StoreInfo info{driver_->name,
                 driver_->version,
                 driver_->file,
                 native_.capabilities,
                 omnistore::capabilities(driver_->table, native_),
                 {}};
  for (const auto &child : children_) info.children.push_back(child->info());
  return info;
}

// ------------------------------------------------------------------------------------------------ calls of the driver

omnistore_status Node::driver_get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                                  omnistore_sink *sink) {
  CheckedSink checked(sink, faults_, request.offset, request.length, &loans_);
  return checked.settle(guarded(call, "get", [&] { return driver_->table.get(self_, call, key, &request, &checked); }),
                        call);
}

omnistore_status Node::driver_stat(omnistore_call *call, omnistore_bytes key, std::uint32_t flags,
                                   omnistore_sink *sink) {
  const omnistore_get_request request{sizeof(omnistore_get_request), flags, 0, UINT64_MAX};
  CheckedSink checked(sink, faults_);
  return checked.settle(
      guarded(call, "stat", [&] { return driver_->table.stat(self_, call, key, &request, &checked); }), call);
}

omnistore_status Node::driver_set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                  omnistore_sink *result) {
  if (!result) return guarded(call, "set", [&] { return driver_->table.set(self_, call, key, &request, nullptr); });
  CheckedSink checked(result, faults_);
  const omnistore_status status =
      guarded(call, "set", [&] { return driver_->table.set(self_, call, key, &request, &checked); });
  return settle_set(checked, status, request, call, 0);
}

/// What a set with a sink for its result comes to.
omnistore_status Node::settle_set(const CheckedSink &checked, omnistore_status status,
                                  const omnistore_set_request &request, omnistore_call *call, std::uint32_t item) {
  // Where nothing was stored, or no etags are given, there may be nothing to give.
  const bool may_stay = !(native_.capabilities & OMNISTORE_CAN_ETAG) || request.expiry != 0;
  if (!checked.begun() && (status != OMNISTORE_OK || may_stay)) return status;
  return checked.settle(status, call, item);
}

omnistore_status Node::driver_remove(omnistore_call *call, omnistore_bytes key,
                                     const omnistore_remove_request &request) {
  return guarded(call, "remove", [&] { return driver_->table.remove(self_, call, key, &request); });
}

omnistore_status Node::driver_list(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page) {
  CheckedPage checked(page, faults_, request, native_.order);
  return checked.settle(guarded(call, "list", [&] { return driver_->table.list(self_, call, &request, &checked); }),
                        call);
}

omnistore_status Node::driver_clear(omnistore_call *call, const omnistore_clear_request &request,
                                    omnistore_page *removed) {
  CheckedPage checked(removed, faults_, view(request.base));
  const omnistore_status status =
      guarded(call, "clear", [&] { return driver_->table.clear(self_, call, &request, removed ? &checked : nullptr); });
  return checked.settle(status, call);
}

omnistore_status Node::driver_watch(omnistore_call *call, const omnistore_watch_request &request,
                                    omnistore_watcher *watcher, void **watch) {
  return guarded(call, "watch", [&] { return driver_->table.watch(self_, call, &request, watcher, watch); });
}

// --------------------------------------------------------------------------------------------------------- operations

omnistore_status Node::get(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                           omnistore_sink *sink) {
  if (Trace *trace = Trace::current(); trace && trace->enters(*this)) [[unlikely]]
    return trace->ask(*this, call, key, sink, [&](auto *c, auto *s) { return get(c, key, request, s); });
  Timer timer(*this, Meter::read);
  const bool whole = request.offset == 0 && request.length == UINT64_MAX;
  if (is_too_long(key)) return timer.read(refuse_key(call, key));
  const bool native = !emulates_ttl_ && (whole || native_.capabilities & OMNISTORE_CAN_RANGE) &&
                      !(request.flags & OMNISTORE_GET_USER && emulates_meta_);
  return timer.read(native ? driver_get(call, key, request, sink) : emulated_get(call, key, request, sink, false));
}

omnistore_status Node::stat(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                            omnistore_sink *sink) {
  if (Trace *trace = Trace::current(); trace && trace->enters(*this)) [[unlikely]]
    return trace->ask(*this, call, key, sink, [&](auto *c, auto *s) { return stat(c, key, request, s); });
  Timer timer(*this, Meter::read);
  if (is_too_long(key)) return timer.read(refuse_key(call, key));
  if (emulates_ttl_ || (request.flags & OMNISTORE_GET_USER && emulates_meta_))
    return timer.read(emulated_get(call, key, request, sink, true));
  return timer.read(driver_stat(call, key, request.flags, sink));
}

omnistore_status Node::get_changed(omnistore_call *call, omnistore_bytes key, const omnistore_get_request &request,
                                   omnistore_bytes etag, omnistore_sink *sink, std::uint32_t &unchanged) {
  if (Trace *trace = Trace::current(); trace && trace->enters(*this)) [[unlikely]]
    return trace->ask(*this, call, key, sink,
                      [&](auto *c, auto *s) { return get_changed(c, key, request, etag, s, unchanged); });
  unchanged = 0;
  if (!revalidates_ || emulates_ttl_ || emulates_meta_)
    return emulated_get_changed(call, key, request, etag, sink, unchanged);
  Timer timer(*this, Meter::read);
  CheckedSink checked(sink, faults_, request.offset, request.length);
  const omnistore_status status = guarded(call, "get_changed", [&] {
    return revalidates_->get_changed(self_, call, key, &request, etag, &checked, &unchanged);
  });
  return timer.read(checked.settle(status, call, 0, unchanged != 0));
}

omnistore_status Node::set(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                           omnistore_sink *result) {
  Timer timer(*this, Meter::write);
  const std::uint64_t size = request.source ? request.source_size : request.value.size;
  auto too_large = [&](const char *what, std::uint64_t is, std::uint64_t most) {
    return timer.write(fail(call, OMNISTORE_TOO_LARGE,
                            std::string(what) + " of " + std::to_string(is) + " bytes; this store takes at most " +
                                std::to_string(most)),
                       Count::writes);
  };
  if (native_.capabilities & OMNISTORE_READS_ONLY) return timer.write(OMNISTORE_READ_ONLY, Count::writes);
  if (is_too_long(key)) return timer.write(refuse_key(call, key), Count::writes);
  if (request.user.size > OMNISTORE_MAX_USER_SIZE) return timer.write(refuse_user(call, request.user), Count::writes);
  if (native_.max_value_size != 0 && size != OMNISTORE_UNKNOWN_SIZE && size > native_.max_value_size)
    return too_large("a value", size, native_.max_value_size);
  if (rounds_expiry_ && rounded_expiry(request.expiry) != request.expiry) {
    omnistore_set_request rounded = request;
    rounded.expiry = rounded_expiry(request.expiry);
    return timer.write(set_here(call, key, rounded, result), Count::writes, size == OMNISTORE_UNKNOWN_SIZE ? 0 : size);
  }
  return timer.write(set_here(call, key, request, result), Count::writes, size == OMNISTORE_UNKNOWN_SIZE ? 0 : size);
}

/// A set that is within the limits, and whose expiry is as the driver keeps it.
omnistore_status Node::set_here(omnistore_call *call, omnistore_bytes key, const omnistore_set_request &request,
                                omnistore_sink *result) {
  const bool native = !locks_writes_ && (!request.source || native_.capabilities & OMNISTORE_CAN_STREAM) &&
                      native_condition(request.condition) && request.user.size <= (emulates_meta_ ? 0 : UINT64_MAX) &&
                      !keeps_user_of(view(key));
  return native ? driver_set(call, key, request, result) : emulated_set(call, key, request, result);
}

/// What the driver keeps of an expiry: not sooner than its min_ttl, and a multiple of its ttl_grain. One that has
/// passed stays as it is.
std::int64_t Node::rounded_expiry(std::int64_t expiry) const {
  if (!rounds_expiry_ || expiry == 0) return expiry;
  const std::int64_t now = now_ms();
  if (expiry <= now) return expiry;
  expiry = std::max(expiry, now + native_.min_ttl);
  if (const std::int64_t grain = native_.ttl_grain; grain > 1 && expiry % grain != 0) expiry += grain - expiry % grain;
  return expiry;
}

omnistore_status Node::remove(omnistore_call *call, omnistore_bytes key, const omnistore_remove_request &request) {
  Timer timer(*this, Meter::write);
  if (native_.capabilities & OMNISTORE_READS_ONLY) return timer.write(OMNISTORE_READ_ONLY, Count::removes);
  if (is_too_long(key)) return timer.write(refuse_key(call, key), Count::removes);
  const bool native = !locks_writes_ && !keeps_user_of(view(key)) &&
                      (request.condition != OMNISTORE_IF_MATCH || native_condition(request.condition));
  return timer.write(native ? driver_remove(call, key, request) : emulated_remove(call, key, request), Count::removes);
}

/// A key that is longer than the driver takes. A layer's own keys come here too.
omnistore_status Node::refuse_key(omnistore_call *call, omnistore_bytes key) const {
  return fail(call, OMNISTORE_TOO_LARGE,
              "a key of " + std::to_string(key.size) + " bytes; this store takes at most " +
                  std::to_string(longest_value_key_));
}

bool Node::keys_fit(const omnistore_bytes *keys, std::uint32_t count) const {
  return std::all_of(keys, keys + count, [&](omnistore_bytes key) { return !is_too_long(key); });
}

omnistore_status Node::list(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page) {
  UnderWay under_way(*this);
  const std::uint64_t can = native_.capabilities;
  const bool native = !may_expire_.load(std::memory_order_relaxed) &&
                      (request.depth == OMNISTORE_ANY_DEPTH || can & OMNISTORE_CAN_DEPTH) &&
                      (!(request.flags & OMNISTORE_LIST_META) || can & OMNISTORE_CAN_LIST_META);
  const omnistore_status status = native ? driver_list(call, request, page) : emulated_list(call, request, page);
  if (status != OMNISTORE_OK) return under_way.failing(status, Count::read_errors);
  under_way.here.add(Count::lists);
  return status;
}

omnistore_status Node::clear(omnistore_call *call, const omnistore_clear_request &request, omnistore_page *removed) {
  UnderWay under_way(*this);
  omnistore_status status = OMNISTORE_READ_ONLY;
  if (!(native_.capabilities & OMNISTORE_READS_ONLY))
    status = driver_->table.clear ? driver_clear(call, request, removed) : emulated_clear(call, request, removed);
  return failed(status) ? under_way.failing(status, Count::write_errors) : status;
}

omnistore_status Node::touch(omnistore_call *call, omnistore_bytes key, const omnistore_touch_request &request) {
  Timer timer(*this, Meter::write);
  if (native_.capabilities & OMNISTORE_READS_ONLY) return timer.write(OMNISTORE_READ_ONLY, Count::writes);
  if (is_too_long(key)) return timer.write(refuse_key(call, key), Count::writes);
  if (request.flags & OMNISTORE_TOUCH_USER && request.user.size > OMNISTORE_MAX_USER_SIZE)
    return timer.write(refuse_user(call, request.user), Count::writes);
  if (emulates_ttl_ || (emulates_meta_ && (request.flags & OMNISTORE_TOUCH_USER || keeps_user_of(view(key)))))
    return timer.write(emulated_touch(call, key, request), Count::writes);
  if (!driver_->table.touch) return timer.write(OMNISTORE_UNSUPPORTED, Count::writes);
  omnistore_touch_request kept = request;
  if (request.flags & OMNISTORE_TOUCH_EXPIRY) kept.expiry = rounded_expiry(request.expiry);
  return timer.write(guarded(call, "touch", [&] { return driver_->table.touch(self_, call, key, &kept); }),
                     Count::writes);
}

// ------------------------------------------------------------------------------------------------------------ batches

namespace {

/// Runs a batch in pieces of what the driver takes at once. `piece(from, count)` answers for its items.
template <typename Piece>
omnistore_status in_pieces(std::uint32_t count, std::uint32_t most, Piece piece) {
  if (most == 0) most = count;
  for (std::uint32_t from = 0; from < count; from += most) {
    const omnistore_status status = piece(from, std::min(most, count - from));
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

/// A call for a piece of a batch, or for one item: failures are given on for the item's place in the whole.
class ItemCall : public PassedCall {
public:
  ItemCall(omnistore_call *outer_call, std::uint32_t from) : PassedCall(outer_call, fail_), from_(from) {}

  /// False: the batch's time is up, and the item has a message that says so.
  bool in_time() {
    if (remaining(this) > 0) return true;
    ::omnistore::fail(this, OMNISTORE_UNAVAILABLE, "the batch's time was up before this item's turn", 0,
                      OMNISTORE_NOTHING_DONE);
    return false;
  }

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call, const omnistore_failure *failure) {
    auto &self = *static_cast<ItemCall *>(call);
    const Known known(*failure);
    omnistore_failure placed = *known;
    placed.item += self.from_;
    self.outer->fail(self.outer, &placed);
  }
  std::uint32_t from_;
};

bool is_whole(const omnistore_get_request &request) { return request.offset == 0 && request.length == UINT64_MAX; }

/// Does the items of a batch one by one: `run(i, call)` gives the item's status.
template <typename Run>
omnistore_status one_by_one(omnistore_call *call, std::uint32_t count, omnistore_status *statuses, Run run) {
  for (std::uint32_t i = 0; i < count; ++i) {
    ItemCall item(call, i);
    statuses[i] = item.in_time() ? run(i, &item) : OMNISTORE_UNAVAILABLE;
  }
  return OMNISTORE_OK;
}

} // namespace

omnistore_status Node::get_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                omnistore_status *statuses) {
  const auto any_has = [&](std::uint32_t flag) {
    return std::any_of(requests, requests + count, [flag](const auto *one) { return (one->flags & flag) != 0; });
  };
  const bool ranges_fit = native_.capabilities & OMNISTORE_CAN_RANGE ||
                          std::all_of(requests, requests + count, [](const auto *one) { return is_whole(*one); });
  if (!driver_->table.get_many || emulates_ttl_ || !ranges_fit || !keys_fit(keys, count))
    return one_by_one(call, count, statuses, [&](std::uint32_t i, omnistore_call *item) {
      return get(item, keys[i], *requests[i], sinks[i]);
    });
  Timer timer(*this, Meter::read);
  const bool adds_user = emulates_meta_ && any_has(OMNISTORE_GET_USER);
  const omnistore_status status = in_pieces(count, native_.max_batch, [&](std::uint32_t from, std::uint32_t piece) {
    ItemCall items(call, from);
    std::deque<CheckedSink> checked;
    std::vector<omnistore_sink *> pointers;
    for (std::uint32_t i = 0; i < piece; ++i)
      pointers.push_back(
          &checked.emplace_back(sinks[from + i], faults_, requests[from + i]->offset, requests[from + i]->length));
    const omnistore_status answer =
        adds_user ? get_many_with_user(&items, keys + from, piece, requests + from, pointers.data(), statuses + from)
                  : guarded(&items, "get_many", [&] {
                      return driver_->table.get_many(self_, &items, keys + from, piece, requests + from,
                                                     pointers.data(), statuses + from);
                    });
    for (std::uint32_t i = 0; i < piece && answer == OMNISTORE_OK; ++i)
      statuses[from + i] = checked[i].settle(known_status(statuses[from + i], faults_), &items, i);
    return answer;
  });
  for (std::uint32_t i = 0; i < count; ++i) timer.read(status == OMNISTORE_OK ? statuses[i] : status);
  return status;
}

omnistore_status Node::stat_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                 const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                 omnistore_status *statuses) {
  const bool adds_user = emulates_meta_ && std::any_of(requests, requests + count, [](const auto *one) {
                           return (one->flags & OMNISTORE_GET_USER) != 0;
                         });
  if (!driver_->table.stat_many || emulates_ttl_ || adds_user || !keys_fit(keys, count))
    return one_by_one(call, count, statuses, [&](std::uint32_t i, omnistore_call *item) {
      return stat(item, keys[i], *requests[i], sinks[i]);
    });
  Timer timer(*this, Meter::read);
  const omnistore_status status = driver_stat_many(call, keys, count, requests, sinks, statuses);
  for (std::uint32_t i = 0; i < count; ++i) timer.read(status == OMNISTORE_OK ? statuses[i] : status);
  return status;
}

/// Of a driver that has stat_many.
omnistore_status Node::driver_stat_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                        const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                        omnistore_status *statuses) {
  return in_pieces(count, native_.max_batch, [&](std::uint32_t from, std::uint32_t piece) {
    ItemCall items(call, from);
    std::deque<CheckedSink> checked;
    std::vector<omnistore_sink *> pointers;
    for (std::uint32_t i = 0; i < piece; ++i) pointers.push_back(&checked.emplace_back(sinks[from + i], faults_));
    const omnistore_status answer = guarded(&items, "stat_many", [&] {
      return driver_->table.stat_many(self_, &items, keys + from, piece, requests + from, pointers.data(),
                                      statuses + from);
    });
    for (std::uint32_t i = 0; i < piece && answer == OMNISTORE_OK; ++i)
      statuses[from + i] = checked[i].settle(known_status(statuses[from + i], faults_), &items, i);
    return answer;
  });
}

omnistore_status Node::set_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                const omnistore_set_request *const *requests, omnistore_sink *const *results,
                                omnistore_status *statuses) {
  const bool plain = std::all_of(requests, requests + count, [&](const omnistore_set_request *request) {
    return !request->source && native_condition(request->condition) &&
           request->user.size <= (emulates_meta_ ? 0 : OMNISTORE_MAX_USER_SIZE) &&
           (native_.max_value_size == 0 || request->value.size <= native_.max_value_size);
  });
  if (!driver_->table.set_many || locks_writes_ || !plain || !keys_fit(keys, count) ||
      native_.capabilities & OMNISTORE_READS_ONLY)
    return one_by_one(call, count, statuses, [&](std::uint32_t i, omnistore_call *item) {
      return set(item, keys[i], *requests[i], results ? results[i] : nullptr);
    });
  Timer timer(*this, Meter::write);
  std::vector<Stripe> locks;
  const bool has_sidecars = may_have_user_.load(std::memory_order_acquire);
  // Without etags nothing tells whose meta it is: that of the old values goes first.
  const bool meta_first = has_sidecars && !(native_.capabilities & OMNISTORE_CAN_ETAG);
  if (has_sidecars && !stripes(call, keys, count, locks)) return OMNISTORE_UNAVAILABLE;
  std::deque<omnistore_set_request> rounded;
  std::vector<const omnistore_set_request *> pointers;
  if (rounds_expiry_) {
    for (std::uint32_t i = 0; i < count; ++i) {
      omnistore_set_request &kept = rounded.emplace_back(*requests[i]);
      kept.expiry = rounded_expiry(kept.expiry);
      pointers.push_back(&kept);
    }
    requests = pointers.data();
  }
  omnistore_status status = meta_first ? remove_sidecars(call, keys, count) : OMNISTORE_OK;
  if (status == OMNISTORE_OK)
    status = in_pieces(count, native_.max_batch, [&](std::uint32_t from, std::uint32_t piece) {
      return driver_set_many(call, keys, {from, piece}, requests, results, statuses);
    });
  LaterSteps rest(call);
  if (status == OMNISTORE_OK && has_sidecars && !meta_first) status = remove_sidecars(&rest, keys, count);
  for (std::uint32_t i = 0; i < count; ++i)
    timer.write(status == OMNISTORE_OK ? statuses[i] : status, Count::writes, requests[i]->value.size);
  return status;
}

/// A piece of a batch: the items from place.first on, place.second of them.
omnistore_status Node::driver_set_many(omnistore_call *call, const omnistore_bytes *keys,
                                       std::pair<std::uint32_t, std::uint32_t> place,
                                       const omnistore_set_request *const *requests, omnistore_sink *const *results,
                                       omnistore_status *statuses) {
  const std::uint32_t from = place.first, piece = place.second;
  ItemCall items(call, from);
  std::deque<CheckedSink> checked;
  std::vector<omnistore_sink *> pointers;
  for (std::uint32_t i = from; results && i < from + piece; ++i)
    pointers.push_back(results[i] ? &checked.emplace_back(results[i], faults_) : nullptr);
  const omnistore_status answer = guarded(&items, "set_many", [&] {
    return driver_->table.set_many(self_, &items, keys + from, piece, requests + from,
                                   results ? pointers.data() : nullptr, statuses + from);
  });
  std::size_t next = 0;
  for (std::uint32_t i = from; i < from + piece; ++i) {
    statuses[i] = known_status(statuses[i], faults_);
    if (results && results[i] && answer == OMNISTORE_OK)
      statuses[i] = settle_set(checked[next++], statuses[i], *requests[i], &items, i - from);
  }
  return answer;
}

omnistore_status Node::remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                                   const omnistore_remove_request *const *requests, omnistore_status *statuses) {
  const bool has_sidecars = may_have_user_.load(std::memory_order_acquire);
  // A sidecar goes along in the same call, which it may not if its value stays.
  const bool fits = std::all_of(requests, requests + count, [&](const omnistore_remove_request *request) {
    return request->condition == OMNISTORE_ALWAYS || request->condition == OMNISTORE_IF_PRESENT ||
           (!has_sidecars && native_condition(request->condition));
  });
  if (!driver_->table.remove_many || locks_writes_ || !fits || native_.capabilities & OMNISTORE_READS_ONLY ||
      !keys_fit(keys, count))
    return one_by_one(call, count, statuses,
                      [&](std::uint32_t i, omnistore_call *item) { return remove(item, keys[i], *requests[i]); });
  Timer timer(*this, Meter::write);
  std::vector<Stripe> locks;
  std::vector<std::string> names;
  std::vector<omnistore_bytes> all;
  std::vector<const omnistore_remove_request *> all_requests;
  std::vector<omnistore_status> each;
  if (has_sidecars) {
    if (!stripes(call, keys, count, locks)) return OMNISTORE_UNAVAILABLE;
    names = sidecars_of(keys, count);
    all.assign(keys, keys + count);
    all_requests.assign(requests, requests + count);
    for (const std::string &name : names) all.push_back(bytes(name));
    all_requests.resize(all.size(), &plain_remove);
    each.assign(all.size(), OMNISTORE_INTERNAL);
  }
  const omnistore_bytes *from_keys = all.empty() ? keys : all.data();
  const omnistore_remove_request *const *from_requests = all.empty() ? requests : all_requests.data();
  omnistore_status *to = all.empty() ? statuses : each.data();
  const auto removed = all.empty() ? count : static_cast<std::uint32_t>(all.size());
  const omnistore_status status = in_pieces(removed, native_.max_batch, [&](std::uint32_t from, std::uint32_t piece) {
    ItemCall items(call, from);
    const omnistore_status answer = guarded(&items, "remove_many", [&] {
      return driver_->table.remove_many(self_, &items, from_keys + from, piece, from_requests + from, to + from);
    });
    for (std::uint32_t i = from; i < from + piece; ++i) to[i] = known_status(to[i], faults_);
    return answer;
  });
  if (!all.empty()) std::copy_n(each.begin(), count, statuses);
  for (std::uint32_t i = 0; i < count; ++i) timer.write(status == OMNISTORE_OK ? statuses[i] : status, Count::removes);
  return status;
}

} // namespace omnistore

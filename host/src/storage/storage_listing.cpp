// SPDX-License-Identifier: Apache-2.0
// Listings and clears of a base, over all the mounts that it spans.
#include <algorithm>

#include "storage/contract.hpp"
#include "storage/cursor.hpp"
#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/listing.hpp"

namespace omnistore {

/// The mounts that a base spans, one after the other, each as it is when its turn comes. Only that one is kept open.
class KeySpace::MountWalk {
public:
  MountWalk(const KeySpace &space, std::string_view base) : space_(space), base_(base) {}
  /// To the first mount, or the first from this mountpoint on, or the first after it.
  void begin() {
    seek([](const Mount &) { return false; });
  }
  void begin_at(const std::string &point) {
    seek([&](const Mount &mount) { return mount.mountpoint < point; });
  }
  void next() {
    seek([point = hold_->mountpoint](const Mount &mount) { return mount.mountpoint <= point; });
  }
  explicit operator bool() const { return at_ < spanned_.size(); }
  const Mount &operator*() const { return *hold_; }
  const Mount *operator->() const { return &*hold_; }
  const MountTable &table() const { return *table_; }

private:
  template <typename IsBefore>
  void seek(const IsBefore &is_before) {
    const Epoch::Guard guard(space_.epoch);
    if (&space_.table() != table_.get()) {
      table_ = space_.table().shared_from_this();
      spanned_ = table_->spanned(base_);
      at_ = 0;
    }
    while (at_ < spanned_.size() && is_before(*spanned_[at_])) ++at_;
    if (at_ < spanned_.size()) hold_ = Hold(*spanned_[at_]); // at the end the last one stays held: so does the storage
  }

  const KeySpace &space_;
  const std::string_view base_;
  std::shared_ptr<const MountTable> table_;
  std::vector<const Mount *> spanned_;
  std::size_t at_ = 0;
  Hold hold_;
};

/// One step of a listing: passes `take` each key without `in`, and its meta if the caller wants it and the store knows
/// it. Returns the cursor of the next step, and appends to `skipped` what the stores left out.
template <typename Take>
std::string KeySpace::list_step(std::string_view in, std::string_view text, const ListOptions &options,
                                std::vector<Skipped> &skipped, const Take &take) const {
  constexpr std::uint32_t most = 100'000;
  if (options.limit < 1 || options.limit > most)
    throw Error(Status::invalid, "a limit of " + std::to_string(options.limit) + ": it must be from 1 to 100000");
  if (std::max(options.start.size(), options.end.size()) > most_bound_bytes)
    throw Error(Status::invalid, "a bound of a listing may have at most 4096 bytes");
  const std::string shown = normal_base(text), base = in_view(in, shown);
  if (lists_names(options)) return names_step(in, shown, options, skipped, take);
  const std::string start = bound_in_view(in, options.start), end = bound_in_view(in, options.end);
  if (!end.empty() && end <= start) return {};
  const Cursor from = options.cursor.empty() ? Cursor{} : Cursor::parse(options.cursor);
  MountWalk walk(*this, base); // no store but the one that is listed is kept open
  if (options.cursor.empty())
    walk.begin();
  else
    walk.begin_at(from.mountpoint); // if that mount is gone, the listing continues with the next one
  // If another store is mounted there now, it begins with that one's first key: its cursors are its own.
  const bool goes_on = walk && walk->mountpoint == from.mountpoint && walk->fingerprint == from.store;
  std::string cursor = goes_on ? from.driver : std::string();
  std::uint32_t taken = 0;
  std::size_t bytes_taken = 0;
  CursorCheck cursors; // a driver may give page after page without a key
  while (walk) {
    const Mount &mount = *walk;
    check_open("list", shown, mount);
    omnistore_list_request request{};
    request.size = sizeof request;
    request.flags = options.meta ? OMNISTORE_LIST_META : 0u;
    const std::string inner = inner_base(mount, base);
    request.base = bytes(inner);
    const bool inside = may_hold("list", shown, mount, inner) && inner_depth(mount, base, options.depth, request.depth);
    request.limit = std::min(options.limit - taken, most_asked_at_once);
    request.cursor = bytes(cursor);
    const InnerBounds bounds(mount, start, end);
    request.start = bytes(bounds.start);
    request.end = bytes(bounds.end);

    bool more = false;
    if (inside && !bounds.empty) {
      HostCall call(options);
      Outside outside(walk.table(), mount, [&](std::string_view key, const omnistore_meta *meta) {
        if (!key.starts_with(in)) return; // a driver that does not keep to the requested base
        take(key.substr(in.size()), options.meta ? meta : nullptr);
        ++taken;
        bytes_taken += key.size();
      });
      const OpLog::Timer timer(op_log);
      const omnistore_status status = mount.store->list(&call, request, &outside);
      timer.log(status == OMNISTORE_OK ? "LIST" : "LIST ERROR", logged_base(base, mount), mount);
      if (outside.thrown) std::rethrow_exception(outside.thrown);
      if (status != OMNISTORE_OK)
        throw Error(to_status(status), failure("list", shown, mount, call.cause(status)), call.retry_after());
      more = outside.more;
      cursor = std::move(outside.cursor);
      add_skipped(std::move(outside.skipped), in, mount, skipped);
    }
    if (more && cursors.repeats(cursor)) throw Error(Status::internal, failure("list", shown, mount, endless_listing));
    if (!more) {
      walk.next();
      cursor.clear();
      cursors = {};
    }
    if (taken >= options.limit || bytes_taken >= most_page_bytes) break;
  }
  return walk ? Cursor{walk->mountpoint, walk->fingerprint, cursor}.text() : std::string();
}

Page KeySpace::list(std::string_view in, std::string_view base, const ListOptions &options) const {
  Page page;
  page.cursor = list_step(in, base, options, page.skipped, [&](std::string_view key, const omnistore_meta *meta) {
    page.items.push_back({std::string(key), meta ? to_meta(*meta) : Meta{}});
  });
  return page;
}

std::vector<std::string> KeySpace::keys(std::string_view in, std::string_view base, std::uint32_t depth) const {
  std::vector<std::string> keys;
  ListOptions options;
  options.depth = depth;
  options.limit = 10'000;
  std::vector<Skipped> skipped;
  CursorCheck cursors;
  do {
    options.cursor = list_step(in, base, options, skipped,
                               [&](std::string_view key, const omnistore_meta *) { keys.emplace_back(key); });
    if (cursors.repeats(options.cursor))
      throw Error(Status::internal, "list " + std::string(base) + ": " + endless_listing);
  } while (!options.cursor.empty());
  if (!skipped.empty()) throw Error(skipped.front().status, skipped.front().message);
  return keys;
}

bool KeySpace::spans_blocking(std::string_view in, std::string_view text) const {
  const std::string base = in_view(in, normal_base(text));
  const Epoch::Guard guard(epoch);
  const std::vector<const Mount *> mounts = table().spanned(base);
  return std::any_of(mounts.begin(), mounts.end(),
                     [](const Mount *m) { return m->store && !m->store->never_blocks(); });
}

std::uint64_t KeySpace::clear(std::string_view in, std::string_view text, const CallOptions &options) {
  const std::string shown = normal_base(text), base = in_view(in, shown);
  const auto check = [&](const Mount &mount) {
    check_open("clear", shown, mount);
    may_hold("clear", shown, mount, inner_base(mount, base));
    if (mount.read_only || mount.store->traits().capabilities & OMNISTORE_READS_ONLY)
      throw Error(Status::read_only, failure("clear", shown, mount, "the store takes no writes; nothing was cleared"));
  };
  // If one part cannot be cleared, the host clears nothing.
  for (const auto table = kept_table(); const Mount *mount : table->spanned(base)) check(*mount);
  std::uint64_t cleared = 0;
  HostCall call(options);
  MountWalk walk(*this, base);
  for (walk.begin(); walk; walk.next()) {
    const Mount &mount = *walk;
    check(mount);
    const std::string inner = inner_base(mount, base);
    if (!may_hold("clear", shown, mount, inner)) continue;
    const omnistore_clear_request request{sizeof request, 0, bytes(inner)};
    Outside outside(walk.table(), mount, [&](const std::string &key, const omnistore_meta *) {
      ++cleared;
      publish(mount, Event::Type::remove, Event::Cause::cleared, key);
    });
    const OpLog::Timer timer(op_log);
    const omnistore_status status = mount.store->clear(&call, request, &outside);
    timer.log(status == OMNISTORE_OK ? "CLEAR" : "CLEAR ERROR", logged_base(base, mount), mount);
    if (outside.thrown) std::rethrow_exception(outside.thrown);
    if (status != OMNISTORE_OK)
      throw Error(to_status(status), failure("clear", shown, mount, call.cause(status), status, call.nothing_done()),
                  call.retry_after());
    if (!outside.skipped.empty()) {
      const Skipped &first = outside.skipped.front();
      throw Error(first.status, failure("clear", first.base, mount, first.message));
    }
  }
  return cleared;
}

} // namespace omnistore

// SPDX-License-Identifier: Apache-2.0
// Batches: grouped by mount, in the order of the request, each item with its own outcome.
#include <algorithm>
#include <atomic>
#include <deque>
#include <future>

#include "base/log_trace.hpp"
#include "base/printable.hpp"
#include "base/row.hpp"
#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/sinks.hpp"

namespace omnistore {
namespace {

/// The items of one mount.
struct Group {
  const Mount *mount;
  Hold hold;                          ///< until it is done
  std::vector<std::size_t> items;     ///< their places in the batch
  std::string text;                   ///< the keys as the store knows them, one after another
  std::vector<omnistore_bytes> views; ///< of each of them
};

/// The keys lie in one text, since a string for each would be an allocation for each. They have their places in it when
/// it grows no more.
void find_keys(Group &group) {
  const char *at = group.text.data();
  for (omnistore_bytes &view : group.views) {
    view.data = at;
    at += view.size;
  }
}

void put(Outcome &outcome, Status status, std::string message) {
  outcome.status = status;
  outcome.message = std::move(message);
}

/// Sorts a batch by mount. Under an Epoch::Guard. Items that lead nowhere have their outcome at once; the places of
/// those that are a key's user meta (`k$`) go to `users`.
template <typename KeyOf, typename Outcomes>
std::deque<Group> grouped(const MountTable &table, const char *operation, bool writes, std::string_view in,
                          std::size_t count, const KeyOf &key_of, Outcomes &outcomes, std::vector<std::size_t> &users) {
  std::deque<Group> groups; // stays in its place: the views point into it
  std::string room;
  for (std::size_t i = 0; i < count; ++i) {
    try {
      const Key key(in, key_of(i));
      if (key.is_meta()) {
        users.push_back(i);
        continue;
      }
      const Mount *mount = table.find(key.view());
      if (!mount)
        throw Error(Status::invalid,
                    std::string(operation) + " " + base::printable(key.shown()) + ": no mount holds this key");
      if (!mount->store) throw Error(Status::unavailable, failure(operation, key.shown(), *mount, mount->reason));
      if (writes && mount->read_only)
        throw Error(Status::read_only, failure(operation, key.shown(), *mount, "the config mounts it read-only"));
      check_length(operation, key.shown(), *mount, key.view().size() - mount->base.size() + mount->prefix.size());
      auto group = std::find_if(groups.begin(), groups.end(), [&](const Group &known) { return known.mount == mount; });
      if (group == groups.end())
        group = groups.insert(groups.end(), Group{mount, Hold(*mount, Hold::anywhere), {}, {}, {}});
      const std::string_view inside = mount->inside(key.view(), room);
      group->items.push_back(i);
      group->views.push_back(bytes(inside));
      group->text += inside;
    } catch (const Error &error) {
      put(outcomes[i], error.status(), error.what());
    }
  }
  for (Group &group : groups) find_keys(group);
  return groups;
}

/// Runs each group: those of stores that may block at once, so that the slowest alone counts. `what` is for the log.
template <typename Run>
void run_groups(std::deque<Group> &groups, const OpLog &log, const char *what, const Run &run_group) {
  std::atomic<std::size_t> left = groups.size();
  const auto run = [&, trace = base::LogTrace::current()](Group &group) {
    const base::LogTrace traced(trace); // this may be another thread
    const OpLog::Timer timer(log);
    run_group(group);
    // The last one stays held, and the storage with it.
    if (left.fetch_sub(1) != 1) group.hold = Hold();
    if (!timer.runs()) return;
    std::string keys;
    group.mount->outside(view(group.views.front()), keys);
    if (const std::size_t others = group.items.size() - 1; others != 0)
      keys += " and " + std::to_string(others) + (others == 1 ? " other" : " others");
    timer.log(what, keys, *group.mount);
  };
  std::vector<std::future<void>> running;
  std::vector<Group *> here;
  for (Group &group : groups) {
    if (group.mount->store->never_blocks() || &group == &groups.back())
      here.push_back(&group);
    else
      running.push_back(std::async(std::launch::async, [&run, &group] { run(group); }));
  }
  for (Group *group : here) run(*group);
  for (auto &future : running) future.get();
}

/// Turns the statuses of a group into outcomes.
template <typename Outcomes>
void settle(const Group &group, const char *operation, std::string_view in, omnistore_status whole,
            const std::vector<omnistore_status> &statuses, const HostCall &call, Outcomes &outcomes) {
  std::string key;
  for (std::uint32_t i = 0; i < group.items.size(); ++i) {
    const omnistore_status status = whole == OMNISTORE_OK ? statuses[i] : whole;
    if (status == OMNISTORE_OK) continue;
    group.mount->outside(view(group.views[i]), key);
    put(outcomes[group.items[i]], to_status(status),
        failure(operation, std::string_view(key).substr(in.size()), *group.mount,
                call.cause(status, whole == OMNISTORE_OK ? i : 0), status,
                call.nothing_done(whole == OMNISTORE_OK ? i : 0)));
  }
}

/// Does each of those items by itself. `run(i, key)` gives a miss as false.
template <typename KeyOf, typename Outcomes, typename Run>
void each_of(const std::vector<std::size_t> &items, std::string_view in, const KeyOf &key_of, Outcomes &outcomes,
             const Run &run) {
  for (const std::size_t i : items) {
    try {
      if (!run(i, Key(in, key_of(i)))) outcomes[i].status = Status::not_found;
    } catch (const Error &error) {
      put(outcomes[i], error.status(), error.what());
    }
  }
}

/// The options of one item of a batch that has those limits.
template <typename Options>
Options limited(Options options, const CallOptions &batch) {
  options.timeout = batch.timeout;
  options.cancelled = batch.cancelled;
  options.caller = batch.caller;
  return options;
}

} // namespace

/// Publishes the items that were done, in the batch's order. The mounts are those that took them: by now another table
/// may be current.
template <typename Groups, typename KeyOf>
void KeySpace::publish_done(std::string_view in, const Groups &groups, const std::vector<Outcome> &outcomes,
                            Event::Type type, Event::Cause cause, const KeyOf &key_of) {
  if (!hub.active()) return;
  std::vector<const Mount *> mounts(outcomes.size());
  for (const Group &group : groups)
    for (const std::size_t item : group.items) mounts[item] = group.mount;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    if (mounts[i] && outcomes[i].status == Status::ok) publish(*mounts[i], type, cause, Key(in, key_of(i)).view());
}

std::vector<EntryOutcome> KeySpace::get_many(std::string_view in, std::span<const std::string> keys,
                                             const GetOptions &options) const {
  std::vector<EntryOutcome> outcomes(keys.size());
  const auto key_of = [&](std::size_t i) { return std::string_view(keys[i]); };
  std::vector<std::size_t> users;
  std::shared_ptr<const MountTable> mounted;
  std::deque<Group> groups;
  {
    const Epoch::Guard guard(epoch);
    mounted = table().shared_from_this();
    groups = grouped(*mounted, "get", false, in, keys.size(), key_of, outcomes, users);
  }
  const bool wants_meta = options.meta || options.user;
  std::atomic<std::uint64_t> left(options.most);
  run_groups(groups, op_log, "READ MANY", [&](Group &group) {
    HostCall call(options);
    GivingUp giving_up;
    const StringSink::Room room{left, giving_up};
    base::Row<StringSink> sinks(group.items.size());
    std::vector<omnistore_sink *> pointers;
    pointers.reserve(group.items.size());
    for (std::size_t item : group.items) {
      Entry &entry = outcomes[item].entry;
      pointers.push_back(&sinks.emplace_back(entry.value, options, wants_meta ? &entry.meta : nullptr,
                                             options.most == UINT64_MAX ? nullptr : &room));
    }
    std::vector<omnistore_status> statuses(group.items.size(), OMNISTORE_INTERNAL);
    const omnistore_get_request request{sizeof request, get_flags(options), options.offset, options.length};
    const std::vector<const omnistore_get_request *> requests(group.views.size(), &request);
    const omnistore_status whole =
        group.mount->store->get_many(&call, group.views.data(), static_cast<std::uint32_t>(group.views.size()),
                                     requests.data(), pointers.data(), statuses.data());
    std::uint64_t taken = 0;
    for (const StringSink &sink : sinks) taken += sink.taken();
    group.mount->store->meter().here().add(Count::bytes_read, taken);
    settle(group, "get", in, whole, statuses, call, outcomes);
    for (std::size_t item : group.items)
      if (outcomes[item].status != Status::ok) outcomes[item].entry = {}; // a part may have come
  });
  each_of(users, in, key_of, outcomes, [&](std::size_t i, const Key &key) {
    std::optional<Entry> found = entry(key, options);
    if (found) outcomes[i].entry = std::move(*found);
    return found.has_value();
  });
  if (!options.user) return outcomes;
  for (std::size_t i = 0; i < keys.size(); ++i) { // those whose user meta did not come with the value
    EntryOutcome &outcome = outcomes[i];
    if (outcome.status != Status::ok || outcome.entry.meta.user_known) continue;
    each_of({i}, in, key_of, outcomes, [&](std::size_t, const Key &key) {
      if (key.is_meta()) return true;
      Route route(*this, "get", key);
      HostCall call(options);
      add_user(route, call, outcome.entry.meta);
      return true;
    });
  }
  return outcomes;
}

std::vector<Outcome> KeySpace::set_many(std::string_view in, std::span<const SetItem> items, const CallOptions &options,
                                        bool want_etags) {
  std::vector<Outcome> outcomes(items.size());
  const auto key_of = [&](std::size_t i) { return std::string_view(items[i].key); };
  std::vector<std::size_t> users;
  std::shared_ptr<const MountTable> mounted;
  std::deque<Group> groups;
  {
    const Epoch::Guard guard(epoch);
    mounted = table().shared_from_this();
    groups = grouped(*mounted, "set", true, in, items.size(), key_of, outcomes, users);
  }
  run_groups(groups, op_log, "WRITE MANY", [&](Group &group) {
    HostCall call(options);
    const std::size_t count = group.items.size();
    std::vector<omnistore_set_request> requests(count);
    std::vector<const omnistore_set_request *> pointers(count);
    for (std::size_t i = 0; i < count; ++i) {
      const SetItem &item = items[group.items[i]];
      omnistore_set_request &request = requests[i];
      request.size = sizeof request;
      request.value = bytes(item.value);
      request.expiry = expiry_of(*group.mount, item.options);
      request.user = bytes(item.options.user);
      request.condition = to_condition(item.options.condition.kind);
      request.etag = bytes(item.options.condition.etag);
      pointers[i] = &request;
    }
    std::vector<omnistore_status> statuses(count, OMNISTORE_INTERNAL);
    const std::size_t wanted = want_etags ? count : 0;
    std::vector<Meta> metas(wanted);
    base::Row<MetaSink> sinks(wanted);
    std::vector<omnistore_sink *> results(wanted);
    for (std::size_t i = 0; i < wanted; ++i) results[i] = &sinks.emplace_back(metas[i]);
    const omnistore_status whole =
        group.mount->store->set_many(&call, group.views.data(), static_cast<std::uint32_t>(group.views.size()),
                                     pointers.data(), want_etags ? results.data() : nullptr, statuses.data());
    settle(group, "set", in, whole, statuses, call, outcomes);
    for (std::size_t i = 0; i < metas.size(); ++i) outcomes[group.items[i]].etag = std::move(metas[i].etag);
  });
  publish_done(in, groups, outcomes, Event::Type::update, Event::Cause::none, key_of);
  // After the values, which may be in the same batch.
  each_of(users, in, key_of, outcomes, [&](std::size_t i, const Key &key) {
    Stored stored = set(key, items[i].value, limited(items[i].options, options), want_etags);
    outcomes[i].etag = std::move(stored.etag);
    return stored.stored;
  });
  return outcomes;
}

std::vector<Outcome> KeySpace::remove_many(std::string_view in, std::span<const std::string> keys,
                                           const CallOptions &options) {
  std::vector<Outcome> outcomes(keys.size());
  const auto key_of = [&](std::size_t i) { return std::string_view(keys[i]); };
  std::vector<std::size_t> users;
  std::shared_ptr<const MountTable> mounted;
  std::deque<Group> groups;
  {
    const Epoch::Guard guard(epoch);
    mounted = table().shared_from_this();
    groups = grouped(*mounted, "remove", true, in, keys.size(), key_of, outcomes, users);
  }
  // Before the values, which may be in the same batch.
  each_of(users, in, key_of, outcomes,
          [&](std::size_t, const Key &key) { return remove(key, limited(RemoveOptions(), options)); });
  run_groups(groups, op_log, "REMOVE MANY", [&](Group &group) {
    HostCall call(options);
    std::vector<omnistore_status> statuses(group.views.size(), OMNISTORE_INTERNAL);
    const omnistore_remove_request request{sizeof request, 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}};
    const std::vector<const omnistore_remove_request *> requests(group.views.size(), &request);
    const omnistore_status whole = group.mount->store->remove_many(
        &call, group.views.data(), static_cast<std::uint32_t>(group.views.size()), requests.data(), statuses.data());
    settle(group, "remove", in, whole, statuses, call, outcomes);
  });
  publish_done(in, groups, outcomes, Event::Type::remove, Event::Cause::removed, key_of);
  return outcomes;
}

} // namespace omnistore

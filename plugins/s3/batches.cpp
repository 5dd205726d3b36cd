// SPDX-License-Identifier: Apache-2.0
#include "batches.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <future>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <omnistore/child.hpp>
#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

#include "reading.hpp"
#include "transport/reader.hpp"

namespace s3 {
namespace {

using omnistore::as_view;

/// A longer value is read again, by the calling thread, and handed on as it comes.
constexpr std::size_t LONGEST_KEPT = 1 << 20;

/// Runs work(i) for every item on threads of their own, at most `width` at once, and then take(call, i, result) on the
/// calling thread, in order. If either throws, the item fails with that.
template <class Work, class Take>
void run(omnistore::Call call, std::size_t count, std::size_t width, omnistore_status *statuses, Work work, Take take) {
  std::deque<std::future<decltype(work(std::size_t{}))>> running;
  std::size_t taken = 0;
  const auto take_first = [&] {
    omnistore::ItemCall item(call, static_cast<std::uint32_t>(taken));
    statuses[taken] =
        omnistore::sdk::guarded(&item, [&](omnistore::Call c) { return take(c, taken, running.front().get()); });
    running.pop_front();
    ++taken;
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (running.size() == width) take_first();
    running.push_back(std::async(std::launch::async, [&work, i] { return work(i); }));
  }
  while (!running.empty()) take_first();
}

bool has_twins(std::span<const omnistore_bytes> keys) {
  std::unordered_set<std::string_view> seen;
  return !std::all_of(keys.begin(), keys.end(), [&](const auto &key) { return seen.insert(as_view(key)).second; });
}

struct Fetched {
  http::Response response = {};
  std::string bytes = {};
  bool is_alone = false; ///< it is read by the calling thread
};

} // namespace

omnistore_status Batches::get_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                                   omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                                   omnistore_status *statuses) {
  const auto fetch = [&](std::size_t i) {
    Fetched fetched;
    if ((fetched.is_alone = requests[i].length == 0)) return fetched;
    fetched.response = bucket_.send(call, get_request(bucket_, as_view(keys[i]), requests[i]),
                                    [&](const http::Response &, std::string_view piece) {
                                      fetched.is_alone = fetched.bytes.size() + piece.size() > LONGEST_KEPT;
                                      if (!fetched.is_alone) fetched.bytes += piece;
                                      return !fetched.is_alone;
                                    });
    if (fetched.response.status == 416) fetched.is_alone = true;
    return fetched;
  };
  run(call, keys.size(), width(), statuses, fetch, [&](omnistore::Call c, std::size_t i, const Fetched &fetched) {
    bool unchanged = false;
    if (fetched.is_alone) return get_changed(bucket_, c, as_view(keys[i]), requests[i], {}, *sinks[i], unchanged);
    if (fetched.response.gone()) return OMNISTORE_NOT_FOUND;
    http::Reader reader(bucket_.host(), requests[i], *sinks[i]);
    if (!fetched.bytes.empty()) reader.take(fetched.response, fetched.bytes);
    return reader.finish(fetched.response);
  });
  return OMNISTORE_OK;
}

omnistore_status Batches::stat_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                                    omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                                    omnistore_status *statuses) {
  const auto head = [&](std::size_t i) { return bucket_.send(call, {"HEAD", bucket_.name_of(as_view(keys[i]))}); };
  run(call, keys.size(), width(), statuses, head, [&](omnistore::Call, std::size_t i, const http::Response &response) {
    return give_meta(bucket_, response, requests[i], *sinks[i]);
  });
  return OMNISTORE_OK;
}

omnistore_status Batches::set_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                                   omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                                   omnistore_status *statuses) {
  const auto put = [&](std::size_t i) { return writer_.put(call, as_view(keys[i]), requests[i]); };
  const auto take = [&](omnistore::Call, std::size_t i, const Written &written) {
    return give(written, results ? results[i] : nullptr);
  };
  // The last set of a key wins.
  run(call, keys.size(), has_twins(keys) ? 1 : width(), statuses, put, take);
  return OMNISTORE_OK;
}

omnistore_status Batches::remove_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                                      omnistore::Requests<omnistore_remove_request> requests,
                                      omnistore_status *statuses) {
  bool alone = has_twins(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) alone = alone || requests[i].condition != OMNISTORE_ALWAYS;
  if (alone) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      omnistore::ItemCall item(call, static_cast<std::uint32_t>(i));
      statuses[i] = omnistore::sdk::guarded(
          &item, [&](omnistore::Call c) { return remover_.remove(c, as_view(keys[i]), requests[i]); });
    }
    return OMNISTORE_OK;
  }
  std::vector<std::string> names;
  for (const omnistore_bytes &key : keys) names.push_back(bucket_.name_of(as_view(key)));
  const Remover::Lock lock(remover_, call, names);
  std::vector<std::string> found;
  run(
      call, keys.size(), width(), statuses,
      [&](std::size_t i) {
        return bucket_.send(call, {"HEAD", names[i]});
      },
      [&](omnistore::Call, std::size_t i, const http::Response &response) {
        if (!response.good()) return OMNISTORE_NOT_FOUND;
        found.push_back(names[i]);
        return OMNISTORE_OK;
      });
  for (const Undeleted &each : delete_objects(bucket_, call, found)) {
    const auto item = static_cast<std::size_t>(std::find(names.begin(), names.end(), each.name) - names.begin());
    if (item < names.size())
      statuses[item] = call.fail(static_cast<std::uint32_t>(item), status_of(each.error),
                                 "the server did not remove it: " + each.error.code + ": " + each.error.message);
  }
  return OMNISTORE_OK;
}

} // namespace s3

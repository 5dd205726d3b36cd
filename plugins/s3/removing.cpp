// SPDX-License-Identifier: Apache-2.0
#include "removing.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

#include "listing.hpp"

namespace s3 {
namespace {

constexpr std::size_t MOST_NAMES = 1000;
/// A call that was cancelled is noticed so soon.
constexpr std::chrono::milliseconds LOCK_POLL_INTERVAL{50};

void delete_some(Bucket &bucket, omnistore::Call call, const std::vector<std::string> &names,
                 std::vector<Undeleted> &left) {
  const std::string body = delete_request(names);
  std::string text;
  bucket.send(call, {"POST", {}, {{"delete", ""}}, {{"content-md5", md5_base64(body)}}, true, body}, text);
  for (Undeleted &each : undeleted_in(text)) left.push_back(std::move(each));
}

} // namespace

std::vector<Undeleted> delete_objects(Bucket &bucket, omnistore::Call call, const std::vector<std::string> &names) {
  std::vector<Undeleted> left;
  std::vector<std::string> some;
  for (const std::string &name : names) {
    if (!fits_xml(name)) {
      bucket.send(call, {"DELETE", name});
      continue;
    }
    some.push_back(name);
    if (some.size() == MOST_NAMES) delete_some(bucket, call, some, left), some.clear();
  }
  if (!some.empty()) delete_some(bucket, call, some, left);
  return left;
}

omnistore_status clear(Bucket &bucket, omnistore::Call call, const omnistore_clear_request &request,
                       omnistore_page *removed) {
  const std::string base = bucket.name_of(omnistore::as_view(request.base));
  std::string position;
  for (bool truncated = true; truncated;) {
    const Listing listing = fetch(bucket, call, base, position, MOST_NAMES, false);
    truncated = listing.truncated && !listing.entries.empty();
    std::vector<std::string> names;
    for (const Object &entry : listing.entries) {
      position = entry.name;
      if (!bucket.key_of(entry.name).empty()) names.push_back(entry.name);
    }
    const std::vector<Undeleted> left = delete_objects(bucket, call, names);
    for (const std::string &name : names) {
      const bool is_left =
          std::any_of(left.begin(), left.end(), [&](const Undeleted &each) { return each.name == name; });
      if (is_left || !removed) continue;
      const std::string key = bucket.key_of(name);
      if (const omnistore_status status = removed->emit(removed, omnistore::as_bytes(key), nullptr);
          status != OMNISTORE_OK)
        return status;
    }
    if (!left.empty())
      throw omnistore::Failure(status_of(left[0].error), "the server did not remove " + std::to_string(left.size()) +
                                                             " objects: " + left[0].error.code + ": " +
                                                             left[0].error.message);
  }
  return OMNISTORE_OK;
}

Remover::Lock::Lock(Remover &remover, omnistore::Call call, std::vector<std::string> names)
    : remover_(remover), names_(std::move(names)) {
  std::unique_lock lock(remover_.mutex_);
  const auto is_free = [&] {
    return std::none_of(names_.begin(), names_.end(),
                        [&](const std::string &name) { return remover_.running_.contains(name); });
  };
  while (!remover_.ended_.wait_for(lock, LOCK_POLL_INTERVAL, is_free))
    if (call.remaining() <= 0)
      throw omnistore::Failure(call.late(), "another removal of the key took too long", omnistore::nothing_done);
  remover_.running_.insert(names_.begin(), names_.end());
}

Remover::Lock::~Lock() {
  {
    const std::lock_guard guard(remover_.mutex_);
    for (const std::string &name : names_) remover_.running_.erase(name);
  }
  remover_.ended_.notify_all();
}

omnistore_status Remover::remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
  const std::string name = bucket_.name_of(key);
  if (request.condition == OMNISTORE_IF_MATCH) {
    Request remove{"DELETE", name};
    remove.headers = conditions_.headers_of(call, request.condition, omnistore::as_view(request.etag));
    remove.repeat = Repeat::if_untouched;
    return bucket_.send(call, remove).good() ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }
  const Lock lock(*this, call, {name});
  if (!bucket_.send(call, {"HEAD", name}).good()) return OMNISTORE_NOT_FOUND;
  bucket_.send(call, {"DELETE", name});
  return OMNISTORE_OK;
}

} // namespace s3

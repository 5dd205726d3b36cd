// SPDX-License-Identifier: Apache-2.0
#include "removing.hpp"

#include <algorithm>

#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

#include "listing.hpp"

namespace s3 {
namespace {

constexpr std::size_t MOST_NAMES = 1000;

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
      throw omnistore::Failure(OMNISTORE_DENIED, "the server did not remove " + std::to_string(left.size()) +
                                                     " objects: " + left[0].error.code + ": " + left[0].error.message);
  }
  return OMNISTORE_OK;
}

} // namespace s3

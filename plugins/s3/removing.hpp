// SPDX-License-Identifier: Apache-2.0
// Removals: of one object, and of many by DeleteObjects.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "bucket.hpp"
#include "conditions.hpp"
#include "xml.hpp"

namespace s3 {

/// Removes objects, 1000 in each request. Returns those that the server could not remove. A failure of a whole request
/// throws Failure, and the objects of the requests before are gone then.
std::vector<Undeleted> delete_objects(Bucket &bucket, omnistore::Call call, const std::vector<std::string> &names);

/// Removes every key under a base.
omnistore_status clear(Bucket &bucket, omnistore::Call call, const omnistore_clear_request &request,
                       omnistore_page *removed);

/// S3 does not report whether a DELETE found an object, so a removal first sends a HEAD. Two removals of one name by
/// this store run one after the other: only one of them may report that it removed the object. Any thread.
class Remover {
public:
  Remover(Bucket &bucket, Conditions &conditions) : bucket_(bucket), conditions_(conditions) {}

  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request);

  /// A claim on names. The constructor waits until no other removal of them runs, and throws Failure if the call's time
  /// is up before.
  class Lock {
  public:
    Lock(Remover &remover, omnistore::Call call, std::vector<std::string> names);
    Lock(const Lock &) = delete;
    Lock &operator=(const Lock &) = delete;
    ~Lock();

  private:
    Remover &remover_;
    const std::vector<std::string> names_;
  };

private:
  Bucket &bucket_;
  Conditions &conditions_;
  std::mutex mutex_; // guards the set
  std::condition_variable ended_;
  std::set<std::string, std::less<>> running_;
};

} // namespace s3

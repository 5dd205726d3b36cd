// SPDX-License-Identifier: Apache-2.0
// @NAME@: a driver that keeps its values in a map. Replace the map by your own store.
#include <map>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

namespace {

class Store {
public:
  // Opens the store. The options fit options.schema.json. An exception fails the open.
  explicit Store(const omnistore::Options &options) : capacity_(options.integer("capacity")) {}

  const std::string *get(omnistore::Key key) {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }

  void set(omnistore::Key key, std::string value) {
    if (std::ssize(values_) >= capacity_ && !values_.contains(key)) {
      throw omnistore::Failure(OMNISTORE_NO_SPACE, "there are " + std::to_string(capacity_) + " values already");
    }
    values_.insert_or_assign(std::string(key), std::move(value));
  }

  bool remove(omnistore::Key key) {
    const auto found = values_.find(key);
    if (found == values_.end()) return false;
    values_.erase(found);
    return true;
  }

  const auto &list() { return values_; }

private:
  std::int64_t capacity_;
  std::map<std::string, std::string, std::less<>> values_;
};

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Store>("@NAME@", "0.1.0", "Keeps values in a map", OMNISTORE_OPTIONS_SCHEMA))

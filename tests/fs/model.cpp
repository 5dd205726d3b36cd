// SPDX-License-Identifier: Apache-2.0
// Any sequence of operations leaves what a map would hold.
#include <map>
#include <memory>
#include <random>

#include "driven.hpp"

using namespace test;

namespace {

/// Keys that lie in, beside and above each other.
const Keys keys{"a", "a!", "a$x", "a:b", "a:b!", "a:b:c", "a:b:c:d", "a:c", "ab", "b", "b:b", "b:b:b"};

class Model {
public:
  explicit Model(unsigned seed) : random_(seed) { open(); }

  void step() {
    const std::string &key = keys[pick(keys.size())];
    drop_expired();
    switch (pick(12)) {
    case 0:
    case 1:
    case 2:
      set(key, 0);
      break;
    case 3:
      set(key, host_.time + 1 + static_cast<std::int64_t>(pick(50)));
      break;
    case 4:
      set_if_absent(key);
      break;
    case 5:
      set_if_match(key);
      break;
    case 6:
    case 7:
      remove(key);
      break;
    case 8:
      touch(key);
      break;
    case 9:
      pick(4) == 0 ? clear(key + ":") : host_.run_for(static_cast<std::int64_t>(pick(20)));
      break;
    case 10:
      pick(4) == 0 ? open() : check_listing(key + ":");
      break;
    case 11:
      check_listing("");
      break;
    }
    drop_expired();
    check_value(keys[pick(keys.size())]);
  }

  /// At the end nothing is left on the disk but what has a key.
  void finish() {
    check_listing("");
    REQUIRE(store_->clear() == OMNISTORE_OK);
    REQUIRE(names_in(folder_.path()).empty());
  }

private:
  struct Value {
    std::string bytes;
    std::int64_t expiry;
  };

  std::size_t pick(std::size_t count) { return random_() % count; }
  void open() {
    host_.drop_tasks();
    store_.reset();
    store_ = std::make_unique<Store>(host_, folder_.path().string());
  }
  void drop_expired() {
    std::erase_if(values_, [&](const auto &v) { return v.second.expiry != 0 && v.second.expiry <= host_.time; });
  }
  std::string new_bytes() { return std::to_string(++number_) + std::string(pick(3) * 3000, 'x'); }

  void set(const std::string &key, std::int64_t expiry) {
    const std::string bytes = new_bytes();
    REQUIRE(store_->set(key, bytes, {.expiry = expiry}) == OMNISTORE_OK);
    values_[key] = {bytes, expiry};
  }
  void set_if_absent(const std::string &key) {
    const std::string bytes = new_bytes();
    const auto status = store_->set(key, bytes, {.condition = OMNISTORE_IF_ABSENT});
    REQUIRE(status == (values_.contains(key) ? OMNISTORE_CONFLICT : OMNISTORE_OK));
    if (status == OMNISTORE_OK) values_[key] = {bytes, 0};
  }
  void set_if_match(const std::string &key) {
    const std::string bytes = new_bytes(), etag = store_->etag(key);
    REQUIRE(etag.empty() == !values_.contains(key));
    const auto status = store_->set(key, bytes, {.condition = OMNISTORE_IF_MATCH, .etag = etag});
    REQUIRE(status == (etag.empty() ? OMNISTORE_CONFLICT : OMNISTORE_OK));
    if (status == OMNISTORE_OK) values_[key] = {bytes, 0};
  }
  void remove(const std::string &key) {
    REQUIRE(store_->remove(key) == (values_.erase(key) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND));
  }
  void touch(const std::string &key) {
    const std::int64_t expiry = pick(2) ? host_.time + static_cast<std::int64_t>(pick(50)) + 1 : 0;
    REQUIRE(store_->touch(key, expiry) == (values_.contains(key) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND));
    if (const auto value = values_.find(key); value != values_.end()) value->second.expiry = expiry;
  }
  void clear(const std::string &base) {
    Page removed;
    REQUIRE(store_->clear(base, &removed) == OMNISTORE_OK);
    REQUIRE(removed.keys() == under(base));
    std::erase_if(values_, [&](const auto &value) { return value.first.starts_with(base); });
  }
  Keys under(const std::string &base) const {
    Keys found;
    for (const auto &[key, value] : values_) {
      if (key.starts_with(base)) found.push_back(key);
    }
    return found;
  }
  void check_listing(const std::string &base) {
    REQUIRE(store_->list(base, OMNISTORE_ANY_DEPTH, 1 + static_cast<std::uint32_t>(pick(5))) == under(base));
  }
  void check_value(const std::string &key) {
    const auto expected = values_.find(key);
    Got got;
    const auto status = store_->get(key, got);
    REQUIRE(status == (expected == values_.end() ? OMNISTORE_NOT_FOUND : OMNISTORE_OK));
    if (status != OMNISTORE_OK) return;
    REQUIRE((got.bytes == expected->second.bytes));
    REQUIRE(got.expiry == expected->second.expiry);
  }

  std::minstd_rand random_;
  Folder folder_;
  Host host_;
  std::unique_ptr<Store> store_;
  std::map<std::string, Value> values_;
  int number_ = 0;
};

} // namespace

TEST_CASE("any sequence of operations has the same result as a map") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    Model model(seed);
    for (int i = 0; i < 250; ++i) {
      INFO("step " << i);
      model.step();
    }
    model.finish();
  }
}

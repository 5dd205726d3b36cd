// SPDX-License-Identifier: Apache-2.0
// Random operations, each with the result of a plain map.
#include <algorithm>
#include <map>
#include <random>

#include "driven.hpp"

using test::Got;
using test::How;
using test::Store;

namespace {

struct Value {
  std::string bytes;
  int64_t expiry;
};

class Model {
public:
  explicit Model(unsigned seed) : random_(seed) {}

  void step() {
    static constexpr void (Model::*STEPS[])() = {&Model::set,  &Model::set,    &Model::set,   &Model::get,
                                                 &Model::get,  &Model::remove, &Model::touch, &Model::list,
                                                 &Model::pass, &Model::clear};
    const size_t chosen = below(1000);
    (this->*STEPS[chosen < 990 ? chosen % 8 : chosen < 998 ? 8 : 9])();
  }
  void finish() {
    forget();
    REQUIRE(store_.list() == keys("", OMNISTORE_ANY_DEPTH));
  }

private:
  size_t below(size_t bound) { return random_() % bound; }

  std::string key() {
    std::string key(1, static_cast<char>('a' + below(3)));
    for (size_t segments = below(3); segments > 0; --segments) key += ":" + std::to_string(below(12));
    return key;
  }
  std::string base() {
    const std::string whole = key();
    return below(2) ? std::string() : whole.substr(0, whole.find(':')) + ":";
  }
  std::string bytes() {
    static constexpr size_t LARGEST[] = {3, 40, 300, 20'000};
    return std::string(below(LARGEST[below(4)]), static_cast<char>('a' + below(26)));
  }
  int64_t expiry() { return below(3) ? 0 : store_.now() - 5 + static_cast<int64_t>(below(200)); }
  bool passed(int64_t expiry) const { return expiry != 0 && expiry <= store_.now(); }

  void forget() {
    std::erase_if(model_, [&](const auto &item) { return passed(item.second.expiry); });
  }
  std::vector<std::string> keys(const std::string &base, uint32_t depth) const {
    std::vector<std::string> keys;
    for (const auto &[key, value] : model_) {
      const bool under = key.starts_with(base);
      if (under && std::count(key.begin() + static_cast<long>(base.size()), key.end(), ':') <= depth)
        keys.push_back(key);
    }
    return keys;
  }

  void set() {
    forget();
    const std::string k = key(), value = bytes();
    How how{.expiry = expiry(), .condition = below(4) ? OMNISTORE_ALWAYS : 1 + static_cast<uint32_t>(below(3))};
    const bool live = model_.contains(k), right = below(2);
    const std::string etag = right ? store_.etag(k) : "zz";
    how.etag = etag;
    const bool holds = how.condition == OMNISTORE_ALWAYS || (how.condition == OMNISTORE_IF_ABSENT && !live) ||
                       (how.condition == OMNISTORE_IF_PRESENT && live) ||
                       (how.condition == OMNISTORE_IF_MATCH && live && right);
    REQUIRE(store_.set(k, value, how) == (holds ? OMNISTORE_OK : OMNISTORE_CONFLICT));
    if (!holds) return;
    model_.erase(k);
    if (!passed(how.expiry)) model_[k] = {value, how.expiry};
  }
  void get() {
    forget();
    const std::string k = key();
    const uint64_t offset = below(3) ? 0 : below(50), length = below(3) ? UINT64_MAX : below(50);
    const auto found = model_.find(k);
    Got got;
    REQUIRE(store_.get(k, got, offset, length) == (found == model_.end() ? OMNISTORE_NOT_FOUND : OMNISTORE_OK));
    if (found == model_.end()) return;
    const std::string &whole = found->second.bytes;
    REQUIRE(got.bytes == (offset < whole.size() ? whole.substr(offset, length) : ""));
    REQUIRE(got.value_size == whole.size());
    REQUIRE(got.expiry == found->second.expiry);
  }
  void remove() {
    forget();
    const std::string k = key();
    REQUIRE(store_.remove(k) == (model_.erase(k) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND));
  }
  void touch() {
    forget();
    const std::string k = key();
    const int64_t to = expiry();
    const auto found = model_.find(k);
    REQUIRE(store_.touch(k, to) == (found == model_.end() ? OMNISTORE_NOT_FOUND : OMNISTORE_OK));
    if (found != model_.end()) found->second.expiry = to;
  }
  void list() {
    forget();
    const std::string under = base();
    const uint32_t depth = below(2) ? OMNISTORE_ANY_DEPTH : static_cast<uint32_t>(below(3));
    REQUIRE(store_.list(under, depth, 1 + static_cast<uint32_t>(below(60))) == keys(under, depth));
  }
  void pass() {
    store_.host.time += 1 + static_cast<int64_t>(below(30));
    if (below(2)) store_.host.run_tasks();
  }
  void clear() {
    forget();
    const std::string under = base();
    const std::vector<std::string> expected = keys(under, OMNISTORE_ANY_DEPTH);
    test::Page removed;
    REQUIRE(store_.clear(under, &removed) == OMNISTORE_OK);
    REQUIRE(removed.items.size() == expected.size());
    for (const std::string &k : expected) model_.erase(k);
  }

  std::mt19937 random_;
  Store store_{below(2) ? "{}" : "{\"size\":1000}"};
  std::map<std::string, Value> model_;
};

} // namespace

TEST_CASE("random operations have the same results as a plain map", "[long]") {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    Model model(seed);
    for (int i = 0; i < 10'000; ++i) model.step();
    model.finish();
  }
}

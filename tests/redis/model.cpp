// SPDX-License-Identifier: Apache-2.0
// Random operations, each with the result of a plain map, and the server's content at the end.
#include <algorithm>
#include <map>
#include <random>

#include "driven.hpp"

using test::Got;
using test::How;
using test::RedisClient;
using test::Store;

namespace {

constexpr int64_t FAR_OFF = 3'600'000; // expiries lie far off or have passed, so that no result depends on timing

struct Value {
  std::string bytes;
  int64_t expiry;
  std::string user;
};

class Model {
public:
  explicit Model(unsigned seed) : random_(seed) {}

  void step() {
    static constexpr void (Model::*STEPS[])() = {&Model::set,  &Model::set,    &Model::set,   &Model::get,
                                                 &Model::get,  &Model::remove, &Model::touch, &Model::touch_user,
                                                 &Model::list, &Model::range};
    if (below(400) == 0)
      clear();
    else
      (this->*STEPS[below(std::size(STEPS))])();
  }
  void finish() {
    RedisClient other(server_);
    REQUIRE(store_.list() == keys(""));
    long long lie = 0;
    for (const auto &[key, value] : model_) {
      lie += value.user.empty() ? 1 : 3;
      REQUIRE(other({"GET", store_.full(key) + "$"}) == (value.user.empty() ? "(nil)" : value.user));
      if (!value.user.empty())
        for (const char *end : {"$", "$$"})
          REQUIRE(other.number({"PEXPIRETIME", store_.full(key) + end}) == (value.expiry == 0 ? -1 : value.expiry));
      REQUIRE(other({"GET", store_.full(key)}) == value.bytes);
      REQUIRE(other.number({"PEXPIRETIME", store_.full(key)}) == (value.expiry == 0 ? -1 : value.expiry));
    }
    REQUIRE(other.number({"DBSIZE"}) == lie);
  }

private:
  size_t below(size_t bound) { return random_() % bound; }

  std::string key() {
    static constexpr const char *FIRST[] = {"a", "b*", "c[d]", "a*"};
    std::string key(FIRST[below(4)]);
    for (size_t segments = below(3); segments > 0; --segments) key += ":" + std::to_string(below(12));
    return key;
  }
  std::string base() {
    const std::string whole = key();
    return below(2) ? std::string() : whole.substr(0, whole.find(':')) + ":";
  }
  std::string bytes() {
    static constexpr size_t LARGEST[] = {3, 40, 300, 20'000};
    std::string value(below(LARGEST[below(4)]), '\0');
    for (char &c : value) c = static_cast<char>(random_());
    return value;
  }
  int64_t expiry() {
    return below(3) ? 0 : test::now_ms() + (below(4) ? FAR_OFF + static_cast<int64_t>(below(1000)) : -5);
  }
  static bool passed(int64_t expiry) { return expiry != 0 && expiry < test::now_ms() + FAR_OFF / 2; }

  std::vector<std::string> keys(const std::string &base) const {
    std::vector<std::string> keys;
    for (const auto &[key, value] : model_)
      if (key.starts_with(base)) keys.push_back(key);
    return keys;
  }

  void set() {
    const std::string k = key(), value = bytes();
    How how{.expiry = expiry(), .condition = below(4) ? OMNISTORE_ALWAYS : 1 + static_cast<uint32_t>(below(3))};
    const bool live = model_.contains(k), right = below(2);
    const std::string etag = right ? store_.etag(k) : "zz";
    how.etag = etag;
    const std::string user = below(3) ? std::string() : bytes();
    how.user = user;
    const bool holds = how.condition == OMNISTORE_ALWAYS || (how.condition == OMNISTORE_IF_ABSENT && !live) ||
                       (how.condition == OMNISTORE_IF_PRESENT && live) ||
                       (how.condition == OMNISTORE_IF_MATCH && live && right);
    REQUIRE(store_.set(k, value, how) == (holds ? OMNISTORE_OK : OMNISTORE_CONFLICT));
    if (!holds) return;
    model_.erase(k);
    if (!passed(how.expiry)) model_[k] = {value, how.expiry, user};
  }
  void get() {
    const std::string k = key();
    Got got, stat;
    const uint32_t flags = (below(2) ? OMNISTORE_GET_META : 0u) | (below(2) ? OMNISTORE_GET_USER : 0u);
    const auto found = model_.find(k);
    const omnistore_status expected = found == model_.end() ? OMNISTORE_NOT_FOUND : OMNISTORE_OK;
    REQUIRE(store_.get(k, got, 0, UINT64_MAX, flags) == expected);
    REQUIRE(store_.stat(k, stat, flags) == expected);
    if (found == model_.end()) return;
    REQUIRE(got.bytes == found->second.bytes);
    REQUIRE(got.expiry == found->second.expiry);
    REQUIRE(stat.value_size == found->second.bytes.size());
    REQUIRE(stat.expiry == found->second.expiry);
    REQUIRE(stat.etag == got.etag);
    REQUIRE(got.user == (flags & OMNISTORE_GET_USER ? found->second.user : ""));
    REQUIRE(stat.user == got.user);
  }
  void range() {
    const std::string k = key();
    Got got;
    const uint64_t offset = below(50), length = below(50);
    const auto found = model_.find(k);
    REQUIRE(store_.get(k, got, offset, length) == (found == model_.end() ? OMNISTORE_NOT_FOUND : OMNISTORE_OK));
    if (found == model_.end()) return;
    const std::string &whole = found->second.bytes;
    REQUIRE(got.bytes == whole.substr(std::min<size_t>(offset, whole.size()), length));
    REQUIRE(got.value_size == whole.size());
  }
  void remove() {
    const std::string k = key();
    REQUIRE(store_.remove(k) == (model_.erase(k) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND));
  }
  void touch() {
    const std::string k = key();
    const int64_t end = expiry();
    const auto found = model_.find(k);
    REQUIRE(store_.touch(k, end) == (found == model_.end() ? OMNISTORE_NOT_FOUND : OMNISTORE_OK));
    if (found == model_.end()) return;
    if (passed(end))
      model_.erase(found);
    else
      found->second.expiry = end;
  }
  void touch_user() {
    const std::string k = key(), user = below(3) ? bytes() : std::string();
    const auto found = model_.find(k);
    REQUIRE(store_.touch_user(k, user) == (found == model_.end() ? OMNISTORE_NOT_FOUND : OMNISTORE_OK));
    if (found != model_.end()) found->second.user = user;
  }
  void list() {
    const std::string b = base();
    REQUIRE(store_.list(b, OMNISTORE_ANY_DEPTH, 1 + static_cast<uint32_t>(below(40))) == keys(b));
  }
  void clear() {
    const std::string b = base();
    test::Page removed;
    REQUIRE(store_.clear(b, &removed) == OMNISTORE_OK);
    std::vector<std::string> gone = removed.keys();
    std::sort(gone.begin(), gone.end());
    REQUIRE(gone == keys(b));
    std::erase_if(model_, [&](const auto &item) { return item.first.starts_with(b); });
  }

  std::mt19937 random_;
  test::RedisServer server_; // a listing looks at every key of a server, and others leave some
  Store store_{"{" + test::option("url", server_.url()) + "," + test::option("base", "m[o]del") + "}"};
  std::map<std::string, Value> model_;
};

} // namespace

TEST_CASE("random operations give the same results as a map") {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    Model model(seed);
    for (int i = 0; i < 2000; ++i) model.step();
    model.finish();
  }
}

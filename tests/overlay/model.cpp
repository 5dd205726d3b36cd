// SPDX-License-Identifier: Apache-2.0
// Random operations, each with the result of layered maps: 1 to 4 layers of any kind, any writeTo, with and without
// promotion, others writing to the layers, restarts between.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

namespace {

struct MapLayer {
  std::string kind;
  std::map<std::string, std::string> values;
  std::set<std::string> removed, cleared;
  bool written = false, dropped = false, records = false;

  bool forgets() const { return kind == "memory"; }
  bool others_write() const { return kind != "memory" && kind != "private"; }
  bool hides(const std::string &key) const {
    return removed.contains(key) ||
           std::any_of(cleared.begin(), cleared.end(), [&](const std::string &base) { return key.starts_with(base); });
  }
  bool has_under(const std::string &base) const {
    const auto at = values.lower_bound(base);
    return at != values.end() && at->first.starts_with(base);
  }
  void clear(const std::string &base) {
    std::erase_if(values, [&](const auto &item) { return item.first.starts_with(base); });
  }
};

class Model {
public:
  explicit Model(unsigned seed) : random_(seed) {
    std::vector<std::string> kinds;
    for (std::size_t i = 0, count = 1 + below(4); i < count; ++i)
      kinds.push_back(std::vector<std::string>{"memory", "fs", "jar", "private", "unordered", "unsized"}[below(6)]);
    for (const std::string &kind : kinds) layers_.push_back({kind, {}, {}, {}});
    choose_written();
    promotes_ = below(3) == 0;
    std::string to;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (layers_[i].written) to += (to.empty() ? "" : ",") + std::to_string(i);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      MapLayer &layer = layers_[i];
      layer.dropped = promotes_ && !layer.written && i < last_written();
      layer.records = layer.written && i + 1 < layers_.size() && !layers_[i + 1].written;
    }
    const std::string options = "{\"writeTo\":[" + to + "],\"promote\":" + (promotes_ ? "true" : "false") + "}";
    world_ = std::make_unique<Layers>(options, kinds);
    storage_ = std::make_unique<omnistore::Storage>(world_->open());
    for (const std::string &kind : kinds) told_ += kind + " ";
    told_ += options;
  }
  const std::string &told() const { return told_; }

  void step() {
    static constexpr void (Model::*STEPS[])() = {
        &Model::set,    &Model::set,       &Model::get,      &Model::get,         &Model::remove,   &Model::remove,
        &Model::list,   &Model::touch,     &Model::set_many, &Model::remove_many, &Model::get_many, &Model::others,
        &Model::others, &Model::condition, &Model::clear,    &Model::restart};
    const std::size_t chosen = below(100);
    (this->*STEPS[chosen < 94 ? chosen % 14 : chosen < 97 ? 14 : 15])();
  }
  void finish() { check_keys("", 1000); }

private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::size_t first_written() const {
    std::size_t i = 0;
    while (!layers_[i].written) ++i;
    return i;
  }
  std::size_t last_written() const {
    std::size_t i = layers_.size() - 1;
    while (!layers_[i].written) --i;
    return i;
  }
  void choose_written() {
    if (below(2)) layers_[0].written = true; // the usual one
    for (MapLayer &layer : layers_) layer.written = layer.written || below(4) == 0;
    if (std::none_of(layers_.begin(), layers_.end(), [](const MapLayer &l) { return l.written; }))
      layers_[below(layers_.size())].written = true;
  }

  std::string key() {
    std::string key(1, static_cast<char>('a' + below(2)));
    for (std::size_t segments = below(3); segments > 0; --segments) key += ":" + std::to_string(below(4));
    return key;
  }
  std::string base() {
    std::string whole = key();
    whole.resize(whole.rfind(':') == whole.npos ? 0 : whole.rfind(':') + 1);
    return below(3) ? whole : "";
  }
  std::string value() { return std::string(below(30), static_cast<char>('a' + below(26))); }

  /// The layer in which a key is seen; -1: it is not.
  int seen(const std::string &key) const {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto found = layers_[i].values.find(key);
      if (found != layers_[i].values.end()) return found->second == test::removed_marker ? -1 : static_cast<int>(i);
      if (layers_[i].hides(key)) return -1;
    }
    return -1;
  }
  std::optional<std::string> expected(const std::string &key) const {
    const int layer = seen(key);
    if (layer < 0) return std::nullopt;
    return layers_[static_cast<std::size_t>(layer)].values.at(key);
  }
  Keys keys_under(const std::string &base) const {
    std::set<std::string> keys;
    for (const MapLayer &layer : layers_)
      for (const auto &[key, value] : layer.values)
        if (key.starts_with(base) && seen(key) >= 0) keys.insert("o:" + key);
    return {keys.begin(), keys.end()};
  }
  /// Returns true if a write would not be seen, and is refused.
  bool hidden_above(const std::string &key) const {
    for (std::size_t i = 0; i < first_written(); ++i)
      if (layers_[i].hides(key) || (!layers_[i].dropped && layers_[i].values.contains(key))) return true;
    return false;
  }

  // ------------------------------------------------------------------------------------------- what writes would do

  void put(const std::string &key, const std::string &value) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      MapLayer &layer = layers_[i];
      if (layer.dropped) layer.values.erase(key);
      if (layer.written) layer.values[key] = value;
      if (layer.records && i != last_written()) layer.removed.erase(key);
    }
  }
  bool take(const std::string &key) {
    if (seen(key) < 0) return false;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      MapLayer &layer = layers_[i];
      if (!layer.records || layer.hides(key)) continue;
      for (std::size_t j = i + 1; j < layers_.size() && !layers_[j].written; ++j) {
        const auto found = layers_[j].values.find(key);
        if (found != layers_[j].values.end() && found->second != test::removed_marker) layer.removed.insert(key);
      }
    }
    for (MapLayer &layer : layers_)
      if (layer.dropped || layer.written) layer.values.erase(key);
    return true;
  }
  void promoted(const std::string &key) {
    const int from = seen(key);
    for (int i = 0; promotes_ && i < from; ++i)
      layers_[static_cast<std::size_t>(i)].values.emplace(key, *expected(key));
  }

  // ---------------------------------------------------------------------------------------------------- operations

  void set() {
    const std::string k = key(), v = value();
    const bool refused = hidden_above(k);
    INFO("set " << k << " to " << v);
    REQUIRE(status_of([&] { storage_->set("o:" + k, v); }) == (refused ? Status::read_only : Status::ok));
    if (!refused) put(k, v);
  }
  void set_many() {
    std::vector<omnistore::SetItem> items;
    for (std::size_t count = below(5); count > 0; --count) items.push_back({"o:" + key(), value(), {}});
    const auto outcomes = storage_->set_many(items);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string k = items[i].key.substr(2);
      const bool refused = hidden_above(k);
      INFO("set_many " << k << " to " << items[i].value << ": " << outcomes[i].message);
      REQUIRE(outcomes[i].status == (refused ? Status::read_only : Status::ok));
      if (!refused) put(k, items[i].value);
    }
  }
  void get() {
    const std::string k = key();
    INFO("get " << k);
    if (below(4) == 0) {
      REQUIRE(storage_->has("o:" + k) == expected(k).has_value());
      return;
    }
    const auto found = storage_->get("o:" + k);
    REQUIRE(found == expected(k));
    promoted(k);
  }
  void get_many() {
    Keys keys;
    for (std::size_t count = below(8); count > 0; --count) keys.push_back("o:" + key());
    const auto outcomes = storage_->get_many(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::string k = keys[i].substr(2);
      INFO("get_many " << k << ": " << outcomes[i].message);
      REQUIRE(outcomes[i].status == (expected(k) ? Status::ok : Status::not_found));
      if (expected(k)) REQUIRE(outcomes[i].entry.value == *expected(k));
    }
    for (const std::string &k : keys) promoted(k.substr(2));
  }
  void remove() {
    const std::string k = key();
    INFO("remove " << k);
    bool removed = false;
    const bool refused = hidden_above(k);
    REQUIRE(status_of([&] { removed = storage_->remove("o:" + k); }) == (refused ? Status::read_only : Status::ok));
    if (!refused) REQUIRE(removed == take(k));
  }
  void remove_many() {
    Keys keys;
    for (std::size_t count = below(5); count > 0; --count) keys.push_back("o:" + key());
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    const auto outcomes = storage_->remove_many(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::string k = keys[i].substr(2);
      INFO("remove_many " << k << ": " << outcomes[i].message);
      REQUIRE(outcomes[i].status == (hidden_above(k) ? Status::read_only : take(k) ? Status::ok : Status::not_found));
    }
  }
  void touch() {
    const std::string k = key();
    INFO("touch " << k);
    bool touched = false;
    const bool refused = hidden_above(k);
    REQUIRE(status_of([&] { touched = storage_->touch("o:" + k, std::chrono::hours(1)); }) ==
            (refused ? Status::read_only : Status::ok));
    if (refused) return;
    for (MapLayer &layer : layers_)
      if (layer.dropped) layer.values.erase(k);
    const int layer = seen(k);
    REQUIRE(touched == (layer >= 0));
    if (touched && !layers_[static_cast<std::size_t>(layer)].written) put(k, *expected(k));
  }
  void list() {
    const std::string under = base();
    const auto limit = 1 + static_cast<std::uint32_t>(below(6));
    check_keys(under, limit);
    check_folders(under, limit);
  }
  void check_folders(const std::string &base, std::uint32_t limit) {
    INFO("folders of " << base << " by " << limit);
    const std::string prefix = base.empty() || base.ends_with(':') ? "o:" + base : "o:" + base + ":";
    Keys right, found;
    for (const std::string &key : keys_under(base)) {
      const std::string name = key.substr(0, std::min(key.find(':', prefix.size()), key.size() - 1) + 1);
      if (right.empty() || right.back() != name) right.push_back(name);
    }
    omnistore::ListOptions options;
    options.limit = limit;
    options.depth = 0;
    options.folders = true;
    do {
      omnistore::Page page = storage_->list("o:" + base, options);
      for (auto &item : page.items) found.push_back(std::move(item.key));
      options.cursor = page.cursor;
      if (below(8) == 0) restart_keeping();
    } while (!options.cursor.empty());
    REQUIRE(found == right);
  }
  void check_keys(const std::string &base, std::uint32_t limit) {
    INFO("list " << base << " by " << limit);
    Keys keys;
    omnistore::ListOptions options;
    options.limit = limit;
    options.meta = below(2);
    do {
      omnistore::Page page = storage_->list("o:" + base, options);
      for (auto &item : page.items) {
        if (options.meta && item.meta.size != UINT64_MAX) CHECK(item.meta.size == expected(item.key.substr(2))->size());
        keys.push_back(std::move(item.key));
      }
      options.cursor = page.cursor;
      if (below(8) == 0) restart_keeping(); // a cursor is good after it
    } while (!options.cursor.empty());
    REQUIRE(keys == keys_under(base));
  }
  void clear() {
    const std::string under = base();
    INFO("clear " << under);
    const Keys visible = keys_under(under);
    const bool refused = std::any_of(visible.begin(), visible.end(), [&](const std::string &k) {
      const auto layer = static_cast<std::size_t>(seen(k.substr(2)));
      return layer < first_written() && !layers_[layer].dropped;
    });
    std::uint64_t cleared = 0;
    REQUIRE(status_of([&] { cleared = storage_->clear("o:" + under); }) == (refused ? Status::read_only : Status::ok));
    if (refused) return;
    REQUIRE(cleared == visible.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (!layers_[i].records) continue;
      bool any = false;
      for (std::size_t j = i + 1; j < layers_.size() && !layers_[j].written; ++j)
        any = any || layers_[j].has_under(under);
      if (any) layers_[i].cleared.insert(under);
    }
    for (MapLayer &layer : layers_)
      if (layer.dropped || layer.written) layer.clear(under);
  }
  /// Others write to a layer. unstorage's overlay writes its marker to the highest, never to the lowest.
  void others() {
    const std::size_t i = below(layers_.size());
    if (!layers_[i].others_write()) return;
    const std::string k = key(), v = below(4) || i + 1 == layers_.size() ? value() : test::removed_marker,
                      at = "l" + std::to_string(i) + ":" + k;
    INFO("others in layer " << i << ": " << k << " to " << v);
    if (below(3)) {
      storage_->set(at, v);
      layers_[i].values[k] = v;
    } else {
      storage_->remove(at);
      layers_[i].values.erase(k);
    }
  }
  /// If nobody else writes, each condition can be held.
  void condition() {
    if (std::any_of(layers_.begin(), layers_.end(), [](const MapLayer &l) { return l.others_write(); })) return;
    const std::string k = key(), v = value();
    INFO("set " << k << " to " << v << " with a condition");
    if (hidden_above(k)) return;
    omnistore::SetOptions options;
    const omnistore::Condition::Kind kinds[] = {omnistore::Condition::Kind::if_absent,
                                                omnistore::Condition::Kind::if_present,
                                                omnistore::Condition::Kind::if_match};
    options.condition.kind = kinds[below(3)];
    const bool there = expected(k).has_value(), right = below(2);
    if (options.condition.kind == omnistore::Condition::Kind::if_match)
      options.condition.etag = there && right ? storage_->meta("o:" + k)->etag : "0none";
    const bool holds = options.condition.kind == omnistore::Condition::Kind::if_absent    ? !there
                       : options.condition.kind == omnistore::Condition::Kind::if_present ? there
                                                                                          : there && right;
    REQUIRE(storage_->set("o:" + k, v, options).stored == holds);
    if (holds) put(k, v);
  }
  void restart() {
    reopen();
    for (MapLayer &layer : layers_) {
      if (!layer.forgets()) continue;
      layer.values.clear();
      layer.removed.clear();
      layer.cleared.clear();
    }
  }
  /// Only if nothing is lost by it.
  void restart_keeping() {
    const bool loses = std::any_of(layers_.begin(), layers_.end(), [](const MapLayer &l) { return l.forgets(); });
    if (!loses) reopen();
  }
  void reopen() {
    storage_.reset();
    storage_ = std::make_unique<omnistore::Storage>(world_->open());
  }

  std::mt19937 random_;
  std::vector<MapLayer> layers_;
  bool promotes_ = false;
  std::unique_ptr<Layers> world_;
  std::unique_ptr<omnistore::Storage> storage_;
  std::string told_;
};

void run(unsigned first_seed) {
  for (unsigned seed = first_seed; seed < first_seed + 15; ++seed) {
    Model model(seed);
    INFO("seed " << seed << ": " << model.told());
    for (int i = 0; i < 300; ++i) model.step();
    model.finish();
  }
}

} // namespace

TEST_CASE("random operations have the same results as layered maps (seeds 1 to 15)") { run(1); }
TEST_CASE("random operations have the same results as layered maps (seeds 16 to 30)") { run(16); }
TEST_CASE("random operations have the same results as layered maps (seeds 31 to 45)") { run(31); }
TEST_CASE("random operations have the same results as layered maps (seeds 46 to 60)") { run(46); }

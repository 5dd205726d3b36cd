// SPDX-License-Identifier: Apache-2.0
// A store that greets the name in each key, or returns the text that was set for it.
#include <map>

#include <omnistore/driver.hpp>

namespace {

struct Hello {
  struct Options {
    std::string greeting;
    static constexpr void fields(auto each) {
      each("greeting", &Options::greeting, "hello", "The greeting for each key without a text of its own");
    }
  };

  explicit Hello(Options options) : options_(std::move(options)) {}

  std::optional<omnistore::Value> get(omnistore::Key key) {
    if (const auto words = words_.find(key); words != words_.end()) return words->second;
    return options_.greeting + " " + std::string(key);
  }
  void set(omnistore::Key key, std::string words) { words_.insert_or_assign(std::string(key), std::move(words)); }
  bool remove(omnistore::Key key) {
    const auto words = words_.find(key);
    return words != words_.end() && (words_.erase(words), true);
  }
  const auto &list() { return words_; }

private:
  Options options_;
  std::map<std::string, std::string, std::less<>> words_;
};

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Hello>("hello", "1.0.0", "Greets each key"))

// SPDX-License-Identifier: Apache-2.0
// Other programs change a tree at random, while the store does so too: a watch reports their changes, and its last
// report of a key is true.
#include <random>

#include "watched.hpp"

using namespace test;

namespace {

/// A few names, so that the same places are met again and again.
class Chance {
public:
  explicit Chance(unsigned seed) : random_(seed) {}
  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  std::string path(const std::string &top) {
    std::string path = top;
    for (int i = below(3); i >= 0; --i) path += "/" + std::string(1, static_cast<char>('a' + below(3)));
    return path;
  }

private:
  std::mt19937 random_;
};

/// Does one change; what it was, for the message of a failure.
std::string change_as_another(const Watched &f, Chance &chance, int number) {
  std::error_code error;
  const std::string one = chance.path("theirs"), other = chance.path("theirs");
  const int kind = chance.below(8);
  const auto done = [&](const std::string &what) { return error ? "" : what + "; "; };
  if (kind < 4) {
    const std::string path = kind == 3 ? one + "/$" : one;
    std::filesystem::create_directories(std::filesystem::path(f.file(path)).parent_path(), error);
    std::ofstream file(f.file(path));
    file << number;
    return done("write " + path);
  }
  if (kind == 4) return std::filesystem::remove(f.file(one), error) ? done("remove " + one) : "";
  if (kind == 5) return std::filesystem::remove_all(f.file(one), error) ? done("remove all " + one) : "";
  std::filesystem::rename(f.file(one), f.file(other), error);
  return done("move " + one + " to " + other);
}

void change_itself(Watched &f, Chance &chance) {
  std::string key = chance.path("ours");
  std::replace(key.begin(), key.end(), '/', ':');
  if (chance.below(2) == 0)
    f.store.set(key, "v");
  else
    f.store.remove(key);
}

/// The content of each key's file.
std::map<std::string, std::string> values(Watched &f) {
  std::map<std::string, std::string> values;
  for (const std::string &key : f.store.list("theirs:")) values[key] = f.store.get(key).value_or("");
  return values;
}

/// Returns the error in the reports of a step from one state to another.
Keys mistakes(const std::map<std::string, std::string> &before, const std::map<std::string, std::string> &after,
              const Keys &told) {
  std::map<std::string, char> last;
  for (const std::string &text : told) last[text.substr(1)] = text[0];
  Keys wrong;
  for (const auto &[key, value] : before) {
    const auto now = after.find(key);
    if ((now == after.end() || now->second != value) && !last.contains(key)) wrong.push_back("not told: " + key);
  }
  for (const auto &[key, value] : after) {
    if (!before.contains(key) && !last.contains(key)) wrong.push_back("not told, though new: " + key);
  }
  for (const auto &[key, sign] : last) {
    if (after.contains(key) != (sign == '+')) wrong.push_back("told as it is not: " + std::string(1, sign) + key);
    if (key.starts_with("ours")) wrong.push_back("its own: " + key);
  }
  return wrong;
}

} // namespace

TEST_CASE("random changes by others are reported, and the last report of a key is true") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  Chance chance(seed);
  Watched f;
  auto before = values(f);
  for (int round = 0, number = 0; round < 150; ++round) {
    // In every second round the disk is far ahead of the thread that reports.
    const bool ahead = round % 2 == 1;
    if (ahead) f.hold();
    std::string changes;
    for (int i = chance.below(40); i >= 0; --i) {
      changes += change_as_another(f, chance, ++number);
      if (!ahead) change_itself(f, chance);
    }
    f.watch.let_go();
    Keys told = f.told();
    auto after = values(f);
    if (std::find(told.begin(), told.end(), "resync") == told.end()) {
      std::erase_if(told, [](const std::string &text) { return text.starts_with("+held"); });
      INFO(changes);
      CAPTURE(before, after, told);
      REQUIRE(mistakes(before, after, told) == Keys{});
    }
    before = std::move(after);
  }
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "storage/fixture.hpp"
#include "support/temporary.hpp"

namespace test {

using Keys = std::vector<std::string>;

/// What unstorage's overlay writes in place of a removed value.
inline const std::string removed_marker = "__OVERLAY_REMOVED__";

inline void wait_until(std::chrono::system_clock::time_point moment) { std::this_thread::sleep_until(moment); }

/// An overlay mounted at `o`, and a way to each of its layers beside it: those that others can open too are mounted at
/// `l0`, `l1`, ... as well.
///
/// Kinds of layers: `memory`; `fs`; `jar`, which others may write; `unordered`, the same with keys in no order;
/// `private`, a jar that says nobody else writes it; `unsized`, one that does not know how long its values are;
/// `echoing`, one whose watch tells of the overlay's own writes too.
class Layers {
public:
  Layers(std::string options, std::vector<std::string> kinds) : options_(std::move(options)), kinds_(std::move(kinds)) {
    static std::atomic<int> number{0};
    name_ = "jar" + std::to_string(++number);
  }

  omnistore::Storage open(const std::string &more = "") const {
    std::string layers, mounts;
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      layers += (i ? "," : "") + layer(i);
      if (kinds_[i] != "memory") mounts += ", \"l" + std::to_string(i) + "\": " + layer(i);
    }
    return test::open(R"({ "o": { "driver": "overlay", "options": )" + options_ + R"(, "layers": [)" + layers + "] }" +
                      mounts + more + " }");
  }
  /// The folder of an fs layer.
  std::string folder(std::size_t i) const { return folder_ / ("l" + std::to_string(i)); }

  std::string layer(std::size_t i) const {
    const std::string &kind = kinds_[i];
    if (kind == "memory") return R"({ "driver": "memory" })";
    if (kind == "fs") return R"({ "driver": "fs", "options": { "base": ")" + folder(i) + R"(" } })";
    return R"({ "driver": "jar", "options": { "name": ")" + name_ + "-" + std::to_string(i) + "\"" +
           (kind == "private" ? R"(, "shared": false)" : "") + (kind == "unordered" ? R"(, "order": "none")" : "") +
           (kind == "echoing" ? R"(, "watchesOwn": true)" : "") + (kind == "unsized" ? R"(, "sizes": false)" : "") +
           " } }";
  }

private:
  std::string options_;
  std::vector<std::string> kinds_;
  std::string name_;
  Folder folder_;
};

} // namespace test

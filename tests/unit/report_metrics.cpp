// SPDX-License-Identifier: Apache-2.0
#include <regex>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

#include "report/metrics_text.hpp"

using namespace omnistore;
using namespace omnistore::report;

namespace {

std::string sample_text() {
  MountStats mount;
  mount.mountpoint = "a\"b\\c\nd";
  mount.driver = "memory";
  mount.hits = 3;
  mount.read_latency.counts.assign(MountStats::latency_bounds().size() + 1, 2);
  mount.read_latency.count = 2 * mount.read_latency.counts.size();
  mount.read_latency.sum = 0.5;
  mount.write_latency.counts.assign(MountStats::latency_bounds().size() + 1, 0);
  HostState host;
  host.listeners.push_back({"http", "127.0.0.1:1", 1, 2, 3, 4, {0, 5, 0, 0, 0}, 6});
  return metrics_text({mount}, {}, host);
}

} // namespace

TEST_CASE("every line of the metrics is one that Prometheus reads, under a HELP and a TYPE of its own") {
  const std::regex sample(R"(([a-z_]+)(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)*\})? [0-9eE.+-]+(Inf)?)");
  std::istringstream lines(sample_text());
  std::set<std::string> helped, typed;
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    std::istringstream words(line);
    std::string hash, kind, name;
    words >> hash >> kind >> name;
    if (hash == "#") {
      CHECK((kind == "HELP" ? helped : typed).insert(name).second);
      continue;
    }
    std::smatch match;
    REQUIRE(std::regex_match(line, match, sample));
    std::string family = match[1];
    for (const char *suffix : {"_bucket", "_sum", "_count"}) {
      if (family.ends_with(suffix) && !helped.contains(family))
        family.resize(family.size() - std::string(suffix).size());
    }
    CHECK(helped.contains(family));
    CHECK(typed.contains(family));
  }
}

TEST_CASE("labels are escaped") {
  CHECK(escaped_label("\x1b[2J\xe2\x80\xae") == "\\\\x1b[2J\\\\u{202e}");
  CHECK(escaped_label("a\"b\\c\nd") == "a\\\"b\\\\c\\nd");
  CHECK(sample_text().find(R"(omnistore_hits_total{mount="a\"b\\c\nd",driver="memory"} 3)") != std::string::npos);
}

TEST_CASE("a histogram's buckets add up, and the last one holds all") {
  const std::string text = sample_text();
  const std::size_t buckets = MountStats::latency_bounds().size() + 1;
  const std::string all = std::to_string(2 * buckets);
  CHECK(text.find("operation=\"read\",le=\"+Inf\"} " + all + "\n") != std::string::npos);
  CHECK(text.find("omnistore_operation_duration_seconds_count{mount=\"a\\\"b\\\\c\\nd\",driver=\"memory\","
                  "operation=\"read\"} " +
                  all + "\n") != std::string::npos);
}

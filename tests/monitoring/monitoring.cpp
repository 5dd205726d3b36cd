// SPDX-License-Identifier: Apache-2.0
// config/monitoring: the alert rules and the board.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <regex>
#include <set>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "cli/program.hpp"
#include "support/loopback.hpp"

namespace json = boost::json;
using test::says;

namespace {

constexpr const char *rules = OMNISTORE_SOURCE "/config/monitoring/alerts.yml";
constexpr const char *board = OMNISTORE_SOURCE "/config/monitoring/grafana.json";

void add_expressions(const json::value &value, std::vector<std::string> &expressions) {
  if (const json::array *array = value.if_array())
    for (const json::value &each : *array) add_expressions(each, expressions);
  if (const json::object *object = value.if_object())
    for (const auto &[name, member] : *object) {
      if ((name == "expr" || name == "query") && member.is_string()) expressions.emplace_back(member.as_string());
      add_expressions(member, expressions);
    }
}

/// The expressions of the board, of its panels and of its variables.
std::vector<std::string> board_expressions() {
  std::vector<std::string> expressions;
  add_expressions(json::parse(test::read_file(board)), expressions);
  std::erase(expressions, "prometheus"); // the kind of its source
  REQUIRE(expressions.size() > 30);
  return expressions;
}

std::set<std::string> metrics_in(const std::string &text) {
  static const std::regex name("(omnistore|process)_[a-z0-9_]+");
  return {std::sregex_token_iterator(text.begin(), text.end(), name), std::sregex_token_iterator()};
}

/// The names of all samples that /metrics can have.
std::set<std::string> metrics_of(const test::Host &host) {
  std::set<std::string> names;
  std::istringstream text(test::run_command({"curl", "-sf", host.admin + "/metrics"}).out);
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string hash, type, name, kind;
    words >> hash >> type >> name >> kind;
    if (hash != "#" || type != "TYPE") continue;
    names.insert(name);
    if (kind == "histogram")
      for (const char *part : {"_bucket", "_sum", "_count"}) names.insert(name + part);
  }
  return names;
}

void replace_all(std::string &text, const std::string &what, const std::string &with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += with.size())
    text.replace(at, what.size(), with);
}

/// Debian's Prometheus, which scrapes one host.
class Prometheus {
public:
  explicit Prometheus(const test::Host &host) {
    test::write_file(folder_ / "prometheus.yml",
                     "global: { scrape_interval: 100ms, evaluation_interval: 100ms }\nrule_files: [" +
                         std::string(rules) +
                         "]\nscrape_configs:\n  - job_name: omnistore\n    static_configs: [{ targets: ['" +
                         host.admin.substr(7) + "'] }]\n");
    for (int tries = 0; tries < 3; ++tries) { // another program may be faster to take the port
      const std::string address = "127.0.0.1:" + std::to_string(test::free_port());
      url_ = "http://" + address;
      process_.emplace(test::Strings{"prometheus", "--config.file=" + folder_ / "prometheus.yml",
                                     "--storage.tsdb.path=" + folder_ / "data", "--web.listen-address=" + address},
                       test::Setting{});
      if (is_ready()) return;
    }
    throw std::runtime_error("prometheus does not start");
  }

  json::value get(const std::string &path, const std::string &query = {}) const {
    test::Strings command{"curl", "-s", "-G", url_ + "/api/v1/" + path};
    if (!query.empty()) command.insert(command.end(), {"--data-urlencode", "query=" + query});
    return json::parse(test::run_command(command).out);
  }
  json::array query(const std::string &text) const {
    const json::value answer = get("query", text);
    INFO(text << "\n" << json::serialize(answer));
    REQUIRE(answer.at("status") == "success");
    return answer.at("data").at("result").as_array();
  }
  /// Returns when the query has a result.
  json::array await(const std::string &text) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (json::array result; std::chrono::steady_clock::now() < deadline;)
      if (result = query(text); !result.empty()) return result;
    throw std::runtime_error("there is no result of " + text);
  }

private:
  bool is_ready() {
    const std::string ready = url_ + "/-/ready";
    return test::run_command({"curl", "-sf", "--retry", "100", "--retry-delay", "1", "--retry-connrefused",
                              "--retry-max-time", "30", ready})
               .code == 0;
  }

  test::Folder folder_;
  std::string url_;
  std::optional<test::Process> process_;
};

} // namespace

TEST_CASE("The board and the rules name only metrics of the host, and the board shows all of them") {
  const test::Place place;
  const test::Host host(place.config());
  const std::set<std::string> known = metrics_of(host);
  REQUIRE(known.size() > 30);
  std::string on_board;
  for (const std::string &each : board_expressions()) on_board += each + "\n";
  for (const std::string &name : metrics_in(on_board + test::read_file(rules))) {
    INFO(name);
    CHECK(known.contains(name));
  }
  const std::set<std::string> shown = metrics_in(on_board);
  for (const std::string &name : known) {
    const bool is_histogram = known.contains(name + "_bucket");
    INFO(name);
    CHECK((is_histogram || shown.contains(name)));
  }
}

TEST_CASE("The panels of the board have numbers of their own and do not overlap") {
  std::set<std::int64_t> numbers;
  std::set<std::pair<std::int64_t, std::int64_t>> taken;
  const json::value all = json::parse(test::read_file(board));
  for (const json::value &panel : all.at("panels").as_array()) {
    INFO(panel.at("title"));
    CHECK(numbers.insert(panel.at("id").as_int64()).second);
    const json::value &place = panel.at("gridPos");
    const std::int64_t x = place.at("x").as_int64(), y = place.at("y").as_int64();
    CHECK(x + place.at("w").as_int64() <= 24);
    for (std::int64_t i = x; i < x + place.at("w").as_int64(); ++i)
      for (std::int64_t j = y; j < y + place.at("h").as_int64(); ++j) CHECK(taken.emplace(i, j).second);
  }
}

TEST_CASE("A real Prometheus scrapes a host, evaluates the rules and fills the panels of the board") {
  const test::Place place;
  const test::Host host(place.config());
  for (const test::Strings &words :
       {test::Strings{"--url", host.url, "set", "mem:k", "v"}, test::Strings{"--url", host.url, "get", "mem:k"},
        test::Strings{"--url", host.url, "set", "k", "v"}})
    REQUIRE(test::omnistore(words).code == 0);
  const Prometheus prometheus(host);
  CHECK(prometheus.await("up{job=\"omnistore\"} == 1").size() == 1);
  prometheus.await("omnistore_operations_total{mount=\"mem\",operation=\"write\"} == 1");
  CHECK(prometheus.query("scrape_samples_scraped").size() == 1);

  // A rate needs two scrapes.
  prometheus.await("rate(omnistore_operations_total{mount=\"mem\",operation=\"write\"}[1m])");
  for (std::string expression : board_expressions()) {
    if (expression.starts_with("label_values(")) continue;
    replace_all(expression, "$__rate_interval", "1m");
    replace_all(expression, "$instance", ".*");
    replace_all(expression, "$mount", ".*");
    INFO(expression);
    const bool needs_more = says(expression, "_layer_") || says(expression, "omnistore_errors_total") ||
                            says(expression, "driver_count") || says(expression, "driver_amount") ||
                            says(expression, "changes(") || says(expression, "_certificate_end_"); // it has no TLS
    const json::array result = prometheus.query(expression);
    CHECK((needs_more || !result.empty()));
  }

  prometheus.await("count(up)"); // the rules were evaluated at least once since
  const json::value groups = prometheus.get("rules");
  std::size_t count = 0;
  for (const json::value &group : groups.at("data").at("groups").as_array())
    for (const json::value &rule : group.at("rules").as_array()) {
      INFO(rule.at("name"));
      CHECK(rule.at("health") != "err");
      CHECK(rule.at("state") == "inactive");
      ++count;
    }
  CHECK(count >= 10);
}

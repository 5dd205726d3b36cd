// SPDX-License-Identifier: Apache-2.0
// The rules of coherence in a simulation: no read is older than the bound, whatever breaks.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <catch2/catch.hpp>

#include "model.hpp"
#include "simulation.hpp"

namespace {

/// Runs a seed again and returns its last steps.
template <class Rules>
std::string story(const sim::Settings &settings, std::uint64_t seed, std::uint64_t steps) {
  sim::Simulation<Rules> again(settings, seed, true);
  again.run(steps);
  std::string text = "seed " + std::to_string(seed) + ": " + again.failure() + "\n";
  for (const std::string &line : again.trace()) text += line + "\n";
  return text;
}

/// Returns the first seed whose run breaks the bound, or 0.
template <class Rules>
std::uint64_t find_failure(const sim::Settings &settings, std::uint64_t seeds, std::uint64_t steps) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    if (!sim::Simulation<Rules>(settings, seed).run(steps)) return seed;
  return 0;
}

struct ForgetsEvents : omnistore::Coherence {
  using Coherence::Coherence;
  bool may_serve(std::string_view, const Ticket &ticket, std::int64_t lag) const {
    return is_current(lag) && ticket.losses != 0 && !lost_since(ticket);
  }
};
struct ForgetsLosses : omnistore::Coherence {
  using Coherence::Coherence;
  void lost() {}
};
struct IgnoresLag : omnistore::Coherence {
  using Coherence::Coherence;
  bool may_serve(std::string_view key, const Ticket &ticket, std::int64_t) const { return holds(key, ticket); }
};

constexpr std::uint64_t runs = 20, steps = 50'000;

} // namespace

TEST_CASE("no read is older than the bound in a million steps") {
  // OMNISTORE_SEED repeats one run.
  const char *const chosen = std::getenv("OMNISTORE_SEED");
  std::uint64_t hits = 0, crashes = 0, losses = 0;
  for (std::uint64_t run = 1; run <= runs; ++run) {
    const std::uint64_t seed = chosen ? std::stoull(chosen) : run;
    sim::Settings settings;
    settings.own_events = seed % 2 == 0;
    settings.hosts = 2 + static_cast<std::uint32_t>(seed % 5);
    sim::Simulation<> world(settings, seed);
    if (!world.run(steps)) FAIL(story<omnistore::Coherence>(settings, seed, steps));
    hits += world.counts().hits, crashes += world.counts().crashes, losses += world.counts().losses;
  }
  CHECK(hits > runs * steps / 20); // it was no world without copies
  CHECK(crashes > 100);
  CHECK(losses > 100);
}

TEST_CASE("the model of many hosts agrees with the simulation") {
  const auto [hosts, writes] = GENERATE(table<std::uint32_t, double>({{4, 0.1}, {50, 0.01}, {200, 0.005}}));
  INFO(hosts << " hosts, writes " << writes);
  const sim::Counts counts = sim::steady(hosts, writes, 40'000 + 400 * hosts);
  CHECK(sim::part(counts.hits, counts.reads) == Approx(sim::hit_ratio(hosts, writes)).margin(0.03));
  CHECK(sim::part(counts.gets, counts.reads) == Approx(sim::fetch_ratio(hosts, writes)).margin(0.03));
  CHECK(counts.bypasses == 0);
}

TEST_CASE("a seed repeats its run exactly") {
  sim::Settings settings;
  sim::Simulation<> one(settings, 7, true), other(settings, 7, true);
  one.run(20'000), other.run(20'000);
  CHECK(one.trace() == other.trace());
  CHECK(one.now() == other.now());
}

TEST_CASE("the simulation finds a rule that forgets events") {
  CHECK(find_failure<ForgetsEvents>({}, runs, steps) != 0);
}

TEST_CASE("the simulation finds a rule that forgets lost events") {
  CHECK(find_failure<ForgetsLosses>({}, runs, steps) != 0);
}

TEST_CASE("the simulation finds a rule that trusts a watch however much it lags") {
  CHECK(find_failure<IgnoresLag>({}, runs, steps) != 0);
}

TEST_CASE("the simulation finds a ticket that is taken after the request") {
  sim::Settings settings;
  settings.late_ticket = true;
  CHECK(find_failure<omnistore::Coherence>(settings, runs, steps) != 0);
}

TEST_CASE("a ticket of no request never holds") {
  omnistore::Coherence rules(100, 4);
  CHECK_FALSE(rules.holds("key", {}));
  rules.lost();
  CHECK_FALSE(rules.holds("key", {}));
}

TEST_CASE("an event ends the trust in its key alone") {
  omnistore::Coherence rules(100);
  const auto one = rules.begin("one"), other = rules.begin("other");
  rules.changed("one");
  CHECK_FALSE(rules.may_serve("one", one, 0));
  CHECK(rules.may_serve("other", other, 0));
}

TEST_CASE("a loss of events ends the trust in all keys") {
  omnistore::Coherence rules(100);
  const auto ticket = rules.begin("one");
  CHECK_FALSE(rules.lost_since(ticket));
  rules.lost();
  CHECK_FALSE(rules.may_serve("one", ticket, 0));
  CHECK(rules.lost_since(ticket));
}

TEST_CASE("a watch that lags by more than the bound ends the trust in all keys") {
  omnistore::Coherence rules(100);
  const auto ticket = rules.begin("one");
  CHECK(rules.may_serve("one", ticket, 100));
  CHECK_FALSE(rules.may_serve("one", ticket, 101));
}

// SPDX-License-Identifier: Apache-2.0
// The figures of config/distributed/SCALE.md: hosts with near caches over one store, in the simulation, beside what the
// model says. `coherence_scale real` runs hosts over a redis-server in its place.
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "hosts.hpp"
#include "model.hpp"
#include "simulation.hpp"

namespace {

void simulate() {
  std::puts("| hosts | writes | hits: model | hits: simulation | gets at the store per 100 reads | events per write |");
  std::puts("| --- | --- | --- | --- | --- | --- |");
  for (const unsigned hosts : {10u, 30u, 100u, 300u, 1000u})
    for (const double writes : {0.001, 0.01, 0.1}) {
      const sim::Counts counts = sim::steady(hosts, writes, 60 * hosts + 400'000 / (1 + hosts / 100));
      std::printf("| %u | %.1f %% | %.1f %% | %.1f %% | %.1f | %.0f |\n", hosts, 100 * writes,
                  100 * sim::hit_ratio(hosts, writes), 100 * sim::part(counts.hits, counts.reads),
                  100 * sim::part(counts.gets, counts.reads), sim::part(counts.events, counts.writes));
    }
}

void measure() {
  std::puts("| hosts | writes | fetches per 100 reads: model | measured | events per write |");
  std::puts("| --- | --- | --- | --- | --- |");
  constexpr int keys = 50, operations = 6000;
  for (const std::size_t count : {2u, 4u, 8u})
    for (const double writes : {0.01, 0.1}) {
      const test::SharedRedis store;
      std::vector<std::unique_ptr<test::NearHost>> hosts;
      std::vector<std::unique_ptr<test::Client>> clients;
      for (std::size_t i = 0; i < count; ++i) {
        hosts.push_back(std::make_unique<test::NearHost>(store.store(0)));
        clients.push_back(std::make_unique<test::Client>(hosts[i]->address()));
      }
      std::minstd_rand random(1);
      const auto key = [&] { return "/k" + std::to_string(random() % keys); };
      for (int i = 0; i < keys; ++i) clients[0]->ask("PUT", "/k" + std::to_string(i), "value");
      const auto sum = [&](const char *name) {
        std::int64_t all = 0;
        for (const auto &host : hosts) all += host->count(name);
        return all;
      };
      const auto run = [&](int steps) {
        int reads = 0;
        for (int i = 0; i < steps; ++i) {
          test::Client &client = *clients[random() % count];
          if (std::uniform_real_distribution<>()(random) < writes)
            client.ask("PUT", key(), std::to_string(i));
          else
            client.ask("GET", key()), ++reads;
        }
        return reads;
      };
      run(operations / 2); // until there are copies
      const std::int64_t fetched = sum("fetches"), reported = sum("invalidations");
      const int reads = run(operations);
      const double fetches = static_cast<double>(sum("fetches") - fetched) / reads;
      std::printf("| %zu | %.0f %% | %.1f | %.1f | %.1f |\n", count, 100 * writes,
                  100 * sim::fetch_ratio(count, writes), 100 * fetches,
                  static_cast<double>(sum("invalidations") - reported) / (operations - reads));
    }
}

} // namespace

int main(int count, char **arguments) {
  if (count > 1 && std::strcmp(arguments[1], "real") == 0)
    measure();
  else
    simulate();
}

// SPDX-License-Identifier: Apache-2.0
// Plugins come, change and break while clients read and write. OMNISTORE_HOT_PLUGS sets how often, 50 times if it is
// not set.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "host.hpp"
#include "loader/lock.hpp"
#include "loader/vet.hpp"
#include "report/process_stats.hpp"
#include "support/temporary.hpp"

namespace {

namespace fs = std::filesystem;
using test::Client;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool unloads = false; // their reports need the names of libraries that are gone
#else
constexpr bool unloads = true;
#endif

unsigned rounds() {
  const char *set = std::getenv("OMNISTORE_HOT_PLUGS");
  return set ? static_cast<unsigned>(std::strtoul(set, nullptr, 10)) : 50;
}

/// A folder of plugins that the test changes, a folder that the fs driver keeps values in, and one for the copies.
struct Place {
  test::Folder folder;
  std::string plugins = folder / "plugins", values = folder / "values", lock = folder / "omnistore.lock";
  Place() {
    fs::create_directory(plugins);
    ::setenv("XDG_RUNTIME_DIR", folder.path().c_str(), 1);
  }
  /// Trusts these bytes, and no other plugin, so that the one in the build's folder does not stand in for a bad one.
  /// Then puts them in the plugin's place, at once.
  void put(const std::string &name, const std::string &bytes) const {
    omnistore::loader::write_lock(lock, {{name + ".so", {}, omnistore::loader::sha256(bytes), {}, {}, {}, {}}});
    test::write_file(folder / "new", bytes);
    fs::rename(folder / "new", plugins + "/" + name + ".so");
  }
  /// The host's copies of plugins that lie in the folder for them.
  std::size_t copies() const {
    const fs::path at = folder / ("omnistore-" + std::to_string(::geteuid()));
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(at), fs::directory_iterator()));
  }
  /// The copies that are mapped into this process.
  std::size_t mapped() const {
    std::set<std::string> names;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      if (const auto at = line.find(folder.path()); at != line.npos) names.insert(line.substr(at));
    return names.size();
  }
};

/// The bytes of a plugin that behaves as the built one and is another file.
std::string version(const std::string &bytes, unsigned number) { return bytes + "version " + std::to_string(number); }

/// The results of the clients.
struct Seen {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::vector<std::string> failures;

  void expect(bool holds, const std::string &what, const test::Answer &answer) {
    ++requests;
    const std::lock_guard lock(mutex);
    if (!holds && failures.size() < 10) failures.push_back(what + ": " + std::to_string(answer.status) + answer.body);
  }
};

/// Sets and gets keys that nobody else writes: each value is there until the next.
void work(const std::string &address, unsigned number, Seen &seen) {
  Client client(address);
  for (std::uint64_t round = 0; !seen.stop; ++round) {
    const std::string key = "/k" + std::to_string(number) + "-" + std::to_string(round % 16);
    const std::string value = std::to_string(round);
    const test::Answer set = client.ask("PUT", key, value);
    seen.expect(set.status == 200, "PUT " + key, set);
    const test::Answer got = client.ask("GET", key);
    seen.expect(got.status == 200 && got.body == value, "GET " + key + " of " + value, got);
  }
}

/// The resources that a running host holds.
struct Held {
  std::size_t copies, mapped;
  std::uint64_t resident;
};

} // namespace

TEST_CASE("plugins are changed again and again under load, no request fails and nothing is left over", "[long]") {
  const Place place;
  const std::string good = test::read_file(OMNISTORE_BUILD "/plugins/fs.so");
  const std::string crashes = test::read_file(OMNISTORE_BUILD "/tests/loader-plugins/load_aborts.so");
  const std::string other = test::read_file(OMNISTORE_BUILD "/tests/loader-plugins/unloads.so");
  place.put("fs", good);
  omnistore::Config config;
  config.plugin_paths = {place.plugins};
  config.plugin_lock = place.lock;
  config.mounts[""].store.driver = "fs";
  config.mounts[""].store.options = R"({"base": ")" + place.values + R"("})";
  config.http.listen = config.admin.listen = "127.0.0.1:0";
  test::Host host(config);
  Client admin(host.admin());

  Seen seen;
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < 4; ++i) clients.emplace_back([&, i] { work(host.http(), i, seen); });

  constexpr unsigned warm_up = 10;
  Held warm{};
  std::size_t most_mapped = 0, most_copies = 0;
  std::vector<std::string> wrong;
  const auto expect = [&](const test::Answer &answer, bool holds, const char *what) {
    if (!holds) wrong.push_back(what + (": " + std::to_string(answer.status) + " " + answer.body));
  };
  for (unsigned round = 1; round <= rounds(); ++round) {
    place.put("fs", version(good, round));
    const test::Answer taken = admin.ask("POST", "/reload");
    expect(taken, taken.status == 200 && taken.body.find("\"replaced\"") != taken.body.npos, "a new version");

    place.put("fs", round % 2 == 0 ? crashes : good.substr(0, good.size() / 2));
    const test::Answer refused = admin.ask("POST", "/reload");
    expect(refused, refused.status == 400, "a bad version");

    place.put("fs", version(good, round));
    place.put("other", version(good, round)); // a lock that knows nothing of fs
    const test::Answer untrusted = admin.ask("POST", "/reload");
    expect(untrusted, untrusted.status == 400 && untrusted.body.find("lock file") != untrusted.body.npos, "no trust");

    if (round % 5 == 0) {
      place.put("sample", version(other, round));
      const test::Answer mounted = admin.ask("PUT", "/mounts/fresh", R"({"driver": "sample"})");
      expect(mounted, mounted.status == 200, "a plugin that is new");
      const test::Answer unmounted = admin.ask("DELETE", "/mounts/fresh");
      expect(unmounted, unmounted.status == 200, "an unmount");
      fs::remove(place.plugins + "/sample.so");
    }
    const Held held{place.copies(), place.mapped(), omnistore::report::process_stats().resident_bytes};
    if (round <= warm_up) warm = held;
    if (round <= warm_up) continue;
    most_mapped = std::max(most_mapped, held.mapped);
    most_copies = std::max(most_copies, held.copies);
  }
  const std::uint64_t resident = omnistore::report::process_stats().resident_bytes;
  seen.stop = true;
  for (std::thread &client : clients) client.join();

  CHECK(wrong == std::vector<std::string>());
  CHECK(seen.failures == std::vector<std::string>());
  CHECK(seen.requests > rounds());
  WARN(rounds() << " rounds, " << seen.requests << " requests; at most " << most_copies << " copies lay there and "
                << most_mapped << " were mapped; resident " << warm.resident / 1024 << " KiB after " << warm_up
                << " rounds, " << resident / 1024 << " KiB at the end");
  if (!unloads || rounds() <= warm_up) return;
  // In use, before that, and one that is drained; the same for the plugin that comes and goes.
  CHECK(most_copies <= 6);
  CHECK(most_mapped <= 6);
  CHECK(resident < warm.resident + (8 << 20));
}

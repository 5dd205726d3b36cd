// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

#include "kit.hpp"
#include "store.hpp"

namespace omnistore::kit {

/// What a rule works with: the driver, stores of it, and keys that no other run uses. It belongs to one test, in a
/// process of its own, and is for one thread unless it says otherwise.
class Bench {
public:
  /// `id` is unique to this test of this run, `folder` an empty folder of its own.
  Bench(const Subject &subject, std::string id, std::string folder, std::uint64_t seed, bool longer);
  ~Bench();

  const omnistore_plugin &plugin() const { return *plugin_; }
  const omnistore_driver &driver() const { return *driver_; }
  const std::string &file() const { return subject_.file; }
  const Subject &subject() const { return subject_; }
  /// The options with {folder} and {id} filled in, and the schema's defaults.
  const std::string &options() const { return options_; }
  /// An empty folder of this test's own.
  const std::string &folder() const { return folder_; }
  bool is_layer() const { return driver_->max_children > 0; }
  /// Whether later stores, in this process or another, find what an earlier one has kept.
  bool keeps() { return store().traits().keeps >= OMNISTORE_KEEPS_PROCESS; }

  /// A store, opened at the first call.
  Store &store();
  /// One more store with the same options, over children of its own.
  std::unique_ptr<Store> another();
  /// Closes the store, so that store() opens it anew.
  void close();

  /// A key of this test's, and the base of all of them, with its ':'.
  std::string key(std::string_view name) const { return base_ + std::string(name); }
  const std::string &base() const { return base_; }

  /// Runs `work` in a process of its own, which must not have a store open, until it returns or is killed by
  /// `until_killed`, which gets its process id and runs here meanwhile. Returns false where it was killed.
  bool in_process(const std::function<void()> &work, const std::function<void(int)> &until_killed = {});

  /// For random choices; the seed is the run's.
  std::mt19937_64 random;
  /// Whether the run may take long: ten times as many repeats.
  const bool longer;
  std::size_t times(std::size_t count) const { return longer ? 10 * count : count; }

  /// Removes what the test has left in a store that others use as well.
  void tidy() noexcept;

private:
  struct Opened;
  const Subject &subject_;
  std::string id_, folder_, base_, options_;
  const omnistore_plugin *plugin_ = nullptr;
  const omnistore_driver *driver_ = nullptr;
  std::unique_ptr<Opened> opened_;
  std::vector<std::unique_ptr<Children>> others_; // children of stores that another() gave

  std::unique_ptr<Children> open_children();
};

} // namespace omnistore::kit

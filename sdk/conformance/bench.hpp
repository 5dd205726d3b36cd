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

/// The tools of a rule: the driver, stores of it, and keys that no other run uses. Each test has its own, in a process
/// of its own. For one thread unless a member says otherwise.
class Bench {
public:
  /// `id` is unique to this test of this run, and `folder` is an empty folder of its own.
  Bench(const Subject &subject, std::string id, std::string folder, std::uint64_t seed, bool longer);
  ~Bench();

  const omnistore_plugin &plugin() const { return *plugin_; }
  const omnistore_driver &driver() const { return *driver_; }
  const std::string &file() const { return subject_.file; }
  const Subject &subject() const { return subject_; }
  /// Returns the options with {folder}, {id} and the schema's defaults filled in.
  const std::string &options() const { return options_; }
  /// Returns the empty folder of this test.
  const std::string &folder() const { return folder_; }
  bool is_layer() const { return driver_->max_children > 0; }
  /// Returns true if later stores, in this process or another, find the values of an earlier one.
  bool keeps() { return store().traits().keeps >= OMNISTORE_KEEPS_PROCESS; }

  /// Returns a store, which the first call opens.
  Store &store();
  /// Opens one more store with the same options, over children of its own.
  std::unique_ptr<Store> another();
  /// Closes the store, so that store() opens it again.
  void close();

  /// Return a key of this test, and the base of its keys with the ':'.
  std::string key(std::string_view name) const { return base_ + std::string(name); }
  const std::string &base() const { return base_; }

  /// Runs `work` in a process of its own. No store may be open before. Meanwhile `until_killed` runs here with the
  /// process id, and may kill the process. Returns false if it was killed.
  bool in_process(const std::function<void()> &work, const std::function<void(int)> &until_killed = {});

  /// For random choices, with the seed of the run.
  std::mt19937_64 random;
  /// True if the run may take long, with ten times as many repeats.
  const bool longer;
  std::size_t times(std::size_t count) const { return longer ? 10 * count : count; }

  /// Removes the keys of the test from a store that others use as well.
  void tidy() noexcept;

private:
  struct Opened;
  const Subject &subject_;
  std::string id_, folder_, base_, options_;
  const omnistore_plugin *plugin_ = nullptr;
  const omnistore_driver *driver_ = nullptr;
  std::unique_ptr<Opened> opened_;
  std::vector<std::unique_ptr<Children>> others_; // the children of the stores of another()

  std::unique_ptr<Children> open_children();
};

} // namespace omnistore::kit

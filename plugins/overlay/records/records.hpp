// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layer/store.hpp"

namespace overlay {

/// Removed keys and cleared bases.
struct RecordSet {
  std::set<std::string, std::less<>> removed, cleared;

  bool hides(std::string_view key) const;
};

/// The removals that one layer records. A recorded key counts as absent in all layers below. A record stays when the
/// key is set again, so that the value below does not reappear when the new value ends. Thread-safe.
class Records {
public:
  enum class Kind {
    none,   ///< there is nothing below the layer
    memory, ///< the layer loses its values when it closes: the records are in memory and end with it
    loaded, ///< only this store writes the layer: its records are read once and then used from memory
    direct  ///< others may write the layer: its records are looked up each time
  };

  Records(Store &store, Kind kind) : store_(store), kind_(kind), ready_(kind == Kind::memory) {}

  /// Returns true if records lie in the layer.
  bool layer_key() const { return kind_ == Kind::loaded || kind_ == Kind::direct; }
  /// Returns true if a look-up goes to the layer.
  bool direct() const { return kind_ == Kind::direct; }
  /// Returns false if it is known that nothing is recorded.
  bool may_hide() const {
    return kind_ != Kind::none &&
           !(ready_.load(std::memory_order_acquire) && count_.load(std::memory_order_acquire) == 0);
  }

  omnistore_status hides(omnistore::Call call, std::string_view key, bool &hidden) {
    hidden = false;
    if (kind_ == Kind::none) return OMNISTORE_OK;
    if (ready_.load(std::memory_order_acquire) && count_.load(std::memory_order_acquire) == 0) return OMNISTORE_OK;
    return look_up(call, key, hidden);
  }
  /// The same for several keys: sets hidden[i] if key i is hidden.
  omnistore_status hides(omnistore::Call call, std::span<const std::string_view> keys, std::vector<bool> &hidden);

  omnistore_status remove(omnistore::Call call, std::string_view key);
  /// Records that a base was cleared. This replaces all records of the base and of keys in it.
  omnistore_status clear(omnistore::Call call, std::string_view base);
  /// Forgets that a key was removed.
  omnistore_status forget(omnistore::Call call, std::string_view key);

  /// Reads all records that concern a base: of keys in it, of bases in it, and of bases that it lies in.
  omnistore_status read(omnistore::Call call, std::string_view base, RecordSet &into) const;

private:
  omnistore_status look_up(omnistore::Call call, std::string_view key, bool &hidden);
  omnistore_status load(omnistore::Call call);
  omnistore_status write(omnistore::Call call, std::string_view record);
  void count();

  Store &store_;
  const Kind kind_;
  std::mutex loading_;
  std::atomic<bool> ready_; ///< set_ has all records; never set for a direct layer
  std::atomic<std::size_t> count_{0};
  std::shared_mutex mutex_;
  RecordSet set_;
};

} // namespace overlay

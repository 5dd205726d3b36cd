// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace omnistore::http {

/// Large blocks of memory that no buffer uses now. They are kept for the next long value, because giving them back to
/// the system and getting them again costs more than the copy of a value. Thread-safe.
class Spares {
public:
  static constexpr std::size_t large = 128 * 1024; ///< bytes; malloc maps blocks from this size on by themselves

  /// A block that malloc() made; `data` is null if there is none.
  struct Block {
    char *data = nullptr;
    std::size_t size = 0;
  };

  Spares() = default;
  ~Spares() { free_all(); }
  Spares(const Spares &) = delete;
  Spares &operator=(const Spares &) = delete;

  /// Returns a block of at least `size` bytes and at most four times as many, which is the caller's from now on; or
  /// none.
  Block take(std::size_t size);
  /// Returns false, and leaves the block to the caller, if enough are kept already.
  bool keep(Block block);
  /// Gives all blocks back to the system.
  void free_all();
  /// How many bytes are kept.
  std::size_t kept() const { return kept_.load(); }

private:
  std::mutex mutex_;
  std::vector<Block> blocks_;
  std::atomic<std::size_t> kept_{0};
};

} // namespace omnistore::http

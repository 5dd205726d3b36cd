// SPDX-License-Identifier: Apache-2.0
// The database's file, mapped a second time. LMDB's own map goes away when it grows; this one stays for as long as
// somebody reads from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace lmdb {

/// Safe for threads.
class Mapping {
public:
  /// Maps `size` bytes of the file as LMDB does. `inside`: an address in LMDB's map. Returns null if that fails.
  static std::shared_ptr<const Mapping> of(int file, std::size_t size, const void *inside) noexcept;

  Mapping(char *here, std::size_t size, std::uintptr_t there) noexcept : here_(here), size_(size), there_(there) {}
  Mapping(const Mapping &) = delete;
  Mapping &operator=(const Mapping &) = delete;
  ~Mapping();

  /// The same bytes in this map; `bytes` lie in LMDB's.
  std::string_view same(std::string_view bytes) const noexcept {
    return {here_ + (reinterpret_cast<std::uintptr_t>(bytes.data()) - there_), bytes.size()};
  }

private:
  char *const here_;
  const std::size_t size_;
  const std::uintptr_t there_; ///< the address of LMDB's map
};

} // namespace lmdb

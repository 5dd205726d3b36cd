// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <omnistore/driver.hpp>

namespace encrypt {

/// A key of secretstream. It is wiped when it goes.
struct SecretKey {
  std::array<unsigned char, 32> bytes{};
  SecretKey() = default;
  SecretKey(const SecretKey &) = default;
  SecretKey &operator=(const SecretKey &) = default;
  ~SecretKey();
};

/// The keys of a store, by id. Constant after it was made, so any thread may read it.
class Keys {
public:
  static constexpr std::size_t longest_id = 16;

  /// Reads the keys that the options name. Throws Failure(OMNISTORE_INVALID), which shows no key. A key file that
  /// others can read is logged.
  Keys(const omnistore_host &host, const omnistore::Options &options);
  /// Checks what the options alone can say. Throws as the constructor.
  static void check(const omnistore::Options &options);

  /// Returns null if there is no key of that id.
  const SecretKey *find(std::string_view id) const;
  const std::string &writing_id() const { return writing_; }
  const SecretKey &writing() const { return *find(writing_); }

private:
  void parse(std::string_view text, const std::string &where);

  std::map<std::string, SecretKey, std::less<>> keys_;
  std::string writing_;
};

} // namespace encrypt

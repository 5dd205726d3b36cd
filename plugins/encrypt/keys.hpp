// SPDX-License-Identifier: Apache-2.0
// The keys of the layer `encrypt`: their sources and their ids.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <omnistore/driver.hpp>

namespace encrypt {

/// A key of secretstream. The destructor wipes it.
struct SecretKey {
  std::array<unsigned char, 32> bytes{};
  SecretKey() = default;
  SecretKey(const SecretKey &) = default;
  SecretKey &operator=(const SecretKey &) = default;
  ~SecretKey();
};

/// The keys of a store, by id. It does not change after construction, so any thread may read it.
class Keys {
public:
  static constexpr std::size_t longest_id = 16;

  /// Reads the keys that the options name. Throws Failure(OMNISTORE_INVALID), whose message shows no key. Logs a
  /// warning if others can read the key file.
  Keys(const omnistore_host &host, const omnistore::Options &options);
  /// Checks the options without reading a key. Throws as the constructor does.
  static void check(const omnistore::Options &options);

  /// Returns null if there is no key of that id.
  const SecretKey *find(std::string_view id) const;
  const std::string &writing_id() const { return writing_; }
  const SecretKey &writing() const { return *find(writing_); }

private:
  void parse(std::string_view text, const std::string &source);

  std::map<std::string, SecretKey, std::less<>> keys_;
  std::string writing_;
};

} // namespace encrypt

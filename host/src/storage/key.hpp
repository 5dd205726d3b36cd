// SPDX-License-Identifier: Apache-2.0
// Keys and bases in the forms of unstorage, brought to one normal form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/driver.h>

#include "storage/sidecar_key.hpp"

namespace omnistore {

/// A key in its normal form: segments joined by single ':'. It points into the text that it was made from if that
/// was in normal form already (no copy), so the text must outlive it.
class Key {
public:
  static constexpr std::size_t max_size = OMNISTORE_MAX_KEY_SIZE;

  /// Throws Error(invalid) with the defect of the key.
  explicit Key(std::string_view text);
  /// The key that a view calls `text`. It begins with the view's base, which ends in ':' or is empty.
  Key(std::string_view base, std::string_view text);
  Key(const Key &) = delete;
  Key &operator=(const Key &) = delete;

  std::string_view view() const { return view_; }
  /// Returns the key without the base of the caller's view, for messages.
  std::string_view shown() const { return view_.substr(hidden_); }
  /// Returns true if it is the user meta of another key.
  bool is_meta() const { return is_sidecar(view_); }

private:
  std::string_view view_;
  std::string copy_;
  std::size_t hidden_ = 0;
};

/// The normal form of a base: a key and a ':' after it, or empty. Throws Error(invalid).
std::string normal_base(std::string_view text);

/// Returns the normal form without a check of its content; it may be empty. For mountpoints and prefixes.
std::string normal_form(std::string_view text);

/// Returns true if a text is a key in its normal form, of at most Key::max_size bytes.
bool is_normal(std::string_view text);

/// How many ':' a text has.
std::uint32_t colons(std::string_view text);

} // namespace omnistore

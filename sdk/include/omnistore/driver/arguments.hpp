// SPDX-License-Identifier: Apache-2.0
//
// omnistore/driver/arguments.hpp - what the members of a driver class receive besides the structs of
// driver.h. Included by omnistore/driver.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <omnistore/driver.h>
#include <omnistore/ext/validate.h>
#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

namespace omnistore {

/// A key that a member of the simple form receives: normalised, and valid until the member returns.
using Key = std::string_view;

/// Receives the keys of a simple list. Valid until list returns.
class Emit {
public:
  template <class F>
  explicit Emit(F &take) noexcept
      : take_(&take), run_([](void *to, std::string_view key) { (*static_cast<F *>(to))(key); }),
        skip_(
            [](void *to, std::string_view base, omnistore_status status, std::string_view message) {
              if constexpr (requires(F & f) { f.skip(base, status, message); })
                static_cast<F *>(to)->skip(base, status, message);
            }) {}
  void operator()(std::string_view key) const { run_(take_, key); }
  /// Reports that the listing leaves out everything under `base`, which cannot be read
  /// (omnistore_page.skip).
  void skip(std::string_view base, omnistore_status status, std::string_view message) const {
    skip_(take_, base, status, message);
  }

private:
  void *take_;
  void (*run_)(void *, std::string_view);
  void (*skip_)(void *, std::string_view, omnistore_status, std::string_view);
};

/// Collects the problems of options (ext/validate.h). Valid until validate returns, on its thread.
class Problems {
public:
  explicit Problems(omnistore_problems &raw) noexcept : raw_(&raw) {}
  /// `option` is the option's name, such as "writeTo" or "writeTo.1", or empty for the options as a
  /// whole.
  void add(std::string_view option, std::string_view message) {
    raw_->add(raw_, as_bytes(option), as_bytes(message));
  }
  /// Runs a check that open makes too. If it throws a Failure, adds that as a problem: of the
  /// option that the message names ("option NAME: ..."), or else of the options as a whole.
  template <class F>
  void check(F run) {
    try {
      run();
    } catch (const Failure &failure) {
      constexpr std::string_view head = "option ";
      const std::string_view text = failure.what();
      const std::size_t colon = text.find(": ");
      if (text.substr(0, head.size()) != head || colon == std::string_view::npos)
        return add({}, text);
      add(text.substr(head.size(), colon - head.size()), text.substr(colon + 2));
    }
  }

private:
  omnistore_problems *raw_;
};

/// The requests of a batch: requests[i] belongs to keys[i].
template <class Request>
class Requests {
public:
  explicit Requests(const Request *const *to) noexcept : to_(to) {}
  const Request &operator[](std::size_t i) const noexcept { return *to_[i]; }
  /// Returns the requests from the item `from` on.
  Requests from(std::size_t from) const noexcept { return Requests(to_ + from); }
  /// Returns them in the form that a child takes.
  const Request *const *raw() const noexcept { return to_; }

private:
  const Request *const *to_;
};

} // namespace omnistore

// SPDX-License-Identifier: Apache-2.0
// The functions of a store as the host's layers stack them.
#pragma once

#include <functional>

#include <omnistore/driver.h>
#include <omnistore/ext/revalidate.h>

namespace omnistore {

template <class Function>
class Bound;

/// One function of driver.h's table, with the object that it works on. Empty if there is none.
template <class Result, class... Arguments>
class Bound<Result(OMNISTORE_CALL *)(void *, Arguments...)> {
public:
  /// Makes it a member function of a layer, or a function whose first argument is the layer. The layer does not move
  /// and outlives this.
  template <auto Member, class Layer>
  void bind(Layer &layer) noexcept {
    self_ = &layer;
    function_ = [](void *self, Arguments... arguments) {
      return std::invoke(Member, *static_cast<Layer *>(self), arguments...);
    };
  }
  void clear() noexcept { function_ = nullptr; }
  explicit operator bool() const noexcept { return function_ != nullptr; }
  Result operator()(Arguments... arguments) const { return function_(self_, arguments...); }
  bool operator==(const Bound &) const = default;

private:
  Result (*function_)(void *, Arguments...) = nullptr;
  void *self_ = nullptr;
};

/// The functions of a store: those of driver.h, each with an object of its own. A layer copies the functions below it,
/// and replaces those that it changes. So a call visits only the layers that change it: a store whose driver lacks
/// nothing is called directly.
///
/// The first group is never empty. An empty batch means that the store does items one by one, an empty `clear` or
/// `touch` that it cannot. The functions may throw the host's exceptions; drivers' exceptions do not get this far.
struct Functions {
  Bound<decltype(omnistore_driver::get)> get;
  Bound<decltype(omnistore_driver::stat)> stat;
  Bound<decltype(omnistore_driver::set)> set;
  Bound<decltype(omnistore_driver::remove)> remove;
  Bound<decltype(omnistore_driver::list)> list;

  Bound<decltype(omnistore_driver::clear)> clear;
  Bound<decltype(omnistore_driver::get_many)> get_many;
  Bound<decltype(omnistore_driver::stat_many)> stat_many;
  Bound<decltype(omnistore_driver::set_many)> set_many;
  Bound<decltype(omnistore_driver::remove_many)> remove_many;
  Bound<decltype(omnistore_driver::touch)> touch;
  Bound<decltype(omnistore_revalidate::get_changed)> get_changed;

  bool operator==(const Functions &) const = default;
};

/// Requests without anything special.
inline constexpr omnistore_get_request whole_value{sizeof(omnistore_get_request), 0, 0, UINT64_MAX};
inline constexpr omnistore_get_request whole_meta{sizeof(omnistore_get_request), OMNISTORE_GET_META, 0, UINT64_MAX};
inline constexpr omnistore_remove_request plain_remove{
    sizeof(omnistore_remove_request), 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}};

constexpr bool is_whole(const omnistore_get_request &request) noexcept {
  return request.offset == 0 && request.length == UINT64_MAX;
}

} // namespace omnistore

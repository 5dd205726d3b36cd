// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/child.hpp>
#include <omnistore/failure.hpp>

#include "marks.hpp"
#include "records.hpp"
#include "store.hpp"

namespace overlay {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call, omnistore::Child, omnistore::is_failure,
    omnistore::FailureDetails, omnistore::CapturingCall, omnistore::whole;

inline constexpr std::uint32_t MOST_LAYERS = 16; ///< so many that one hexadecimal digit names one

/// What a layer that fails means to a read.
enum class OnError { fail, skip, stale };

/// One of the stores below, and what the overlay has to do with it.
struct Layer {
  Layer(const omnistore_store *of, std::uint32_t place, Records::Kind kind)
      : store(Child(of), place), index(place), records(store, kind) {}

  Store store;
  std::uint32_t index;
  bool written = false;    ///< writes go to it
  bool dropped = false;    ///< a write removes the copy that promotion may have left in it
  bool holds = false;      ///< values are taken out of it before they are given on (sinks.hpp)
  bool may_mark = false;   ///< unstorage's marker may be in it
  bool records_in = false; ///< removals are recorded in it
  bool lowest = false;
  Records records;
  mutable Marks marks; ///< of the lowest

  bool shared() const { return store.child.can(OMNISTORE_SHARED); }
  bool takes_writes() const { return !store.child.can(OMNISTORE_READS_ONLY); }
  std::string name() const { return "layer " + std::to_string(index) + " (" + std::string(store.child.name()) + ")"; }
};

/// A call as it is passed on to a layer: the layer's name comes before its messages. That nothing was done is not
/// passed on, since other layers may have done something: whoever knows says it.
class LayerCall : public omnistore::WrappedCall {
public:
  /// `items` (may be null): the places in the whole batch of the items that the layer is given.
  LayerCall(Call outer, const Layer &layer, const std::uint32_t *items = nullptr)
      : WrappedCall(outer, fail_), layer_(layer), items_(items) {}

  /// The same status, with a message where the layer gave none for a failure.
  omnistore_status told(omnistore_status status) {
    if (is_failure(status) && !told_) Call(this).fail(status, "it gave no reason", details_);
    return status;
  }
  /// What the layer said last besides a message.
  const FailureDetails &details() const { return details_; }

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call, const omnistore_failure *failure) noexcept {
    auto &self = *static_cast<LayerCall *>(call);
    self.details_ = omnistore::details_of(*failure);
    const std::uint32_t place = self.items_ ? self.items_[failure->item] : failure->item;
    const std::string_view message = as_view(failure->message);
    const FailureDetails details{false, self.details_.retry_after};
    if (message.empty()) return self.pass_on(place, message, details);
    self.told_ = true;
    try {
      self.pass_on(place, self.layer_.name() + ": " + std::string(message), details);
    } catch (...) {
      self.pass_on(place, message, details); // out of memory: without the name
    }
  }

  const Layer &layer_;
  const std::uint32_t *items_;
  FailureDetails details_;
  bool told_ = false;
};

/// A call for one item of a batch, where each is an operation of its own.
class ItemCall : public omnistore::WrappedCall {
public:
  ItemCall(Call outer, std::uint32_t item) : WrappedCall(outer, fail_), item_(item) {}

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call, const omnistore_failure *failure) noexcept {
    const auto &self = *static_cast<ItemCall *>(call);
    self.pass_on(self.item_, as_view(failure->message), omnistore::details_of(*failure));
  }
  std::uint32_t item_;
};

inline constexpr omnistore_remove_request PLAIN_REMOVE{
    sizeof(omnistore_remove_request), 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}};

} // namespace overlay

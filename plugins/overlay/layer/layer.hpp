// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/child.hpp>
#include <omnistore/failure.hpp>

#include "layer/store.hpp"
#include "listing/marks.hpp"
#include "records/records.hpp"

namespace overlay {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call, omnistore::Child, omnistore::is_failure,
    omnistore::ItemCall, omnistore::FailureDetails, omnistore::CapturingCall, omnistore::whole;

inline constexpr std::uint32_t max_layers = 16; ///< one hexadecimal digit names a layer

/// The option `onLayerError`.
enum class OnError { fail, skip, stale };

/// One of the stores below, with its role in the overlay.
struct Layer {
  Layer(const omnistore_store *of, std::uint32_t place, Records::Kind kind)
      : store(Child(of), place), index(place), records(store, kind) {}

  Store store;
  std::uint32_t index;
  bool written = false;    ///< writes go to it
  bool dropped = false;    ///< a write removes the copy that promotion may have made in it
  bool proven = false;     ///< it holds copies of a coherent overlay, and each is served only while it is trusted
  bool holds = false;      ///< its values are buffered before they go to the reader (layer/sinks.hpp)
  bool may_mark = false;   ///< it may contain unstorage's marker
  bool records_in = false; ///< removals are recorded in it
  bool lowest = false;
  Records records;
  mutable MarkerCandidates marks; ///< of the lowest layer

  bool shared() const { return store.child.can(OMNISTORE_SHARED); }
  bool takes_writes() const { return !store.child.can(OMNISTORE_READS_ONLY); }
  std::string name() const { return "layer " + std::to_string(index) + " (" + std::string(store.child.name()) + ")"; }
};

/// The call that a layer gets. It puts the layer's name before its messages. It does not pass on that nothing was done,
/// since other layers may have done something; the caller says so if it knows.
class LayerCall : public omnistore::WrappedCall {
public:
  /// `items` (may be null) are the places of the layer's items in the whole batch.
  LayerCall(Call outer, const Layer &layer, const std::uint32_t *items = nullptr)
      : WrappedCall(outer, fail_), layer_(layer), items_(items) {}

  /// Returns the status. If it is a failure and the layer gave no message, adds one.
  omnistore_status with_reason(omnistore_status status) {
    if (is_failure(status) && !has_message_) Call(this).fail(status, "it gave no reason", details_);
    return status;
  }
  /// The details of the layer's last failure.
  const FailureDetails &details() const { return details_; }

private:
  static void OMNISTORE_CALL fail_(omnistore_call *call, const omnistore_failure *failure) noexcept {
    auto &self = *static_cast<LayerCall *>(call);
    self.details_ = omnistore::details_of(*failure);
    const std::uint32_t place = self.items_ ? self.items_[failure->item] : failure->item;
    const std::string_view message = as_view(failure->message);
    const FailureDetails details{false, self.details_.retry_after};
    if (message.empty()) return self.pass_on(place, message, details);
    self.has_message_ = true;
    try {
      self.pass_on(place, self.layer_.name() + ": " + std::string(message), details);
    } catch (...) {
      self.pass_on(place, message, details); // out of memory: the message goes without the name
    }
  }

  const Layer &layer_;
  const std::uint32_t *items_;
  FailureDetails details_;
  bool has_message_ = false;
};

inline constexpr omnistore_remove_request plain_remove{
    sizeof(omnistore_remove_request), 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}};

} // namespace overlay

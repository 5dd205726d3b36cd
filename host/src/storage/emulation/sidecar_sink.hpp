// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <omnistore/child.hpp>

#include "storage/emulation/sidecar.hpp"

namespace omnistore {

/// Passes a value on with its expiry from the sidecar, and with its user meta if the request wants that.
class SidecarSink final : public PassingSink {
public:
  /// With `insists` it refuses a value that the user meta does not belong to, so that both can be read again. Without,
  /// the value goes out without user meta.
  SidecarSink(omnistore_sink &to, const omnistore_get_request &request, const Sidecar &sidecar, bool adds_user,
              bool insists)
      : PassingSink(to), request_(request), sidecar_(sidecar), adds_user_(adds_user), insists_(insists) {}

  /// Returns true if the value was refused because the user meta belongs to another one.
  bool is_of_another() const { return is_of_another_; }

private:
  omnistore_status on_begin(const omnistore_meta &meta, void **buffer) override {
    omnistore_meta mine = whole(meta);
    if (sidecar_.expiry != 0) mine.expiry = sidecar_.expiry;
    if (adds_user_) {
      mine.flags |= OMNISTORE_META_USER;
      if (sidecar_.of.empty() || sidecar_.of == state_of(mine)) {
        mine.user = as_bytes(sidecar_.user);
      } else if (insists_) {
        is_of_another_ = true;
        return OMNISTORE_CONFLICT;
      }
      if (!(request_.flags & OMNISTORE_GET_META)) mine.etag = {nullptr, 0};
    }
    return PassingSink::on_begin(mine, buffer);
  }

  const omnistore_get_request &request_;
  const Sidecar &sidecar_;
  const bool adds_user_, insists_;
  bool is_of_another_ = false;
};

} // namespace omnistore

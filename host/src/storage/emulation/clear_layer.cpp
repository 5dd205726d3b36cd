// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <vector>

#include <omnistore/child.hpp>

#include "storage/contract.hpp"
#include "storage/emulation/layers.hpp"
#include "storage/emulation/stripes.hpp"

namespace omnistore {
namespace {

class ClearLayer {
public:
  ClearLayer(Functions &stack, Stripes *stripes) : below_(stack), stripes_(stripes) {
    stack.clear.bind<&ClearLayer::clear>(*this);
  }

private:
  omnistore_status remove(omnistore_call *call, omnistore_bytes key) {
    if (call->remaining(call) == 0) return fail(call, late(call), "the time was up when a part was cleared");
    Stripes::Lock lock;
    if (stripes_ && !(lock = stripes_->lock(call, view(key)))) return OMNISTORE_UNAVAILABLE;
    return below_.remove(call, key, &plain_remove);
  }
  omnistore_status clear(omnistore_call *outer, const omnistore_clear_request *request, omnistore_page *removed) {
    LaterStepCall partly{Call(outer)};
    omnistore_call *call = &partly;
    CursorCheck cursors;
    std::optional<Skip> skipped; // the first; the clear removes what it can all the same
    std::string cursor;
    for (;;) {
      std::vector<std::string> keys;
      PageSink found([&](std::string_view key, const omnistore_meta *) {
        keys.emplace_back(key);
        return OMNISTORE_OK;
      });
      const omnistore_list_request all{sizeof all, 0, request->base, OMNISTORE_ANY_DEPTH, 1000, as_bytes(cursor),
                                       {},         {}};
      if (const omnistore_status status = below_.list(call, &all, &found); status != OMNISTORE_OK) return status;
      if (!skipped && !found.skipped.empty()) skipped = std::move(found.skipped.front());
      for (const std::string &key : keys) {
        omnistore_status status = remove(call, as_bytes(key));
        if (status == OMNISTORE_OK && removed) status = removed->emit(removed, as_bytes(key), nullptr);
        if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
      }
      if (found.cursor.empty()) return skipped ? fail(call, skipped->status, skipped->message) : OMNISTORE_OK;
      if (cursors.repeats(found.cursor)) return fail(call, OMNISTORE_INTERNAL, endless_listing);
      cursor = std::move(found.cursor);
    }
  }

  const Functions below_;
  Stripes *const stripes_;
};

} // namespace

Layer stack_clears(Functions &stack, Stripes *stripes) { return std::make_shared<ClearLayer>(stack, stripes); }

} // namespace omnistore

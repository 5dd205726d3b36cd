// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "storage/call.hpp"

namespace omnistore {

/// Collects a page, so that the store can be asked about its keys when the driver is done with it.
class KeyPage : public omnistore_page {
public:
  KeyPage() : omnistore_page{sizeof(omnistore_page), 0, emit_, next_, skip_} {}
  struct Skip {
    std::string base;
    omnistore_status status;
    std::string message;
  };
  std::vector<std::string> keys;
  std::vector<Skip> skipped;
  std::string cursor;
  bool more = false;

private:
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key, const omnistore_meta *) {
    static_cast<KeyPage *>(page)->keys.emplace_back(view(key));
    return OMNISTORE_OK;
  }
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) {
    auto &self = *static_cast<KeyPage *>(page);
    self.more = true;
    self.cursor = view(cursor);
  }
  static omnistore_status OMNISTORE_CALL skip_(omnistore_page *page, omnistore_bytes base, omnistore_status status,
                                               omnistore_bytes message) {
    static_cast<KeyPage *>(page)->skipped.push_back(
        {std::string(view(base)), status, std::string(message.data ? view(message) : std::string_view())});
    return OMNISTORE_OK;
  }
};

} // namespace omnistore

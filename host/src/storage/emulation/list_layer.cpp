// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include <omnistore/child.hpp>

#include "storage/emulation/layers.hpp"

namespace omnistore {
namespace {

class ListLayer {
public:
  ListLayer(Functions &stack, std::uint64_t capabilities)
      : below_(stack), has_depth_(capabilities & OMNISTORE_CAN_DEPTH),
        has_meta_(capabilities & OMNISTORE_CAN_LIST_META) {
    stack.list.bind<&ListLayer::list>(*this);
  }

private:
  omnistore_status list(omnistore_call *call, const omnistore_list_request *request, omnistore_page *page) {
    omnistore_list_request plain = *request;
    const bool adds_meta = request->flags & OMNISTORE_LIST_META && !has_meta_;
    // The layer below cuts the depth, so it finds the folders.
    if (!has_depth_ && !(request->flags & OMNISTORE_LIST_FOLDERS)) plain.depth = OMNISTORE_ANY_DEPTH;
    if (adds_meta) plain.flags &= ~OMNISTORE_LIST_META;
    if (plain.depth == request->depth && !adds_meta) return below_.list(call, request, page);

    std::vector<std::string> keys;
    PageSink found([&](std::string_view key, const omnistore_meta *meta) {
      if (!lists(*request, key)) return OMNISTORE_OK;
      if (!adds_meta) return page->emit(page, as_bytes(key), meta);
      keys.emplace_back(key); // the driver must be done before the calls for the meta
      return OMNISTORE_OK;
    });
    omnistore_status status = below_.list(call, &plain, &found);
    if (status == OMNISTORE_OK) status = emit_with_meta(call, keys, page);
    if (status == OMNISTORE_OK) status = pass_on(found.skipped, *page);
    if (status == OMNISTORE_OK && !found.cursor.empty()) page->next(page, as_bytes(found.cursor));
    return status;
  }

  /// Emits keys with the meta that stats of them give, in as few requests as the driver has a way for.
  omnistore_status emit_with_meta(omnistore_call *call, const std::vector<std::string> &keys, omnistore_page *page) {
    constexpr std::size_t most = 256; // bounds the memory and the time of a request
    const std::vector<const omnistore_get_request *> requests(std::min(most, keys.size()), &whole_meta);
    for (std::size_t from = 0; from < keys.size(); from += most) {
      const std::size_t count = std::min(most, keys.size() - from);
      std::vector<omnistore_bytes> names;
      std::deque<ValueSink> metas(count);
      std::vector<omnistore_sink *> sinks;
      std::vector<omnistore_status> statuses(count, OMNISTORE_INTERNAL);
      for (std::size_t i = 0; i < count; ++i) {
        if (is_folder(keys[from + i])) continue;
        sinks.push_back(&metas[names.size()]);
        names.push_back(as_bytes(keys[from + i]));
      }
      if (below_.stat_many && !names.empty()) {
        const omnistore_status status = below_.stat_many(call, names.data(), static_cast<std::uint32_t>(names.size()),
                                                         requests.data(), sinks.data(), statuses.data());
        if (status != OMNISTORE_OK) return status;
      }
      std::size_t asked = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const std::string &key = keys[from + i];
        omnistore_meta meta{};
        if (!is_folder(key)) {
          const std::size_t at = asked++;
          if (!below_.stat_many) statuses[at] = below_.stat(call, names[at], &whole_meta, sinks[at]);
          if (statuses[at] == OMNISTORE_NOT_FOUND) continue; // removed since it was listed
          if (statuses[at] != OMNISTORE_OK) return statuses[at];
          meta = metas[at].meta();
        }
        const omnistore_status status = page->emit(page, as_bytes(key), is_folder(key) ? nullptr : &meta);
        if (status != OMNISTORE_OK) return status;
      }
    }
    return OMNISTORE_OK;
  }

  static bool is_folder(std::string_view name) { return name.ends_with(':'); }

  const Functions below_;
  const bool has_depth_, has_meta_;
};

} // namespace

Layer stack_listings(Functions &stack, std::uint64_t capabilities) {
  return std::make_shared<ListLayer>(stack, capabilities);
}

} // namespace omnistore

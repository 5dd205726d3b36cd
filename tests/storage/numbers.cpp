// SPDX-License-Identifier: Apache-2.0
// A driver for tests of many keys: `n0000000` and on, which are nowhere kept. Each value is its key, 100 times.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

namespace {

class Numbers {
public:
  Numbers(const omnistore_host &, omnistore::Options options, omnistore_traits &traits)
      : count_(static_cast<unsigned>(options.integer("count"))) {
    traits.capabilities = OMNISTORE_READS_ONLY | (options.boolean("blocks") ? 0 : OMNISTORE_NEVER_BLOCKS);
    traits.order = OMNISTORE_ORDER_KEYS;
  }

  omnistore_status get(omnistore::Call, std::string_view key, const omnistore_get_request &, omnistore_sink &sink) {
    const std::string text(key);
    if (text.size() != 8 || text[0] != 'n' || std::strtoul(text.c_str() + 1, nullptr, 10) >= count_)
      return OMNISTORE_NOT_FOUND;
    std::string value;
    for (int i = 0; i < 100; ++i) value += text;
    return omnistore::give(sink, omnistore::make_meta(value.size()), value);
  }

  omnistore_status list(omnistore::Call, const omnistore_list_request &request, omnistore_page &page) {
    if (request.base.size != 0) return OMNISTORE_OK;
    unsigned at =
        static_cast<unsigned>(std::strtoul(std::string(omnistore::as_view(request.cursor)).c_str(), nullptr, 10));
    char key[16];
    for (unsigned given = 0; given < request.limit && at < count_; ++given, ++at) {
      std::snprintf(key, sizeof key, "n%07u", at);
      if (const omnistore_status status = page.emit(&page, omnistore::as_bytes(key), nullptr); status != OMNISTORE_OK)
        return status;
    }
    if (at < count_) page.next(&page, omnistore::as_bytes(std::to_string(at)));
    return OMNISTORE_OK;
  }

private:
  const unsigned count_;
};

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits traits{};
  traits.size = sizeof traits;
  traits.thread_model = OMNISTORE_PARALLEL;
  traits.capabilities = OMNISTORE_READS_ONLY;
  return traits;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Numbers>("numbers", "1.0.0", "Numbers", OMNISTORE_OPTIONS_SCHEMA, TRAITS))

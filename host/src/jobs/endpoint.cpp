// SPDX-License-Identifier: Apache-2.0
#include "jobs/endpoint.hpp"

#include "storage/key.hpp"

namespace omnistore::jobs {

Endpoint::Endpoint(Storage &whole, std::string_view text) : storage(&whole), base(normal_base(text)) {}

} // namespace omnistore::jobs

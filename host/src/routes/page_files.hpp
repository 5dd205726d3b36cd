// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace omnistore::routes {

/// A file of the page, which host/src/page/embed.cmake puts into the program.
struct PageFile {
  std::string_view name; ///< "index.html"
  std::string_view type; ///< of its content, for Content-Type
  std::string_view etag; ///< a digest of its content, in quotes
  std::string_view content;
};

/// Returns the file, or null if the page has none of this name.
const PageFile *page_file(std::string_view name);

} // namespace omnistore::routes

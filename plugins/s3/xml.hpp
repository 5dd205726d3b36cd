// SPDX-License-Identifier: Apache-2.0
// The XML that S3 sends and takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace s3 {

/// An <Error>. Its fields are empty if the text is something else.
struct Error {
  std::string code, message, region;
};
Error error_in(std::string_view text);

struct Object {
  std::string name, etag;
  std::uint64_t size = 0;
  std::int64_t mtime = 0; ///< Unix milliseconds, whole seconds as in Last-Modified
  bool is_folder = false; ///< a common prefix
};
/// One response of ListObjectsV2.
struct Listing {
  std::vector<Object> entries; ///< objects and common prefixes, in the order of their names
  bool truncated = false;
};
/// Throws Failure(OMNISTORE_UNAVAILABLE) if the text is something else.
Listing listing_in(std::string_view text);

/// An upload in parts that has not ended.
struct Upload {
  std::string name, id;
  std::int64_t begun = 0; ///< Unix milliseconds
};
/// Returns those in one response of ListMultipartUploads.
std::vector<Upload> uploads_in(std::string_view text);

/// Returns the text of one element below the root, such as UploadId; empty: there is none.
std::string element_in(std::string_view text, const char *name);

/// Returns true if the text can stand in an XML document.
bool fits_xml(std::string_view text);

std::string delete_request(const std::vector<std::string> &names);
/// A name that DeleteObjects could not remove.
struct Undeleted {
  std::string name;
  Error error;
};
std::vector<Undeleted> undeleted_in(std::string_view text);

std::string complete_request(const std::vector<std::string> &etags);

} // namespace s3

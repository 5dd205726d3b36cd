// SPDX-License-Identifier: Apache-2.0
#include "xml.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>

#include <omnistore/failure.hpp>
#include <pugixml.hpp>

#include "transport/etag.hpp"

namespace s3 {
namespace {

pugi::xml_node root_of(pugi::xml_document &document, std::string_view text) {
  if (!document.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_ws_pcdata_single)) return {};
  return document.document_element();
}

std::string url_decoded(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' ? (c | 32) - 'a' + 10 : 0; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

/// Reads 2013-05-24T00:00:00.000Z.
std::int64_t time_in(const char *text) {
  std::tm parts{};
  return strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) ? static_cast<std::int64_t>(timegm(&parts)) * 1000 : 0;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\t' || c == '\n' || c == '\r')
      out += "&#" + std::to_string(static_cast<int>(c)) + ";";
    else
      out += c;
  }
  return out;
}

Error error_of(pugi::xml_node node) {
  return {node.child_value("Code"), node.child_value("Message"), node.child_value("Region")};
}

} // namespace

Error error_in(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node root = root_of(document, text);
  return std::strcmp(root.name(), "Error") == 0 ? error_of(root) : Error{};
}

Listing listing_in(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node root = root_of(document, text);
  if (std::strcmp(root.name(), "ListBucketResult") != 0)
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "the server sent a listing that is no ListBucketResult");
  const bool is_encoded = std::strcmp(root.child_value("EncodingType"), "url") == 0;
  const auto name_in = [is_encoded](const char *name) { return is_encoded ? url_decoded(name) : std::string(name); };
  Listing listing;
  listing.truncated = std::strcmp(root.child_value("IsTruncated"), "true") == 0;
  for (const pugi::xml_node each : root.children("Contents"))
    listing.entries.push_back({name_in(each.child_value("Key")), http::etag_of(each.child_value("ETag")),
                               each.child("Size").text().as_ullong(), time_in(each.child_value("LastModified"))});
  for (const pugi::xml_node each : root.children("CommonPrefixes"))
    listing.entries.push_back({name_in(each.child_value("Prefix")), {}, 0, 0, true});
  std::sort(listing.entries.begin(), listing.entries.end(),
            [](const Object &a, const Object &b) { return a.name < b.name; });
  return listing;
}

std::vector<Upload> uploads_in(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_node root = root_of(document, text);
  const bool is_encoded = std::strcmp(root.child_value("EncodingType"), "url") == 0;
  std::vector<Upload> found;
  for (const pugi::xml_node each : root.children("Upload")) {
    const char *const name = each.child_value("Key");
    found.push_back(
        {is_encoded ? url_decoded(name) : name, each.child_value("UploadId"), time_in(each.child_value("Initiated"))});
  }
  return found;
}

std::string element_in(std::string_view text, const char *name) {
  pugi::xml_document document;
  return root_of(document, text).child_value(name);
}

bool fits_xml(std::string_view text) {
  return std::none_of(
             text.begin(), text.end(),
             [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' && c != '\r'; }) &&
         text.find("\xEF\xBF\xBE") == text.npos && text.find("\xEF\xBF\xBF") == text.npos; // U+FFFE and U+FFFF
}

std::string delete_request(const std::vector<std::string> &names) {
  std::string text = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
  for (const std::string &name : names) text += "<Object><Key>" + escaped(name) + "</Key></Object>";
  return text + "</Delete>";
}

std::vector<Undeleted> undeleted_in(std::string_view text) {
  pugi::xml_document document;
  std::vector<Undeleted> found;
  for (const pugi::xml_node each : root_of(document, text).children("Error"))
    found.push_back({each.child_value("Key"), error_of(each)});
  return found;
}

std::string complete_request(const std::vector<std::string> &etags) {
  std::string text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (std::size_t i = 0; i < etags.size(); ++i)
    text += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" + escaped(etags[i]) + "</ETag></Part>";
  return text + "</CompleteMultipartUpload>";
}

} // namespace s3

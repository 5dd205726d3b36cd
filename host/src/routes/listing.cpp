// SPDX-License-Identifier: Apache-2.0
#include "routes/listing.hpp"

#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/reply.hpp"
#include "report/skipped.hpp"
#include "routes/defects.hpp"
#include "routes/list_query.hpp"
#include "routes/path_key.hpp"

namespace omnistore::routes {

namespace {

void append_keys(Buffer &out, const Page &page, bool &first) {
  for (const Page::Item &item : page.items) {
    if (!first) out.append(",");
    first = false;
    append_json_key(out, item.key);
  }
}

std::string skipped_line(const std::vector<Skipped> &places) {
  return std::string(report::skipped_header) + ": " + report::skipped_text(places) + "\r\n";
}

/// A whole listing as a JSON array, page by page. The head names the missing parts of the first page, and a trailer
/// those of later ones. HTTP/1.0 has no trailers, so there the listing is cut off.
class KeyStream {
public:
  /// The request stays as it is until the stream has ended; its deadline is that of the page at hand.
  KeyStream(const Storage &storage, const Request &request, ListOptions options)
      : storage_(storage), request_(request), options_(std::move(options)), framed_(request.message.version != 10) {
    options_.limit = 2000;
  }
  /// Reads the next page.
  void read() {
    page_ = storage_.list(request_.key, request_.limited(options_));
    options_.cursor = page_.cursor;
    for (Skipped &each : page_.skipped) skipped_.push_back(std::move(each));
  }
  bool has_further_pages() const { return !page_.cursor.empty(); }
  /// Returns the missing parts of the pages read since the last call.
  std::vector<Skipped> take_skipped() { return std::exchange(skipped_, {}); }
  /// Appends its keys to `out`. Returns true if there are further pages.
  bool put(Buffer &out) {
    const bool is_last = page_.cursor.empty();
    const std::size_t chunk = framed_ ? open_chunk(out) : 0;
    if (!opened_) out.append("[");
    opened_ = true;
    append_keys(out, page_, first_);
    if (is_last && !framed_ && !skipped_.empty()) throw Error(skipped_.front().status, skipped_.front().message);
    if (is_last) out.append("]");
    if (framed_) close_chunk(out, chunk);
    if (framed_ && is_last) last_chunk(out, skipped_.empty() ? std::string() : skipped_line(take_skipped()));
    return !is_last;
  }

private:
  const Storage &storage_;
  const Request &request_;
  ListOptions options_;
  const bool framed_; ///< in chunks
  Page page_;
  std::vector<Skipped> skipped_;
  bool opened_ = false;
  bool first_ = true; ///< no key was put yet
};

void begin_list_head(Response &response, bool folders) {
  begin_head(response, 200);
  response.out.append("Content-Type: application/json\r\nCache-Control: no-cache\r\n");
  if (folders) header(response, "X-Folders", "true"); // older hosts ignore the parameter
}

void list_all(const Storage &storage, const Request &request, Response &response, ListOptions options) {
  const bool folders = options.folders;
  const auto keys = std::make_shared<KeyStream>(storage, request, std::move(options));
  // The first page is read before the head is written, so that a failure has its own status.
  keys->read();
  begin_list_head(response, folders);
  if (const std::vector<Skipped> skipped = keys->take_skipped(); !skipped.empty())
    response.out.append(skipped_line(skipped));
  if (keys->has_further_pages() && request.message.version != 10) header(response, "Trailer", report::skipped_header);
  end_chunked_head(request, response);
  if (!keys->put(response.out)) return;
  response.more = [keys](Buffer &out) {
    try {
      keys->read();
      return keys->put(out);
    } catch (const Error &error) { // the client only sees that the body is cut off
      log_defect(error.status(), error.what());
      throw;
    }
  };
}

} // namespace

void respond_to_list(const Storage &storage, const Request &request, Response &response) {
  const ListQuery query = ListQuery::parse(request.query);
  ListOptions options = request.limited(query.options);
  if (!query.paged) return list_all(storage, request, response, std::move(options));

  Page page = storage.list(request.key, options);
  while (page.items.empty() && !page.cursor.empty()) {
    options.cursor = std::move(page.cursor);
    std::vector<Skipped> skipped = std::move(page.skipped);
    page = storage.list(request.key, request.limited(options));
    page.skipped.insert(page.skipped.begin(), std::make_move_iterator(skipped.begin()),
                        std::make_move_iterator(skipped.end()));
  }
  Buffer body(response.out.budget());
  bool first = true;
  body.append("[");
  append_keys(body, page, first);
  body.append("]");
  begin_list_head(response, options.folders);
  if (!page.cursor.empty()) {
    header(response, "X-Cursor", page.cursor);
    header(response, "Link", "<" + query.next(page.cursor) + ">; rel=\"next\"");
  }
  if (!page.skipped.empty()) response.out.append(skipped_line(page.skipped));
  end_head(request, response, body.size());
  response.out.append(body.view());
}

} // namespace omnistore::routes

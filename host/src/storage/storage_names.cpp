// SPDX-License-Identifier: Apache-2.0
// Listings in the order of names over all the mounts that a base spans: those with folders, and those in descending
// order. A mount below the base lies between the keys of the one above it, which is listed in pieces around it. So the
// last name is all that a cursor needs.
#include <algorithm>

#include <omnistore/listing.hpp>

#include "storage/contract.hpp"
#include "storage/cursor.hpp"
#include "storage/key_space.hpp"
#include "storage/listing.hpp"

namespace omnistore {
namespace {

/// Keys that lie next to each other in one mount: those that are not less than `from` and less than `to`.
struct Piece {
  const Mount *mount; ///< null: none holds them
  std::string from;
  std::string to; ///< empty: there is no bound
};

using Mounts = std::vector<const Mount *>;

/// Cuts what `mount` holds around the mounts below it, which are sorted by base.
void cut(const Mount *mount, std::string from, const std::string &to, Mounts::const_iterator &below,
         const Mounts::const_iterator &end, std::vector<Piece> &into) {
  while (below != end && (to.empty() || (*below)->base < to)) {
    const Mount *inner = *below++;
    std::string behind = after(inner->base);
    into.push_back({mount, std::move(from), inner->base});
    cut(inner, inner->base, behind, below, end, into);
    from = std::move(behind);
  }
  into.push_back({mount, std::move(from), to});
}

std::vector<Piece> pieces_of(const MountTable &table, const std::string &base, bool reverse) {
  const Mount *holder = nullptr;
  Mounts below;
  for (const Mount *mount : table.spanned(base)) {
    if (mount->base.size() <= base.size())
      holder = mount;
    else
      below.push_back(mount);
  }
  std::sort(below.begin(), below.end(), [](const Mount *a, const Mount *b) { return a->base < b->base; });
  std::vector<Piece> pieces;
  Mounts::const_iterator next = below.begin();
  cut(holder, base, base.empty() ? std::string() : after(base), next, below.end(), pieces);
  std::erase_if(pieces, [](const Piece &piece) { return !piece.mount; });
  if (reverse) std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

/// Cuts the piece's bounds to those of the listing. Returns false if nothing lies in both.
bool narrow(Piece &piece, const KeyBounds &bounds) {
  piece.from = std::max(piece.from, bounds.from);
  if (piece.to.empty() || (!bounds.to.empty() && bounds.to < piece.to)) piece.to = bounds.to;
  return piece.to.empty() || piece.from < piece.to;
}

} // namespace

/// One step of such a listing, as list_step is of others.
class KeySpace::NamesStep {
public:
  NamesStep(const KeySpace &space, std::string_view in, const std::string &shown, const ListOptions &options,
            std::vector<Skipped> &skipped, const TakeName &take)
      : space_(space), in_(in), shown_(shown), base_(in_view(in, shown)), options_(options), skipped_(skipped),
        take_(take), start_(bound_in_view(in, options.start)), end_(bound_in_view(in, options.end)) {
    if (!options.cursor.empty()) last_ = in_view(in, Cursor::parse_name(options.cursor));
    if (!last_.starts_with(base_) && !last_.empty())
      throw Error(Status::invalid, "the cursor is of a listing of another base");
    whole_.size = sizeof whole_;
    whole_.flags = (options.folders ? OMNISTORE_LIST_FOLDERS : 0u) | (options.reverse ? OMNISTORE_LIST_REVERSE : 0u) |
                   (options.meta ? OMNISTORE_LIST_META : 0u);
    whole_.base = bytes(base_);
    whole_.depth = options.depth;
    whole_.start = bytes(start_);
    whole_.end = bytes(end_);
  }

  /// Gives the cursor of the next step.
  std::string run() {
    for (;;) {
      const std::shared_ptr<const MountTable> table = space_.kept_table();
      std::vector<Piece> pieces = pieces_of(*table, base_, options_.reverse);
      if (options_.reverse) check_order(pieces);
      bool changed = false;
      for (Piece &piece : pieces) {
        if (!narrow(piece, KeyBounds(whole_, last_))) continue;
        const Hold hold = space_.hold(*piece.mount);
        changed = !hold;
        if (changed) break; // continue after the last name with the present mounts
        list(*table, piece);
        if (is_full()) return Cursor::of_name(last_.substr(in_.size()));
      }
      if (!changed) return {};
    }
  }

private:
  bool is_full() const { return taken_ >= options_.limit || bytes_taken_ >= most_page_bytes; }

  void check_order(const std::vector<Piece> &pieces) const {
    for (const Piece &piece : pieces) {
      std::uint32_t depth = 0;
      if (!piece.mount->store || !inner_depth(*piece.mount, base_, options_.depth, depth)) continue;
      if (!(piece.mount->store->traits().capabilities & OMNISTORE_CAN_LIST_REVERSE))
        throw Error(Status::unsupported,
                    failure("list", shown_, *piece.mount, "this store cannot list in descending order"));
    }
  }

  void give(std::string_view name, const omnistore_meta *meta) {
    if (name == last_ || !name.starts_with(in_)) return;
    last_ = name;
    take_(name.substr(in_.size()), meta);
    ++taken_;
    bytes_taken_ += name.size();
  }

  void list(const MountTable &table, const Piece &piece) {
    const Mount &mount = *piece.mount;
    omnistore_list_request request = whole_;
    if (!inner_depth(mount, base_, options_.depth, request.depth)) {
      if (options_.folders) give(folder_of(whole_, mount.base), nullptr);
      return;
    }
    check_open("list", shown_, mount);
    const std::string inner = inner_base(mount, base_);
    const InnerBounds bounds(mount, piece.from, piece.to);
    if (!may_hold("list", shown_, mount, inner)) return;
    request.base = bytes(inner);
    request.start = bytes(bounds.start);
    request.end = bytes(bounds.end);
    std::string cursor;
    CursorCheck cursors;
    do {
      request.limit = std::min(options_.limit - taken_, most_asked_at_once);
      request.cursor = bytes(cursor);
      HostCall call(options_);
      Outside outside(table, mount, [&](std::string_view name, const omnistore_meta *meta) {
        give(name, options_.meta ? meta : nullptr);
      });
      const OpLog::Timer timer(space_.op_log);
      const omnistore_status status = mount.store->list(&call, request, &outside);
      timer.log(status == OMNISTORE_OK ? "LIST" : "LIST ERROR", logged_base(base_, mount), mount);
      if (outside.thrown) std::rethrow_exception(outside.thrown);
      if (status != OMNISTORE_OK)
        throw Error(to_status(status), failure("list", shown_, mount, call.cause(status)), call.retry_after());
      add_skipped(std::move(outside.skipped), in_, mount, skipped_);
      cursor = outside.more ? std::move(outside.cursor) : std::string();
      if (cursors.repeats(cursor)) throw Error(Status::internal, failure("list", shown_, mount, endless_listing));
    } while (!cursor.empty() && !is_full());
  }

  const KeySpace &space_;
  const std::string_view in_;
  const std::string &shown_;
  const std::string base_;
  const ListOptions &options_;
  std::vector<Skipped> &skipped_;
  const TakeName &take_;
  const std::string start_, end_;
  omnistore_list_request whole_{}; ///< as if one store had all the names
  std::string last_;
  std::uint32_t taken_ = 0;
  std::size_t bytes_taken_ = 0;
};

std::string KeySpace::names_step(std::string_view in, const std::string &shown, const ListOptions &options,
                                 std::vector<Skipped> &skipped, const TakeName &take) const {
  return NamesStep(*this, in, shown, options, skipped, take).run();
}

} // namespace omnistore

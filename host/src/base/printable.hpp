// SPDX-License-Identifier: Apache-2.0
// Text that others chose, made fit for a log, a message or a terminal.
#pragma once

#include <string>
#include <string_view>

namespace omnistore::base {

/// Returns true if the code point is unseen, changes how the text around it is shown, or moves it to another line:
/// control characters (C0, DEL, C1), U+2028 and U+2029, bidirectional marks and overrides, characters without width,
/// the byte order mark, annotations, and tags.
bool is_control(char32_t point);

/// Returns `text` as one line in which nothing acts on a terminal: control characters become \n, \r, \t or \x1b, other
/// code points of is_control() become \u{202e}, and bytes that are not UTF-8 become \xff. Backslashes stay as they are,
/// so printable(printable(text)) is printable(text). The result is for people: it cannot be turned back into `text`.
/// Costs one pass and one copy if nothing needs an escape. Thread-safe.
std::string printable(std::string_view text);

/// The same, but keeps line ends, and indents each further line by at least two spaces so that none can be taken for a
/// line of its own. For messages that the host itself wrote as several lines.
std::string printable_lines(std::string_view text);

/// Returns serialised JSON with the code points of is_control() as \u escapes. Its meaning does not change.
std::string printable_json(std::string json);

} // namespace omnistore::base

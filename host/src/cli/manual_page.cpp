// SPDX-License-Identifier: Apache-2.0
#include "cli/manual_page.hpp"

#include <algorithm>
#include <sstream>

#include <boost/json/array.hpp>

#include "cli/json_fields.hpp"
#include "cli/tables.hpp"
#include "config/config_schema.hpp"
#include "config/schema.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

/// Text in which nothing is a request of the formatter.
std::string roff(std::string_view text) {
  std::string result;
  bool at_start = true;
  for (const char c : text) {
    if (at_start && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\')
      result += "\\e";
    else if (c == '-')
      result += "\\-";
    else
      result += c;
    at_start = c == '\n';
  }
  return result;
}

/// The same, in lines of at most 78 columns.
std::string filled(std::string_view text) {
  std::string result, line, word;
  std::istringstream words{std::string(text)};
  while (words >> word) {
    if (!line.empty() && line.size() + 1 + roff(word).size() > 78) {
      result += roff(line) + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return result + roff(line) + "\n";
}

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }

std::string upper(std::string text) {
  for (char &c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

std::string head(const std::string &name, int section, const std::string &summary) {
  const std::string words = summary.ends_with('.') ? summary.substr(0, summary.size() - 1) : summary;
  return ".TH " + roff(upper(name)) + " " + std::to_string(section) +
         " \"" OMNISTORE_RELEASED "\" \"Omnistore " OMNISTORE_VERSION "\" \"Omnistore\"\n.SH NAME\n" + roff(name) +
         " \\- " + roff(words) + "\n";
}

std::vector<std::string> lines_of(const std::string &text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Splits a text at its empty lines.
std::vector<std::vector<std::string>> blocks_of(const std::string &text) {
  std::vector<std::vector<std::string>> blocks(1);
  for (std::string &line : lines_of(text)) {
    if (!line.empty())
      blocks.back().push_back(std::move(line));
    else if (!blocks.back().empty())
      blocks.emplace_back();
  }
  if (blocks.back().empty()) blocks.pop_back();
  return blocks;
}

std::string as_written(const std::vector<std::string> &lines, std::size_t from) {
  std::string text = ".nf\n";
  for (std::size_t i = from; i < lines.size(); ++i) text += roff(std::string_view(lines[i]).substr(2)) + "\n";
  return text + ".fi\n";
}

/// The explanation of a help: paragraphs, and parts with a heading whose lines are indented.
struct Explanation {
  std::string paragraphs, parts;
};
Explanation explanation_of(const std::string &text) {
  Explanation result;
  for (const std::vector<std::string> &block : blocks_of(text)) {
    const bool has_heading =
        block.size() > 1 &&
        std::all_of(block.begin() + 1, block.end(), [](const std::string &line) { return line.starts_with("  "); });
    if (has_heading) {
      result.parts += ".SH " + roff(upper(block[0])) + "\n" + as_written(block, 1);
      continue;
    }
    std::string words;
    for (const std::string &line : block) words += line + " ";
    result.paragraphs += ".PP\n" + filled(words);
  }
  if (result.paragraphs.starts_with(".PP\n")) result.paragraphs.erase(0, 4); // a section begins a paragraph itself
  return result;
}

std::string options_text(const std::vector<CompletedOption> &options) {
  std::string text;
  for (const CompletedOption &option : options) {
    text += ".TP\n";
    std::string names;
    for (const std::string &name : option.names) names += (names.empty() ? "" : ", ") + bold(name);
    text += names + (option.value.empty() ? "" : " " + italic(option.value)) + "\n" + filled(option.summary);
  }
  return text;
}

std::string places_text(const std::vector<CompletedPlace> &places) {
  std::string text;
  for (const CompletedPlace &place : places)
    if (!place.summary.empty()) text += ".TP\n" + italic(place.name) + "\n" + filled(place.summary);
  return text;
}

ManualPage command_page(const CompletedCommand &command) {
  ManualPage page{"omnistore-" + command.name, 1, command.summary, {}};
  page.text = head(page.name, 1, page.summary) + ".SH SYNOPSIS\n" + bold("omnistore " + command.name) + "\n";
  if (!command.options.empty()) page.text += "[" + italic("options") + "]\n";
  for (const CompletedPlace &place : command.places)
    page.text += (place.required ? "" : "[") + italic(place.name) + (place.repeats ? " ..." : "") +
                 (place.required ? "" : "]") + "\n";
  const Explanation explanation = explanation_of(command.explanation);
  page.text += ".SH DESCRIPTION\n" + filled(command.summary + ".");
  if (!explanation.paragraphs.empty()) page.text += ".PP\n" + explanation.paragraphs;
  const std::string options = places_text(command.places) + options_text(command.options);
  page.text += ".SH OPTIONS\n" + options + (options.empty() ? "" : ".PP\n") +
               "The options of all commands are in\n.BR omnistore (1).\n";
  page.text += explanation.parts + ".SH SEE ALSO\n.BR omnistore (1),\n.BR omnistore.jsonc (5)\n";
  return page;
}

ManualPage program_page(const Completed &line) {
  ManualPage page{"omnistore", 1, "storage host: driver plugins mounted into one key space", {}};
  const std::size_t end = line.summary.find("\n\n");
  page.text = head(page.name, 1, page.summary) + ".SH SYNOPSIS\n" + bold("omnistore") + "\n[" + italic("options") +
              "]\n" + italic("command") + "\n[" + italic("arguments") + "]\n.SH DESCRIPTION\n" +
              explanation_of(end == line.summary.npos ? line.summary : line.summary.substr(end)).paragraphs +
              ".SH OPTIONS\n" + options_text(line.options) + ".SH COMMANDS\n";
  for (const CompletedCommand &command : line.commands)
    page.text += ".TP\n.BR omnistore\\-" + roff(command.name) + " (1)\n" + filled(command.summary);
  page.text += explanation_of(line.explanation).parts + ".SH FILES\n.TP\n.I /etc/omnistore/omnistore.jsonc\n" +
               "The config of the service; see\n.BR omnistore.jsonc (5).\n" + ".SH SEE ALSO\n.BR omnistore.jsonc (5)\n";
  return page;
}

/// The manual of a schema: for each field a head line, and indented lines that describe it.
std::string fields_text(const std::string &manual) {
  std::string text;
  for (const std::vector<std::string> &block : blocks_of(manual)) {
    const auto indent = [](const std::string &line) { return line.find_first_not_of(' '); };
    std::string title, body, words;
    const auto end_words = [&] {
      if (!words.empty()) body += filled(words);
      words.clear();
    };
    for (const std::string &line : block) {
      const std::string rest = line.substr(std::min(indent(line), line.size()));
      if (indent(line) < 4) {
        title += (title.empty() ? "" : " ") + rest;
        continue;
      }
      if (indent(line) > 6 && rest.starts_with('"')) { // one of the choices
        end_words();
        body += ".br\n";
      }
      words += rest + " ";
    }
    end_words();
    const std::size_t space = title.find(" (");
    if (space == title.npos || body.empty())
      text += ".PP\n" + filled(title);
    else
      text += ".TP\n" + bold(title.substr(0, space)) + "\n" + filled(title.substr(space + 1)) + ".br\n" + body;
  }
  return text.starts_with(".PP\n") ? text.substr(4) : text;
}

} // namespace

std::vector<ManualPage> command_pages(const Completed &line) {
  std::vector<ManualPage> pages{program_page(line)};
  for (const CompletedCommand &command : line.commands) pages.push_back(command_page(command));
  return pages;
}

ManualPage config_page() {
  ManualPage page{"omnistore.jsonc", 5, "config of an Omnistore host", {}};
  page.text = head(page.name, 5, page.summary) + R"(.SH DESCRIPTION
The file is JSON with comments; a comma after the last item of a list is allowed.
Relative paths in it start at its folder.
A running host reads it again when it changes.
.BR omnistore\-check (1)
reports everything that is wrong in it.
.PP
Without
.B \-\-config
the program takes the first of
.I ./omnistore.jsonc,
.I $XDG_CONFIG_HOME/omnistore/omnistore.jsonc
and
.I /etc/omnistore/omnistore.jsonc.
.SH VARIABLES
In every text, but not in names, these are replaced:
.TP
.B ${NAME}
The environment variable.
.TP
.B ${file:PATH}
The text of the file, without the newline at its end.
A host reloads when the file changes.
No command, log or page shows the text.
.TP
.B ${credential:NAME}
The text of the file of that name in the folder
.I $CREDENTIALS_DIRECTORY,
which systemd sets for
.B LoadCredential=NAME:PATH.
.PP
.B ${...:\-default}
gives a default for a variable or a file that is missing or empty, and
.B $${
is a plain ${.
.SH FIELDS
)" + fields_text(config::manual(config::config_schema())) +
              ".SH SEE ALSO\n.BR omnistore (1),\n.BR omnistore\\-serve (1),\n.BR omnistore\\-drivers (1)\n";
  return page;
}

ManualPage driver_page(const json::object &driver) {
  const std::string name(text(driver, "name"));
  ManualPage page{"omnistore-" + name, 7, text(driver, "summary"), {}};
  std::string description = text(object_in(driver, "schema"), "description");
  if (description.empty()) description = page.summary + ".";
  page.text = head(page.name, 7, page.summary) + ".SH SYNOPSIS\n.nf\n" +
              "\"mounts\": { \"\\fIMOUNTPOINT\\fR\": { \"driver\": \"" + roff(name) +
              "\", \"options\": { ... } } }\n.fi\n.SH DESCRIPTION\n" + filled(description);
  const std::pair<const char *, const char *> kinds[] = {{"native", "The driver does this itself:"},
                                                         {"emulated", "The host does this for the driver:"},
                                                         {"no", "Not possible:"}};
  for (const auto &[how, title] : kinds)
    if (const std::string names = having(driver, how); !names.empty())
      page.text += ".PP\n" + std::string(title) + "\n" + filled(names + ".");
  page.text += ".SH OPTIONS\n" + fields_text(config::manual(object_in(driver, "schema"))) +
               ".SH SEE ALSO\n.BR omnistore.jsonc (5),\n.BR omnistore\\-drivers (1)\n";
  return page;
}

} // namespace omnistore::cli

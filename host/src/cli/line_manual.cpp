// SPDX-License-Identifier: Apache-2.0
// The command that prints manual pages.
#include <filesystem>
#include <fstream>

#include <boost/json/array.hpp>

#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/line.hpp"
#include "cli/manual_page.hpp"
#include "cli/output.hpp"
#include "config/schema.hpp"
#include "report/describe.hpp"

namespace omnistore::cli {
namespace {

std::vector<ManualPage> all_pages(const Completed &read, const Global &global) {
  std::vector<ManualPage> pages = command_pages(read);
  pages.push_back(config_page());
  const auto plugins = global.config.empty() ? open_registry({}) : registry_of(global);
  const boost::json::object described = report::describe(*plugins, {});
  for (const boost::json::value &driver : described.at("drivers").as_array())
    pages.push_back(driver_page(driver.as_object()));
  return pages;
}

void write_pages(const std::vector<ManualPage> &pages, const std::filesystem::path &folder) {
  for (const ManualPage &page : pages) {
    const std::string section = std::to_string(page.section);
    const std::filesystem::path file = folder / ("man" + section) / (page.name + "." + section);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    if (!(out << page.text).flush()) throw Error(Status::io, "man: cannot write " + file.string());
  }
}

const ManualPage &find(const std::vector<ManualPage> &pages, const std::string &name) {
  std::vector<std::string> names;
  for (const ManualPage &page : pages) { // commands come before drivers
    if (page.name == name || page.name == "omnistore-" + name) return page;
    names.push_back(page.name.substr(page.name.find('-') + 1));
  }
  const std::string near = config::nearest(name, names);
  throw Failure(Status::invalid, "man: there is no page " + name + (near.empty() ? "" : "; is " + near + " meant?"),
                "`omnistore man` lists them");
}

int print(const std::vector<ManualPage> &pages, const Man &options, bool as_json) {
  Output out;
  if (!options.page.empty()) {
    out.write(find(pages, options.page).text);
  } else if (as_json) {
    boost::json::array list;
    for (const ManualPage &page : pages)
      list.push_back(boost::json::object{{"name", page.name}, {"section", page.section}, {"summary", page.summary}});
    out.json(boost::json::object{{"pages", std::move(list)}});
  } else {
    std::vector<std::vector<std::string>> rows{{"PAGE", "SUMMARY"}};
    for (const ManualPage &page : pages)
      rows.push_back({page.name + "(" + std::to_string(page.section) + ")", page.summary});
    print_table(out, rows);
  }
  out.flush();
  return 0;
}

void fill_man(CLI::App &command, Line &line) {
  command.footer(R"(Lists the manual pages, or prints one in the form that man reads: of a command, a driver, or
omnistore.jsonc. An installed omnistore has them where man looks.

Examples
  omnistore man
  omnistore man get | man -l -
  omnistore man omnistore.jsonc | man -l -
  omnistore man --all ~/.local/share/man)");
  command.add_option("PAGE", line.man.page, "A command, a driver, or omnistore.jsonc");
  command.add_option("--all", line.man.all, "Write all pages into the folders man1, man5 and man7 of FOLDER")
      ->type_name("FOLDER");
}

} // namespace

void add_manual(CLI::App &app, Line &line) {
  add(app, line, "man", "Print a manual page", fill_man)->callback([&app, &line] {
    line.action = [&app, &line] {
      const std::vector<ManualPage> pages = all_pages(read_line(app, line), line.global);
      if (line.man.all.empty()) return print(pages, line.man, line.global.json);
      write_pages(pages, line.man.all);
      return 0;
    };
  });
}

} // namespace omnistore::cli

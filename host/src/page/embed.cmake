# SPDX-License-Identifier: Apache-2.0
# Puts the files of the page into the library. Run while building, as
#   cmake -DOUTPUT=page_files.cpp -DFILES="index.html;main.js;..." -P embed.cmake
set(types html "text/html; charset=utf-8" css "text/css; charset=utf-8" js "text/javascript; charset=utf-8"
  svg "image/svg+xml")
set(table "")
file(WRITE ${OUTPUT}.new "// Made by host/src/page/embed.cmake.
#include \"routes/page_files.hpp\"

namespace omnistore::routes {
namespace {

constexpr PageFile files[] = {
")
foreach(path IN LISTS FILES)
  cmake_path(GET path FILENAME name)
  cmake_path(GET path EXTENSION LAST_ONLY extension)
  string(SUBSTRING ${extension} 1 -1 extension)
  list(FIND types ${extension} at)
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  file(SHA256 ${path} digest)
  string(SUBSTRING ${digest} 0 32 digest)
  file(READ ${path} content)
  file(APPEND ${OUTPUT}.new "    {\"${name}\", \"${type}\", \"\\\"${digest}\\\"\",
     R\"page(" "${content}" ")page\"},\n")
endforeach()
file(APPEND ${OUTPUT}.new "};

} // namespace

const PageFile *page_file(std::string_view name) {
  for (const PageFile &file : files)
    if (file.name == name) return &file;
  return nullptr;
}

} // namespace omnistore::routes
")
file(RENAME ${OUTPUT}.new ${OUTPUT})

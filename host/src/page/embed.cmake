# SPDX-License-Identifier: Apache-2.0
# Puts the files of the page into the library, with all CSS as one file, style.css: a browser paints nothing before it has
# each of them. Run while building, as
#   cmake -DOUTPUT=page_files.cpp -DFILES="index.html;main.js;..." -P embed.cmake
set(types html text/html css text/css js text/javascript svg image/svg+xml)
file(WRITE ${OUTPUT}.new "// Made by host/src/page/embed.cmake.
#include \"routes/page_files.hpp\"

namespace omnistore::routes {
namespace {

constexpr PageFile files[] = {
")
function(put name content)
  cmake_path(GET name EXTENSION LAST_ONLY extension)
  string(SUBSTRING ${extension} 1 -1 extension)
  list(FIND types ${extension} at)
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  string(SHA256 digest "${content}")
  string(SUBSTRING ${digest} 0 32 digest)
  file(APPEND ${OUTPUT}.new "    {\"${name}\", \"${type}; charset=utf-8\", \"\\\"${digest}\\\"\",
     R\"page(" "${content}" ")page\"},\n")
endfunction()

set(style "")
foreach(path IN LISTS FILES)
  cmake_path(GET path FILENAME name)
  file(READ ${path} content)
  if(name MATCHES "[.]css$")
    string(APPEND style "${content}")
  else()
    put("${name}" "${content}")
  endif()
endforeach()
put(style.css "${style}")
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

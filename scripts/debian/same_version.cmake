# SPDX-License-Identifier: Apache-2.0
# CPack reads this when it knows the version of the packages, which depend on each other in that version.
get_cmake_property(names VARIABLES)
foreach(name ${names})
  if(name MATCHES "^CPACK_DEBIAN_.*_PACKAGE_DEPENDS$")
    string(REPLACE "VERSION" "${CPACK_PACKAGE_VERSION}" ${name} "${${name}}")
  endif()
endforeach()

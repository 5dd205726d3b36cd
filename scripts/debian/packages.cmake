# SPDX-License-Identifier: Apache-2.0
# The Debian packages, for scripts/package: one for the program and the plugins that need nothing special, one for each
# plugin with a library of its own, one for the SDK, and one for programs that embed the host.
set(OMNISTORE_MAINTAINER "Omnistore Developers <omnistore@omnistore.invalid>" CACHE STRING
  "The name and the address in the Debian packages")

# Returns in `result` the shared libraries that a plugin needs beyond those of the program, such as "libpq".
function(libraries_of_its_own target result)
  set(own)
  set(todo ${target})
  set(seen)
  while(todo)
    list(POP_FRONT todo each)
    get_target_property(linked ${each} LINK_LIBRARIES)
    get_target_property(type ${each} TYPE)
    if(NOT type MATCHES "MODULE")
      get_target_property(linked ${each} INTERFACE_LINK_LIBRARIES)
    endif()
    foreach(library ${linked})
      if(library MATCHES "\\$<LINK_ONLY:(.*)>")
        set(library ${CMAKE_MATCH_1})
      endif()
      if(library IN_LIST seen OR library MATCHES "^(Omnistore::|omnistore_sdk|Threads::|Boost::|OpenSSL::|-|dl$)" OR
          library MATCHES "\\.a$")
        continue()
      endif()
      list(APPEND seen ${library})
      if(TARGET ${library})
        get_target_property(imported ${library} IMPORTED)
        if(NOT imported)
          list(APPEND todo ${library})
          continue()
        endif()
      endif()
      list(APPEND own ${library})
    endforeach()
  endwhile()
  set(${result} ${own} PARENT_SCOPE)
endfunction()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME omnistore)
set(CPACK_PACKAGE_VENDOR Omnistore)
set(CPACK_PACKAGE_CONTACT "${OMNISTORE_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
  WORLD_READ WORLD_EXECUTE)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/same_version.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/stage.cmake)
set(CPACK_OMNISTORE_SOURCE ${CMAKE_SOURCE_DIR}) # for stage.cmake
set(CPACK_OMNISTORE_BUILD ${CMAKE_BINARY_DIR})
set(CPACK_OMNISTORE_RELEASED ${OMNISTORE_RELEASED})

set(packages)
# One package of CPack's: its group or component, its name, its section, its dependencies and its description.
macro(describe_package component name section depends summary text)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${depends}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${summary}\n${text}")
  list(APPEND packages ${component}=${name})
endmacro()

set(about "Omnistore is a storage host. It loads driver plugins, mounts their stores into
one key space by a config, and serves that key space over HTTP, on the command
line and to C++ programs.
.
")
set(components program common_plugins sdk library)
set(same "(= VERSION)") # same_version.cmake replaces it

get_property(drivers GLOBAL PROPERTY OMNISTORE_DRIVERS)
foreach(target ${drivers})
  get_target_property(folder ${target} SOURCE_DIR)
  if(NOT folder MATCHES "^${CMAKE_SOURCE_DIR}/plugins/")
    continue() # of the tests and examples
  endif()
  get_target_property(name ${target} OUTPUT_NAME)
  libraries_of_its_own(${target} own)
  set(component common_plugins)
  if(own AND NOT name STREQUAL "http") # with which the program reaches a running host
    set(component plugin_${name})
    list(APPEND components ${component})
    describe_package(${component} omnistore-plugin-${name} net "omnistore ${same}" "storage host: the driver ${name}"
      "${about}This package has the driver ${name}.")
  endif()
  # Beside the component of all plugins, which `cmake --install` knows.
  install(TARGETS ${target} LIBRARY DESTINATION lib/omnistore/plugins COMPONENT ${component})
  install(FILES ${CMAKE_BINARY_DIR}/share/man/man7/omnistore-${name}.7 DESTINATION share/man/man7
    COMPONENT ${component} OPTIONAL)
endforeach()

set(CPACK_COMPONENT_PROGRAM_GROUP host)
set(CPACK_COMPONENT_COMMON_PLUGINS_GROUP host)
describe_package(host omnistore net "adduser, procps" "storage host: driver plugins mounted into one key space"
  "${about}This package has the program, its service, and the drivers that need no
further library.")
describe_package(sdk omnistore-sdk libdevel "omnistore ${same}" "storage host: SDK for the authors of drivers"
  "${about}This package has the headers, the templates and the manual for authors of
driver plugins.")
describe_package(library libomnistore-dev libdevel "omnistore ${same}, omnistore-sdk ${same}, libboost1.81-dev, \
libboost-json1.81-dev, libboost-filesystem1.81-dev, libspdlog-dev, libsodium-dev"
  "storage host: library for programs that embed it"
  "${about}This package has the static library and the headers for programs that open
such stores themselves.")
set(scripts ${CMAKE_CURRENT_LIST_DIR})
set(CPACK_DEBIAN_HOST_PACKAGE_CONTROL_EXTRA ${scripts}/postinst ${scripts}/prerm ${scripts}/postrm ${scripts}/conffiles)
set(CPACK_OMNISTORE_PACKAGES ${packages})
set(CPACK_COMPONENTS_ALL ${components})
include(CPack)

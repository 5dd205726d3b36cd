# SPDX-License-Identifier: Apache-2.0
# omnistore_add_driver(NAME SOURCES file ... [SCHEMA options.schema.json] [LIBRARIES target ...] [OUTPUT folder]
#                      [TARGET name])
#
# Adds a plugin: a shared library NAME.so that exports omnistore_plugin_entry and nothing else, has every symbol it
# needs when it is linked, and can be unloaded.
#
#   SOURCES    C (C11) and C++ (C++20) files
#   SCHEMA     a JSON Schema of the driver's options, in the dialect of GUIDE.md. It is checked when the plugin is built,
#              and embedded: <omnistore_schema.h> defines OMNISTORE_OPTIONS_SCHEMA as a string literal of its text
#   LIBRARIES  what the plugin links, as for target_link_libraries
#   OUTPUT     the folder the plugin is built into, in place of OMNISTORE_PLUGIN_DIRECTORY (by default `plugins` in
#              the build folder). A plugin with an OUTPUT of its own has no install rule; others are installed to
#              lib/omnistore/plugins; a host of the same prefix finds them there
#   TARGET     the target's name, by default omnistore_plugin_NAME
include_guard(GLOBAL)

function(omnistore_add_driver NAME)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "SCHEMA;OUTPUT;TARGET" "SOURCES;LIBRARIES")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "omnistore_add_driver(${NAME}): unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_SOURCES)
    message(FATAL_ERROR "omnistore_add_driver(${NAME}): SOURCES is missing")
  endif()
  set(target ${ARG_TARGET})
  if(NOT target)
    set(target omnistore_plugin_${NAME})
  endif()
  set(folder ${OMNISTORE_PLUGIN_DIRECTORY})
  if(ARG_OUTPUT)
    set(folder ${ARG_OUTPUT})
  elseif(NOT folder)
    set(folder ${CMAKE_BINARY_DIR}/plugins)
  endif()

  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE Omnistore::sdk ${ARG_LIBRARIES})
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${NAME} LIBRARY_OUTPUT_DIRECTORY ${folder}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  set(C 11)
  set(CXX 20)
  foreach(language C CXX)
    get_target_property(chosen ${target} ${language}_STANDARD)
    if(NOT chosen)
      set_target_properties(${target} PROPERTIES ${language}_STANDARD ${${language}} ${language}_STANDARD_REQUIRED ON)
    endif()
  endforeach()
  # A function of another signature than the driver's table has is an error in C too, not only a warning.
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:C,GNU,Clang,AppleClang>:-Werror=incompatible-pointer-types>)
  # GCC makes statics of templates "GNU unique", which keeps a library loaded for ever.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)

  if(UNIX AND NOT APPLE)
    set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/omnistore_plugin.map)
    target_link_options(${target} PRIVATE -Wl,--version-script=${map})
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${map})
    # Clang links a sanitizer's functions into the program only, so a plugin has to leave them open.
    get_directory_property(options LINK_OPTIONS)
    string(CONCAT flags "${options} ${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS} ${CMAKE_MODULE_LINKER_FLAGS}")
    if(NOT (flags MATCHES "-fsanitize=" AND "${CMAKE_C_COMPILER_ID}${CMAKE_CXX_COMPILER_ID}" MATCHES "Clang"))
      target_link_options(${target} PRIVATE -Wl,-z,defs)
    endif()
  endif()

  if(ARG_SCHEMA)
    cmake_path(ABSOLUTE_PATH ARG_SCHEMA BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE schema)
    set(generated ${CMAKE_CURRENT_BINARY_DIR}/${target}_schema)
    set(script ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/embed_schema.cmake)
    add_custom_command(OUTPUT ${generated}/omnistore_schema.h
      COMMAND ${CMAKE_COMMAND} -DSCHEMA=${schema} -DHEADER=${generated}/omnistore_schema.h -P ${script}
      DEPENDS ${schema} ${script} COMMENT "Embedding the options schema of ${NAME}" VERBATIM)
    target_sources(${target} PRIVATE ${generated}/omnistore_schema.h)
    target_include_directories(${target} PRIVATE ${generated})
    # C11 promises literals of 4095 bytes only; every compiler that builds plugins takes far longer ones.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:C,GNU,Clang,AppleClang>:-Wno-overlength-strings>)
  endif()

  set_property(GLOBAL APPEND PROPERTY OMNISTORE_DRIVERS ${target}) # for those who test all of them
  if(NOT ARG_OUTPUT)
    install(TARGETS ${target} LIBRARY DESTINATION lib/omnistore/plugins COMPONENT plugins)
  endif()
endfunction()

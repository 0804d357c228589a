# What `cmake --install` puts where.
include(CMakePackageConfigHelpers)

set(lua_module_dir ${CMAKE_INSTALL_LIBDIR}/lua/5.4)
if(CMAKE_INSTALL_LIBDIR MATCHES "/") # Debian's multiarch folder is not on Lua's path below /usr/local
  set(lua_module_dir lib/lua/5.4)
endif()

# ---- the library, for C and C++ ------------------------------------------------------------------
install(TARGETS cns_static cns_shared EXPORT cns-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/engine/include/cns DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# The prefix as seen from the .pc file, so that an installed tree can be moved.
file(RELATIVE_PATH pc_prefix /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(${PROJECT_SOURCE_DIR}/cmake/cns.pc.in ${PROJECT_BINARY_DIR}/cns.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cns.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cns)
install(EXPORT cns-targets NAMESPACE cns:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/cns-config.cmake.in
  ${PROJECT_BINARY_DIR}/cns-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cns-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cns-config.cmake
  ${PROJECT_BINARY_DIR}/cns-config-version.cmake DESTINATION ${package_dir})

# ---- the command, the Lua module, its library, LuaJIT's twin ---------------------------------------
if(TARGET cnsengine)
  install(TARGETS cnsengine RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET cns_lua)
  install(TARGETS cns_lua LIBRARY DESTINATION ${lua_module_dir})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/stdlib/cns DESTINATION ${CMAKE_INSTALL_DATADIR}/lua/5.4
  FILES_MATCHING PATTERN "*.lua")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/bindings/lua/meta/
  DESTINATION ${CMAKE_INSTALL_DATADIR}/cnsengine/meta)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/scripts DESTINATION ${CMAKE_INSTALL_DATADIR}/cnsengine)
install(FILES ${PROJECT_BINARY_DIR}/luajit/cns.lua ${PROJECT_BINARY_DIR}/luajit/cns_cdef.lua
  DESTINATION ${CMAKE_INSTALL_DATADIR}/lua/5.1)

# ---- the solver, for MiniZinc -------------------------------------------------------------------------
if(TARGET cnsengine)
  set(msc_folder ${CMAKE_INSTALL_DATADIR}/minizinc/solvers)
  file(RELATIVE_PATH msc_executable /p/${msc_folder} /p/${CMAKE_INSTALL_BINDIR}/fzn-cnsengine)
  set(msc_library ../cnsengine)
  configure_file(${PROJECT_SOURCE_DIR}/bindings/minizinc/cnsengine.msc.in
    ${PROJECT_BINARY_DIR}/installed.msc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/installed.msc DESTINATION ${msc_folder}
    RENAME cnsengine.msc)
  install(PROGRAMS ${PROJECT_SOURCE_DIR}/bindings/minizinc/fzn-cnsengine DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/bindings/minizinc/mznlib/
    DESTINATION ${CMAKE_INSTALL_DATADIR}/minizinc/cnsengine)
endif()

install(FILES ${PROJECT_SOURCE_DIR}/doc/cnsengine.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
  OPTIONAL)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/LICENSE
  DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
# Where the README's links lead.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/doc ${PROJECT_SOURCE_DIR}/examples
  DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN "cnsengine.1" EXCLUDE)

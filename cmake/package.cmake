# The Debian package, by CPack: what it is called, needs and holds beyond what cmake/install.cmake installs.
# Not here: what happens when it comes and goes (packaging/debian/postinst, prerm, postrm).

# Its files are those of the whole installation but for the licence, which Debian wants as `copyright`, and these.
set(in_debian COMPONENT debian EXCLUDE_FROM_ALL)
set(debian ${PROJECT_SOURCE_DIR}/packaging/debian)
install(FILES docs/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} ${in_debian})
install(FILES ${debian}/lintian-overrides DESTINATION share/lintian/overrides RENAME sessiond ${in_debian})
install(FILES ${debian}/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME sessiond.conf ${in_debian})
install(DIRECTORY packaging/django/sessiond_django DESTINATION lib/python3/dist-packages
    ${in_debian} PATTERN __pycache__ EXCLUDE)
install(FILES packaging/django/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/django ${in_debian})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sessiond)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "sessiond authors <authors@sessiond.invalid>" CACHE STRING "Maintainer of the package")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "session store for web sites that speaks the memcached protocol")
set(CPACK_PACKAGE_DESCRIPTION
"sessiond keeps the sessions of web sites, in memory and on disk. A site keeps
its object cache where it is, and points only its session engine (Django, PHP,
Rails, Node, Java) here: what spoke to memcached speaks to sessiond.
.
Live sessions are never evicted, and are there again after a restart, a crash
or a power cut. An engine for Django is included.")
set(CPACK_INSTALL_CMAKE_PROJECTS
    "${PROJECT_BINARY_DIR};sessiond;Unspecified;/;${PROJECT_BINARY_DIR};sessiond;debian;/")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_SET_DESTDIR ON) # /etc is not below the prefix
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/stage.cmake)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/package)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# As dh_installsysusers says it.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3-django, python3-pymemcache")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

include(CPack)

# What Debian wants of the files of a package before it is put together: CPack runs this where they stand.
set(doc ${CPACK_TEMPORARY_DIRECTORY}/usr/share/doc/sessiond)

# The date is that of $SOURCE_DATE_EPOCH, where it is set.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${doc}/changelog
    "sessiond (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n\n"
    "  * See CHANGELOG.md.gz, beside this file.\n\n"
    " -- ${CPACK_PACKAGE_CONTACT}  ${now}\n")

file(READ ${CMAKE_CURRENT_LIST_DIR}/../../LICENSE licence)
file(READ ${CMAKE_CURRENT_LIST_DIR}/copyright.xxhash licence_of_xxhash)
file(WRITE ${doc}/copyright "${licence}\n${licence_of_xxhash}")

file(GLOB pages ${CPACK_TEMPORARY_DIRECTORY}/usr/share/man/man*/*.[1-8])
execute_process(COMMAND gzip -9n ${pages} ${doc}/changelog ${doc}/CHANGELOG.md COMMAND_ERROR_IS_FATAL ANY)

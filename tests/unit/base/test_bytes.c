/* Facts about base/bytes: numbers as bytes. */
#include "sessiond/base/bytes.h"

#include "suite_main.h"

/* The lowest byte comes first, at an odd address, and nothing beside it is touched. */
START_TEST(test_lowest_byte_first)
{
    static const uint8_t wanted[] = {0xaa, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0xaa};
    uint8_t bytes[sizeof wanted];

    memset(bytes, 0xaa, sizeof bytes);
    bytes_put_u64(bytes + 1, 0x0102030405060708U);
    ck_assert_mem_eq(bytes, wanted, sizeof bytes);
    ck_assert_uint_eq(bytes_u64(wanted + 1), 0x0102030405060708U);
    ck_assert_uint_eq(bytes_u32(wanted + 1), 0x05060708U);
    ck_assert_uint_eq(bytes_u16(wanted + 1), 0x0708U);
    bytes_put_u32(bytes + 1, 0x11121314U);
    bytes_put_u16(bytes + 1, 0x2122U);
    ck_assert_uint_eq(bytes_u64(bytes + 1), 0x0102030411122122U);
}
END_TEST

SUITE_MAIN("base/bytes", test_lowest_byte_first)

/* Runs a fuzz target over files, for builds without libFuzzer. usage: PROGRAM FILE... */
#include "fuzz.h"

static void replay(const char *path)
{
    uint8_t *bytes = malloc(1 << 20);
    FILE *file = fopen(path, "re");
    size_t size;

    FUZZ_CHECK(bytes != NULL && file != NULL);
    size = fread(bytes, 1, 1 << 20, file);
    FUZZ_CHECK(ferror(file) == 0);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    return 0;
}

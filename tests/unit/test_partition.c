/* The firmware's configuration partition: what is taken, and every way to be broken. */
#include "port/baremetal/partition.h"

#include "base/crc.h"
#include "check.h"

#define CONFIG "{\"version\":3}"
#define SERVER "10.0.2.2:123"

struct image {
    char bytes[128];
    size_t len;
};

static void put(struct image *image, uint32_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        image->bytes[image->len++] = (char)(value >> 8 * i & 0xFF);
    }
}

static void put_entry(struct image *image, uint32_t kind, const char *text)
{
    size_t len = strlen(text);
    put(image, kind, 4);
    put(image, (uint32_t)len, 4);
    memcpy(image->bytes + image->len, text, len);
    image->len += len;
    put(image, 0, (4 - len % 4) % 4);
}

/* Length and CRC of what stands in the image. */
static void seal(struct image *image)
{
    size_t len = image->len;
    uint32_t crc = crc32_update(0, image->bytes + 6, 2);
    crc = crc32_update(crc, image->bytes + PARTITION_HEAD_LEN, len - PARTITION_HEAD_LEN);
    image->len = 8;
    put(image, (uint32_t)(len - PARTITION_HEAD_LEN), 4);
    put(image, crc, 4);
    image->len = len;
}

static void begin(struct image *image)
{
    memset(image, 0, sizeof(*image));
    put(image, PARTITION_MAGIC, 4);
    put(image, PARTITION_VERSION, 2);
    put(image, PARTITION_FLAG_PUBLISHED, 2);
    image->len = PARTITION_HEAD_LEN;
}

static struct image good_image(void)
{
    struct image image;
    begin(&image);
    put_entry(&image, PARTITION_CONFIG, CONFIG);
    put_entry(&image, 77, "of a later version");
    put_entry(&image, PARTITION_TIME_SERVER, SERVER);
    put_entry(&image, PARTITION_SEED, "0123456789abcdef");
    seal(&image);
    return image;
}

static int open_image(const struct image *image, struct partition *partition)
{
    return partition_open(slice_of(image->bytes, image->len), partition);
}

static void entries_are_found(void)
{
    struct image image = good_image();
    struct partition partition;
    CHECK_EQ_INT(open_image(&image, &partition), LIMPET_OK);
    CHECK_EQ_UINT(partition.flags, PARTITION_FLAG_PUBLISHED);
    CHECK_EQ_TEXT(partition.config.ptr, partition.config.len, CONFIG);
    CHECK_EQ_TEXT(partition.time_server.ptr, partition.time_server.len, SERVER);
    CHECK_EQ_TEXT(partition.seed.ptr, partition.seed.len, "0123456789abcdef");
}

/* The partition is longer than the image: what follows does not count. */
static void rest_of_the_partition_is_ignored(void)
{
    struct image image = good_image();
    struct partition partition;
    memset(image.bytes + image.len, 0xFF, sizeof(image.bytes) - image.len);
    CHECK_EQ_INT(partition_open(slice_of(image.bytes, sizeof(image.bytes)), &partition), LIMPET_OK);
}

static void cut_anywhere(void)
{
    struct image image = good_image();
    size_t whole = image.len;
    for (image.len = 0; image.len < whole; image.len++) {
        struct partition partition;
        CHECK(open_image(&image, &partition) != LIMPET_OK);
        CHECK_EQ_UINT(partition.config.len, 0);
    }
}

static void any_bit_wrong(void)
{
    struct image image = good_image();
    for (size_t bit = 0; bit < 8 * image.len; bit++) {
        struct partition partition;
        image.bytes[bit / 8] = (char)(image.bytes[bit / 8] ^ 1 << bit % 8);
        CHECK(open_image(&image, &partition) != LIMPET_OK);
        CHECK_EQ_UINT(partition.config.len, 0);
        image.bytes[bit / 8] = (char)(image.bytes[bit / 8] ^ 1 << bit % 8);
    }
}

/* The CRC is right, the entries are not. */
static void wrong_entries(void)
{
    struct partition partition;
    struct image image;
    static const uint32_t lens[] = {20, 5, 0x7FFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFCu};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        begin(&image);
        put(&image, PARTITION_CONFIG, 4);
        put(&image, lens[i], 4);
        put(&image, 0, 4);
        seal(&image);
        CHECK_EQ_INT(open_image(&image, &partition), LIMPET_ERR_SYNTAX);
    }
    begin(&image);
    put_entry(&image, PARTITION_TIME_SERVER, SERVER);
    seal(&image);
    CHECK_EQ_INT(open_image(&image, &partition), LIMPET_ERR_SYNTAX);
}

static void problems_have_words(void)
{
    struct partition partition;
    struct image image = good_image();
    image.bytes[4]++;
    CHECK_EQ_INT(open_image(&image, &partition), LIMPET_ERR_UNSUPPORTED);
    CHECK_EQ_STR(partition_problem(LIMPET_ERR_UNSUPPORTED),
                 "the configuration partition is of another version");
    CHECK_EQ_STR(partition_problem(LIMPET_ERR_SYNTAX),
                 "the configuration partition is damaged (CRC)");
    static const char erased[64];
    CHECK_EQ_INT(partition_open(slice_of(erased, sizeof(erased)), &partition),
                 LIMPET_ERR_NOT_FOUND);
}

int main(void)
{
    entries_are_found();
    rest_of_the_partition_is_ignored();
    cut_anywhere();
    any_bit_wrong();
    wrong_entries();
    problems_have_words();
    return check_result();
}

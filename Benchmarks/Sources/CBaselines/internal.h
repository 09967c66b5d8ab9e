// Shared by the baselines: clocks, keys, batches.
#ifndef CB_INTERNAL_H
#define CB_INTERNAL_H

#include "CBaselines.h"

#include <lmdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { CB_BATCH = 1000, CB_HEADER = 52, CB_VALUE = 100, CB_BATCH_BYTES = 31 * 4096 - 16 };

/// A batch being filled: header of 52 bytes with an XXH3 of the rest, then records.
struct cb_batch {
    uint8_t *base;
    size_t length, capacity;
    uint32_t count;
};

static inline uint8_t *cb_put_varint(uint8_t *to, uint64_t value) {
    while (value >= 0x80) {
        *to++ = (uint8_t)value | 0x80;
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static inline const uint8_t *cb_get_varint(const uint8_t *at, const uint8_t *end, uint64_t *value) {
    uint64_t result = 0;
    int shift = 0;
    while (at < end && shift < 64) {
        uint8_t byte = *at++;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return at;
        }
        shift += 7;
    }
    return NULL;
}

/// Appends a record: attributes, timestamp delta, lengths, key, value.
static inline void cb_append(
    struct cb_batch *batch, int64_t delta, const void *key, size_t key_size, const void *value, size_t value_size) {
    if (batch->count == 0) batch->length = CB_HEADER;
    uint8_t *to = batch->base + batch->length;
    *to++ = 0;
    to = cb_put_varint(to, (uint64_t)(delta * 2));
    to = cb_put_varint(to, key_size);
    to = cb_put_varint(to, value_size);
    memcpy(to, key, key_size);
    to += key_size;
    memcpy(to, value, value_size);
    to += value_size;
    batch->length = (size_t)(to - batch->base);
    batch->count += 1;
}

/// One record of a batch.
struct cb_record {
    int64_t timestamp;
    const uint8_t *key, *value;
    size_t key_size, value_size;
};

/// Reads the record at `at`; NULL if a length is beyond the end.
static inline const uint8_t *cb_next(const uint8_t *at, const uint8_t *end, struct cb_record *record) {
    uint64_t delta, key, value;
    if (at >= end) return NULL;
    at += 1;
    if (!(at = cb_get_varint(at, end, &delta))) return NULL;
    if (!(at = cb_get_varint(at, end, &key))) return NULL;
    if (!(at = cb_get_varint(at, end, &value))) return NULL;
    if (key > (uint64_t)(end - at) || value > (uint64_t)(end - at) - key) return NULL;
    record->timestamp += (int64_t)(delta / 2);
    record->key = at;
    record->key_size = key;
    record->value = at + key;
    record->value_size = value;
    return at + key + value;
}

void cb_seal(struct cb_batch *batch);
int cb_check(const uint8_t *bytes, size_t size, uint32_t *count);
int cb_open(const char *folder, unsigned flags, MDB_env **environment);
void cb_offset_key(int64_t offset, uint8_t key[8]);

#endif

// Count by key over a log: the bare path, with everything on one thread and nothing between the steps.
#include "internal.h"

struct entry {
    uint32_t hash;
    int32_t newer, older, dirty_before, dirty_after;
    uint8_t is_dirty, key_size;
    uint8_t key[24];
    int64_t timestamp;
    int64_t count;
};

struct cache {
    uint64_t *slots;  // hash in the upper half, index + 1 in the lower
    uint64_t mask;
    struct entry *entries;
    int32_t used, capacity, newest, oldest, first_dirty, last_dirty;
    int64_t dirty;
};

struct order {
    uint64_t word;
    int32_t index;
};

struct loop {
    struct cache cache;
    MDB_env *log, *state;
    MDB_txn *state_transaction;
    MDB_dbi in, changelog, output, offsets, table;
    MDB_cursor *write_cursor;
    struct cb_batch batches[2];
    int64_t next[2];
    struct order *order;
    MDB_txn *log_transaction;
    int64_t flushed;
    int error;
};

static inline uint64_t word_at(const uint8_t *key) {
    uint64_t word;
    memcpy(&word, key, 8);
    return word;
}

static inline uint32_t hash_of(const uint8_t *key, size_t size) {
    uint64_t state = 0x9e3779b97f4a7c15u ^ size;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        unsigned __int128 product = (unsigned __int128)(state ^ word_at(key + at)) * 0xa0761d6478bd642fu;
        state = (uint64_t)(product >> 64) ^ (uint64_t)product;
    }
    if (at < size) {
        uint64_t word = 0;
        memcpy(&word, key + at, size - at);
        unsigned __int128 product = (unsigned __int128)(state ^ word) * 0xe7037ed1a0b428dbu;
        state = (uint64_t)(product >> 64) ^ (uint64_t)product;
    }
    return (uint32_t)(state ^ (state >> 32));
}

static int32_t find(struct cache *cache, const uint8_t *key, size_t size, uint32_t hash) {
    uint64_t slot = hash & cache->mask;
    for (;;) {
        uint64_t word = cache->slots[slot];
        if (word == 0) return -1;
        if ((uint32_t)(word >> 32) == hash) {
            int32_t index = (int32_t)(uint32_t)word - 1;
            struct entry *entry = &cache->entries[index];
            if (entry->key_size == size && memcmp(entry->key, key, size) == 0) return index;
        }
        slot = (slot + 1) & cache->mask;
    }
}

static void unlink_entry(struct cache *cache, int32_t index) {
    struct entry *entry = &cache->entries[index];
    if (entry->newer >= 0) cache->entries[entry->newer].older = entry->older;
    else cache->newest = entry->older;
    if (entry->older >= 0) cache->entries[entry->older].newer = entry->newer;
    else cache->oldest = entry->newer;
}

static void link_newest(struct cache *cache, int32_t index) {
    struct entry *entry = &cache->entries[index];
    entry->older = cache->newest;
    entry->newer = -1;
    if (cache->newest >= 0) cache->entries[cache->newest].newer = index;
    else cache->oldest = index;
    cache->newest = index;
}

static void unlink_dirty(struct cache *cache, int32_t index) {
    struct entry *entry = &cache->entries[index];
    if (entry->dirty_before >= 0) cache->entries[entry->dirty_before].dirty_after = entry->dirty_after;
    else cache->first_dirty = entry->dirty_after;
    if (entry->dirty_after >= 0) cache->entries[entry->dirty_after].dirty_before = entry->dirty_before;
    else cache->last_dirty = entry->dirty_before;
    cache->dirty -= 1;
}

static void mark_dirty(struct cache *cache, int32_t index) {
    struct entry *entry = &cache->entries[index];
    if (entry->is_dirty) {
        if (cache->last_dirty == index) return;
        unlink_dirty(cache, index);
    }
    entry->is_dirty = 1;
    entry->dirty_before = cache->last_dirty;
    entry->dirty_after = -1;
    if (cache->last_dirty >= 0) cache->entries[cache->last_dirty].dirty_after = index;
    else cache->first_dirty = index;
    cache->last_dirty = index;
    cache->dirty += 1;
}

static void grow(struct cache *cache) {
    uint64_t count = (cache->mask + 1) * 2;
    free(cache->slots);
    cache->slots = calloc(count, sizeof *cache->slots);
    cache->mask = count - 1;
    for (int32_t index = 0; index < cache->used; index += 1) {
        uint64_t slot = cache->entries[index].hash & cache->mask;
        while (cache->slots[slot] != 0) slot = (slot + 1) & cache->mask;
        cache->slots[slot] = (uint64_t)cache->entries[index].hash << 32 | (uint32_t)(index + 1);
    }
}

static int32_t insert(struct cache *cache, const uint8_t *key, size_t size, uint32_t hash) {
    if ((uint64_t)(cache->used + 1) * 4 > (cache->mask + 1) * 3) grow(cache);
    if (cache->used == cache->capacity) {
        cache->capacity *= 2;
        cache->entries = realloc(cache->entries, (size_t)cache->capacity * sizeof *cache->entries);
    }
    int32_t index = cache->used++;
    struct entry *entry = &cache->entries[index];
    memset(entry, 0, sizeof *entry);
    entry->hash = hash;
    entry->key_size = (uint8_t)size;
    memcpy(entry->key, key, size);
    uint64_t slot = hash & cache->mask;
    while (cache->slots[slot] != 0) slot = (slot + 1) & cache->mask;
    cache->slots[slot] = (uint64_t)hash << 32 | (uint32_t)(index + 1);
    link_newest(cache, index);
    return index;
}

static int physical_key(const struct entry *entry, uint8_t key[32]) {
    key[0] = 0;
    memcpy(key + 1, entry->key, entry->key_size);
    return entry->key_size + 1;
}

// What a miss finds in the store: 0 if there is nothing.
static int64_t stored(struct loop *loop, const uint8_t *key, size_t size) {
    uint8_t physical[32];
    physical[0] = 0;
    memcpy(physical + 1, key, size);
    MDB_val key_bytes = {size + 1, physical}, value;
    if (mdb_get(loop->state_transaction, loop->table, &key_bytes, &value)) return 0;
    int64_t count;
    memcpy(&count, (uint8_t *)value.mv_data + 12, 8);
    return (int64_t)__builtin_bswap64((uint64_t)count);
}

static void count_record(struct loop *loop, const struct cb_record *record) {
    struct cache *cache = &loop->cache;
    if (record->key_size > 24) return;
    uint32_t hash = hash_of(record->key, record->key_size);
    int32_t index = find(cache, record->key, record->key_size, hash);
    if (index < 0) {
        int64_t count = stored(loop, record->key, record->key_size);
        index = insert(cache, record->key, record->key_size, hash);
        cache->entries[index].count = count;
    } else if (cache->newest != index) {
        unlink_entry(cache, index);
        link_newest(cache, index);
    }
    struct entry *entry = &cache->entries[index];
    entry->count += 1;
    if (record->timestamp > entry->timestamp) entry->timestamp = record->timestamp;
    mark_dirty(cache, index);
}

static void write_batch(struct loop *loop, int which) {
    struct cb_batch *batch = &loop->batches[which];
    if (batch->count == 0 || loop->error) return;
    cb_seal(batch);
    uint8_t offset[8];
    cb_offset_key(loop->next[which], offset);
    MDB_val key = {8, offset}, value = {batch->length, batch->base};
    loop->error =
        mdb_put(loop->log_transaction, which ? loop->output : loop->changelog, &key, &value, MDB_APPEND);
    loop->next[which] += batch->count;
    batch->count = 0;
}

static int compare(const void *left, const void *right) {
    const struct order *one = left, *other = right;
    return one->word < other->word ? -1 : one->word > other->word;
}

static void write_store(struct loop *loop) {
    struct cache *cache = &loop->cache;
    int64_t count = 0;
    for (int32_t index = cache->first_dirty; index >= 0; index = cache->entries[index].dirty_after) {
        // The first 8 bytes of all keys here are equal ("key-0000"): the rest decides.
        loop->order[count].word = __builtin_bswap64(word_at(cache->entries[index].key + 8));
        loop->order[count++].index = index;
    }
    qsort(loop->order, (size_t)count, sizeof *loop->order, compare);
    for (int64_t at = 0; at < count && !loop->error; at += 1) {
        struct entry *entry = &cache->entries[loop->order[at].index];
        uint8_t physical[32], envelope[20] = {0xfa, 0x4c, 1, 0};
        uint64_t word = __builtin_bswap64((uint64_t)entry->timestamp);
        memcpy(envelope + 4, &word, 8);
        word = __builtin_bswap64((uint64_t)entry->count);
        memcpy(envelope + 12, &word, 8);
        MDB_val key = {(size_t)physical_key(entry, physical), physical}, value = {sizeof envelope, envelope};
        loop->error = mdb_cursor_put(loop->write_cursor, &key, &value, 0);
    }
}

static void flush(struct loop *loop) {
    struct cache *cache = &loop->cache;
    write_store(loop);
    loop->error = loop->error ? loop->error : mdb_txn_begin(loop->log, NULL, 0, &loop->log_transaction);
    if (loop->error) return;
    for (int32_t index = cache->first_dirty; index >= 0;) {
        struct entry *entry = &cache->entries[index];
        uint64_t count = __builtin_bswap64((uint64_t)entry->count);
        for (int which = 0; which < 2; which += 1) {
            if (loop->batches[which].length + 64 > CB_BATCH_BYTES && loop->batches[which].count)
                write_batch(loop, which);
            cb_append(&loop->batches[which], 0, entry->key, entry->key_size, &count, 8);
        }
        index = entry->dirty_after;
        entry->is_dirty = 0;
        loop->flushed += 1;
    }
    cache->first_dirty = cache->last_dirty = -1;
    cache->dirty = 0;
    write_batch(loop, 0);
    write_batch(loop, 1);
}

static void commit_log(struct loop *loop, int64_t position) {
    if (loop->error) return;
    uint8_t bytes[8];
    cb_offset_key(position, bytes);
    MDB_val key = {2, "in"}, value = {8, bytes};
    loop->error = mdb_put(loop->log_transaction, loop->offsets, &key, &value, 0);
    if (loop->error) mdb_txn_abort(loop->log_transaction);
    else loop->error = mdb_txn_commit(loop->log_transaction);
    loop->log_transaction = NULL;
}

static void begin_state(struct loop *loop) {
    if (loop->error) return;
    loop->error = mdb_txn_begin(loop->state, NULL, 0, &loop->state_transaction);
    if (!loop->error) loop->error = mdb_dbi_open(loop->state_transaction, "counts", MDB_CREATE, &loop->table);
    if (!loop->error) loop->error = mdb_cursor_open(loop->state_transaction, loop->table, &loop->write_cursor);
}

static void open_all(struct loop *loop, const char *log_folder, const char *state_folder) {
    loop->error = cb_open(log_folder, MDB_NOSYNC, &loop->log);
    if (!loop->error) loop->error = cb_open(state_folder, MDB_NOSYNC, &loop->state);
    if (loop->error) return;
    MDB_txn *transaction;
    loop->error = mdb_txn_begin(loop->log, NULL, 0, &transaction);
    if (loop->error) return;
    mdb_dbi_open(transaction, "in", 0, &loop->in);
    mdb_dbi_open(transaction, "changelog", MDB_CREATE, &loop->changelog);
    mdb_dbi_open(transaction, "out", MDB_CREATE, &loop->output);
    mdb_dbi_open(transaction, "offsets", MDB_CREATE, &loop->offsets);
    mdb_drop(transaction, loop->changelog, 0);
    mdb_drop(transaction, loop->output, 0);
    loop->error = mdb_txn_commit(transaction);
    begin_state(loop);
}

struct cb_result cb_count(
    const char *log_folder, const char *state_folder, int64_t records, int64_t warm_up, int64_t commit, int state_each
) {
    struct cb_result result = {0};
    struct loop loop = {0};
    loop.cache.mask = 255;
    loop.cache.slots = calloc(256, sizeof *loop.cache.slots);
    loop.cache.capacity = 128;
    loop.cache.entries = malloc(128 * sizeof *loop.cache.entries);
    loop.cache.newest = loop.cache.oldest = loop.cache.first_dirty = loop.cache.last_dirty = -1;
    for (int which = 0; which < 2; which += 1) {
        loop.batches[which].base = calloc(1, CB_BATCH_BYTES + 4096);
        loop.batches[which].length = CB_HEADER;
    }
    loop.order = malloc((size_t)commit * sizeof *loop.order);
    open_all(&loop, log_folder, state_folder);
    uint8_t *copy = malloc(CB_BATCH_BYTES * 2);
    MDB_txn *reader = NULL;
    if (!loop.error) loop.error = mdb_txn_begin(loop.log, NULL, MDB_RDONLY, &reader);
    if (!loop.error) mdb_txn_reset(reader);
    int64_t at = 0, last_commit = 0, commits = 0, wall = cb_wall(), cpu = cb_process_cpu();
    int is_warm = 0;
    int64_t from = 0;
    while (at < records && !loop.error) {
        uint8_t offset[8];
        cb_offset_key(at, offset);
        MDB_val key = {8, offset}, value;
        loop.error = mdb_txn_renew(reader);
        if (!loop.error) loop.error = mdb_get(reader, loop.in, &key, &value);
        if (loop.error || value.mv_size > CB_BATCH_BYTES * 2) break;
        size_t size = value.mv_size;
        memcpy(copy, value.mv_data, size);
        mdb_txn_reset(reader);
        uint32_t count;
        loop.error = cb_check(copy, size, &count);
        const uint8_t *next = copy + CB_HEADER, *end = copy + size;
        struct cb_record record = {0};
        for (uint32_t index = 0; index < count && !loop.error; index += 1) {
            next = cb_next(next, end, &record);
            if (!next) loop.error = MDB_CORRUPTED;
            else count_record(&loop, &record);
        }
        at += count;
        if (at - last_commit >= commit && !loop.error) {
            flush(&loop);
            commit_log(&loop, at);
            last_commit = at;
            if (++commits % state_each == 0 && !loop.error) {
                loop.error = mdb_txn_commit(loop.state_transaction);
                loop.state_transaction = NULL;
                begin_state(&loop);
            }
            if (!is_warm && at >= warm_up) {
                is_warm = 1;
                from = at;
                loop.flushed = 0;
                wall = cb_wall();
                cpu = cb_process_cpu();
            }
        }
    }
    result.records = at - from;
    result.dirty = loop.flushed;
    result.wall_ns = (double)(cb_wall() - wall) / (double)(at - from);
    result.cpu_ns = (double)(cb_process_cpu() - cpu) / (double)(at - from);
    result.error = loop.error;
    if (reader) mdb_txn_abort(reader);
    if (loop.state_transaction) mdb_txn_abort(loop.state_transaction);
    if (loop.log) mdb_env_close(loop.log);
    if (loop.state) mdb_env_close(loop.state);
    free(copy);
    free(loop.order);
    free(loop.cache.slots);
    free(loop.cache.entries);
    free(loop.batches[0].base);
    free(loop.batches[1].base);
    return result;
}

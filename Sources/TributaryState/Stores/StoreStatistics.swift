internal import TributaryCore

/// What a store has counted since it was made: plain numbers of its thread, to be read between records.
public struct StoreStatistics: Sendable, Equatable {
    /// How often a key was looked up.
    public var gets: Int64 = 0
    /// How many values were written.
    public var puts: Int64 = 0
    /// How many deletes were written.
    public var deletes: Int64 = 0
    /// How many walks over keys or windows were begun.
    public var ranges: Int64 = 0
    /// How many entries flushes wrote, on commits and when the cache was full.
    public var flushed: Int64 = 0
    /// How many rows were read from the engine by key, or looked for and not found.
    public var engineReads: Int64 = 0
    /// Bytes of lineage in the rows written to the engine; graves are lineage as a whole.
    public var lineageBytes: Int64 = 0
    /// The cache; nil for a store without one.
    public var cache: CacheStatistics?

    /// Nothing has happened.
    public init() {}
}

/// What a cache has counted since it was made, and what is in it.
public struct CacheStatistics: Sendable, Equatable {
    /// Reads of keys that had an entry.
    public var hits: Int64 = 0
    /// Reads of keys that had none.
    public var misses: Int64 = 0
    /// Writes that replaced one that was not flushed yet.
    public var merges: Int64 = 0
    /// Entries that had to leave since the budget was used up.
    public var evictions: Int64 = 0
    /// Entries.
    public var entries = 0
    /// Entries that are not flushed.
    public var dirtyEntries = 0
    /// Bytes of all entries as the budget counts them.
    public var bytes = 0
    /// Bytes of those that are not flushed.
    public var dirtyBytes = 0

    /// Nothing has happened.
    public init() {}
}

extension StateStore {
    /// What the store has counted so far.
    public var statistics: StoreStatistics {
        let state = self.state.value
        var statistics = StoreStatistics()
        statistics.gets = state.gets
        statistics.deletes = state.deletes &+ cache.table.value.deletes
        statistics.puts = state.writes - statistics.deletes
        statistics.ranges = state.ranges
        statistics.flushed = state.flushed
        statistics.engineReads = isCached ? state.misses : state.gets
        statistics.lineageBytes = state.lineageBytes
        if isCached {
            var counts = cache.statistics
            counts.hits = state.gets - state.misses
            counts.misses = state.misses
            // Each write made an entry dirty, which a flush took or is to take, or found it so.
            counts.merges = state.writes - cache.table.value.takenTotal - Int64(counts.dirtyEntries)
            statistics.cache = counts
        }
        return statistics
    }
}

extension StoreCache {
    /// What the cache holds.
    fileprivate var statistics: CacheStatistics {
        var counts = CacheStatistics()
        counts.entries = count
        counts.dirtyEntries = dirtyCount
        counts.bytes = table.value.bytes
        counts.evictions = table.value.evictions
        counts.dirtyBytes = table.value.bytes - table.value.cleanBytes
        return counts
    }
}

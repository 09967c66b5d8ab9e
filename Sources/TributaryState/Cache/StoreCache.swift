internal import TributaryCore
internal import TributaryLineage

/// The byte budget that the caches of one stream thread share.
public final class CacheBudget {
    /// The limit in bytes.
    public let limit: Int
    let used = Owned(0)

    /// Makes a budget.
    public init(limit: Int) { self.limit = limit }

    /// Bytes in use, counted as Kafka Streams counts them (semantics 4.6).
    public var usedBytes: Int { used.value }
}

/// The write-back cache of one store: a hash table of entries in least-recently-used order, with the dirty ones chained in the
/// order of their last write.
///
/// Entries are plain words in one array, keys and values lie in a ``BlobPool``, links are indices: a hit costs no allocation, no
/// reference count and no hashing by `Hasher`. Lineage lies in an array of its own, which exists only when lineage is kept.
/// Sizes and eviction are Kafka Streams' (semantics 4.6).
final class StoreCache {
    struct Entry: BitwiseCopyable {
        var hash: UInt32 = 0
        var newer: Int32 = -1  // towards the most recently used
        var older: Int32 = -1
        var dirtyBefore: Int32 = Entry.clean
        var dirtyAfter: Int32 = -1
        var keyCount: Int32 = 0  // -1: not in use
        var valueCount: Int32 = -1  // -1: a cached delete
        var charged: Int32 = 0
        var first: UInt64 = 0  // the key's first 16 bytes, for comparing without a second cache miss
        var second: UInt64 = 0
        var short: UInt64 = 0  // a value of up to 8 bytes, where there is no blob
        var timestamp: Int64 = 0  // of the value
        var recordTime: Int64 = 0  // of the record that wrote the entry
        var origin = RecordOrigin.none
        var blob = Blob.none  // key, headers, value; none where key and value are above
        var headersCount: Int32 = 0

        /// Stands in `dirtyBefore` of an entry that isn't dirty.
        static var clean: Int32 { -2 }
        var isDirty: Bool { dirtyBefore != Entry.clean }
    }

    // Contexts, cells and folded writes lie in arrays of their own, which exist only where they are kept.
    // The encoded cell of an entry whose cell doesn't fit into its compact form.
    struct LargeCell: BitwiseCopyable {
        var blob = Blob.none
        var count: Int32 = 0
    }

    struct Table: ~Copyable {
        var slots: FlatArray<UInt64>  // hash in the upper half, index + 1 in the lower; 0 is empty
        var mask: Int
        var entries: FlatArray<Entry>
        var contexts: FlatArray<TraceContext>
        var cells: FlatArray<CompactCell>
        var largeCells: FlatArray<LargeCell>  // as long as needed: empty where all cells are compact
        var folds: FoldedWrites
        var freeEntry: Int32 = -1
        var usedEntries = 0
        var live = 0
        var newest: Int32 = -1
        var oldest: Int32 = -1
        var firstDirty: Int32 = -1
        var lastDirty: Int32 = -1
        var dirtyCount = 0
    }

    let budget: CacheBudget
    let keepsLineage: Bool
    let keepsCells: Bool
    /// What an entry costs beside key and value: pointers, flag, record context with the topic's name (semantics 4.6).
    let overhead: Int
    let recorder: LineageRecorder
    /// The recorder's arena, held here so that no record pays for its reference count.
    let arena: CellArena
    let table: Owned<Table>
    let pool = BlobPool()
    let cellBytes = ByteBuffer(capacity: 512)

    init(budget: CacheBudget, recorder: LineageRecorder, overhead: Int = 24 + 1 + 20, room: Int = 128) {
        self.budget = budget
        self.recorder = recorder
        arena = recorder.arena
        self.overhead = overhead
        keepsLineage = recorder.mode != .off
        keepsCells = recorder.mode == .cells
        table = Owned(
            Table(
                slots: FlatArray(repeating: 0, count: 2 * room), mask: 2 * room - 1,
                entries: FlatArray(repeating: Entry(), count: room),
                contexts: FlatArray(repeating: .none, count: recorder.mode == .off ? 0 : room),
                cells: FlatArray(repeating: CompactCell(), count: recorder.mode == .cells ? room : 0),
                largeCells: FlatArray(repeating: LargeCell(), count: 0),
                folds: FoldedWrites(room: recorder.isRecording ? room : 0)))
    }

    deinit {
        budget.used.value -= chargedTotal
    }

    var count: Int { table.value.live }
    var dirtyCount: Int { table.value.dirtyCount }
    var isEmpty: Bool { table.value.live == 0 }

    var chargedTotal: Int {
        var total = 0
        var index = table.value.newest
        while index >= 0 {
            total += Int(table.value.entries[Int(index)].charged)
            index = table.value.entries[Int(index)].older
        }
        return total
    }

    // MARK: Hashing and looking up

    @inline(__always)
    static func hash(_ key: RawSpan) -> UInt32 {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15 ^ UInt64(truncatingIfNeeded: key.byteCount)
        var offset = 0
        while offset &+ 8 <= key.byteCount {
            let word = key.prefixWord(at: offset)
            let product = (state ^ word).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
            state = product.high ^ product.low
            offset &+= 8
        }
        if offset < key.byteCount {
            let product = (state ^ key.prefixWord(at: offset)).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
            state = product.high ^ product.low
        }
        return UInt32(truncatingIfNeeded: state ^ (state >> 32))
    }

    /// The entry of a key, or -1; does not count as a use.
    @inline(__always)
    func find(_ key: RawSpan, hash: UInt32) -> Int32 {
        let first = key.prefixWord(at: 0)
        let second = key.byteCount > 8 ? key.prefixWord(at: 8) : 0
        var slot = Int(hash) & table.value.mask
        while true {
            let word = table.value.slots[slot]
            if word == 0 { return -1 }
            if UInt32(truncatingIfNeeded: word >> 32) == hash {
                let index = Int(UInt32(truncatingIfNeeded: word)) &- 1
                if matches(index, key, first, second) { return Int32(truncatingIfNeeded: index) }
            }
            slot = (slot &+ 1) & table.value.mask
        }
    }

    /// Whether an entry that was looked up before is still that of the key.
    @inline(__always)
    func isEntry(_ index: Int32, of key: RawSpan) -> Bool {
        index >= 0
            && matches(Int(index), key, key.prefixWord(at: 0), key.byteCount > 8 ? key.prefixWord(at: 8) : 0)
    }

    @inline(__always)
    func matches(_ index: Int, _ key: RawSpan, _ first: UInt64, _ second: UInt64) -> Bool {
        let size = table.value.entries[index].keyCount
        guard size == Int32(truncatingIfNeeded: key.byteCount), table.value.entries[index].first == first,
            table.value.entries[index].second == second
        else { return false }
        if size <= 16 { return true }
        return pool.bytes(of: table.value.entries[index].blob, at: 0, count: Int(size)).isEqual(to: key)
    }

}

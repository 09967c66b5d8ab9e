internal import TributaryCore
internal import TributaryLineage

/// The write-back cache of one store: a hash table of entries in least-recently-used order, with the dirty ones in the order of
/// their last write.
///
/// An entry is one line of the processor's cache: keys of up to 16 bytes and values of up to 8 lie in it, longer ones in a
/// ``BlobPool``. What orders entries lies in an array of its own, since a use touches that of two neighbours; contexts, cells and
/// folded writes lie in arrays that exist only where they are kept. A hit costs no allocation, no reference count and no hashing by
/// `Hasher`. Sizes and eviction are Kafka Streams' (Docs/Semantics.md, The cache).
final class StoreCache {
    struct Entry: BitwiseCopyable {
        var first: UInt64 = 0  // the key's first 8 bytes
        var second: UInt64 = 0  // the next 8; or the blob that holds a key of more than 16
        var content: UInt64 = 0  // a value of up to 8 bytes; or its blob, and its length in the lower half
        var timestamp: Int64 = 0  // of the value
        var recordTime: Int64 = 0  // of the record that wrote it
        var offset: Int64 = -1
        var source: Int32 = 0  // of that record: its topic and partition in `sources`
        var charged: Int32 = 0
        var keyCount: Int32 = 0  // -1: not in use
        var form = Form.deleted
        var contextFlags: UInt8 = 0

        var keyBlob: Blob { keyCount > 16 ? Blob(word: UInt32(truncatingIfNeeded: second)) : .none }
        /// Whether the value, or the headers of a delete, lie in a blob.
        var hasBlob: Bool { form >= Form.long || form == Form.deletedWithHeaders }
        var valueBlob: Blob { hasBlob ? Blob(word: UInt32(truncatingIfNeeded: content &>> 32)) : .none }
        var hasHeaders: Bool { form == Form.withHeaders || form == Form.deletedWithHeaders }
        var isDelete: Bool { form < 0 }
    }

    /// How an entry holds its value: a length from 0 to 8 if in itself.
    enum Form {
        static var deleted: Int8 { -1 }
        /// A blob has the record's headers, behind their length of 4 bytes.
        static var deletedWithHeaders: Int8 { -2 }
        static var long: Int8 { 9 }
        /// In a blob, behind headers as above.
        static var withHeaders: Int8 { 10 }
    }

    struct Links: BitwiseCopyable {
        var newer: Int32 = -1  // towards the most recently used
        var older: Int32 = -1
        var note = Note.clean  // where the entry is in the order of writes
    }

    /// What an entry is that has no place in the order of writes.
    enum Note {
        static var clean: Int32 { -1 }
        /// A flush took the entry and hasn't sent it yet.
        static var taken: Int32 { -2 }
        /// The same, and another entry has the key by now.
        static var replaced: Int32 { -3 }
    }

    /// What is held of an entry.
    enum Held {
        static var none: Int8 { 0 }
        /// What its bytes say, decoded.
        static var decoded: Int8 { 1 }
        /// A newer value than its bytes say.
        static var unencoded: Int8 { 2 }
    }

    struct Trace: BitwiseCopyable {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var span: UInt64 = 0
    }

    struct Source: BitwiseCopyable {
        var topic: Int32 = -1
        var partition: Int32 = -1
        var topicSize: Int32 = 0
    }

    // The encoded cell of an entry whose cell doesn't fit into its compact form.
    struct LargeCell: BitwiseCopyable {
        var blob = Blob.none
        var count: Int32 = 0
    }

    struct Table: ~Copyable {
        // The hash's bits above the mask, and an index + 1, which is always less than there are slots; 0 is empty.
        var slots = FlatList<UInt32>(repeating: 0, count: 2 * StoreCache.room)
        var mask: UInt32 = 2 * UInt32(StoreCache.room) - 1
        var entries = FlatList<Entry>(capacity: StoreCache.room)
        var links = FlatList<Links>(capacity: StoreCache.room)
        var traces = FlatList<Trace>()
        var cells = FlatList<CompactCell>()
        // As long as needed: empty where all cells are compact.
        var largeCells = FlatArray<LargeCell>(repeating: LargeCell(), count: 0)
        var folds = FoldedWrites(room: 0)
        var sources = FlatList<Source>()
        var source: Int32 = 0  // the last one used
        var freeEntry: Int32 = -1
        var live = 0
        var newest: Int32 = -1
        var oldest: Int32 = -1
        // Entries in the order of their writes: a note counts if the entry says that it is its own. Appended to, and cleared of what
        // doesn't count when full, which costs less per write than two links to neighbours anywhere.
        var notes = FlatArray<Int32>(repeating: 0, count: StoreCache.room)
        var noted = 0
        var dirtyCount = 0
        // What all entries are charged, and the clean ones: dirty ones change it with each write, and clean ones rarely.
        var bytes = 0
        var cleanBytes = 0
        // How many dirty entries flushes took, and how many writes were deletes, since the start.
        var takenTotal: Int64 = 0
        var deletes: Int64 = 0
        // How many left since the budget was used up.
        var evictions: Int64 = 0
        // What the flush under way took, in order.
        var taken = FlatArray<Int32>(repeating: 0, count: StoreCache.room)
        var takenCount = 0
        // What it took and need not send: deletes of what never was.
        var vain = FlatList<Int32>()
        // Of each entry, whether somebody holds its decoded value; empty where nobody does.
        var held = FlatArray<Int8>(repeating: Held.none, count: 0)
        // How many entries have none but a held value, as it stands; they are dirty.
        var unencodedCount = 0
    }

    static let room = 64

    let budget: CacheBudget
    let keepsLineage: Bool
    let keepsCells: Bool
    let keepsFolds: Bool
    /// What an entry costs beside key and value: pointers, flag, record context with the topic's name (Docs/Semantics.md, The cache).
    let overhead: Int
    /// What a value's timestamp costs.
    let timestampSize: Int
    /// The recorder's arena, held here so that no record pays for its reference count.
    let arena: CellArena
    let table = Owned(Table())
    /// Which entries belong together; nil where nobody asks.
    var families: KeyFamilies? {
        didSet { families?.copyKey = { [unowned self] index, buffer in copyKey(index, into: &buffer.writer) } }
    }
    let pool = BlobPool()
    let cellBytes = ByteBuffer(capacity: 512)

    /// Makes an empty cache; `segmentSize` is what a window's segment costs beside its key.
    init(budget: CacheBudget, recorder: LineageRecorder, timestampSize: Int, segmentSize: Int = 0) {
        self.budget = budget
        arena = recorder.arena
        overhead = 24 + 1 + 20 + segmentSize
        self.timestampSize = timestampSize
        keepsLineage = recorder.mode != .off
        keepsCells = recorder.mode == .cells
        keepsFolds = recorder.isRecording
        // Clean entries have no source.
        table.value.sources.append(Source())
        if keepsFolds { table.value.folds = FoldedWrites(room: StoreCache.room) }
        budget.join(self)
    }

    deinit {
        budget.leave(self)
        for index in 0..<table.value.entries.count where table.value.entries[index].keyCount >= 0 {
            budget.used.value -= Int(table.value.entries[index].charged)
        }
    }

    /// Begins to note which entries' decoded values are held.
    func noteHeld() {
        table.value.held.grow(to: max(2 * table.value.entries.count, StoreCache.room), filling: Held.none)
    }

    @inline(__always)
    func isHeld(_ index: Int32) -> Bool { table.value.held[Int(index)] != Held.none }

    /// The value of an entry is held as its bytes say, or as they don't yet.
    @inline(__always)
    func setHeld(_ index: Int32) {
        if table.value.held[Int(index)] == Held.none { table.value.held[Int(index)] = Held.decoded }
    }

    /// The value of an entry isn't what it was.
    @inline(__always)
    func endHeld(_ index: Int32) {
        guard table.value.held.count > Int(index) else { return }
        if table.value.held[Int(index)] == Held.unencoded { table.value.unencodedCount &-= 1 }
        table.value.held[Int(index)] = Held.none
    }

    /// Whether there are entries with none but a held value.
    @inline(__always) var hasUnencoded: Bool { table.value.unencodedCount > 0 }

    @inline(__always)
    func isUnencoded(_ index: Int32) -> Bool { table.value.held[Int(index)] == Held.unencoded }

    var count: Int { table.value.live }
    var dirtyCount: Int { table.value.dirtyCount }
    var isEmpty: Bool { table.value.live == 0 }

    // MARK: Hashing and looking up

    /// What is compared and hashed of a key, computed once per operation.
    struct Probe {
        var first: UInt64
        var second: UInt64
        var hash: UInt32
    }

    @inline(__always)
    static func probe(_ key: RawSpan) -> Probe {
        let count = key.byteCount
        let first = key.prefixWord(at: 0)
        let second = count > 8 ? key.prefixWord(at: 8) : 0
        return Probe(
            first: first, second: second,
            hash: count <= 16 ? hash(first, second, Int32(truncatingIfNeeded: count)) : longHash(key))
    }

    @inline(__always)
    private static func mix(_ state: UInt64, _ word: UInt64) -> UInt64 {
        let product = (state ^ word).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func start(_ count: Int) -> UInt64 { 0x9e37_79b9_7f4a_7c15 ^ UInt64(truncatingIfNeeded: count) }

    @inline(__always)
    private static func hash(_ first: UInt64, _ second: UInt64, _ count: Int32) -> UInt32 {
        let state = mix(mix(start(Int(count)), first), second)
        return UInt32(truncatingIfNeeded: state ^ (state &>> 32))
    }

    @inline(never)
    private static func longHash(_ key: RawSpan) -> UInt32 {
        var state = start(key.byteCount)
        var offset = 0
        while offset < key.byteCount {
            state = mix(state, key.prefixWord(at: offset))
            offset += 8
        }
        return UInt32(truncatingIfNeeded: state ^ (state &>> 32))
    }

    /// The hash of an entry's key, made again: only growing and removing need it.
    func hash(ofEntry index: Int) -> UInt32 {
        let entry = table.value.entries[index]
        if entry.keyCount <= 16 { return StoreCache.hash(entry.first, entry.second, entry.keyCount) }
        return StoreCache.longHash(pool.bytes(of: entry.keyBlob, at: 0, count: Int(entry.keyCount)))
    }

    /// The entry of a key, or -1; does not count as a use.
    @inline(__always)
    func find(_ key: RawSpan, _ probe: Probe) -> Int32 {
        let mask = table.value.mask
        var slot = probe.hash & mask
        while true {
            let word = table.value.slots[Int(slot)]
            if word == 0 { return -1 }
            if (word ^ probe.hash) & ~mask == 0 {
                let index = Int(word & mask) &- 1
                if matches(index, key, probe.first, probe.second) { return Int32(truncatingIfNeeded: index) }
            }
            slot = (slot &+ 1) & mask
        }
    }

    /// Whether an entry that was looked up before is still that of the key.
    @inline(__always)
    func isEntry(_ index: Int32, of key: RawSpan) -> Bool {
        UInt(bitPattern: Int(index)) < UInt(bitPattern: table.value.entries.count)
            && matches(Int(index), key, key.prefixWord(at: 0), key.byteCount > 8 ? key.prefixWord(at: 8) : 0)
    }

    @inline(__always)
    private func matches(_ index: Int, _ key: RawSpan, _ first: UInt64, _ second: UInt64) -> Bool {
        let size = table.value.entries[index].keyCount
        guard size == Int32(truncatingIfNeeded: key.byteCount), table.value.entries[index].first == first else {
            return false
        }
        if size <= 16 { return table.value.entries[index].second == second }
        return pool.bytes(of: table.value.entries[index].keyBlob, at: 0, count: Int(size)).isEqual(to: key)
    }
}

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
    struct EntryCell: BitwiseCopyable {
        var cell = Cell.empty
        var blob = Blob.none  // the encoded cell, if it has more than one entry
        var count: Int32 = 0
    }

    struct Folded: BitwiseCopyable {
        var contributors: Int32 = -1  // chain of earlier writes' contexts
        var kept: Int32 = 0
        var folded: Int64 = 0  // how many earlier writes there were since the last flush
    }

    struct Contributor: BitwiseCopyable {
        var context = TraceContext.none
        var next: Int32 = -1
    }

    struct Table: ~Copyable {
        var slots: FlatArray<UInt64>  // hash in the upper half, index + 1 in the lower; 0 is empty
        var mask: Int
        var entries: FlatArray<Entry>
        var contexts: FlatArray<TraceContext>
        var cells: FlatArray<EntryCell>
        var folds: FlatArray<Folded>
        var chain: FlatArray<Contributor>
        var freeChain: Int32 = -1
        var usedChain = 0
        var freeEntry: Int32 = -1
        var usedEntries = 0
        var live = 0
        var newest: Int32 = -1
        var oldest: Int32 = -1
        var firstDirty: Int32 = -1
        var lastDirty: Int32 = -1
        var dirtyCount = 0
    }

    /// How many contexts of earlier writes an entry keeps for the links of its flush; the count goes on beyond.
    static let keptContributors: Int32 = 32

    let budget: CacheBudget
    let keepsLineage: Bool
    let keepsCells: Bool
    /// What an entry costs beside key and value: pointers, flag, record context with the topic's name (semantics 4.6).
    let overhead: Int
    let recorder: LineageRecorder
    let table: Owned<Table>
    private let pool = BlobPool()
    private let cellBytes = ByteBuffer(capacity: 512)

    init(budget: CacheBudget, recorder: LineageRecorder, overhead: Int = 24 + 1 + 20, room: Int = 128) {
        self.budget = budget
        self.recorder = recorder
        self.overhead = overhead
        keepsLineage = recorder.mode != .off
        keepsCells = recorder.mode == .cells
        table = Owned(
            Table(
                slots: FlatArray(repeating: 0, count: 2 * room), mask: 2 * room - 1,
                entries: FlatArray(repeating: Entry(), count: room),
                contexts: FlatArray(repeating: .none, count: recorder.mode == .off ? 0 : room),
                cells: FlatArray(repeating: EntryCell(), count: recorder.mode == .cells ? room : 0),
                folds: FlatArray(repeating: Folded(), count: recorder.isRecording ? room : 0),
                chain: FlatArray(repeating: Contributor(), count: recorder.isRecording ? 64 : 0)))
    }

    deinit {
        budget.used.value -= chargedTotal
    }

    var count: Int { table.value.live }
    var dirtyCount: Int { table.value.dirtyCount }
    var isEmpty: Bool { table.value.live == 0 }

    private var chargedTotal: Int {
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
    private func matches(_ index: Int, _ key: RawSpan, _ first: UInt64, _ second: UInt64) -> Bool {
        let size = table.value.entries[index].keyCount
        guard size == Int32(truncatingIfNeeded: key.byteCount), table.value.entries[index].first == first,
            table.value.entries[index].second == second
        else { return false }
        if size <= 16 { return true }
        return pool.bytes(of: table.value.entries[index].blob, at: 0, count: Int(size)).isEqual(to: key)
    }

    // MARK: Reading an entry

    func copyKey(_ index: Int32, into writer: inout ByteWriter) {
        let entry = table.value.entries[Int(index)]
        if entry.blob.capacity == 0 {
            StoreCache.append(entry.first, min(Int(entry.keyCount), 8), to: &writer)
            if entry.keyCount > 8 { StoreCache.append(entry.second, Int(entry.keyCount) - 8, to: &writer) }
            return
        }
        writer.append(pool.bytes(of: entry.blob, at: 0, count: Int(entry.keyCount)))
    }

    /// Appends the first bytes of a word.
    @inline(__always)
    private static func append(_ word: UInt64, _ count: Int, to writer: inout ByteWriter) {
        if count == 8 { return writer.append(bigEndian: word) }
        var rest = word
        for _ in 0..<max(count, 0) {
            writer.append(UInt8(truncatingIfNeeded: rest &>> 56))
            rest = rest &<< 8
        }
    }

    func copyHeaders(_ index: Int32, into writer: inout ByteWriter) {
        let entry = table.value.entries[Int(index)]
        guard entry.headersCount > 0 else { return }
        writer.append(
            pool.bytes(of: entry.blob, at: Int(entry.keyCount), count: Int(entry.headersCount)))
    }

    func copyValue(_ index: Int32, into writer: inout ByteWriter) {
        let entry = table.value.entries[Int(index)]
        if entry.blob.capacity == 0 {
            return StoreCache.append(entry.short, Int(max(entry.valueCount, 0)), to: &writer)
        }
        writer.append(
            pool.bytes(
                of: entry.blob, at: Int(entry.keyCount + entry.headersCount), count: Int(max(entry.valueCount, 0))))
    }

    @inline(__always)
    func hasValue(_ index: Int32) -> Bool { table.value.entries[Int(index)].valueCount >= 0 }

    @inline(__always)
    func timestamp(_ index: Int32) -> Int64 { table.value.entries[Int(index)].timestamp }

    @inline(__always)
    func entry(_ index: Int32) -> Entry { table.value.entries[Int(index)] }

    /// The lineage of an entry, its cell in the recorder's arena.
    @inline(__always)
    func lineage(_ index: Int32) -> Lineage {
        guard keepsLineage else { return .none }
        return Lineage(context: table.value.contexts[Int(index)], cell: keepsCells ? cell(index) : .empty)
    }

    /// The context of an entry's write; only where lineage is kept.
    @inline(__always)
    func context(_ index: Int32) -> TraceContext { table.value.contexts[Int(index)] }

    /// The cell of an entry, in the recorder's arena; only where cells are kept.
    @inline(__always)
    func cell(_ index: Int32) -> Cell {
        if table.value.cells[Int(index)].cell.entries <= 1 { return table.value.cells[Int(index)].cell }
        return manySources(index)
    }

    @inline(never)
    private func manySources(_ index: Int32) -> Cell {
        let kept = table.value.cells[Int(index)]
        let bytes = pool.bytes(of: kept.blob, at: 0, count: Int(kept.count))
        return (try? recorder.arena.decode(bytes)) ?? .empty
    }

    /// Sets the lineage of an entry, for example to the context of its flush.
    @inline(__always)
    func setLineage(_ index: Int32, _ lineage: Lineage) {
        guard keepsLineage else { return }
        table.value.contexts[Int(index)] = lineage.context
        guard keepsCells else { return }
        table.value.cells[Int(index)].cell = lineage.cell
        if lineage.cell.entries > 1 { keepCell(index, lineage.cell) }
    }

    @inline(never)
    private func keepCell(_ index: Int32, _ cell: Cell) {
        cellBytes.writer.removeAll()
        recorder.arena.encode(cell, into: &cellBytes.writer)
        let size = cellBytes.count
        var blob = table.value.cells[Int(index)].blob
        if Int(blob.capacity) < size {
            pool.deallocate(blob)
            blob = pool.allocate(size)
            table.value.cells[Int(index)].blob = blob
        }
        pool.write(cellBytes.bytes, to: blob, at: 0)
        table.value.cells[Int(index)].count = Int32(size)
    }

    /// Calls `body` with the contexts of earlier writes folded into an entry, newest first; at most ``keptContributors``.
    func forEachContributor(_ index: Int32, _ body: (TraceContext) -> Void) {
        guard recorder.isRecording else { return }
        var link = table.value.folds[Int(index)].contributors
        while link >= 0 {
            body(table.value.chain[Int(link)].context)
            link = table.value.chain[Int(link)].next
        }
    }

    /// How many earlier writes an entry has folded in since its last flush.
    func foldedWrites(_ index: Int32) -> Int64 { recorder.isRecording ? table.value.folds[Int(index)].folded : 0 }

    // MARK: Writing

    /// Marks an entry as the most recently used.
    @inline(__always)
    func touch(_ index: Int32) {
        guard table.value.newest != index else { return }
        unlink(index)
        linkNewest(index)
    }

    /// Writes a value (nil: a delete) for a key and returns the entry.
    ///
    /// The key may be there or not.
    func put(
        _ key: RawSpan, hash: UInt32, found: Int32, value: RawSpan?, dirty: Bool, timestamp: Int64, recordTime: Int64,
        origin: RecordOrigin, headers: RawSpan, topicSize: Int, lineage: Lineage, timestampSize: Int
    ) -> Int32 {
        var index = found
        if index < 0 {
            index = insert(key, hash: hash)
        } else if recorder.isRecording && dirty {
            foldIn(index)
        }
        let valueCount = value?.byteCount ?? 0
        if key.byteCount <= 16 && valueCount <= 8 && headers.isEmpty
            && table.value.entries[Int(index)].blob.capacity == 0
        {
            table.value.entries[Int(index)].short = value?.prefixWord(at: 0) ?? 0
        } else {
            let needed = key.byteCount &+ headers.byteCount &+ valueCount
            if Int(table.value.entries[Int(index)].blob.capacity) < needed { enlarge(index, key, needed) }
            let blob = table.value.entries[Int(index)].blob
            if !headers.isEmpty { pool.write(headers, to: blob, at: key.byteCount) }
            if let value { pool.write(value, to: blob, at: key.byteCount &+ headers.byteCount) }
        }
        let charge =
            key.byteCount &+ overhead &+ (value == nil ? 0 : valueCount &+ timestampSize) &+ topicSize
            &+ headers.byteCount
        let before = table.value.entries[Int(index)].charged
        budget.used.value += charge - Int(before)
        table.value.entries[Int(index)].charged = Int32(truncatingIfNeeded: charge)
        table.value.entries[Int(index)].valueCount = value == nil ? -1 : Int32(truncatingIfNeeded: valueCount)
        table.value.entries[Int(index)].headersCount = Int32(truncatingIfNeeded: headers.byteCount)
        table.value.entries[Int(index)].timestamp = timestamp
        table.value.entries[Int(index)].recordTime = recordTime
        table.value.entries[Int(index)].origin = origin
        setLineage(index, lineage)
        if dirty { markDirty(index) }
        touch(index)
        return index
    }

    /// Remembers the context of an entry's write before another write replaces it, for the links of the flush.
    @inline(__always)
    private func foldIn(_ index: Int32) {
        guard table.value.entries[Int(index)].isDirty else { return }
        table.value.folds[Int(index)].folded += 1
        let context = table.value.contexts[Int(index)]
        guard context.isSampled,
            table.value.folds[Int(index)].kept < StoreCache.keptContributors
        else { return }
        keepContributor(index, context)
    }

    @inline(never)
    private func keepContributor(_ index: Int32, _ context: TraceContext) {
        var link = table.value.freeChain
        if link >= 0 {
            table.value.freeChain = table.value.chain[Int(link)].next
        } else {
            if table.value.usedChain == table.value.chain.count {
                table.value.chain.grow(to: table.value.chain.count * 2, filling: Contributor())
            }
            link = Int32(table.value.usedChain)
            table.value.usedChain += 1
        }
        table.value.chain[Int(link)] = Contributor(context: context, next: table.value.folds[Int(index)].contributors)
        table.value.folds[Int(index)].contributors = link
        table.value.folds[Int(index)].kept += 1
    }

    private func dropContributors(_ index: Int32) {
        guard recorder.isRecording else { return }
        var link = table.value.folds[Int(index)].contributors
        while link >= 0 {
            let next = table.value.chain[Int(link)].next
            table.value.chain[Int(link)].next = table.value.freeChain
            table.value.freeChain = link
            link = next
        }
        table.value.folds[Int(index)] = Folded()
    }

    @inline(never)
    private func insert(_ key: RawSpan, hash: UInt32) -> Int32 {
        if (table.value.live + 1) * 4 > table.value.slots.count * 3 { growSlots() }
        var index = table.value.freeEntry
        if index >= 0 {
            table.value.freeEntry = table.value.entries[Int(index)].older
        } else {
            if table.value.usedEntries == table.value.entries.count {
                let size = table.value.entries.count * 2
                table.value.entries.grow(to: size, filling: Entry())
                growLineage(to: size)
            }
            index = Int32(table.value.usedEntries)
            table.value.usedEntries += 1
        }
        var entry = Entry()
        entry.hash = hash
        entry.keyCount = Int32(key.byteCount)
        entry.first = key.prefixWord(at: 0)
        entry.second = key.byteCount > 8 ? key.prefixWord(at: 8) : 0
        if key.byteCount > 16 {
            entry.blob = pool.allocate(key.byteCount + 16)
            pool.write(key, to: entry.blob, at: 0)
        }
        table.value.entries[Int(index)] = entry
        if keepsLineage { table.value.contexts[Int(index)] = .none }
        if keepsCells { table.value.cells[Int(index)] = EntryCell() }
        if recorder.isRecording { table.value.folds[Int(index)] = Folded() }
        place(hash, index)
        table.value.live += 1
        linkNewest(index)
        return index
    }

    private func growLineage(to size: Int) {
        if keepsLineage { table.value.contexts.grow(to: size, filling: .none) }
        if keepsCells { table.value.cells.grow(to: size, filling: EntryCell()) }
        if recorder.isRecording { table.value.folds.grow(to: size, filling: Folded()) }
    }

    @inline(never)
    private func enlarge(_ index: Int32, _ key: RawSpan, _ size: Int) {
        let old = table.value.entries[Int(index)].blob
        let blob = pool.allocate(size)
        pool.write(key, to: blob, at: 0)
        pool.deallocate(old)
        table.value.entries[Int(index)].blob = blob
    }

    private func place(_ hash: UInt32, _ index: Int32) {
        var slot = Int(hash) & table.value.mask
        while table.value.slots[slot] != 0 { slot = (slot &+ 1) & table.value.mask }
        table.value.slots[slot] = UInt64(hash) << 32 | UInt64(UInt32(bitPattern: index &+ 1))
    }

    private func growSlots() {
        let size = table.value.slots.count * 2
        table.value.slots = FlatArray(repeating: 0, count: size)
        table.value.mask = size - 1
        var index = table.value.newest
        while index >= 0 {
            place(table.value.entries[Int(index)].hash, index)
            index = table.value.entries[Int(index)].older
        }
    }

    // MARK: Order

    private func linkNewest(_ index: Int32) {
        let newest = table.value.newest
        table.value.entries[Int(index)].older = newest
        table.value.entries[Int(index)].newer = -1
        if newest >= 0 { table.value.entries[Int(newest)].newer = index } else { table.value.oldest = index }
        table.value.newest = index
    }

    private func unlink(_ index: Int32) {
        let newer = table.value.entries[Int(index)].newer
        let older = table.value.entries[Int(index)].older
        if newer >= 0 { table.value.entries[Int(newer)].older = older } else { table.value.newest = older }
        if older >= 0 { table.value.entries[Int(older)].newer = newer } else { table.value.oldest = newer }
    }

    private func markDirty(_ index: Int32) {
        if table.value.entries[Int(index)].isDirty {
            if table.value.lastDirty == index { return }
            unlinkDirty(index)
        }
        let last = table.value.lastDirty
        table.value.entries[Int(index)].dirtyBefore = last
        table.value.entries[Int(index)].dirtyAfter = -1
        if last >= 0 { table.value.entries[Int(last)].dirtyAfter = index } else { table.value.firstDirty = index }
        table.value.lastDirty = index
        table.value.dirtyCount += 1
    }

    private func unlinkDirty(_ index: Int32) {
        let before = table.value.entries[Int(index)].dirtyBefore
        let after = table.value.entries[Int(index)].dirtyAfter
        if before >= 0 { table.value.entries[Int(before)].dirtyAfter = after } else { table.value.firstDirty = after }
        if after >= 0 { table.value.entries[Int(after)].dirtyBefore = before } else { table.value.lastDirty = before }
        table.value.entries[Int(index)].dirtyBefore = Entry.clean
        table.value.dirtyCount -= 1
    }

    // MARK: Flushing and evicting

    /// Appends the dirty entries in the order of their last write to `list` and makes them clean.
    func takeDirty(into list: inout [Int32]) {
        var index = table.value.firstDirty
        while index >= 0 {
            list.append(index)
            let after = table.value.entries[Int(index)].dirtyAfter
            table.value.entries[Int(index)].dirtyBefore = Entry.clean
            index = after
        }
        table.value.firstDirty = -1
        table.value.lastDirty = -1
        table.value.dirtyCount = 0
    }

    /// An entry's earlier writes are flushed: forgets them.
    func flushed(_ index: Int32) { dropContributors(index) }

    /// The least recently used entry, or -1.
    var oldest: Int32 { table.value.oldest }

    /// Takes an entry out of the table and the orders; its memory stays until ``release(_:)``.
    func remove(_ index: Int32) {
        let entry = table.value.entries[Int(index)]
        var slot = Int(entry.hash) & table.value.mask
        let wanted = UInt64(entry.hash) << 32 | UInt64(UInt32(bitPattern: index &+ 1))
        while table.value.slots[slot] != wanted { slot = (slot &+ 1) & table.value.mask }
        closeGap(slot)
        if entry.isDirty { unlinkDirty(index) }
        unlink(index)
        table.value.live -= 1
        budget.used.value -= Int(entry.charged)
        table.value.entries[Int(index)].charged = 0
    }

    // Linear probing without tombstones: entries behind the gap move up if their home slot allows.
    private func closeGap(_ start: Int) {
        var gap = start
        var slot = (start &+ 1) & table.value.mask
        while true {
            let word = table.value.slots[slot]
            if word == 0 { break }
            let home = Int(word >> 32) & table.value.mask
            if ((slot &- home) & table.value.mask) >= ((slot &- gap) & table.value.mask) {
                table.value.slots[gap] = word
                gap = slot
            }
            slot = (slot &+ 1) & table.value.mask
        }
        table.value.slots[gap] = 0
    }

    /// Gives back the memory of an entry that ``remove(_:)`` took out.
    func release(_ index: Int32) {
        dropContributors(index)
        pool.deallocate(table.value.entries[Int(index)].blob)
        table.value.entries[Int(index)].blob = .none
        if keepsCells {
            pool.deallocate(table.value.cells[Int(index)].blob)
            table.value.cells[Int(index)].blob = .none
        }
        table.value.entries[Int(index)].keyCount = -1
        table.value.entries[Int(index)].older = table.value.freeEntry
        table.value.freeEntry = index
    }

    /// All entries whose keys lie between the bounds (both included), in no order.
    func indices(from lower: RawSpan?, through upper: RawSpan?) -> [Int32] {
        var list: [Int32] = []
        var index = table.value.newest
        let buffer = ByteBuffer()
        while index >= 0 {
            let entry = table.value.entries[Int(index)]
            buffer.writer.removeAll()
            copyKey(index, into: &buffer.writer)
            let key = buffer.bytes
            var inside = true
            if let lower { inside = key.compare(to: lower) >= 0 }
            if inside, let upper { inside = key.compare(to: upper) <= 0 }
            if inside { list.append(index) }
            index = entry.older
        }
        return list
    }

    /// 8 bytes of an entry's key from `offset` on as a word that orders as they do; nil if the key ends before.
    func keyWord(_ index: Int32, at offset: Int) -> UInt64? {
        let entry = table.value.entries[Int(index)]
        guard offset < Int(entry.keyCount) else { return nil }
        if offset == 0 { return entry.first }
        if offset == 8 { return entry.second }
        return pool.bytes(of: entry.blob, at: 0, count: Int(entry.keyCount)).prefixWord(at: offset)
    }

    /// The order of the keys of two entries.
    func compareKeys(_ left: Int32, _ right: Int32) -> Int {
        let one = table.value.entries[Int(left)]
        let other = table.value.entries[Int(right)]
        if one.first != other.first { return one.first < other.first ? -1 : 1 }
        if one.second != other.second { return one.second < other.second ? -1 : 1 }
        if one.keyCount <= 16 || other.keyCount <= 16 { return Int(one.keyCount) - Int(other.keyCount) }
        return pool.bytes(of: one.blob, at: 0, count: Int(one.keyCount)).compare(
            to: pool.bytes(of: other.blob, at: 0, count: Int(other.keyCount)))
    }
}

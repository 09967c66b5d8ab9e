internal import TributaryCore

/// Stored batches that follow each other, copied out of the file, and the records found in them.
@safe struct GatheredBatches {
    private(set) var memory: BatchMemory
    private var pieces: [(start: Int, count: Int, base: Int64)] = []
    private var used = 0
    private let pool: BatchPool
    private let end: Int64
    private let isWhole: Bool
    /// How many slots are filled.
    private(set) var slotCount = 0

    /// Small batches are taken together up to this size.
    private static let target = 160 << 10

    /// Makes room for batches of a partition that ends at `end`.
    ///
    /// In one that `isWhole` each batch goes on where the one before it ends; offsets that are missing are then a fault.
    init(_ pool: BatchPool, end: Int64, isWhole: Bool) {
        self.pool = pool
        unsafe memory = pool.take(small: true)
        self.end = end
        self.isWhole = isWhole
    }

    /// Copies the batch that holds the position, and those after it as long as they are small.
    mutating func fill(
        _ transaction: borrowing ReadTransaction, _ records: LMDBDatabase, _ assignment: Assignment
    ) throws(LMDBError) {
        let partition = assignment.name.partition
        var key = LogKey()
        key.record(assignment.topic, partition, assignment.position)
        let cursor = try transaction.cursor(records)
        var entry = try cursor.seek(key.bytes)
        var isAtFront = false
        if let entry { isAtFront = baseOffset(entry.key, assignment.topic, partition) == assignment.position }
        if !isAtFront {
            // Not at the front of a batch: it may lie inside of the one before.
            let before = try cursor.move(entry == nil ? .last : .previous)
            if let before, let base = baseOffset(before.key, assignment.topic, partition),
                isWhole || base + Int64(before.value.integer(at: 20, as: UInt32.self) ?? 0) >= assignment.position
            {
                entry = before
            } else {
                entry = try cursor.seek(key.bytes)
            }
        }
        while let here = entry, let base = baseOffset(here.key, assignment.topic, partition) {
            let count = here.value.byteCount
            if !pieces.isEmpty && used + count > Self.target { break }
            if used + count > memory.byteCapacity { makeRoom(used + count) }
            let to = unsafe memory.bytes + used
            unsafe here.value.withUnsafeBytes { source in
                if let from = source.baseAddress { unsafe to.copyMemory(from: from, byteCount: count) }
            }
            pieces.append((used, count, base))
            used += (count + 7) & ~7
            if used >= Self.target { break }
            entry = try cursor.move(.next)
        }
    }

    /// Goes from the small memory that suits single records to that of whole batches.
    private mutating func makeRoom(_ count: Int) {
        var larger = unsafe pool.take(small: false)
        larger.reserve(bytes: count)
        unsafe larger.bytes.copyMemory(from: memory.bytes, byteCount: used)
        unsafe pool.give(memory)
        memory = larger
    }

    /// What decoding came to.
    struct Result {
        /// Where the reader goes on.
        var nextOffset: Int64
        /// What was wrong with the batch after the last one that was read.
        var fault: BatchHeader.Fault?
        /// Where that batch begins, or the first offset that is missing.
        var faultOffset: Int64 = -1

        fileprivate mutating func missing(from offset: Int64) {
            fault = .hole
            faultOffset = offset
        }
    }

    /// Checks the batches and fills the slots with their records from `position` on, roughly up to `limit` bytes.
    mutating func decode(from position: Int64, limit: Int) -> Result {
        var result = Result(nextOffset: position)
        if pieces.isEmpty {
            // Nothing at or after the position: only compaction may have taken it.
            if isWhole { result.missing(from: position) } else { result.nextOffset = end }
            return result
        }
        var headers: [BatchHeader] = []
        var room = 0
        var next = position
        for (start, count, base) in pieces {
            if isWhole && (headers.isEmpty ? base > next : base != next) {
                result.missing(from: next)
                break
            }
            let bytes = unsafe RawSpan(_unsafeStart: memory.bytes + start, byteCount: count)
            do throws(BatchHeader.Fault) {
                let header = try BatchHeader(checking: bytes, key: base)
                if isWhole && header.endOffset <= next { throw BatchHeader.Fault.hole }
                next = header.endOffset
                guard header.endOffset <= end else { throw BatchHeader.Fault.fields }
                headers.append(header)
                room += Int(header.count)
            } catch {
                result.fault = error
                result.faultOffset = error == .hole ? next : base
                break
            }
        }
        memory.reserve(slots: room)
        var bytes = 0
        for index in headers.indices {
            let (start, count, base) = pieces[index]
            let before = slotCount
            var walk = unsafe BatchWalk(memory.bytes + start, byteCount: count, headers[index])
            do throws(BatchHeader.Fault) {
                while try unsafe walk.next(into: memory.slots + slotCount) {
                    // The slots' number is the headers', which bounds the walks: the index stays inside.
                    let offset = unsafe memory.slots[slotCount].offset
                    if offset < position { continue }
                    slotCount &+= 1
                    if bytes + walk.position >= limit {
                        result.nextOffset = offset + 1
                        return result
                    }
                }
            } catch {
                slotCount = before
                result.fault = error
                result.faultOffset = base
                return result
            }
            bytes += count
            result.nextOffset = max(headers[index].endOffset, position)
        }
        return result
    }
}

internal import TributaryCore

/// Memory that one ``RecordBatch`` owns: the copied bytes, and the slots that point into them.
@safe struct BatchMemory: BitwiseCopyable {
    var bytes: UnsafeMutableRawPointer
    var byteCapacity: Int
    var slots: UnsafeMutablePointer<RecordSlot>
    var slotCapacity: Int

    /// A reader may hold hundreds of batches of one record each: those must not cost what a full batch does.
    static let smallBytes = 4096
    static let smallSlots = 64

    init(small: Bool) {
        byteCapacity = small ? Self.smallBytes : 160 << 10
        unsafe bytes = UnsafeMutableRawPointer.allocate(byteCount: byteCapacity, alignment: 16)
        slotCapacity = small ? Self.smallSlots : 1024
        unsafe slots = UnsafeMutablePointer<RecordSlot>.allocate(capacity: slotCapacity)
    }

    /// Makes room for that many bytes, keeping none.
    mutating func reserve(bytes count: Int) {
        guard count > byteCapacity else { return }
        unsafe bytes.deallocate()
        unsafe bytes = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
        byteCapacity = count
    }

    /// Makes room for that many slots, keeping none.
    mutating func reserve(slots count: Int) {
        guard count > slotCapacity else { return }
        unsafe slots.deallocate()
        slotCapacity = max(count, slotCapacity * 2)
        unsafe slots = UnsafeMutablePointer<RecordSlot>.allocate(capacity: slotCapacity)
    }

    func deallocate() {
        unsafe bytes.deallocate()
        unsafe slots.deallocate()
    }
}

/// Memory of ended batches, for the next ones.
///
/// One per consumer; batches may end on any thread.
@safe final class BatchPool: Sendable {
    // Pointers that nobody else has while they lie here.
    @safe private struct Free: @unchecked Sendable {
        var small: [BatchMemory] = []
        var large: [BatchMemory] = []
    }
    @safe private struct Handed: @unchecked Sendable { let memory: BatchMemory? }
    private let free = Guarded(Free())

    deinit {
        free.withLock { free in
            for memory in free.small + free.large { memory.deallocate() }
            free = Free()
        }
    }

    @unsafe func take(small: Bool) -> BatchMemory {
        let found = free.withLock { free in Handed(memory: small ? free.small.popLast() : free.large.popLast()) }
        return found.memory ?? BatchMemory(small: small)
    }

    @unsafe func give(_ memory: BatchMemory) {
        let handed = Handed(memory: memory)
        let kept = free.withLock { free -> Bool in
            guard let memory = handed.memory else { return false }
            // As many as tasks hold at once; what one large record needed goes back.
            if memory.byteCapacity == BatchMemory.smallBytes && memory.slotCapacity == BatchMemory.smallSlots {
                guard free.small.count < 256 else { return false }
                free.small.append(memory)
            } else {
                guard free.large.count < 16, memory.byteCapacity <= 1 << 20, memory.slotCapacity <= 1 << 14,
                    memory.byteCapacity > BatchMemory.smallBytes
                else { return false }
                free.large.append(memory)
            }
            return true
        }
        if !kept { memory.deallocate() }
    }
}

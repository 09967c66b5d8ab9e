internal import Synchronization
internal import TributaryCore

/// Memory that one ``RecordBatch`` owns: the copied bytes, and the slots that point into them.
@safe struct BatchMemory: BitwiseCopyable {
    var bytes: UnsafeMutableRawPointer
    var byteCapacity: Int
    var slots: UnsafeMutablePointer<RecordSlot>
    var slotCapacity: Int

    init() {
        byteCapacity = 160 << 10
        unsafe bytes = UnsafeMutableRawPointer.allocate(byteCount: byteCapacity, alignment: 16)
        slotCapacity = 1024
        unsafe slots = UnsafeMutablePointer<RecordSlot>.allocate(capacity: slotCapacity)
    }

    /// Makes room for that many bytes, keeping the first `kept`.
    mutating func reserve(bytes count: Int, keeping kept: Int) {
        guard count > byteCapacity else { return }
        let next = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
        unsafe next.copyMemory(from: bytes, byteCount: kept)
        unsafe bytes.deallocate()
        unsafe bytes = next
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
        var list: [BatchMemory] = []
    }
    private let free = Mutex(Free())

    deinit {
        free.withLock { free in
            for memory in free.list { memory.deallocate() }
            free.list = []
        }
    }

    @unsafe func take() -> BatchMemory {
        let found = free.withLock { free in Handed(memory: free.list.popLast()) }
        return found.memory ?? BatchMemory()
    }

    @unsafe func give(_ memory: BatchMemory) {
        let handed = Handed(memory: memory)
        let kept = free.withLock { free -> Bool in
            // Enough for the batches that tasks hold at once; what one large record needed goes back.
            guard free.list.count < 32, let memory = handed.memory, memory.byteCapacity <= 1 << 20,
                memory.slotCapacity <= 1 << 16
            else { return false }
            free.list.append(memory)
            return true
        }
        if !kept { memory.deallocate() }
    }

    @safe private struct Handed: @unchecked Sendable { let memory: BatchMemory? }
}

internal import TributaryCore

/// The contexts of writes that later writes to the same cache entry replaced, until the entry's flush links to them.
///
/// They lie in the order of the writes, so that keeping one is a write behind the last. A flush of all dirty entries sorts
/// them by entry first, in one pass: chains through memory of several megabytes would cost a cache miss a context.
struct FoldedWrites: ~Copyable {
    /// How many contexts an entry keeps; the count goes on beyond.
    static let keptContexts: Int32 = 32

    struct Entry: BitwiseCopyable {
        var newest: Int32 = -1  // the last context that was kept; while sorted, where the contexts begin
        var kept: Int32 = 0
        var folded: Int64 = 0  // how many earlier writes there were since the last flush
    }

    struct Kept: BitwiseCopyable {
        var traceHigh: UInt64 = 0
        var traceLow: UInt64 = 0
        var span: UInt64 = 0
        var flags: UInt8 = 0
        var entry: Int32 = -1  // -1: free

        var context: TraceContext {
            TraceContext(traceHigh: traceHigh, traceLow: traceLow, span: span, flags: flags)
        }
    }

    private var entries: FlatArray<Entry>
    private var log: FlatArray<Kept>
    /// The context that the same entry kept before; of a free place: the next free one.
    private var before: FlatArray<Int32>
    private var used = 0
    private var firstFree: Int32 = -1
    private var sorted: FlatArray<TraceContext>
    private var isSorted = false

    /// - Parameter room: for how many entries; 0 where spans aren't made, so that nothing is ever kept.
    init(room: Int) {
        let first = room > 0 ? 64 : 0
        entries = FlatArray(repeating: Entry(), count: room)
        log = FlatArray(repeating: Kept(), count: first)
        before = FlatArray(repeating: -1, count: first)
        sorted = FlatArray(repeating: .none, count: 0)
    }

    /// Makes room for a number of entries.
    mutating func makeRoom(_ count: Int) {
        if entries.count < count { entries.grow(to: max(count, 2 * entries.count), filling: Entry()) }
    }

    /// How many earlier writes an entry has folded in since its last flush.
    func count(_ index: Int32) -> Int64 { entries[Int(index)].folded }

    /// Counts a write that is replaced and keeps its context, if it is sampled and there is room.
    @inline(__always)
    mutating func add(_ index: Int32, _ context: TraceContext) {
        entries[Int(index)].folded &+= 1
        guard context.isSampled, entries[Int(index)].kept < FoldedWrites.keptContexts else { return }
        var place = Int(firstFree)
        if place >= 0 {
            firstFree = before[place]
        } else {
            if used == log.count { growLog() }
            place = used
            used &+= 1
        }
        log[place].traceHigh = context.traceHigh
        log[place].traceLow = context.traceLow
        log[place].span = context.span
        log[place].flags = context.flags
        log[place].entry = index
        before[place] = entries[Int(index)].newest
        entries[Int(index)].newest = Int32(truncatingIfNeeded: place)
        entries[Int(index)].kept &+= 1
    }

    @inline(never)
    private mutating func growLog() {
        let size = log.count * 2
        log.grow(to: size, filling: Kept())
        before.grow(to: size, filling: -1)
    }

    /// Calls `body` with the contexts of earlier writes folded into an entry, newest first.
    func forEach(_ index: Int32, _ body: (TraceContext) -> Void) {
        let entry = entries[Int(index)]
        if isSorted {
            for place in Int(entry.newest)..<Int(entry.newest &+ entry.kept) { body(sorted[place]) }
            return
        }
        var place = entry.newest
        while place >= 0 {
            body(log[Int(place)].context)
            place = before[Int(place)]
        }
    }

    /// Forgets an entry's earlier writes.
    mutating func remove(_ index: Int32) {
        var place = entries[Int(index)].newest
        while place >= 0 {
            let next = before[Int(place)]
            log[Int(place)].entry = -1
            before[Int(place)] = firstFree
            firstFree = place
            place = next
        }
        entries[Int(index)] = Entry()
    }

    /// Sorts what is kept by entry, for a flush of all entries that keep something; ``removeAll(_:)`` has to follow.
    mutating func sort(_ list: borrowing FlatArray<Int32>, _ count: Int) {
        var end: Int32 = 0
        for place in 0..<count {
            let index = list[place]
            // Filled from the back, since the newest comes first.
            end &+= entries[Int(index)].kept
            entries[Int(index)].newest = end
        }
        if sorted.count < Int(end) { sorted.grow(to: max(Int(end), 2 * sorted.count), filling: .none) }
        for place in 0..<used {
            let index = Int(log[place].entry)
            guard index >= 0 else { continue }
            let target = entries[index].newest &- 1
            entries[index].newest = target
            sorted[Int(target)] = log[place].context
        }
        isSorted = true
    }

    /// Forgets the earlier writes of the entries of a list: of all that keep something.
    mutating func removeAll(_ list: borrowing FlatArray<Int32>, _ count: Int) {
        for place in 0..<count { entries[Int(list[place])] = Entry() }
        isSorted = false
        used = 0
        firstFree = -1
    }
}

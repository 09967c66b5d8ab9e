internal import TributaryCore

/// The contexts of writes that later writes to the same cache entry replaced, until the entry's flush links to them.
///
/// They lie in the order of the writes, so that keeping one is a write behind the last. A flush of all dirty entries sorts
/// them by entry first, in one pass: chains through memory of several megabytes would cost a cache miss a context.
struct FoldedWrites: ~Copyable {
    /// How many contexts an entry keeps, the newest; the count goes on beyond.
    static let keptContexts: Int32 = 32

    struct Entry: BitwiseCopyable {
        var newest: Int32 = -1  // the last context that was kept; while sorted, where the contexts begin
        private var keptCount: Int8 = 0
        private var liveCount: Int8 = 0
        var hasSampled = false  // whether the trace of an earlier write is sampled
        var isAnew = false  // whether the row was begun anew since the last flush
        var folded: Int64 = 0  // how many earlier writes there were since the last flush

        var kept: Int32 {
            get { Int32(keptCount) }
            set { keptCount = Int8(truncatingIfNeeded: newValue) }
        }

        /// How many of the kept, the newest, are of the value as it was begun last.
        var live: Int32 {
            get { Int32(liveCount) }
            set { liveCount = Int8(truncatingIfNeeded: newValue) }
        }
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
    /// The context that the same entry kept next, the oldest behind the newest; of a free place: the next free one.
    private var next: FlatArray<Int32>
    private var used = 0
    private var firstFree: Int32 = -1
    private var sorted: FlatArray<TraceContext>
    private var isSorted = false
    private var isSorting = false
    /// Whether a place was used again, so that the log is not in the order of the writes.
    private var isOutOfOrder = false

    /// - Parameter room: for how many entries; 0 where spans aren't made, so that nothing is ever kept.
    init(room: Int) {
        let first = room > 0 ? 64 : 0
        entries = FlatArray(repeating: Entry(), count: room)
        log = FlatArray(repeating: Kept(), count: first)
        next = FlatArray(repeating: -1, count: first)
        sorted = FlatArray(repeating: .none, count: 0)
    }

    /// Makes room for a number of entries.
    mutating func makeRoom(_ count: Int) {
        if entries.count < count { entries.grow(to: max(count, 2 * entries.count), filling: Entry()) }
    }

    /// How many earlier writes an entry has folded in since its last flush.
    func count(_ index: Int32) -> Int64 { entries[Int(index)].folded }

    /// Whether the trace of an earlier write that an entry has folded in is sampled.
    func hasSampled(_ index: Int32) -> Bool { entries[Int(index)].hasSampled }

    /// Whether an entry's row was begun anew since its last flush: deleted first, or gone.
    func isAnew(_ index: Int32) -> Bool { entries[Int(index)].isAnew }

    /// Nothing of what an entry's earlier writes made is in what is written now.
    mutating func beginAnew(_ index: Int32) {
        entries[Int(index)].live = 0
        entries[Int(index)].isAnew = true
    }

    /// Counts a write that is replaced and keeps its context, in the place of the oldest if there are too many.
    @inline(__always)
    mutating func add(_ index: Int32, _ context: TraceContext) {
        entries[Int(index)].folded &+= 1
        if context.isSampled { entries[Int(index)].hasSampled = true }
        // A write without context can't be linked: the count says that it is missing.
        guard context.isValid else { return }
        let newest = Int(entries[Int(index)].newest)
        var place: Int
        let isFull = entries[Int(index)].kept == FoldedWrites.keptContexts
        if !isFull || entries[Int(index)].live < FoldedWrites.keptContexts { entries[Int(index)].live &+= 1 }
        if isFull {
            place = Int(next[newest])
        } else {
            place = Int(firstFree)
            if place >= 0 {
                firstFree = next[place]
                isOutOfOrder = true
            } else {
                if used == log.count { growLog() }
                place = used
                used &+= 1
            }
            entries[Int(index)].kept &+= 1
            if newest >= 0 {
                next[place] = next[newest]
                next[newest] = Int32(truncatingIfNeeded: place)
            } else {
                next[place] = Int32(truncatingIfNeeded: place)
            }
        }
        log[place].traceHigh = context.traceHigh
        log[place].traceLow = context.traceLow
        log[place].span = context.span
        log[place].flags = context.flags
        log[place].entry = index
        entries[Int(index)].newest = Int32(truncatingIfNeeded: place)
    }

    @inline(never)
    private mutating func growLog() {
        let size = log.count * 2
        log.grow(to: size, filling: Kept())
        next.grow(to: size, filling: -1)
    }

    /// Calls `body` with the contexts of earlier writes folded into an entry, newest first, and whether the value now has something of theirs.
    mutating func forEach(_ index: Int32, _ body: (TraceContext, _ isLive: Bool) -> Void) {
        let entry = entries[Int(index)]
        if isSorted {
            for place in 0..<entry.kept { body(sorted[Int(entry.newest &+ place)], place < entry.live) }
            return
        }
        makeRoom(sorted: entry.kept)
        copyChain(of: entry, to: entry.kept)
        for place in 0..<entry.kept { body(sorted[Int(place)], place < entry.live) }
    }

    private mutating func makeRoom(sorted count: Int32) {
        if sorted.count < Int(count) { sorted.grow(to: max(Int(count), 2 * sorted.count), filling: .none) }
    }

    /// Copies what an entry keeps before the place `end`, the newest first: the chain goes from the oldest to the newest.
    private mutating func copyChain(of entry: Entry, to end: Int32) {
        var place = Int(entry.newest)
        for step in 0..<entry.kept {
            place = Int(next[place])
            sorted[Int(end &- 1 &- step)] = log[place].context
            if isSorting { log[place].entry = -1 }
        }
    }

    /// Forgets an entry's earlier writes.
    mutating func remove(_ index: Int32) {
        var place = entries[Int(index)].newest
        for _ in 0..<entries[Int(index)].kept {
            let following = next[Int(place)]
            log[Int(place)].entry = -1
            next[Int(place)] = firstFree
            firstFree = place
            place = following
        }
        entries[Int(index)] = Entry()
    }

    /// Sorts what is kept by entry, for a flush of all entries that keep something; ``removeAll(_:)`` has to follow.
    mutating func sort(_ list: borrowing FlatArray<Int32>, _ count: Int) {
        var end: Int32 = 0
        for place in 0..<count { end &+= entries[Int(list[place])].kept }
        makeRoom(sorted: end)
        isSorting = true
        end = 0
        for place in 0..<count {
            let index = Int(list[place])
            let kept = entries[index].kept
            end &+= kept
            if isOutOfOrder || kept == FoldedWrites.keptContexts {
                // The newest may have taken places of older ones: the order of the log says nothing.
                copyChain(of: entries[index], to: end)
                entries[index].newest = end &- kept
            } else {
                // Filled from the back, since the newest comes first.
                entries[index].newest = end
            }
        }
        isSorting = false
        for place in 0..<used {
            let index = Int(log[place].entry)
            guard index >= 0 else { continue }
            let target = entries[index].newest &- 1
            entries[index].newest = target
            sorted[Int(target)] = log[place].context
        }
        isSorted = true
    }

    /// Forgets the earlier writes of the entries of a list: of all that keep something; but not whether their rows were begun anew.
    mutating func removeAll(_ list: borrowing FlatArray<Int32>, _ count: Int) {
        for place in 0..<count {
            let index = Int(list[place])
            let isAnew = entries[index].isAnew
            entries[index] = Entry()
            entries[index].isAnew = isAnew
        }
        isSorted = false
        isOutOfOrder = false
        used = 0
        firstFree = -1
    }
}

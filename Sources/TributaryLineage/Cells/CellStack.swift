public import TributaryCore

/// The entries beyond the first of the cells of an arena, and the merging of entry lists.
///
/// A merge writes its result above everything that it reads, so that both inputs stay as they are.
@usableFromInline struct CellStack: ~Copyable {
    @usableFromInline var slots: FlatArray<CellEntry>
    @usableFromInline var used: Int

    /// The source of the entry that holds what is left when even 16 topics are too many.
    static let severalTopics: UInt32 = 0

    init() {
        slots = FlatArray(repeating: .none, count: 256)
        used = 0
    }

    /// Entry `index` of a cell; none if the cell has fewer.
    @usableFromInline
    func entry(_ cell: Cell, _ index: Int) -> CellEntry {
        if index == 0 { return cell.first }
        // The tail comes from this arena and is not negative where there are more entries than one.
        return slots[Int(cell.tail) &+ index &- 1]
    }

    /// Makes room for `count` entries above what is used.
    @inline(__always)
    mutating func reserve(_ count: Int) {
        if used &+ count > slots.count { slots.grow(to: max(slots.count &* 2, used &+ count), filling: .none) }
    }

    /// Merges the entries of `a` and `b` into those of `cell`.
    mutating func merge(_ a: Cell, _ b: Cell, subtracting: Bool, into cell: inout Cell) {
        // An aggregate and a record is the common case, and the sum doesn't ask for the order.
        if !subtracting && b.entries == 1 && b.first.partition >= 0 && mergeOne(a, b.first, into: &cell) { return }
        if !subtracting && a.entries == 1 && a.first.partition >= 0 && mergeOne(b, a.first, into: &cell) { return }
        mergeAll(a, b, subtracting: subtracting, into: &cell)
    }

    /// Adds one entry to those of `a`; does nothing and returns false if it is of a new source partition.
    ///
    /// Entries never change once they are there, so that the result may share its tail with `a`.
    @inline(__always)
    private mutating func mergeOne(_ a: Cell, _ entry: CellEntry, into cell: inout Cell) -> Bool {
        let count = Int(a.entries)
        if a.first.takesIn(entry) {
            cell.entries = a.entries
            cell.tail = a.tail
            cell.first = a.first.adding(entry)
            return true
        }
        guard count > 1 else { return false }
        let tail = Int(a.tail)
        var found = tail
        while found < tail &+ count &- 1 && !slots[found].takesIn(entry) { found &+= 1 }
        guard found < tail &+ count &- 1 else { return false }
        reserve(count &- 1)
        let start = used
        for index in 0..<(count &- 1) { slots[start &+ index] = slots[tail &+ index] }
        slots[start &+ found &- tail] = slots[found].adding(entry)
        cell.entries = a.entries
        cell.first = a.first
        cell.tail = Int32(truncatingIfNeeded: start)
        used = start &+ count &- 1
        return true
    }

    @inline(never)
    private mutating func mergeAll(_ a: Cell, _ b: Cell, subtracting: Bool, into cell: inout Cell) {
        reserve(Int(a.entries) &+ Int(b.entries))
        let start = used
        var end = start
        var left = 0
        var right = 0
        while left < Int(a.entries) || right < Int(b.entries) {
            let leftOrder = left < Int(a.entries) ? entry(a, left).order : UInt64.max
            let rightOrder = right < Int(b.entries) ? entry(b, right).order : UInt64.max
            var next: CellEntry
            if leftOrder <= rightOrder {
                next = entry(a, left)
                left &+= 1
                if leftOrder == rightOrder {
                    let other = entry(b, right)
                    right &+= 1
                    if subtracting {
                        next.count = next.count &- other.count
                    } else {
                        next.first = min(next.first, other.first)
                        next.last = max(next.last, other.last)
                        next.count = next.count &+ other.count
                    }
                }
            } else {
                next = entry(b, right)
                right &+= 1
                if subtracting { next.count = 0 &- next.count }
            }
            // A collapsed topic comes first of its entries and takes the others in.
            if end > start && slots[end &- 1].source == next.source && slots[end &- 1].partition == -1 {
                slots[end &- 1].count = slots[end &- 1].count &+ next.count
            } else {
                slots[end] = next
                end &+= 1
            }
        }
        while end &- start > CellArena.maximumEntries {
            collapse(start, &end)
            cell.flags |= Cell.collapsed
        }
        finish(start, end, &cell)
    }

    /// Gives a cell the entries in `start..<end` of the stack.
    @inline(__always)
    mutating func finish(_ start: Int, _ end: Int, _ cell: inout Cell) {
        let count = end &- start
        cell.entries = UInt8(truncatingIfNeeded: count)
        cell.first = count > 0 ? slots[start] : .none
        cell.tail = count > 1 ? Int32(truncatingIfNeeded: start &+ 1) : -1
        used = count > 1 ? end : start
    }

    /// Makes the list shorter: the topic with most entries becomes one; if each has one, the last topics become one.
    @inline(never)
    private mutating func collapse(_ start: Int, _ end: inout Int) {
        var best = start
        var bestCount = 0
        var runStart = start
        for index in start..<end {
            if slots[index].source != slots[runStart].source { runStart = index }
            if index &- runStart &+ 1 > bestCount {
                bestCount = index &- runStart &+ 1
                best = runStart
            }
        }
        if bestCount > 1 {
            for index in 1..<bestCount { slots[best].count = slots[best].count &+ slots[best &+ index].count }
            slots[best].partition = -1
            slots[best].first = 0
            slots[best].last = 0
            var target = best &+ 1
            for index in (best &+ bestCount)..<end {
                slots[target] = slots[index]
                target &+= 1
            }
            end = target
            return
        }
        // The last entry goes into the one for several topics, which is the first where it exists.
        let last = slots[end &- 1]
        if slots[start].source == CellStack.severalTopics && slots[start].partition == -1 {
            slots[start].count = slots[start].count &+ last.count
            end &-= 1
        } else {
            var index = end &- 1
            while index > start {
                slots[index] = slots[index &- 1]
                index &-= 1
            }
            slots[start] = CellEntry(
                source: CellStack.severalTopics, partition: -1, first: 0, last: 0, count: last.count)
        }
    }
}

extension CellEntry {
    /// Whether contributions of `other` belong here: the same partition, or all of the topic's.
    @inline(__always)
    fileprivate func takesIn(_ other: CellEntry) -> Bool {
        source == other.source && (partition == other.partition || partition == -1)
    }

    /// The entry with the contributions of one that belongs here.
    @inline(__always)
    fileprivate func adding(_ other: CellEntry) -> CellEntry {
        var sum = self
        sum.count = count &+ other.count
        if partition >= 0 {
            sum.first = min(first, other.first)
            sum.last = max(last, other.last)
        }
        return sum
    }
}

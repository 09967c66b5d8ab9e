public import TributaryCore

/// Sorts indices by 64-bit words, which are the first 8 bytes of the keys that the indices stand for.
///
/// Made for flushes and restores: least-significant digit first, at most 11 bits at a time, over as many of the upper bits
/// as tell most words apart; bits that are the same everywhere are skipped, and only what is equal so far is looked at again. Stable: what compares equal stays in the order of ``append(word:index:)``. Memory is
/// kept from use to use.
///
/// ```swift
/// sorter.removeAll()
/// for index in 0..<count { sorter.append(word: key(index).prefixWord(), index: UInt32(index)) }
/// sorter.sort { key($0).compare(to: key($1)) < 0 }
/// for place in 0..<sorter.count { use(sorter[place]) }
/// ```
public struct RadixSorter: ~Copyable {
    @usableFromInline
    struct Pair: BitwiseCopyable {
        @usableFromInline var word: UInt64
        @usableFromInline var index: UInt32

        @usableFromInline init(word: UInt64, index: UInt32) {
            self.word = word
            self.index = index
        }
    }

    private static let digitBits = 11
    private static let maximumDigits = 6
    /// How many bits more than would tell the pairs apart if they were spread evenly.
    private static let spareBits = 4
    private static let buckets = 1 << digitBits
    /// Below this many a radix sort costs more than it saves.
    private static let smallCount = 256
    private static let insertionCount = 24
    /// How many words of a key are looked at before comparisons take over.
    private static let maximumDepth = 64

    @usableFromInline var pairs: FlatArray<Pair>
    @usableFromInline var used = 0
    private var other = FlatArray<Pair>(repeating: Pair(word: 0, index: 0), count: 1)
    private var counts = FlatArray<UInt32>(repeating: 0, count: 1)

    /// Makes an empty sorter with room for `capacity` pairs.
    public init(capacity: Int = 1024) {
        pairs = FlatArray(repeating: Pair(word: 0, index: 0), count: max(capacity, 16))
    }

    /// The number of pairs.
    @inlinable public var count: Int { used }

    /// The index at a place; in order after a sort.
    ///
    /// - Precondition: the place is below ``count``.
    @inlinable
    public subscript(place: Int) -> UInt32 {
        precondition(place < used)
        return pairs[place].index
    }

    /// Whether the words at a place and the one after it are equal, as those of equal keys are.
    @inlinable
    func hasSameWord(asNextOf place: Int) -> Bool { pairs[place].word == pairs[place + 1].word }

    /// Forgets all pairs and keeps the memory.
    @inlinable
    public mutating func removeAll() { used = 0 }

    /// Adds a pair.
    @inlinable
    public mutating func append(word: UInt64, index: UInt32) {
        if used == pairs.count { pairs.grow(to: used * 2, filling: Pair(word: 0, index: 0)) }
        pairs[used] = Pair(word: word, index: index)
        used &+= 1
    }

    /// Sorts by word, and by the closure where words are equal.
    public mutating func sort(isBefore: (UInt32, UInt32) -> Bool) {
        sort(word: { _, _ in nil }, isBefore: isBefore)
    }

    /// Sorts by word, then by further words where many are equal, and by the closure in the end.
    ///
    /// - Parameters:
    ///   - word: the word of a key from a byte offset on, or nil if the key ends at it or before.
    ///   - isBefore: whether the first key comes before the second, for keys with the same words so far.
    public mutating func sort(
        word: (_ index: UInt32, _ offset: Int) -> UInt64?, isBefore: (UInt32, UInt32) -> Bool
    ) {
        sort(0..<used, depth: 0, word, isBefore)
    }

    private mutating func sort(
        _ range: Range<Int>, depth: Int, _ word: (UInt32, Int) -> UInt64?, _ isBefore: (UInt32, UInt32) -> Bool
    ) {
        guard range.count >= Self.smallCount else { return sortSmall(range, isBefore) }
        // Sorted by so many of the upper bits that differ that few pairs share them; those few are looked at again.
        let low = sortByUpperBits(range)
        var start = range.lowerBound
        while start < range.upperBound {
            let first = pairs[start].word &>> low
            var end = start + 1
            while end < range.upperBound && pairs[end].word &>> low == first { end += 1 }
            if end - start == 1 {
            } else if low == 0 {
                sortRun(start..<end, depth: depth, word, isBefore)
            } else {
                sort(start..<end, depth: depth, word, isBefore)
            }
            start = end
        }
    }

    private mutating func sortSmall(_ range: Range<Int>, _ isBefore: (UInt32, UInt32) -> Bool) {
        guard range.count > 1 else { return }
        sortByComparing(range) { left, right in
            left.word != right.word ? left.word < right.word : isBefore(left.index, right.index)
        }
    }

    /// Sorts pairs whose words are equal.
    private mutating func sortRun(
        _ range: Range<Int>, depth: Int, _ word: (UInt32, Int) -> UInt64?, _ isBefore: (UInt32, UInt32) -> Bool
    ) {
        // The sort so far was stable: many writes of one key are in order already.
        var isSorted = true
        for place in (range.lowerBound + 1)..<range.upperBound where isSorted {
            isSorted = !isBefore(pairs[place].index, pairs[place - 1].index)
        }
        if isSorted { return }
        if depth < Self.maximumDepth && readWords(range, at: (depth + 1) * 8, word) {
            sort(range, depth: depth + 1, word, isBefore)
        } else {
            sortByComparing(range) { isBefore($0.index, $1.index) }
        }
    }

    /// Replaces the words by those at an offset; returns false, with none replaced, if a key has none.
    private mutating func readWords(_ range: Range<Int>, at offset: Int, _ word: (UInt32, Int) -> UInt64?) -> Bool {
        for place in range {
            guard let next = word(pairs[place].index, offset) else { return false }
            other[place] = Pair(word: next, index: pairs[place].index)
        }
        pairs.copy(from: other, at: range.lowerBound, to: range.lowerBound, count: range.count)
        return true
    }

    private mutating func sortByComparing(_ range: Range<Int>, _ isBefore: (Pair, Pair) -> Bool) {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + Self.insertionCount, range.upperBound)
            insert(start..<end, isBefore)
            start = end
        }
        guard range.count > Self.insertionCount else { return }
        // The standard library's sort is stable as well, but takes an array for it.
        if other.count < pairs.count { other.grow(to: pairs.count, filling: Pair(word: 0, index: 0)) }
        var width = Self.insertionCount
        while width < range.count {
            var start = range.lowerBound
            while start + width < range.upperBound {
                let end = min(start + 2 * width, range.upperBound)
                merge(start, start + width, end, isBefore)
                start = end
            }
            width *= 2
        }
    }

    private mutating func insert(_ range: Range<Int>, _ isBefore: (Pair, Pair) -> Bool) {
        for place in range.dropFirst() {
            let moved = pairs[place]
            var target = place
            while target > range.lowerBound && isBefore(moved, pairs[target - 1]) {
                pairs[target] = pairs[target - 1]
                target -= 1
            }
            pairs[target] = moved
        }
    }

    /// Merges two neighbouring runs that are in order: from `start` to `middle`, and from there to `end`.
    private mutating func merge(_ start: Int, _ middle: Int, _ end: Int, _ isBefore: (Pair, Pair) -> Bool) {
        guard isBefore(pairs[middle], pairs[middle - 1]) else { return }
        for place in start..<middle { other[place] = pairs[place] }
        var (left, right, target) = (start, middle, start)
        while left < middle && right < end {
            if isBefore(pairs[right], other[left]) {
                pairs[target] = pairs[right]
                right += 1
            } else {
                pairs[target] = other[left]
                left += 1
            }
            target += 1
        }
        while left < middle {
            pairs[target] = other[left]
            left += 1
            target += 1
        }
    }

    /// Sorts by the upper bits of those that are not the same everywhere; returns the lowest bit that counted.
    private mutating func sortByUpperBits(_ range: Range<Int>) -> UInt64 {
        if counts.count == 1 { counts.grow(to: Self.maximumDigits * Self.buckets, filling: 0) }
        if other.count < pairs.count { other.grow(to: pairs.count, filling: Pair(word: 0, index: 0)) }
        let first = pairs[range.lowerBound].word
        var differing: UInt64 = 0
        for place in range { differing |= pairs[place].word ^ first }
        let top = 64 - differing.leadingZeroBitCount
        let wanted = min(top, Int.bitWidth - range.count.leadingZeroBitCount + Self.spareBits)
        let digits = min((wanted + Self.digitBits - 1) / Self.digitBits, Self.maximumDigits)
        guard digits > 0 else { return 0 }
        let width = min((wanted + digits - 1) / digits, Self.digitBits)
        let low = max(top - digits * width, 0)

        let mask = UInt64(1) &<< UInt64(width) &- 1
        for index in 0..<(digits * Self.buckets) { counts[index] = 0 }
        for place in range {
            var word = pairs[place].word &>> UInt64(low)
            var base = 0
            for _ in 0..<digits {
                counts[base &+ Int(truncatingIfNeeded: word & mask)] &+= 1
                word = word &>> UInt64(width)
                base &+= Self.buckets
            }
        }
        for digit in 0..<digits {
            let shift = UInt64(low + digit * width)
            let base = digit * Self.buckets
            // The same everywhere: nothing to do.
            if Int(counts[base + Int((first &>> shift) & mask)]) == range.count { continue }
            var sum = UInt32(range.lowerBound)
            for bucket in base...(base + Int(mask)) {
                let size = counts[bucket]
                counts[bucket] = sum
                sum += size
            }
            for place in range {
                let pair = pairs[place]
                let bucket = base &+ Int(truncatingIfNeeded: (pair.word &>> shift) & mask)
                let target = counts[bucket]
                other[Int(target)] = pair
                counts[bucket] = target &+ 1
            }
            if range.count == used {
                swap(&pairs, &other)
            } else {
                pairs.copy(from: other, at: range.lowerBound, to: range.lowerBound, count: range.count)
            }
        }
        return UInt64(low)
    }
}

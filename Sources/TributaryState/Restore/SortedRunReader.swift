import TributaryCore
import TributaryLineage

/// Goes through a ``SortedRun``, one entry at a time.
struct SortedRunReader: ~Copyable {
    private let run: SortedRun
    private var block = ByteWriter(capacity: SortedRun.blockBytes + 4096)
    private var head = ByteWriter(capacity: 16)
    /// Where the next block begins in the file, and the next entry in the block.
    private var fileOffset = 0
    private var blockOffset = 0
    private var keyRange = 0..<0
    private var valueRange = 0..<0
    private(set) var prefix: UInt64 = 0
    private(set) var isTombstone = false
    private(set) var isAtEnd = false

    init(_ run: SortedRun) { self.run = run }

    @_lifetime(borrow self)
    func key() -> RawSpan { block.bytes(in: keyRange) }

    @_lifetime(borrow self)
    func value() -> RawSpan { block.bytes(in: valueRange) }

    /// Goes to the next entry, or to the end.
    mutating func advance() throws(StoreError) {
        if blockOffset == block.count {
            guard fileOffset < run.size else {
                isAtEnd = true
                return
            }
            try readBlock()
        }
        do throws(MalformedBytes) {
            var reader = ByteReader(block.bytes(from: blockOffset))
            let keyLength = try reader.lengthPrefixed().byteCount
            let keyEnd = blockOffset + reader.offset
            let word = try reader.varint()
            let valueLength = word >> 1
            guard valueLength <= UInt64(reader.remaining) else {
                throw MalformedBytes.badLength(offset: reader.offset, length: valueLength)
            }
            let valueStart = blockOffset + reader.offset
            keyRange = (keyEnd - keyLength)..<keyEnd
            valueRange = valueStart..<(valueStart + Int(valueLength))
            isTombstone = word & 1 == 1
        } catch {
            throw StoreError(.corrupt, "a run of the restore is malformed: \(error)")
        }
        blockOffset = valueRange.upperBound
        prefix = block.bytes(in: keyRange).prefixWord()
    }

    private mutating func readBlock() throws(StoreError) {
        head.removeAll()
        try run.read(SortedRun.headBytes, at: fileOffset, appendTo: &head)
        let length = Int(head.bytes.integer(at: 0, as: UInt32.self) ?? 0)
        let sum = head.bytes.integer(at: 4, as: UInt64.self) ?? 0
        guard length > 0 && length <= run.size - fileOffset - SortedRun.headBytes else {
            throw StoreError(.corrupt, "a run of the restore has a block of \(length) bytes")
        }
        block.removeAll()
        try run.read(length, at: fileOffset + SortedRun.headBytes, appendTo: &block)
        guard checksum64(block.bytes) == sum else {
            throw StoreError(.corrupt, "a block of a run of the restore has another checksum")
        }
        fileOffset += SortedRun.headBytes + length
        blockOffset = 0
    }

    /// Below 0 if the entry of `left` comes first, 0 if both have the same key.
    static func compare(_ left: borrowing SortedRunReader, _ right: borrowing SortedRunReader) -> Int {
        if left.prefix != right.prefix { return left.prefix < right.prefix ? -1 : 1 }
        return left.key().compare(to: right.key())
    }

    /// Hands the entry to a closure.
    func give<Failure: Error>(
        to body: (_ key: RawSpan, _ value: RawSpan, _ isTombstone: Bool) throws(Failure) -> Void
    ) throws(Failure) {
        try body(key(), value(), isTombstone)
    }
}

/// Merges runs into one ascending sequence; of equal keys only the newest run's entry is given.
struct SortedRunMerge: ~Copyable {
    private final class Source {
        let reader: Owned<SortedRunReader>
        init(_ run: SortedRun) { reader = Owned(SortedRunReader(run)) }
    }

    /// A source at its next entry, whose key's first 8 bytes decide most comparisons without looking at the source.
    private struct Head {
        var prefix: UInt64
        var source: Int
    }

    private let sources: [Source]
    /// A binary heap: the smallest key first, of equal ones the newest run.
    private var heap: [Head] = []

    /// Begins with runs from the oldest to the newest.
    init(_ runs: ArraySlice<SortedRun>) throws(StoreError) {
        sources = runs.map { Source($0) }
        for index in sources.indices {
            try sources[index].reader.value.advance()
            guard !sources[index].reader.value.isAtEnd else { continue }
            heap.append(Head(prefix: sources[index].reader.value.prefix, source: index))
        }
        for place in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(place) }
    }

    /// Gives all entries to a closure.
    mutating func run(
        _ body: (_ key: RawSpan, _ value: RawSpan, _ isTombstone: Bool) throws(StoreError) -> Void
    ) throws(StoreError) {
        while let first = heap.first {
            // Held while it stays the first: a count of references for each entry would be a tenth of the time.
            let source = sources[first.source]
            while let winner = heap.first, winner.source == first.source {
                // Losers with the same key lie right below the winner: passed over first, while the winner's key is there.
                while let loser = loser(of: winner) { try advance(loser, sources[heap[loser].source]) }
                try source.reader.value.give(to: body)
                try advance(0, source)
            }
        }
    }

    /// The place of an older entry with the winner's key; nil if there is none.
    private func loser(of winner: Head) -> Int? {
        for place in 1...2 where place < heap.count && compareKeys(winner, heap[place]) == 0 { return place }
        return nil
    }

    private mutating func advance(_ place: Int, _ source: Source) throws(StoreError) {
        try source.reader.value.advance()
        if source.reader.value.isAtEnd {
            let last = heap.removeLast()
            guard place < heap.count else { return }
            heap[place] = last
        } else {
            heap[place].prefix = source.reader.value.prefix
        }
        sink(place)
    }

    private mutating func sink(_ start: Int) {
        var place = start
        while true {
            var least = place
            let child = 2 * place + 1
            if child < heap.count && isBefore(heap[child], heap[least]) { least = child }
            if child + 1 < heap.count && isBefore(heap[child + 1], heap[least]) { least = child + 1 }
            if least == place { return }
            heap.swapAt(place, least)
            place = least
        }
    }

    private func isBefore(_ left: Head, _ right: Head) -> Bool {
        let order = compareKeys(left, right)
        return order != 0 ? order < 0 : left.source > right.source
    }

    private func compareKeys(_ left: Head, _ right: Head) -> Int {
        if left.prefix != right.prefix { return left.prefix < right.prefix ? -1 : 1 }
        return SortedRunReader.compare(sources[left.source].reader.value, sources[right.source].reader.value)
    }
}

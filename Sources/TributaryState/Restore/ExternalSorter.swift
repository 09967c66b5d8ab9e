import TributaryCore

/// Turns the records of a changelog, in their order, into the content of a table, in the order of keys, in bounded memory.
///
/// Records are collected in an arena that is allocated once; when it is full they are sorted, only the last of each key is kept, and the
/// rest goes to a temporary file as a sorted run. In the end the runs are merged; of equal keys the newest wins. More than 32 runs of
/// a kind are merged into one before, so that the files read at once, and the memory for them, stay few however much comes in.
public final class ExternalSorter {
    fileprivate struct Entry: BitwiseCopyable {
        var offset: UInt32
        var keyLength: UInt32
        var valueLength: UInt32
        var isTombstone: Bool
    }

    fileprivate struct State: ~Copyable {
        var arena: ByteWriter
        var entries: FlatArray<Entry>
        var count = 0
        var sorter = RadixSorter(capacity: 1024)
        var runs: [SortedRun] = []
    }

    private static let maximumRuns = 32

    private let folder: String
    private let arenaBytes: Int
    private let maximumEntries: Int
    private let state: Owned<State>

    /// Makes a sorter.
    ///
    /// - Parameters:
    ///   - folder: where runs are written; must be there.
    ///   - arenaBytes: how many bytes of keys and values are sorted in memory, at most 1 GiB; in all about 1.75 times as many are used.
    public init(folder: String, arenaBytes: Int = 64 << 20) {
        self.folder = folder
        self.arenaBytes = min(max(arenaBytes, 1024), 1 << 30)
        maximumEntries = max(self.arenaBytes / 64, 16)
        state = Owned(
            State(
                arena: ByteWriter(capacity: self.arenaBytes),
                entries: FlatArray(
                    repeating: Entry(offset: 0, keyLength: 0, valueLength: 0, isTombstone: false),
                    count: min(maximumEntries, 1024))))
    }

    /// Adds a record that is newer than all before; a tombstone may have bytes, too, for the one who keeps graves.
    public func add(_ key: RawSpan, _ value: RawSpan, isTombstone: Bool = false) throws(StoreError) {
        let size = key.byteCount + value.byteCount
        guard key.byteCount <= ByteTree.maximumLength && value.byteCount <= ByteTree.maximumLength else {
            throw StoreError(.invalidRequest, "a key or value of more than 1 GiB")
        }
        if state.value.count > 0
            && (state.value.count == maximumEntries || state.value.arena.count + size > arenaBytes)
        {
            try spill()
        }
        state.value.add(key, value, isTombstone: isTombstone, limit: maximumEntries)
    }

    /// Gives the last entry of each key, in ascending order, and forgets everything.
    ///
    /// - Parameters:
    ///   - tombstone: receives the keys whose last record is a tombstone, in order among the others.
    ///   - entry: receives the rest.
    public func finish(
        tombstone: (_ key: RawSpan, _ value: RawSpan) throws(StoreError) -> Void = { _, _ in },
        entry: (_ key: RawSpan, _ value: RawSpan) throws(StoreError) -> Void
    ) throws(StoreError) {
        func give(_ key: RawSpan, _ value: RawSpan, _ isTombstone: Bool) throws(StoreError) {
            if isTombstone { try tombstone(key, value) } else { try entry(key, value) }
        }
        if state.value.runs.isEmpty {
            try state.value.giveSorted(to: give)
            return
        }
        // What is in memory is newer than all runs, and goes between them from where it is.
        state.value.sortIndices()
        var place = state.value.newest(from: 0)
        var merge = try SortedRunMerge(state.value.runs[...])
        try merge.run { (key, value, isTombstone) throws(StoreError) in
            while place < state.value.sorter.count {
                let order = state.value.compare(place, key)
                guard order <= 0 else { break }
                try state.value.give(place, to: give)
                place = state.value.newest(from: place + 1)
                if order == 0 { return }
            }
            try give(key, value, isTombstone)
        }
        while place < state.value.sorter.count {
            try state.value.give(place, to: give)
            place = state.value.newest(from: place + 1)
        }
        removeAll()
    }

    /// Forgets everything and keeps the memory.
    public func removeAll() {
        state.value.clear()
        state.value.runs.removeAll()
    }

    /// The files of the runs, for tests that break them.
    package var runDescriptors: [Int32] { state.value.runs.map(\.descriptor) }

    private func spill() throws(StoreError) {
        let run = try SortedRun(folder: folder, level: 0)
        try state.value.giveSorted { (key, value, isTombstone) throws(StoreError) in
            try run.append(key, value, isTombstone: isTombstone)
        }
        try run.finish()
        state.value.runs.append(run)
        try mergeIfMany()
    }

    /// Merges the newest runs when there are many that were merged equally often.
    private func mergeIfMany() throws(StoreError) {
        while let level = state.value.runs.last?.level {
            let same = state.value.runs.reversed().prefix { $0.level == level }.count
            guard same >= Self.maximumRuns else { return }
            let merged = try SortedRun(folder: folder, level: level + 1)
            var merge = try SortedRunMerge(state.value.runs.suffix(same))
            try merge.run { (key, value, isTombstone) throws(StoreError) in
                try merged.append(key, value, isTombstone: isTombstone)
            }
            try merged.finish()
            state.value.runs.removeLast(same)
            state.value.runs.append(merged)
        }
    }
}

extension ExternalSorter.State {
    fileprivate mutating func add(_ key: RawSpan, _ value: RawSpan, isTombstone: Bool, limit: Int) {
        if count == entries.count { entries.grow(to: min(count * 2, limit), filling: entries[0]) }
        entries[count] = ExternalSorter.Entry(
            offset: UInt32(arena.count), keyLength: UInt32(key.byteCount), valueLength: UInt32(value.byteCount),
            isTombstone: isTombstone)
        arena.append(key)
        arena.append(value)
        sorter.append(word: key.prefixWord(), index: UInt32(count))
        count += 1
    }

    fileprivate mutating func clear() {
        arena.removeAll()
        sorter.removeAll()
        count = 0
    }

    /// Gives the last entry of each key in order, and clears.
    fileprivate mutating func giveSorted(
        to body: (_ key: RawSpan, _ value: RawSpan, _ isTombstone: Bool) throws(StoreError) -> Void
    ) throws(StoreError) {
        sortIndices()
        var place = newest(from: 0)
        while place < sorter.count {
            try give(place, to: body)
            place = newest(from: place + 1)
        }
        clear()
    }

    /// The first place from `place` on that has the newest entry of its key: equal keys lie together, the newest last.
    fileprivate func newest(from place: Int) -> Int {
        var place = place
        while place + 1 < sorter.count && sorter.hasSameWord(asNextOf: place)
            && isSameKey(entries[Int(sorter[place])], entries[Int(sorter[place + 1])])
        {
            place += 1
        }
        return place
    }

    /// Gives the entry at a place of the sorted order.
    fileprivate func give<Failure: Error>(
        _ place: Int, to body: (_ key: RawSpan, _ value: RawSpan, _ isTombstone: Bool) throws(Failure) -> Void
    ) throws(Failure) {
        let entry = entries[Int(sorter[place])]
        try body(key(entry), value(entry), entry.isTombstone)
    }

    /// Below 0 if the entry at a place comes before `other`, 0 if it has that key.
    fileprivate func compare(_ place: Int, _ other: RawSpan) -> Int {
        key(entries[Int(sorter[place])]).compare(to: other)
    }

    fileprivate mutating func sortIndices() {
        Self.sort(&sorter, arena, entries)
    }

    private static func sort(
        _ sorter: inout RadixSorter, _ arena: borrowing ByteWriter, _ entries: borrowing FlatArray<ExternalSorter.Entry>
    ) {
        let bytes = arena.bytes
        sorter.sort(
            word: { index, offset in
                let entry = entries[Int(index)]
                guard offset < Int(entry.keyLength) else { return nil }
                let start = Int(entry.offset)
                return bytes.extracting(start..<(start + Int(entry.keyLength))).prefixWord(at: offset)
            },
            isBefore: { left, right in
                let (first, second) = (entries[Int(left)], entries[Int(right)])
                let firstKey = bytes.extracting(Int(first.offset)..<Int(first.offset + first.keyLength))
                let secondKey = bytes.extracting(Int(second.offset)..<Int(second.offset + second.keyLength))
                let order = firstKey.compare(to: secondKey)
                return order != 0 ? order < 0 : left < right
            })
    }

    @_lifetime(borrow self)
    private func key(_ entry: ExternalSorter.Entry) -> RawSpan {
        arena.bytes(in: Int(entry.offset)..<Int(entry.offset + entry.keyLength))
    }

    @_lifetime(borrow self)
    private func value(_ entry: ExternalSorter.Entry) -> RawSpan {
        let start = Int(entry.offset + entry.keyLength)
        return arena.bytes(in: start..<(start + Int(entry.valueLength)))
    }

    private func isSameKey(_ left: ExternalSorter.Entry, _ right: ExternalSorter.Entry) -> Bool {
        key(left).isEqual(to: key(right))
    }
}

internal import TributaryCore

/// How a store's rows lie in an engine: which tables there are, which of them has a key, and what goes when time goes on.
///
/// A kind of store has one type that conforms, made in ``StoreTraits/layout(_:in:_:)``.
protocol StoreLayout: AnyObject {
    /// How keys of rows are made.
    var keys: KeySchema { get }
    /// The greatest time of a row put so far, ms; -1 before the first, and where rows stay.
    var streamTime: Int64 { get }
    /// The earliest time of a row that reads still see, ms.
    var earliestVisible: Int64 { get }

    func get(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool
    /// The same of a row that reads may not see any more, as long as it is there.
    func getStored(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool
    /// The same for who only looks, which is no use of the row.
    func peek(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool
    /// Returns false if the row is too old for the store and was refused.
    func put(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool
    func delete(_ key: RawSpan) throws(StoreError) -> Bool
    /// Whether a row isn't too old for the store.
    func accepts(_ key: RawSpan) -> Bool
    /// Whether a row would be too old for the store at a stream time.
    func isExpired(_ key: RawSpan, at streamTime: Int64) -> Bool

    /// The tables that can hold rows of a range of times, ascending.
    func tables(from first: Int64, through last: Int64) -> [any StateTable]
    /// Adds the first `limit` rows of the keys from `lower` through `upper` (nil: open-ended) to `rows`, in order: rows of times between `first`
    /// and `last`, where rows have times.
    func copyRows(
        from lower: RawSpan, through upper: RawSpan?, times first: Int64, _ last: Int64, limit: Int,
        into rows: CopiedRows
    ) throws(StoreError)
    /// The number of the next row that is kept beside others of its key and time: from 1, 31 bits.
    func nextSequence() -> UInt32
    /// Notes the number of a row that is restored.
    func noteSequence(of key: RawSpan)
    /// Rows come in the order of this number first, and by key where it is the same.
    func rank(ofTime time: Int64) -> Int64
    /// Calls the body with the keys of rows from `lower` through `upper` whose times lie in a range, ascending (`reverse`: descending), until
    /// it returns false.
    ///
    /// - Parameter search: has the buffers for the keys at hand.
    func forEachKey(
        from lower: RawSpan, through upper: RawSpan, times: ClosedRange<Int64>, reverse: Bool, _ search: RowSearch,
        _ body: (RawSpan) throws(StoreError) -> Bool
    ) throws(StoreError)
    /// Calls the body with the keys of all rows whose times lie in a range, in the order of times and then of keys; only where rows are
    /// found by their times.
    func forEachKey(times: ClosedRange<Int64>, _ body: (RawSpan) throws(StoreError) -> Void) throws(StoreError)
    /// Whether a table of the engine belongs to the store.
    func owns(_ table: String) -> Bool

    /// The same layout in another engine, for rows to be appended.
    func rebuilt(in engine: any StateEngine) throws(StoreError) -> any StoreLayout
    /// Raises the stream time, before rows are appended.
    func advance(to time: Int64) throws(StoreError)
    /// Adds a row whose key is greater than all before; one that is too old is left out.
    func append(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError)
    /// Deletes all rows.
    func clear() throws(StoreError)
    /// The engine's content was replaced: forgets what was known of it.
    func reload() throws(StoreError)
    /// Keeps what is known beside the rows; called before each commit of the engine.
    func prepareCommit() throws(StoreError)
    /// The table that all rows lie in; nil where they lie in several.
    var onlyTable: (any StateTable)? { get }
}

/// What rows without windows have in common.
extension StoreLayout {
    func peek(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        try get(key, into: &envelope)
    }
    func getStored(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        try peek(key, into: &envelope)
    }
    func copyRows(
        from lower: RawSpan, through upper: RawSpan?, times first: Int64, _ last: Int64, limit: Int,
        into rows: CopiedRows
    ) throws(StoreError) {
        for table in tables(from: first, through: last) {
            try table.copyRows(from: lower, through: upper, limit: limit, into: rows)
        }
    }
    var onlyTable: (any StateTable)? { nil }
    func nextSequence() -> UInt32 { 0 }
    func noteSequence(of key: RawSpan) {}
    func forEachKey(
        from lower: RawSpan, through upper: RawSpan, times: ClosedRange<Int64>, reverse: Bool, _ search: RowSearch,
        _ body: (RawSpan) throws(StoreError) -> Bool
    ) throws(StoreError) {
        for table in tables(from: times.lowerBound, through: times.upperBound) {
            try table.forEachKey(from: lower, through: upper, reverse: reverse, search, body)
        }
    }
    func forEachKey(times: ClosedRange<Int64>, _ body: (RawSpan) throws(StoreError) -> Void) throws(StoreError) {}
}

/// One table of the engine: rows stay until they are deleted.
final class TableStore: StoreLayout {
    private let name: String
    private let table: any StateTable

    init(_ name: String, _ table: any StateTable) {
        self.name = name
        self.table = table
    }

    var keys: KeySchema { .plain }
    var streamTime: Int64 { -1 }
    var earliestVisible: Int64 { Int64.min }
    var onlyTable: (any StateTable)? { table }

    func get(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        try table.get(key, into: &envelope)
    }
    func put(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool {
        try table.put(key, envelope)
        return true
    }
    func delete(_ key: RawSpan) throws(StoreError) -> Bool { try table.delete(key) }
    func accepts(_ key: RawSpan) -> Bool { true }
    func isExpired(_ key: RawSpan, at streamTime: Int64) -> Bool { false }

    func tables(from first: Int64, through last: Int64) -> [any StateTable] { [table] }
    func rank(ofTime time: Int64) -> Int64 { 0 }
    func owns(_ table: String) -> Bool { table == name }

    func rebuilt(in engine: any StateEngine) throws(StoreError) -> any StoreLayout {
        TableStore(name, try engine.table(name))
    }
    func advance(to time: Int64) {}
    func append(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) { try table.append(key, envelope) }
    func clear() throws(StoreError) { try table.deleteAll() }
    func reload() {}
    func prepareCommit() {}
}

extension StateTable {
    /// Calls the body with the keys of a range in order until it returns false; without a cursor, which would cost an allocation.
    func forEachKey(
        from lower: RawSpan, through upper: RawSpan, reverse: Bool, _ search: RowSearch,
        _ body: (RawSpan) throws(StoreError) -> Bool
    ) throws(StoreError) {
        let start = reverse ? upper : lower
        let key = search.key
        let last = search.last
        guard try neighbour(of: start, before: reverse, orEqual: true, into: &key.writer) else { return }
        while true {
            let isInside =
                reverse ? key.bytes.compare(to: lower) >= 0 : key.bytes.compare(to: upper) <= 0
            guard isInside, try body(key.bytes) else { return }
            last.writer.removeAll()
            last.writer.append(key.bytes)
            guard try neighbour(of: last.bytes, before: reverse, orEqual: false, into: &key.writer) else { return }
        }
    }

    /// Deletes all entries, some at a time.
    func deleteAll() throws(StoreError) {
        var key = ByteWriter()
        var value = ByteWriter()
        var keys: [[UInt8]] = []
        repeat {
            keys = []
            let cursor = try cursor(from: nil, through: nil, reverse: false)
            while keys.count < 10_000, try cursor.next(key: &key, value: &value) { keys.append(key.copy()) }
            cursor.close()
            for key in keys { try delete(key.span.bytes) }
        } while !keys.isEmpty
    }
}

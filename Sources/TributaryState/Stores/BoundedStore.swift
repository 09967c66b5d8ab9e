internal import TributaryCore

/// The engine side of a store of so many rows at most: with one more, the one goes that was read or written the longest ago.
///
/// As Kafka Streams' LRU store; what goes is told to nobody, the changelog neither. The order of use lies in tables beside: numbers by key, keys by
/// number.
final class BoundedStore: StoreLayout {
    private let store: String
    private let engine: any StateEngine
    private let table: any StateTable
    private let uses: any StateTable
    private let order: any StateTable
    private let maximum: Int
    private var used: UInt64 = 0
    private var rows = 0
    private let number = ByteBuffer(capacity: 8)
    private let found = ByteBuffer()

    init(_ store: String, engine: any StateEngine, maximum: Int) throws(StoreError) {
        self.store = store
        self.engine = engine
        self.maximum = maximum
        table = try engine.table(store)
        uses = try engine.table(store + ".uses")
        order = try engine.table(store + ".order")
        try reload()
    }

    var keys: KeySchema { .plain }
    var streamTime: Int64 { -1 }
    var earliestVisible: Int64 { Int64.min }

    func get(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        guard try table.get(key, into: &envelope) else { return false }
        try use(key)
        return true
    }

    func peek(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        try table.get(key, into: &envelope)
    }

    func put(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool {
        try table.put(key, envelope)
        if try use(key) { return true }
        rows += 1
        while rows > maximum, try forgetOldest() {}
        return true
    }

    func delete(_ key: RawSpan) throws(StoreError) -> Bool {
        guard try table.delete(key) else { return false }
        rows -= 1
        if try uses.get(key, into: &found.writer) { try order.delete(found.bytes) }
        try uses.delete(key)
        return true
    }

    /// Makes a key the one used last; returns whether it was there.
    @discardableResult
    private func use(_ key: RawSpan) throws(StoreError) -> Bool {
        let wasThere = try uses.get(key, into: &found.writer)
        if wasThere { try order.delete(found.bytes) }
        used += 1
        number.writer.removeAll()
        number.writer.append(bigEndian: used)
        try uses.put(key, number.bytes)
        try order.put(number.bytes, key)
        return wasThere
    }

    private func forgetOldest() throws(StoreError) -> Bool {
        let cursor = try order.cursor(from: nil, through: nil, reverse: false)
        let isThere = try cursor.next(key: &number.writer, value: &found.writer)
        cursor.close()
        guard isThere else { return false }
        try order.delete(number.bytes)
        try uses.delete(found.bytes)
        try table.delete(found.bytes)
        rows -= 1
        return true
    }

    func accepts(_ key: RawSpan) -> Bool { true }
    func isExpired(_ key: RawSpan, at streamTime: Int64) -> Bool { false }
    func tables(from first: Int64, through last: Int64) -> [any StateTable] { [table] }
    func rank(ofTime time: Int64) -> Int64 { 0 }
    func owns(_ table: String) -> Bool { table == store || table == store + ".uses" || table == store + ".order" }
    func rebuilt(in engine: any StateEngine) throws(StoreError) -> any StoreLayout {
        try BoundedStore(store, engine: engine, maximum: maximum)
    }
    func advance(to time: Int64) {}
    func append(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) { _ = try put(key, envelope) }

    func clear() throws(StoreError) {
        try table.deleteAll()
        try uses.deleteAll()
        try order.deleteAll()
        rows = 0
    }

    func reload() throws(StoreError) {
        rows = try table.count()
        let cursor = try order.cursor(from: nil, through: nil, reverse: true)
        defer { cursor.close() }
        used = 0
        if try cursor.next(key: &number.writer, value: &found.writer) {
            used = number.bytes.integer(at: 0, as: UInt64.self) ?? 0
        }
    }

    func prepareCommit() {}
}

internal import TributaryCore
internal import TributaryDSL

/// The settings of a canned processor, read once.
struct ProcessorSettings: Sendable {
    let kind: ProcessorShape.Kind
    let store: String?
    /// Whether the store belongs to a table of counts.
    let storeHasIntegers: Bool
    let times: Int64
    let shift: Int64
    let back: Int64
    let timeToLive: Int64
    let every: Int64?
    let clock: PunctuationClock
    let cancelAfter: Int64?
    let scheduleOn: String?
    let forwards: Bool
    let punctuationKey: String
    let punctuationHasMeta: Bool
    let headerName: String
    let headerValue: [UInt8]
    let children: [String: String]

    init(_ shape: ProcessorShape, _ integerStores: Set<String>) throws(CaseError) {
        let fields = shape.fields
        kind = shape.kind
        store = shape.store
        storeHasIntegers = shape.store.map { integerStores.contains($0) } ?? false
        times = try fields.integer("n") ?? 0
        shift = try fields.integer("byMs") ?? 0
        back = try fields.integer("backMs") ?? 0
        timeToLive = try fields.integer("ttlMs") ?? 0
        every = try fields.integer("everyMs")
        clock = try shape.clock == .wall ? .wallClock : .streamTime
        cancelAfter = try fields.integer("cancelAfter")
        scheduleOn = try fields.text("scheduleOn")
        forwards = try fields.bool("forward") ?? false
        punctuationKey = try fields.text("key") ?? "punct"
        punctuationHasMeta = try fields.bool("meta") ?? false
        headerName = try fields.text("name") ?? ""
        headerValue = Array((try fields.text("value") ?? "").utf8)
        var children: [String: String] = [:]
        for (name, value) in try fields.fields("children")?.object.fields ?? [] { children[name] = value.string }
        self.children = children
    }

    /// The name of the store, which the kind needs.
    func storeName() throws(CaseError) -> String {
        guard let store else { throw CaseError("the processor '\(kind.rawValue)' needs a store") }
        return store
    }
}

/// What a canned processor tells of a record and the clocks: M(v) of the format.
struct ProcessorMeta {
    let coordinate: (topic: String?, partition: Int32, offset: Int64)
    let streamTime: Int64
    let wallClock: Int64

    func text(_ value: String?, timestamp: Int64, headers: Headers) -> String {
        let place = "\(coordinate.topic ?? "~")/\(coordinate.partition)/\(coordinate.offset)"
        let list = headers.list.map { header in
            "\(header.name)=\(header.value.map { String(decoding: $0, as: UTF8.self) } ?? "~")"
        }
        let clocks = "st=\(streamTime)|wall=\(wallClock)"
        return "\(shown(value))|\(place)|ts=\(timestamp)|\(clocks)|\(list.joined(separator: ","))"
    }
}

/// A row of a key-value store that a canned processor reads.
struct TableRow {
    let value: CaseValue
    let timestamp: Int64
}

/// The text of readTable: the value, `&`, and the row with its time.
func readTableText(_ value: CaseValue, _ row: TableRow?) -> CaseValue {
    let found = row.map { "\(shown($0.value.text))@\($0.timestamp)" } ?? "~"
    return .text("\(shown(value.text))&\(found)")
}

/// The elements of a walk, each as text, in brackets.
func list<Key, Value>(
    _ iterator: StoreIterator<Key, Value>, _ text: (StoreEntry<Key, Value>) -> String
) throws -> String {
    var parts: [String] = []
    while let entry = try iterator.nextEntry() { parts.append(text(entry)) }
    iterator.close()
    return "[\(parts.joined(separator: ","))]"
}

extension Headers {
    /// The list with one more header.
    func adding(_ name: String, _ value: [UInt8]) -> Headers {
        var headers = self
        headers.append(name, value)
        return headers
    }
}

/// A record as the model has it: a key, a value, a time, headers.
struct ModelRecord {
    var key: CaseKey
    var value: CaseValue
    var time: Int64
    var headers: [CaseHeader] = []
    /// Of a change of a table that says so: what the row was before.
    var old = CaseValue.null
}

/// A row of a store of the model.
struct ModelRow {
    var value: CaseValue
    var time: Int64
}

/// A store of the model: a dictionary, and beside it what its cache has not given on.
///
/// The cache never runs full: what a budget evicts is not modelled.
final class ModelStore {
    /// The name that was given to it; nil for a generated one.
    let name: String?
    let isCached: Bool
    let isTimestamped: Bool
    let isLogged: Bool
    /// How long windows are seen; nil for a store without windows.
    let retention: Int64?
    /// The size of windows in a processors' store.
    let windowSize: Int64
    /// The nodes that use it, as numbers.
    var users: [Int] = []
    /// What the flush of a row forwards it to.
    var onFlush: ((ModelRecord) throws -> Void)?
    /// What was written to the changelog: key, value, time.
    private(set) var changelog: [ModelRecord] = []

    private struct Dirty {
        var value: CaseValue
        var time: Int64
        var record: ModelRecord
    }

    private var rows: [CaseKey: ModelRow] = [:]
    private var dirty: [CaseKey: Dirty] = [:]
    private var order: [CaseKey] = []
    private var cachedKeys: Set<CaseKey> = []
    private var streamTime: Int64 = -1

    init(
        name: String?, isCached: Bool, isTimestamped: Bool, isLogged: Bool = true, retention: Int64? = nil,
        windowSize: Int64 = 0
    ) {
        self.name = name
        self.isCached = isCached
        self.isTimestamped = isTimestamped
        self.isLogged = isLogged
        self.retention = retention
        self.windowSize = windowSize
    }

    var flushOrder: Int { (onFlush == nil ? users.max() : users.first) ?? 0 }

    var isDirty: Bool { !order.isEmpty }

    /// The row of a key; what the cache has is seen however old it is (Docs/Semantics.md, The cache).
    func read(_ key: CaseKey) -> ModelRow? {
        if let found = dirty[key] { return found.value == .null ? nil : ModelRow(value: found.value, time: found.time) }
        guard let row = rows[key], cachedKeys.contains(key) || isVisible(key) else { return nil }
        return row
    }

    /// All rows by key and window.
    func all() -> [(key: CaseKey, row: ModelRow)] {
        Set(rows.keys).union(dirty.keys).compactMap { key in read(key).map { (key, $0) } }
            .sorted { $0.key.modelOrder.lexicographicallyPrecedes($1.key.modelOrder) }
    }

    private func isVisible(_ key: CaseKey) -> Bool {
        guard let retention, retention < Int64.max, case .windowed(_, let start, _) = key, streamTime >= 0 else {
            return true
        }
        // The last millisecond that there is is always seen.
        return start >= Int64(clamping: Int128(streamTime) - Int128(retention) + 1)
    }

    /// Writes a row (null: deletes it).
    func write(_ key: CaseKey, _ value: CaseValue, time: Int64, _ record: ModelRecord) {
        guard isCached else { return writeThrough(key, value, time: time, recordTime: record.time) }
        order.removeAll { $0 == key }
        order.append(key)
        cachedKeys.insert(key)
        dirty[key] = Dirty(value: value, time: time, record: record)
    }

    private func writeThrough(_ key: CaseKey, _ value: CaseValue, time: Int64, recordTime: Int64) {
        put(key, value, time: time)
        log(key, value, time: value == .null || !isTimestamped ? recordTime : time)
    }

    private func put(_ key: CaseKey, _ value: CaseValue, time: Int64) {
        if retention != nil, case .windowed(_, let start, _) = key { streamTime = max(streamTime, start) }
        rows[key] = value == .null ? nil : ModelRow(value: value, time: time)
    }

    private func log(_ key: CaseKey, _ value: CaseValue, time: Int64) {
        if isLogged { changelog.append(ModelRecord(key: key, value: value, time: time)) }
    }

    /// Gives on what the cache holds, in the order of the last writes; deletes of what never was are dropped where they would be forwarded (Docs/Semantics.md, The cache).
    func flush() throws {
        let taken = order.compactMap { key in dirty[key].map { (key, $0) } }
            .filter { onFlush == nil || $0.1.value != .null || rows[$0.0] != nil }
        order = []
        dirty = [:]
        let before = taken.map { key, _ in rows[key]?.value ?? .null }
        for (key, entry) in taken { put(key, entry.value, time: entry.time) }
        for ((key, entry), old) in zip(taken, before) {
            let time = entry.value == .null || !isTimestamped ? entry.record.time : entry.time
            log(key, entry.value, time: time)
            try onFlush?(ModelRecord(key: key, value: entry.value, time: time, headers: entry.record.headers, old: old))
        }
    }
}

extension CaseKey {
    /// The order of stores: by the key's bytes, then by the window.
    var modelOrder: [UInt8] {
        guard case .windowed(_, let start, _) = self else { return Array((innerKey ?? "").utf8) }
        return Array((innerKey ?? "").utf8) + (0..<8).map { UInt8(truncatingIfNeeded: start >> (56 - 8 * $0)) }
    }

    /// The key's bytes in a changelog, as hexadecimal digits.
    func changelogText(isWindowStore: Bool) -> String {
        let text = Array((innerKey ?? "").utf8).modelHexadecimal
        guard case .windowed(_, let start, _) = self else { return text }
        let digits = String(UInt64(bitPattern: start), radix: 16)
        let window = String(repeating: "0", count: 16 - digits.count) + digits
        return text + window + (isWindowStore ? "00000000" : "")
    }
}

extension CaseValue {
    /// The value's bytes, as hexadecimal digits; nil for null.
    var changelogText: String? {
        switch self {
        case .null: return nil
        case .text(let text): return Array(text.utf8).modelHexadecimal
        case .integer(let value):
            let digits = String(UInt64(bitPattern: value), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
    }
}

extension [UInt8] {
    fileprivate var modelHexadecimal: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

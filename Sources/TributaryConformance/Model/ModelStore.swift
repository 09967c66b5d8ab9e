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
    /// Whether rows are of sessions, which are kept by their ends.
    var hasSessions = false
    /// Whether rows are found by their times, for results that come when windows close.
    var isOrderedByTime = false
    var isInMemory = false
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
        guard let retention, retention < Int64.max, let time = self.time(of: key), streamTime >= 0 else { return true }
        // The last millisecond that there is is always seen.
        let earliest = Int64(clamping: Int128(streamTime) - Int128(retention) + 1)
        return time >= (isOrderedByTime && !isInMemory && !hasSessions ? earliest - 1 : earliest)
    }

    /// The time by which a row is kept.
    func time(of key: CaseKey) -> Int64? {
        guard case .windowed(_, let start, let end) = key else { return nil }
        return hasSessions ? end : start
    }

    /// The rows that are emitted when their windows close: of times in a range, by time and key.
    func closing(from first: Int128, through last: Int128) -> [(key: CaseKey, row: ModelRow)] {
        let found = Set(rows.keys).union(dirty.keys).filter { key in
            guard let time = self.time(of: key) else { return false }
            return Int128(time) >= first && Int128(time) <= last
        }
        let seen = found.compactMap { key -> (key: CaseKey, row: ModelRow)? in
            if let row = read(key) { return (key, row) }
            // Sessions in a persistent store are emitted as long as their segment is there.
            guard hasSessions, !isInMemory, dirty[key] == nil, !isGone(key), let row = rows[key] else { return nil }
            return (key, row)
        }
        func order(_ key: CaseKey) -> (Int64, Int64, [UInt8]) {
            guard case .windowed(let inner, let start, let end) = key else { return (0, 0, []) }
            return (hasSessions ? end : start, start, Array((inner ?? "").utf8))
        }
        return seen.sorted { one, other in
            let (left, right) = (order(one.key), order(other.key))
            if left.0 != right.0 { return left.0 < right.0 }
            if hasSessions && !isInMemory && left.1 != right.1 { return left.1 < right.1 }
            if left.2 != right.2 { return left.2.lexicographicallyPrecedes(right.2) }
            return left.1 > right.1
        }
    }

    // Whether a row's segment is gone.
    private func isGone(_ key: CaseKey) -> Bool {
        guard let retention, retention < Int64.max, let time = self.time(of: key) else { return false }
        let bound = Int128(streamTime) - Int128(retention)
        let width = Int128(max(retention / 2, 60_000))
        return bound >= 0 && Int128(time) / width < bound / width
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
        if retention != nil, let time = self.time(of: key) { streamTime = max(streamTime, time) }
        rows[key] = value == .null ? nil : ModelRow(value: value, time: time)
    }

    private func log(_ key: CaseKey, _ value: CaseValue, time: Int64) {
        if isLogged { changelog.append(ModelRecord(key: key, value: value, time: time)) }
    }

    /// Gives on what the cache holds, in the order of the last writes; deletes of what never was are dropped where they would be forwarded (Docs/Semantics.md, The cache).
    func flush() throws {
        let taken = order.compactMap { key in dirty[key].map { (key, $0) } }
            .filter { onFlush == nil || $0.1.value != .null || rows[$0.0] != nil && isVisible($0.0) }
        for (key, entry) in dirty where entry.value == .null { cachedKeys.remove(key) }
        order = []
        dirty = [:]
        let before = taken.map { key, _ in isVisible(key) ? rows[key]?.value ?? .null : .null }
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
    func changelogText(isWindowStore: Bool, hasSessions: Bool = false) -> String {
        let text = Array((innerKey ?? "").utf8).modelHexadecimal
        guard case .windowed(_, let start, let end) = self else { return text }
        func digits(_ time: Int64) -> String {
            let digits = String(UInt64(bitPattern: time), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        if hasSessions { return text + digits(end) + digits(start) }
        return text + digits(start) + (isWindowStore ? "00000000" : "")
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

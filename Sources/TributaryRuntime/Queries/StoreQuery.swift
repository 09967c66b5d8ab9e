public import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// A row that a query found: bytes, and where they came from.
public struct QueriedRow: Sendable, Hashable {
    /// The key in the store's layout.
    public var key: [UInt8]
    /// The value's bytes.
    public var value: [UInt8]
    /// The value's timestamp, ms.
    public var timestamp: Int64
    /// The context of the write that made it.
    public var context: TraceContext
    /// The cell's bytes; empty if cells are off.
    public var cell: [UInt8]
    /// The headers of the record that wrote it, where the store keeps them.
    public var headers = Headers()
    /// Of a version that was replaced: when, ms.
    public var validTo: Int64?
}

/// Which state a query sees.
public enum QueryMode: Sendable {
    /// What the task sees between two records: through the cache. Answered by the stream thread.
    case current
    /// What was last made durable: read from the state's file by the caller's own thread.
    case committed
}

/// What a query asks of one store.
public enum StoreQuery: Sendable {
    /// One key in the store's layout.
    case key([UInt8])
    /// Keys from one through another; nil is open-ended.
    case range([UInt8]?, [UInt8]?, reverse: Bool = false)
    /// Windows, or sessions.
    case windows(WindowRange)
    /// The version of a key that was the newest at a time, ms.
    case version([UInt8], at: Int64)
    /// The versions of a key that counted at any time of a range, ms, both ends included.
    case versions([UInt8], from: Int64, through: Int64, reverse: Bool = false)
}

/// Which windows, or sessions, a query asks for; both ends of all ranges are included.
public struct WindowRange: Sendable {
    /// One key; nil for all between ``keysFrom`` and ``keysThrough``.
    public var key: [UInt8]?
    /// The first key; nil for an open end.
    public var keysFrom: [UInt8]?
    /// The last key; nil for an open end.
    public var keysThrough: [UInt8]?
    /// The earliest start of windows, the earliest end of sessions, ms.
    public var from: Int64
    /// The latest start of windows, the latest end of sessions, ms.
    public var through: Int64
    /// The latest start of sessions, ms.
    public var startingThrough: Int64
    /// Whether they come in the opposite order.
    public var reverse: Bool

    /// Makes a range.
    public init(
        key: [UInt8]? = nil, keysFrom: [UInt8]? = nil, keysThrough: [UInt8]? = nil, from: Int64 = 0,
        through: Int64 = .max, startingThrough: Int64 = .max, reverse: Bool = false
    ) {
        self.key = key
        self.keysFrom = keysFrom
        self.keysThrough = keysThrough
        self.from = from
        self.through = through
        self.startingThrough = startingThrough
        self.reverse = reverse
    }
}

extension StreamThread {
    /// Asks the tasks of this thread that hold a store; none if there are none.
    ///
    /// - Throws: `StoreError`; `StoreError.Code.closed` if the thread has ended.
    public func query(_ store: String, _ query: StoreQuery, _ mode: QueryMode) async throws -> [QueriedRow] {
        switch mode {
        case .current: try await current(store, query)
        case .committed: try committed(store, query)
        }
    }

    private func current(_ store: String, _ query: StoreQuery) async throws -> [QueriedRow] {
        try await withCheckedThrowingContinuation { continuation in
            perform { loop in
                guard let loop else {
                    return continuation.resume(
                        throwing: StoreError(.closed, "the application does not run", store: store))
                }
                continuation.resume(
                    with: Result { try loop.tasks.flatMap { try $0.answer(store, query) } })
            }
        }
    }

    /// Waits until the thread has made a whole round that began after this call: what was due then is done and committed.
    ///
    /// - Throws: ``StoreError.Code.closed`` if the thread has ended.
    package func finishRound() async throws {
        // The first is answered at the beginning of the round, the second at the beginning of the next.
        for _ in 0..<2 {
            let isRunning = await withCheckedContinuation { continuation in
                perform { continuation.resume(returning: $0 != nil) }
            }
            if !isRunning { throw StoreError(.closed, "the application does not run") }
        }
    }

    private func committed(_ store: String, _ query: StoreQuery) throws -> [QueriedRow] {
        guard let description = storeDescription(store) else {
            throw StoreError(.unknownStore, "the topology has no such store", store: store)
        }
        guard description.isInTaskFile else {
            let what = description.supplier.map { "a store of the supplier '\($0.name)'" } ?? "a store in memory"
            throw StoreError(.invalidRequest, "\(what) has no committed state to read", store: store)
        }
        return try readers.values.flatMap { try description.rows(query, in: $0) }
    }
}

extension StoreDescription {
    /// Answers a query from what a task has committed.
    fileprivate func rows(_ query: StoreQuery, in reader: any CommittedReader) throws(StoreError) -> [QueriedRow] {
        var rows: [QueriedRow] = []
        var isReverse = false
        func add(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool {
            rows.append(try QueriedRow([UInt8](copying: key), envelope, self))
            return true
        }
        func addVersions(_ key: [UInt8], _ versions: [StoredVersion]) throws(StoreError) {
            for version in versions {
                var row = try QueriedRow(key, version.envelope.span.bytes, self)
                row.validTo = version.validTo
                rows.append(row)
            }
        }
        // Not each task of a thread holds the store, and one that does may have nothing committed.
        let isThere = try reader.tableNames().contains(name)
        switch query {
        case .key(let key):
            var value = ByteWriter()
            if isThere, try reader.get(name, key.span.bytes, into: &value) {
                rows.append(try QueriedRow(key, value.bytes, self))
            }
        case .range(let lower, let upper, let reverse):
            isReverse = reverse
            guard isThere else { return [] }
            try reader.forEach(name, from: lower?.span.bytes, through: upper?.span.bytes, add)
        case .windows(let range):
            isReverse = range.reverse
            try reader.forEachWindow(
                self, key: range.key, keysFrom: range.keysFrom, keysThrough: range.keysThrough, from: range.from,
                through: range.through, startingThrough: range.startingThrough, add)
        case .version(let key, let time):
            try addVersions(key, reader.versions(self, of: key, from: time, through: time))
        case .versions(let key, let first, let last, let reverse):
            isReverse = reverse
            try addVersions(key, reader.versions(self, of: key, from: first, through: last))
        }
        return isReverse ? rows.reversed() : rows
    }
}

extension QueriedRow {
    fileprivate init(_ key: [UInt8], _ envelope: RawSpan, _ description: StoreDescription) throws(StoreError) {
        do throws(EnvelopeError) {
            let view = try EnvelopeView(envelope)
            var value: [UInt8] = []
            if let payload = view.payload { value = [UInt8](copying: payload) }
            self.init(
                key: key, value: value, timestamp: view.timestamp ?? 0,
                context: view.context, cell: [UInt8](copying: view.cell))
            if description.keepsHeaders && description.logsHeaders { headers = Headers(checked: view.headers) }
        } catch {
            throw StoreError(.corrupt, "\(error)", store: description.name, key: key.span.bytes.hexadecimal)
        }
    }
}

extension StreamTask {
    /// Answers a query from the task's stores; nothing if the task doesn't hold the store.
    func answer(_ name: String, _ query: StoreQuery) throws -> [QueriedRow] {
        guard let store = try? stores.store(name) else { return [] }
        let mark = recorder.arena.mark
        defer { recorder.arena.release(to: mark) }
        switch query {
        case .key(let key):
            guard try store.read(key.span.bytes).exists else { return [] }
            let value = [UInt8](copying: store.value)
            return [row(key, value, store.valueTimestamp, store.valueLineage, store.headersOfRow())]
        case .range(let lower, let upper, let reverse):
            return try rows(store.scan(from: lower?.span.bytes, through: upper?.span.bytes, reverse: reverse))
        case .windows(let range):
            return try rows(
                store.scanWindows(
                    key: range.key, from: range.keysFrom, through: range.keysThrough, start: range.from,
                    end: range.through, startingThrough: range.startingThrough, reverse: range.reverse))
        case .version(let key, let time):
            return try rows(key, store.versions(of: key, from: time, through: time))
        case .versions(let key, let first, let last, let reverse):
            let rows = try rows(key, store.versions(of: key, from: first, through: last))
            return reverse ? rows.reversed() : rows
        }
    }

    private func rows(_ key: [UInt8], _ versions: [StoreVersion]) -> [QueriedRow] {
        versions.map { version in
            let found = version.row
            var row = row(key, found.value, found.timestamp, found.lineage, found.headers)
            row.validTo = version.validTo
            return row
        }
    }

    private func rows(_ scan: StoreScan) throws -> [QueriedRow] {
        defer { scan.close() }
        var rows: [QueriedRow] = []
        while let found = try scan.next() {
            rows.append(row(found.key, found.value, found.timestamp, found.lineage, found.headers))
        }
        return rows
    }

    private func row(
        _ key: [UInt8], _ value: [UInt8], _ timestamp: Int64, _ lineage: Lineage, _ headers: Headers
    ) -> QueriedRow {
        var cell = ByteWriter()
        if recorder.mode == .cells { recorder.arena.encode(lineage.cell, into: &cell) }
        return QueriedRow(
            key: key, value: value, timestamp: timestamp, context: lineage.context, cell: cell.copy(),
            headers: headers)
    }
}

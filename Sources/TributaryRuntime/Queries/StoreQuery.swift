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
    case range([UInt8]?, [UInt8]?)
    /// The windows of a key (nil: of all keys) that start in a range, ms, both ends included.
    case windows(key: [UInt8]?, from: Int64, through: Int64)
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
        guard description.isPersistent else {
            throw StoreError(.invalidRequest, "a store in memory has no committed state to read", store: store)
        }
        var rows: [QueriedRow] = []
        for reader in readers.values {
            switch query {
            case .key(let key):
                var value = ByteWriter()
                if try reader.get(store, key.span.bytes, into: &value) {
                    rows.append(try QueriedRow(key, value.bytes, store))
                }
            case .range(let lower, let upper):
                try reader.forEach(store, from: lower?.span.bytes, through: upper?.span.bytes) {
                    (key, value) throws(StoreError) in
                    rows.append(try QueriedRow([UInt8](copying: key), value, store))
                    return true
                }
            case .windows(let key, let from, let through):
                try reader.forEachWindow(description, key: key, from: from, through: through) {
                    (key, value) throws(StoreError) in
                    rows.append(try QueriedRow([UInt8](copying: key), value, store))
                    return true
                }
            }
        }
        return rows
    }
}

extension QueriedRow {
    fileprivate init(_ key: [UInt8], _ envelope: RawSpan, _ store: String) throws(StoreError) {
        do throws(EnvelopeError) {
            let view = try EnvelopeView(envelope)
            var value: [UInt8] = []
            if let payload = view.payload { value = [UInt8](copying: payload) }
            self.init(
                key: key, value: value, timestamp: view.timestamp ?? 0,
                context: view.context, cell: [UInt8](copying: view.cell))
        } catch {
            throw StoreError(.corrupt, "\(error)", store: store, key: key.span.bytes.hexadecimal)
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
        case .range(let lower, let upper):
            return try rows(store.scan(from: lower?.span.bytes, through: upper?.span.bytes, reverse: false))
        case .windows(let key, let from, let through):
            return try rows(store.scanWindows(key: key, start: from, end: through, reverse: false))
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

internal import TributaryCore
internal import TributaryLineage

/// One asynchronous call: its result, once it is there.
final class AsyncCall<Output: Sendable>: Sendable {
    // Those who wait for any call of the stage.
    private let gate: Monitor<Int>
    private let outcome = Guarded<Result<Output, any Error>?>(nil)
    private let task = Guarded<Task<Void, Never>?>(nil)

    init(_ gate: Monitor<Int>) { self.gate = gate }

    /// Begins the call.
    func start(
        _ body: @escaping @Sendable () async throws -> Output, retries: Int, _ context: TraceContext,
        on executor: (any TaskExecutor)?, then wakeUp: @escaping @Sendable () -> Void
    ) {
        let started = Task(executorPreference: executor) {
            let result = await Lineage.carrying(context) { await Self.run(body, retries) }
            self.outcome.withLock { $0 = result }
            self.gate.wake()
            wakeUp()
        }
        task.withLock { $0 = started }
    }

    private static func run(
        _ body: @Sendable () async throws -> Output, _ retries: Int
    ) async -> Result<Output, any Error> {
        var retry = 0
        while true {
            do { return .success(try await body()) } catch {
                retry += 1
                guard retry <= retries, !Task.isCancelled else { return .failure(error) }
                do { try await Task.sleep(for: AsyncSettings.pause(before: retry)) } catch { return .failure(error) }
            }
        }
    }

    /// What came of it; nil while it goes on.
    var result: Result<Output, any Error>? { outcome.withLock { $0 } }

    /// Waits for what comes of it; nil if that takes longer.
    func wait(milliseconds: Int64) -> Result<Output, any Error>? {
        gate.wait(milliseconds: milliseconds) { _ in result }
    }

    func cancel() { task.withLock { $0?.cancel() } }
}

/// The records of one task that are with asynchronous calls, in order.
final class AsyncStage<Key, Output: Sendable>: PendingWork {
    private struct Waiting {
        let key: Key
        /// Nil for a tombstone, which only keeps its place.
        let call: AsyncCall<Output>?
        let began: ContinuousClock.Instant
        /// By the wall clock, ns, where the call has a span.
        let start: Int64
        let keyBytes: [UInt8]
        let hasKey: Bool
        let keyIsStale: Bool
        let timestamp: Int64
        let origin: RecordOrigin
        /// With those that came from rows, marked.
        let headers: [UInt8]
        let context: TraceContext
        let cell: [UInt8]
        let source: SourceCopy
    }

    private let next: NodeInput<Key, Output>
    private let user: UserCode
    private let recorder: LineageRecorder
    private let settings: AsyncSettings
    private let operation: Int32
    private let gate = Monitor(0)
    // A ring of those that wait, first at `head`.
    private var ring: [Waiting?] = []
    private var head = 0
    private var count = 0
    private var isDelivering = false

    init(_ next: NodeInput<Key, Output>, _ user: UserCode, _ recorder: LineageRecorder, _ settings: AsyncSettings) {
        self.next = next
        self.user = user
        self.recorder = recorder
        self.settings = settings
        operation = recorder.operation(
            "call \(user.node)", kind: .internal, attributes: [AttributeNames.processor: .string(user.node)])
    }

    var isPending: Bool { count > 0 }

    /// Begins a record's call, once there is room for one more; a tombstone (no call) goes on behind those before it.
    func take(_ key: Key, _ body: (@Sendable () async throws -> Output)?, _ meta: borrowing RecordMeta) throws {
        if body == nil && count == 0 { return try next.delete(key, meta) }
        // What a result leads to may come here again: then there is one more, as nothing can be waited for.
        while count >= settings.concurrency, !isDelivering { _ = try deliverFirst(waits: true) }
        let call = body.map { _ in AsyncCall<Output>(gate) }
        var cell = ByteWriter()
        if recorder.mode == .cells { recorder.arena.encode(meta.lineage.cell, into: &cell) }
        let hasSpan = recorder.makesSpan(meta.lineage.context)
        append(
            Waiting(
                key: key, call: call, began: .now, start: hasSpan ? recorder.time.wall.nanoseconds() : 0,
                keyBytes: [UInt8](copying: meta.key), hasKey: meta.hasKey, keyIsStale: meta.keyIsStale,
                timestamp: meta.timestamp, origin: meta.origin,
                headers: [UInt8](copying: recorder.markedHeaders(of: meta)), context: meta.lineage.context,
                cell: cell.copy(), source: user.services.copySource()))
        if let call, let body {
            call.start(
                body, retries: settings.retries, meta.lineage.context, on: user.services.asyncExecutor,
                then: user.services.wakeUp)
        }
    }

    private func append(_ waiting: Waiting) {
        if count == ring.count {
            ring = (0..<count).map { ring[(head + $0) % max(ring.count, 1)] }
            ring += [Waiting?](repeating: nil, count: max(count, 16))
            head = 0
        }
        ring[(head + count) % ring.count] = waiting
        count += 1
    }

    func deliver(waits: Bool) throws -> Bool {
        guard !isDelivering else { return false }
        var hasAny = false
        while count > 0, try deliverFirst(waits: waits) { hasAny = true }
        return hasAny
    }

    func cancel() {
        for waiting in ring { waiting?.call?.cancel() }
        ring = []
        head = 0
        count = 0
    }

    // False if it isn't over.
    private func deliverFirst(waits: Bool) throws -> Bool {
        guard let first = ring[head], let result = result(of: first, waits: waits) else { return false }
        ring[head] = nil
        head = (head + 1) % ring.count
        count -= 1
        isDelivering = true
        defer { isDelivering = false }
        try resume(first, result)
        return true
    }

    /// What a call has come to: nil while it goes on, `success(nil)` for a tombstone.
    private func result(of waiting: Waiting, waits: Bool) -> Result<Output?, any Error>? {
        guard let call = waiting.call else { return .success(nil) }
        var result = call.result
        if result == nil {
            let left = settings.timeout - (ContinuousClock.now - waiting.began)
            if waits && left > .zero { result = call.wait(milliseconds: max(left.milliseconds, 1)) }
            if result == nil {
                guard waits || left <= .zero else { return nil }
                call.cancel()
                return .failure(AsyncTimeout(node: user.node, timeout: settings.timeout))
            }
        }
        return result?.map { $0 }
    }

    /// Goes on with a record as it was when its call began.
    private func resume(_ waiting: Waiting, _ result: Result<Output?, any Error>) throws {
        let mark = recorder.arena.mark
        defer { recorder.arena.release(to: mark) }
        var lineage = Lineage(context: waiting.context, cell: .empty)
        if recorder.mode == .cells { lineage.cell = try unsafe recorder.arena.decode(waiting.cell.span.bytes) }
        let seen = recorder.show(lineage)
        defer { recorder.show(again: seen) }
        let saved = recorder.propagatesHeaders ? recorder.saveHeaders() : nil
        defer { recorder.restoreHeaders(saved) }
        var headers = waiting.headers
        if recorder.propagatesHeaders {
            unsafe recorder.beginHeaders(waiting.origin, waiting.headers.span.bytes)
            headers = unsafe [UInt8](copying: recorder.ownHeaders(waiting.headers.span.bytes))
        }
        // Its own span is over; another record's may be open.
        let around = recorder.startNotes()
        defer { recorder.endNotes(around) }
        let held = CollectionOfOne(lineage)
        let meta = unsafe RecordMeta(
            key: waiting.keyBytes.span.bytes, hasKey: waiting.hasKey, keyIsStale: waiting.keyIsStale,
            timestamp: waiting.timestamp, origin: waiting.origin, headers: headers.span.bytes, lineage: held.span)
        try user.services.resume(waiting.source) {
            switch result {
            case .success(let output?):
                noteCall(waiting, nil)
                try next.call(waiting.key, output, meta)
            case .success(nil): try next.delete(waiting.key, meta)
            case .failure(let error):
                noteCall(waiting, error)
                try user.failed(error, meta)
            }
        }
    }

    // A leaf of its own: what goes on is of the record, not of the call.
    private func noteCall(_ waiting: Waiting, _ error: (any Error)?) {
        guard recorder.makesSpan(waiting.context) else { return }
        var span = recorder.begin(operation, parent: waiting.context)
        if waiting.start > 0 { span.start = waiting.start }
        recorder.end(span, error: error)
    }
}

public import TributaryCore
internal import TributaryLineage

extension KStream {
    /// Replaces each value by what an asynchronous closure makes of it, several at a time, in the order of the records.
    ///
    /// For calls of other services: while one is waited for, the task goes on, with up to `concurrency` calls at once. Results go on in the order
    /// in which their records came, each with its record's key, timestamp and headers. A record waits here for those before it; what goes another way
    /// from before this node may overtake it.
    ///
    /// A commit waits until all calls that have begun are over, so that offsets are committed behind what is done. A call that fails is made again,
    /// `retries` times, after 100 ms, 200 ms and so on; what is left then, or isn't there when `timeout` is over, is the record's failure: the
    /// processing handler is asked, and a dead letter has the record's bytes. A task that ends cancels its calls.
    ///
    /// With exactly-once each result is in the output once. The *call* isn't: a record that is processed again after a failure is called for again, so
    /// that a call has to bear being made twice.
    ///
    /// - Parameters:
    ///   - concurrency: how many calls of one task there are at a time; 1 or more.
    ///   - timeout: how long a call may take, with all its retries; whole milliseconds.
    ///   - retries: how often a call that failed is made again.
    ///   - named: the node's name.
    ///   - serde: the results' serde.
    ///   - transform: makes a result; on no particular thread. `Lineage.current` has the record's trace context, with an empty cell.
    public func mapAsync<Result: Sendable>(
        concurrency: Int = 16, timeout: Duration = .seconds(30), retries: Int = 0, named: String? = nil,
        value serde: Serde<Result>? = nil, _ transform: @escaping @Sendable (Value) async throws -> Result
    ) -> KStream<Key, Result> where Value: Sendable {
        mappedAsync(AsyncSettings(concurrency, timeout, retries), named, serde) { _, value in
            { try await transform(value) }
        }
    }

    /// Replaces each value by what an asynchronous closure makes of key and value.
    ///
    /// See ``mapAsync(concurrency:timeout:retries:named:value:_:)``.
    public func mapAsyncWithKey<Result: Sendable>(
        concurrency: Int = 16, timeout: Duration = .seconds(30), retries: Int = 0, named: String? = nil,
        value serde: Serde<Result>? = nil, _ transform: @escaping @Sendable (Key, Value) async throws -> Result
    ) -> KStream<Key, Result> where Key: Sendable, Value: Sendable {
        mappedAsync(AsyncSettings(concurrency, timeout, retries), named, serde) { key, value in
            { try await transform(key, value) }
        }
    }

    private func mappedAsync<Result: Sendable>(
        _ settings: AsyncSettings, _ named: String?, _ serde: Serde<Result>?,
        _ prepare: @escaping @Sendable (Key, Value) -> @Sendable () async throws -> Result
    ) -> KStream<Key, Result> {
        let name = graph.name("KSTREAM-MAPASYNC-", named)
        if settings.concurrency < 1 || settings.retries < 0 {
            graph.fail(
                .invalidSetting,
                "'\(name)' makes \(settings.concurrency) calls at a time, each \(settings.retries) times more: at least 1, and 0"
            )
        }
        graph.check(settings.timeout, "the time-out of '\(name)'")
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Result>()
        graph.noteValueChange(id)
        self.output.attach(id, name) { context in
            let stage = AsyncStage(
                try output.sink(in: context), UserCode(name, context.services), context.recorder, settings)
            context.services.add(stage)
            return NodeInput(
                call: { key, value, meta in try stage.take(key, prepare(key, value), meta) },
                delete: { key, meta in try stage.take(key, nil, meta) })
        }
        return KStream<Key, Result>(
            graph: graph, node: id, output: output, keySerde: keySerde, valueSerde: serde,
            needsRepartition: needsRepartition, sources: sources)
    }
}

/// How asynchronous calls are made.
struct AsyncSettings: Sendable {
    let concurrency: Int
    let timeout: Duration
    let retries: Int

    init(_ concurrency: Int, _ timeout: Duration, _ retries: Int) {
        self.concurrency = concurrency
        self.timeout = timeout
        self.retries = retries
    }

    /// How long to wait before a call is made again.
    static func pause(before retry: Int) -> Duration { .milliseconds(100 << min(retry - 1, 6)) }
}

/// An asynchronous call took longer than it may.
public struct AsyncTimeout: Error, Equatable, CustomStringConvertible {
    /// The node.
    public let node: String
    /// How long it may take.
    public let timeout: Duration

    init(node: String, timeout: Duration) {
        self.node = node
        self.timeout = timeout
    }

    /// One sentence.
    public var description: String { "a call of '\(node)' took longer than \(timeout)" }
}

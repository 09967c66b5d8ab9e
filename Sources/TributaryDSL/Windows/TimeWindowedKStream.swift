public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// A grouped stream cut into windows of time, to be aggregated, as Kafka Streams' `TimeWindowedKStream`.
///
/// Records with a null key are dropped and counted; null values are not, but for sliding windows (Docs/Semantics.md, Windows). A window takes
/// records until stream time has passed its end by the grace.
public struct TimeWindowedKStream<Key, Value> {
    @usableFromInline let grouped: KGroupedStream<Key, Value>
    @usableFromInline let windows: AnyTimeWindows
    @usableFromInline let emit: EmitStrategy

    @usableFromInline
    init(grouped: KGroupedStream<Key, Value>, windows: AnyTimeWindows, emit: EmitStrategy = .onWindowUpdate) {
        self.grouped = grouped
        self.windows = windows
        self.emit = emit
    }

    /// Says when results go on: with each update, or once when their window has closed.
    public func emitStrategy(_ strategy: EmitStrategy) -> TimeWindowedKStream {
        TimeWindowedKStream(grouped: grouped, windows: windows, emit: strategy)
    }

    /// How many records each key has had in each window.
    @inlinable
    public func count(
        as name: String? = nil, materialized: Materialized<Key, Int64>? = nil, named: String? = nil
    ) -> KTable<Windowed<Key>, Int64> {
        // Kafka Streams uses up an index for a Materialized without a name, but not with sliding windows.
        if let materialized, materialized.name == nil, windows.isAligned {
            _ = grouped.stream.graph.newUniqueName("unused-")
        }
        return aggregation(
            "KSTREAM-AGGREGATE-", materialized ?? Materialized(as: name), .int64, named, { $0.count() },
            sliding: { $0.count() })
    }

    /// Combines the values of each key in each window; the first value is the first aggregate.
    @inlinable
    public func reduce(
        as name: String? = nil, materialized: Materialized<Key, Value>? = nil, named: String? = nil,
        @Returning<Value> _ reducer: @escaping @Sendable (_ aggregate: Value, _ value: Value) throws -> Value
    ) -> KTable<Windowed<Key>, Value> {
        let settings = materialized ?? Materialized(as: name)
        return aggregation(
            "KSTREAM-REDUCE-", settings, settings.value ?? grouped.stream.valueSerde, named, { $0.reduce(reducer) },
            sliding: { $0.reduce(reducer) })
    }

    /// An aggregation by key and window.
    @inlinable
    func aggregation<Aggregate>(
        _ prefix: String, _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        _ input: @escaping @Sendable (WindowedAggregation<Key, Aggregate>) -> NodeInput<Key, Value>,
        sliding: @escaping @Sendable (SlidingAggregation<Key, Aggregate>) -> NodeInput<Key, Value>
    ) -> KTable<Windowed<Key>, Aggregate> {
        let kind = grouped.stream.graph.storeKind(windows, emit, retention: settings.retention?.milliseconds)
        let size = windows.size
        let table = grouped.aggregation(
            prefix, settings, value, named, kind: kind, emit: emit, cachesClosing: windows.isAligned,
            rowKey: { .timeWindowed($0, size: size) }, input: windows.input(input, sliding: sliding))
        grouped.stream.graph.windowGraces[table.node] = windows.graceTime
        return table
    }
}

/// Windows whose keys have a start, all of one size.
@usableFromInline
enum AnyTimeWindows: Sendable {
    case time(TimeWindows)
    case sliding(SlidingWindows)

    @usableFromInline var size: Duration {
        switch self {
        case .time(let windows): windows.size
        // Windows of no size have no rows: they fail with their first record.
        case .sliding(let windows): windows.difference == .zero ? .milliseconds(1) : windows.difference
        }
    }

    @usableFromInline var graceTime: Int64 {
        switch self {
        case .time(let windows): windows.graceTime
        case .sliding(let windows): windows.graceTime
        }
    }

    /// Whether windows begin at multiples of a time: only their store is cached where results wait for them, as in Kafka Streams.
    @usableFromInline var isAligned: Bool {
        if case .time = self { true } else { false }
    }

    /// Makes the receiving end for a task.
    @inlinable
    func input<Key, Aggregate, Value>(
        _ time: @escaping @Sendable (WindowedAggregation<Key, Aggregate>) -> NodeInput<Key, Value>,
        sliding: @escaping @Sendable (SlidingAggregation<Key, Aggregate>) -> NodeInput<Key, Value>
    ) -> @Sendable (AggregateStore<Windowed<Key>, Aggregate>) -> NodeInput<Key, Value> {
        switch self {
        case .time(let windows): { time(WindowedAggregation($0, windows)) }
        case .sliding(let windows): { sliding(SlidingAggregation($0, windows)) }
        }
    }
}

extension TopologyGraph {
    /// The store of windows and their settings, which are checked.
    @usableFromInline
    func storeKind(_ windows: AnyTimeWindows, _ emit: EmitStrategy, retention: Int64?) -> StoreDescription.Kind {
        let least: Int64
        switch windows {
        case .time(let windows):
            if let problem = windows.problem { fail(.invalidSetting, problem) }
            if emit == .onWindowClose && windows.onlyStart != nil {
                fail(.invalidSetting, "a window that never ends emits nothing when it closes: emit on each update")
            }
            least = windows.sizeTime.addingSaturated(windows.graceTime)
        case .sliding(let windows):
            if let problem = windows.problem { fail(.invalidSetting, problem) }
            least = windows.leastRetention
        }
        return .window(
            retention: checkRetention(retention, atLeast: least, "size and grace"), size: windows.size.milliseconds,
            retainsDuplicates: false, timestamped: true)
    }

    /// The store of sessions and their settings, which are checked.
    @usableFromInline
    func storeKind(_ windows: SessionWindows, retention: Int64?) -> StoreDescription.Kind {
        if let problem = windows.problem { fail(.invalidSetting, problem) }
        return .session(retention: checkRetention(retention, atLeast: windows.leastRetention, "gap and grace"))
    }

    private func checkRetention(_ retention: Int64?, atLeast least: Int64, _ what: String) -> Int64 {
        guard let retention else { return max(least, 0) }
        if retention < least {
            fail(
                .invalidSetting,
                "the retention of \(retention) ms is below the windows' \(what) of \(least) ms: raise it")
        }
        return retention
    }
}

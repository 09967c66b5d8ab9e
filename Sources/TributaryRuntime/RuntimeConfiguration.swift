public import TributaryCore
public import TributaryDSL
public import TributaryLineage

/// What a handler decides about a record that failed.
public enum ErrorResponse: Sendable, Equatable {
    /// Leave the record out, count it, go on.
    case `continue`
    /// Stop the task with the error.
    case fail
}

/// A record that failed, and why.
public struct FailedRecord: Sendable {
    /// The steps at which a record can fail.
    public typealias Step = FailureStep

    /// What was being done.
    public let step: Step
    /// The node; of a timestamp the source.
    public let node: String
    /// The store whose row failed while its cache was written out; nil if the record being processed failed.
    public let store: String?
    /// The task.
    public let task: String
    /// The input record's coordinate; of a store's row, that of the record that wrote it last; nil in a punctuation.
    public let coordinate: RecordCoordinate?
    /// The key's bytes, of the record or the row; nil for none.
    public let key: [UInt8]?
    /// What was thrown.
    public let error: any Error
}

/// How lineage is kept and shown.
public struct LineageConfiguration: Sendable {
    /// What is kept with records and stored values.
    public var mode: LineageMode
    /// Which operations get a span in sampled traces.
    public var spans: SpanLevel
    /// Which traces are sampled.
    public var sampler: Sampler
    /// Takes finished spans; without one no span is made.
    public var exporter: (any SpanExporter)?
    /// Whether records for topics that aren't the application's own carry their cell.
    public var sendsCells: Bool
    /// The names of record headers that spans show as attributes `tributary.header.<name>`, in any case; none by default.
    public var capturedHeaders: [String] = []
    /// The names of record headers that go through stores, in any case; none by default.
    ///
    /// They are stored with what a record led to, and added to what such a row leads to where that has none of the same name: first
    /// the record's own counts, then the first row that it read. Not without lineage (`LineageMode.off`).
    public var propagatedHeaders: [String] = []
    /// How many bytes of names and values of those headers a row keeps, and a record takes from rows.
    ///
    /// A header that doesn't fit is left out, counted (`tributary.lineage.left_out_headers`) and warned of once.
    public var propagatedHeaderBytes = HeaderPolicy.defaultPropagatedBytes
    /// Which contexts are taken from records of others' topics, and sent with records to them.
    public var propagators: Propagators
    /// What a span may have at most.
    public var limits: SpanLimits
    /// Whether polls and commits get spans (`poll <topic>`, `commit <topic>`), with links to their records; always with
    /// `SpanLevel.full`.
    public var batchSpans = false

    /// Makes settings: cells are kept, spans of storage operations are made where an exporter is given.
    public init(
        mode: LineageMode = .cells, spans: SpanLevel = .storage, sampler: Sampler = .parentBased(root: .alwaysOn),
        exporter: (any SpanExporter)? = nil, sendsCells: Bool = false, propagators: Propagators = .all,
        limits: SpanLimits = SpanLimits()
    ) {
        self.mode = mode
        self.spans = spans
        self.sampler = sampler
        self.exporter = exporter
        self.sendsCells = sendsCells
        self.propagators = propagators
        self.limits = limits
    }
}

/// Settings of an application's running, under Kafka Streams' meanings where it has them.
public struct RuntimeConfiguration: Sendable {
    /// The application's id: the group, and the prefix of internal topics.
    public var applicationID: String
    /// Whether results may be doubled by a failure.
    public var guarantee: ProcessingGuarantee
    /// How often offsets, outputs and caches are committed.
    public var commitInterval: Duration
    /// The byte budget of all caches of the application; 0 removes them.
    public var cacheBytes: Int
    /// How many stream threads share the tasks.
    public var threads: Int
    /// How many records a partition may have buffered before it is paused.
    public var bufferedRecords: Int
    /// How long a task waits for records of an empty partition that is at its end.
    ///
    /// Zero waits only for what is known to be there; nil not even for that.
    public var maximumIdle: Duration?
    /// How often, by the wall clock, a task looks which results have waited for time to pass: records of left and outer joins of streams that
    /// found no match while their window was open.
    ///
    /// They come with the first record of their task after that; zero looks at each.
    public var emitInterval: Duration
    /// How often the state is made durable; a crash replays at most that much changelog.
    public var stateFlushInterval: Duration
    /// How long the lineage of deleted keys is kept.
    public var graveRetention: Duration
    /// How many bytes of state may be dirty in all tasks before it is made durable: whole pages of LMDB, which memory holds until then.
    public var stateDirtyBytes: Int
    /// How many bytes one transaction may hold before it is committed early.
    public var transactionBytes: Int
    /// How many records a task may process before its thread looks at clocks, commits and queries.
    public var recordsPerRound: Int
    /// For how long a stream thread begins again after errors that may go by (the log doesn't answer, nobody knows what became of a commit)
    /// without a commit in between; then the error counts as any other.
    public var retryTimeout: Duration
    /// Lineage.
    public var lineage: LineageConfiguration
    /// Where sources begin that don't say so themselves, in partitions where the application has committed nothing, or where what it
    /// committed was deleted since.
    public var offsetReset: OffsetReset
    /// How often it is looked whether sources that read by a pattern have other topics than before.
    public var topicRefreshInterval: Duration
    /// For sources without a timestamp extractor of their own.
    public var timestamps: TimestampExtractor
    /// Decides about records whose bytes a serde refuses, or that read a stored value whose bytes it refuses, and about those whose
    /// timestamp an extractor refuses.
    ///
    /// Fails by default.
    public var deserializationHandler: @Sendable (FailedRecord) -> ErrorResponse
    /// Decides about records that a closure or processor threw on, or whose result a serde can't write to a store.
    ///
    /// Fails by default.
    public var processingHandler: @Sendable (FailedRecord) -> ErrorResponse
    /// Decides about records that cannot be written or sent: a serde or the log refuses them, or there is no such topic.
    ///
    /// Not about changelogs: a store without what its changelog has, or the reverse, would be wrong. Fails by default.
    public var productionHandler: @Sendable (FailedRecord) -> ErrorResponse
    /// Where records go that handlers saw, with the cause in headers; must exist when the application starts.
    ///
    /// The source record as it was read; where a store's cache was being written out, the store's row as its changelog has it; nothing where a
    /// punctuation failed, which has no record.
    public var deadLetterTopic: String?
    /// Where log lines go.
    public var log: LogSink
    /// Where time comes from.
    public var time: TimeSource
    /// The seed of trace and span ids; nil for a random one.
    public var seed: UInt64?
    /// Whether aggregates may stay unencoded until their cache is flushed, where that can be taken back.
    package var defersEncoding = true
    /// Where asynchronous closures run; nil for wherever Swift's tasks do.
    package var asyncExecutor: (any TaskExecutor)?
    /// Whether what comes back from beside the thread goes on as soon as the thread sees it; else at commits, and where there is no more room.
    package var deliversEarly = true
    /// Called between the steps of commits and restores, in tests.
    package var killPoint: KillPointHook?

    /// Makes settings with Kafka Streams' defaults.
    public init(
        applicationID: String, guarantee: ProcessingGuarantee = .exactlyOnce,
        commitInterval: Duration = .milliseconds(100)
    ) {
        self.applicationID = applicationID
        self.guarantee = guarantee
        self.commitInterval = commitInterval
        cacheBytes = 10 << 20
        threads = 1
        bufferedRecords = 1000
        maximumIdle = .zero
        emitInterval = .seconds(1)
        stateFlushInterval = .seconds(10)
        stateDirtyBytes = 192 << 20
        graveRetention = .seconds(86_400)
        transactionBytes = 64 << 20
        recordsPerRound = 1000
        retryTimeout = .seconds(300)
        lineage = LineageConfiguration()
        offsetReset = .earliest
        topicRefreshInterval = .seconds(30)
        timestamps = .failOnInvalid
        deserializationHandler = { _ in .fail }
        processingHandler = { _ in .fail }
        productionHandler = { _ in .fail }
        log = .none
        time = .system
    }
}

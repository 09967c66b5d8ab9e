public import TributaryCore
public import TributaryKafka
public import TributaryLMDB
public import TributaryRuntime
internal import TributaryState
public import TributaryTelemetry

/// Where an application's topics are.
public struct LogLocation: Sendable {
    let open: @Sendable (RuntimeConfiguration) throws -> any Log
    /// Whether the application that opened the log closes it.
    let isOwned: Bool
    /// Where the log keeps the states of applications, a folder each; nil if it has no place for them.
    let stateDirectory: @Sendable () -> String?

    /// The embedded log in a directory, made if it isn't there.
    public static func embedded(
        at directory: String, configuration: EmbeddedLogConfiguration = EmbeddedLogConfiguration()
    ) -> LogLocation {
        LogLocation(
            open: { runtime in
                var configuration = configuration
                configuration.logs = runtime.log
                configuration.killPoint = runtime.killPoint
                return try EmbeddedLog.open(at: directory, configuration: configuration)
            }, isOwned: true, stateDirectory: { directory + "/state" })
    }

    /// Apache Kafka: `host:port` of one broker or more, separated by commas.
    ///
    /// Runs at least once for now. The state needs a directory: here, where that of an application lies in a folder of its id,
    /// or in ``StreamsConfiguration/stateDirectory``.
    ///
    /// - Parameters:
    ///   - bootstrap: the first brokers to ask.
    ///   - properties: further settings under librdkafka's names, for example `security.protocol`.
    ///   - stateDirectory: where state goes.
    public static func kafka(
        _ bootstrap: String, properties: [String: String] = [:], stateDirectory: String? = nil
    ) -> LogLocation {
        var configuration = KafkaConfiguration(bootstrap: bootstrap, properties: properties)
        configuration.stateDirectory = stateDirectory
        return kafka(configuration)
    }

    /// Apache Kafka, with all that can be set.
    public static func kafka(_ configuration: KafkaConfiguration) -> LogLocation {
        LogLocation(
            open: { runtime in
                var configuration = configuration
                configuration.logs = runtime.log
                return try KafkaLog.connect(to: configuration)
            }, isOwned: true, stateDirectory: { configuration.stateDirectory })
    }

    /// A log that is open already and stays open.
    public static func open(_ log: any Log) -> LogLocation {
        LogLocation(open: { _ in log }, isOwned: false, stateDirectory: { log.defaults.stateDirectory })
    }
}

/// Settings of a ``StreamsApplication``.
///
/// What isn't given is the log's default.
public struct StreamsConfiguration: Sendable {
    /// The application's id: its group, the prefix of its internal topics, the name of its state.
    ///
    /// The one of ``runtime``: 1 to 200 of the characters `A-Z a-z 0-9 . _ -`, neither `.` nor `..`.
    public var applicationID: String {
        get { runtime.applicationID }
        set { runtime.applicationID = newValue }
    }
    /// Where the topics are.
    public var log: LogLocation
    /// Where the state is; `<log>/state/<application id>` by default on the embedded log.
    public var stateDirectory: String?
    /// Whether results may be doubled by a failure; exactly once by default on the embedded log.
    public var guarantee: ProcessingGuarantee?
    /// How often results are committed; 100 ms by default with exactly-once.
    public var commitInterval: Duration?
    /// All other settings; its guarantee and commit interval are replaced by those here, or by the log's defaults.
    public var runtime: RuntimeConfiguration
    /// How much address space a task's state reserves in bytes; never more is used than there is data.
    ///
    /// 64 GiB by default.
    public var stateMapSize: Int
    /// How large a task's state may be, in bytes, to be read through and checked at each start: a second or two per GiB where
    /// the system has it in memory, else what the disk takes.
    ///
    /// Without a limit by default. With one, a bit that a disk turned in larger state can hide rows or overwrite them, unseen,
    /// until the next check. State that the last process with it did not close is checked whatever its size.
    public var stateCheckedBytes: Int
    /// Whether SIGTERM and SIGINT stop the application cleanly while ``StreamsApplication/run()`` runs.
    ///
    /// All applications of a process that run are stopped. A handler that was there before is called, too, and is put back when the last
    /// has ended; a second SIGINT ends the process at once, with exit code 130.
    public var handlesSignals: Bool
    /// Asked, from the thread, about each error that ends a stream thread's work: whether the thread begins again from the last commit
    /// or the application stops.
    ///
    /// Stops by default. Errors that may go by themselves, as a broker that doesn't answer, are not asked about for
    /// ``/TributaryRuntime/RuntimeConfiguration/retryTimeout``: the thread begins again.
    public var onThreadFailure: @Sendable (any Error) -> ThreadFailureResponse
    /// Fails chosen writes of the state, in tests.
    package var stateFaults: LMDBFaults?

    /// Makes settings.
    ///
    /// Log lines go to `logs`: warnings to the standard error unless said otherwise, nowhere with `.none`.
    public init(
        applicationID: String, log: LogLocation, stateDirectory: String? = nil,
        guarantee: ProcessingGuarantee? = nil, commitInterval: Duration? = nil, threads: Int = 1,
        cacheBytes: Int = 10 << 20, lineage: LineageConfiguration = LineageConfiguration(),
        logs: LogSink = .warnings, handlesSignals: Bool = true
    ) {
        self.log = log
        self.stateDirectory = stateDirectory
        self.guarantee = guarantee
        self.commitInterval = commitInterval
        runtime = RuntimeConfiguration(applicationID: applicationID)
        runtime.threads = threads
        runtime.cacheBytes = cacheBytes
        runtime.lineage = lineage
        runtime.log = logs
        stateMapSize = 64 << 30
        stateCheckedBytes = .max
        self.handlesSignals = handlesSignals
        onThreadFailure = { _ in .stop }
    }

    /// Refuses settings that can't be, before anything is opened.
    ///
    /// - Throws: `SettingError` that names setting, value and range.
    public func check() throws(SettingError) {
        try runtime.check()
        if let commitInterval { try SettingCheck.duration("commitInterval", commitInterval, from: .zero) }
        try SettingCheck.number("stateMapSize", stateMapSize, from: 1 << 20)
        if let stateDirectory, stateDirectory.isEmpty {
            throw SettingError(setting: "stateDirectory", value: "''", range: "a folder's path, or nil")
        }
    }
}

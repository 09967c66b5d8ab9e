internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
public import TributaryRuntime
public import TributaryState

/// Settings of a ``TopologyTestDriver``.
public struct TestDriverConfiguration: Sendable {
    /// The running application's settings; the clock and the seed are the driver's own.
    public var runtime: RuntimeConfiguration
    /// The cluster's id, which cells carry.
    public var clusterID = "test"
    /// The wall clock at the beginning, ms.
    public var initialWallClock: Int64 = 0
    /// Makes the engine of persistent stores; in memory by default.
    ///
    /// Called again after a restart.
    public var persistentEngine: (@Sendable (_ task: String) throws -> any StateEngine)?
    /// The topics that there are for sources that read by a pattern; those that none fits are left out.
    public var topics: [String] = []
    /// Partitions of every topic.
    public var partitions: Int32 = 1
    /// How many records are processed between two commits, as far as so many wait; at least 1.
    ///
    /// With more than one, caches merge updates of several records, and fill up between commits: append the records to the
    /// driver's log first.
    public var recordsPerCommit = 1

    /// Makes settings without cache, and without waiting by the wall clock for results, as Kafka Streams' own tests have.
    public init(applicationID: String = "app") {
        runtime = RuntimeConfiguration(applicationID: applicationID, guarantee: .exactlyOnce, commitInterval: .zero)
        runtime.cacheBytes = 0
        runtime.emitInterval = .zero
        runtime.seed = 1
    }
}

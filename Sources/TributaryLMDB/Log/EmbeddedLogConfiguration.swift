public import TributaryCore

/// Settings of an embedded log.
///
/// All opens of one directory in one process share the settings of the first; ``EmbeddedLog/open(at:configuration:)`` throws
/// if a later one asks for another durability or map size.
public struct EmbeddedLogConfiguration: Sendable {
    /// What a commit waits for.
    public enum Durability: Sendable, Hashable {
        /// The commit is on disk when the call returns: nothing committed is lost, whatever fails. Costs a disk sync
        /// (0.1-10 ms) for each group of commits.
        case synced
        /// The commit is with the operating system when the call returns: a killed process loses nothing, but a crash of the
        /// *machine* may lose the last commits or leave a log that is refused as damaged. Saves the disk sync.
        case relaxed
    }

    /// Whether the log is only read: nothing in its folder is written or locked, so that a folder without the right to write
    /// will do.
    ///
    /// What would write throws `denied`. Readers look for new records once a second. Where the process may not write LMDB's lock file,
    /// a log that others write into meanwhile can take away what is being read: a read then throws `corrupt`, and may be tried again.
    public var isReadOnly = false
    /// What a commit waits for.
    public var durability: Durability = .synced
    /// The most bytes the log's file can grow to, a reservation of addresses only.
    ///
    /// Every process that opens a log should use the same. Valgrind can't run above 48 GiB.
    public var mapSize: Int = 256 << 30
    /// How long a producer without transactions collects records before they are written.
    public var linger: Duration = .milliseconds(5)
    /// How many bytes a producer without transactions collects before they are written.
    public var lingerBytes: Int = 1 << 20
    /// How many bytes of records are stored as one batch, roughly; larger records have a batch of their own.
    public var batchBytes: Int = 31 * 4096 - 16  // 31 pages of LMDB with their header: no page is left half empty
    /// The most bytes that one record or transaction may hold.
    public var maximumTransactionBytes: Int = 1 << 30
    /// How often retention and compaction run; zero for never.
    public var maintenanceInterval: Duration = .seconds(30)
    /// How long ``EmbeddedLog/open(at:configuration:)`` and ``EmbeddedLog/performMaintenance()`` wait for another process that
    /// is at the same; then they throw `inUse` with its id.
    ///
    /// Writing waits for another writer without limit, and says in a log line whom it waits for.
    public var lockTimeout: Duration = .seconds(30)
    /// Bytes that stay free on the file system (of a small one a 64th at most); 0 for none.
    ///
    /// With less left, records are refused with `diskFull`, while deleting, trimming, compacting and committing offsets go on.
    public var diskReserveBytes: Int64 = 64 << 20
    /// How much memory compaction may take while it runs, in bytes.
    ///
    /// It takes about 40 per key that is new since the last time; more keys take more runs.
    public var compactionBytes: Int = 128 << 20
    /// Where time comes from: the time of day decides retention.
    public var time: TimeSource = .system
    /// Where log lines go.
    public var logs: LogSink = .none
    /// How long somebody waits for a lock before a log line says for whom.
    package var lockPatience: Duration = .seconds(3)
    /// Fails chosen writes, in tests.
    package var faults: LMDBFaults?
    /// Called between the steps of commits and compactions, in tests.
    package var killPoint: KillPointHook?

    /// Makes the default settings.
    public init() {}

    /// Refuses settings that can't be.
    func check() throws(LogError) {
        do throws(SettingError) {
            try SettingCheck.number("mapSize", mapSize, from: 1 << 16)
            try SettingCheck.duration("linger", linger, from: .zero)
            try SettingCheck.number("lingerBytes", lingerBytes, from: 0)
            try SettingCheck.number("batchBytes", batchBytes, from: 1)
            try SettingCheck.number("maximumTransactionBytes", maximumTransactionBytes, from: 1)
            try SettingCheck.duration("maintenanceInterval", maintenanceInterval, from: .zero)
            try SettingCheck.duration("lockTimeout", lockTimeout, from: .zero)
            try SettingCheck.number("diskReserveBytes", diskReserveBytes, from: 0)
        } catch {
            throw LogError(.configuration, "\(error)")
        }
    }

    /// The same with numbers that can be calculated with: what is larger is as good as never, or as everything.
    func limited() -> EmbeddedLogConfiguration {
        let longest = Duration.milliseconds(1 << 40)  // 35 years
        let one = Duration.milliseconds(1)
        var limited = self
        limited.linger = min(max(linger, .zero), longest)
        limited.maintenanceInterval = maintenanceInterval > .zero ? min(max(maintenanceInterval, one), longest) : .zero
        limited.lockTimeout = min(max(lockTimeout, .zero), longest)
        limited.lockPatience = min(max(lockPatience, one), longest)
        limited.lingerBytes = min(max(lingerBytes, 0), 1 << 40)
        limited.batchBytes = min(max(batchBytes, 1024), 1 << 30)
        limited.maximumTransactionBytes = min(max(maximumTransactionBytes, 0), 1 << 40)
        return limited
    }
}

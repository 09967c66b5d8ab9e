public import TributaryCore

/// What a store is: what the topology says about it, before there is one.
public struct StoreDescription: Sendable, Hashable {
    /// The kinds of stores.
    public enum Kind: Sendable, Hashable {
        /// Values by key.
        case keyValue
        /// Values with their timestamps by key.
        case timestampedKeyValue
        /// Values by key and window start; entries older than `retention` (ms of stream time) go.
        case window(retention: Int64, size: Int64, retainsDuplicates: Bool, timestamped: Bool)
        /// Several values by key, each with a lineage of its own: what a join of streams has yet to find matches for.
        case list
        /// Who waits for which key of the other table, in a join by foreign key, with timestamps.
        case subscriptions
        /// Values by key and session; those that ended before `retention` (ms of stream time) go.
        case session(retention: Int64)
        /// Values with their timestamps by key, of which earlier ones are kept for `history` (ms of stream time) after they were replaced; never
        /// cached.
        case versioned(history: Int64)
        /// Values with their timestamps by key, at most `maximum`: then the one that was not used for longest is forgotten, unsaid.
        case leastRecentlyUsed(maximum: Int)
        /// Records of a stream that wait to be joined with a table.
        case joinBuffer
        /// The changelog of changes of a table that wait to be sent on.
        case suppression
        /// The members of a grouped table's groups, with timestamps, in the order of their ranks.
        case members
    }

    /// The name, unique in the topology.
    public var name: String
    /// What it holds.
    public var kind: Kind
    /// Whether the content survives the process without its changelog.
    public var isPersistent: Bool
    /// Whether writes are collected before they reach the engine, the changelog and what follows.
    public var isCached: Bool
    /// Whether there is a changelog.
    public var isLogged: Bool
    /// Settings of the changelog topic that the user gave.
    public var changelogSettings: [String: String] = [:]
    /// Whether a later write of a key replaces the earlier one, so that a flush's links say `superseded`, not `merged`.
    public var isLatestWins = false
    /// Whether rows are found by their times alone, too: for results that come when windows close.
    ///
    /// In the engine this takes a table more for each segment.
    public var isOrderedByTime = false
    /// Whether the timestamps of values outlast the cache: else they are read as -1.
    public var keepsTimestamps = true
    /// How long a row is kept behind its timestamp, ms of the task's stream time; nil for ever.
    ///
    /// Of stores of values with timestamps by key, which then aren't cached.
    public var timeToLive: Int64?
    /// Names of the serdes, for the fingerprint.
    public var serdes = ""
    /// Whether the name was generated.
    public var hasGeneratedName = false
    /// The source topic whose records its rows are, which then is its changelog; nil if it has one of its own, or none.
    public var sourceTopic: String?
    /// Whether it holds all partitions of that topic, for the tasks of a thread to read.
    public var isGlobal = false
    /// Whether only the processor that fills it from that topic may write it.
    public var isFilled = false
    /// Whether it holds what a topic says: no processor but the one that fills it may write it.
    public var isReadOnly: Bool { isGlobal || isFilled }

    /// Who brings its storage, which then says whether it is persistent; nil where the application's own engines keep it.
    public var supplier: (any StoreSupplier)? {
        get { named?.supplier }
        set {
            named = newValue.map { NamedSupplier(supplier: $0) }
            if let newValue { isPersistent = newValue.isPersistent }
        }
    }
    private var named: NamedSupplier?

    /// Whether its rows can be made again from a topic.
    public var canBeRestored: Bool { isLogged || sourceTopic != nil }
    /// Whether records of the changelog have the headers of those that were processed when they were written.
    public var logsHeaders = false
    /// Whether it keeps headers as Kafka Streams' stores of the format `HEADERS` do: tombstones of the changelog have those of the record that
    /// deleted, and rows those that are logged with them (``logsHeaders``).
    ///
    /// Nothing that a store's identity tells: rows of either kind are read by both.
    public var keepsHeaders = false

    /// Whether its rows say which records have passed an operator, so that one that comes again doesn't.
    package var tellsWhatPassed = false

    /// Whether something that it has once given on doesn't come again when the record at hand is processed again: what the next operators
    /// made of that must not be lost then.
    package var givesOnOnce: Bool {
        guard isLogged else { return false }
        return switch kind {
        case .list, .joinBuffer: true
        default: tellsWhatPassed || timeToLive != nil
        }
    }

    /// Describes a store.
    public init(
        name: String, kind: Kind, isPersistent: Bool = true, isCached: Bool = false, isLogged: Bool = true
    ) {
        self.name = name
        self.kind = kind
        self.isPersistent = isPersistent
        self.isCached = isCached
        self.isLogged = isLogged
    }

    /// What the store's rows are, as it is kept beside them and goes into a topology's fingerprint (layout: `Docs/Formats.md`, State).
    ///
    /// Stores with different identities can't read each other's rows.
    public var identity: String {
        let traits = kind.traits
        var rows = "\(traits.name)"
        if let retention = traits.retention {
            rows += " retention=\(retention)"
            if let size = traits.windowSize { rows += " size=\(size)" }
            if isOrderedByTime { rows += " times=1" }
            rows += " duplicates=\(traits.retainsDuplicates ? 1 : 0) timestamped=\(traits.isTimestamped ? 1 : 0)"
        }
        if let history = traits.history { rows += " history=\(history)" }
        if let maximum = traits.maximumRows { rows += " maximum=\(maximum)" }
        if let timeToLive { rows += " ttl=\(timeToLive)" }
        if !keepsTimestamps { rows += " untimed" }
        return "1 \(rows) \(serdes)"
    }

    /// How long entries are kept, ms of stream time; nil for stores without retention.
    public var retention: Int64? { kind.traits.retention }

    /// The size of the windows that rows are of, ms; nil where they are of none.
    public var windowSize: Int64? { kind.traits.windowSize }

    /// How the keys of its rows are made.
    public var keys: KeySchema { kind.traits.keys }

    /// Whether entries of one key and window are kept side by side, each under a number of its own.
    public var retainsDuplicates: Bool { kind.traits.retainsDuplicates }

    /// Whether values carry the timestamp of the record that made them.
    public var isTimestamped: Bool { kind.traits.isTimestamped }

    /// Whether its rows are of a layout of the library's own, not the user's keys and values.
    public var isPrivate: Bool { kind.traits.isPrivate }

    /// How long earlier versions of a row are kept after they were replaced, ms of stream time; nil where none are.
    public var history: Int64? { kind.traits.history }

    /// Whether rows may have a ``timeToLive``.
    public var canExpire: Bool { kind.traits.canExpire && keepsTimestamps }

    /// How many rows there may be; nil for any number.
    public var maximumRows: Int? { kind.traits.maximumRows }

    /// Whether an operator keeps there what waits: there are no rows to look at.
    public var isBuffer: Bool { kind.traits.isBuffer }

    /// `cleanup.policy` and `retention.ms` of the changelog as Kafka Streams sets them (Docs/Semantics.md, Stores), and the user's over them.
    public var changelogConfiguration: [String: String] {
        var settings = ["cleanup.policy": "compact", "message.timestamp.type": "CreateTime"]
        if let retention {
            settings["cleanup.policy"] = retainsDuplicates ? "delete" : "compact,delete"
            let day: Int64 = 86_400_000
            settings["retention.ms"] = String(retention.addingSaturated(day))
        }
        if let history {
            let day: Int64 = 86_400_000
            settings["min.compaction.lag.ms"] = String(history.addingSaturated(day))
        }
        for (name, value) in changelogSettings { settings[name] = value }
        return settings
    }
}

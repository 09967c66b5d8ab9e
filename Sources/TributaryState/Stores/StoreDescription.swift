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

        /// What spans say: `kv`, `window`.
        var attribute: String { if case .window = self { "window" } else { "kv" } }
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
    /// Names of the serdes, for the fingerprint.
    public var serdes = ""
    /// Whether the name was generated.
    public var hasGeneratedName = false

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
        let rows =
            switch kind {
            case .keyValue: "keyValue"
            case .timestampedKeyValue: "timestampedKeyValue"
            case .window(let retention, let size, let duplicates, let timestamped):
                "window retention=\(retention) size=\(size) duplicates=\(duplicates ? 1 : 0) timestamped=\(timestamped ? 1 : 0)"
            }
        return "1 \(rows) \(serdes)"
    }

    /// How long entries are kept, ms of stream time; nil for stores without retention.
    public var retention: Int64? {
        if case .window(let retention, _, _, _) = kind { retention } else { nil }
    }

    /// How the keys of its rows are made.
    public var keys: KeySchema { if case .window = kind { .window } else { .plain } }

    /// Whether entries of one key and window are kept side by side, each under a number of its own.
    public var retainsDuplicates: Bool {
        if case .window(_, _, let duplicates, _) = kind { duplicates } else { false }
    }

    /// Whether values carry the timestamp of the record that made them.
    public var isTimestamped: Bool {
        switch kind {
        case .keyValue: false
        case .timestampedKeyValue: true
        case .window(_, _, _, let timestamped): timestamped
        }
    }

    /// `cleanup.policy` and `retention.ms` of the changelog as Kafka Streams sets them (semantics 5.10), and the user's over them.
    public var changelogConfiguration: [String: String] {
        var settings = ["cleanup.policy": "compact", "message.timestamp.type": "CreateTime"]
        if case .window(let retention, _, let duplicates, _) = kind {
            settings["cleanup.policy"] = duplicates ? "delete" : "compact,delete"
            let day: Int64 = 86_400_000
            settings["retention.ms"] = String(retention.addingSaturated(day))
        }
        for (name, value) in changelogSettings { settings[name] = value }
        return settings
    }
}

internal import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// What the caller of an operator said of the store that it keeps.
@usableFromInline
struct KeptStore: Sendable {
    @usableFromInline let name: String?
    @usableFromInline let inMemory: Bool?
    @usableFromInline let logging: Bool
    @usableFromInline let changelogSettings: [String: String]

    @usableFromInline
    init(_ name: String?, inMemory: Bool?, logging: Bool, changelogSettings: [String: String]) {
        self.name = name
        self.inMemory = inMemory
        self.logging = logging
        self.changelogSettings = changelogSettings
    }
}

extension TopologyGraph {
    /// Adds the store of an operator that keeps what it has seen for a time, and connects it to its node.
    ///
    /// Never cached: such stores are searched by time.
    ///
    /// - Parameters:
    ///   - retention: ms of the store's own time.
    ///   - size: of the windows that rows are of, ms.
    ///   - tellsWhatPassed: whether a record that comes again doesn't pass.
    @usableFromInline
    func addKept(
        _ store: KeptStore, _ name: String, to node: Int, retention: Int64, size: Int64, keepsDuplicates: Bool,
        tellsWhatPassed: Bool = true, serdes: String
    ) {
        var description = StoreDescription(
            name: name,
            kind: .window(retention: retention, size: size, retainsDuplicates: keepsDuplicates, timestamped: false),
            isPersistent: !(store.inMemory ?? storesInMemory), isLogged: store.logging)
        description.changelogSettings = store.changelogSettings
        description.hasGeneratedName = store.name == nil
        description.serdes = serdes
        description.tellsWhatPassed = tellsWhatPassed
        addStore(description)
        connect(name, to: node)
    }

    /// Keeps an error for a time that has to be of whole milliseconds, one at least.
    @usableFromInline
    func check(_ time: Duration, _ what: String, minimum: Int64 = 1) {
        let milliseconds = time.milliseconds
        guard milliseconds >= minimum else {
            return fail(.invalidSetting, "\(what) is \(time), but must be at least \(minimum) ms")
        }
        if milliseconds != .max, time - .milliseconds(milliseconds) >= .nanoseconds(1) {
            fail(.invalidSetting, "\(what) is \(time), but must be of whole milliseconds")
        }
    }
}

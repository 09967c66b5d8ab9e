internal import TributaryCore
internal import TributaryLMDB
internal import TributaryState

/// What the rows of a stored store are, as the state says beside them.
struct StoreKind: Sendable, Equatable {
    /// Where a replayed changelog's state says it, which is no application's.
    static func replayedKey(_ store: String) -> String { "replay/\(store)" }

    /// Nil where the state doesn't say.
    let description: StoreDescription?
    let keys: KeySchema

    init(_ description: StoreDescription) {
        self.description = description
        keys = description.keys
    }

    /// Reads it; of state that doesn't say it what its tables look like.
    init(_ tables: StoreTables, _ reader: LMDBStateReader) throws {
        var found: StoreDescription?
        for key in ["store/\(tables.store)", Self.replayedKey(tables.store)] {
            guard found == nil, let text = try reader.metadata(key) else { continue }
            found = StoreDescription(name: tables.store, identity: String(decoding: text, as: UTF8.self))
        }
        description = found
        keys = found?.keys ?? (tables.hasWindows ? .window : .plain)
    }

    var isVersioned: Bool { description?.history != nil }

    /// What its rows are called.
    var noun: String {
        switch keys {
        case .plain: "rows"
        case .window, .windowed: "windows"
        case .session: "sessions"
        }
    }

    /// How one of several rows of a key is named.
    var hint: String {
        keys == .session ? "--session START/END" : "--window TIME"
    }

    /// What an application's state beside a log says of the store of a changelog; nil if there is none.
    static func beside(log: String?, changelog topic: String, store: String) -> StoreDescription? {
        guard let log else { return nil }
        for application in (try? Files.entries("\(log)/state")) ?? [] where topic.hasPrefix("\(application)-") {
            guard let folder = try? StateFolder("\(log)/state/\(application)") else { continue }
            for task in folder.tasks {
                guard let text = try? task.reader().metadata("store/\(store)") else { continue }
                let found = StoreDescription(name: store, identity: String(decoding: text, as: UTF8.self))
                // What an operator keeps for itself is shown as it is.
                return found?.isPrivate == true || found?.isBuffer == true ? nil : found
            }
        }
        return nil
    }
}

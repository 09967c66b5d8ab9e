internal import TributaryCore
public import TributaryState

extension LMDBStateEngine {
    /// A reader of the newest commit.
    public func makeCommittedReader() -> (any CommittedReader)? { makeReader() }

    /// The task's directory.
    public var temporaryFolder: String? { directory }

    /// Makes a new file beside this one, lets `fill` write it, and puts it in this one's place.
    public func rebuild(
        keeping tables: [String], metadata keys: [String], filling fill: (any StateEngine) throws -> Void
    ) throws {
        abort()
        let rebuilt = try beginRebuild()
        do {
            try copyTables(tables, to: rebuilt)
            try copyMetadata(keys, to: rebuilt)
            try fill(rebuilt)
        } catch {
            try cancelRebuild(rebuilt)
            throw error
        }
        try finishRebuild(rebuilt)
        try reopen()
    }
}

extension LMDBStateReader: CommittedReader {}

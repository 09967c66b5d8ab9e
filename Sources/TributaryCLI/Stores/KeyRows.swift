internal import TributaryCore
internal import TributaryLineage

/// Which rows of a key are asked for: `--window`, `--session`, `--at`, `--versions`.
struct KeyRows {
    static let options: [OptionSpec] = [
        .text("window", "TIME", "of a window store: the window that starts then"),
        .text("session", "START/END", "of a session store: the session from one time to another"),
        .text("at", "TIME", "of a store of versions: the version that counted then"),
    ]
    static let versions = OptionSpec.flag("versions", "of a store of versions: all that are kept, by their times")

    let scans: [StoreScan]
    private let store: String
    private let text: String
    private let arguments: Arguments

    init(_ text: String, _ arguments: Arguments) throws {
        self.text = text
        self.arguments = arguments
        store = try arguments.required("store")
        scans = try StoreCommands.scans(arguments)
    }

    // All tasks have the same store.
    private var kind: StoreKind? { scans.first?.kind }

    /// The rows of the key in whichever task has them, or the grave of one that was deleted.
    ///
    /// - Parameter single: whether a key that has several rows must be told which.
    func rows(single: Bool) throws -> [(StoredRow, StoreScan)] {
        guard let kind else { return [] }
        try check(kind)
        var selection = RowSelection()
        if let whole = try wholeKey() {
            selection.key = whole
            selection.areWhole = true
        } else if kind.keys != .plain {
            guard !single else {
                throw UsageError(
                    "'\(store)' keeps \(kind.noun): name one with \(kind.hint), or see those that are there "
                        + "with 'tributary store scan'")
            }
            selection.key = try BytesFormat(arguments["key-format"]).plainBytes(text)
        } else {
            selection.key = try BytesFormat(arguments["key-format"]).bytes(text)
            selection.areWhole = true
        }
        if let time = try arguments["at"].map({ text throws(UsageError) in try TimeText.milliseconds(text) }) {
            selection.versions = true
            selection.times = time...time
        }
        if arguments.has("versions") { selection.versions = true }
        var found: [(StoredRow, StoreScan)] = []
        for graves in selection.versions ? [false] : [false, true] where found.isEmpty {
            selection.graves = graves
            for scan in scans { try scan.forEach(selection) { found.append(($0, scan)) } }
        }
        return found
    }

    private func check(_ kind: StoreKind) throws(UsageError) {
        for (option, fits) in [
            ("window", kind.keys == .window), ("session", kind.keys == .session), ("at", kind.isVersioned),
            ("versions", kind.isVersioned),
        ] where arguments.has(option) && !fits {
            throw UsageError("'\(store)' keeps \(kind.noun), of which --\(option) says nothing")
        }
    }

    /// The key of the one row that is named; nil if only the record's key is.
    private func wholeKey() throws(UsageError) -> [UInt8]? {
        let format = BytesFormat(arguments["key-format"])
        for (option, keys) in [("window", KeySchema.window), ("session", .session)] {
            guard let typed = arguments[option] else { continue }
            var writer = ByteWriter()
            writer.append(try format.plainBytes(text))
            try WindowSuffix(typed: typed[...], keys).append(keys, to: &writer)
            return writer.copy()
        }
        return format.keys == .plain ? nil : try format.bytes(text)
    }
}

internal import TributaryCore
internal import TributaryLMDB

/// A state directory: of an application, with a folder for each task, or of one task.
struct StateFolder: Sendable {
    /// The state of one task.
    struct Task: Sendable {
        var id: String
        var directory: String

        func reader() throws -> LMDBStateReader { try LMDBStateReader(directory: directory) }
    }

    let path: String
    let tasks: [Task]

    init(_ path: String) throws {
        self.path = path
        let file = LMDBStateEngine.fileName
        if Files.exists("\(path)/\(file)") {
            tasks = [Task(id: path.split(separator: "/").last.map { String($0) } ?? path, directory: path)]
            return
        }
        guard Files.isFolder(path) else { throw CommandError("there is no folder '\(path)'") }
        tasks = try Files.entries(path).filter { Files.exists("\(path)/\($0)/\(file)") }
            .map { Task(id: $0, directory: "\(path)/\($0)") }
        guard tasks.isEmpty else { return }
        let inside = try Files.entries(path).filter { Files.isFolder("\(path)/\($0)") }
        let hint = inside.isEmpty ? "" : "; try one of: \(inside.map { "\(path)/\($0)" }.joined(separator: ", "))"
        throw CommandError("there is no state in '\(path)'\(hint)")
    }

    /// The log that the directory lies in (`LOG/state/APPLICATION`), if it does.
    var surroundingLog: String? {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        while parts.count > 1, parts.last == "" { parts.removeLast() }
        for _ in 0..<3 where parts.count > 1 {
            parts.removeLast()
            let parent = parts.joined(separator: "/")
            if !parent.isEmpty, Files.exists("\(parent)/log.mdb") { return parent }
        }
        return Files.exists("./log.mdb") ? "." : nil
    }
}

/// The tables of a store: one, one a window segment, and that of its graves.
struct StoreTables: Sendable, Equatable {
    var store: String
    var tables: [String]
    var graves: String?

    var hasWindows: Bool { tables.contains { $0 != store } }

    /// Groups the tables of a task by their stores.
    static func group(_ names: [String]) -> [StoreTables] {
        var stores: [StoreTables] = []
        for name in names.sorted() {
            // A segment's keys by time say nothing that the segment doesn't.
            if name.hasSuffix(".times"), names.contains(String(name.dropLast(6))) { continue }
            // Nor do times say anything that rows which expire don't.
            if name.hasSuffix(".expiries"), names.contains(String(name.dropLast(9))) { continue }
            if name.hasSuffix(".graves"), names.contains(String(name.dropLast(7))) {
                if let index = stores.firstIndex(where: { $0.store == String(name.dropLast(7)) }) {
                    stores[index].graves = name
                }
                continue
            }
            let store = segmentStore(name) ?? name
            if let index = stores.firstIndex(where: { $0.store == store }) {
                stores[index].tables.append(name)
            } else {
                stores.append(StoreTables(store: store, tables: [name], graves: nil))
            }
        }
        return stores
    }

    // Segments of window stores are called `store@` and 16 hexadecimal digits.
    private static func segmentStore(_ name: String) -> String? {
        guard let at = name.lastIndex(of: "@") else { return nil }
        let digits = name[name.index(after: at)...]
        return digits.utf8.count == 16 && UInt64(digits, radix: 16) != nil ? String(name[..<at]) : nil
    }
}

internal import TributaryCore
internal import TributaryState

/// What is found wrong in the state of a task, beside an application or without one; nothing is written.
package struct StateCheck {
    /// What is wrong, a sentence each; empty if nothing is.
    package private(set) var findings: [String] = []
    /// How many rows were read.
    package private(set) var rows: UInt64 = 0

    /// Reads all of a task's state.
    package init(directory: String) {
        let path = directory + "/" + LMDBStateEngine.fileName
        if let damage = StateMarks(path).damage { findings.append("found damaged before: \(damage)") }
        do throws(LMDBDamage) {
            // A reader keeps the pages of this commit and later ones from being used again, until the walk is over.
            _ = try LMDBFileWalk(path: path)
            let environment = try? LMDBEnvironment(path: path, options: LMDBOptions(readOnly: true))
            let reader = try? environment?.read()
            defer { _ = reader }
            let walk = try LMDBFileWalk(path: path)
            var wrong: [String: Int] = [:]
            try walk.run { (database, key, value) throws(LMDBDamage) in
                if RowSeal(database).open(key, value) == nil { wrong[database, default: 0] += 1 }
            }
            rows = walk.rows
            for (database, count) in wrong.sorted(by: { $0.key < $1.key }) {
                findings.append("\(count) rows of \(LMDBTable.tableName(for: database)) are not what was written")
            }
        } catch {
            findings.append("\(error)")
        }
    }
}

import TributaryCore
import TributaryState

extension StateEngineConformance {
    static let transactionChecks: [Check] = [
        Check(name: "abort takes back everything since the last commit") { suite in
            try suite.withTable { engine, table in
                for key in awkwardKeys { try table.put(key, value(of: key)) }
                try engine.setMetadata("a", [1])
                try engine.commit()
                for round in 0..<3 {
                    for (index, key) in awkwardKeys.enumerated() {
                        if index % 3 == round { try table.delete(key) } else { try table.put(key, [9, 9]) }
                    }
                    try table.put([1, 1, UInt8(round)], [1])
                    try engine.setMetadata("a", round == 0 ? nil : [2])
                    try engine.setMetadata("b", [3])
                    engine.abort()
                    try expectSame(try table.entries(), entries(awkwardKeys), "after abort \(round)")
                    try expect(try table.table.count() == awkwardKeys.count, "count is \(try table.table.count())")
                    try expect(try engine.metadata("a") == [1], "metadata a")
                    try expect(try engine.metadata("b") == nil, "metadata b")
                    try expect(engine.dirtyBytes == 0, "dirtyBytes is \(engine.dirtyBytes) after an abort")
                }
                engine.abort()
                try expectSame(try table.entries(), entries(awkwardKeys), "after an empty abort")
            }
        },
        Check(name: "commit keeps everything, and the next abort does not touch it") { suite in
            try suite.withTable { engine, table in
                for number in 0..<1000 {
                    try table.put(key(number), value(of: key(number)))
                    if number % 100 == 99 { try engine.commit() }
                }
                try engine.commit()
                try table.put(key(5), [])
                engine.abort()
                try expectSame(try table.entries(), entries((0..<1000).map(key)), "after commits and an abort")
            }
        },
        Check(name: "a table made in an aborted transaction is gone, and its handle still serves") { suite in
            try suite.withEngine { engine in
                let table = TableProbe(try engine.table("new"))
                try table.put([1], [1])
                engine.abort()
                try expect(try engine.tableNames() == [], "names are \(try engine.tableNames())")
                try table.expectGet([1], is: nil)
                try table.put([2], [2])
                try table.expectGet([2], is: [2])
                try engine.commit()
                try expect(try engine.tableNames() == ["new"], "names are \(try engine.tableNames())")
                try expectSame(try table.entries(), [Entry(key: [2], value: [2])], "after the commit")
                try expectSame(
                    try TableProbe(try engine.table("new")).entries(), [Entry(key: [2], value: [2])], "another handle")
            }
        },
        Check(name: "tables are apart, named, and found by name") { suite in
            try suite.withEngine { engine in
                let names = [
                    "b", "a", "store.graves", "meta", "=odd", "größer", "a/b c", String(repeating: "x", count: 249),
                ]
                for (index, name) in names.enumerated() {
                    try TableProbe(try engine.table(name)).put([1], [UInt8(index)])
                }
                try engine.setMetadata("[1]", [99])
                try engine.commit()
                for (index, name) in names.enumerated() {
                    try TableProbe(try engine.table(name)).expectGet([1], is: [UInt8(index)], name)
                }
                let found = try engine.tableNames().sorted()
                try expect(found == names.sorted(), "names are \(found)")
                for name in ["", "zero\u{0}byte", String(repeating: "x", count: 600)] {
                    try expectError(.invalidRequest, what: "a table name of \(name.utf8.count) bytes") {
                        _ = try engine.table(name)
                    }
                }
            }
        },
        Check(name: "dropTable deletes a table, abort brings it back, commit does not") { suite in
            try suite.withTable { engine, table in
                for number in 0..<300 { try table.put(key(number), value(of: key(number))) }
                try engine.commit()
                try engine.dropTable("missing")
                try engine.dropTable("table")
                try expectError(.unknownStore, what: "get from a dropped table") { _ = try table.get([1]) }
                try expectError(.unknownStore, what: "put into a dropped table") { try table.put([1], [1]) }
                engine.abort()
                try expectSame(try table.entries(), entries((0..<300).map(key)), "after the abort")
                try engine.dropTable("table")
                try engine.commit()
                try expect(try engine.tableNames() == [], "names are \(try engine.tableNames())")
                let again = TableProbe(try engine.table("table"))
                try expectSame(try again.entries(), [], "the table made anew")
                try again.put([1], [1])
                try engine.commit()
                try expectSame(try again.entries(), [Entry(key: [1], value: [1])], "the table made anew")
            }
        },
        Check(name: "a table dropped and filled anew before a commit has only the new content") { suite in
            try suite.withTable { engine, table in
                for key in awkwardKeys { try table.put(key, value(of: key)) }
                try engine.commit()
                try engine.dropTable("table")
                let again = TableProbe(try engine.table("table"))
                try again.put([5], [5])
                try expectSame(try again.entries(), [Entry(key: [5], value: [5])], "before the commit")
                engine.abort()
                try expectSame(try again.entries(), entries(awkwardKeys), "after an abort")
                try engine.dropTable("table")
                try TableProbe(try engine.table("table")).put([6], [6])
                try engine.commit()
                try expectSame(try TableProbe(engine.table("table")).entries(), [Entry(key: [6], value: [6])], "after")
                try expect(try engine.table("table").count() == 1, "count is \(try engine.table("table").count())")
            }
        },
        Check(name: "metadata is written, replaced, deleted and listed by prefix") { suite in
            try suite.withEngine { engine in
                try expect(try engine.metadata("a") == nil, "metadata in an empty engine")
                try expect(try engine.metadataKeys(prefix: "") == [], "metadata keys in an empty engine")
                let long = String(repeating: "topic-", count: 100)
                for (index, key) in ["position/a/0", "position/a/1", "position/b/0", "p", "", long].enumerated() {
                    try engine.setMetadata(key, [UInt8](repeating: UInt8(index), count: index * 50))
                }
                try expect(try engine.metadata("") == [UInt8](repeating: 4, count: 200), "the empty key")
                try expect(try engine.metadata(long) == [UInt8](repeating: 5, count: 250), "a key of 600 bytes")
                try expect(try engine.metadata("position/a/0") == [], "an empty value")
                try expect(
                    try engine.metadataKeys(prefix: "position/a").sorted() == ["position/a/0", "position/a/1"],
                    "keys are \(try engine.metadataKeys(prefix: "position/a"))")
                try expect(try engine.metadataKeys(prefix: "").count == 6, "all keys")
                try expect(try engine.metadataKeys(prefix: "q") == [], "no keys")
                try engine.setMetadata("p", [7])
                try engine.setMetadata("position/b/0", nil)
                try engine.setMetadata("missing", nil)
                try engine.commit()
                try expect(try engine.metadata("p") == [7], "a replaced value")
                try expect(try engine.metadata("position/b/0") == nil, "a deleted value")
                try expect(try engine.tableNames() == [], "metadata shows as a table")
            }
        },
        Check(name: "dirtyBytes grows with writes and is 0 after a commit") { suite in
            try suite.withTable { engine, table in
                try engine.commit()
                try expect(engine.dirtyBytes == 0, "dirtyBytes is \(engine.dirtyBytes) at first")
                for number in 0..<100 { try table.put(key(number), [UInt8](repeating: 1, count: 98)) }
                try expect(
                    (9000...2_000_000).contains(engine.dirtyBytes),
                    "dirtyBytes is \(engine.dirtyBytes), not about 10000")
                try engine.commit()
                try expect(engine.dirtyBytes == 0, "dirtyBytes is \(engine.dirtyBytes) after a commit")
            }
        },
        Check(name: "what was committed is there after reopening, and nothing else") { suite in
            guard let reopen = suite.reopen else { return }
            var engine = try suite.makeEngine()
            defer { engine.close() }
            try expect(engine.isPersistent, "an engine that can be reopened is persistent")
            let table = TableProbe(try engine.table("table"))
            for key in awkwardKeys { try table.put(key, value(of: key)) }
            try engine.setMetadata("position", [1, 2])
            try engine.commit()
            try table.put([1, 2, 3, 4], [])
            try table.delete([])
            try engine.setMetadata("position", [3])
            _ = try engine.table("uncommitted")
            engine = try reopen(engine)
            let again = TableProbe(try engine.table("table"))
            try expectSame(try again.entries(), entries(awkwardKeys), "after reopening")
            try expect(try again.table.count() == awkwardKeys.count, "count is \(try again.table.count())")
            try expect(try engine.metadata("position") == [1, 2], "metadata after reopening")
            try expect(try engine.tableNames() == ["table"], "names are \(try engine.tableNames())")
            try again.put([1], [1])
            try engine.commit()
            engine = try reopen(engine)
            try TableProbe(try engine.table("table")).expectGet([1], is: [1], "after reopening twice")
        },
        Check(name: "a closed engine answers with errors") { suite in
            let engine = try suite.makeEngine()
            let table = TableProbe(try engine.table("table"))
            try table.put([1], [1])
            let cursor = try table.cursor()
            engine.close()
            engine.close()
            try expectError(.closed, what: "table") { _ = try engine.table("table") }
            try expectError(.closed, what: "get") { _ = try table.get([1]) }
            try expectError(.closed, what: "put") { try table.put([1], [1]) }
            try expectError(.closed, what: "cursor") { _ = try table.cursor() }
            try expectError(.closed, what: "next") { _ = try cursor.next() }
            try expectError(.closed, what: "commit") { try engine.commit() }
            cursor.close()
            engine.abort()
        },
    ]
}
